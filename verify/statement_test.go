package verify_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

const statementOrigin = "exchange.example/log"

type logKey struct {
	public string
	signer note.Signer
}

func newLogKey(t testing.TB, name string) logKey {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return logKey{public, s}
}

func state(t testing.TB, s verify.Statement, by ...logKey) []byte {
	t.Helper()
	var signers []note.Signer
	for _, k := range by {
		signers = append(signers, k.signer)
	}
	b, err := note.Sign(&note.Note{Text: s.Text()}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// chain is a log with three keys one after the other, and its end.
type chain struct {
	a, b, c, next logKey
	all           [][]byte // key b, retired a, key c, retired b, closed
	closed        verify.Checkpoint
}

func newChain(t testing.TB) chain {
	t.Helper()
	x := chain{
		a: newLogKey(t, statementOrigin), b: newLogKey(t, statementOrigin), c: newLogKey(t, statementOrigin),
		next: newLogKey(t, statementOrigin+"/2"),
	}
	x.closed = verify.Checkpoint{Origin: statementOrigin, Size: 300, Root: tlog.Hash{1, 2, 3}}
	of := func(s verify.Statement) verify.Statement { s.Origin = statementOrigin; return s }
	x.all = [][]byte{
		state(t, of(verify.Statement{Key: x.b.public, From: 100}), x.a, x.b),
		state(t, of(verify.Statement{Retired: x.a.public, At: 150}), x.b),
		state(t, of(verify.Statement{Key: x.c.public, From: 200}), x.b, x.c),
		state(t, of(verify.Statement{Retired: x.b.public, At: 200}), x.c),
		state(t, of(verify.Statement{
			Closed: &x.closed, Successor: statementOrigin + "/2", SuccKey: x.next.public, Reason: "the origin's name changed: “new”",
		}), x.c, x.next),
	}
	return x
}

func TestFollow(t *testing.T) {
	x := newChain(t)
	for name, tc := range map[string]struct {
		keys       []logKey
		statements [][]byte
		want       []logKey
		ended      bool
	}{
		"nothing was said":         {[]logKey{x.a}, nil, []logKey{x.a}, false},
		"two keys at a time":       {[]logKey{x.a}, x.all[:1], []logKey{x.a, x.b}, false},
		"the first retired":        {[]logKey{x.a}, x.all[:2], []logKey{x.b}, false},
		"to the newest":            {[]logKey{x.a}, x.all[:4], []logKey{x.c}, false},
		"to the end":               {[]logKey{x.a}, x.all, []logKey{x.c}, true},
		"from a key in the middle": {[]logKey{x.b}, x.all, []logKey{x.c}, true},
		"from the newest key":      {[]logKey{x.c}, x.all, []logKey{x.c}, true},
		"from the two last":        {[]logKey{x.b, x.c}, x.all[:3], []logKey{x.b, x.c}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var keys, want []string
			for _, k := range tc.keys {
				keys = append(keys, k.public)
			}
			for _, k := range tc.want {
				want = append(want, k.public)
			}
			trusted, successor, err := verify.Follow(statementOrigin, keys, tc.statements)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(trusted, want) {
				t.Errorf("trusted %q, want %q", trusted, want)
			}
			if (successor != nil) != tc.ended {
				t.Fatalf("successor %+v", successor)
			}
			if tc.ended && (successor.Origin != statementOrigin+"/2" || successor.Key != x.next.public || successor.Closed.Root != x.closed.Root) {
				t.Errorf("successor %+v", successor)
			}
		})
	}
}

func TestFollowRefuses(t *testing.T) {
	x := newChain(t)
	evil := newLogKey(t, statementOrigin)
	of := func(s verify.Statement) verify.Statement { s.Origin = statementOrigin; return s }
	back := verify.Checkpoint{Origin: statementOrigin, Size: 99}
	other := newLogKey(t, "other.example/log")
	changed := slices.Clone(x.all[0])
	changed[len("forewarn log statement v1\nexchange.example/log\nkey exchange.example/log+")] ^= 1
	for name, tc := range map[string]struct {
		keys       []string
		statements [][]byte
		says       string
	}{
		"a key signed by nobody trusted":      {[]string{x.a.public}, [][]byte{state(t, of(verify.Statement{Key: evil.public, From: 5}), evil)}, "no key of the log"},
		"a key that did not sign":             {[]string{x.a.public}, [][]byte{state(t, of(verify.Statement{Key: evil.public, From: 5}), x.a)}, "did not sign it"},
		"a key by one that was retired":       {[]string{x.a.public}, [][]byte{x.all[0], x.all[1], state(t, of(verify.Statement{Key: evil.public, From: 200}), x.a, evil)}, "no key of the log"},
		"a key by one older than those known": {[]string{x.c.public}, [][]byte{x.all[0], x.all[1], x.all[2], x.all[3], state(t, of(verify.Statement{Key: evil.public, From: 200}), x.a, evil)}, "no key of the log"},
		"another log":                         {[]string{x.a.public}, [][]byte{state(t, verify.Statement{Origin: "other.example/log", Key: other.public, From: 5}, x.a, other)}, "is of the log"},
		"a loop of keys":                      {[]string{x.a.public}, [][]byte{x.all[0], state(t, of(verify.Statement{Key: x.a.public, From: 120}), x.b, x.a)}, "names a key again"},
		"a retired key again":                 {[]string{x.a.public}, [][]byte{x.all[0], x.all[1], state(t, of(verify.Statement{Key: x.a.public, From: 160}), x.b, x.a)}, "names a key again"},
		"the last key retires itself":         {[]string{x.a.public}, [][]byte{state(t, of(verify.Statement{Retired: x.a.public, At: 5}), x.a)}, "and stays"},
		"the same statement twice":            {[]string{x.a.public}, [][]byte{x.all[0], x.all[0]}, "names a key again"},
		"a retirement twice":                  {[]string{x.a.public}, [][]byte{x.all[0], x.all[1], x.all[1]}, "retires a key again"},
		"back in size":                        {[]string{x.a.public}, [][]byte{x.all[0], state(t, of(verify.Statement{Closed: &back}), x.a)}, "went back"},
		"after the end":                       {[]string{x.c.public}, [][]byte{x.all[4], x.all[4]}, "after its end"},
		"its own successor": {[]string{x.a.public}, [][]byte{
			state(t, of(verify.Statement{Closed: &x.closed, Successor: statementOrigin, SuccKey: evil.public}), x.a, evil),
		}, "names itself"},
		"a successor whose key did not sign": {[]string{x.c.public}, [][]byte{
			state(t, of(verify.Statement{Closed: &x.closed, Successor: statementOrigin + "/2", SuccKey: x.next.public}), x.c),
		}, "did not sign it"},
		"changed":         {[]string{x.a.public}, [][]byte{changed}, ""},
		"not a statement": {[]string{x.a.public}, [][]byte{[]byte("hello\n")}, "not a signed statement"},
		"a checkpoint":    {[]string{x.a.public}, [][]byte{signText(t, x.closed.Text(), x.a)}, "not a statement"},
		"too many":        {[]string{x.a.public}, make([][]byte, verify.MaxStatements+1), "more than"},
		"too large":       {[]string{x.a.public}, [][]byte{make([]byte, verify.MaxStatement+1)}, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			trusted, successor, err := verify.Follow(statementOrigin, tc.keys, tc.statements)
			var f *verify.Failure
			if !errors.As(err, &f) || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("answered %v %v, %v; want a failure with %q", trusted, successor, err, tc.says)
			}
			if trusted != nil || successor != nil {
				t.Error("a failed chain still answers keys")
			}
		})
	}
	if _, _, err := verify.Follow(statementOrigin, nil, nil); err == nil {
		t.Error("without a key anything is trusted")
	}
}

