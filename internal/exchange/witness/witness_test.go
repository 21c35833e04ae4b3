package witness_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

const strict = "quorum = 2\ngrace = \"15m\"\nstop = true"

// Witnesses that are asked agree, and what they sign can be verified by anybody.
func TestAgree(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.witness("a"), w.witness("b"), w.witness("c")
	c.url = "" // it would come by itself, and never does
	w.charter(strict, a, b, c)
	if got := w.status(w.Operator); got.Held || got.Lacking != "" || !slices.Equal(standings(got), []string{"a never", "b never", "c never"}) {
		t.Errorf("before the first round: %+v", got)
	}
	w.round()
	w.round() // which covers what the first one recorded
	got := w.status(w.Reader(servertest.EarlyA))
	if got.Size == 0 || got.Cosigned != got.Size || got.Lacking != "" || !slices.Equal(standings(got), []string{"a agrees", "b agrees", "c never"}) {
		t.Errorf("status: %+v", got)
	}
	if n := len(w.events(exchange.EventWitnessAgreed)); n != 2 {
		t.Errorf("%d witnesses are recorded as new; want 2", n)
	}
	for _, ask := range []func() ([]byte, error){
		func() ([]byte, error) { return w.X.Witnesses.Newest(t.Context(), 1) },
		func() ([]byte, error) { return w.X.Witnesses.Cosigned(t.Context(), testkit.Program, 1, got.Size) },
		func() ([]byte, error) { return w.X.Witnesses.Cosigned(t.Context(), "", 1, 1) },
	} {
		signed, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		s, err := verify.OpenCheckpoint(signed, []string{w.key.Public}, []string{a.Key(), b.Key(), c.Key()})
		if err != nil || len(s.Witness) != 2 || s.Size > got.Size {
			t.Errorf("%s\n%+v, %v", signed, s, err)
		}
	}
	if _, err := w.X.Witnesses.Cosigned(t.Context(), testkit.Program, 1, got.Size+1); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("of a size that nobody cosigned: %v", err)
	}
	if _, err := w.X.Witnesses.Cosigned(t.Context(), "unknown", 1, 1); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("of a program that there is not: %v", err)
	}
	for _, who := range []exchange.Actor{w.Reader(servertest.Outsider), exchange.Public(), {}} {
		if _, err := w.X.Witnesses.Status(t.Context(), who, testkit.Program); exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("%s reads the status: %v", who.Org, err)
		}
	}
}

