package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func (l *testLog) fetch(_ context.Context, path string) ([]byte, error) { return l.read(path) }

// grown is a log of so many entries, published, with those of other at the front.
func grown(t *testing.T, size int64, salt byte) *testLog {
	l := newTestLog(t)
	for i := range size {
		e := append([]byte{1}, bytes.Repeat([]byte{byte(i)}, 32)...)
		e[9], e[10] = byte(i>>8), byte(i>>16)
		if i >= 250 {
			e[11] = salt
		}
		l.add(e)
	}
	l.publish()
	return l
}

func look(t *testing.T, l *testLog, last *State, change func(*Watch)) (State, WatchReport, error) {
	t.Helper()
	w := Watch{Fetch: l.fetch, Keys: []string{l.key}}
	if change != nil {
		change(&w)
	}
	return w.Check(t.Context(), last)
}

// A log that grows goes on from every size to every other, and the state survives
// being written down.
func TestWatchGrows(t *testing.T) {
	var last *State
	for _, size := range []int64{0, 1, 2, 255, 256, 257, 300, 512, 1000, 65536, 65537, 70001} {
		l := grown(t, size, 0)
		next, r, err := look(t, l, last, func(w *Watch) { w.Full = size <= 1000 })
		if err != nil {
			t.Fatalf("%d: %v", size, err)
		}
		if last == nil && r.Last != -1 || r.Checkpoint.Size != size || size <= 1000 && r.Entries != size {
			t.Errorf("%d: %+v", size, r)
		}
		b, err := json.Marshal(next)
		if err != nil {
			t.Fatal(err)
		}
		last = new(State)
		if err := json.Unmarshal(b, last); err != nil {
			t.Fatal(err)
		}
		if _, again, err := look(t, l, last, nil); err != nil || again.Last != size {
			t.Errorf("%d, looked at twice: %v %+v", size, err, again)
		}
	}
}

