// Package witness is a witness of transparency logs: it remembers the newest
// checkpoint of each log that it was told of, cosigns those that go on from it,
// and nothing else (C2SP tlog-witness and tlog-cosignature). A log that shows two
// readers two histories cannot get both past an honest witness.
//
// It needs nothing of an exchange, and witnesses any log with C2SP checkpoints.
// What it remembers is durable before a signature leaves, so that it cosigns no
// second history after a crash either. Two signed checkpoints that contradict
// each other are kept as evidence.
package witness

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/durable"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Files of a witness's folder.
const (
	keyFile    = "key"     // the private key, for its owner alone
	publicFile = "key.pub" // the public key, for everybody
	lockFile   = "lock"
	logsDir    = "logs"
	proofsDir  = "evidence" // pairs of checkpoints that contradict each other
	doubtsDir  = "refused"  // pairs of which nobody has shown that they do
)

const keyHead = "PRIVATE+KEY+"

// Init makes a witness: a folder with a new key. It answers the public key. A
// folder in which there is a key is an error.
func Init(dir, name string) (key string, err error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	_, key, err = verify.NewWitnessSigner(name, private, time.Now)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the folder: %w", err)
	}
	secret := append([]byte{4}, private.Seed()...)
	text := keyHead + name + "+" + strings.Split(key, "+")[1] + "+" + base64.StdEncoding.EncodeToString(secret) + "\n"
	f, err := os.OpenFile(filepath.Join(dir, keyFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("there is a witness in %s already; nothing was changed", dir)
	}
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("writing the key: %w", err)
	}
	if err := durable.Replace(filepath.Join(dir, publicFile), []byte(key+"\n"), 0o600); err != nil {
		return "", err
	}
	return key, nil
}

// Options of Open. The zero value is usable.
type Options struct {
	Now func() time.Time // nil: the clock of the machine
	Log *slog.Logger     // nil: nothing is logged
}

// Witness is an open witness. Its methods may be called at the same time; what
// is asked for one log goes one after the other.
type Witness struct {
	dir, key string
	signer   *verify.WitnessSigner
	own      *verify.WitnessVerifier
	o        Options
	lock     *os.File
	logs     map[string]*history // by origin
}

// history is what the witness remembers of one log.
type history struct {
	origin string
	given  []string // keys that the witness was opened with
	dir    string

	mu     sync.Mutex
	keys   []string // that count now
	newest Seen
}

// Seen is the newest checkpoint of a log that a witness cosigned; the zero value
// but for the origin: none yet.
type Seen struct {
	verify.Checkpoint
	At     time.Time // of the cosignature
	Signed []byte    // as the log and the witness signed it
}

// Open opens the witness in a folder, for the logs with these public keys
// (name+hash+base64; several keys of one name belong to one log, which any of
// them signs). Only one process has a folder open.
func Open(dir string, logs []string, o Options) (*Witness, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the witness: %w; make one with init", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("the witness in %s is in use by another process: two would not know what the other signs", dir)
	}
	w, err := load(dir, o)
	if err == nil {
		w.lock = lock
		err = w.add(logs)
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return w, nil
}

// load reads the keys.
func load(dir string, o Options) (*Witness, error) {
	b, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, fmt.Errorf("reading the witness's key: %w; make one with init", err)
	}
	bad := fmt.Errorf("%s holds no key of a witness", filepath.Join(dir, keyFile))
	text, ok := strings.CutPrefix(strings.TrimSpace(string(b)), keyHead)
	parts := strings.SplitN(text, "+", 3)
	if !ok || len(parts) != 3 {
		return nil, bad
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.SeedSize || raw[0] != 4 {
		return nil, bad
	}
	signer, key, err := verify.NewWitnessSigner(parts[0], ed25519.NewKeyFromSeed(raw[1:]), o.Now)
	if err != nil || strings.Split(key, "+")[1] != parts[1] {
		return nil, bad
	}
	own, err := verify.NewWitnessVerifier(key)
	if err != nil {
		return nil, err
	}
	return &Witness{dir: dir, key: key, signer: signer, own: own, o: o, logs: map[string]*history{}}, nil
}

// add takes up logs, and what is remembered of them.
func (w *Witness) add(logs []string) error {
	for _, key := range logs {
		key = strings.TrimSpace(key)
		v, err := note.NewVerifier(key)
		if err != nil {
			return fmt.Errorf("the log's key %.80q is not of the form name+hash+base64", key)
		}
		h := w.logs[v.Name()]
		if h == nil {
			h = &history{origin: v.Name(), dir: filepath.Join(w.dir, logsDir, folderOf(v.Name()))}
			if h.newest, err = w.recall(h); err != nil {
				return err
			}
			w.logs[v.Name()] = h
		}
		if !slices.Contains(h.keys, key) {
			h.keys, h.given = append(h.keys, key), append(h.given, key)
		}
	}
	return nil
}

// Key is the witness's public key.
func (w *Witness) Key() string { return w.key }

// Origins lists the logs, sorted.
func (w *Witness) Origins() (out []string) {
	for origin := range w.logs {
		out = append(out, origin)
	}
	slices.Sort(out)
	return out
}

// Newest is what the witness cosigned last of a log.
func (w *Witness) Newest(origin string) (Seen, bool) {
	h := w.logs[origin]
	if h == nil {
		return Seen{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.newest, true
}

// Close lets the folder go.
func (w *Witness) Close() error { return w.lock.Close() }
