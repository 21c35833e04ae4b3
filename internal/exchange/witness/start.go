package witness

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

// Start compares the ledger that was opened with the newest checkpoint that witnesses
// signed, as the store has it: a log that was put back to an older copy, or made anew
// with other entries, is found before a witness is asked, and says so in the server's
// log each time. What was found is kept like what a witness says.
func (s *Service) Start(ctx context.Context) error {
	f, err := s.read(ctx)
	if err != nil || len(f.charters) == 0 {
		return err
	}
	var newest []Cosigned
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		newest, err = tx.NewestCosigned(f.ledger.Number, 1)
		return err
	})
	if err != nil || len(newest) == 0 {
		return err
	}
	d, err := Compare(f.ledger.Log, newest[0])
	if err != nil {
		return fmt.Errorf("comparing the ledger with what witnesses cosigned: %w", err)
	}
	if d.Kind == "" {
		return s.watch(ctx, f)
	}
	var found []finding
	for _, w := range f.witnesses() {
		for _, sig := range newest[0].Signatures {
			if sig.Key == w.Key {
				d.Key, d.Name = w.Key, w.Name
				s.c.Log.Error("the ledger that was opened is not the one that was witnessed", "what", d.Words())
				found = append(found, finding{witness: w, differs: d.Kind, size: d.Size, root: d.Root, theirs: d.Theirs})
			}
		}
	}
	if len(found) == 0 { // no charter names them any more; it stays a proof
		s.c.Log.Error("the ledger that was opened is not the one that was witnessed", "what", d.Words())
		found = []finding{{differs: d.Kind, size: d.Size, root: d.Root, theirs: d.Theirs}}
	}
	if err := s.keep(ctx, f, found); err != nil {
		return err
	}
	return s.watch(ctx, f)
}

// Roots is what is compared of a log.
type Roots interface {
	Size() int64
	Root(size int64) (tlog.Hash, error)
}

// Compare says how a log differs from a checkpoint that witnesses signed; with Kind
// empty: it goes on from there. Nothing is said of programs, and nothing is verified.
func Compare(l Roots, c Cosigned) (d Disagreement, err error) {
	text, _, _ := bytes.Cut(c.Checkpoint, []byte("\n\n"))
	seen, err := verify.ParseCheckpoint(string(text) + "\n")
	if err != nil {
		return d, err
	}
	d.Size, d.Root, d.Theirs = seen.Size, seen.Root.String(), bytes.Clone(c.Checkpoint)
	for _, sig := range c.Signatures {
		d.Theirs = append(d.Theirs, sig.Line...)
	}
	if seen.Size > l.Size() {
		d.Kind = Ahead
		return d, nil
	}
	if seen.Size == 0 {
		return d, nil
	}
	root, err := l.Root(seen.Size)
	if err == nil && root != seen.Root {
		d.Kind = Fork
	}
	return d, err
}

// Started waits until the ledger was compared and the witnesses were asked once since
// Run began, or ctx ends: what is done by the clock waits for that.
func (s *Service) Started(ctx context.Context) {
	select {
	case <-s.started:
	case <-ctx.Done():
	}
}

// claimed is a finding when a witness knows of more entries than there are. Another
// process may just have written them: what it signed was committed before, so they are
// here once this one has what the store has.
func (s *Service) claimed(ctx context.Context, f facts, out finding, size int64) finding {
	if err := s.c.Settle(ctx); err != nil {
		s.c.Log.Error("waiting for the ledger", "err", err)
		out.failure = "setup"
		return out
	}
	now, err := s.c.Current()
	switch {
	case err != nil:
		s.c.Log.Error("opening the ledger", "err", err)
		out.failure = "setup"
	case now.Number == f.ledger.Number && now.Log.Size() < size:
		out.differs, out.size = Ahead, size
	}
	return out
}