func signText(t testing.TB, text string, k logKey) []byte {
	t.Helper()
	b, err := note.Sign(&note.Note{Text: text}, k.signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestStatementIsNoCheckpoint: the same key signs both, so neither may pass as the
// other.
func TestStatementIsNoCheckpoint(t *testing.T) {
	x := newChain(t)
	for _, b := range x.all {
		if s, err := verify.OpenCheckpoint(b, []string{x.a.public, x.b.public, x.c.public}, nil); err == nil {
			t.Errorf("a statement was read as the checkpoint %+v", s)
		}
	}
}

func TestHistory(t *testing.T) {
	x := newChain(t)
	h, err := verify.Trace(statementOrigin, []string{x.a.public}, x.all)
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int64][]string{
		0: {x.a.public}, 99: {x.a.public}, 100: {x.a.public, x.b.public}, 150: {x.a.public, x.b.public},
		151: {x.b.public}, 200: {x.b.public, x.c.public}, 201: {x.c.public},
	} {
		if got := h.KeysFor(size); !slices.Equal(got, want) {
			t.Errorf("keys for %d: %q, want %q", size, got, want)
		}
	}
	if h.Reason != "the origin's name changed: “new”" {
		t.Errorf("reason %q", h.Reason)
	}
	for _, tc := range []struct {
		size int64
		root tlog.Hash
		ok   bool
	}{{299, tlog.Hash{9}, true}, {300, x.closed.Root, true}, {300, tlog.Hash{9}, false}, {301, x.closed.Root, false}} {
		if err := h.CheckClosed(verify.Checkpoint{Origin: statementOrigin, Size: tc.size, Root: tc.root}); (err == nil) != tc.ok {
			t.Errorf("a checkpoint of %d after the end: %v", tc.size, err)
		}
	}
	// Who knows the newest key alone learns of the retired one up to where it counted.
	h, err = verify.Trace(statementOrigin, []string{x.c.public}, x.all)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.KeysFor(150); !slices.Equal(got, []string{x.b.public}) {
		t.Errorf("keys for 150 from the newest key: %q", got)
	}
}

func TestLogPath(t *testing.T) {
	for origin, want := range map[string]string{
		"exchange.example/log": "log", "exchange.example/log/2": "log/2", "exchange.example/log/17": "log/17",
		"exchange.example/log/1": "log", "exchange.example/log/02": "log", "exchange.example/log/x": "log", "": "log",
		"a/log/3/log": "log", "exchange.example/log/-2": "log",
	} {
		if got := verify.LogPath(origin); got != want {
			t.Errorf("%q: %q, want %q", origin, got, want)
		}
	}
}

func FuzzStatement(f *testing.F) {
	x := newChain(f)
	keys := []string{x.a.public}
	for _, b := range x.all {
		f.Add(b)
	}
	f.Add([]byte("forewarn log statement v1\nx\nclosed 0 AAAA\n\n— x AAAAAAA=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := verify.ParseStatement(string(b)); err == nil {
			if s.Text() != string(b) {
				t.Errorf("%q was read from %q", s.Text(), b)
			}
		}
		trusted, _, err := verify.Follow(statementOrigin, keys, [][]byte{b})
		if err == nil && len(trusted) == 0 {
			t.Error("no key is left")
		}
		for _, k := range trusted {
			// What was not made by the test's keys adds nothing.
			if k != x.a.public && k != x.b.public {
				t.Errorf("trusted %q after %q", k, b)
			}
		}
	})
}