// A forked history is found within one round, by one honest witness of two, and
// stops releases until an operator says why they may go on.
func TestForkStopsReleases(t *testing.T) {
	w := newWorld(t)
	honest, deceived := w.witness("honest"), w.witness("deceived")
	deceived.shown(t, w.forged(5, "another history"))
	r := w.armed()
	draft := w.Draft("Another case", w.Clock.Now().Add(60*24*time.Hour))
	w.Package(draft.ID, 2)
	w.charter(strings.Replace(strict, "2", "1", 1), honest, deceived)
	w.round()

	const words = "differs from what witness deceived saw"
	got := w.status(w.Reader(servertest.EarlyA))
	if !got.Held || !strings.Contains(got.Lacking, words) || !slices.Equal(standings(got), []string{"honest agrees", "deceived disagrees"}) {
		t.Errorf("status: %+v", got)
	}
	if es := w.events(exchange.EventWitnessDisagreed); len(es) != 1 || !strings.Contains(es[0], `"d_witness":"deceived"`) {
		t.Errorf("events: %q", es)
	}
	for range 3 { // it is said once
		w.Clock.Advance(10 * time.Minute)
		w.round()
	}
	if es := w.events(exchange.EventWitnessDisagreed); len(es) != 1 {
		t.Errorf("said again: %q", es)
	}
	notices, err := w.X.Delivery.Notices(t.Context(), w.Operator, time.Time{}, 100)
	if err != nil || !slices.ContainsFunc(notices, func(n exchange.Notice) bool { return strings.Contains(n.Text, words) }) {
		t.Errorf("notices: %+v, %v", notices, err)
	}

	// Nothing opens on the clock, and nobody opens or sends anything by hand.
	w.Clock.Advance(39 * 24 * time.Hour)
	opened := func() (n int) {
		t.Helper()
		if err := w.X.Releases.OpenDue(t.Context()); err != nil {
			t.Error(err)
		}
		v, err := w.X.Releases.Read(t.Context(), w.Operator, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, wave := range v.Waves {
			if wave.State == exchange.WaveOpen {
				n++
			}
		}
		return n
	}
	if n := opened(); n != 0 {
		t.Errorf("%d waves opened", n)
	}
	audience := exchange.Audience{Cohort: "validate"}
	_, err = w.X.Releases.Push(t.Context(), w.Operator, r.ID, audience, time.Time{}, release.Change{Reason: "now"})
	if exchange.KindOf(err) != exchange.Conflict || !strings.Contains(err.Error(), words) {
		t.Errorf("pushing: %v", err)
	}
	if _, err := w.X.Releases.Send(t.Context(), w.Operator, draft.ID, 0); exchange.KindOf(err) != exchange.Conflict || !strings.Contains(err.Error(), words) {
		t.Errorf("sending: %v", err)
	}

	// Who may resolve it, and with what.
	id := got.Disagreements[0].ID
	for _, c := range []struct {
		who    exchange.Actor
		id     int64
		reason string
		kind   exchange.Kind
	}{
		{w.Reader(servertest.Outsider), id, "why", exchange.NotFound},
		{w.Reader(servertest.EarlyA), id, "why", exchange.Denied},
		{w.Auditor, id, "why", exchange.Denied},
		{w.Operator, id, " ", exchange.Invalid},
		{w.Operator, id, strings.Repeat("x", 2001), exchange.Invalid},
		{w.Operator, id + 1, "why", exchange.NotFound},
	} {
		if _, err := w.X.Witnesses.Resolve(t.Context(), c.who, testkit.Program, c.id, c.reason); exchange.KindOf(err) != c.kind {
			t.Errorf("%s resolving: %v, want %s", c.who.Org, err, c.kind)
		}
	}
	if n := opened(); n != 0 {
		t.Errorf("%d waves opened after refusals", n)
	}
	if _, err := w.X.Witnesses.Resolve(t.Context(), w.Operator, testkit.Program, id, "the witness was set up against a test exchange"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.X.Witnesses.Resolve(t.Context(), w.Operator, testkit.Program, id, "again"); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("resolved twice: %v", err)
	}
	w.round() // the witness says the same again
	if n := opened(); n == 0 {
		t.Error("no wave opened after it was resolved")
	}
	if es := w.events(exchange.EventWitnessResolved); len(es) != 1 || !strings.Contains(es[0], "test exchange") || !strings.Contains(es[0], string(w.Operator.Person)) {
		t.Errorf("events: %q", es)
	}
	if es := w.events(exchange.EventWitnessDisagreed); len(es) != 1 {
		t.Errorf("what was resolved is said again: %q", es)
	}
}

// Where too few cosign for longer than the grace, releases are held, and go on by
// themselves when enough do.
func TestQuorum(t *testing.T) {
	w := newWorld(t)
	a, b := w.witness("a"), w.witness("b")
	b.url = ""
	w.charter(strict, a, b)
	w.round()
	w.Clock.Advance(14 * time.Minute)
	if got := w.status(w.Operator); got.Held {
		t.Errorf("within the grace: %+v", got)
	}
	w.Clock.Advance(2 * time.Minute)
	w.round()
	got := w.status(w.Operator)
	if !got.Held || !strings.Contains(got.Lacking, "fewer than 2 of the 2 witnesses") {
		t.Errorf("after the grace: %+v", got)
	}
	if err := w.X.Witnesses.Receive(t.Context(), b.cosign(t, w.Ledger.Current().Checkpoint())); err != nil {
		t.Fatal(err)
	}
	w.round()
	if got := w.status(w.Operator); got.Held || got.Cosigned < got.Size-3 {
		t.Errorf("when both cosigned: %+v", got)
	}
	w.charter("quorum = 2\ngrace = \"15m\"", a, b) // no stop
	w.Clock.Advance(24 * time.Hour)
	w.round()
	if got := w.status(w.Operator); got.Held || got.Lacking == "" || standings(got)[1] != "b behind" {
		t.Errorf("where the charter does not stop: %+v", got)
	}
}

// What witnesses hand in by themselves.
func TestReceive(t *testing.T) {
	w := newWorld(t)
	if err := w.X.Witnesses.Receive(t.Context(), w.Ledger.Current().Checkpoint()); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("without witnesses: %v", err)
	}
	a, other := w.witness("a"), w.witness("other")
	a.url = ""
	w.charter("quorum = 1\nstop = true", a)
	first := w.Ledger.Current().Checkpoint()
	old := a.cosign(t, first)
	stranger := other.cosign(t, first)
	for _, c := range []struct {
		name string
		body string
		kind exchange.Kind
	}{
		{"nothing", "", exchange.Invalid},
		{"too much", strings.Repeat("x", verify.MaxCheckpoint+1), exchange.Invalid},
		{"no cosignature", string(first), exchange.Invalid},
		{"a stranger's cosignature", string(stranger), exchange.Invalid},
		{"another text", strings.Replace(string(old), "\n", "\n1", 1), exchange.Denied},
		{"another log", "x" + string(old), exchange.NotFound},
		{"what is not here yet", string(w.forged(1_000_000, "x")), exchange.Unavailable},
	} {
		if err := w.X.Witnesses.Receive(t.Context(), []byte(c.body)); exchange.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %s", c.name, err, c.kind)
		}
	}
	if got := w.status(w.Operator); got.Witnesses[0].Standing != room.Never || len(got.Disagreements) != 0 {
		t.Errorf("after refusals: %+v", got)
	}
	if err := w.X.Witnesses.Receive(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	seen := w.status(w.Operator).Witnesses[0].Seen
	w.Clock.Advance(time.Hour)
	if err := w.X.Witnesses.Receive(t.Context(), old); err != nil { // shown again, by whomever
		t.Error(err)
	}
	if got := w.status(w.Operator); got.Witnesses[0].Seen != seen {
		t.Errorf("an old signature made the witness younger: %+v", got)
	}
}

