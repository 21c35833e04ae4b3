package witness_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/witness"
	"github.com/forewarn-exchange/forewarn/verify"
)

func newWitness(t testing.TB, logs ...*testLog) (*witness.Witness, string) {
	dir := filepath.Join(t.TempDir(), "witness")
	if _, err := witness.Init(dir, "witness.example/w1"); err != nil {
		t.Fatal(err)
	}
	return open(t, dir, logs...), dir
}

func open(t testing.TB, dir string, logs ...*testLog) *witness.Witness {
	var keys []string
	for _, l := range logs {
		keys = append(keys, l.key)
	}
	w, err := witness.Open(dir, keys, witness.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// status is what AddCheckpoint answers, as a status.
func status(t testing.TB, err error) int {
	var refused *witness.Refusal
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &refused):
		return refused.Status
	}
	t.Fatal(err)
	return 0
}

func statusOf(t *testing.T, dir string) witness.Status {
	s, err := witness.Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every answer that the protocol names, over HTTP.
func TestProtocol(t *testing.T) {
	log, other, stranger := newLog(t, "log.example/a").add(1000, "a"), newLog(t, "log.example/a"), newLog(t, "log.example/unknown").add(3, "x")
	fork := log.fork(50).add(950, "b")
	other.hashes, other.size = log.hashes, log.size // the same tree, another key
	proof := log.proof(100, 300)
	hash := base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"
	with := func(old int64, l *testLog, size int64) []byte {
		return verify.WitnessRequest(old, proof, l.checkpoint(size))
	}
	cases := []struct {
		name   string
		body   []byte
		status int
		answer string // of 409
	}{
		{"nothing", nil, 400, ""},
		{"no old size", log.checkpoint(100), 400, ""},
		{"old size with a leading zero", bytes.Replace(log.request(100, 300), []byte("old 100"), []byte("old 0100"), 1), 400, ""},
		{"old size with a sign", bytes.Replace(log.request(100, 300), []byte("old 100"), []byte("old +100"), 1), 400, ""},
		{"old size negative", bytes.Replace(log.request(100, 300), []byte("old 100"), []byte("old -1"), 1), 400, ""},
		{"old size too large for a number", bytes.Replace(log.request(100, 300), []byte("old 100"), []byte("old 99999999999999999999"), 1), 400, ""},
		{"line ends of another system", bytes.ReplaceAll(log.request(100, 300), []byte("\n"), []byte("\r\n")), 400, ""},
		{"a line that is no hash", append([]byte("old 100\nAAAA\n\n"), log.checkpoint(300)...), 400, ""},
		{"64 lines of proof", append([]byte("old 100\n"+strings.Repeat(hash, 64)+"\n"), log.checkpoint(300)...), 400, ""},
		{"63 lines of proof are read", append([]byte("old 100\n"+strings.Repeat(hash, 63)+"\n"), log.checkpoint(300)...), 422, ""},
		{"no checkpoint", []byte("old 100\n\n"), 400, ""},
		{"a checkpoint without a root", verify.WitnessRequest(0, nil, log.sign("log.example/a\n5\n")), 400, ""},
		{"too large", append(log.request(100, 300), make([]byte, witness.MaxBody)...), 400, ""},
		{"a log that the witness does not know", stranger.request(0, 3), 404, ""},
		{"another key of the same name", other.request(100, 300), 403, ""},
		{"a text that was changed", bytes.Replace(log.request(100, 300), []byte("\n300\n"), []byte("\n301\n"), 1), 403, ""},
		{"an old size above the checkpoint's", with(100, log, 99), 400, ""},
		{"another old size", log.request(99, 300), 409, "100\n"},
		{"no old size known", log.request(0, 300), 409, "100\n"},
		{"a checkpoint from before", log.request(40, 50), 409, "100\n"},
		{"a proof of something else", verify.WitnessRequest(100, log.proof(101, 300), log.checkpoint(300)), 422, ""},
		{"no proof", verify.WitnessRequest(100, nil, log.checkpoint(300)), 422, ""},
		{"another history", fork.request(100, 300), 422, ""},
		{"another history, with the first one's proof", with(100, fork, 300), 422, ""},
		{"another history of the same size", fork.request(100, 100), 409, "100\n"},
		{"the same once more", log.request(100, 100), 200, ""},
		{"a proof where none is needed", append([]byte("old 100\n"+hash+"\n"), log.checkpoint(100)...), 422, ""},
		{"goes on", log.request(100, 300), 200, ""},
		{"goes on, once more", log.request(100, 300), 409, "300\n"},
		{"goes on to the end", log.request(300, 1000), 200, ""},
	}
	w, dir := newWitness(t, log)
	if _, err := w.AddCheckpoint(log.request(0, 100)); err != nil {
		t.Fatal(err)
	}
	at := int64(100)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(w.Handler()) // each with a limit of its own
			defer srv.Close()
			res, err := srv.Client().Post(srv.URL+"/add-checkpoint", "", bytes.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != c.status {
				t.Fatalf("%d %q, %v; want %d", res.StatusCode, body, err, c.status)
			}
			if c.status == 409 && (string(body) != c.answer || res.Header.Get("Content-Type") != "text/x.tlog.size") {
				t.Errorf("409 with %q of the type %q; want %q", body, res.Header.Get("Content-Type"), c.answer)
			}
			seen, _ := w.Newest(log.origin)
			if c.status != 200 {
				if seen.Size != at {
					t.Errorf("a refused checkpoint moved the witness from %d to %d", at, seen.Size)
				}
				if bytes.Contains(body, []byte("—")) {
					t.Errorf("a refusal carries a signature: %q", body)
				}
				return
			}
			at = seen.Size
			signed := append(log.checkpoint(at), body...)
			s, err := verify.OpenCheckpoint(signed, []string{log.key}, []string{w.Key()})
			if err != nil || len(s.Witness) != 1 || s.Witness[0].Name != "witness.example/w1" || s.Size != at {
				t.Errorf("the cosigned checkpoint: %+v, %v", s, err)
			}
		})
	}
	if at != 1000 {
		t.Errorf("the witness ends at %d; want 1000", at)
	}
	checkEvidence(t, statusOf(t, dir), log)
}

