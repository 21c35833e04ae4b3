package taxii

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
	maxValues    = 1000 // in one match field
	maxValue     = 512  // bytes of one value
)

// query is what the parameters of a request ask for (§3.4).
type query struct {
	after    int64 // added_after, exclusive, Unix microseconds; 0: from the beginning
	limit    int
	ids      []string
	types    []string
	version  string // match[version] as given; "": not given
	versions delivery.Versions
	specs    string // match[spec_version] as given; "": not given
}

// fields are the match fields that an endpoint has, apart from spec_version,
// which all have.
type fields struct{ id, typ, version bool }

// scope is where a query runs. A cursor of one scope means nothing in another.
type scope struct {
	collection string
	object     string // "": the whole collection
}

// delivery returns the query for the delivery room.
func (q query) delivery() delivery.Query {
	return delivery.Query{After: q.after, Limit: q.limit, IDs: q.ids, Types: q.types, Versions: q.versions}
}

// nothing reports that no object can match: every object here is STIX 2.1,
// which is also what a request without match[spec_version] is given (§3.4.1).
func (q query) nothing() bool {
	return q.specs != "" && !slices.Contains(strings.Split(q.specs, ","), "2.1")
}

// narrowed reports that the query leaves something out for another reason than
// its limit.
func (q query) narrowed() bool { return q.after > 0 || q.version != "" || q.specs != "" }

// parseQuery reads the raw query string of a request. Every error is a 400.
//
// A parameter that comes twice is malformed (§3.4: added_after and each match
// field at most once). Parameters that the standard does not know are ignored;
// match fields that it does not know, or that the endpoint lacks, are refused,
// because ignoring a filter gives more than was asked for.
//
// With next, what the request leaves out is taken from the cursor, which
// carries the whole query, since several clients repeat only a part. What it
// repeats counts, so that nothing outside the query as given is answered
// (Appendix B, on next); of two positions the later one counts, so that an
// added_after that the client changed meanwhile neither loops nor goes back.
func parseQuery(raw string, f fields, at scope) (query, error) {
	q, cursor, ok := parsePlain(raw)
	if !ok {
		var err error
		if q, cursor, err = parseAny(raw, f); err != nil {
			return query{}, err
		}
	}
	if cursor != "" {
		from, err := decodeCursor(cursor, f, at)
		if err != nil {
			return query{}, err
		}
		q.resume(from)
	}
	if q.limit == 0 {
		q.limit = defaultLimit
	}
	return q, nil
}

// parseAny reads every query string.
func parseAny(raw string, f fields) (q query, cursor string, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return query{}, "", malformed("the query string cannot be read")
	}
	for name, given := range values {
		read := q.parameter(name, f, &cursor)
		if read == nil {
			continue
		}
		if len(given) > 1 {
			return query{}, "", malformed("a parameter occurs more than once")
		}
		if err := read(given[0]); err != nil {
			return query{}, "", err
		}
	}
	return q, cursor, nil
}

// parsePlain reads what most polls say: added_after, limit and next, each at
// most once and well formed. ok is false where there is anything else: that is
// for parseAny, which reads these in the same way.
func parsePlain(raw string) (q query, cursor string, ok bool) {
	var after, limit, next bool
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(part, "=")
		switch {
		case value == "" || strings.ContainsAny(value, "+;"):
			return query{}, "", false
		case name == "added_after" && !after:
			var room [len(shape) + 11]byte
			n := unescape(room[:], value)
			if micro, ok := parseTimestamp(string(room[:n])); ok {
				after, q.after = true, max(0, micro)
				continue
			}
		case name == "limit" && !limit:
			if limit = q.readLimit(value) == nil; limit {
				continue
			}
		case name == "next" && !next && !strings.Contains(value, "%"):
			next, cursor = true, value
			continue
		}
		return query{}, "", false
	}
	return q, cursor, true
}

// unescape writes the value with %3A as a colon to b and returns its length; 0
// when it has other escapes or is too long.
func unescape(b []byte, value string) (n int) {
	for i := 0; i < len(value); i, n = i+1, n+1 {
		if n == len(b) {
			return 0
		}
		if b[n] = value[i]; value[i] != '%' {
			continue
		}
		if i+2 >= len(value) || value[i+1] != '3' || value[i+2]|0x20 != 'a' {
			return 0
		}
		b[n], i = ':', i+2
	}
	return n
}