// Two signed checkpoints of one size prove a fork, whoever shows the second: a
// witness, or somebody who was given it.
func TestProofOfFork(t *testing.T) {
	for _, byWitness := range []bool{true, false} {
		w := newWorld(t)
		a := w.witness("a")
		a.url = ""
		w.charter("quorum = 1\nstop = true", a)
		proof := w.forged(w.Ledger.Current().Size()-1, "another history")
		who := "somebody"
		if byWitness {
			proof, who = a.shown(t, proof), "witness a"
		}
		for range 2 {
			if err := w.X.Witnesses.Receive(t.Context(), proof); err != nil {
				t.Fatal(err)
			}
		}
		got := w.status(w.Operator)
		if !got.Held || len(got.Disagreements) != 1 || got.Disagreements[0].Kind != room.Fork ||
			!strings.Contains(got.Lacking, who) || !strings.Contains(got.Lacking, "both signed by the log") {
			t.Errorf("by a witness %t: %+v", byWitness, got)
			continue
		}
		d := got.Disagreements[0]
		ours, err1 := verify.OpenCheckpoint(d.Ours, []string{w.key.Public}, nil)
		theirs, err2 := verify.OpenCheckpoint(d.Theirs, []string{w.key.Public}, nil)
		if err1 != nil || err2 != nil || ours.Root == theirs.Root {
			t.Errorf("the proof that is kept: %v %v", err1, err2)
		}
	}
}

// A ledger that was cut off is found in the first round: the witness has seen more than
// there is.
func TestCutOff(t *testing.T) {
	w := newWorld(t)
	a := w.witness("a")
	a.shown(t, w.forged(1_000_000, "before the restore"))
	w.charter("quorum = 1\nstop = true", a)
	for range 2 {
		w.round()
		got := w.status(w.Operator)
		if !got.Held || len(got.Disagreements) != 1 || got.Disagreements[0].Kind != room.Ahead || !strings.Contains(got.Lacking, "cut off") {
			t.Errorf("%+v", got)
		}
		w.Clock.Advance(time.Minute)
	}
}

// A witness that does not answer holds nothing up, and is asked less and less.
func TestUnreachable(t *testing.T) {
	w := newWorld(t)
	a, gone := w.witness("a"), w.witness("gone")
	gone.url = "http://127.0.0.1:1"
	w.charter("quorum = 1\nstop = true", a, gone)
	w.round()
	got := w.status(w.Operator)
	if got.Held || got.Witnesses[1].Failure != "connect" || got.Witnesses[0].Standing != room.Agrees {
		t.Errorf("status: %+v", got)
	}
	if of := w.status(w.Reader(servertest.EarlyA)); of.Witnesses[1].Failure != "" {
		t.Errorf("members read why a witness is not reached: %+v", of)
	}
}
