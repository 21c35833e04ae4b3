package delivery

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// MaxLimit is the largest page.
const MaxLimit = 1000

// namespace is that of collection ids (RFC 9562 §5.5).
var namespace = uuid.MustParse("6d1f8a52-0f0c-5c55-9a3e-6a1f3f4b8c21")

// CollectionID is the id of a program's collection. It follows from the
// program's id, so it survives a restore; in form it is a UUID of version 4, as
// TAXII 2.1 §2 asks of identifiers.
func CollectionID(p exchange.ProgramID) string {
	u := uuid.NewSHA1(namespace, []byte(p))
	u[6] = u[6]&0x0f | 0x40
	return u.String()
}

// Collections lists what the actor can read or write, by program.
func (s *Service) Collections(ctx context.Context, a exchange.Actor) ([]Collection, error) {
	all, err := s.collections(ctx)
	if err != nil {
		return nil, err
	}
	var out []Collection
	for _, c := range all {
		c, err := s.rights(ctx, a, c)
		if exchange.KindOf(err) == exchange.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// Collection returns one collection by its UUID or by the program's id, which
// serves as its alias (TAXII 2.1 §5.2).
func (s *Service) Collection(ctx context.Context, a exchange.Actor, id string) (Collection, error) {
	all, err := s.collections(ctx)
	if err != nil {
		return Collection{}, err
	}
	for _, c := range all {
		if c.ID == id || string(c.Program) == id {
			return s.rights(ctx, a, c)
		}
	}
	return Collection{}, exchange.Missing()
}

// collections is every program's collection.
func (s *Service) collections(ctx context.Context) ([]Collection, error) {
	known, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	all := known.collections
	s.mu.Unlock()
	if all != nil {
		return all, nil
	}
	var cs []exchange.Charter
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		cs, err = tx.Charters()
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, c := range cs {
		all = append(all, Collection{
			ID: CollectionID(c.ID), Program: c.ID, Title: c.Title, Description: c.Outcome,
		})
	}
	s.mu.Lock()
	known.collections = all
	s.mu.Unlock()
	return all, nil
}

// reader is view for those who have a collection.
func (s *Service) reader(ctx context.Context, a exchange.Actor, program exchange.ProgramID) (*view, error) {
	v, err := s.view(ctx, a, program)
	if err != nil {
		return nil, err
	}
	if !v.reads() {
		return nil, exchange.Missing()
	}
	return v, nil
}

// Page returns the next objects of the reader's collection. What it holds is
// recorded as delivered before it is returned.
func (s *Service) Page(ctx context.Context, a exchange.Actor, program exchange.ProgramID, q Query) (*Page, error) {
	v, err := s.reader(ctx, a, program)
	if err != nil {
		return nil, err
	}
	q.Limit = min(max(q.Limit, 1), MaxLimit)
	p := &Page{}
	var arts []*class
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		if p.Entries, p.More, err = v.collect(tx, q, s.c.Now()); err != nil {
			return err
		}
		arts, err = v.artifactsOf(tx, p.Entries, s.c.Now())
		return err
	})
	if err != nil || len(p.Entries) == 0 {
		return p, err
	}
	p.cut()
	if err := s.fill(p, v); err != nil {
		return nil, err
	}
	d := exchange.Detail{
		"objects": len(p.Entries), "first": time.UnixMicro(p.Entries[0].Added), "last": time.UnixMicro(p.Entries[len(p.Entries)-1].Added),
	}
	return p, s.given(ctx, a, exchange.EventPageServed, exchange.ExposureServed, arts, d)
}

// maxPage bounds the bytes of a page: a thousand very large objects come in
// several. One object is always given.
const maxPage = 32 << 20

// cut shortens the page to maxPage.
func (p *Page) cut() {
	size := int64(0)
	for i, e := range p.Entries {
		if size += e.Length + 1; size > maxPage && i > 0 {
			p.Entries, p.More = p.Entries[:i], true
			return
		}
	}
}

// artifactsOf returns one class for each artifact that the entries come from.
func (v *view) artifactsOf(tx Tx, es []Entry, now time.Time) ([]*class, error) {
	var out []*class
	seen := map[int64]bool{}
	for _, e := range es {
		k, err := v.classOf(tx, e.Class, now)
		if err != nil {
			return nil, err
		}
		if !seen[k.artifact.Number] {
			seen[k.artifact.Number] = true
			out = append(out, k)
		}
	}
	return out, nil
}

// fill reads the entries' bytes. Objects that lie side by side in one blob are
// read as one range, separators and all: the range is what was submitted.
func (s *Service) fill(p *Page, v *view) error {
	size := int64(len(p.Entries))
	for _, e := range p.Entries {
		size += e.Length
	}
	if b, _ := bodies.Get().(*[]byte); b != nil {
		p.body = (*b)[:0]
	}
	p.body = slices.Grow(p.body, int(size+size/8))
	var blob Blob
	var open int64
	defer func() {
		if blob != nil {
			blob.Close()
		}
	}()
	for i := 0; i < len(p.Entries); {
		v.mu.Lock()
		k := v.classes[p.Entries[i].Class]
		v.mu.Unlock()
		permit, ok := k.decision.Permit(k.artifact.Number)
		if !ok {
			return fmt.Errorf("reading a page: no permit for artifact %d", k.artifact.Number)
		}
		if blob == nil || open != k.artifact.Number {
			if blob != nil {
				blob.Close()
			}
			var err error
			if blob, err = s.open(permit, k.artifact); err != nil {
				return err
			}
			open = k.artifact.Number
		}
		j := i + 1
		for j < len(p.Entries) && adjacent(p.Entries[j-1], p.Entries[j]) {
			j++
		}
		if err := p.read(blob, p.Entries[i:j]); err != nil {
			return err
		}
		i = j
	}
	return nil
}

