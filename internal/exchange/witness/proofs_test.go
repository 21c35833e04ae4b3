package witness_test

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

// most is the size of a receipt of a usual event among a million entries, with two
// witnesses, in bytes.
const most = 1536

// receipt is the receipt of an event as it is given, verified with the keys of the log
// and of witnesses.
func (w *world) receipt(a exchange.Actor, seq int64, witnesses ...one) (r verify.Receipt, cosigned int, size int64) {
	w.t.Helper()
	r, err := w.X.Record.Receipt(w.t.Context(), a, seq)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := r.MarshalBinary()
	if err != nil {
		w.t.Fatal(err)
	}
	if r, err = verify.ParseReceipt(b); err != nil {
		w.t.Fatal(err)
	}
	s, err := r.Verify([]string{w.key.Public}, keysOf(witnesses))
	if err != nil {
		w.t.Fatalf("entry %d: %v", seq, err)
	}
	return r, len(s.Witness), s.Size
}

func keysOf(ones []one) (out []string) {
	for _, o := range ones {
		out = append(out, o.Key())
	}
	return out
}

// Receipts stand under the smallest checkpoint that the program's witnesses signed and
// that holds the entry; while there is none, under the log's own.
func TestReceiptsAreCosigned(t *testing.T) {
	w := newWorld(t)
	a, b := w.witness("a"), w.witness("b")
	w.charter("quorum = 2", a, b)
	w.armed()
	seq := w.Ledger.Current().Size()
	_, n, size := w.receipt(w.Operator, seq, a, b)
	if n != 0 || size != seq {
		t.Errorf("before a witness signed: %d signatures under %d entries", n, size)
	}
	w.Draft("Another", w.Clock.Now())
	w.round()
	at, err := w.X.Witnesses.Cosigned(t.Context(), testkit.Program, 1, seq)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for s := seq - 8; s <= seq; s++ {
		r, n, size := w.receipt(w.Operator, s, a, b)
		if n != 2 || !bytes.Equal(r.Checkpoint, at) || size < seq {
			t.Errorf("entry %d: %d signatures under %d entries", s, n, size)
		}
		// The same among a million: twenty hashes, and larger numbers.
		r.Index, r.Proof = 999_999, make(tlog.RecordProof, 20)
		for i := range r.Proof {
			if _, err := rand.Read(r.Proof[i][:]); err != nil {
				t.Fatal(err)
			}
		}
		c := bytes.SplitN(r.Checkpoint, []byte("\n"), 3)
		r.Checkpoint = bytes.Join([][]byte{c[0], []byte("1000000"), c[2]}, []byte("\n"))
		file, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if sizes = append(sizes, len(file)); len(file) > most {
			t.Errorf("entry %d: a receipt of %d bytes: %s", s, len(file), r.Opening.Event)
		}
	}
	t.Logf("receipts of %d bytes", sizes)
	w.Draft("Still another", w.Clock.Now())
	w.round() // what comes later changes no receipt
	if r, _, _ := w.receipt(w.Operator, seq, a, b); !bytes.Equal(r.Checkpoint, at) {
		t.Errorf("the receipt stands under another checkpoint now:\n%s", r.Checkpoint)
	}
	if r, n, _ := w.receipt(w.Operator, seq); n != 0 || len(r.Proof) == 0 {
		t.Errorf("without a witness's key: %d", n)
	}
}

// The receipt of a page, as a reader gets it.
func TestReceiptOfAPageIsCosigned(t *testing.T) {
	w := newWorld(t)
	a, b := w.witness("a"), w.witness("b")
	w.charter("quorum = 2", a, b)
	w.armed()
	w.Clock.Advance(39 * 24 * time.Hour)
	if err := w.X.Releases.OpenDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	reader := w.Machine(servertest.Validator)
	if _, err := w.X.Delivery.Page(t.Context(), reader, testkit.Program, delivery.Query{Limit: 100}); err != nil {
		t.Fatal(err)
	}
	all, err := w.X.Record.Entries(t.Context(), reader, record.EntryFilter{Kinds: []exchange.EventKind{exchange.EventPageServed}, Limit: 10})
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	w.round()
	got, n, _ := w.receipt(reader, all[0].Seq, a, b)
	if n != 2 {
		t.Errorf("%d signatures:\n%s", n, got.Checkpoint)
	}
	got.Proof = make(tlog.RecordProof, 20)
	for i := range got.Proof {
		_, _ = rand.Read(got.Proof[i][:])
	}
	file, err := got.MarshalBinary()
	if err != nil || len(file) > most {
		t.Errorf("%d bytes, %v", len(file), err)
	}
	t.Logf("%d bytes", len(file))
}

// A bundle stands under the newest checkpoint that the program's witnesses signed when
// that holds what it shows, and carries whose keys they are.
func TestBundlesAreCosigned(t *testing.T) {
	w := newWorld(t)
	a, b := w.witness("a"), w.witness("b")
	w.charter("quorum = 2", a, b)
	w.armed()
	bundle := func() verify.BundleReport {
		t.Helper()
		var out bytes.Buffer
		if err := w.X.Record.Bundle(t.Context(), w.Auditor, record.BundleRequest{Program: testkit.Program}, &out); err != nil {
			t.Fatal(err)
		}
		for _, o := range []one{a, b} {
			if !bytes.Contains(out.Bytes(), []byte("witness "+o.Key()+"\n")) {
				t.Errorf("the bundle does not say whose key %s is", o.name)
			}
		}
		r, err := verify.VerifyBundle(&out, []string{w.key.Public}, keysOf([]one{a, b}))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := bundle(); len(r.Checkpoint.Witness) != 0 || r.Checkpoint.Quorum(1) == nil {
		t.Errorf("before anybody signed: %+v", r.Checkpoint)
	}
	w.round()
	w.round() // what the first one recorded
	last := w.Ledger.Current().Size()
	r := bundle()
	if err := r.Checkpoint.Quorum(2); err != nil || r.Checkpoint.Size > last || r.Last == nil {
		t.Errorf("%+v, %v", r, err)
	}
	before := r.Checkpoint.Size
	w.Draft("Newer", w.Clock.Now()) // nobody has signed it yet: it stands under the log's own
	if r := bundle(); r.Checkpoint.Size <= before || len(r.Checkpoint.Witness) != 0 {
		t.Errorf("%+v", r)
	}
}

// Who is no member of a program learns of no witness.
func TestStandings(t *testing.T) {
	w := newWorld(t)
	a, gone := w.witness("a"), w.witness("gone")
	gone.url = "http://127.0.0.1:1"
	w.charter("quorum = 1", a, gone)
	w.round()
	for _, c := range []struct {
		who     exchange.Actor
		failure string
		sees    bool
	}{
		{w.Operator, "connect", true},
		{w.Reader(servertest.EarlyA), "", true},
		{w.Machine(servertest.EarlyA), "", true},
		{w.Reader(servertest.Outsider), "", false},
		{exchange.Public(), "", false},
		{exchange.Actor{}, "", false},
	} {
		all, err := w.X.Witnesses.Standings(t.Context(), c.who)
		switch {
		case err != nil:
			t.Errorf("%s: %v", c.who.Org, err)
		case !c.sees && len(all) > 0:
			t.Errorf("%s sees %+v", c.who.Org, all)
		case c.sees && (len(all) != 1 || !slices.Equal(standings(all[0]), []string{"a agrees", "gone never"}) || all[0].Witnesses[1].Failure != c.failure):
			t.Errorf("%s sees %+v", c.who.Org, all)
		}
	}
}
