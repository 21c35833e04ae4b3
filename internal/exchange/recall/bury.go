package recall

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// grave is tombstones that are stored and not given yet: for each object that
// can be revoked the same identifier in a later version, revoked and empty.
type grave struct {
	number   int64
	artifact exchange.Artifact
	of       []int64 // numbers of the objects of an act on one object
	given    int64   // copies there were of the objects
	losers   []exchange.OrgID
	end      func()
}

func (g *grave) close() { g.end() }

// fits reports whether the tombstones are those that the act needs.
func (g *grave) fits(tx Tx, d deed) (bool, error) {
	given, err := d.given(tx)
	return slices.Equal(g.of, seqs(d.objects)) && given == g.given && (given == 0 || slices.Equal(g.losers, d.losers())), err
}

// given counts the copies that were made of what is taken back.
func (d deed) given(tx Tx) (n int64, err error) {
	for _, a := range d.arts {
		some, err := tx.CountGiven(a.Number)
		if err != nil {
			return 0, err
		}
		n += some
	}
	return n, nil
}

// losers are who is given tombstones.
func (d deed) losers() (out []exchange.OrgID) {
	for _, h := range d.Holders {
		if buried(h) {
			out = append(out, h.Org)
		}
	}
	slices.Sort(out)
	return out
}

func seqs(objs []Object) (out []int64) {
	for _, o := range objs {
		out = append(out, o.Seq)
	}
	slices.Sort(out)
	return out
}

// between is what stands between two objects of a blob: see contribution.
const between = ",\n"

const (
	blobLimit = 16 << 30 // of the tombstones of one act; an artifact has at most 2^24 objects
	openBlobs = 16
)

// tombstones names the identity that revokes in the place of originators; it
// follows from the program, so that every node and every run names the same one.
var tombstones = uuid.MustParse("0c5f3f0e-5a55-5b0d-9f5a-7d0f5d1f6a31")

func revoker(p exchange.ProgramID) string {
	return "identity--" + uuid.NewSHA1(tombstones, []byte(p)).String()
}

// bury stores the tombstones of an act, in memory that does not grow with them.
func (s *Service) bury(ctx context.Context, d deed) (g *grave, err error) {
	g = &grave{of: seqs(d.objects), losers: d.losers()}
	a := &g.artifact
	*a = exchange.Artifact{
		ID: exchange.ArtifactID(exchange.RandomID("art")), Program: d.Program, Class: d.artifact.Class, Kind: exchange.ArtifactTombstone,
		Title: "Recalled", MediaType: "application/stix+json;version=2.1", Handling: d.artifact.Handling,
		Originator: d.artifact.Originator, Originators: d.artifact.Originators, SubmittedBy: d.artifact.SubmittedBy, Objects: 0,
	}
	a.Filename, a.SHA256 = string(a.ID), "staged-"+string(a.ID)
	a.Handling.Expires = time.Time{}
	for _, of := range d.arts { // what the objects ask is in their classes
		a.Handling.TLP = max(a.Handling.TLP, of.Handling.TLP)
	}
	a.Handling.TLP = d.label(a.Handling)
	g.number, g.end, err = s.c.Keep(func() (number int64, err error) {
		err = s.c.Store.Update(ctx, func(tx Tx) error {
			standing, err := s.c.Standing(tx, d.charter)
			if err != nil {
				return err
			}
			a.Release, a.SubmittedAt = standing.ID, tx.Now()
			if g.given, err = d.given(tx); err != nil {
				return err
			}
			number, err = tx.StageArtifact(*a)
			return err
		})
		return number, err
	})
	if err != nil {
		return nil, err
	}
	a.Number = g.number
	if err := s.fill(ctx, d, a); err != nil {
		failed := s.drop(context.WithoutCancel(ctx), g.number)
		g.close()
		return nil, errors.Join(err, failed)
	}
	return g, nil
}

// fill writes the blob and stores its objects as they are written. Nothing of it
// exists for anyone before ReadyTombstones.
func (s *Service) fill(ctx context.Context, d deed, a *exchange.Artifact) error {
	r, w := io.Pipe()
	type written struct {
		sha  string
		size int64
		err  error
	}
	done := make(chan written, 1)
	go func() {
		sha, size, err := s.c.Blobs.Write(ctx, r, blobLimit)
		_ = r.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // the digger does not wait for a reader that has gone
		done <- written{sha, size, err}
	}()
	g := &digger{s: s, ctx: ctx, d: d, a: a, losers: d.losers(), w: bufio.NewWriterSize(w, 1<<16), classes: map[under]int64{}, open: map[string]Blob{}}
	err := g.all()
	g.close()
	if err == nil {
		err = g.w.Flush()
	}
	_ = w.CloseWithError(err) // of a pipe: never fails
	out := <-done
	if out.err != nil && (err == nil || errors.Is(err, io.ErrClosedPipe)) {
		err = out.err
	}
	a.SHA256, a.Size = out.sha, out.size
	return err
}

