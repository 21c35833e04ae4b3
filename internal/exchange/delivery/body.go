package delivery

import (
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Page is one page: what it holds, whether more follow, and the objects' exact
// bytes. Of a bare query it must be closed after use.
type Page struct {
	Entries     []Entry // empty when the query is bare
	Len         int
	First, Last int64 // date_added of the first entry and of the last
	More        bool

	parts  []part
	pieces []piece
	buf    []byte   // margin bytes of room, the objects joined by commas, room
	memory [][]byte // or: the bytes of each piece, where they are kept
	open   []Blob   // that memory belongs to
}

// piece is a range of an artifact's bytes: objects, and what was submitted
// between them.
type piece struct {
	k        *class
	from, to int64
	last     int64   // number of its last object
	gaps     []int64 // ends of objects after which a separator is to be found
	made     []byte  // a copy that was made: neither of the above
}

func (c *piece) size() int {
	if c.made != nil {
		return len(c.made)
	}
	return int(c.to - c.from)
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

// copy fills in the bytes of the copies among the parts. One that the reader
// does not have so any more is left out.
func (p *Page) copy(ctx context.Context, s *Service, v *view) error {
	var missing []int
	for i := range p.parts {
		part := &p.parts[i]
		if part.b != nil || !part.alone.Redacted {
			continue
		}
		if part.made = s.made.find(Copy{part.alone.ID, part.alone.Object}); part.made == nil {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	err := s.look(ctx, func(l *looking) error {
		r := l.view(v)
		for _, i := range missing {
			raw, ok, err := r.copyOf(*p.parts[i].alone)
			if err != nil {
				return err
			}
			if p.parts[i].made = nil; ok {
				p.parts[i].made = raw
			}
		}
		return nil
	})
	p.parts = slices.DeleteFunc(p.parts, func(o part) bool { return o.b == nil && o.alone.Redacted && o.made == nil })
	return err
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
			if part.made != nil {
				n = int64(len(part.made))
			}
			if size+n > maxPage {
				if to = part.fit(from, to, maxPage-size); to == from && size == 0 {
					to = from + 1
				}
				if to > from {
					p.add(part, first, part.entry(to-1))
				}
				p.More = p.More || to < part.len() || i+1 < len(p.parts)
				p.parts = p.parts[:i+1]
				if part.b != nil {
					part.to = part.from + to
				}
				if to == 0 {
					p.parts = p.parts[:i]
				}
				return
			}
			p.add(part, first, last)
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

// fit is the end of those of the entries from … to that fit into so many bytes.
func (p *part) fit(from, to int, room int64) (end int) {
	if p.made != nil {
		return from
	}
	start := p.entry(from).Offset
	for end = from; end < to; end++ {
		if e := p.entry(end); e.Offset+e.Length-start > room {
			break
		}
	}
	return end
}

// add appends the bytes from one object to another, to the last piece when it
// ends beside them.
func (p *Page) add(of *part, first, last Entry) {
	k := of.k
	if of.made != nil {
		p.pieces = append(p.pieces, piece{k: k, made: of.made})
		return
	}
	if n := len(p.pieces); n > 0 {
		before := &p.pieces[n-1]
		if before.made == nil && before.k.artifact.Number == k.artifact.Number && adjacent(Entry{Object: before.last, Offset: before.to}, first) {
			before.gaps = append(before.gaps, before.to, first.Offset)
			before.to, before.last = last.Offset+last.Length, last.Object
			return
		}
	}
	p.pieces = append(p.pieces, piece{k: k, from: first.Offset, to: last.Offset + last.Length, last: last.Object})
}

// margin is room on either side of the objects, for what stands around them.
const margin = 512

// load makes the page's bytes available: where they lie, when the page is sure
// to be closed, else in memory of its own.
func (p *Page) load(s *Service, closed bool) error {
	if closed {
		if ok, err := p.refer(s); ok || err != nil {
			return err
		}
	}
	return p.read(s)
}

// size is how many bytes the objects take, joined by commas.
func (p *Page) size() int {
	size := len(p.pieces) - 1
	for i := range p.pieces {
		size += p.pieces[i].size()
	}
	return max(0, size)
}

// read reads the bytes, under the permit of the decision on each.
func (p *Page) read(s *Service) error {
	size := p.size()
	p.buf = buffer(2*margin + size)[:margin+size]
	at := margin
	err := p.each(s, func(blob Blob, c piece) error {
		if at > margin {
			p.buf[at] = ','
			at++
		}
		bytes := p.buf[at : at+c.size()]
		at += len(bytes)
		if c.made != nil {
			copy(bytes, c.made)
			return nil
		}
		if _, err := blob.ReadAt(bytes, c.from); err != nil {
			return fmt.Errorf("reading objects: %w", err)
		}
		return c.check(bytes)
	})
	p.release()
	return err
}

// mapping is a blob whose bytes are in memory; nil: they are not.
type mapping interface{ Bytes(n int64) []byte }

// mostPieces is how many pieces are written one by one. More are copied together.
const mostPieces = 4

// refer notes where the page's bytes are in memory, under the permit of the
// decision on each. false: they are not, or are in too many pieces.
func (p *Page) refer(s *Service) (ok bool, err error) {
	if len(p.pieces) > mostPieces {
		return false, nil
	}
	ok = true
	err = p.each(s, func(blob Blob, c piece) error {
		if c.made != nil {
			p.memory = append(p.memory, c.made)
			return nil
		}
		m, can := blob.(mapping)
		if !can {
			ok = false
			return nil
		}
		all := m.Bytes(c.to - c.from)
		if int64(len(all)) < c.to {
			ok = false
			return nil
		}
		p.memory = append(p.memory, all[c.from:c.to])
		return c.check(all[c.from:c.to])
	})
	if !ok || err != nil {
		p.memory = nil
		p.release()
	}
	return ok, err
}

// each calls fn for each piece with its blob, which stays open; a copy has none.
func (p *Page) each(s *Service, fn func(Blob, piece) error) error {
	next, number := 0, int64(0)
	var blob Blob
	for _, c := range p.pieces {
		permit, ok := c.k.decision.Permit(c.k.artifact.Number)
		if !ok {
			return fmt.Errorf("reading a page: no permit for artifact %d", c.k.artifact.Number)
		}
		if c.made != nil {
			if err := fn(nil, c); err != nil {
				return err
			}
			continue
		}
		if number != c.k.artifact.Number {
			var err error
			if blob, err = s.open(permit, c.k.artifact); err != nil {
				return err
			}
			number = c.k.artifact.Number
			p.open = append(p.open, blob)
		}
		for ; next < len(p.parts) && (p.parts[next].made != nil || p.parts[next].k.artifact.Number == number); next++ {
			if b := p.parts[next].b; b != nil {
				if err := b.check(blob); err != nil {
					return err
				}
			}
		}
		if err := fn(blob, c); err != nil {
			return err
		}
	}
	return nil
}

// release closes the blobs.
func (p *Page) release() {
	for _, b := range p.open {
		_ = b.Close() // only read from
	}
	p.open = nil
}

// check looks for the separators at the ends of blocks.
func (c piece) check(bytes []byte) error {
	for i := 0; i < len(c.gaps); i += 2 {
		if !separator(bytes[c.gaps[i]-c.from : c.gaps[i+1]-c.from]) {
			return fmt.Errorf("reading objects: no separator at byte %d of artifact %d", c.gaps[i], c.k.artifact.Number)
		}
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
func (p *Page) Size() int64 { return int64(p.size()) }

// WriteObjects writes the page's objects as they were submitted, joined by commas.
func (p *Page) WriteObjects(w io.Writer) error { return p.WriteBetween(w, "", "") }

// WriteBetween is WriteObjects with a text before and one after them, in as few
// writes as may be.
func (p *Page) WriteBetween(w io.Writer, head, tail string) error {
	if p.memory == nil {
		_, err := w.Write(p.Between(head, tail))
		return err
	}
	// A disk that fails under mapped bytes ends this page, not the process.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	for i, m := range p.memory {
		if i > 0 {
			if _, err := io.WriteString(w, ","); err != nil {
				return err
			}
		}
		if _, err := w.Write(m); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, tail)
	return err
}

// Between returns the page's objects with a text before and one after them. It
// is valid until Close.
func (p *Page) Between(head, tail string) []byte {
	if p.buf == nil {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		p.buf = buffer(2*margin + p.size())[:margin]
		for i, m := range p.memory {
			if i > 0 {
				p.buf = append(p.buf, ',')
			}
			p.buf = append(p.buf, m...)
		}
	}
	if len(head) > margin {
		return slices.Concat([]byte(head), p.buf[margin:], []byte(tail))
	}
	copy(p.buf[margin-len(head):], head)
	return append(p.buf, tail...)[margin-len(head):]
}

// Mark stands for the page between head and tail: where marks are equal the bytes
// are, but for a chance of 2^-128. It is made of which bytes they are, without
// reading them; a copy is its bytes. Marks of another process are others.
func (p *Page) Mark(head, tail string) (mark [2]uint64) {
	for i := range mark {
		var h maphash.Hash
		h.SetSeed(marks[i])
		maphash.WriteComparable(&h, [2]int{len(head), len(tail)})
		_, _ = h.WriteString(head)
		_, _ = h.WriteString(tail)
		for _, c := range p.pieces {
			if c.made != nil {
				maphash.WriteComparable(&h, [2]int{-1, len(c.made)})
				_, _ = h.Write(c.made)
				continue
			}
			maphash.WriteComparable(&h, [3]int64{c.k.artifact.Number, c.from, c.to})
		}
		mark[i] = h.Sum64()
	}
	return mark
}

var marks = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

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
	p.memory = nil
	p.release()
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
