package cli_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

// TestVerifyScripts runs the stories of testdata/verify: what people check without an
// exchange. Each finds the files of two logs of one exchange that went two ways after
// their entry 300: in log/ 700 entries, in fork/ 700 others, in old/ the first 300;
// what belongs to the events of log/: receipt, receipt.txt, bundle.tar, gap.tar, proof.json; and the
// keys in $KEY, $OTHER (of another log), $WITNESS and $STRANGER. publish, rotate
// and close-log are an exchange whose log is at $LOG.
func TestVerifyScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/verify",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Values[publishedKey{}] = new(*published)
			return ledgerFiles(e)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "replaced": replaced, "flip": flip, "publish": publish, "rotate": rotate, "close-log": closeLog},
	})
}

// logFiles is a log in memory.
type logFiles struct {
	entries [][]byte
	hashes  []tlog.Hash
	signers []note.Signer
}

func (l *logFiles) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = l.hashes[x]
	}
	return out, nil
}

func (l *logFiles) add(entry []byte) error {
	more, err := tlog.StoredHashes(int64(len(l.entries)), entry, l)
	l.entries, l.hashes = append(l.entries, entry), append(l.hashes, more...)
	return err
}

func (l *logFiles) checkpoint(size int64) ([]byte, error) {
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		return nil, err
	}
	text := verify.Checkpoint{Origin: l.signers[0].Name(), Size: size, Root: root}.Text()
	return note.Sign(&note.Note{Text: text}, l.signers...)
}

// write writes the files of the log at a size.
func (l *logFiles) write(dir string, size int64) error {
	signed, err := l.checkpoint(size)
	if err != nil {
		return err
	}
	files := map[string][]byte{"checkpoint": signed}
	for _, t := range tlog.NewTiles(8, 0, size) {
		if files[verify.TilePath(t.L, t.N, t.W)], err = tlog.ReadTileData(t, l); err != nil {
			return err
		}
		if t.L == 0 {
			files[verify.TilePath(verify.EntriesLevel, t.N, t.W)] = verify.AppendEntries(nil, l.entries[t.N*256:t.N*256+int64(t.W)])
		}
	}
	for name, b := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func signerOf(name string, seed byte) (note.Signer, string, error) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	key, err := note.NewEd25519VerifierKey(name, private.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, "", err
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, "", err
	}
	s, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, v.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{1}, private.Seed()...))))
	return s, key, err
}

const ledgerOrigin = "exchange.example/log"

// ledgerEvent is event n of the program, a disclosure of three objects.
func ledgerEvent(n int64, objects []verify.ObjectVersion) verify.Opening {
	var salt [verify.SaltSize]byte
	salt[0], salt[1] = byte(n), byte(n>>8)
	root := verify.ObjectsRoot(salt, objects)
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
	return verify.Opening{Salt: salt, Event: fmt.Appendf(nil,
		`{"actor_org":"acme","actor_token":"tok_c3v5kq2x7mzt4a6e","at":%q,"channel":"taxii","d_charter":1,"d_objects":%d,"d_objects_root":%q,"kind":"page.serve","number":%d,"program":"early-warning","subject":["a<b","art_7mzt4a6ec3v5kq2x"],"v":1}`,
		at.Format("2006-01-02T15:04:05.000000Z"), len(objects), base64.RawStdEncoding.EncodeToString(root[:]), n)}
}

