package verify

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Receipt proves that an event is in the ledger. It is verified with the log's
// public key alone.
//
// As a file it is the line "forewarn receipt v1", the opening as JSON on one line,
// the entry's index and the number of hashes on one line, the hashes of the
// inclusion proof one after the other in 32 bytes each, and the signed checkpoint
// to the end. The same as text is a C2SP tlog-proof, of which the opening is the
// extra data.
type Receipt struct {
	Opening    Opening
	Index      int64
	Proof      tlog.RecordProof
	Checkpoint []byte // signed
}

// MaxReceipt is the largest receipt that is read, in bytes.
const MaxReceipt = 4 << 20

const (
	receiptHead = "forewarn receipt v1\n"
	proofHead   = "c2sp.org/tlog-proof@v1\n"
	maxProof    = 63
)

// MarshalBinary writes the receipt as a file.
func (r Receipt) MarshalBinary() ([]byte, error) {
	opening, err := r.Opening.MarshalJSON()
	if err != nil {
		return nil, err
	}
	b := append([]byte(receiptHead), opening...)
	b = fmt.Appendf(b, "\n%d %d\n", r.Index, len(r.Proof))
	for _, h := range r.Proof {
		b = append(b, h[:]...)
	}
	return append(b, r.Checkpoint...), nil
}

// MarshalText writes the receipt as a C2SP tlog-proof.
func (r Receipt) MarshalText() ([]byte, error) {
	opening, err := r.Opening.MarshalJSON()
	if err != nil {
		return nil, err
	}
	b := append([]byte(proofHead), "extra "...)
	b = base64.StdEncoding.AppendEncode(b, opening)
	b = fmt.Appendf(b, "\nindex %d\n", r.Index)
	for _, h := range r.Proof {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return append(append(b, '\n'), r.Checkpoint...), nil
}

// UnmarshalText reads a receipt in either form. It verifies nothing.
func (r *Receipt) UnmarshalText(b []byte) (err error) {
	*r, err = ParseReceipt(b)
	return err
}

// UnmarshalBinary reads a receipt in either form. It verifies nothing.
func (r *Receipt) UnmarshalBinary(b []byte) error { return r.UnmarshalText(b) }

// ParseReceipt reads a receipt, as a file or as text. It verifies nothing, but takes
// only what MarshalBinary or MarshalText writes, to the byte.
func ParseReceipt(b []byte) (Receipt, error) {
	if len(b) > MaxReceipt {
		return Receipt{}, fmt.Errorf("larger than %d bytes: not a receipt", MaxReceipt)
	}
	read, write := parseFile, Receipt.MarshalBinary
	rest, ok := bytes.CutPrefix(b, []byte(receiptHead))
	if !ok {
		read, write = parseProof, Receipt.MarshalText
		rest, ok = bytes.CutPrefix(b, []byte(proofHead))
	}
	if !ok {
		return Receipt{}, fmt.Errorf("not a receipt: its first line is neither %q nor %q", receiptHead[:len(receiptHead)-1], proofHead[:len(proofHead)-1])
	}
	r, err := read(rest)
	if err != nil {
		return Receipt{}, err
	}
	if again, err := write(r); err != nil || !bytes.Equal(again, b) {
		return Receipt{}, errors.New("the receipt was changed, or written by another program: it is read only as it was given")
	}
	return r, nil
}

func parseFile(rest []byte) (r Receipt, err error) {
	opening, rest, _ := bytes.Cut(rest, []byte("\n"))
	numbers, rest, ok := bytes.Cut(rest, []byte("\n"))
	if !ok {
		return Receipt{}, errors.New("the receipt is cut off")
	}
	if err := r.Opening.UnmarshalJSON(opening); err != nil {
		return Receipt{}, fmt.Errorf("line 2 of the receipt: %w", err)
	}
	index, count, _ := strings.Cut(string(numbers), " ")
	n, err := strconv.ParseUint(count, 10, 8)
	if err == nil {
		r.Index, err = strconv.ParseInt(index, 10, 64)
	}
	if err != nil || n > maxProof || r.Index < 0 {
		return Receipt{}, errors.New("line 3 of the receipt: not an index and a number of hashes")
	}
	if len(rest) < int(n)*tlog.HashSize {
		return Receipt{}, errors.New("the receipt is cut off")
	}
	for range n {
		r.Proof = append(r.Proof, tlog.Hash(rest[:tlog.HashSize]))
		rest = rest[tlog.HashSize:]
	}
	r.Checkpoint = bytes.Clone(rest)
	return r, nil
}

func parseProof(rest []byte) (r Receipt, err error) {
	head, checkpoint, ok := bytes.Cut(rest, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !ok || len(lines) < 2 {
		return Receipt{}, errors.New("the receipt is cut off")
	}
	extra, ok := strings.CutPrefix(lines[0], "extra ")
	opening, err := base64.StdEncoding.Strict().DecodeString(extra)
	if err != nil || !ok {
		return Receipt{}, errors.New("line 2 of the receipt: not the opening of an entry, in base 64 after extra")
	}
	if err := r.Opening.UnmarshalJSON(opening); err != nil {
		return Receipt{}, fmt.Errorf("line 2 of the receipt: %w", err)
	}
	index, ok := strings.CutPrefix(lines[1], "index ")
	if r.Index, err = strconv.ParseInt(index, 10, 64); err != nil || !ok || r.Index < 0 || len(lines) > 2+maxProof {
		return Receipt{}, errors.New("line 3 of the receipt: not an index, or too many lines follow")
	}
	for i, l := range lines[2:] {
		h, err := base64.StdEncoding.Strict().DecodeString(l)
		if err != nil || len(h) != tlog.HashSize {
			return Receipt{}, fmt.Errorf("line %d of the receipt: not a hash of %d bytes in base 64", 4+i, tlog.HashSize)
		}
		r.Proof = append(r.Proof, tlog.Hash(h))
	}
	r.Checkpoint = bytes.Clone(checkpoint)
	return r, nil
}

// Verify checks the receipt against the keys of the log, and answers the
// checkpoint that it stands under. What does not hold is a *Failure.
func (r Receipt) Verify(keys, witnesses []string) (Signed, error) {
	s, err := OpenCheckpoint(r.Checkpoint, keys, witnesses)
	if err != nil {
		return Signed{}, err
	}
	if err := r.Included(s.Checkpoint); err != nil {
		return Signed{}, err
	}
	return s, nil
}

// Included checks that the event stands in the tree of a checkpoint, whose
// signatures it does not look at.
func (r Receipt) Included(c Checkpoint) error {
	entry, err := r.Opening.Entry()
	if err != nil {
		return &Failure{What: fmt.Sprintf("entry %d: %v", r.Index, err), Index: r.Index}
	}
	if r.Index < 0 || r.Index >= c.Size || tlog.CheckRecord(r.Proof, c.Size, c.Root, r.Index, tlog.RecordHash(entry)) != nil {
		return &Failure{
			What:  fmt.Sprintf("entry %d of the log is not what the receipt shows: the event or the proof was changed", r.Index),
			Index: r.Index,
		}
	}
	return nil
}
