package submission

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Remove takes an artifact out of its release, as long as nobody was given it.
// What somebody holds cannot be unsaid by deleting it: it is superseded, or the
// release is withdrawn, and both are told to those who hold it.
func (s *Service) Remove(ctx context.Context, actor exchange.Actor, id exchange.ArtifactID) (exchange.Release, error) {
	var release exchange.Release
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		a, err := tx.Artifact(id)
		if err != nil {
			return err
		}
		r, err := tx.Release(a.Release)
		if err != nil {
			return err
		}
		c, err := tx.Charter(a.Program)
		if err != nil {
			return err
		}
		if err := mayChange(actor, c, exchange.VerbSubmit); err != nil {
			return err
		}
		if !a.RemovedAt.IsZero() {
			release = r // it was taken out before: the same act again
			return nil
		}
		if r.State == exchange.ReleaseClosed || r.State == exchange.ReleaseWithdrawn {
			return exchange.Fail(exchange.Conflict, "the release is %s; nothing of it changes any more", r.State)
		}
		opened, err := tx.Opened(a.Number)
		if err != nil {
			return err
		}
		if opened {
			return exchange.Fail(exchange.Conflict, "members hold this artifact; hand in one that supersedes it, or withdraw the release")
		}
		if err := tx.RemoveArtifact(a.Number); err != nil {
			return err
		}
		if release, err = tx.ReviseRelease(a.Release, actor.Person); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventArtifactRemoved, Actor: actor, Program: a.Program, Release: a.Release,
			Subject: []string{string(a.ID)}, Detail: exchange.Detail{"revision": release.Revision},
		})
		if err != nil {
			return err
		}
		return tx.BumpGeneration()
	})
	return release, err
}

// How long what is not finished may lie before it is taken for left behind.
const (
	sharedAge = 24 * time.Hour // where another process may be storing it
	blobAge   = time.Hour      // a blob is written before the row that names it
)

// Sweep drops what a crash left half stored, and blobs that nothing refers to.
// It may run while submissions come in.
func (s *Service) Sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	var numbers []int64
	var now time.Time
	s.opening.Lock()
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		now = tx.Now()
		before := now.Add(time.Microsecond)
		if s.c.Shared {
			before = now.Add(-sharedAge)
		}
		numbers, err = tx.Staged(before)
		return err
	})
	numbers = slices.DeleteFunc(numbers, s.busy)
	s.opening.Unlock()
	if err != nil {
		return swept, err
	}
	for _, n := range numbers {
		if err := s.drop(ctx, n); err != nil {
			return swept, err
		}
		swept.Artifacts++
	}
	var used map[string]bool
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		used, err = tx.BlobsInUse()
		return err
	})
	if err != nil {
		return swept, err
	}
	err = s.c.Blobs.Sweep(ctx, func(sha string) bool { return used[sha] }, now.Add(-blobAge))
	if err != nil {
		return swept, fmt.Errorf("sweeping blobs: %w", err)
	}
	return swept, nil
}
