package pattern_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/format/pattern"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func TestSyntaxErrorSaysWhere(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[file:name = ]", `line 1, column 14: found "]", expected a constant: a number, 'string', true, false, h'hex', b'base64' or t'timestamp'`},
		{"[file:name = 'Łódź'\n  and file:size = 1]", `line 2, column 3: found "and", expected AND, OR or ]; keywords are written in capitals: AND`},
		{"[file:name = 'Łódź' &]", `line 1, column 21: found "&", expected AND, OR or ]`},
		{"[file:name = 'open", "line 1, column 14: a string without its closing quote"},
		{"[file:size = 1] WITHIN 0 SECONDS", `line 1, column 24: WITHIN takes a positive number of seconds, not "0" (STIX 2.1 §9.5.1)`},
		{"[file:name MATCHES 'a\\\\d(?=b)']", "line 1, column 25: the regular expression has a look-ahead, which is not supported: expressions are matched in linear time (RE2) (STIX 2.1 §9.6.1)"},
		{"[file:name = 'a\xff']", "line 1, column 16: a byte that is not UTF-8 (STIX 2.1 §9.2)"},
		{"[file:name = 1] " + strings.Repeat("x", 100), `line 1, column 17: found "` + strings.Repeat("x", 40) + `"…, expected AND, OR, FOLLOWEDBY, WITHIN, REPEATS, START or the end of the pattern`},
	} {
		_, err := pattern.Parse(c.text, pattern.Options{})
		if err == nil || err.Error() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestString(t *testing.T) {
	for text, want := range map[string]string{
		"[ a:b==1 AND(a:c<>'x' OR a:'d'NOT IN(1,2.0)) ]":                              "[a:b = 1 AND (a:c != 'x' OR a:d NOT IN (1, 2.0))]",
		"([a:b=1])AND([a:b=2]OR[a:b=3])WITHIN 5.0 SECONDS":                            "[a:b = 1] AND ([a:b = 2] OR [a:b = 3]) WITHIN 5 SECONDS",
		"([a:b=1] FOLLOWEDBY ([a:b=2] FOLLOWEDBY [a:b=3]))":                           "[a:b = 1] FOLLOWEDBY [a:b = 2] FOLLOWEDBY [a:b = 3]",
		"([a:b=1] REPEATS 2 TIMES) REPEATS 3 TIMES":                                   "([a:b = 1] REPEATS 2 TIMES) REPEATS 3 TIMES",
		`[a:b.'c-d'[*].'IN'[0] = 'it\'s a \\']`:                                       `[a:b.'c-d'[*].'IN'[0] = 'it\'s a \\']`,
		"[a:b = h'AB' OR a:b = b'AB==' OR a:b = t'2020-01-01T00:00:00.100Z']":         "[a:b = h'ab' OR a:b = b'AA==' OR a:b = t'2020-01-01T00:00:00.1Z']",
		"[NOT EXISTS a:b] START t'2020-01-01T00:00:00Z' STOP t'2020-01-02T00:00:00Z'": "[NOT EXISTS a:b] START t'2020-01-01T00:00:00Z' STOP t'2020-01-02T00:00:00Z'",
	} {
		if got := parse(t, text).String(); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

// TestLimits gives hostile patterns: each ends in ErrLimit.
func TestLimits(t *testing.T) {
	const one = "[a:b = 1]"
	deep := strings.Repeat("(", 101) + one + strings.Repeat(")", 101)
	for name, c := range map[string]struct {
		text string
		opt  pattern.Options
	}{
		"bytes":       {one, pattern.Options{MaxBytes: 8}},
		"depth":       {deep, pattern.Options{}},
		"depth in []": {"[" + strings.Repeat("(", 101) + "a:b = 1", pattern.Options{}},
		"great depth": {strings.Repeat("(", 5_000_000), pattern.Options{MaxDepth: 1 << 30}},
		"nodes":       {"[a:b IN (1, 2, 3)]", pattern.Options{MaxNodes: 3}},
		"steps":       {"[a:b.c.d.e = 1]", pattern.Options{MaxNodes: 3}},
		"regexp":      {"[a:b MATCHES '" + strings.Repeat("a", 40_000) + "']", pattern.Options{}},
		"unrolled":    {"[a:b MATCHES '" + strings.Repeat("(x{1000})", 1) + "']", pattern.Options{MaxProgram: 900}},
		"classes":     {"[a:b MATCHES '[" + strings.Repeat("[:", 8000) + "]']", pattern.Options{}},
		"program":     {"[a:b MATCHES '" + strings.Repeat("x{900}", 1000) + "' OR a:b MATCHES '" + strings.Repeat("y{900}", 1000) + "']", pattern.Options{}},
	} {
		_, err := pattern.Parse(c.text, c.opt)
		var e *pattern.SyntaxError
		if !errors.Is(err, pattern.ErrLimit) || !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pattern.Parse(deep[1:len(deep)-1], pattern.Options{}); err != nil {
		t.Errorf("100 parentheses: %v", err)
	}
	if _, err := pattern.Parse("[a:b MATCHES 'a\\\\1']", pattern.Options{}); errors.Is(err, pattern.ErrLimit) || err == nil {
		t.Errorf("a back reference is not a limit: %v", err)
	}
}

// TestNormaliseIsBounded has patterns whose normal form is exponential, and
// large ones whose form is not.
func TestNormaliseIsBounded(t *testing.T) {
	joined := func(n int, sep, text string) string { return strings.Join(repeat(n, text), sep) }
	for name, text := range map[string]string{
		"comparisons":  "[" + joined(40, " AND ", "(a:b = # OR a:c = #)") + "]",
		"observations": joined(40, " AND ", "([a:b = #] OR [a:c = #] REPEATS 2 TIMES)"),
		"sequence":     joined(40, " FOLLOWEDBY ", "([a:b = #] OR [a:c = #] REPEATS 2 TIMES)"),
		"sets":         "[" + joined(10, " AND ", "a:b# IN (1, 2, 3, 4, 5)") + "]",
	} {
		p := parse(t, text)
		if _, err := p.Normalise(); !errors.Is(err, pattern.ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
		if same, err := pattern.Equivalent(p, p); !errors.Is(err, pattern.ErrLimit) || same {
			t.Errorf("%s: equivalent %v, %v", name, same, err)
		}
	}
	for name, text := range map[string]string{
		"OR":           "[" + joined(20_000, " OR ", "a:b = 'x#'") + "]",
		"AND":          "[" + joined(20_000, " AND ", "a:b# != 1") + "]",
		"OR of []":     joined(20_000, " OR ", "[a:b = 'x#']"),
		"AND of []":    joined(20_000, " AND ", "[a:b = 'x#']"),
		"FOLLOWEDBY":   joined(20_000, " FOLLOWEDBY ", "[a:b = 'x#']"),
		"shared parts": "[" + joined(20_000, " OR ", "a:b = 1 AND a:c = 'x#'") + "]",
	} {
		if _, err := parse(t, text).Normalise(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// repeat is n copies of a text, with its number in place of #.
func repeat(n int, text string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strings.ReplaceAll(text, "#", string(appendInt(nil, i)))
	}
	return out
}

func appendInt(b []byte, i int) []byte {
	raw, _ := json.Marshal(i)
	return append(b, raw...)
}

func TestObservables(t *testing.T) {
	p := parse(t, `[file:hashes.'SHA-256' = 'AA' OR file:hashes.md5 IN ('bb', 'cc') OR file:hashes.MD5 != 'dd' OR file:name NOT LIKE 'no' OR file:name LIKE 'foo.dll' OR file:name LIKE 'a%' OR file:name MATCHES 'b' OR file:size = 5]
		AND [ipv4-addr:value = '198.51.100.1/32' OR ipv4-addr:value = '198.51.100.0/24' OR ipv6-addr:value = '2001:db8::1' OR ipv4-addr:value NOT != '203.0.113.9' OR ipv4-addr:value NOT = '203.0.113.8']
		AND [network-traffic:dst_ref.value ISSUBSET '10.0.0.0/8' OR network-traffic:src_ref.value = 'example.com' OR network-traffic:dst_ref.value = '00:00:5e:00:53:01' OR network-traffic:src_ref.value NOT ISSUBSET '11.0.0.0/8']
		AND [email-message:to_refs[*].value = 'jane@example.com' OR email-message:from_ref.value = 'joe@example.com'] REPEATS 2 TIMES
		FOLLOWEDBY [domain-name:value = 'example.com' OR url:value = 'https://example.com/' OR mac-addr:value = '00:00:5e:00:53:01' OR x-a:b = h'00' OR file:hashes.MD5 IN ('bb')]
		AND [file:parent_directory_ref.path = 'C:\\Temp' OR windows-registry-key:key = 'HKLM\\x' OR mutex:name = 'm' OR autonomous-system:number = 64496 OR EXISTS file:name]`)
	want := []pattern.Observable{
		{"file", "hashes.'SHA-256'", "AA", "hash:SHA-256"},
		{"file", "hashes.md5", "bb", "hash:MD5"},
		{"file", "hashes.md5", "cc", "hash:MD5"},
		{"file", "name", "foo.dll", "file-name"},
		{"file", "size", "5", ""},
		{"ipv4-addr", "value", "198.51.100.1", "ipv4-addr"},
		{"ipv4-addr", "value", "198.51.100.0/24", "cidr"},
		{"ipv6-addr", "value", "2001:db8::1", "ipv6-addr"},
		{"ipv4-addr", "value", "203.0.113.9", "ipv4-addr"},
		{"network-traffic", "dst_ref.value", "10.0.0.0/8", "cidr"},
		{"network-traffic", "src_ref.value", "example.com", "domain-name"},
		{"network-traffic", "dst_ref.value", "00:00:5e:00:53:01", "mac-addr"},
		{"email-message", "to_refs[*].value", "jane@example.com", "email-addr"},
		{"email-message", "from_ref.value", "joe@example.com", "email-addr"},
		{"domain-name", "value", "example.com", "domain-name"},
		{"url", "value", "https://example.com/", "url"},
		{"mac-addr", "value", "00:00:5e:00:53:01", "mac-addr"},
		{"x-a", "b", "00", ""},
		{"file", "hashes.MD5", "bb", "hash:MD5"},
		{"file", "parent_directory_ref.path", `C:\Temp`, "directory-path"},
		{"windows-registry-key", "key", `HKLM\x`, "windows-registry-key"},
		{"mutex", "name", "m", "mutex-name"},
		{"autonomous-system", "number", "64496", "as-number"},
	}
	if diff := cmp.Diff(want, p.Observables()); diff != "" {
		t.Error(diff)
	}
}

// TestRealIndicators reads every indicator of the real data.
func TestRealIndicators(t *testing.T) {
	count, values := 0, 0
	for _, folder := range []string{"attack", "stix-examples"} {
		files, err := filepath.Glob(filepath.Join(testkit.Data(t, folder), "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var bundle struct {
				Objects []struct{ Type, ID, Pattern string }
			}
			if err := json.Unmarshal(raw, &bundle); err != nil {
				t.Fatal(file, err)
			}
			for _, o := range bundle.Objects {
				if o.Type != "indicator" {
					continue
				}
				p, err := pattern.Parse(o.Pattern, pattern.Options{})
				if err != nil {
					t.Errorf("%s: %s: %v", filepath.Base(file), o.ID, err)
					continue
				}
				stable(t, p)
				count++
				values += len(p.Observables())
			}
		}
	}
	if count < 42 || values < 85 {
		t.Errorf("%d indicators with %d values", count, values)
	}
	t.Logf("%d indicators, %d values", count, values)
}

func at(second int) time.Time {
	return time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(second) * time.Second)
}

// people are n observations, one a second, of x-person with a name.
func people(n int, name string) []pattern.Observation {
	list := make([]pattern.Observation, n)
	for i := range list {
		list[i] = pattern.Observation{
			ID: "observed-data--" + string(appendInt(nil, i)), FirstObserved: at(i), LastObserved: at(i), NumberObserved: 1,
			Objects: [][]byte{[]byte(`{"type":"x-person","id":"x-person--` + string(appendInt(nil, i)) + `","name":"` + name + `"}`)},
		}
	}
	return list
}

// TestMatchIsBounded gives searches that are large or hopeless: each ends with
// the right answer, or with ErrLimit.
func TestMatchIsBounded(t *testing.T) {
	joined := func(n int, sep, text string) string { return strings.Join(repeat(n, text), sep) }
	const anyone = "[x-person:name LIKE '%']"
	for name, c := range map[string]struct {
		text    string
		people  int
		limit   bool
		matched bool
	}{
		"more AND than observations": {joined(30, " AND ", anyone), 29, false, false},
		"as many AND":                {joined(30, " AND ", anyone), 30, false, true},
		"a window that is too short": {"(" + joined(20, " AND ", anyone) + ") WITHIN 18.9 SECONDS", 100, false, false},
		"a window that suffices":     {"(" + joined(20, " AND ", anyone) + ") WITHIN 19 SECONDS", 100, false, true},
		"a long sequence":            {joined(50, " FOLLOWEDBY ", anyone), 50, false, true},
		"repeated sequence":          {"([x-person:name = 'a'] FOLLOWEDBY [x-person:name = 'a']) WITHIN 1 SECONDS REPEATS 20 TIMES", 40, false, true},
		"many repeats":               {anyone + " REPEATS 2000 TIMES", 2000, false, true},
		"hopeless choices": {
			"(" + joined(12, " AND ", "(("+anyone+" FOLLOWEDBY "+anyone+") OR ("+anyone+" AND "+anyone+"))") + ") WITHIN 30 SECONDS", 23,
			true, false,
		},
		"a costly LIKE": {"[x-person:name LIKE '%" + strings.Repeat("a", 2000) + "b']", 1, true, false},
	} {
		who := "a"
		if name == "a costly LIKE" {
			who = strings.Repeat("a", 100_000)
		}
		res, err := pattern.Match(parse(t, c.text), people(c.people, who), pattern.MatchOptions{})
		if c.limit != errors.Is(err, pattern.ErrLimit) || !c.limit && err != nil || res.Matched != c.matched {
			t.Errorf("%s: %v, %v", name, res.Matched, err)
		}
	}
}

func TestObservationsAreChecked(t *testing.T) {
	object := []byte(`{"type":"x-a","id":"x-a--1"}`)
	for name, o := range map[string]pattern.Observation{
		"not JSON":       {Objects: [][]byte{[]byte(`{"type":`)}},
		"not an object":  {Objects: [][]byte{[]byte(`[1]`)}},
		"empty":          {Objects: [][]byte{{}}},
		"more than one":  {Objects: [][]byte{[]byte(`{} {}`)}},
		"two of a name":  {Objects: [][]byte{[]byte(`{"a":1,"a":2}`)}},
		"inline":         {Inline: []byte(`{"0":`)},
		"ends too early": {Objects: [][]byte{object}, FirstObserved: at(1), LastObserved: at(0)},
		"too deep":       {Objects: [][]byte{[]byte(strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100))}},
	} {
		if _, err := pattern.ReadObservations([]pattern.Observation{o}, pattern.MatchOptions{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, text := range map[string]string{
		"no id":     `{"type":"observed-data"}`,
		"no times":  `{"type":"observed-data","id":"observed-data--1","number_observed":1}`,
		"no number": `{"type":"observed-data","id":"observed-data--1","first_observed":"2027-03-01T08:00:00Z","last_observed":"2027-03-01T08:00:00Z"}`,
		"a number":  `{"type":"bundle","objects":[5]}`,
	} {
		if _, err := pattern.ObservationsIn([]byte(text), pattern.MatchOptions{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// What the standard permits is no fault, though it cannot be matched here.
func TestCheck(t *testing.T) {
	for src, want := range map[string]bool{
		`[file:name MATCHES '^(?=a)b']`:      true,
		`[file:name = 'a'] WITHIN 5 SECONDS`: true,
		`[file:name = ]`:                     false,
		``:                                   false,
		`[file:name = 'a'] REPEATS 0 TIMES`:  false,
	} {
		if err := pattern.Check([]byte(src)); (err == nil) != want {
			t.Errorf("%s: %v", src, err)
		}
	}
}
