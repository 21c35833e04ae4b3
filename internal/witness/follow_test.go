package witness_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/witness"
	"github.com/forewarn-exchange/forewarn/verify"
)

// A witness that follows checks the log's own tiles, cosigns what goes on, and
// finds every history that does not.
func TestFollow(t *testing.T) {
	log := newLog(t, "log.example/a")
	w, dir := newWitness(t, log)
	for _, n := range []int{1, 0, 6, 250, 300, 70_000} {
		log.add(n, "a")
		s, err := w.Follow(t.Context(), log.origin, log.fetch)
		if err != nil || s.Size != log.size {
			t.Fatalf("at %d: %d, %v", log.size, s.Size, err)
		}
		if _, err := verify.OpenCheckpoint(s.Signed, []string{log.key}, []string{w.Key()}); err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		log  *testLog
		want string
	}{
		"grown, and changed before": {log.fork(log.size-10).add(500, "b"), "does not show"},
		"changed at this size":      {log.fork(log.size-10).add(10, "b"), "differs"},
		"shorter":                   {log.fork(log.size - 10), "shorter"},
	} {
		before, _ := w.Newest(log.origin)
		_, err := w.Follow(t.Context(), log.origin, c.log.fetch)
		var split *witness.Split
		if !errors.As(err, &split) || !strings.Contains(split.How, c.want) || split.Seen != log.size || split.Shown != c.log.size || split.Shorter != (c.want == "shorter") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if after, _ := w.Newest(log.origin); after.Size != before.Size || after.Root != before.Root {
			t.Errorf("%s: the witness moved to %d", name, after.Size)
		}
	}
	proven := 0
	for _, e := range statusOf(t, dir).Evidence {
		if e.Proven {
			proven++
		}
	}
	if proven != 2 {
		t.Errorf("%d pairs are proven; want 2", proven)
	}
	// What went wrong on the way says nothing of the log.
	log.add(400, "a")
	broken := errors.New("the line is cut")
	_, err := w.Follow(t.Context(), log.origin, func(ctx context.Context, path string) ([]byte, error) {
		if path != "checkpoint" {
			return nil, broken
		}
		return log.fetch(ctx, path)
	})
	var split *witness.Split
	if !errors.Is(err, broken) || errors.As(err, &split) {
		t.Errorf("without tiles: %v", err)
	}
	_, err = w.Follow(t.Context(), log.origin, func(ctx context.Context, path string) ([]byte, error) {
		b, err := log.fetch(ctx, path)
		if path != "checkpoint" && err == nil {
			b[7] ^= 1
		}
		return b, err
	})
	if err == nil || errors.As(err, &split) {
		t.Errorf("with tiles that are not those of the checkpoint: %v", err)
	}
	// Partial tiles may be gone once the whole one is there.
	now := log.checkpoint(log.size)
	log.add(600, "a")
	gone := 0
	s, err := w.Follow(t.Context(), log.origin, func(ctx context.Context, path string) ([]byte, error) {
		switch {
		case path == "checkpoint":
			return now, nil
		case strings.HasPrefix(path, "tile/0/") && strings.Contains(path, ".p/"):
			gone++
			return nil, fs.ErrNotExist
		}
		return log.fetch(ctx, path)
	})
	if err != nil || s.Size != log.size-600 || gone == 0 {
		t.Errorf("with %d partial tiles gone: %d, %v", gone, s.Size, err)
	}
}
