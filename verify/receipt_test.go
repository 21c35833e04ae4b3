package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// uniform is a tree whose entries are all the same but one, of any size.
type uniform struct {
	index int64
	entry tlog.Hash
	rest  []tlog.Hash // roots of complete trees of the other entries, by height
}

func newUniform(index int64, entry []byte) *uniform {
	u := &uniform{index: index, entry: tlog.RecordHash(entry), rest: []tlog.Hash{tlog.RecordHash([]byte("another"))}}
	for len(u.rest) < 40 {
		h := u.rest[len(u.rest)-1]
		u.rest = append(u.rest, tlog.NodeHash(h, h))
	}
	return u
}

func (u *uniform) hash(level int, n int64) tlog.Hash {
	switch {
	case u.index>>level != n:
		return u.rest[level]
	case level == 0:
		return u.entry
	}
	return tlog.NodeHash(u.hash(level-1, 2*n), u.hash(level-1, 2*n+1))
}

func (u *uniform) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = u.hash(tlog.SplitStoredHashIndex(x))
	}
	return out, nil
}

// receiptAt is a receipt of the event in a log of that size, with two witnesses.
func receiptAt(t testing.TB, event string, index, size int64) (r Receipt, key string, witnesses []string) {
	t.Helper()
	r = Receipt{Opening: Opening{Event: []byte(event), Salt: testSalt(index)}, Index: index}
	entry, err := r.Opening.Entry()
	if err != nil {
		t.Fatal(err)
	}
	u := newUniform(index, entry)
	root, err := tlog.TreeHash(size, u)
	if err != nil {
		t.Fatal(err)
	}
	if r.Proof, err = tlog.ProveRecord(size, index, u); err != nil {
		t.Fatal(err)
	}
	signer, key := testSigner(t, testOrigin, 1)
	one, k1 := testWitness(t, "witness.acme.example", 20)
	two, k2 := testWitness(t, "witness.bank.example", 21)
	text := Checkpoint{Origin: testOrigin, Size: size, Root: root}.Text()
	if r.Checkpoint, err = note.Sign(&note.Note{Text: text}, signer, one, two); err != nil {
		t.Fatal(err)
	}
	return r, key, []string{k1, k2}
}

// typical are events as the exchange records them.
var typical = map[string]string{
	"page.serve":      `{"actor_org":"acme","actor_person":"per_c3v5kq2x7mzt4a6e","actor_token":"tok_c3v5kq2x7mzt4a6e","at":"2026-03-01T08:00:00.123456Z","channel":"taxii","d_charter":3,"d_charter_digest":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU","d_handling":["amber"],"d_objects":100,"d_objects_root":"K5R9JcdUhYkqUJl1hIuAF3HLyVHPPIMnRzTAX4yVQ4w","d_objects_salt":"q83vEjRWeJCrze8SNFZ4kA","kind":"page.serve","number":482113,"program":"early-warning","release":"rel_7mzt4a6ec3v5kq2x","subject":["art_x7mzt4a6ec3v5kq2"],"v":1}`,
	"release.approve": `{"actor_hat":"approver","actor_org":"psirt","actor_person":"per_c3v5kq2x7mzt4a6e","at":"2026-03-01T08:00:00.123456Z","channel":"web","d_approval":1,"d_charter":3,"d_charter_digest":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU","d_of":2,"d_revision":4,"kind":"release.approve","number":482114,"program":"early-warning","release":"rel_7mzt4a6ec3v5kq2x","subject":["art_x7mzt4a6ec3v5kq2"],"v":1}`,
}

// maxTypical is what a receipt of a typical event may weigh, with two witnesses in a
// log of a million entries.
const maxTypical = 1536

func TestReceiptSize(t *testing.T) {
	for name, event := range typical {
		r, key, witnesses := receiptAt(t, event, 777_777, 1_000_000)
		b, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: file %d bytes, text %d: event %d, proof %d, checkpoint %d", name, len(b), len(text), len(event), len(r.Proof)*tlog.HashSize, len(r.Checkpoint))
		if len(b) > maxTypical {
			t.Errorf("%s: %d bytes, at most %d", name, len(b), maxTypical)
		}
		for _, form := range [][]byte{b, text} {
			again, err := ParseReceipt(form)
			if err != nil {
				t.Fatal(err)
			}
			if s, err := again.Verify([]string{key}, witnesses); err != nil || len(s.Witness) != 2 || s.Size != 1_000_000 {
				t.Errorf("%s: %v %+v", name, err, s)
			}
		}
	}
}

// Receipts of every size of log verify, in both forms, and of another entry, key or
// witness they do not.
func TestReceiptVerifies(t *testing.T) {
	const event = `{"kind":"release.approve","number":1,"program":"p","v":1}`
	for _, c := range []struct{ index, size int64 }{{0, 1}, {0, 2}, {1, 2}, {6, 7}, {255, 256}, {256, 257}, {1 << 20, 1<<20 + 3}, {5, 1 << 33}} {
		r, key, witnesses := receiptAt(t, event, c.index, c.size)
		for _, write := range []func(Receipt) ([]byte, error){Receipt.MarshalBinary, Receipt.MarshalText} {
			b, err := write(r)
			if err != nil {
				t.Fatal(err)
			}
			var again Receipt
			if err := again.UnmarshalBinary(b); err != nil {
				t.Fatalf("%v: %v", c, err)
			}
			if s, err := again.Verify([]string{key}, witnesses); err != nil || s.Size != c.size || s.Quorum(2) != nil || s.Quorum(3) == nil {
				t.Errorf("%v: %v", c, err)
			}
		}
		_, other := testSigner(t, testOrigin, 5)
		wrong := map[string]Receipt{"as it is": r, "next": r, "proof": r, "event": r}
		x := r
		x.Index++
		wrong["next"] = x
		x = r
		x.Proof = append(tlog.RecordProof{{}}, r.Proof...)
		wrong["proof"] = x
		x = r
		x.Opening.Event = []byte(strings.Replace(event, "approve", "refuse", 1))
		wrong["event"] = x
		for name, x := range wrong {
			keys := []string{key}
			if name == "as it is" {
				keys = []string{other}
			}
			_, err := x.Verify(keys, nil)
			var f *Failure
			if !errors.As(err, &f) || name != "as it is" && f.Index != x.Index {
				t.Errorf("%v, %s: %v", c, name, err)
			}
		}
	}
}