// adjacent reports whether b may follow a in one read: the next object of the
// same artifact, with room between them for a separator and white space only.
func adjacent(a, b Entry) bool {
	gap := b.Offset - (a.Offset + a.Length)
	return b.Object == a.Object+1 && gap > 0 && gap <= 64
}

func (p *Page) read(blob io.ReaderAt, es []Entry) error {
	if len(p.body) > 0 {
		p.body = append(p.body, ',')
	}
	first, last := es[0], es[len(es)-1]
	start, n := len(p.body), int(last.Offset+last.Length-first.Offset)
	p.body = append(p.body, make([]byte, n)...)
	if _, err := blob.ReadAt(p.body[start:], first.Offset); err != nil {
		return fmt.Errorf("reading objects: %w", err)
	}
	for i := 1; i < len(es); i++ {
		from := es[i-1].Offset + es[i-1].Length - first.Offset
		if !separator(p.body[start+int(from) : start+int(es[i].Offset-first.Offset)]) {
			return fmt.Errorf("reading objects: no separator before object %d", es[i].Object)
		}
	}
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
func (p *Page) Size() int64 { return int64(len(p.body)) }

// WriteObjects writes the page's objects as they were submitted, joined by commas.
func (p *Page) WriteObjects(w io.Writer) error {
	_, err := w.Write(p.body)
	return err
}

// bodies are buffers of pages that were written.
var bodies sync.Pool

const keptBody = 4 << 20

// Close gives the page's memory back. The page must not be used after it.
func (p *Page) Close() {
	if b := p.body; b != nil && cap(b) <= keptBody {
		p.body = nil
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

// Manifest lists ids and versions in the reader's collection, without content.
func (s *Service) Manifest(ctx context.Context, a exchange.Actor, program exchange.ProgramID, q Query) (es []Entry, more bool, err error) {
	v, err := s.reader(ctx, a, program)
	if err != nil {
		return nil, false, err
	}
	q.Limit = min(max(q.Limit, 1), MaxLimit)
	var arts []*class
	err = s.c.Store.View(ctx, func(tx Tx) error {
		if es, more, err = v.collect(tx, q, s.c.Now()); err != nil {
			return err
		}
		if arts, err = v.artifactsOf(tx, es, s.c.Now()); err != nil {
			return err
		}
		return name(tx, es)
	})
	if err != nil || len(es) == 0 {
		return nil, false, err
	}
	d := exchange.Detail{"objects": len(es), "manifest": true}
	return es, more, s.given(ctx, a, exchange.EventPageServed, "", arts, d)
}

func name(tx Tx, es []Entry) error {
	seqs := make([]int64, len(es))
	for i, e := range es {
		seqs[i] = e.Object
	}
	names, err := tx.ObjectIDs(seqs)
	for i := range es {
		es[i].ID = names[es[i].Object]
	}
	return err
}

// Capped is what Count answers when there are more.
const Capped = 10_001

// Count is how many objects the reader's collection shows, latest versions, at
// most Capped.
func (s *Service) Count(ctx context.Context, a exchange.Actor, program exchange.ProgramID) (int64, error) {
	v, err := s.reader(ctx, a, program)
	if err != nil {
		return 0, err
	}
	var n int64
	err = s.c.Store.View(ctx, func(tx Tx) error {
		for q := (Query{Limit: MaxLimit}); n < Capped; {
			es, more, err := v.collect(tx, q, s.c.Now())
			if err != nil {
				return err
			}
			if n += int64(len(es)); !more {
				break
			}
			q.After = es[len(es)-1].Added
		}
		return nil
	})
	return min(n, Capped), err
}

type seenKey struct {
	client   string
	artifact int64
	kind     exchange.ExposureKind
}

const maxSeen = 200_000

// given records a disclosure before it is made: the event, and for each
// artifact the first time that this client came so near to it. An empty kind
// records the event alone. Who takes what is public is nobody's business.
func (s *Service) given(ctx context.Context, a exchange.Actor, k exchange.EventKind, e exchange.ExposureKind, arts []*class, d exchange.Detail) error {
	if a.Channel == exchange.ChannelPublic {
		return nil
	}
	ev := exchange.Event{Kind: k, Actor: a, Detail: d}
	var es []exchange.Exposure
	var fresh []seenKey
	for i, c := range arts {
		ev.Subject = append(ev.Subject, string(c.artifact.ID))
		if i == 0 {
			ev.Program, ev.Release = c.artifact.Program, c.artifact.Release
		} else if c.artifact.Release != ev.Release {
			ev.Release = "" // of several releases: the subjects say which
		}
		key := seenKey{a.Client(), c.artifact.Number, e}
		s.mu.Lock()
		_, known := s.seen[key]
		s.mu.Unlock()
		if known || e == "" || a.Org == c.artifact.Originator {
			continue
		}
		es = append(es, exchange.Exposure{
			Number: c.artifact.Number, Release: c.artifact.Release, Org: a.Org, Channel: a.Channel, Client: a.Client(), Kind: e,
		})
		fresh = append(fresh, key)
	}
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		seq, err := tx.Record(ev)
		if err != nil {
			return err
		}
		for i := range es {
			es[i].At, es[i].Event = tx.Now(), seq
		}
		return tx.Expose(es)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	makeRoom(s.seen, maxSeen)
	for _, key := range fresh {
		s.seen[key] = struct{}{}
	}
	return nil
}
