package contribution

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// Whatever comes, each element is taken, a repetition, or faulty, and what is
// taken has its bytes.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `{"objects":[]}`, `{"objects":[7,{"type":"tool"}]}`, `{"type":"indicator","objects":[{}]}`, `{"objects":[{"a":1},`,
		`{"more":true,"objects":[{"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--00000000-0000-4000-8000-000000000001","value":"198.51.100.1"},` +
			`{"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--00000000-0000-4000-8000-000000000001","value":"198.51.100.1"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var p part
		env, err := scan(t.Context(), bytes.NewReader(body), func(o *stix.Object) error {
			p.add(o)
			return nil
		})
		kindOf(bytes.NewReader(body))
		if err != nil {
			return
		}
		if env.total != len(env.faulty)+env.copies+len(p.objs) {
			t.Errorf("%d elements: %d faulty, %d again, %d taken", env.total, len(env.faulty), env.copies, len(p.objs))
		}
		for _, o := range p.objs {
			if !bytes.Contains(body, p.raw[o.offset:o.offset+o.length]) || string(p.raw[o.offset+o.length:][:2]) != between {
				t.Errorf("object %d has other bytes", o.index)
			}
		}
		if ds, err := env.failures(t.Context(), bytes.NewReader(body)); err != nil || len(ds) != min(len(env.faulty), MaxDetails) {
			t.Errorf("%d failures of %d: %v", len(ds), len(env.faulty), err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	d := details{
		successes: []Detail{{ID: "tool--1", Version: "2026-01-01T00:00:00.000Z"}, {ID: "tool--2", Message: "it was there already"}},
		failures:  []Detail{{ID: "objects[3]", Message: "$.objects[3]: wrong"}},
	}
	b, err := d.pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := unpack(b)
		if err != nil {
			return
		}
		again, err := d.pack()
		if err != nil {
			t.Fatal(err)
		}
		if e, err := unpack(again); err != nil || !cmp.Equal(d, e, cmp.AllowUnexported(details{})) {
			t.Errorf("%v: %+v became %+v", err, d, e)
		}
	})
}