func ledgerFiles(e *testscript.Env) error {
	signer, key, err := signerOf(ledgerOrigin, 1)
	if err != nil {
		return err
	}
	_, other, err := signerOf("other.example/log", 2)
	if err != nil {
		return err
	}
	now := func() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }
	witness, witnessKey, err := verify.NewWitnessSigner("witness.example/w1", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32)), now)
	if err != nil {
		return err
	}
	_, stranger, err := verify.NewWitnessSigner("witness.example/w2", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{4}, 32)), now)
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"KEY": key, "OTHER": other, "WITNESS": witnessKey, "STRANGER": stranger} {
		e.Setenv(name, value)
	}
	objects := []verify.ObjectVersion{{ID: "indicator--1", Version: "2026-01-01T00:00:00.000000Z"}, {ID: "indicator--2", Version: "2026-01-02T00:00:00.000000Z"}, {ID: "malware--3", Version: "2026-01-03T00:00:00.000000Z"}}
	log, fork := &logFiles{signers: []note.Signer{signer, witness}}, &logFiles{signers: []note.Signer{signer}}
	var events []verify.BundleEntry
	for i := range int64(700) {
		entry := append([]byte{1}, bytes.Repeat([]byte{byte(i)}, 32)...)
		if i%10 == 0 {
			o := ledgerEvent(int64(len(events))+1, objects)
			if entry, err = o.Entry(); err != nil {
				return err
			}
			events = append(events, verify.BundleEntry{Index: i, Seq: i + 1, Opening: o})
		}
		forked := entry
		if i >= 300 {
			h := sha256.Sum256(entry)
			forked = append([]byte{1}, h[:]...)
		}
		if err := log.add(entry); err != nil {
			return err
		}
		if err := fork.add(forked); err != nil {
			return err
		}
	}
	for _, x := range []struct {
		l    *logFiles
		dir  string
		size int64
	}{{log, "log", 700}, {fork, "fork", 700}, {log, "old", 300}} {
		if err := x.l.write(filepath.Join(e.WorkDir, x.dir), x.size); err != nil {
			return err
		}
	}
	return evidenceFiles(e.WorkDir, log, events, objects, key)
}

// evidenceFiles writes what members and auditors are given.
func evidenceFiles(dir string, log *logFiles, events []verify.BundleEntry, objects []verify.ObjectVersion, key string) error {
	signed, err := log.checkpoint(700)
	if err != nil {
		return err
	}
	e := events[30]
	proof, err := tlog.ProveRecord(700, e.Index, log)
	if err != nil {
		return err
	}
	r := verify.Receipt{Opening: e.Opening, Index: e.Index, Proof: proof, Checkpoint: signed}
	file, err := r.MarshalBinary()
	if err != nil {
		return err
	}
	changed := r
	changed.Opening.Event = bytes.Replace(r.Opening.Event, []byte("acme"), []byte("acne"), 1)
	wrong, err := changed.MarshalBinary()
	if err != nil {
		return err
	}
	text, err := r.MarshalText()
	if err != nil {
		return err
	}
	object, err := verify.ProveObject(e.Opening.Salt, objects, 1)
	if err != nil {
		return err
	}
	objectProof, err := json.Marshal(object)
	if err != nil {
		return err
	}
	bundle := func(events []verify.BundleEntry) ([]byte, error) {
		var b bytes.Buffer
		w, err := verify.NewBundleWriter(&b, verify.BundleOptions{
			Program: "early-warning", Checkpoint: signed, Keys: []string{key},
			Charters: []verify.Charter{{Version: 1, Form: "toml", Text: []byte("title = \"Early warning\"\n")}},
			Read: func(path string) ([]byte, error) {
				b, err := fs.ReadFile(os.DirFS(filepath.Join(dir, "log")), path)
				return b, err
			},
		})
		for _, e := range events {
			if err == nil {
				err = w.Add(e)
			}
		}
		if err == nil {
			err = w.Close()
		}
		return b.Bytes(), err
	}
	whole, err := bundle(events)
	if err != nil {
		return err
	}
	gap, err := bundle(append(append([]verify.BundleEntry{}, events[:20]...), events[21:]...))
	if err != nil {
		return err
	}
	for name, b := range map[string][]byte{"receipt": file, "wrong": wrong, "receipt.txt": text, "bundle.tar": whole, "gap.tar": gap, "proof.json": objectProof, "keyfile": []byte(key + "\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}
