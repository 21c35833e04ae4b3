package witness

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

// Limits of a request.
const (
	maxProof = 63
	// MaxBody is the largest request in bytes: the old size, the proof and the
	// checkpoint.
	MaxBody = 64 + maxProof*45 + verify.MaxCheckpoint
)

// Refusal says why a checkpoint was not cosigned, with the HTTP status that the
// protocol gives it.
type Refusal struct {
	Status int
	Size   int64 // with 409: of the newest checkpoint that was cosigned
	Text   string
}

func (r *Refusal) Error() string { return r.Text }

func refuse(status int, format string, args ...any) error {
	return &Refusal{Status: status, Text: fmt.Sprintf(format, args...)}
}

// Request is the body of add-checkpoint.
type Request struct {
	Old        int64
	Proof      tlog.TreeProof
	Checkpoint []byte // signed
}

// ParseRequest reads the body of add-checkpoint: the line "old", a space and a
// size; up to 63 lines with a hash in base 64; an empty line; the checkpoint.
func ParseRequest(body []byte) (Request, error) {
	var r Request
	if len(body) > MaxBody {
		return r, refuse(http.StatusBadRequest, "larger than %d bytes", MaxBody)
	}
	head, checkpoint, ok := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	size, old := strings.CutPrefix(lines[0], "old ")
	if !ok || !old {
		return r, refuse(http.StatusBadRequest, `not a line "old" with a size, the lines of a proof, an empty line and a checkpoint`)
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != size {
		return r, refuse(http.StatusBadRequest, "the old size is not a number in decimal digits without leading zeros")
	}
	if len(lines)-1 > maxProof {
		return r, refuse(http.StatusBadRequest, "more than %d lines of proof", maxProof)
	}
	for i, l := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(l)
		if err != nil || len(h) != tlog.HashSize {
			return r, refuse(http.StatusBadRequest, "line %d is not a hash in base 64", i+2)
		}
		r.Proof = append(r.Proof, tlog.Hash(h))
	}
	r.Old, r.Checkpoint = n, checkpoint
	return r, nil
}

// AddCheckpoint cosigns a checkpoint that goes on from the newest one that it
// cosigned, and answers the line of the cosignature (C2SP tlog-witness,
// add-checkpoint). What it does not cosign is a *Refusal; any other error is the
// witness's own.
func (w *Witness) AddCheckpoint(body []byte) ([]byte, error) {
	r, err := ParseRequest(body)
	if err != nil {
		return nil, err
	}
	h, c, signed, err := w.open(r.Checkpoint)
	if err != nil {
		return nil, err
	}
	if r.Old > c.Size {
		return nil, refuse(http.StatusBadRequest, "the old size %d is larger than the checkpoint's, %d", r.Old, c.Size)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Old != h.newest.Size {
		if c.Size == h.newest.Size && h.newest.Signed != nil && c.Root != h.newest.Root {
			w.accuse(h, signed, c, true, "two roots of one size")
		}
		return nil, &Refusal{http.StatusConflict, h.newest.Size, "the newest cosigned checkpoint is of another size"}
	}
	cosignature, err := w.extend(h, c, signed, r.Proof, false)
	return []byte(cosignature), err
}

// open finds the log of a signed checkpoint, and verifies its signature. signed
// is the checkpoint with the signatures that hold alone.
func (w *Witness) open(checkpoint []byte) (h *history, c verify.Checkpoint, signed []byte, err error) {
	var unknown *note.UnverifiedNoteError
	if _, err := note.Open(checkpoint, note.VerifierList()); !errors.As(err, &unknown) {
		return nil, c, nil, refuse(http.StatusBadRequest, "not a signed note")
	}
	if c, err = verify.ParseCheckpoint(unknown.Note.Text); err != nil {
		return nil, c, nil, refuse(http.StatusBadRequest, "%v", err)
	}
	if h = w.logs[c.Origin]; h == nil {
		return nil, c, nil, refuse(http.StatusNotFound, "this witness does not know the log %.80q", c.Origin)
	}
	// Key by key: a signature of one key that does not hold says nothing of another's.
	text := unknown.Note.Text + "\n"
	var lines string
	h.mu.Lock()
	keys := h.keys
	h.mu.Unlock()
	for _, key := range keys {
		v, err := note.NewVerifier(key)
		if err != nil {
			return nil, c, nil, err
		}
		if n, err := note.Open(checkpoint, note.VerifierList(v)); err == nil {
			lines += line(n.Sigs[0])
		}
	}
	if lines == "" {
		return nil, c, nil, refuse(http.StatusForbidden, "no signature of a key of the log %.80q holds", c.Origin)
	}
	return h, c, []byte(text + lines), nil
}

// emptyRoot is the root of the tree without entries (RFC 6962 §2.1).
var emptyRoot = tlog.Hash(sha256.Sum256(nil))

// extend cosigns a checkpoint that goes on from the newest, which the proof
// shows, and remembers it before it answers. proven says that the proof was made
// from the log under c itself. h.mu is held.
func (w *Witness) extend(h *history, c verify.Checkpoint, signed []byte, proof tlog.TreeProof, proven bool) (cosignature string, err error) {
	seen := h.newest
	switch {
	case seen.Size == 0 && len(proof) > 0:
		return "", refuse(http.StatusUnprocessableEntity, "a proof from size 0 is empty")
	case c.Size == 0 && c.Root != emptyRoot:
		return "", refuse(http.StatusUnprocessableEntity, "the root is not that of a log without entries")
	case c.Size == seen.Size && seen.Signed != nil && len(proof) == 0 && c.Root != seen.Root:
		w.accuse(h, signed, c, true, "two roots of one size")
		return "", &Refusal{http.StatusConflict, seen.Size, "the root differs from the one that was cosigned at this size"}
	case seen.Size > 0 && tlog.CheckTree(proof, c.Size, c.Root, seen.Size, seen.Root) != nil:
		w.accuse(h, signed, c, proven, "the second does not go on from the first")
		return "", refuse(http.StatusUnprocessableEntity, "the proof does not show that the checkpoint goes on from size %d", seen.Size)
	}
	sig, err := w.signer.Sign([]byte(c.Text()))
	if err != nil {
		return "", err
	}
	typed := binary.BigEndian.AppendUint32(nil, w.signer.KeyHash())
	s := note.Signature{Name: w.signer.Name(), Hash: w.signer.KeyHash(), Base64: base64.StdEncoding.EncodeToString(append(typed, sig...))}
	cosignature = line(s)
	all := append(bytes.Clone(signed), cosignature...)
	if err := w.remember(h, all); err != nil {
		return "", err
	}
	h.newest = Seen{Checkpoint: c, At: signedAt(s), Signed: all}
	return cosignature, nil
}

// signedAt is the moment of a cosignature.
func signedAt(s note.Signature) time.Time {
	b := raw(s)
	if len(b) < 12 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(b[4:])), 0).UTC()
}
