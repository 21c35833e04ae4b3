package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/store/blob"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// act is something that somebody does at one moment of the story, in the
// exchange that it is given.
type act struct {
	at   time.Time
	what string // for errors
	do   func(ctx context.Context, x *core.Exchange) error
}

// agenda is the story as acts. Those of one moment are done in their order.
type agenda []act

func (a *agenda) add(at time.Time, what string, do func(ctx context.Context, x *core.Exchange) error) {
	*a = append(*a, act{at.Truncate(time.Second), what, do})
}

// run does, in the order of time, what lies before until, and answers what
// lies later.
func (a agenda) run(ctx context.Context, s *server.Server, clock *Clock, until time.Time) (agenda, error) {
	slices.SortStableFunc(a, func(x, y act) int { return x.at.Compare(y.at) })
	for len(a) > 0 && a[0].at.Before(until) {
		n := 1
		for n < len(a) && a[n].at.Equal(a[0].at) {
			n++
		}
		clock.set(a[0].at)
		if err := inOne(ctx, s, a[:n]); err != nil {
			return nil, err
		}
		a = a[n:]
	}
	return a, nil
}

// inOne does the acts in one transaction, so that the disk is waited for once:
// in an exchange whose every room reads and writes in that transaction.
func inOne(ctx context.Context, s *server.Server, acts []act) error {
	return s.DB.Update(ctx, func(tx *sqlstore.Tx) error {
		x := within(s, tx)
		for _, c := range acts {
			if err := c.do(ctx, x); err != nil {
				return fmt.Errorf("%s: %w", c.what, err)
			}
		}
		return nil
	})
}

// open is a transaction as the store of a room.
type open[T any] struct{ tx *sqlstore.Tx }

// View runs fn in the open transaction.
func (o open[T]) View(_ context.Context, fn func(T) error) error { return fn(any(o.tx).(T)) }

// Update runs fn in the open transaction.
func (o open[T]) Update(_ context.Context, fn func(T) error) error { return fn(any(o.tx).(T)) }

// within is the exchange inside an open transaction.
func within(s *server.Server, tx *sqlstore.Tx) *core.Exchange {
	var asked int64
	return core.New(core.Config{
		Stores: core.Stores{
			Programs: open[program.Tx]{tx}, Members: open[membership.Tx]{tx}, Submissions: open[submission.Tx]{tx},
			Releases: open[release.Tx]{tx}, Delivery: open[delivery.Tx]{tx}, Feedback: open[feedback.Tx]{tx}, Record: open[record.Tx]{tx},
		},
		Blobs: kept{dir: s.Blobs},
		// Nothing is remembered from one act to the next.
		Generation: func(context.Context) (int64, error) { asked++; return asked, nil },
		Now:        tx.Now, Name: s.Exchange.Name, URL: s.Exchange.URL,
	})
}

// kept is the server's blobs when all of them have been written already.
type kept struct {
	core.Blobs
	dir *blob.Dir
}

// Open opens a blob by its hash.
func (k kept) Open(sha string) (core.Blob, error) { return k.dir.Open(blob.Ref{SHA256: sha, Size: -1}) }

// Write answers the blob that holds these bytes already.
func (k kept) Write(_ context.Context, r io.Reader, limit int64) (string, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, limit))
	if err != nil {
		return "", 0, err
	}
	sha := hex.EncodeToString(h.Sum(nil))
	b, err := k.dir.Open(blob.Ref{SHA256: sha, Size: n})
	if err != nil {
		return "", 0, err
	}
	return sha, n, b.Close()
}

// keep writes blobs, side by side, so that they wait for the disk together.
func keep(ctx context.Context, dir *blob.Dir, bodies [][]byte) error {
	errs := make([]error, len(bodies))
	var wg sync.WaitGroup
	for i, body := range bodies {
		wg.Go(func() {
			w, err := dir.Create(ctx)
			if err != nil {
				errs[i] = err
				return
			}
			if _, err = w.Write(body); err != nil {
				w.Abort()
				errs[i] = err
				return
			}
			_, errs[i] = w.Commit()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
