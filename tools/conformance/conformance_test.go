package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"k8s.io/klog/v2"

	"github.com/forewarn-exchange/forewarn/internal/ledger"
)

func TestMain(m *testing.M) {
	klog.LogToStderr(false) // tessera tells of each step
	klog.SetOutput(io.Discard)
	os.Exit(m.Run())
}

const origin = "example.org/log"

func keys(t testing.TB) (note.Signer, note.Verifier) {
	t.Helper()
	private, public, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), origin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func entry(i int64) []byte {
	h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return append([]byte{1}, h[:]...)
}

func grow(t testing.TB, l *ledger.Log, size int64) {
	t.Helper()
	var all [][]byte
	for i := l.Size(); i < size; i++ {
		all = append(all, entry(i))
	}
	if err := l.Put(l.Size(), all); err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(t.Context(), size); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB) (*ledger.Log, note.Verifier) {
	t.Helper()
	s, v := keys(t)
	l, err := ledger.Open(t.TempDir(), ledger.Options{Origin: origin, Signers: []note.Signer{s}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, v
}

// serve publishes a log by HTTP. change, if any, changes what is answered.
func serve(t testing.TB, l *ledger.Log, change func(path string, b []byte) []byte) *client.HTTPFetcher {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/")
		b, _, err := l.File(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			http.NotFound(w, r)
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if change != nil {
			b = change(path, b)
		}
		_, _ = w.Write(b)
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	f, err := client.NewHTTPFetcher(u, s.Client())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// leaves is what tessera's fsck command does with a bundle.
func leaves(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var out [][]byte
	for _, e := range b.Entries {
		out = append(out, rfc6962.DefaultHasher.HashLeaf(e))
	}
	return out, nil
}

var sizes = []int64{1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 70_000}

// TestFsck has tessera's fsck make every tile of the log again from its bundles,
// and compare.
func TestFsck(t *testing.T) {
	l, v := open(t)
	for _, size := range sizes {
		grow(t, l, size)
		if err := fsck.New(origin, v, serve(t, l, nil), leaves, fsck.Opts{N: 2}).Check(t.Context()); err != nil {
			t.Fatalf("at size %d: %v", size, err)
		}
	}
	for _, spoilt := range []string{"checkpoint", "tile/0/x001/000", "tile/0/005", "tile/1/000", "tile/2/000.p/1", "tile/entries/017", "tile/entries/273.p/112"} {
		served := false
		f := serve(t, l, func(path string, b []byte) []byte {
			if path == spoilt {
				served = true
				b = bytes.Clone(b)
				b[len(b)/2] ^= 1
			}
			return b
		})
		err := fsck.New(origin, v, f, leaves, fsck.Opts{N: 2}).Check(t.Context())
		if exists := spoilt != "tile/0/x001/000"; served != exists || (err == nil) == exists {
			t.Errorf("%s is spoilt, served: %t, and fsck says %v", spoilt, served, err)
		}
	}
}

// TestClient has tessera's client follow the log, and make proofs from tiles that
// are the same as the log's own.
func TestClient(t *testing.T) {
	l, v := open(t)
	f := serve(t, l, nil)
	grow(t, l, 1)
	follower, err := client.NewLogStateTracker(t.Context(), f.ReadTile, nil, v, origin, client.UnilateralConsensus(f.ReadCheckpoint))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range sizes[1:] {
		grow(t, l, size)
		from := follower.Latest()
		_, consistency, _, err := follower.Update(t.Context())
		if err != nil || follower.Latest().Size != uint64(size) {
			t.Fatalf("following to %d: %v", size, err)
		}
		own, err := l.Consistency(int64(from.Size), size)
		if err != nil || !slices.EqualFunc(consistency, raw(own), bytes.Equal) {
			t.Fatalf("from %d to %d: %v", from.Size, size, err)
		}
		proofs(t, l, f, follower.Latest())
	}
}

func raw(hashes []tlog.Hash) (out [][]byte) {
	for _, h := range hashes {
		out = append(out, h[:])
	}
	return out
}

func proofs(t *testing.T, l *ledger.Log, f *client.HTTPFetcher, c log.Checkpoint) {
	t.Helper()
	size := int64(c.Size)
	pb, err := client.NewProofBuilder(t.Context(), c.Size, f.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int64{0, size / 3, size / 2, size - 1} {
		theirs, err := pb.InclusionProof(t.Context(), uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		own, err := l.Inclusion(i, size)
		if err != nil || !slices.EqualFunc(theirs, raw(own), bytes.Equal) {
			t.Fatalf("entry %d of %d: %v", i, size, err)
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(entry(i))
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), c.Size, leaf, raw(own), c.Hash); err != nil {
			t.Fatal(err)
		}
		b, err := client.GetEntryBundle(t.Context(), f.ReadEntryBundle, uint64(i/256), c.Size)
		if err != nil || !bytes.Equal(b.Entries[i%256], entry(i)) {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
}

// TestKeptCheckpoints: every checkpoint that was ever signed can be read by others,
// and each goes on from the one before.
func TestKeptCheckpoints(t *testing.T) {
	l, v := open(t)
	for _, size := range sizes[:8] {
		grow(t, l, size)
	}
	ctx := context.Background()
	f := serve(t, l, nil)
	pb, err := client.NewProofBuilder(ctx, uint64(l.Size()), f.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	newest, _, _, err := log.ParseCheckpoint(l.Checkpoint(), origin, v)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range sizes[:7] {
		b, err := l.CheckpointFor(size)
		if err != nil {
			t.Fatal(err)
		}
		c, _, _, err := log.ParseCheckpoint(b, origin, v)
		if err != nil || c.Size != uint64(size) {
			t.Fatalf("for %d: %d, %v", size, c.Size, err)
		}
		p, err := pb.ConsistencyProof(ctx, c.Size, newest.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, c.Size, newest.Size, p, c.Hash, newest.Hash); err != nil {
			t.Fatal(err)
		}
	}
}
