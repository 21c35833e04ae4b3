package covered_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange/covered"
)

// random is a list of what a page may hold: stretches of artifacts, in any order,
// with copies among them.
func random(r *rand.Rand) (l covered.List, objects []int64) {
	l.Named = r.IntN(4) == 0
	for range r.IntN(8) {
		artifact, at := r.Int64N(1<<20), r.Int64N(1<<24-400)
		if r.IntN(4) == 0 {
			artifact = 0
		}
		for range r.IntN(130) {
			object := artifact<<24 | at
			objects = append(objects, object)
			switch r.IntN(12) {
			case 0:
				l.Add(object, &covered.Copy{UUID: [16]byte{byte(at)}})
			case 1:
				l.Add(object, &covered.Copy{Version: covered.At, Micros: r.Int64() - math.MaxInt64/2})
			case 2:
				l.Add(object, &covered.Copy{Version: covered.Content, Hash: [32]byte{9, byte(at)}})
			default:
				l.Add(object, nil)
			}
			at += 1 + r.Int64N(8)/7
			if r.IntN(30) == 0 {
				at -= min(at, 50)
			}
		}
	}
	return l, objects
}

func TestCode(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		l, objects := random(r)
		back, err := covered.Decode(l.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l, back); diff != "" {
			t.Fatalf("read back: %s", diff)
		}
		var got []int64
		for _, run := range back.Runs {
			for i := range run.N {
				got = append(got, run.First+i)
			}
		}
		if diff := cmp.Diff(objects, got); diff != "" || objectsIn(l) != int64(len(objects)) {
			t.Fatalf("%d objects: %s", objectsIn(l), diff)
		}
	}
}

// A page of an artifact's objects in their order takes a few bytes.
func TestCodeIsShort(t *testing.T) {
	var l covered.List
	for i := range int64(1000) {
		l.Add(123_456<<24|900_000+i, nil)
	}
	if n := len(l.Encode()); n > 10 {
		t.Errorf("%d bytes for a stretch", n)
	}
}

// A run does not go from one artifact into the next.
func TestRunsEndWithTheirArtifact(t *testing.T) {
	var l covered.List
	l.Add(2<<24-1, nil)
	l.Add(2<<24, nil)
	if len(l.Runs) != 2 {
		t.Errorf("%v", l.Runs)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, b := range [][]byte{
		nil,
		{},
		{0},
		{3},
		{1, 1, 0},             // before any artifact
		{1, 4, 0x80},          // a varint that does not end
		{1, 4, 1},             // no step
		{1, 4, 1, 1},          // before the first position
		{1, 4, 3},             // an unknown kind
		{1, 4, 2, 1, 2, 3},    // a UUID that does not end
		{1, 4, 1, 0, 0xff, 1}, // …
		append([]byte{1, 4, 2}, append(make([]byte, 16), 7)...), // an unknown version
		append([]byte{1, 4, 2}, append(make([]byte, 16), 2)...), // a hash that does not end
		{1, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 0},
		{1, 4, 0xfd, 0xff, 0xff, 0xff, 1, 0},
		{1, 4, 1, 0xfe, 0xff, 0xff, 0xff, 1},
	} {
		if l, err := covered.Decode(b); err == nil {
			t.Errorf("%v was read as %v", b, l)
		}
	}
	b := []byte{1, 4}
	for range 3 { // each a little below the limit
		b = append(b, 0xfd, 0xff, 0xff, 0x01, 0)
	}
	if l, err := covered.Decode(b); err == nil {
		t.Errorf("%d objects were read", objectsIn(l))
	}
}

func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		l, _ := random(r)
		f.Add(l.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := covered.Decode(b)
		if err != nil {
			return
		}
		if n := objectsIn(l); n > covered.Most {
			t.Fatalf("%d objects", n)
		}
		back, err := covered.Decode(l.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l, back); diff != "" {
			t.Errorf("%v: %s", b, diff)
		}
	})
}

// A set answers as a map of positions does, whether it keeps spans or bits.
func TestSet(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, top := range []int64{200, 4000, 60_000} {
		for _, longest := range []int64{1, 3, 200} {
			t.Run(fmt.Sprintf("%d by %d", top, longest), func(t *testing.T) {
				var s covered.Set
				want := map[int64]bool{}
				for step := range 4000 {
					lo := r.Int64N(top)
					hi := min(lo+r.Int64N(longest), top)
					if step%2 == 0 {
						s.Add(lo, hi)
						for p := lo; p <= hi; p++ {
							want[p] = true
						}
						continue
					}
					all := true
					for p := lo; p <= hi; p++ {
						all = all && want[p]
					}
					if s.Has(lo, hi) != all {
						t.Fatalf("%d to %d: %v, want %v", lo, hi, !all, all)
					}
				}
				if s.Len() != len(want) {
					t.Errorf("%d positions, want %d", s.Len(), len(want))
				}
				if most := 64 + 3*max(8*512, int(top)/4); s.Size() > most {
					t.Errorf("%d bytes for %d positions, want at most %d", s.Size(), len(want), most)
				}
			})
		}
	}
}

func TestSetOfCopies(t *testing.T) {
	var s covered.Set
	if s.HasCopy(3, "a") || s.Has(0, 0) {
		t.Error("an empty set has something")
	}
	s.AddCopy(3, "a")
	if !s.HasCopy(3, "a") || s.HasCopy(3, "b") || s.HasCopy(4, "a") || s.Has(3, 3) {
		t.Error("of one copy")
	}
	if s.AddCopy(3, "b"); s.HasCopy(3, "a") || !s.HasCopy(3, "b") {
		t.Error("a later copy stands beside an earlier one")
	}
}

func BenchmarkSet(b *testing.B) {
	var s covered.Set
	for i := range int64(10_000) {
		s.Add(i*256, i*256+127)
	}
	i := int64(0)
	for b.Loop() {
		lo := i % 10_000 * 256
		i++
		if !s.Has(lo, lo+99) {
			b.Fatal(lo)
		}
	}
}

// objectsIn counts the objects of a list.
func objectsIn(l covered.List) (n int64) {
	for _, r := range l.Runs {
		n += r.N
	}
	return n
}
