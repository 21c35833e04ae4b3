package recall_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/blob"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

type folder struct {
	*blob.Dir
	full bool
}

func (f folder) Open(name string) (recall.Blob, error) { return f.Dir.Open(name) }

var errFull = errors.New("no room")

// Write fails at the end when the disk is full.
func (f folder) Write(ctx context.Context, r io.Reader, limit int64) (string, int64, error) {
	if f.full {
		if _, err := io.CopyN(io.Discard, r, 1000); err != nil {
			return "", 0, err
		}
		return "", 0, errFull
	}
	return f.Dir.Write(ctx, r, limit)
}

// room is the room of the exchange with parts of another size.
func (w *world) room(t *testing.T, part int, change ...func(*recall.Config)) *recall.Service {
	t.Helper()
	c := recall.Config{
		Store: sqlstore.For[recall.Tx](w.DB), Blobs: folder{Dir: w.Blobs}, Sees: w.X.Delivery.Sees, SeesObject: w.X.Delivery.SeesObject,
		Entitled: func(tx recall.Tx, c exchange.Charter, a exchange.Artifact, marks []exchange.HandlingClass) (map[exchange.OrgID]bool, error) {
			return release.Entitled(tx.(release.Tx), c, a, marks)
		},
		Standing: func(tx recall.Tx, c exchange.Charter) (exchange.Release, error) {
			return contribution.Standing(tx.(contribution.Tx), c)
		},
		Keep: w.X.Submissions.Keep, Part: part,
	}
	for _, f := range change {
		f(&c)
	}
	return recall.New(c)
}

// An act that fails changes nothing, and leaves nothing behind.
func TestAnActThatFails(t *testing.T) {
	w := newWorld(t, 200)
	act := recall.Act{Kind: recall.Recalled, Artifact: w.guidance.ID, Reason: "r"}
	full := w.room(t, 50, func(c *recall.Config) { c.Blobs = folder{w.Blobs, true} })
	if _, err := full.Issue(t.Context(), w.Operator, act); !errors.Is(err, errFull) {
		t.Errorf("on a full disk: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := w.room(t, 50, func(c *recall.Config) {
		keep := c.Keep
		c.Keep = func(stage func() (int64, error)) (int64, func(), error) {
			defer stop() // the caller goes while its tombstones are being made
			return keep(stage)
		}
	})
	if _, err := stopped.Issue(ctx, w.Operator, act); err == nil {
		t.Error("a caller that has gone was answered")
	}
	if _, err := w.X.Delivery.Artifact(t.Context(), w.Reader(servertest.EarlyA), w.guidance.ID); err != nil {
		t.Errorf("after an act that failed: %v", err)
	}
	if es, err := w.Events(exchange.EventRecalled); err != nil || len(es) != 0 {
		t.Errorf("%d recalls are on record, %v", len(es), err)
	}
	swept, err := w.X.Submissions.Sweep(t.Context())
	if err != nil || swept.Artifacts != 0 {
		t.Errorf("the sweep found %d artifacts left behind, %v", swept.Artifacts, err)
	}
	if _, err := w.X.Recalls.Issue(t.Context(), w.Operator, act); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