// What a log must never do is reported in words, and the state stays as it was.
func TestWatchRefuses(t *testing.T) {
	seen := grown(t, 600, 0)
	state, _, err := look(t, seen, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	replayed := grown(t, 600, 0)
	replayed.files["checkpoint"] = replayed.checkpoint(300)
	stranger := grown(t, 700, 0)
	stranger.signer, _ = testSigner(t, testOrigin, 9)
	stranger.publish()
	otherName := grown(t, 700, 0)
	otherName.signer, _ = testSigner(t, "other.example/log", 9)
	otherName.publish()
	witness, witnessKey := testWitness(t, "w1.example", 20)
	_, secondKey := testWitness(t, "w2.example", 21)
	cosigned := grown(t, 700, 0)
	cosigned.publish(witness)
	damaged := func(path string, at int) *testLog {
		l := grown(t, 700, 0)
		l.files[path][at] ^= 4
		return l
	}
	gone := grown(t, 700, 0)
	delete(gone.files, "tile/0/001")
	cut := grown(t, 700, 0)
	cut.files["tile/entries/001"] = cut.files["tile/entries/001"][:35*100]
	long := grown(t, 700, 0)
	long.files["tile/entries/002.p/188"] = append(long.files["tile/entries/002.p/188"], 0, 1, 7)
	full := func(w *Watch) { w.Full = true }
	for _, c := range []struct {
		name   string
		log    *testLog
		change func(*Watch)
		want   string
		index  int64 // -2: it is not a failure but could not be found out
	}{
		{"shrank", grown(t, 300, 0), nil, "shrank from 600 entries to 300", -1},
		{"an old checkpoint", replayed, nil, "an old checkpoint again: of 300 entries, when it had 600", -1},
		{"a fork of the same size", grown(t, 600, 5), nil, "two histories: two checkpoints of 600", -1},
		{"a longer fork", grown(t, 800, 5), nil, "two histories: its 800 entries are not the 600", -1},
		{"another key", stranger, nil, "no signature of the log's key", -1},
		{"another log", otherName, nil, "no signature of the log's key", -1},
		{"a tile changed", damaged("tile/0/002.p/188", 40), nil, "tiles of the log are not those", -1},
		{"an entry changed", damaged("tile/entries/001", 35*7+20), full, "the entry at place 263 of the log is not the one in the tree", 263},
		{"a length changed", damaged("tile/entries/001", 35*8+1), full, "the entry at place 264 of the log", 264},
		{"a hash changed", damaged("tile/0/000", 8), full, "tile/0/000 is not the tile", 0},
		{"entries cut off", cut, full, "the entry at place 356 of the log is missing", 356},
		{"more entries", long, full, "more follows place 699", 699},
		{"a tile gone", gone, full, "tile/0/001", -2},
		{"no witness", grown(t, 700, 0), func(w *Watch) { w.Witnesses, w.Quorum = []string{witnessKey}, 1 }, "0 of the witnesses", -1},
		{"one witness of two", cosigned, func(w *Watch) { w.Witnesses, w.Quorum = []string{witnessKey, secondKey}, 2 }, "1 of the witnesses", -1},
		{"no key", cosigned, func(w *Watch) { w.Keys = []string{"x"} }, "not of the form", -2},
	} {
		next, _, err := look(t, c.log, &state, c.change)
		var f *Failure
		failed := errors.As(err, &f)
		if err == nil || !strings.Contains(err.Error(), c.want) || failed != (c.index != -2) || failed && f.Index != c.index {
			t.Errorf("%s: %v, want %q and entry %d", c.name, err, c.want, c.index)
		}
		if next.Checkpoint != state.Checkpoint {
			t.Errorf("%s: the state was changed", c.name)
		}
	}
	if _, r, err := look(t, cosigned, &state, func(w *Watch) { w.Witnesses, w.Quorum = []string{witnessKey}, 1 }); err != nil || r.Cosigned == nil || r.Cosigned.Witness[0].At != testDay {
		t.Errorf("with its witness: %v %+v", err, r)
	}
	late := grown(t, 700, 0)
	late.files["cosigned"] = late.checkpoint(650, witness)
	if _, r, err := look(t, late, &state, func(w *Watch) { w.Witnesses, w.Quorum = []string{witnessKey}, 1 }); err != nil || r.Cosigned.Size != 650 {
		t.Errorf("with a cosigned checkpoint beside it: %v", err)
	}
	fork := grown(t, 650, 7)
	late.files["cosigned"] = fork.checkpoint(650, witness)
	if _, _, err := look(t, late, &state, func(w *Watch) { w.Witnesses, w.Quorum = []string{witnessKey}, 1 }); err == nil || !strings.Contains(err.Error(), "two histories") {
		t.Errorf("witnesses saw another history: %v", err)
	}
}

// Two checkpoints of one log that cannot both be true are told from those that can.
func TestSplit(t *testing.T) {
	one, two := grown(t, 700, 0), grown(t, 700, 3)
	keys := []string{one.key}
	for _, c := range []struct {
		name  string
		a, b  []byte
		fetch Fetch
		want  string // "": both can be true; of others a part of what is said
	}{
		{"the same", one.checkpoint(700), one.checkpoint(700), nil, ""},
		{"same size", one.checkpoint(700), two.checkpoint(700), nil, "different roots"},
		{"before they part", one.checkpoint(250), two.checkpoint(250), nil, ""},
		{"other sizes alone", one.checkpoint(600), two.checkpoint(700), nil, ErrUndecided.Error()},
		{"other sizes, with the log", one.checkpoint(600), two.checkpoint(700), two.fetch, "two histories"},
		{"the other way round", two.checkpoint(700), one.checkpoint(600), two.fetch, "two histories"},
		{"one goes on", one.checkpoint(600), one.checkpoint(700), one.fetch, ""},
		{"with another log's tiles", two.checkpoint(600), two.checkpoint(700), one.fetch, "tiles of the log are not those"},
		{"from nothing", one.checkpoint(0), two.checkpoint(700), nil, ""},
	} {
		err := Split(t.Context(), c.a, c.b, keys, c.fetch)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if err := Split(t.Context(), one.checkpoint(3), []byte("x"), keys, nil); err == nil || !strings.Contains(err.Error(), "checkpoint 2") {
		t.Errorf("what is no checkpoint: %v", err)
	}
}
