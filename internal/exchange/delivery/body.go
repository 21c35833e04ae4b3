package delivery

import (
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"sync"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Page is one page: what it holds, whether more follow, and the objects' exact
// bytes. It is closed after use.
type Page struct {
	Entries     []Entry // empty when the query is bare
	Len         int
	First, Last int64 // date_added of the first entry and of the last
	More        bool

	parts  []part
	pieces []piece
	buf    []byte // margin bytes of room, the objects joined by commas, room
}

// piece is a range of an artifact's bytes: objects, and what was submitted
// between them.
type piece struct {
	k        *class
	from, to int64
	last     int64   // number of its last object
	gaps     []int64 // ends of objects after which a separator is to be found
}

// maxPage bounds the bytes of a page: a thousand very large objects come in
// several. One object is always given.
const maxPage = 32 << 20

// adjacent reports whether b may follow a in one read: the next object of the
// same artifact, with room between them for a separator and white space only.
func adjacent(a, b Entry) bool {
	gap := b.Offset - (a.Offset + a.Length)
	return b.Object == a.Object+1 && gap > 0 && gap <= 64
}

// plan works out which ranges of bytes the page is, and shortens it to maxPage.
func (p *Page) plan() {
	size := int64(0)
	for i := range p.parts {
		part := &p.parts[i]
		for from := 0; from < part.len(); {
			to := part.reach(from)
			first, last := part.entry(from), part.entry(to-1)
			n := last.Offset + last.Length - first.Offset
			if size+n > maxPage {
				to, n = part.fit(from, to, maxPage-size)
				if to == from && size == 0 {
					to, n = from+1, first.Length
				}
				if to > from {
					p.add(part.k, first, part.entry(to-1))
				}
				p.More, p.parts = true, p.parts[:i+1]
				if part.b != nil {
					part.to = part.from + to
				}
				if to == 0 {
					p.parts = p.parts[:i]
				}
				return
			}
			p.add(part.k, first, last)
			size, from = size+n+1, to
		}
	}
}

// reach is the end of what can be read together from an entry on.
func (p *part) reach(from int) int {
	if p.b == nil {
		return 1
	}
	i, found := slices.BinarySearch(p.b.cuts, uint8(p.from+from))
	if found {
		i++
	}
	if i < len(p.b.cuts) {
		return min(p.to, int(p.b.cuts[i])) - p.from
	}
	return p.len()
}

// fit is how many of the entries from … to fit into so many bytes.
func (p *part) fit(from, to int, room int64) (end int, size int64) {
	start := p.entry(from).Offset
	for end = from; end < to; end++ {
		e := p.entry(end)
		if e.Offset+e.Length-start > room {
			break
		}
		size = e.Offset + e.Length - start
	}
	return end, size
}

// add appends the bytes from one object to another, to the last piece when it
// ends beside them.
func (p *Page) add(k *class, first, last Entry) {
	if n := len(p.pieces); n > 0 {
		before := &p.pieces[n-1]
		if before.k.artifact.Number == k.artifact.Number && adjacent(Entry{Object: before.last, Offset: before.to}, first) {
			before.gaps = append(before.gaps, before.to, first.Offset)
			before.to, before.last = last.Offset+last.Length, last.Object
			return
		}
	}
	p.pieces = append(p.pieces, piece{k: k, from: first.Offset, to: last.Offset + last.Length, last: last.Object})
}

// margin is room on either side of the objects, for what stands around them.
const margin = 512

// read reads the bytes, under the permit of the decision on each.
func (p *Page) read(s *Service) error {
	size := len(p.pieces) - 1
	for _, c := range p.pieces {
		size += int(c.to - c.from)
	}
	p.buf = buffer(2*margin + size)[:margin+size]
	var blob Blob
	var open int64
	defer func() {
		if blob != nil {
			blob.Close()
		}
	}()
	at, next := margin, 0
	for _, c := range p.pieces {
		permit, ok := c.k.decision.Permit(c.k.artifact.Number)
		if !ok {
			return fmt.Errorf("reading a page: no permit for artifact %d", c.k.artifact.Number)
		}
		if blob == nil || open != c.k.artifact.Number {
			if blob != nil {
				blob.Close()
			}
			var err error
			if blob, err = s.open(permit, c.k.artifact); err != nil {
				return err
			}
			open = c.k.artifact.Number
		}
		for ; next < len(p.parts) && p.parts[next].k.artifact.Number == open; next++ {
			if b := p.parts[next].b; b != nil {
				if err := b.check(blob); err != nil {
					return err
				}
			}
		}
		if at > margin {
			p.buf[at] = ','
			at++
		}
		if _, err := blob.ReadAt(p.buf[at:at+int(c.to-c.from)], c.from); err != nil {
			return fmt.Errorf("reading objects: %w", err)
		}
		for i := 0; i < len(c.gaps); i += 2 {
			if gap := p.buf[at+int(c.gaps[i]-c.from) : at+int(c.gaps[i+1]-c.from)]; !separator(gap) {
				return fmt.Errorf("reading objects: no separator at byte %d of artifact %d", c.gaps[i], open)
			}
		}
		at += int(c.to - c.from)
	}
	return nil
}

// check looks once at what stands between the block's objects, so that pages
// need not.
func (b *block) check(blob io.ReaderAt) error {
	b.checking.Lock()
	defer b.checking.Unlock()
	if b.checked {
		return nil
	}
	var gap [64]byte
	before := b.Entry(0)
	for i := 1; i < b.Len(); i++ {
		e := b.Entry(i)
		if adjacent(before, e) {
			from := before.Offset + before.Length
			between := gap[:e.Offset-from]
			if _, err := blob.ReadAt(between, from); err != nil {
				return fmt.Errorf("reading objects: %w", err)
			}
			if !separator(between) {
				return fmt.Errorf("reading objects: no separator before object %d", e.Object)
			}
		}
		before = e
	}
	b.checked = true
	return nil
}

// separator reports whether b is one comma among JSON white space.
func separator(b []byte) bool {
	commas := 0
	for _, c := range b {
		switch c {
		case ',':
			commas++
		case ' ', '\t', '\n', '\r':
		default:
			return false
		}
	}
	return commas == 1
}

// Size is how many bytes WriteObjects writes.
func (p *Page) Size() int64 { return int64(max(0, len(p.buf)-margin)) }

// WriteObjects writes the page's objects as they were submitted, joined by commas.
func (p *Page) WriteObjects(w io.Writer) error {
	if len(p.buf) == 0 {
		return nil
	}
	_, err := w.Write(p.buf[margin:])
	return err
}

// Between returns the page's objects between head and tail, without a copy when
// those are short. It is valid until Close.
func (p *Page) Between(head, tail string) []byte {
	if len(head) > margin {
		return slices.Concat([]byte(head), p.buf[margin:], []byte(tail))
	}
	copy(p.buf[margin-len(head):], head)
	return append(p.buf, tail...)[margin-len(head):]
}

// Mark is a number that differs, but for chance, between pages that differ in
// their bytes. It is made of which bytes they are, without reading them, and
// changes when the process starts anew.
func (p *Page) Mark() uint64 {
	var h maphash.Hash
	h.SetSeed(marks)
	for _, c := range p.pieces {
		maphash.WriteComparable(&h, [3]int64{c.k.artifact.Number, c.from, c.to})
	}
	return h.Sum64()
}

var marks = maphash.MakeSeed()

// bodies are buffers of pages that were written.
var bodies sync.Pool

const keptBody = 4 << 20

func buffer(size int) []byte {
	if b, _ := bodies.Get().(*[]byte); b != nil && cap(*b) >= size {
		return (*b)[:size]
	}
	return make([]byte, size, size+size/8)
}

// Close gives the page's memory back. The page must not be used after it.
func (p *Page) Close() {
	if b := p.buf; b != nil && cap(b) <= keptBody {
		p.buf = nil
		bodies.Put(&b)
	}
}

// open is the one way to an artifact's bytes.
func (s *Service) open(p policy.Permit, art exchange.Artifact) (Blob, error) {
	if !p.Opens(art.Number) {
		return nil, exchange.Missing()
	}
	b, err := s.c.Blobs.Open(art.SHA256)
	if err != nil {
		return nil, fmt.Errorf("opening an artifact: %w", err)
	}
	return b, nil
}
