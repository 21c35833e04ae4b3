package conformance

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cosig "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/witness"
	"github.com/forewarn-exchange/forewarn/verify"
)

// A log of tessera gets its checkpoints cosigned by our witness, with tessera's own
// client of tlog-witness: it publishes none without.
func TestTesseraIsWitnessed(t *testing.T) {
	signer, verifier := keys(t)
	dir := filepath.Join(t.TempDir(), "witness")
	key, err := witness.Init(dir, "witness.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.Open(dir, []string{public(t)}, witness.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	srv := httptest.NewServer(w.Handler())
	defer srv.Close()
	at, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	one, err := tessera.NewWitness(key, at)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	driver, err := posix.New(ctx, posix.Config{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	o := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(100*time.Millisecond).
		WithWitnesses(tessera.NewWitnessGroup(1, one), &tessera.WitnessOptions{FailOpen: false})
	a, shutdown, reader, err := tessera.NewAppender(ctx, driver, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shutdown(ctx) }()
	published := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 5*time.Millisecond)
	for i := range 5 { // each goes on from the one before
		if _, _, err := published.Await(ctx, a.Add(ctx, tessera.NewEntry(fmt.Appendf(nil, "entry %d", i)))); err != nil {
			t.Fatal(err)
		}
	}
	signed, err := reader.ReadCheckpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := cosig.NewVerifierForCosignatureV1(key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(verifier, theirs))
	if err != nil || len(n.Sigs) != 2 {
		t.Errorf("%s\n%v", signed, err)
	}
	ours, err := verify.OpenCheckpoint(signed, []string{public(t)}, []string{key})
	if err != nil || len(ours.Witness) != 1 || ours.Size != 5 {
		t.Errorf("%+v, %v", ours, err)
	}
	if seen, _ := w.Newest(origin); seen.Size != 5 {
		t.Errorf("the witness is at %d", seen.Size)
	}
}

// The folder of our witness can go on with software of others: they read its key,
// and what they sign with it holds for us.
func TestKeyOfWitness(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "witness")
	key, err := witness.Init(dir, "witness.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	private, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := cosig.NewSignerForCosignatureV1(strings.TrimSpace(string(private)))
	if err != nil {
		t.Fatal(err)
	}
	signer, _ := keys(t)
	signed, err := note.Sign(&note.Note{Text: verify.Checkpoint{Origin: origin, Size: 7}.Text()}, signer, theirs)
	if err != nil {
		t.Fatal(err)
	}
	got, err := verify.OpenCheckpoint(signed, []string{public(t)}, []string{key})
	if err != nil || len(got.Witness) != 1 || got.Witness[0].Key != key || time.Since(got.Witness[0].At).Abs() > time.Hour {
		t.Errorf("%+v, %v", got, err)
	}
}

// public is the key of keys as text.
func public(t testing.TB) string {
	t.Helper()
	_, key, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), origin)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
