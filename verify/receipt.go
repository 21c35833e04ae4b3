package verify

import (
	"bytes"
	"encoding/json"
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
// to the end. The same as text is a C2SP tlog-proof.
type Receipt struct {
	Opening    Opening
	Index      int64
	Proof      tlog.RecordProof
	Checkpoint []byte // signed
}

// MaxReceipt is the largest receipt that is read, in bytes.
const MaxReceipt = 4 << 20

const receiptHead = "forewarn receipt v1\n"

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

// ParseReceipt reads a receipt. It verifies nothing.
func ParseReceipt(b []byte) (Receipt, error) {
	if len(b) > MaxReceipt {
		return Receipt{}, fmt.Errorf("larger than %d bytes: not a receipt", MaxReceipt)
	}
	rest, ok := bytes.CutPrefix(b, []byte(receiptHead))
	if !ok {
		return Receipt{}, errors.New(`not a receipt: it does not begin with the line "forewarn receipt v1"`)
	}
	opening, rest, _ := bytes.Cut(rest, []byte("\n"))
	numbers, rest, ok := bytes.Cut(rest, []byte("\n"))
	if !ok {
		return Receipt{}, errors.New("the receipt is cut off")
	}
	var r Receipt
	if err := json.Unmarshal(opening, &r.Opening); err != nil {
		return Receipt{}, fmt.Errorf("line 2 of the receipt: %w", err)
	}
	index, count, _ := strings.Cut(string(numbers), " ")
	n, err := strconv.ParseUint(count, 10, 8)
	if err == nil {
		r.Index, err = strconv.ParseInt(index, 10, 64)
	}
	if err != nil || n > 63 || r.Index < 0 {
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

// Verify checks the receipt against the keys of the log, and answers the
// checkpoint that it stands under. What does not hold is a *Failure.
func (r Receipt) Verify(keys, witnesses []string) (Signed, error) {
	s, err := OpenCheckpoint(r.Checkpoint, keys, witnesses)
	if err != nil {
		return Signed{}, err
	}
	entry, err := r.Opening.Entry()
	if err != nil {
		return Signed{}, failure("%v", err)
	}
	if r.Index >= s.Size || tlog.CheckRecord(r.Proof, s.Size, s.Root, r.Index, tlog.RecordHash(entry)) != nil {
		return Signed{}, &Failure{
			What:  fmt.Sprintf("entry %d of the log is not what the receipt shows: the event or the proof was changed", r.Index),
			Index: r.Index,
		}
	}
	return s, nil
}
