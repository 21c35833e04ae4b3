package observable

import (
	"bufio"
	"bytes"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func TestParse(t *testing.T) {
	sha := strings.Repeat("aB", 32)
	for _, c := range []struct {
		in   string
		kind Kind
		text string
	}{
		{"192.0.2.1", IPv4, "192.0.2.1"},
		{" 192.0.2.1\n", IPv4, "192.0.2.1"},
		{"192[.]0[.]2[.]1", IPv4, "192.0.2.1"},
		{"192.0.2[.]1:8080", IPv4, "192.0.2.1"},
		{"::ffff:192.0.2.1", IPv4, "192.0.2.1"},
		{"192.0.2.1/32", IPv4, "192.0.2.1"},
		{"192.0.2.77/24", Network, "192.0.2.0/24"},
		{"::ffff:192.0.2.0/120", Network, "192.0.2.0/24"},
		{"192.0.2.01", Text, "192.0.2.01"},
		{"192.0.2.256", Text, "192.0.2.256"},
		{"2001:DB8:0::1", IPv6, "2001:db8::1"},
		{"[2001:db8::1]:443", IPv6, "2001:db8::1"},
		{"2001:db8::1/64", Network, "2001:db8::/64"},
		{"fe80::1%eth0", Text, "fe80::1%eth0"},
		{"Evil.Example.", Domain, "evil.example"},
		{"evil[.]example", Domain, "evil.example"},
		{"evil(dot)example", Domain, "evil.example"},
		{"evil.example:8443", Domain, "evil.example"},
		{"_dmarc.evil.example", Domain, "_dmarc.evil.example"},
		{"bücher.example", Domain, "xn--bcher-kva.example"},
		{"XN--BCHER-KVA.example", Domain, "xn--bcher-kva.example"},
		{"localhost", Text, "localhost"},
		{"evil..example", Text, "evil..example"},
		{strings.Repeat("a", 64) + ".example", Text, strings.Repeat("a", 64) + ".example"},
		{"hxxps[:]//Evil[.]Example/Path?Q=A", URL, "https://evil.example/Path?Q=A"},
		{"HTTP://EVIL.example:80", URL, "http://evil.example/"},
		{"https://evil.example:444/a", URL, "https://evil.example:444/a"},
		{"http://user@evil.example/a@b", URL, "http://user@evil.example/a@b"},
		{"http://[2001:DB8::1]:8080/x", URL, "http://[2001:db8::1]:8080/x"},
		{"http://evil.example/a", URL, "http://evil.example/a"},
		{"Someone@Evil.Example", Email, "someone@evil.example"},
		{"someone[at]evil[.]example", Email, "someone@evil.example"},
		{"00-1A-2B-3C-4D-5E", MAC, "00:1a:2b:3c:4d:5e"},
		{"001a.2b3c.4d5e", MAC, "00:1a:2b:3c:4d:5e"},
		{strings.Repeat("aB", 16), MD5, strings.Repeat("ab", 16)},
		{strings.Repeat("aB", 20), SHA1, strings.Repeat("ab", 20)},
		{strings.Repeat("aB", 28), SHA224, strings.Repeat("ab", 28)},
		{sha, SHA256, strings.ToLower(sha)},
		{strings.Repeat("aB", 48), SHA384, strings.Repeat("ab", 48)},
		{strings.Repeat("aB", 64), SHA512, strings.Repeat("ab", 64)},
		{strings.Repeat("ab", 31), Text, strings.Repeat("ab", 31)},
		{`"Update.EXE"`, Domain, "update.exe"},
		{"<evil.example>", Domain, "evil.example"},
		{"CVE-2026-0001", Text, "cve-2026-0001"},
		{`HKEY_LOCAL_MACHINE\System`, Text, `hkey_local_machine\system`},
		{"not a value at all", Text, "not a value at all"},
	} {
		v, err := Parse(c.in)
		if err != nil || v.Kind != c.kind || v.Text != c.text {
			t.Errorf("%q is %s %q (%v), want %s %q", c.in, v.Kind, v.Text, err, c.kind, c.text)
		}
	}
	for in, want := range map[string]error{
		"": ErrEmpty, " \t\n": ErrEmpty, `""`: ErrEmpty, strings.Repeat("a", MaxLength+1): ErrTooLong, "a\xff.example": ErrEncoding,
	} {
		if _, err := Parse(in); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}

// What people defanged is the same as what they had before.
func TestDefanged(t *testing.T) {
	lines := func(name string) (out []string) {
		raw, err := os.ReadFile(testkit.Data(t, "ioc-defang", name))
		if err != nil {
			t.Fatal(err)
		}
		s := bufio.NewScanner(bytes.NewReader(raw))
		for s.Scan() {
			out = append(out, s.Text())
		}
		return out
	}
	defanged, fanged := lines("sample_text_defanged.txt"), lines("sample_text_fanged.txt")
	if len(defanged) != len(fanged) {
		t.Fatalf("%d lines and %d", len(defanged), len(fanged))
	}
	n := 0
	for i := range defanged {
		want, err := Parse(fanged[i])
		if err != nil || want.Kind == Text {
			continue
		}
		n++
		if got, err := Parse(defanged[i]); err != nil || got != want {
			t.Errorf("line %d: %q is %v (%v), want %v", i+1, defanged[i], got, err, want)
		}
	}
	if n < 500 {
		t.Errorf("only %d lines hold a value", n)
	}
}

func TestParents(t *testing.T) {
	for in, want := range map[string][]string{
		"a.b.evil.example": {"b.evil.example", "evil.example"}, "evil.example": nil, "example": nil,
	} {
		var got []string
		Parents(in, func(p string) bool { got = append(got, p); return true })
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", in, d)
		}
	}
}

// quad takes what netip.ParseAddr takes, of digits and dots.
func TestQuad(t *testing.T) {
	parts := []string{"", "0", "1", "00", "01", "9", "10", "255", "256", "999", "1000"}
	for _, a := range parts {
		for _, b := range parts {
			for _, s := range []string{a + ".1.2." + b, "1." + a + "." + b + ".3", a + "." + b + ".1.1"} {
				want, err := netip.ParseAddr(s)
				got, ok := quad(s)
				if ok != (err == nil) || ok && netip.AddrFrom4(got) != want {
					t.Errorf("%s: %v %t, want %v (%v)", s, got, ok, want, err)
				}
			}
		}
	}
}

func TestHost(t *testing.T) {
	for in, want := range map[string]Value{
		"http://u:p@a.evil.example:8080/x": {Domain, "a.evil.example"}, "http://192.0.2.1/": {IPv4, "192.0.2.1"},
		"http://[2001:db8::1]:99/": {IPv6, "2001:db8::1"}, "http://localhost/": {}, "evil.example": {},
	} {
		v, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := v.Host()
		if !ok {
			got = Value{}
		}
		if got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

func TestExtract(t *testing.T) {
	md5 := strings.Repeat("0a", 16)
	for _, c := range []struct {
		name, in string
		want     []Value
	}{
		{"address", `{"type":"ipv4-addr","id":"x","value":"198.51.100.0/24"}`, []Value{{Network, "198.51.100.0/24"}}},
		{"type at the end", `{"value":"Evil.example","type":"domain-name"}`, []Value{{Domain, "evil.example"}}},
		{
			"file", `{"type":"file","name":"Update.exe","hashes":{"MD5":"` + strings.ToUpper(md5) + `","SSDEEP":"3:a:b"},"size":3}`,
			[]Value{{Text, "update.exe"}, {MD5, md5}, {Text, "3:a:b"}},
		},
		{
			"names", `{"type":"malware","name":"Bad Thing","aliases":["Worse"],"external_references":[{"source_name":"x","external_id":"S0001"},{}]}`,
			[]Value{{Text, "bad thing"}, {Text, "worse"}, {Text, "s0001"}},
		},
		{"number", `{"type":"autonomous-system","number":64500}`, []Value{{Text, "as64500"}}},
		{"name of what has no name to look up", `{"type":"indicator","name":"evil.example"}`, nil},
		{"custom", `{"type":"x-acme-thing","value":"evil.example","name":"n"}`, []Value{{Domain, "evil.example"}}},
		{
			"pattern", `{"type":"indicator","pattern_type":"stix","pattern":"[ipv4-addr:value = '192.0.2.1' OR file:name = 'a.exe'] AND [file:hashes.'SHA-256' = '` + strings.Repeat("Ab", 32) + `']"}`,
			[]Value{{IPv4, "192.0.2.1"}, {Text, "a.exe"}, {SHA256, strings.Repeat("ab", 32)}},
		},
		{"pattern of another language", `{"type":"indicator","pattern_type":"yara","pattern":"[ipv4-addr:value = '192.0.2.1']"}`, nil},
		{"odd values", `{"type":"file","name":{"a":1},"hashes":["x",{"y":["z"]},3],"external_references":{"a":[1]}}`, []Value{{Text, "x"}}},
		{"same twice", `{"type":"malware","name":"A","aliases":["a","A"]}`, []Value{{Text, "a"}}},
	} {
		x := NewExtractor()
		got, err := x.Extract([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, append([]Value(nil), got...)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	for _, in := range []string{``, `[]`, `{"type":`, `{"hashes":{"a"`, `{"external_references":[{"external_id"`} {
		if _, err := NewExtractor().Extract([]byte(in)); err == nil {
			t.Errorf("%q was read", in)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "hxxp[:]//evil[.]example/a", "[2001:db8::1]:3", "a@b.example", "00-1A-2B-3C-4D-5E", "bücher.example", "1.2.3.4/8", "\\.", "<>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Parse(s)
		if err != nil {
			return
		}
		if v.Text == "" || len(v.Text) > MaxLength || !utf8.ValidString(v.Text) {
			t.Fatalf("%q became %q", s, v.Text)
		}
		switch {
		case v.Kind.Address():
			if a, err := netip.ParseAddr(v.Text); err != nil || a.String() != v.Text || a.Is4() != (v.Kind == IPv4) {
				t.Fatalf("%q is no address: %v", v.Text, err)
			}
		case v.Kind == Network:
			if p := v.Prefix(); !p.IsValid() || p != p.Masked() || p.IsSingleIP() {
				t.Fatalf("%q is no network", v.Text)
			}
		}
		v.Host()
		if v.Kind != Text && v.Kind != URL {
			if again, err := Parse(v.Text); err != nil || again != v {
				t.Fatalf("%q is %v, which is %v (%v)", s, v, again, err)
			}
		}
	})
}

func FuzzExtract(f *testing.F) {
	f.Add([]byte(`{"type":"indicator","pattern_type":"stix","pattern":"[file:hashes.'MD5' IN ('a','b')]"}`))
	f.Add([]byte(`{"type":"file","name":"a","hashes":{"MD5":"b"},"external_references":[{"external_id":"c"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		x := NewExtractor()
		vs, err := x.Extract(raw)
		if err != nil {
			return
		}
		seen := map[Value]bool{}
		for _, v := range vs {
			if seen[v] {
				t.Fatalf("%v stands twice", v)
			}
			seen[v] = true
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, s := range []string{"192.0.2.117", "a.b.evil.example", strings.Repeat("ab", 32), "http://evil.example/path/to", "hxxp://evil[.]example/a"} {
		b.Run(s[:10], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Parse(s)
			}
		})
	}
}
