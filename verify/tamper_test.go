package verify

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// tampers is how many bytes are flipped, deleted or inserted in each kind of file
// (AT-36: 10,000 in all).
const tampers = 10_000

// change flips a bit, deletes a byte or inserts one, and says where.
func change(r *rand.Rand, b []byte) ([]byte, string) {
	at := r.IntN(len(b))
	switch r.IntN(3) {
	case 0:
		out := bytes.Clone(b)
		out[at] ^= 1 << r.IntN(8)
		return out, fmt.Sprintf("a bit of byte %d flipped", at)
	case 1:
		return slices.Delete(bytes.Clone(b), at, at+1), fmt.Sprintf("byte %d deleted", at)
	}
	return slices.Insert(bytes.Clone(b), at, byte(r.IntN(256))), fmt.Sprintf("a byte inserted before byte %d", at)
}

// Of 10,000 bytes flipped, deleted or inserted anywhere in what a log publishes and in
// what parties are given, every one is reported. Of an entry, its tile or its line the
// first bad entry is named.
func TestTampering(t *testing.T) {
	witness, witnessKey := testWitness(t, "w1.example", 20)
	l := newTestLog(t)
	events := l.fillTest(600, 3)
	l.publish(witness)
	keys, witnesses := []string{l.key}, []string{witnessKey}
	bundle, err := l.bundle(events, nil)
	if err != nil {
		t.Fatal(err)
	}
	receipt := l.receipt(events[100], 600, witness)
	file, err := receipt.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	text, err := receipt.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	whole := func(l *testLog) error {
		_, r, err := look(t, l, nil, func(w *Watch) { w.Witnesses, w.Quorum, w.Full = witnesses, 1, true })
		if err == nil && r.Entries != 600 {
			return errors.New("not every entry was read")
		}
		return err
	}
	check := func(b []byte) error {
		r, err := ParseReceipt(b)
		if err != nil {
			return err
		}
		s, err := r.Verify(keys, witnesses)
		if err == nil {
			err = s.Quorum(1)
		}
		return err
	}
	audit := func(b []byte) error {
		r, err := VerifyBundle(bytes.NewReader(b), keys, witnesses)
		if err == nil {
			err = r.Checkpoint.Quorum(1)
		}
		return err
	}
	for name, err := range map[string]error{"log": whole(l), "receipt": check(file), "text": check(text), "bundle": audit(bundle)} {
		if err != nil {
			t.Fatalf("%s, untouched: %v", name, err)
		}
	}
	var paths []string
	for p := range l.files {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	r := rand.New(rand.NewPCG(36, 36))
	named := 0
	for i := range tampers {
		var err error
		var where, how string
		first := int64(-1) // where the first bad entry is known: the one that must be named
		switch i % 5 {
		case 0, 1:
			where = paths[r.IntN(len(paths))]
			good := l.files[where]
			l.files[where], how = change(r, good)
			err = whole(l)
			if level, n, width, bad := ParseTilePath(where); bad == nil && level == EntriesLevel {
				first = firstDifference(t, l, n, width, l.files[where])
			}
			l.files[where] = good
		case 2:
			where = "receipt"
			b, what := change(r, file)
			err, how = check(b), what
		case 3:
			where = "receipt as text"
			b, what := change(r, text)
			err, how = check(b), what
		case 4:
			where = "bundle"
			b, what := change(r, bundle)
			err, how = audit(b), what
		}
		if err == nil {
			t.Errorf("%s, %s: not reported", where, how)
		}
		var f *Failure
		if errors.As(err, &f) && f.Index >= 0 {
			named++
		}
		if first >= 0 && (f == nil || f.Index != first) {
			t.Errorf("%s, %s: %v, but entry %d is the first bad one", where, how, err, first)
		}
	}
	t.Logf("of %d changes %d named an entry", tampers, named)
	if named < tampers/3 {
		t.Errorf("only %d of %d changes named an entry", named, tampers)
	}
}

// firstDifference is the first entry of a bundle that is not the log's.
func firstDifference(t *testing.T, l *testLog, n int64, width int, b []byte) int64 {
	t.Helper()
	all, _ := ParseEntries(b) // those before the damage
	for i := range width {
		index := n*TileWidth + int64(i)
		if i >= len(all) || !bytes.Equal(all[i], l.entries[index]) {
			return index
		}
	}
	return n*TileWidth + int64(width) - 1 // something follows it
}
