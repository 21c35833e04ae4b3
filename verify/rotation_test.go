package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// rotated is a log whose key was changed at 400 entries, and closed at 700.
func rotated(t testing.TB) (l *testLog, first string, events []BundleEntry, statements [][]byte) {
	l = newTestLog(t)
	old, first := l.signer, l.key
	events = l.fillTest(700, 5)
	l.signer, l.key = testSigner(t, testOrigin, 2)
	next, nextKey := testSigner(t, testOrigin+"/2", 3)
	l.publish()
	say := func(s Statement, by ...note.Signer) {
		s.Origin = testOrigin
		b, err := note.Sign(&note.Note{Text: s.Text()}, by...)
		if err != nil {
			t.Fatal(err)
		}
		statements = append(statements, b)
	}
	say(Statement{Key: l.key, From: 400}, old, l.signer)
	say(Statement{Retired: first, At: 400}, l.signer)
	end := Checkpoint{Origin: testOrigin, Size: 700, Root: l.root(700)}
	say(Statement{Closed: &end, Successor: testOrigin + "/2", SuccKey: nextKey, Reason: "another machine"}, l.signer, next)
	l.files["statements"] = line(statementsJSON{texts(statements)})
	return l, first, events, statements
}

// Who trusts the first key alone verifies what the second signed, by the statements,
// and what the first signed after it was retired counts no more.
func TestRotation(t *testing.T) {
	l, first, events, statements := rotated(t)
	state, r, err := look(t, l, nil, func(w *Watch) { w.Keys, w.Full = []string{first}, true })
	if err != nil || !r.Closed || r.Successor == nil || r.Successor.Origin != testOrigin+"/2" || len(state.Keys) != 1 || state.Keys[0] != l.key {
		t.Fatalf("%v %+v %+v", err, state, r)
	}
	if _, _, err := look(t, l, &state, func(w *Watch) { w.Keys = []string{first} }); err != nil {
		t.Errorf("looked at again: %v", err)
	}
	bundle, err := l.bundle(events, func(o *BundleOptions) { o.Statements = statements })
	if err != nil {
		t.Fatal(err)
	}
	if r, err := VerifyBundle(bytes.NewReader(bundle), []string{first}, nil); err != nil || r.Entries != int64(len(events)) {
		t.Errorf("the bundle by the first key: %v", err)
	}
	bare, err := l.bundle(events, nil)
	if err != nil {
		t.Fatal(err)
	}
	var f *Failure
	if _, err := VerifyBundle(bytes.NewReader(bare), []string{first}, nil); !errors.As(err, &f) {
		t.Errorf("the bundle by the first key, without statements: %v", err)
	}
	retired := *l
	retired.signer, _ = testSigner(t, testOrigin, 1)
	late := l.receipt(events[3], 700)
	late.Checkpoint = retired.checkpoint(700)
	early := l.receipt(events[3], 300)
	early.Checkpoint = retired.checkpoint(300)
	for _, c := range []struct {
		name string
		r    Receipt
		ok   bool
	}{{"before", early, true}, {"after, by the new key", l.receipt(events[3], 700), true}, {"after, by the retired key", late, false}} {
		keys, err := KeysBeneath(c.r.Checkpoint, []string{first}, statements)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.r.Verify(keys, nil); (err == nil) != c.ok {
			t.Errorf("a receipt from %s: %v", c.name, err)
		}
	}
	grown := *l
	grown.files = map[string][]byte{}
	for k, v := range l.files {
		grown.files[k] = v
	}
	grown.add([]byte("more"))
	grown.publish()
	if _, _, err := look(t, &grown, &state, nil); !errors.As(err, &f) || !strings.Contains(f.What, "closed") {
		t.Errorf("a closed log that grows: %v", err)
	}
	l.files["statements"] = []byte("nonsense")
	if _, _, err := look(t, l, &state, nil); !errors.As(err, &f) || !strings.Contains(f.What, "statements") {
		t.Errorf("statements that are none: %v", err)
	}
	forged := append([][]byte{}, statements...)
	forged[0] = bytes.Replace(forged[0], []byte("from 400"), []byte("from 100"), 1)
	l.files["statements"], _ = json.Marshal(statementsJSON{texts(forged)})
	if _, _, err := look(t, l, nil, func(w *Watch) { w.Keys = []string{first} }); !errors.As(err, &f) {
		t.Errorf("a forged statement: %v", err)
	}
}

// Reading everything costs hashing every entry twice and its tile, and no more for a
// large log than for a small one.
func BenchmarkFull(b *testing.B) {
	l := newTestLog(b)
	events := l.fillTest(50_000, 2)
	l.publish()
	bundle, err := l.bundle(events, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("log", func(b *testing.B) {
		for b.Loop() {
			if _, r, err := (Watch{Fetch: l.fetch, Keys: []string{l.key}, Full: true}).Check(b.Context(), nil); err != nil || r.Entries != 50_000 {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50_000, "ns/entry")
	})
	b.Run("bundle", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if r, err := VerifyBundle(bytes.NewReader(bundle), []string{l.key}, nil); err != nil || r.Entries != 25_000 {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/25_000, "ns/event")
	})
	b.Run("writing a bundle", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.bundle(events, nil); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/25_000, "ns/event")
	})
}