// The text is a C2SP tlog-proof, line by line.
func TestReceiptIsTlogProof(t *testing.T) {
	r, _, _ := receiptAt(t, `{"kind":"x","v":1}`, 2, 5)
	b, err := r.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	opening, err := r.Opening.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	want := "c2sp.org/tlog-proof@v1\nextra " + base64.StdEncoding.EncodeToString(opening) + "\nindex 2\n"
	for _, h := range r.Proof {
		want += h.String() + "\n"
	}
	if want += "\n" + string(r.Checkpoint); string(b) != want {
		t.Errorf("%s\nwant\n%s", b, want)
	}
}

// What is no receipt is told apart.
func TestReceiptRefuses(t *testing.T) {
	r, _, _ := receiptAt(t, `{"kind":"x","v":1}`, 2, 5)
	file, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(s string) string { // with the right sum
		h := sha256.Sum256([]byte(s))
		return s + string(h[:checkSize])
	}
	body := string(file[:len(file)-checkSize])
	for _, c := range []struct{ in, want string }{
		{"", "its first line is neither"},
		{receiptHead, "damaged"},
		{string(file[:len(file)-1]), "damaged"},
		{string(file) + "x", "damaged"},
		{sealed(receiptHead + "2 3\n"), "line 2"},
		{sealed(receiptHead + "2 03 4\n"), "line 2"},
		{sealed(receiptHead + "-2 3 4\n"), "line 2"},
		{sealed(receiptHead + "2 64 4\n"), "line 2"},
		{sealed(receiptHead + "2 3 99999\n"), "as many bytes"},
		{sealed(receiptHead + "2 0 3\nabc"), "unpacking"},
		{sealed(strings.Replace(body, " ", "  ", 1)), "first line"},
		{string(text) + "x\n", ""},
		{strings.Replace(string(text), "index 2", "index 02", 1), "changed"},
		{strings.Replace(string(text), "extra ", "extra  ", 1), "line 2"},
		{strings.Replace(string(text), "\n\n", "\n", 1), "line "},
		{strings.Replace(string(text), "index 2", "index x", 1), "line 3"},
		{strings.Replace(string(text), "index 2\n", "index 2\nAAAA\n", 1), "line 4"},
	} {
		got, err := ParseReceipt([]byte(c.in))
		if c.want == "" { // an unknown line beneath the checkpoint is for its signature to refuse
			if _, err := got.Verify([]string{"x"}, nil); err == nil {
				t.Errorf("%.60q was taken", c.in)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v, want %q", c.in, err, c.want)
		}
	}
	bomb := strings.Repeat("0", 2*MaxReceipt)
	packed := Receipt{Opening: Opening{Event: []byte(`{"v":1}`)}, Checkpoint: []byte(bomb)}
	if file, err = packed.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	if _, err := ParseReceipt(file); err == nil || !strings.Contains(err.Error(), "unpacking") {
		t.Errorf("a receipt that unpacks to %d bytes: %v", len(bomb), err)
	}
}

func FuzzReceipt(f *testing.F) {
	for _, event := range typical {
		r, _, _ := receiptAt(f, event, 5, 9)
		for _, write := range []func(Receipt) ([]byte, error){Receipt.MarshalBinary, Receipt.MarshalText} {
			b, err := write(r)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	_, key := testSigner(f, testOrigin, 1)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReceipt(b)
		if err != nil {
			return
		}
		for _, write := range []func(Receipt) ([]byte, error){Receipt.MarshalBinary, Receipt.MarshalText} {
			b, err := write(r)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := ParseReceipt(b); err != nil || again.Index != r.Index || !bytes.Equal(again.Checkpoint, r.Checkpoint) {
				t.Fatalf("%q: %v", b, err)
			}
		}
		_, _ = r.Verify([]string{key}, nil) // panics on nothing
	})
}

// Inclusion costs no more than the hashes that it needs: those of the entry and of the
// proof. The signature is another matter.
func BenchmarkReceipt(b *testing.B) {
	r, key, witnesses := receiptAt(b, typical["page.serve"], 777_777, 1_000_000)
	s, err := r.Verify([]string{key}, witnesses)
	if err != nil {
		b.Fatal(err)
	}
	entry, err := r.Opening.Entry()
	if err != nil {
		b.Fatal(err)
	}
	file, err := r.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	leaf := tlog.RecordHash(entry)
	b.Run("proof", func(b *testing.B) {
		for b.Loop() {
			if err := tlog.CheckRecord(r.Proof, s.Size, s.Root, r.Index, leaf); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("entry and proof", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := r.Included(s.Checkpoint); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("signatures, entry and proof", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Verify([]string{key}, witnesses); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.MarshalBinary(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := ParseReceipt(file); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sha256 of 65 bytes", func(b *testing.B) {
		node := make([]byte, 65)
		for b.Loop() {
			sha256.Sum256(node)
		}
	})
}
