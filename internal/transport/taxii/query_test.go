package taxii

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

var (
	all  = fields{id: true, typ: true, version: true}
	here = scope{collection: "c1"}
)

func micros(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UnixMicro()
}

func TestParseQuery(t *testing.T) {
	tests := []struct {
		raw  string
		want query
	}{
		{"", query{limit: 100}},
		{"limit=1", query{limit: 1}},
		{"limit=0007", query{limit: 7}},
		{"limit=1000", query{limit: 1000}},
		{"limit=1001", query{limit: 1000}},
		{"limit=99999999999999999999999999", query{limit: 1000}},
		{"next=", query{limit: 100}},
		{"unknown=1&unknown=2&matched=x", query{limit: 100}},
		{"added_after=2016-02-21T05:01:01Z", query{limit: 100, after: micros("2016-02-21T05:01:01Z")}},
		{"added_after=2016-02-21T05:01:01.1Z", query{limit: 100, after: micros("2016-02-21T05:01:01.1Z")}},
		{"added_after=2016-02-21T05:01:01.000123Z", query{limit: 100, after: micros("2016-02-21T05:01:01.000123Z")}},
		{"added_after=2016-02-21T05:01:01.000123999Z", query{limit: 100, after: micros("2016-02-21T05:01:01.000123Z")}},
		{"added_after=1969-12-31T23:59:59Z", query{limit: 100}},
		{"match[type]=indicator,malware", query{limit: 100, types: []string{"indicator", "malware"}}},
		{"match%5Btype%5D=indicator", query{limit: 100, types: []string{"indicator"}}},
		{"match[id]=indicator--1", query{limit: 100, ids: []string{"indicator--1"}}},
		{"match[version]=all", query{limit: 100, version: "all", versions: delivery.Versions{All: true}}},
		{"match[version]=last,first", query{limit: 100, version: "last,first", versions: delivery.Versions{First: true, Last: true}}},
		{"match[version]=first,2018-03-02T01:01:01.123Z", query{
			limit: 100, version: "first,2018-03-02T01:01:01.123Z",
			versions: delivery.Versions{First: true, At: []int64{micros("2018-03-02T01:01:01.123Z")}},
		}},
		{"match[spec_version]=2.1", query{limit: 100, specs: "2.1"}},
		{"match[spec_version]=2.0,2.1", query{limit: 100, specs: "2.0,2.1"}},
	}
	for _, test := range tests {
		got, err := parseQuery(test.raw, all, here)
		if err != nil {
			t.Errorf("%s: %v", test.raw, err)
			continue
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(query{})); diff != "" {
			t.Errorf("%s:\n%s", test.raw, diff)
		}
	}
}

// §3.4: malformed parameters are answered with 400.
func TestMalformedQuery(t *testing.T) {
	for _, raw := range []string{
		"limit=0", "limit=-1", "limit=", "limit=x", "limit=1.5", "limit=1e3", "limit=%2B5", "limit= 5", "limit=1&limit=1", "limit=٣",
		"added_after=", "added_after=x", "added_after=2016-02-21", "added_after=2016-02-21T05:01:01", "added_after=2016-02-30T05:01:01Z",
		"added_after=2016-02-21T05:01:01.Z", "added_after=2016-02-21T05:01:01%2B00:00", "added_after=2016-02-21T05:01:01.0000000001Z",
		"added_after=2016-02-21t05:01:01z", "added_after=2016-02-21 05:01:01Z", "added_after=2016-02-21T25:01:01Z",
		"added_after=2016-02-21T05:01:01.00000-Z", "added_after=2016-02-21T05:01:01Z&added_after=2016-02-21T05:01:01Z",
		"added_after=2016-02-21T05:01:01Z,2016-02-22T05:01:01Z", "added_after=16-02-21T05:01:01Z",
		"match[type]=", "match[type]=a,,b", "match[type]=a,", "match[type]=a, b", "match[type]=a&match[type]=b", "match[type]=%00",
		"match[type]=%ff", "match[id]=" + strings.Repeat("a", 513), "match[id]=" + strings.Repeat("a,", 1000) + "a",
		"match[version]=latest", "match[version]=all,last", "match[version]=first,first", "match[version]=", "match[version]=2016-01-01",
		"match[version]=2016-01-01T00:00:00.000Z,2016-01-01T00:00:00.000Z", "match[spec_version]=two", "match[spec_version]=2", "match[spec_version]=2.",
		"match[name]=x", "match[]=x", "match=x", "match[id=x", "match[TYPE]=x",
		"next=x", "next=AAAA", "next=" + strings.Repeat("A", 200_000), "next=a&next=b",
		"%zz=1", "limit=5;next=", "limit=%",
	} {
		_, err := parseQuery(raw, all, here)
		if err == nil {
			t.Errorf("%.60s is taken", raw)
			continue
		}
		f := httpkit.FailureOf(err)
		if f.Status != 400 || f.Detail == "" {
			t.Errorf("%.60s: %d %q", raw, f.Status, f.Detail)
		}
	}
}