// resume fills what the request left out from its cursor.
func (q *query) resume(from query) {
	q.after = max(q.after, from.after)
	if q.limit == 0 {
		q.limit = from.limit
	}
	if q.ids == nil {
		q.ids = from.ids
	}
	if q.types == nil {
		q.types = from.types
	}
	if q.version == "" {
		q.version, q.versions = from.version, from.versions
	}
	if q.specs == "" {
		q.specs = from.specs
	}
}

// parameter returns what reads the parameter of this name; nil: it is ignored.
func (q *query) parameter(name string, f fields, cursor *string) func(string) error {
	switch name {
	case "added_after":
		return q.readAfter
	case "limit":
		return q.readLimit
	case "next":
		return func(v string) error { *cursor = v; return nil } // empty: as if absent
	case "match[spec_version]":
		return q.readSpecs
	}
	switch {
	case name == "match[id]" && f.id:
		return func(v string) (err error) { q.ids, err = list(v); return err }
	case name == "match[type]" && f.typ:
		return func(v string) (err error) { q.types, err = list(v); return err }
	case name == "match[version]" && f.version:
		return q.readVersion
	case name == "match" || strings.HasPrefix(name, "match["):
		return func(string) error { return malformed("a match field is unknown, or not supported at this address") }
	}
	return nil
}

func (q *query) readAfter(v string) error {
	micro, ok := parseTimestamp(v)
	if !ok {
		return malformed("added_after is no timestamp of the form YYYY-MM-DDTHH:MM:SS.ssssssZ")
	}
	q.after = max(0, micro) // nothing was added before 1970
	return nil
}

// readLimit takes any positive integer, however long, and caps it (§3.4: fewer
// objects than requested are allowed).
func (q *query) readLimit(v string) error {
	for i := range len(v) {
		if !digit(v[i]) {
			return malformed("limit is no positive integer")
		}
	}
	v = strings.TrimLeft(v, "0")
	if v == "" {
		return malformed("limit is no positive integer")
	}
	n, err := strconv.Atoi(v)
	if err != nil || n > maxLimit { // more digits than an int holds
		n = maxLimit
	}
	q.limit = n
	return nil
}

// readSpecs takes a list of n.m (§1.6.8.2).
func (q *query) readSpecs(v string) error {
	specs, err := list(v)
	if err != nil {
		return err
	}
	for _, spec := range specs {
		major, minor, dotted := strings.Cut(spec, ".")
		if !dotted || !digits(major) || !digits(minor) {
			return malformed("match[spec_version] is no list of versions such as 2.1")
		}
	}
	q.specs = v
	return nil
}

// readVersion takes first, last, all, and STIX timestamps; each at most once,
// and all only by itself (§3.4.1).
func (q *query) readVersion(v string) error {
	given, err := list(v)
	if err != nil {
		return err
	}
	var versions delivery.Versions
	for i, one := range given {
		if slices.Contains(given[:i], one) {
			return malformed("match[version] names a version twice")
		}
		switch one {
		case "all":
			versions.All = true
		case "first":
			versions.First = true
		case "last":
			versions.Last = true
		default:
			micro, ok := parseTimestamp(one)
			if !ok {
				return malformed("match[version] is no list of first, last, all and timestamps")
			}
			versions.At = append(versions.At, micro)
		}
	}
	if versions.All && len(given) > 1 {
		return malformed("match[version] combines all with another version")
	}
	q.version, q.versions = v, versions
	return nil
}

// list takes the values of a match field apart: separated by commas without
// spaces, none of them empty.
func list(v string) ([]string, error) {
	if strings.Count(v, ",") >= maxValues {
		return nil, malformed("a match field has more than 1000 values")
	}
	values := strings.Split(v, ",")
	for _, value := range values {
		if value == "" || len(value) > maxValue || !plain(value) {
			return nil, malformed("a match field has an empty or malformed value")
		}
	}
	return values, nil
}

// plain reports whether s is valid text without spaces and control characters.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f })
}

func digits(s string) bool {
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return s != ""
}
