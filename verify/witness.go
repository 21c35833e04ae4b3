package verify

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// WitnessRequest is the body with which a log asks a witness for its cosignature
// (C2SP tlog-witness, add-checkpoint): the size that the witness signed last, the
// proof from there, and the signed checkpoint.
func WitnessRequest(old int64, proof tlog.TreeProof, checkpoint []byte) []byte {
	b := fmt.Appendf(nil, "old %d\n", old)
	for _, h := range proof {
		b = append(append(b, h.String()...), '\n')
	}
	return append(append(b, '\n'), checkpoint...)
}
