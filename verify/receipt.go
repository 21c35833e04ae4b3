package verify

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// Receipt proves that an event is in the ledger. It is verified with the log's
// public key alone.
//
// As a file it is the line "forewarn receipt v1"; a line with the entry's index, the
// number of hashes, and a number of bytes; the hashes of the inclusion proof, 32 bytes
// each; so many bytes of DEFLATE (RFC 1951), which hold the opening as JSON on one line
// and after it the signed checkpoint; and the first 8 bytes of the SHA-256 of all this.
// The same as text is a C2SP tlog-proof, of which the opening is the extra data.
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

// checkSize is how many bytes of a hash stand at the end of a receipt: damage is told
// from what is not proven.
const checkSize = 8

// deflaters are kept: each takes more memory than a thousand receipts.
var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(io.Discard, flate.BestCompression) // the level is right
	return w
}}

// MarshalBinary writes the receipt as a file.
func (r Receipt) MarshalBinary() ([]byte, error) {
	opening, err := r.Opening.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&packed)
	for _, b := range [][]byte{opening, {'\n'}, r.Checkpoint} {
		if _, err := w.Write(b); err != nil {
			return nil, fmt.Errorf("packing a receipt: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing a receipt: %w", err)
	}
	b := fmt.Appendf([]byte(receiptHead), "%d %d %d\n", r.Index, len(r.Proof), packed.Len())
	for _, h := range r.Proof {
		b = append(b, h[:]...)
	}
	b = append(b, packed.Bytes()...)
	sum := sha256.Sum256(b)
	return append(b, sum[:checkSize]...), nil
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
// only what MarshalBinary or MarshalText writes. What begins as a receipt and is not
// as it was written is a *Failure.
func ParseReceipt(b []byte) (Receipt, error) {
	r, err := parseReceipt(b)
	if err != nil && (bytes.HasPrefix(b, []byte(receiptHead)) || bytes.HasPrefix(b, []byte(proofHead))) {
		return r, failure("%v", err)
	}
	return r, err
}

func parseReceipt(b []byte) (Receipt, error) {
	if len(b) > MaxReceipt {
		return Receipt{}, fmt.Errorf("larger than %d bytes: not a receipt", MaxReceipt)
	}
	if rest, ok := bytes.CutPrefix(b, []byte(receiptHead)); ok {
		sum := sha256.Sum256(b[:max(len(b)-checkSize, 0)])
		if !bytes.HasSuffix(b, sum[:checkSize]) {
			return Receipt{}, errors.New("the receipt is damaged: it is not as it was written, or not all of it is there")
		}
		return parseFile(rest[:max(len(rest)-checkSize, 0)])
	}
	rest, ok := bytes.CutPrefix(b, []byte(proofHead))
	if !ok {
		return Receipt{}, fmt.Errorf("not a receipt: its first line is neither %q nor %q", receiptHead[:len(receiptHead)-1], proofHead[:len(proofHead)-1])
	}
	r, err := parseProof(rest)
	if err != nil {
		return Receipt{}, err
	}
	if again, err := r.MarshalText(); err != nil || !bytes.Equal(again, b) {
		return Receipt{}, errors.New("the receipt was changed, or written by another program: it is read only as it was given")
	}
	return r, nil
}

func parseFile(rest []byte) (r Receipt, err error) {
	numbers, rest, ok := bytes.Cut(rest, []byte("\n"))
	var hashes, size int
	if _, err := fmt.Sscanf(string(numbers), "%d %d %d", &r.Index, &hashes, &size); err != nil || !ok ||
		fmt.Sprintf("%d %d %d", r.Index, hashes, size) != string(numbers) || r.Index < 0 || hashes < 0 || hashes > maxProof {
		return Receipt{}, errors.New("line 2 of the receipt: not an index, a number of hashes and a number of bytes")
	}
	if len(rest) != hashes*tlog.HashSize+size || size < 0 {
		return Receipt{}, errors.New("the receipt does not hold as many bytes as its line 2 says")
	}
	for range hashes {
		r.Proof = append(r.Proof, tlog.Hash(rest[:tlog.HashSize]))
		rest = rest[tlog.HashSize:]
	}
	packed := bytes.NewReader(rest)
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(packed), MaxReceipt+1))
	if err != nil || len(text) > MaxReceipt || packed.Len() > 0 {
		return Receipt{}, fmt.Errorf("unpacking the receipt: not DEFLATE, or more than %d bytes", MaxReceipt)
	}
	opening, checkpoint, _ := bytes.Cut(text, []byte("\n"))
	if err := r.Opening.UnmarshalJSON(opening); err != nil {
		return Receipt{}, fmt.Errorf("the opening in the receipt: %w", err)
	}
	if again, err := r.Opening.MarshalJSON(); err != nil || !bytes.Equal(again, opening) {
		return Receipt{}, errors.New("the opening in the receipt was written by another program")
	}
	r.Checkpoint = checkpoint
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
		return &Failure{What: fmt.Sprintf("place %d: %v", r.Index, err), Index: r.Index}
	}
	if r.Index < 0 || r.Index >= c.Size || tlog.CheckRecord(r.Proof, c.Size, c.Root, r.Index, tlog.RecordHash(entry)) != nil {
		return &Failure{
			What:  fmt.Sprintf("the entry at place %d of the log is not what the receipt shows: the event or the proof was changed", r.Index),
			Index: r.Index,
		}
	}
	return nil
}
