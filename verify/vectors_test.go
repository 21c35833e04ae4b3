package verify

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// The vectors are for those who write a verifier: what must hold, and what must not.
type (
	vectorFile struct {
		Entries     []entryVector       `json:"entries"`
		Checkpoints []checkpointVector  `json:"checkpoints"`
		Inclusion   []inclusionVector   `json:"inclusion"`
		Consistency []consistencyVector `json:"consistency"`
		Receipts    []receiptVector     `json:"receipts"`
	}
	entryVector struct {
		Name    string  `json:"name"`
		Opening Opening `json:"opening"`
		Entry   string  `json:"entry"` // hexadecimal
	}
	checkpointVector struct {
		Name      string   `json:"name"`
		Note      string   `json:"note"`
		Keys      []string `json:"keys"`
		Witnesses []string `json:"witnesses"`
		Valid     bool     `json:"valid"`
		Size      int64    `json:"size"`
		SignedBy  []string `json:"signed_by"` // the witnesses
	}
	inclusionVector struct {
		Index, Size int64
		Leaf, Root  string
		Proof       []string
		Valid       bool
	}
	consistencyVector struct {
		From     int64    `json:"from"`
		To       int64    `json:"to"`
		FromRoot string   `json:"from_root"`
		ToRoot   string   `json:"to_root"`
		Proof    []string `json:"proof"`
		Valid    bool     `json:"valid"`
	}
	receiptVector struct {
		Name      string   `json:"name"`
		Receipt   string   `json:"receipt"` // base 64
		Keys      []string `json:"keys"`
		Witnesses []string `json:"witnesses"`
		Valid     bool     `json:"valid"`
	}
)

// MarshalJSON names the members in lower case.
func (v inclusionVector) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"index": v.Index, "size": v.Size, "leaf": v.Leaf, "root": v.Root, "proof": v.Proof, "valid": v.Valid})
}

func hashTexts(all []tlog.Hash) []string {
	out := make([]string, 0, len(all))
	for _, h := range all {
		out = append(out, h.String())
	}
	return out
}

func hashesOf(t *testing.T, all []string) (out []tlog.Hash) {
	t.Helper()
	for _, s := range all {
		h, err := tlog.ParseHash(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, h)
	}
	return out
}

// makeVectors makes them from a log of 700 entries.
func makeVectors(t *testing.T) (v vectorFile) {
	l := newTestLog(t)
	events := l.fillTest(700, 7)
	l.publish()
	w, wkey := testWitness(t, "w1.example", 20)
	_, other := testWitness(t, "w2.example", 21)
	_, strange := testSigner(t, testOrigin, 9)
	openings := map[string]Opening{
		"smallest": {Event: []byte(`{}`)}, "strings": {Event: []byte(`{"a":"<&>é😀\n\u001f\"\\","b":["x",""],"c":[],"d":{"e":[1,{"f":null}]},"n":-9007199254740991,"t":true}`), Salt: testSalt(2)},
		"event": events[3].Opening,
	}
	cut, err := events[3].Opening.Show(func(name string) bool { return name == "kind" || name == "subject[1]" })
	if err != nil {
		t.Fatal(err)
	}
	openings["parts"] = cut
	for _, name := range []string{"smallest", "strings", "event", "parts"} {
		e, err := openings[name].Entry()
		if err != nil {
			t.Fatal(err)
		}
		v.Entries = append(v.Entries, entryVector{name, openings[name], hex.EncodeToString(e)})
	}
	note := string(l.checkpoint(700, w))
	for _, c := range []checkpointVector{
		{"signed", note, []string{l.key}, []string{wkey, other}, true, 700, []string{"w1.example"}},
		{"empty log", string(l.checkpoint(0)), []string{l.key}, nil, true, 0, nil},
		{"another key", note, []string{strange}, nil, false, 0, nil},
		{"another size", strings.Replace(note, "\n700\n", "\n701\n", 1), []string{l.key}, nil, false, 0, nil},
		{"cut off", note[:len(note)-1], []string{l.key}, nil, false, 0, nil},
	} {
		c.Witnesses, c.SignedBy = append([]string{}, c.Witnesses...), append([]string{}, c.SignedBy...)
		v.Checkpoints = append(v.Checkpoints, c)
	}
	for _, x := range [][2]int64{{0, 1}, {0, 2}, {3, 7}, {6, 7}, {255, 256}, {256, 257}, {511, 700}, {699, 700}} {
		proof, err := tlog.ProveRecord(x[1], x[0], l)
		if err != nil {
			t.Fatal(err)
		}
		leaf, root := tlog.RecordHash(l.entries[x[0]]), l.root(x[1])
		v.Inclusion = append(v.Inclusion, inclusionVector{x[0], x[1], leaf.String(), root.String(), hashTexts(proof), true})
		if x[1] > 2 {
			v.Inclusion = append(v.Inclusion, inclusionVector{x[0] ^ 1, x[1], leaf.String(), root.String(), hashTexts(proof), false},
				inclusionVector{x[0], x[1], leaf.String(), root.String(), hashTexts(proof[1:]), false})
		}
	}
	for _, x := range [][2]int64{{1, 1}, {1, 2}, {3, 7}, {4, 7}, {256, 700}, {300, 512}, {699, 700}} {
		proof, err := tlog.ProveTree(x[1], x[0], l)
		if err != nil {
			t.Fatal(err)
		}
		c := consistencyVector{x[0], x[1], l.root(x[0]).String(), l.root(x[1]).String(), hashTexts(proof), true}
		v.Consistency = append(v.Consistency, c)
		c.Valid, c.FromRoot = false, l.root(x[0]+1).String()
		v.Consistency = append(v.Consistency, c)
	}
	for _, e := range []BundleEntry{events[0], events[50], {Index: events[3].Index, Opening: cut}} {
		r := l.receipt(e, 700, w)
		for _, write := range []func(Receipt) ([]byte, error){Receipt.MarshalBinary, Receipt.MarshalText} {
			b, err := write(r)
			if err != nil {
				t.Fatal(err)
			}
			x := receiptVector{"receipt", base64.StdEncoding.EncodeToString(b), []string{l.key}, []string{wkey}, true}
			v.Receipts = append(v.Receipts, x)
			x.Keys, x.Valid = []string{strange}, false
			v.Receipts = append(v.Receipts, x)
			moved := r
			moved.Index++
			if b, err = write(moved); err != nil {
				t.Fatal(err)
			}
			v.Receipts = append(v.Receipts, receiptVector{"receipt of another entry", base64.StdEncoding.EncodeToString(b), []string{l.key}, []string{wkey}, false})
		}
	}
	return v
}

