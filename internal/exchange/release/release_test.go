package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

var (
	early    = exchange.Audience{Cohort: "early"}
	validate = exchange.Audience{Cohort: "validate"}
	because  = release.Change{Reason: "a reason"}
)

// far is so long after testkit.Start that no wave of the default plan is due.
var far = testkit.Start.AddDate(0, 2, 0)

// draft is a release with guidance for early partners and a public summary: it
// needs one approval.
func draft(w *servertest.World, t0 time.Time) exchange.Release {
	w.T.Helper()
	r := w.Draft("A case", t0)
	w.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", servertest.Bundle(3, uint64(t0.UnixNano())))
	w.Submit(r.ID, exchange.Summary, "summary.md", strings.NewReader("# Summary\n"), servertest.Label(exchange.TLPClear))
	return read(w, r.ID).Release
}

func read(w *servertest.World, id exchange.ReleaseID) release.View {
	w.T.Helper()
	v, err := w.X.Releases.Read(w.T.Context(), w.Operator, id)
	if err != nil {
		w.T.Fatal(err)
	}
	return v
}

// in brings a new release into a state.
func in(w *servertest.World, s exchange.ReleaseState) exchange.Release {
	w.T.Helper()
	t0 := far
	switch s {
	case exchange.ReleaseReleasing:
		t0 = w.Clock.Now().Add(time.Hour)
	case exchange.ReleasePublic, exchange.ReleaseClosed:
		t0 = w.Clock.Now().Add(-time.Hour)
	}
	r := draft(w, t0)
	var err error
	switch s {
	case exchange.ReleaseDraft:
	case exchange.ReleaseWaiting:
		_, err = w.X.Releases.Send(w.T.Context(), w.Operator, r.ID, 0)
	default:
		w.Arm(r.ID)
	}
	switch s {
	case exchange.ReleaseClosed:
		read(w, r.ID) // opens what is due
		_, err = w.X.Releases.Close(w.T.Context(), w.Operator, r.ID, because)
	case exchange.ReleaseWithdrawn:
		_, err = w.X.Releases.Withdraw(w.T.Context(), w.Operator, r.ID, because)
	case exchange.ReleaseContained:
		_, err = w.X.Releases.Contain(w.T.Context(), w.Operator, r.ID, because)
	}
	if err != nil {
		w.T.Fatal(err)
	}
	got := read(w, r.ID).Release
	if got.State != s {
		w.T.Fatalf("state %s, want %s", got.State, s)
	}
	return got
}

var states = []exchange.ReleaseState{
	exchange.ReleaseDraft, exchange.ReleaseWaiting, exchange.ReleaseArmed, exchange.ReleaseReleasing,
	exchange.ReleasePublic, exchange.ReleaseClosed, exchange.ReleaseWithdrawn, exchange.ReleaseContained,
}

// act is one thing that can be done to a release, and what follows from it.
type act struct {
	name string
	do   func(w *servertest.World, a exchange.Actor, r exchange.Release) error
	// to is the state after the act, by the state before it. "" stays; a state
	// that is missing refuses the act.
	to map[exchange.ReleaseState]exchange.ReleaseState
}

func titled(s string) release.Edit { return release.Edit{Title: &s} }

func acts() []act {
	type to = map[exchange.ReleaseState]exchange.ReleaseState
	const (
		draft, waiting, armed, releasing, public                       = exchange.ReleaseDraft, exchange.ReleaseWaiting, exchange.ReleaseArmed, exchange.ReleaseReleasing, exchange.ReleasePublic
		closed, withdrawn, contained                                   = exchange.ReleaseClosed, exchange.ReleaseWithdrawn, exchange.ReleaseContained
		stays                                    exchange.ReleaseState = ""
	)
	return []act{
		{"edit", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Edit(w.T.Context(), a, r.ID, titled("Another title"), 0)
			return err
		}, to{draft: stays, waiting: draft, armed: draft, releasing: draft, public: draft, contained: draft}},
		{"send", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Send(w.T.Context(), a, r.ID, 0)
			return err
		}, to{draft: waiting, waiting: stays}},
		{"move", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Move(w.T.Context(), a, r.ID, far.AddDate(0, 1, 0), because)
			return err
		}, to{draft: stays, waiting: draft, armed: stays, releasing: stays}},
		{"hold", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Hold(w.T.Context(), a, r.ID, exchange.PublicAudience, time.Time{}, because)
			return err
		}, to{armed: stays, releasing: stays}},
		{"resume without a held wave", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Resume(w.T.Context(), a, r.ID, exchange.PublicAudience, time.Time{}, because)
			return err
		}, to{}},
		{"kill", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Kill(w.T.Context(), a, r.ID, exchange.PublicAudience, time.Time{}, because)
			return err
		}, to{armed: stays, releasing: stays}},
		{"push", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Push(w.T.Context(), a, r.ID, exchange.Audience{Cohort: "at-release"}, time.Time{}, because)
			return err
		}, to{armed: releasing, releasing: stays}},
		{"push to the public", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Push(w.T.Context(), a, r.ID, exchange.PublicAudience, time.Time{}, because)
			return err
		}, to{}},
		{"withdraw", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Withdraw(w.T.Context(), a, r.ID, because)
			return err
		}, to{draft: withdrawn, waiting: withdrawn, armed: withdrawn, releasing: withdrawn, public: withdrawn, contained: withdrawn}},
		{"contain", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Contain(w.T.Context(), a, r.ID, because)
			return err
		}, to{draft: contained, waiting: contained, armed: contained, releasing: contained}},
		{"close", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Close(w.T.Context(), a, r.ID, because)
			return err
		}, to{public: closed}},
		{"rearm", func(w *servertest.World, a exchange.Actor, r exchange.Release) error {
			_, err := w.X.Releases.Rearm(w.T.Context(), a, r.ID, release.Rearm{T0: far, Reason: "incomplete"})
			return err
		}, to{draft: stays, waiting: stays, armed: stays, releasing: stays, public: stays, closed: stays, withdrawn: stays, contained: stays}},
	}
}

