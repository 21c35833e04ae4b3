package verify

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// The example of C2SP tlog-cosignature, as far as it can be read without its keys.
func TestParseCheckpoint(t *testing.T) {
	const root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
	c, err := ParseCheckpoint("example.com/behind-the-sofa\n20852163\n" + root + "\n")
	if err != nil || c.Origin != "example.com/behind-the-sofa" || c.Size != 20852163 || c.Root.String() != root {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = ParseCheckpoint("a\n0\n" + root + "\nmore\neven more\n")
	if err != nil || len(c.Extra) != 2 || c.Text() != "a\n0\n"+root+"\nmore\neven more\n" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, text := range []string{
		"", "a\n", "a\n1\n", "a\n1\n" + root, "\n1\n" + root + "\n", "a\n01\n" + root + "\n", "a\n-1\n" + root + "\n", "a\n+1\n" + root + "\n",
		"a\n1\n" + root[:40] + "\n", "a\n1\n" + strings.Replace(root, "2I=", "2J=", 1) + "\n", "a\n1\n" + root + "\n\n", "a\n1\n" + root + "\nx",
		"a\n9223372036854775808\n" + root + "\n", "a\n1 \n" + root + "\n", "a\n1\n" + root[:9] + "\r" + root[9:] + "\n",
	} {
		if c, err := ParseCheckpoint(text); err == nil {
			t.Errorf("%q was taken: %+v", text, c)
		}
	}
}

// Who signed is answered, and nobody else; what does not hold is told apart.
func TestOpenCheckpoint(t *testing.T) {
	l := newTestLog(t)
	l.fillTest(5, 1)
	one, k1 := testWitness(t, "w1.example", 20)
	_, k2 := testWitness(t, "w2.example", 21)
	second, secondKey := testSigner(t, testOrigin, 2)
	strange, strangeKey := testSigner(t, "other.example/log", 3)
	signed := l.checkpoint(5, second, strange, one)
	s, err := OpenCheckpoint(signed, []string{l.key, " " + l.key + "\n", strangeKey}, []string{k1, k2, k1})
	if err != nil || len(s.Keys) != 1 || s.Keys[0] != l.key || len(s.Witness) != 1 || s.Witness[0].Name != "w1.example" || !s.Witness[0].At.Equal(testDay) {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = OpenCheckpoint(signed, []string{secondKey}, nil); err != nil || len(s.Witness) != 0 || s.Size != 5 {
		t.Errorf("by its second key: %+v, %v", s, err)
	}
	lines := strings.SplitAfter(string(signed), "\n")
	of := func(name string) string {
		for _, l := range lines {
			if strings.HasPrefix(l, "— "+name+" ") {
				return l
			}
		}
		t.Fatalf("no signature of %s", name)
		return ""
	}
	last := func(line string) string { // the unused bits of the last character, set
		at := strings.LastIndexFunc(line, func(r rune) bool { return r != '=' && r != '\n' })
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		return line[:at] + string(alphabet[strings.IndexByte(alphabet, line[at])|1]) + line[at+1:]
	}
	text := string(signed)
	for _, c := range []struct {
		name, text string
		keys       []string
		want       string
		failure    bool
	}{
		{"no key", text, nil, "no key of the log is given", false},
		{"a bad key", text, []string{"a+b"}, "not of the form", false},
		{"an unknown key", text, []string{strangeKey[:20] + "A" + strangeKey[21:]}, "not of the form", false},
		{"the key of another name", text, []string{strangeKey}, "is not signed by the log's key", true},
		{"another text", strings.Replace(text, "\n5\n", "\n6\n", 1), []string{l.key}, "does not hold", true},
		{"another signature", strings.Replace(text, of("w1.example"), strings.Replace(of("w1.example"), "w1", "w2", 1), 1), []string{l.key}, "", false},
		{"bits that mean nothing", strings.Replace(text, of(testOrigin), last(of(testOrigin)), 1), []string{l.key}, "not in base 64", true},
		{"nothing", "", []string{l.key}, "no signature of the log's key", true},
		{"too much", text + strings.Repeat("— x AAAAAAAA\n", 10000), []string{l.key}, "larger than", true},
	} {
		_, err := OpenCheckpoint([]byte(c.text), c.keys, []string{k1})
		var f *Failure
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &f) != c.failure) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := OpenCheckpoint(signed, []string{l.key}, []string{l.key}); err == nil {
		t.Error("the key of a log was taken as that of a witness")
	}
	forged := strings.Replace(text, "AAAA", "AAAB", 1)
	if forged != text {
		if _, err := OpenCheckpoint([]byte(forged), []string{l.key}, []string{k1}); err == nil {
			t.Error("a changed time of a witness was taken")
		}
	}
	empty, err := note.Sign(&note.Note{Text: "hello\n"}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCheckpoint(empty, []string{l.key}, nil); err == nil || !strings.Contains(err.Error(), "not a checkpoint") {
		t.Errorf("a note that is no checkpoint: %v", err)
	}
}

func FuzzCheckpoint(f *testing.F) {
	l := newTestLog(f)
	l.fillTest(5, 1)
	one, k1 := testWitness(f, "w1.example", 20)
	f.Add(l.checkpoint(5, one))
	f.Add([]byte("a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— a AAAAAAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseCheckpoint(string(b)); err == nil && c.Text() != string(b) {
			t.Fatalf("%q is written as %q", b, c.Text())
		}
		if s, err := OpenCheckpoint(b, []string{l.key}, []string{k1}); err == nil && (s.Size != 5 || s.Root != l.root(5)) {
			t.Fatalf("%q was signed by nobody", b)
		}
	})
}

func FuzzBundle(f *testing.F) {
	l := newTestLog(f)
	events := l.fillTest(300, 20)
	l.publish()
	b, err := l.bundle(events, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:2000])
	f.Fuzz(func(t *testing.T, c []byte) {
		r, err := VerifyBundle(strings.NewReader(string(c)), []string{l.key}, nil)
		if err == nil && string(c) != string(b) && r.Entries == int64(len(events)) {
			t.Fatal("a changed bundle was taken")
		}
	})
}

func FuzzTilePath(f *testing.F) {
	f.Add("tile/0/x001/067.p/112")
	f.Add("tile/entries/000")
	f.Fuzz(func(t *testing.T, path string) {
		if level, n, width, err := ParseTilePath(path); err == nil && TilePath(level, n, width) != path {
			t.Fatalf("%q is written as %q", path, TilePath(level, n, width))
		}
	})
}
