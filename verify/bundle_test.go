package verify

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// Bundles over logs of many sizes and densities verify, and are tar archives that
// the standard library reads.
func TestBundleVerifies(t *testing.T) {
	for _, c := range []struct{ size, step int64 }{
		{1, 1}, {2, 1}, {255, 1}, {256, 1}, {257, 3}, {512, 1}, {700, 7}, {700, 1}, {1000, 40}, {65536, 997}, {66000, 2}, {70000, 300},
	} {
		l := newTestLog(t)
		events := l.fillTest(c.size, c.step)
		l.publish()
		b, err := l.bundle(events, nil)
		if err != nil {
			t.Fatalf("%d/%d: %v", c.size, c.step, err)
		}
		r, err := VerifyBundle(bytes.NewReader(b), []string{l.key}, nil)
		if err != nil {
			t.Fatalf("%d/%d: %v", c.size, c.step, err)
		}
		if r.Entries != int64(len(events)) || !r.Before || r.After || r.Missing != 0 || r.First.Number != 1 || r.Last.Index != events[len(events)-1].Index {
			t.Errorf("%d/%d: %+v", c.size, c.step, r)
		}
		var names []string
		for tr := tar.NewReader(bytes.NewReader(b)); ; {
			h, err := tr.Next()
			if err == io.EOF {
				break
			}
			if err != nil || h.Mode != 0o644 || h.Format != tar.FormatUSTAR {
				t.Fatalf("%d/%d: %v %+v", c.size, c.step, err, h)
			}
			names = append(names, h.Name)
		}
		t.Logf("%d entries, %d events: %d bytes, %d an event, %d files", c.size, len(events), len(b), len(b)/len(events), len(names))
		if again, err := l.bundle(events, nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%d/%d: written twice, it is not the same: %v", c.size, c.step, err)
		}
	}
}

// What an exchange could leave out or add is reported, in words.
func TestBundleReports(t *testing.T) {
	l := newTestLog(t)
	events := l.fillTest(1200, 2)
	l.publish()
	other := newTestLog(t)
	other.signer, other.key = testSigner(t, testOrigin, 2)
	for _, c := range []struct {
		name   string
		events []BundleEntry
		change func(*BundleOptions)
		keys   []string
		want   string // of the error
		index  int64
	}{
		{name: "a gap", events: append(append([]BundleEntry{}, events[:10]...), events[12:]...), want: "the events number 11 to 12 of the program are missing, before place 24 of the log", index: 24},
		{name: "one missing", events: append(append([]BundleEntry{}, events[:10]...), events[11:]...), want: "event number 11 of the program is missing", index: 22},
		{name: "another key", events: events, keys: []string{other.key}, want: "no signature of the log's key", index: -1},
		{name: "another program", events: events, change: func(o *BundleOptions) { o.Program = "other" }, want: `another program than "other"`, index: 0},
		{name: "a whole bundle", events: events},
	} {
		b, err := l.bundle(c.events, c.change)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		keys := c.keys
		if keys == nil {
			keys = []string{l.key}
		}
		_, err = VerifyBundle(bytes.NewReader(b), keys, nil)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var f *Failure
		if !errors.As(err, &f) || !strings.Contains(f.What, c.want) || f.Index != c.index {
			t.Errorf("%s: %v, want %q and entry %d", c.name, err, c.want, c.index)
		}
	}
}

// A period has its ends shown by the events around it.
func TestBundlePeriod(t *testing.T) {
	l := newTestLog(t)
	events := l.fillTest(100, 1)
	l.publish()
	cut := func(e BundleEntry) BundleEntry {
		o, err := e.Opening.Show(func(name string) bool { return name == "number" || name == "at" || name == "program" })
		if err != nil {
			t.Fatal(err)
		}
		e.Opening = o
		return e
	}
	period := func(o *BundleOptions) {
		o.From, o.To = testDay.Add(21*time.Minute), testDay.Add(31*time.Minute)
	}
	within := events[20:30] // numbers 21 to 30
	for _, c := range []struct {
		name          string
		events        []BundleEntry
		before, after bool
		outside       int64
	}{
		{"bare", within, false, false, 0},
		{"before", append([]BundleEntry{cut(events[19])}, within...), true, false, 1},
		{"both", append(append([]BundleEntry{cut(events[19])}, within...), cut(events[30])), true, true, 2},
	} {
		b, err := l.bundle(c.events, period)
		if err != nil {
			t.Fatal(err)
		}
		r, err := VerifyBundle(bytes.NewReader(b), []string{l.key}, nil)
		if err != nil || r.Entries != 10 || r.Outside != c.outside || r.Before != c.before || r.After != c.after || r.First.Number != 21 || r.Last.Number != 30 {
			t.Errorf("%s: %v %+v", c.name, err, r)
		}
	}
	if _, err := l.bundle([]BundleEntry{events[3], events[3]}, nil); err == nil {
		t.Error("an event was written twice")
	}
	wrong := events[4]
	wrong.Opening.Event = bytes.Replace(wrong.Opening.Event, []byte("acme"), []byte("acne"), 1)
	_, err := l.bundle([]BundleEntry{wrong}, nil)
	var f *Failure
	if !errors.As(err, &f) || f.Index != 4 {
		t.Errorf("a changed event was written: %v", err)
	}
	hidden := events[25]
	hidden.Opening = cut(hidden).Opening
	b, err := l.bundle([]BundleEntry{hidden}, period)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyBundle(bytes.NewReader(b), []string{l.key}, nil); !errors.As(err, &f) || !strings.Contains(f.What, "does not show its kind") {
		t.Errorf("an event of the period that hides its kind: %v", err)
	}
}

// The quick reading of a line and the thorough one find the same, and take only what
// is written.
func FuzzLine(f *testing.F) {
	whole := Opening{Event: testEvent(5), Salt: testSalt(5)}
	cut, _ := whole.Show(func(name string) bool { return name == "number" })
	for _, l := range []entryLine{{Index: 5, Seq: 6, opening: whole}, {Index: 0, Seq: 1, opening: cut}, {Index: 5, Seq: 6, opening: whole, path: pathIn(make([]byte, TileWidth*32), 5)}} {
		b, err := l.append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := parseEntryLine(text)
		if err != nil {
			return
		}
		again, err := l.append(nil)
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%q is written as %q: %v", text, again, err)
		}
		if quick, ok := scanLine(text); ok && (quick.Index != l.Index || quick.Seq != l.Seq || len(quick.path) != len(l.path)) {
			t.Fatalf("%q: %+v and %+v", text, quick, l)
		}
	})
}