// digger makes tombstones.
type digger struct {
	s       *Service
	ctx     context.Context
	d       deed
	a       *exchange.Artifact
	w       *bufio.Writer
	offset  int64
	chunk   []stone
	losers  []exchange.OrgID
	classes map[under]int64 // the classes of the tombstones
	open    map[string]Blob
	raw     []byte
}

func (g *digger) close() {
	for _, b := range g.open {
		_ = b.Close() // read only
	}
}

func (g *digger) all() error {
	if g.d.object != "" {
		newest := slices.MaxFunc(g.d.objects, func(a, b Object) int { return int(min(max(a.Version-b.Version, -1), 1)) })
		given, err := g.given(g.d.objects)
		if err == nil {
			err = errors.Join(g.part([]Object{newest}, given), g.copies(g.d.objects, newest, given), g.flush())
		}
		return err
	}
	for from := int64(0); ; {
		var part []Object
		err := g.s.c.Store.View(g.ctx, func(tx Tx) (err error) {
			if part, err = tx.ObjectsFrom(g.d.Number, from, g.s.c.Part); err != nil {
				return err
			}
			n := 0
			for _, o := range part {
				live, err := g.lives(tx, o)
				if err != nil {
					return err
				}
				from = o.Seq&positions + 1
				if !live {
					part[n] = o
					n++
				}
			}
			part = part[:n]
			return nil
		})
		if err != nil {
			return err
		}
		before := from
		given, err := g.given(part)
		if err != nil {
			return err
		}
		if err := g.part(part, given); err != nil {
			return err
		}
		if err := g.flush(); err != nil {
			return err
		}
		more, err := g.more(before)
		if err != nil || !more {
			return err
		}
	}
}

const positions = 1<<24 - 1

// more reports whether the artifact has objects from a position on.
func (g *digger) more(from int64) (more bool, err error) {
	err = g.s.c.Store.View(g.ctx, func(tx Tx) error {
		rest, err := tx.ObjectsFrom(g.d.Number, from, 1)
		more = len(rest) > 0
		return err
	})
	return more, err
}

// lives reports whether another artifact, which is not taken back, holds the
// object in the same version or a later one. Such an object is not revoked: it
// is still shared, or corrected.
func (g *digger) lives(tx Tx, o Object) (bool, error) {
	if !o.Contested {
		return false, nil
	}
	all, err := tx.Bearers(g.d.Program, o.ID)
	if err != nil {
		return false, err
	}
	for _, b := range all {
		if b.Artifact() == g.d.Number || b.Version < o.Version {
			continue
		}
		a, err := tx.ArtifactByNumber(b.Artifact())
		if err != nil {
			return false, err
		}
		if a.RecalledAt.IsZero() && a.RemovedAt.IsZero() && (a.Handling.Expires.IsZero() || tx.Now().Before(a.Handling.Expires)) {
			return true, nil
		}
	}
	return false, nil
}

// revoked is the tombstone of one object under an identifier; nil: its type cannot
// be revoked.
func (g *digger) revoked(o Object, id string) ([]byte, int64, error) {
	if o.Version == 0 {
		return nil, 0, nil
	}
	raw, err := g.read(o)
	if err != nil {
		return nil, 0, err
	}
	var had struct {
		Created time.Time `json:"created"`
	}
	if err := json.Unmarshal(raw, &had); err != nil || had.Created.IsZero() {
		had.Created = time.UnixMicro(o.Version).UTC()
	}
	// Later than every version, also of one that says that it is of tomorrow.
	at := exchange.Later(g.d.At, time.UnixMicro(o.Version+1000)).UTC()
	if whole := at.Truncate(time.Millisecond); whole.Before(at) {
		at = whole.Add(time.Millisecond)
	}
	b, err := stix.Tombstone(id, o.Type, had.Created, at, revoker(g.d.Program))
	if errors.Is(err, stix.ErrNoTombstone) {
		return nil, 0, nil
	}
	return b, at.UnixMicro(), err
}

// read reads the bytes of a recalled object, which live until the next call.
func (g *digger) read(o Object) ([]byte, error) {
	i := slices.IndexFunc(g.d.arts, func(a exchange.Artifact) bool { return a.Number == o.Artifact() })
	if i < 0 {
		return nil, fmt.Errorf("reading a recalled object: artifact %d is not one of its own", o.Artifact())
	}
	name := g.d.arts[i].SHA256
	b := g.open[name]
	if b == nil {
		if len(g.open) >= openBlobs {
			g.close()
			clear(g.open)
		}
		var err error
		if b, err = g.s.c.Blobs.Open(name); err != nil {
			return nil, fmt.Errorf("reading a recalled object: %w", err)
		}
		g.open[name] = b
	}
	g.raw = slices.Grow(g.raw[:0], int(o.Length))[:o.Length]
	if n, err := b.ReadAt(g.raw, o.Offset); int64(n) < o.Length {
		return nil, fmt.Errorf("reading a recalled object: %w", err)
	}
	return g.raw, nil
}
