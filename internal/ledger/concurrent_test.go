package ledger

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

// Many append, each waiting for its own entry, while others read, prove and check,
// and one changes the key.
func TestConcurrent(t *testing.T) {
	o := options(t)
	o.SegmentSize = 64 << 10
	l := open(t, t.TempDir(), o)
	const writers, each = 32, 60
	var mu sync.Mutex
	var next int64
	var writing, reading sync.WaitGroup
	var done atomic.Bool
	for range writers {
		writing.Go(func() {
			for range each {
				mu.Lock()
				i := next
				next++
				err := l.Put(i, [][]byte{entry(i)})
				mu.Unlock()
				if err == nil {
					err = l.Wait(t.Context(), i+1)
				}
				if err != nil || l.Size() <= i {
					t.Errorf("entry %d: size %d, %v", i, l.Size(), err)
					return
				}
			}
		})
	}
	for seed := range uint64(4) {
		reading.Go(func() {
			r := rand.New(rand.NewPCG(seed, 9))
			for !done.Load() {
				if err := readSome(l, r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	reading.Go(func() {
		for !done.Load() {
			err := l.Check(context.Background(), func(path string, i int64, err error) { t.Errorf("%s %d %v", path, i, err) })
			if err != nil {
				t.Error(err)
			}
		}
	})
	reading.Go(func() {
		other, _ := key(t, 3)
		for range 5 {
			if err := errors.Join(l.Resign([]note.Signer{other, o.Signers[0]}), l.Resign(o.Signers)); err != nil {
				t.Error(err)
			}
		}
	})
	writing.Wait()
	done.Store(true)
	reading.Wait()
	if l.Size() != writers*each {
		t.Fatalf("%d entries, want %d", l.Size(), writers*each)
	}
	ref := &reference{}
	ref.grow(t, l.Size())
	same(t, l, ref, rand.New(rand.NewPCG(1, 1)))
}

// readSome reads at a size that the log has at this moment.
func readSome(l *Log, r *rand.Rand) error {
	c, err := readCheckpoint(l.Checkpoint())
	if err != nil || c.Size == 0 {
		return err
	}
	i := r.Int64N(c.Size)
	p, err := l.Inclusion(i, c.Size)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(p, c.Size, c.Root, i, tlog.RecordHash(entry(i))); err != nil {
		return err
	}
	e, err := l.Entry(i)
	if err == nil && !bytes.Equal(e, entry(i)) {
		err = damage(i, "entry %d is another one", i)
	}
	if err != nil {
		return err
	}
	b, err := l.CheckpointFor(i)
	if err != nil {
		return err
	}
	old, err := readCheckpoint(b)
	if err != nil || old.Size < i {
		return errors.Join(err, errors.New("a checkpoint that is too small"))
	}
	if old.Size > c.Size || old.Size == 0 {
		return nil
	}
	consistency, err := l.Consistency(old.Size, c.Size)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(consistency, c.Size, c.Root, old.Size, old.Root); err != nil {
		return err
	}
	_, _, err = l.File(tilePath(0, i/tileWidth, int(min(c.Size-i/tileWidth*tileWidth, tileWidth)%tileWidth)))
	return err
}

// Who waits is told when the log is closed, and a context ends a wait.
func TestWaitEnds(t *testing.T) {
	l := open(t, t.TempDir(), options(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	waited := make(chan error)
	go func() { waited <- l.Wait(context.Background(), 10) }()
	grow(t, l, 5)
	l.Close()
	if err := <-waited; !errors.Is(err, ErrClosed) {
		t.Errorf("after closing: %v", err)
	}
	if err := l.Put(5, entries(5, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("putting after closing: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := verify.OpenCheckpoint(l.Checkpoint(), []string{publicKey(t)}, nil); err != nil || l.Size() != 5 {
		t.Errorf("what was known: %v", err)
	}
}

// Put waits where a lot is queued, and what is queued is written in large groups.
func TestBackPressure(t *testing.T) {
	l := open(t, t.TempDir(), options(t))
	const n, size = 1000, 60_000 // 60 MB
	e := make([]byte, size)
	for i := range int64(n) {
		if err := l.Put(i, [][]byte{e}); err != nil {
			t.Fatal(err)
		}
		l.mu.Lock()
		waits := l.bytes
		l.mu.Unlock()
		if waits > maxQueued+size+2 {
			t.Fatalf("%d bytes wait", waits)
		}
	}
	if err := l.Wait(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if found := checked(t, l); len(found) > 0 {
		t.Fatal(found)
	}
}