// §5.6: the one match parameter of an object is version; §5.8: versions have
// none. spec_version stands at both.
func TestFieldsOfEndpoints(t *testing.T) {
	for raw, f := range map[string]fields{
		"match[id]=a": {version: true}, "match[type]=a": {version: true}, "match[version]=all": {},
	} {
		if _, err := parseQuery(raw, f, here); err == nil {
			t.Errorf("%s is taken with %+v", raw, f)
		}
	}
	if _, err := parseQuery("match[version]=all&match[spec_version]=2.1", fields{version: true}, here); err != nil {
		t.Error(err)
	}
}

func TestTimestamps(t *testing.T) {
	for micro, want := range map[int64][2]string{
		0:                     {"1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000Z"},
		1_456_030_861_000_001: {"2016-02-21T05:01:01.000001Z", "2016-02-21T05:01:01.000001Z"},
		1_456_030_861_120_000: {"2016-02-21T05:01:01.120000Z", "2016-02-21T05:01:01.120Z"},
	} {
		if got := [2]string{timestamp(micro), string(appendVersion(nil, micro))}; got != want {
			t.Errorf("%d: %v, want %v", micro, got, want)
		}
		for _, s := range want {
			if got, ok := parseTimestamp(s); !ok || got != micro {
				t.Errorf("%s is read as %d, %v", s, got, ok)
			}
		}
	}
}