// Every act in every state: it leads where the table says, or it is a Conflict
// that changes nothing at all.
func TestEveryActInEveryState(t *testing.T) {
	for _, s := range states {
		w := servertest.New(t)
		for _, act := range acts() {
			t.Run(string(s)+"/"+act.name, func(t *testing.T) {
				w.T = t
				r := in(w, s)
				before := w.Dump()
				err := act.do(w, w.Operator, r)
				to, allowed := act.to[s]
				if !allowed {
					if exchange.KindOf(err) != exchange.Conflict {
						t.Fatalf("%v, want a conflict", err)
					}
					unchanged(t, before, w.Dump())
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if to == "" {
					to = s
				}
				if got := read(w, r.ID); got.State != to {
					t.Errorf("state %s, want %s", got.State, to)
				}
			})
		}
	}
}

// Approving is for releases that wait.
func TestApproveInEveryState(t *testing.T) {
	w := servertest.New(t)
	for _, s := range states {
		r := in(w, s)
		_, err := w.X.Releases.Approve(t.Context(), w.ApproverA, r.ID, r.Revision)
		if s == exchange.ReleaseWaiting && err != nil || s != exchange.ReleaseWaiting && exchange.KindOf(err) != exchange.Conflict {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// What takes content back or stops it leaves nothing that opens later.
func TestNothingOpensAfterTheEnd(t *testing.T) {
	for _, s := range []exchange.ReleaseState{exchange.ReleaseDraft, exchange.ReleaseWaiting, exchange.ReleaseWithdrawn, exchange.ReleaseContained} {
		w := servertest.New(t)
		r := in(w, s)
		w.Clock.Set(far.AddDate(1, 0, 0))
		if err := w.X.Releases.OpenDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(w.Dump()["opening"]); n != 0 {
			t.Errorf("%s: %d openings", s, n)
		}
		if got := read(w, r.ID); got.State != s {
			t.Errorf("%s became %s", s, got.State)
		}
	}
}

// Nobody but those who run the program learns that a release exists; those who
// oversee it and may not change it are told so.
func TestWhoMayAct(t *testing.T) {
	w := servertest.New(t)
	scoped := w.Operator
	scoped.Token, scoped.Verbs = "fw_scoped", []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
	elsewhere := w.Operator
	elsewhere.Token, elsewhere.Verbs, elsewhere.Program = "fw_elsewhere", []exchange.Verb{exchange.VerbOperate}, "another"
	foreign := w.Reader(servertest.EarlyA)
	foreign.Roles = []exchange.Role{exchange.RoleOperator, exchange.RoleApprover, exchange.RoleAdmin}
	for _, c := range []struct {
		name string
		a    exchange.Actor
		want exchange.Kind
	}{
		{"member", w.Reader(servertest.EarlyA), exchange.NotFound},
		{"member's machine", w.Machine(servertest.EarlyA), exchange.NotFound},
		{"operator of another organisation", foreign, exchange.NotFound},
		{"outsider", w.Reader(servertest.Outsider), exchange.NotFound},
		{"nobody", exchange.Public(), exchange.NotFound},
		{"token that may not operate", scoped, exchange.NotFound},
		{"token of another program", elsewhere, exchange.NotFound},
		{"auditor", w.Auditor, exchange.Denied},
		{"approver", w.ApproverA, exchange.Denied},
	} {
		r := in(w, exchange.ReleaseReleasing)
		before := w.Dump()
		for _, act := range acts() {
			err := act.do(w, c.a, r)
			if act.name == "push to the public" {
				continue // refused before anything is looked up
			}
			if exchange.KindOf(err) != c.want {
				t.Errorf("%s %s: %v, want %s", c.name, act.name, err, c.want)
			}
			unknown := act.do(w, c.a, exchange.Release{ID: "rel_unknown"})
			if exchange.KindOf(unknown) != exchange.NotFound {
				t.Errorf("%s %s of an unknown release: %v", c.name, act.name, unknown)
			}
			if c.want == exchange.NotFound && err != nil && unknown != nil && err.Error() != unknown.Error() {
				t.Errorf("%s %s: %q for a release, %q for none", c.name, act.name, err, unknown)
			}
		}
		unchanged(t, before, w.Dump())
	}
}

// What is read by those who oversee a program does not exist for others.
func TestWhoMayRead(t *testing.T) {
	w := servertest.New(t)
	r := in(w, exchange.ReleaseReleasing)
	reads := map[string]func(exchange.Actor) error{
		"read":    func(a exchange.Actor) error { _, err := w.X.Releases.Read(t.Context(), a, r.ID); return err },
		"list":    func(a exchange.Actor) error { _, err := w.X.Releases.List(t.Context(), a, testkit.Program); return err },
		"preview": func(a exchange.Actor) error { _, err := w.X.Releases.Preview(t.Context(), a, r.ID); return err },
		"holders": func(a exchange.Actor) error { _, err := w.X.Releases.Holders(t.Context(), a, r.ID); return err },
	}
	for name, do := range reads {
		for _, a := range []exchange.Actor{w.Operator, w.ApproverA, w.Auditor} {
			if err := do(a); err != nil {
				t.Errorf("%s by %s: %v", name, a.Name, err)
			}
		}
		for _, a := range []exchange.Actor{w.Reader(servertest.EarlyA), w.Machine(servertest.EarlyA), w.Reader(servertest.Outsider), exchange.Public(), w.Admin} {
			if err := do(a); exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("%s by %s: %v", name, a.Name, err)
			}
		}
	}
}

// A change that was made to an older version, or without a reason, is refused.
func TestChangesNeedVersionAndReason(t *testing.T) {
	w := servertest.New(t)
	r := in(w, exchange.ReleaseArmed)
	before := w.Dump()
	for name, do := range map[string]func(release.Change) error{
		"move": func(c release.Change) error {
			_, err := w.X.Releases.Move(t.Context(), w.Operator, r.ID, far, c)
			return err
		},
		"hold": func(c release.Change) error {
			_, err := w.X.Releases.Hold(t.Context(), w.Operator, r.ID, early, time.Time{}, c)
			return err
		},
		"kill": func(c release.Change) error {
			_, err := w.X.Releases.Kill(t.Context(), w.Operator, r.ID, early, time.Time{}, c)
			return err
		},
		"push": func(c release.Change) error {
			_, err := w.X.Releases.Push(t.Context(), w.Operator, r.ID, early, time.Time{}, c)
			return err
		},
		"withdraw": func(c release.Change) error {
			_, err := w.X.Releases.Withdraw(t.Context(), w.Operator, r.ID, c)
			return err
		},
		"contain": func(c release.Change) error {
			_, err := w.X.Releases.Contain(t.Context(), w.Operator, r.ID, c)
			return err
		},
	} {
		if err := do(release.Change{Reason: "r", Version: r.Version - 1}); exchange.KindOf(err) != exchange.Precondition {
			t.Errorf("%s of an older version: %v", name, err)
		}
		if err := do(release.Change{Reason: " ", Version: r.Version}); exchange.KindOf(err) != exchange.Invalid {
			t.Errorf("%s without a reason: %v", name, err)
		}
	}
	if _, err := w.X.Releases.Edit(t.Context(), w.Operator, r.ID, titled("x"), r.Version-1); exchange.KindOf(err) != exchange.Precondition {
		t.Errorf("edit of an older version: %v", err)
	}
	if _, err := w.X.Releases.Send(t.Context(), w.Operator, r.ID, r.Version-1); exchange.KindOf(err) != exchange.Precondition {
		t.Errorf("send of an older version: %v", err)
	}
	unchanged(t, before, w.Dump())
}

// After the sunset what was shared stays readable, and nothing new is shared.
func TestAfterTheSunset(t *testing.T) {
	w := servertest.New(t)
	drafted, waits := draft(w, far), in(w, exchange.ReleaseWaiting)
	w.Clock.Set(time.Date(2030, time.May, 31, 22, 0, 0, 0, time.UTC)) // midnight in Berlin
	for name, err := range map[string]error{
		"create": func() error {
			_, err := w.X.Releases.Create(t.Context(), w.Operator, release.Draft{Program: testkit.Program, Title: "t", T0: far})
			return err
		}(),
		"edit": func() error {
			_, err := w.X.Releases.Edit(t.Context(), w.Operator, drafted.ID, titled("t"), 0)
			return err
		}(),
		"send": func() error { _, err := w.X.Releases.Send(t.Context(), w.Operator, drafted.ID, 0); return err }(),
		"approve": func() error {
			_, err := w.X.Releases.Approve(t.Context(), w.ApproverA, waits.ID, waits.Revision)
			return err
		}(),
		"rearm": func() error {
			_, err := w.X.Releases.Rearm(t.Context(), w.Operator, drafted.ID, release.Rearm{T0: far, Reason: "r"})
			return err
		}(),
	} {
		if exchange.KindOf(err) != exchange.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	if read(w, drafted.ID).State != exchange.ReleaseDraft {
		t.Error("reading after the sunset")
	}
}
