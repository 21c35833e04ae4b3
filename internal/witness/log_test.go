package witness_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

// testLog is a log in memory.
type testLog struct {
	t      testing.TB
	origin string
	key    string
	signer note.Signer
	hashes []tlog.Hash
	size   int64
}

func newLog(t testing.TB, origin string) *testLog {
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return &testLog{t: t, origin: origin, key: vkey, signer: signer}
}

// fork is a log with the same key, and entries of its own from size on.
func (l *testLog) fork(size int64) *testLog {
	f := *l
	f.hashes = append([]tlog.Hash(nil), l.hashes[:tlog.StoredHashCount(size)]...)
	f.size = size
	return &f
}

func (l *testLog) ReadHashes(at []int64) (out []tlog.Hash, err error) {
	for _, i := range at {
		if i >= int64(len(l.hashes)) {
			return nil, errors.New("not in the log")
		}
		out = append(out, l.hashes[i])
	}
	return out, nil
}

func (l *testLog) add(n int, text string) *testLog {
	for range n {
		hs, err := tlog.StoredHashes(l.size, fmt.Appendf(nil, "%s %d", text, l.size), l)
		if err != nil {
			l.t.Fatal(err)
		}
		l.hashes = append(l.hashes, hs...)
		l.size++
	}
	return l
}

func (l *testLog) root(size int64) tlog.Hash {
	h, err := tlog.TreeHash(size, l)
	if err != nil {
		l.t.Fatal(err)
	}
	return h
}

func (l *testLog) checkpoint(size int64) []byte {
	return l.sign(verify.Checkpoint{Origin: l.origin, Size: size, Root: l.root(size)}.Text())
}

func (l *testLog) sign(text string) []byte {
	b, err := note.Sign(&note.Note{Text: text}, l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

func (l *testLog) proof(from, to int64) tlog.TreeProof {
	if from == 0 {
		return nil
	}
	p, err := tlog.ProveTree(to, from, l)
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

// request is the body that asks to go on from one size to another.
func (l *testLog) request(from, to int64) []byte {
	return verify.WitnessRequest(from, l.proof(from, to), l.checkpoint(to))
}

// fetch serves the log as tiles (C2SP tlog-tiles).
func (l *testLog) fetch(_ context.Context, path string) ([]byte, error) {
	if path == "checkpoint" {
		return l.checkpoint(l.size), nil
	}
	t, err := tlog.ParseTilePath(strings.Replace(path, "tile/", "tile/8/", 1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	b, err := tlog.ReadTileData(t, l)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return b, nil
}
