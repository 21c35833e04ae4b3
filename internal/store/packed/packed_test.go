package packed

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample(n int) []Entry {
	es := make([]Entry, n)
	for i := range es {
		typ := []string{"indicator", "malware", "x-acme-thing"}[i%3]
		id := fmt.Sprintf("%s--%08x-0000-4000-8000-%012x", typ, i*2654435761&0xffffffff, i)
		if i%7 == 0 {
			id = typ + "--NOT-A-UUID-" + fmt.Sprint(i)
		}
		es[i] = Entry{
			Position: int64(i * 3), Class: int64(i) << 40, Version: int64(i) * 1e15, Offset: int64(i) << 33,
			Length: int64(i), Contested: i%5 == 0, Type: typ, ID: id,
		}
	}
	return es
}

func TestRoundTrip(t *testing.T) {
	for _, n := range []int{1, 2, 100, Most} {
		want := sample(n)
		body, err := Pack(want)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Open(body)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]Entry, b.Len())
		for i := range got {
			got[i] = b.Entry(i)
			got[i].ID = b.ID(i)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

// Identifiers that differ from the form that is written back are kept as text.
func TestIdentifiers(t *testing.T) {
	for _, id := range []string{
		"indicator--0a1b2c3d-0000-4000-8000-00000000000f", "indicator--0A1B2C3D-0000-4000-8000-00000000000F",
		"indicator--0a1b2c3d00004000800000000000000f", "malware--0a1b2c3d-0000-4000-8000-00000000000f", "indicator--", "", "-",
	} {
		body, err := Pack([]Entry{{Type: "indicator", ID: id}, {Position: 1, Type: "indicator", ID: "next"}})
		if err != nil {
			t.Fatal(err)
		}
		b, err := Open(body)
		if err != nil {
			t.Fatal(err)
		}
		if b.ID(0) != id || b.ID(1) != "next" {
			t.Errorf("%q came back as %q, then %q", id, b.ID(0), b.ID(1))
		}
	}
}

func TestFindAndContest(t *testing.T) {
	body, err := Pack(sample(50))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		position int64
		index    int
	}{{0, 0}, {1, 1}, {3, 1}, {147, 49}, {148, 50}} {
		if got := b.Find(c.position); got != c.index {
			t.Errorf("position %d: entry %d, want %d", c.position, got, c.index)
		}
	}
	if b.Contest(1) || b.Contest(0) || !b.Contest(3) || b.Contest(3) || !b.Entry(1).Contested {
		t.Error("contesting position 3 alone should have changed the block, once")
	}
}

func TestRefused(t *testing.T) {
	if _, err := Pack(nil); err == nil {
		t.Error("an empty block was packed")
	}
	if _, err := Pack(make([]Entry, Most+1)); err == nil {
		t.Error("too large a block was packed")
	}
	if _, err := Pack([]Entry{{Position: -1}}); err == nil {
		t.Error("a negative position was packed")
	}
}

// FuzzOpen reads every entry of whatever opens.
func FuzzOpen(f *testing.F) {
	body, err := Pack(sample(20))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add(body[:100])
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := Open(body)
		if err != nil {
			return
		}
		for i := range b.Len() {
			e := b.Entry(i)
			_ = b.ID(i)
			if b.Find(e.Position) != i {
				t.Fatalf("entry %d is not found", i)
			}
		}
	})
}