func TestCursor(t *testing.T) {
	first, err := parseQuery("limit=7&match[type]=indicator,malware&match[version]=all&match[spec_version]=2.1", all, here)
	if err != nil {
		t.Fatal(err)
	}
	next := encodeCursor(first, 5000, here)
	want := first
	want.after = 5000
	tests := []struct {
		name, raw string
		change    func(q *query)
	}{
		{"alone (a client that drops the filters)", "", func(*query) {}},
		{"with the same query", "limit=7&match[type]=indicator,malware&match[version]=all&match[spec_version]=2.1&added_after=1970-01-01T00:00:00.000001Z", func(*query) {}},
		{"with another limit (taxii2client)", "limit=3", func(q *query) { q.limit = 3 }},
		{"with a later added_after (OpenCTI)", "added_after=1970-01-01T00:00:00.009Z", func(q *query) { q.after = 9000 }},
		{"with an earlier added_after", "added_after=1970-01-01T00:00:00.001Z", func(*query) {}},
		{"with another filter", "match[type]=note", func(q *query) { q.types = []string{"note"} }},
		{"with another version", "match[version]=first", func(q *query) {
			q.version, q.versions = "first", delivery.Versions{First: true}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseQuery(test.raw+"&next="+next, all, here)
			if err != nil {
				t.Fatal(err)
			}
			want := want
			test.change(&want)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(query{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A cursor that was changed, cut, or given out elsewhere is malformed.
func TestForeignCursor(t *testing.T) {
	q := query{limit: 100, ids: []string{"indicator--1"}}
	next := encodeCursor(q, 5000, here)
	refused := func(what, cursor string, at scope, f fields) {
		t.Helper()
		if _, err := parseQuery("next="+url.QueryEscape(cursor), f, at); httpkit.FailureOf(err).Status != 400 {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("another collection", next, scope{collection: "c2"}, all)
	refused("an object of the collection", next, scope{collection: "c1", object: "o"}, all)
	refused("an endpoint without its fields", next, here, fields{version: true})
	refused("padded", next+"==", here, all)
	refused("a letter more", next+"A", here, all)
	for i := range len(next) {
		b := []byte(next)
		b[i] = 'A' + (b[i]-'A'+1)%26
		if string(b) != next {
			refused("letter changed", string(b), here, all)
		}
		refused("cut", next[:i+1][:max(1, i)], here, all)
	}
	// What fits the checksum is still read as if it came from a client.
	for _, body := range []string{"", "5000", "-1\n1\n\n\n\n", "5\n0\n\n\n\n", "5\n1\na,\n\n\n", "5\n1\n\n\nnone\n", "5\n1\n\n\n\n2", "5\n1\n\n\n\n\n"} {
		b := append(sumOf(body), body...)
		refused("forged "+body, base64.RawURLEncoding.EncodeToString(b), here, all)
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("limit=5&added_after=2016-02-21T05:01:01.000123Z&match[type]=a,b&match[version]=last,2016-02-21T05:01:01Z")
	f.Add("match[id]=indicator--1&match[spec_version]=2.0,2.1&next=")
	f.Add("next=" + encodeCursor(query{limit: 3, types: []string{"note"}}, 77, here))
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw, all, here)
		if err != nil {
			if httpkit.FailureOf(err).Status != 400 {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if q.limit < 1 || q.limit > maxLimit || q.after < 0 || len(q.ids) > maxValues || slices.Contains(q.types, "") {
			t.Fatalf("%q: %+v", raw, q)
		}
		// Whatever is taken survives its own cursor.
		again, err := parseQuery("next="+encodeCursor(q, q.after, here), all, here)
		if err != nil {
			t.Fatalf("%q: its cursor: %v", raw, err)
		}
		if diff := cmp.Diff(q, again, cmp.AllowUnexported(query{})); diff != "" {
			t.Fatalf("%q: %s", raw, diff)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(encodeCursor(query{limit: 3}, 77, here), "77\n3\n\n\n\n")
	f.Add("", "9223372036854775807\n1000\nindicator--1,note--2\nnote\nfirst,last\n2.0,2.1")
	f.Add("AAAAAAAAAAAAAAAAAAAA", "-1\n0\n,\n \nall,all\nx")
	f.Add(encodeCursor(query{limit: 3}, 77, here)[:3]+"\n"+encodeCursor(query{limit: 3}, 77, here)[3:], "+7\n03\n\n\n\n\n")
	f.Add("", "0\n\n\n\n\n")
	f.Fuzz(func(t *testing.T, cursor, body string) {
		check := func(cursor string) (query, bool) {
			q, err := decodeCursor(cursor, all, here)
			if err != nil && httpkit.FailureOf(err).Status != 400 {
				t.Fatal(err)
			}
			return q, err == nil
		}
		if q, ok := check(cursor); ok && encodeCursor(q, q.after, here) != cursor {
			t.Fatalf("%q is read, but %q would be written", cursor, encodeCursor(q, q.after, here))
		}
		// Whoever knows how the checksum is made gets no more than a query that
		// could have been asked.
		q, ok := check(encoding.EncodeToString(append(sumOf(body), body...)))
		if !ok {
			return
		}
		if q.after < 0 || q.limit < 0 || q.limit > maxLimit || len(q.ids) > maxValues || slices.Contains(q.ids, "") || slices.Contains(q.types, "") {
			t.Fatalf("%q: %+v", body, q)
		}
		if q.limit == 0 {
			q.limit = defaultLimit // as parseQuery does
		}
		again, ok := check(encodeCursor(q, q.after, here))
		if diff := cmp.Diff(q, again, cmp.AllowUnexported(query{})); !ok || diff != "" {
			t.Fatalf("%q: its cursor: %v %s", body, ok, diff)
		}
	})
}

func sumOf(body string) []byte {
	sum := checksum([]byte(body), here)
	return sum[:]
}
