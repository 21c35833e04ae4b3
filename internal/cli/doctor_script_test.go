package cli_test

import (
	"bytes"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// flip changes one bit of a file: flip FILE OFFSET.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	b[at] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// swap replaces the last place of a text in a file of bytes by another of the same
// length, whole words inside of JSON alone: swap FILE A B.
func swap(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	from, to := []byte(`"kind":"`+args[1]+`"`), []byte(`"kind":"`+args[2]+`"`)
	if len(from) != len(to) || !bytes.Contains(b, from) {
		ts.Fatalf("%s does not hold %s", args[0], from)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.ReplaceAll(b, from, to), 0o600))
}
