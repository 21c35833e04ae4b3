package stix_test

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func readData(tb testing.TB, elem ...string) []byte {
	tb.Helper()
	b, err := os.ReadFile(testkit.Data(tb, elem...))
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
		c.Granules = granules(o.Granules)
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

// granules is a copy in memory of its own; none are nil.
func granules(of []stix.Granule) (out []stix.Granule) {
	for _, g := range of {
		out = append(out, stix.Granule{Ref: g.Ref, Selectors: append([]string(nil), g.Selectors...)})
	}
	return out
}
