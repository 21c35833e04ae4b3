package taxii

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// What parsePlain reads parseAny reads as well, and in the same way.
func TestPlainQueriesAreReadAsAllOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	read := 0
	for range 200_000 {
		var parts []string
		for range r.IntN(4) {
			name := pick("added_after", "limit", "next", "added%5Fafter", "match[type]", "other", "", "limit ")
			value := pick("2026-01-02T03:04:05.678901Z", "2026-01-02T03%3a04%3A05Z", "2026-02-30T03:04:05Z", "2026-01-02T03:04:05.1234567891Z",
				"2026-01-02T03%3", "2026-01-02T03:04:05%2E5Z", "1", "007", "0", "-1", "1+", "%31", "99999999999999999999", "abc", "a%20b", "a;b", "a=b", "", "é", "\x00")
			if at := r.IntN(60); at < len(value) {
				value = value[:at] + pick("%", "+", ":", "9", "Z", "%3A") + value[at+1:]
			}
			parts = append(parts, name+pick("=", "=", "=", "=", "")+value)
		}
		raw := strings.Join(parts, "&")
		q, cursor, ok := parsePlain(raw)
		if !ok {
			continue
		}
		read++
		want, at, err := parseAny(raw, fields{})
		if err != nil || cursor != at || !reflect.DeepEqual(q, want) {
			t.Fatalf("%q: %+v %q, want %+v %q %v", raw, q, cursor, want, at, err)
		}
	}
	if read < 10_000 {
		t.Errorf("only %d were plain", read)
	}
	for _, raw := range []string{"added_after=2026-01-02T03%3A04%3A05.678901Z&limit=100", "limit=100&next=abc", ""} {
		if _, _, ok := parsePlain(raw); !ok {
			t.Errorf("%q is not plain", raw)
		}
	}
}

// Dates are those that package time knows.
func TestDatesOfTimestamps(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for range 200_000 {
		b := []byte("2024-02-29T23:59:59")
		for range r.IntN(4) {
			if i := r.IntN(len(b)); shape[i] == 'd' {
				b[i] = byte('0' + r.IntN(10))
			}
		}
		want, err := time.Parse("2006-01-02T15:04:05", string(b))
		got, ok := parseTimestamp(string(b) + "Z")
		if ok != (err == nil) || ok && got != want.UnixMicro() {
			t.Fatalf("%s: %d %v, want %d %v", b, got, ok, want.UnixMicro(), err)
		}
	}
}
