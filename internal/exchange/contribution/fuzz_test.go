package contribution

import (
	"bytes"
	"testing"
	"time"

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
		env, err := scan(t.Context(), time.Time{}, bytes.NewReader(body), func(o *stix.Object) error {
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
		successes: []Detail{
			{ID: "tool--1", Version: 1_767_225_600_000_000},
			{ID: "tool--00000000-0000-4000-8000-00000000000a", Version: -1},
			{ID: "tool--00000000-0000-4000-8000-00000000000b", Message: "it was there already"},
			{ID: "tool--00000000-0000-4000-8000-00000000000B", Message: "it was there already"},
			{ID: "--00000000-0000-4000-8000-00000000000c"},
			{ID: "urn:uuid:--00000000-0000-4000-8000-00000000000c"},
			{ID: ""},
		},
		failures: []Detail{{ID: "objects[3]", Message: "$.objects[3]: wrong\n"}, {ID: "objects[4]", Message: "it was there already"}},
	}
	b := d.pack()
	if e, err := unpack(b); err != nil || !cmp.Equal(d, e, cmp.AllowUnexported(details{})) {
		f.Fatalf("%v: %+v became %+v", err, d, e)
	}
	if _, err := unpack(b[:len(b)-1]); err == nil {
		f.Error("a status that is cut off is read")
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := unpack(b)
		if err != nil {
			return
		}
		if e, err := unpack(d.pack()); err != nil || !cmp.Equal(d, e, cmp.AllowUnexported(details{})) {
			t.Errorf("%v: %+v became %+v", err, d, e)
		}
	})
}