// The vectors hold as they are kept: what was written once verifies for ever.
func TestVectors(t *testing.T) {
	const file = "testdata/vectors.json"
	if *update {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		if err := e.Encode(makeVectors(t)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v vectorFile
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	for _, x := range v.Entries {
		if e, err := x.Opening.Entry(); err != nil || hex.EncodeToString(e) != x.Entry {
			t.Errorf("entry %s: %x, %v", x.Name, e, err)
		}
	}
	for _, x := range v.Checkpoints {
		s, err := OpenCheckpoint([]byte(x.Note), x.Keys, x.Witnesses)
		if (err == nil) != x.Valid || x.Valid && (s.Size != x.Size || len(s.Witness) != len(x.SignedBy)) {
			t.Errorf("checkpoint %s: %+v, %v", x.Name, s, err)
		}
	}
	for _, x := range v.Inclusion {
		h := hashesOf(t, []string{x.Leaf, x.Root})
		if err := tlog.CheckRecord(hashesOf(t, x.Proof), x.Size, h[1], x.Index, h[0]); (err == nil) != x.Valid {
			t.Errorf("inclusion %d/%d: %v", x.Index, x.Size, err)
		}
	}
	for _, x := range v.Consistency {
		h := hashesOf(t, []string{x.FromRoot, x.ToRoot})
		if err := tlog.CheckTree(hashesOf(t, x.Proof), x.To, h[1], x.From, h[0]); (err == nil) != x.Valid {
			t.Errorf("consistency %d/%d: %v", x.From, x.To, err)
		}
	}
	for _, x := range v.Receipts {
		b, err := base64.StdEncoding.DecodeString(x.Receipt)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ParseReceipt(b)
		if err == nil {
			_, err = r.Verify(x.Keys, x.Witnesses)
		}
		if (err == nil) != x.Valid {
			t.Errorf("%s: %v", x.Name, err)
		}
	}
	if len(v.Entries) < 4 || len(v.Checkpoints) < 5 || len(v.Inclusion) < 20 || len(v.Consistency) < 14 || len(v.Receipts) < 18 {
		t.Errorf("vectors are missing")
	}
}

// A second verifier, in another language and from the guide alone, finds the same.
func TestSecondVerifier(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 is not here")
		}
		t.Skip("python3 is not here: the second verifier was not run")
	}
	run := func(args ...string) (string, int) {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "python3", append([]string{"-I", "testdata/verify.py"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := run("vectors", "testdata/vectors.json"); code != 0 || !strings.Contains(out, " vectors hold") {
		t.Errorf("%d: %s", code, out)
	}
	w, wkey := testWitness(t, "w1.example", 20)
	l := newTestLog(t)
	events := l.fillTest(1400, 3)
	l.publish(w)
	_, other := testSigner(t, testOrigin, 9)
	dir := t.TempDir()
	put := func(name string, b []byte, err error) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	b, err := l.bundle(events, nil)
	whole := put("bundle", b, err)
	b, err = l.bundle(append(append([]BundleEntry{}, events[:5]...), events[90:]...), nil)
	gap := put("gap", b, err)
	b, err = l.receipt(events[7], 1400, w).MarshalBinary()
	one := put("receipt", b, err)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"bundle", whole, l.key, wkey}, 0, "467 events of early-warning\nVALID"},
		{[]string{"bundle", gap, l.key}, 7, "number 6 is missing, before place 270"},
		{[]string{"bundle", whole, other}, 7, "no signature of the log's key"},
		{[]string{"receipt", one, l.key, wkey}, 0, "place 21 in exchange.example/log, among 1400; witnesses: w1.example\nVALID"},
		{[]string{"receipt", one, other}, 7, "NOT VALID"},
	} {
		if out, code := run(c.args...); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%v: %d: %s", c.args[:1], code, out)
		}
	}
}
