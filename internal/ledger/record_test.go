package ledger

import (
	"bytes"
	"testing"
)

func FuzzRecord(f *testing.F) {
	buf := make([]byte, recordHead)
	for i := range int64(3) {
		buf = appendEntry(buf, entry(i))
	}
	b, _ := seal(buf, 7, 3, sum{1}, []byte("checkpoint"))
	f.Add(b)
	f.Add(b[:len(b)-1])
	b, _ = seal(make([]byte, recordHead), 0, 0, sum{}, nil)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		// Most inputs fail at the sum, so it is put right as well.
		for _, b := range [][]byte{b, summed(b)} {
			r, err := parseRecord(b)
			if err != nil {
				continue
			}
			again, s := seal(append(make([]byte, recordHead), r.entries...), r.first, r.count, r.prev, r.checkpoint)
			if s != r.sum || !bytes.Equal(again, b[:r.length]) {
				t.Fatalf("%x was read, and is written as %x", b, again)
			}
		}
	})
}

// summed is b with the length and the sum that belong to it.
func summed(b []byte) []byte {
	if len(b) < recordHead+sumSize {
		return nil
	}
	body := bytes.Clone(b[:len(b)-sumSize])
	copy(body, recordMagic)
	body[4], body[5], body[6], body[7] = byte(len(b)>>24), byte(len(b)>>16), byte(len(b)>>8), byte(len(b))
	s := sumOf(body)
	return append(body, s[:]...)
}

func FuzzSegmentStart(f *testing.F) {
	f.Add(segmentStart{number: 3, first: 9, prev: sum{2}}.bytes())
	f.Add(position{segment: 1, offset: 64, size: 5}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseSegmentStart(b); err == nil && !bytes.Equal(s.bytes(), b[:segmentHead]) {
			t.Fatalf("%x", b)
		}
		if p, err := parsePosition(b); err == nil && !bytes.Equal(p.bytes(), b) {
			t.Fatalf("%x", b)
		}
	})
}

func FuzzTilePath(f *testing.F) {
	for _, path := range []string{"tile/0/000", "tile/entries/x001/x234/067.p/9", "tile/63/x999/999", "tile/0/000.p/256"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		level, n, width, err := parseTilePath(path)
		if err == nil && tilePath(level, n, width) != path {
			t.Fatalf("%q is %q", path, tilePath(level, n, width))
		}
	})
}

func TestAllocations(t *testing.T) {
	e := &edge{}
	var full []filled
	i := int64(0)
	add := func() {
		if full = e.add(commitment(i), full[:0]); len(full) > 0 {
			full = full[:0]
		}
		i++
	}
	for range 300 {
		add()
	}
	// One is the test's own entry; tiles and bundles are one in 256 each.
	if n := testing.AllocsPerRun(200, add); n > 2 {
		t.Errorf("appending an entry allocates %v times", n)
	}
}