// checkEvidence wants one proven pair, which speaks for itself, and doubts.
func checkEvidence(t *testing.T, s witness.Status, log *testLog) {
	t.Helper()
	proven := 0
	for _, e := range s.Evidence {
		var sides [2]verify.Signed
		for i, f := range []string{e.Seen, e.Shown} {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if sides[i], err = verify.OpenCheckpoint(b, []string{log.key}, []string{s.Key}); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
		}
		if len(sides[0].Witness) != 1 || e.Origin != log.origin {
			t.Errorf("what the witness saw is not cosigned, or of %q", e.Origin)
		}
		if e.Proven {
			proven++
			if sides[0].Size != sides[1].Size || sides[0].Root == sides[1].Root {
				t.Errorf("the pair proves nothing: %+v", sides)
			}
		}
	}
	if proven != 1 || len(s.Evidence) < 3 {
		t.Errorf("%d of %d pairs are proven; want 1, and doubts besides", proven, len(s.Evidence))
	}
}

// A log begins with a checkpoint of no entries; only the true one is signed.
func TestEmptyLog(t *testing.T) {
	log := newLog(t, "log.example/a")
	w, _ := newWitness(t, log)
	empty := "log.example/a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n" // SHA-256 of nothing
	wrong := "log.example/a\n0\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"
	ask := func(text string, want int) {
		t.Helper()
		_, err := w.AddCheckpoint(verify.WitnessRequest(0, nil, log.sign(text)))
		if got := status(t, err); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	ask(wrong, 422)
	ask(empty, 200)
	ask(empty, 200)
	log.add(5, "a")
	if _, err := w.AddCheckpoint(log.request(0, 5)); err != nil {
		t.Error(err)
	}
	ask(empty, 409)
}

// What was cosigned is remembered by the next process; a damaged memory is an
// error, and never a new start.
func TestRemembers(t *testing.T) {
	log := newLog(t, "log.example/a").add(300, "a")
	w, dir := newWitness(t, log)
	if _, err := w.AddCheckpoint(log.request(0, 200)); err != nil {
		t.Fatal(err)
	}
	if _, err := witness.Open(dir, []string{log.key}, witness.Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("opened twice: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = open(t, dir, log)
	for _, c := range []struct {
		body []byte
		want int
	}{{log.request(0, 100), 409}, {log.fork(10).add(290, "b").request(0, 300), 409}, {log.fork(10).add(290, "b").request(200, 300), 422}, {log.request(200, 300), 200}} {
		_, err := w.AddCheckpoint(c.body)
		if got := status(t, err); got != c.want {
			t.Errorf("%d %v, want %d", got, err, c.want)
		}
	}
	w.Close()
	files, _ := filepath.Glob(filepath.Join(dir, "logs", "*", "checkpoint"))
	if len(files) != 1 {
		t.Fatalf("files: %v", files)
	}
	b, _ := os.ReadFile(files[0])
	for _, damaged := range [][]byte{nil, bytes.Replace(b, []byte("\n300\n"), []byte("\n299\n"), 1), log.checkpoint(300)} {
		if err := os.WriteFile(files[0], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if w, err := witness.Open(dir, []string{log.key}, witness.Options{}); err == nil {
			w.Close()
			t.Errorf("a damaged memory was taken: %q", damaged)
		}
	}
}

// Requests at the same time are answered one after the other: each signature is
// for a checkpoint that goes on from the one signed before.
func TestAtOnce(t *testing.T) {
	log := newLog(t, "log.example/a").add(400, "a")
	fork := log.fork(100).add(300, "b")
	w, _ := newWitness(t, log)
	if _, err := w.AddCheckpoint(log.request(0, 150)); err != nil {
		t.Fatal(err)
	}
	var requests [][]byte
	for size := int64(160); size <= 400; size += 10 {
		requests = append(requests, log.request(150, size), fork.request(150, size))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	signed := 0
	for _, r := range requests {
		wg.Go(func() {
			if _, err := w.AddCheckpoint(r); err == nil {
				mu.Lock()
				signed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if signed != 1 {
		t.Errorf("%d checkpoints were signed from one size; want 1", signed)
	}
}

// A key that a log took up later signs for it, too; the signature of one that
// does not hold takes nothing from the other's.
func TestTwoKeys(t *testing.T) {
	old, young := newLog(t, "log.example/a").add(20, "a"), newLog(t, "log.example/a")
	young.hashes, young.size = old.hashes, old.size
	w, _ := newWitness(t, old, young)
	if _, err := w.AddCheckpoint(old.request(0, 10)); err != nil {
		t.Fatal(err)
	}
	both, err := note.Sign(&note.Note{Text: verify.Checkpoint{Origin: old.origin, Size: 15, Root: old.root(15)}.Text()}, old.signer, young.signer)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(both, []byte("\n"))
	first := lines[len(lines)-3]
	if at := len(first) - 8; first[at] == 'A' { // within the base 64 of the signature
		first[at] = 'B'
	} else {
		first[at] = 'A'
	}
	if _, err := w.AddCheckpoint(verify.WitnessRequest(10, old.proof(10, 15), bytes.Join(lines, nil))); err != nil {
		t.Errorf("with one signature of two: %v", err)
	}
	if _, err := w.AddCheckpoint(young.request(15, 20)); err != nil {
		t.Errorf("by the new key alone: %v", err)
	}
}

func FuzzAddCheckpoint(f *testing.F) {
	log := newLog(f, "log.example/a").add(300, "a")
	w, _ := newWitness(f, log)
	if _, err := w.AddCheckpoint(log.request(0, 100)); err != nil {
		f.Fatal(err)
	}
	f.Add(log.request(100, 300))
	f.Add(log.request(0, 50))
	f.Add([]byte("old 0\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := witness.ParseRequest(body)
		if err == nil && !bytes.Equal(verify.WitnessRequest(r.Old, r.Proof, r.Checkpoint), body) {
			t.Errorf("%q is written as %q", body, verify.WitnessRequest(r.Old, r.Proof, r.Checkpoint))
		}
		before, _ := w.Newest(log.origin)
		_, err = w.AddCheckpoint(body)
		after, _ := w.Newest(log.origin)
		var refused *witness.Refusal
		if err != nil && !errors.As(err, &refused) {
			t.Error(err)
		}
		if after.Size < before.Size || after.Size > 0 && after.Root != log.root(after.Size) {
			t.Errorf("from %d to %d", before.Size, after.Size)
		}
	})
}
