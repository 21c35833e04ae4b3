package stix_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// testData is the folder of real public data; a test that needs it is skipped
// where it is absent.
func testData(tb testing.TB, elem ...string) string {
	tb.Helper()
	if dir := os.Getenv("FOREWARN_TEST_DATA"); dir != "" {
		return filepath.Join(append([]string{dir}, elem...)...)
	}
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			tb.Skip("no module root above the test")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(append([]string{dir, "..", "shared", "data"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skip("the test data is absent; set FOREWARN_TEST_DATA to its folder")
	}
	return path
}

func readData(tb testing.TB, elem ...string) []byte {
	tb.Helper()
	b, err := os.ReadFile(testData(tb, elem...))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// scan reads input and checks on the way that every range equals its Raw.
func scan(tb testing.TB, input []byte, opt stix.Options) ([]stix.Object, stix.Summary) {
	tb.Helper()
	return scanFrom(tb, bytes.NewReader(input), input, opt)
}

func scanFrom(tb testing.TB, r io.Reader, input []byte, opt stix.Options) ([]stix.Object, stix.Summary) {
	tb.Helper()
	var got []stix.Object
	sum, err := stix.Scan(r, opt, func(o *stix.Object) error {
		if o.Length != int64(len(o.Raw)) || !bytes.Equal(input[o.Offset:o.Offset+o.Length], o.Raw) {
			tb.Errorf("object %d: input[%d:+%d] is not Raw", o.Index, o.Offset, o.Length)
		}
		c := *o
		c.Raw = bytes.Clone(o.Raw)
		c.MarkingRefs = append([]string(nil), o.MarkingRefs...)
		c.Granular = append([]string(nil), o.Granular...)
		got = append(got, c)
		return nil
	})
	if err != nil {
		tb.Fatalf("Scan: %v", err)
	}
	if (sum.ProblemCount > 0) != (len(sum.Problems) > 0) || len(sum.Problems) > sum.ProblemCount {
		tb.Errorf("%d problems listed of %d", len(sum.Problems), sum.ProblemCount)
	}
	return got, sum
}
