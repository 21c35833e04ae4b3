package witness

import (
	"bytes"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

// request is the body of add-checkpoint (C2SP tlog-witness).
func request(l Log, old, size int64, checkpoint []byte) ([]byte, error) {
	var proof tlog.TreeProof
	if old > 0 && old < size {
		var err error
		if proof, err = l.Consistency(old, size); err != nil {
			return nil, err
		}
	}
	return verify.WitnessRequest(old, proof, checkpoint), nil
}

// open opens a checkpoint that a key signed which signs this size, with those of
// the witnesses that signed it.
func open(f facts, signed []byte, witnesses ...string) (verify.Signed, error) {
	var size int64
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	if c, err := verify.ParseCheckpoint(string(text) + "\n"); err == nil {
		size = c.Size
	}
	return verify.OpenCheckpoint(signed, f.keysAt(size), witnesses)
}

// lineOf is the line of a note with the signature of the witness's key, which is
// verified.
func lineOf(signed []byte, key string) (string, error) {
	v, err := verify.NewWitnessVerifier(key)
	if err != nil {
		return "", err
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return "", err
	}
	return "— " + n.Sigs[0].Name + " " + n.Sigs[0].Base64 + "\n", nil
}
