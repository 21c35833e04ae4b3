package witness

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/durable"
	"github.com/forewarn-exchange/forewarn/verify"
)

const newestFile = "checkpoint"

// folderOf is the name of a log's folder: origins hold what file names must not.
func folderOf(origin string) string {
	h := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(h[:8])
}

// recall reads what is remembered of a log. It must carry the witness's own
// signature: a witness that took a damaged memory for none would sign anything.
func (w *Witness) recall(h *history) (Seen, error) {
	file := filepath.Join(h.dir, newestFile)
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Seen{Checkpoint: verify.Checkpoint{Origin: h.origin}}, nil
	}
	if err != nil {
		return Seen{}, fmt.Errorf("reading what is remembered of %s: %w", h.origin, err)
	}
	s, err := w.read(b)
	if err == nil && s.Origin != h.origin {
		err = errors.New("of another log")
	}
	if err != nil {
		return Seen{}, fmt.Errorf("what is remembered of %s is damaged (%s: %w); restore the file, or start a new witness with a new key", h.origin, file, err)
	}
	return s, nil
}

// read takes a checkpoint that the witness signed.
func (w *Witness) read(b []byte) (Seen, error) {
	n, err := note.Open(b, note.VerifierList(w.own))
	if err != nil {
		return Seen{}, err
	}
	c, err := verify.ParseCheckpoint(n.Text)
	if err != nil {
		return Seen{}, err
	}
	return Seen{Checkpoint: c, At: signedAt(n.Sigs[0]), Signed: b}, nil
}

// remember makes a checkpoint durable, before anybody is told of it.
func (w *Witness) remember(h *history, signed []byte) error {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return err
	}
	for _, dir := range []string{w.dir, filepath.Join(w.dir, logsDir)} {
		if err := durable.SyncDir(dir); err != nil {
			return err
		}
	}
	if err := durable.Replace(filepath.Join(h.dir, newestFile), signed, 0o600); err != nil {
		return fmt.Errorf("keeping the checkpoint of %s: %w", h.origin, err)
	}
	return nil
}

// maxEvidence bounds the pairs that are kept, of each kind. A pair is written once
// however often it is shown.
const maxEvidence = 500

// Evidence is two checkpoints of one log that do not go together: both are signed
// by the log, the first by the witness, too.
type Evidence struct {
	Origin string
	Seen   string // path of the checkpoint that the witness had cosigned
	Shown  string // path of the one that does not go on from it
	Proven bool   // false: a request came with a proof that does not hold, which anybody can send
}

// accuse keeps two signed checkpoints that do not go together. what says how.
func (w *Witness) accuse(h *history, shown []byte, at verify.Checkpoint, proven bool, what string) {
	seen, dir := h.newest, filepath.Join(w.dir, doubtsDir)
	if proven {
		dir = filepath.Join(w.dir, proofsDir)
		w.o.Log.Error("the log shows a history that differs from what this witness saw",
			"origin", h.origin, "seen_size", seen.Size, "shown_size", at.Size, "how", what)
	} else {
		w.o.Log.Warn("a checkpoint came without a proof that it goes on from what this witness saw",
			"origin", h.origin, "seen_size", seen.Size, "shown_size", at.Size)
	}
	pair := sha256.Sum256([]byte(seen.Text() + "\n" + at.Text()))
	name := fmt.Sprintf("%s-%d-%d-%s", folderOf(h.origin), seen.Size, at.Size, hex.EncodeToString(pair[:6]))
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		var have []string
		have, err = filepath.Glob(filepath.Join(dir, "*"+shownSuffix))
		if err == nil && (len(have) >= maxEvidence || slices.Contains(have, filepath.Join(dir, name+shownSuffix))) {
			return
		}
	}
	// The second file makes the pair: it is written last.
	if err == nil {
		err = durable.Replace(filepath.Join(dir, name+seenSuffix), seen.Signed, 0o600)
	}
	if err == nil {
		err = durable.Replace(filepath.Join(dir, name+shownSuffix), shown, 0o600)
	}
	if err != nil {
		w.o.Log.Error("keeping the evidence", "origin", h.origin, "err", err)
	}
}

// Names of the files of a pair.
const (
	seenSuffix  = ".seen"
	shownSuffix = ".shown"
)

// evidence lists the pairs of one kind, by name.
func (w *Witness) evidence(folder string, proven bool) (out []Evidence, err error) {
	pairs, err := filepath.Glob(filepath.Join(w.dir, folder, "*"+shownSuffix))
	if err != nil {
		return nil, err
	}
	for _, shown := range pairs {
		b, err := os.ReadFile(shown)
		if err != nil {
			return nil, err
		}
		e := Evidence{Seen: strings.TrimSuffix(shown, shownSuffix) + seenSuffix, Shown: shown, Proven: proven}
		e.Origin, _, _ = strings.Cut(string(b), "\n")
		out = append(out, e)
	}
	return out, nil
}

// Status is what a witness knows, read from its folder.
type Status struct {
	Name, Key string
	Logs      []Seen // by origin
	Evidence  []Evidence
}

// Look reads the folder of a witness, which may be open elsewhere.
func Look(dir string) (Status, error) {
	w, err := load(dir, Options{})
	if err != nil {
		return Status{}, err
	}
	out := Status{Name: w.signer.Name(), Key: w.key}
	files, err := filepath.Glob(filepath.Join(dir, logsDir, "*", newestFile))
	if err != nil {
		return Status{}, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return Status{}, err
		}
		s, err := w.read(b)
		if err != nil {
			return Status{}, fmt.Errorf("%s is damaged: %w", f, err)
		}
		out.Logs = append(out.Logs, s)
	}
	slices.SortFunc(out.Logs, func(a, b Seen) int { return strings.Compare(a.Origin, b.Origin) })
	proven, err := w.evidence(proofsDir, true)
	if err != nil {
		return Status{}, err
	}
	doubts, err := w.evidence(doubtsDir, false)
	if err != nil {
		return Status{}, err
	}
	out.Evidence = append(proven, doubts...)
	return out, nil
}

// line is one signature as it stands in a note.
func line(s note.Signature) string {
	return "— " + s.Name + " " + s.Base64 + "\n"
}

// raw decodes a signature: the key's ID, and what was signed with it.
func raw(s note.Signature) []byte {
	b, _ := base64.StdEncoding.DecodeString(s.Base64)
	return b
}
