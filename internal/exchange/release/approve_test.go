package release_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// waiting is a release with a proof of concept that waits for two approvals.
func waiting(w *servertest.World) exchange.Release {
	w.T.Helper()
	r := w.Draft("With a proof of concept", far)
	w.Package(r.ID, 3)
	out, err := w.X.Releases.Send(w.T.Context(), w.Operator, r.ID, 0)
	if err != nil {
		w.T.Fatal(err)
	}
	return out
}

func approve(w *servertest.World, a exchange.Actor, r exchange.Release) (exchange.Release, error) {
	return w.X.Releases.Approve(w.T.Context(), a, r.ID, r.Revision)
}

func TestProofOfConceptNeedsTwoPeople(t *testing.T) {
	w := servertest.New(t)
	r := waiting(w)
	if v := read(w, r.ID); v.Needed != 2 {
		t.Errorf("%d approvals needed", v.Needed)
	}
	for range 2 { // the same person a second time is still one person
		got, err := approve(w, w.ApproverA, r)
		if err != nil || got.State != exchange.ReleaseWaiting || len(got.Valid()) != 1 {
			t.Fatalf("%s, %d approvals, %v", got.State, len(got.Valid()), err)
		}
	}
	w.Clock.Set(far) // every moment has come, and nothing opens
	if err := w.X.Releases.OpenDue(t.Context()); err != nil || len(w.Dump()["opening"]) != 0 {
		t.Fatalf("opened with one approval: %v", err)
	}
	got, err := approve(w, w.ApproverB, r)
	if err != nil || !got.State.Opens() || len(got.Valid()) != 2 {
		t.Fatalf("%s, %d approvals, %v", got.State, len(got.Valid()), err)
	}
	events, err := w.Events(exchange.EventReleaseApproved)
	if err != nil || len(events) != 2 {
		t.Errorf("%d approvals recorded, want 2: %v", len(events), err)
	}
}

// Reproduction steps need two people even where the charter does not list them
// and the plan gives them to nobody before the release.
func TestReproductionStepsNeedTwoPeople(t *testing.T) {
	w := servertest.New(t)
	c := strings.Replace(string(testkit.CharterTOML()), `two_person = ["poc", "repro-steps"]`, `two_person = []`, 1)
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, []byte(c), false); err != nil {
		t.Fatal(err)
	}
	r := w.Draft("Steps", far)
	w.Submit(r.ID, exchange.ReproSteps, "steps.md", strings.NewReader("# Steps\n"))
	v := read(w, r.ID)
	rules := append(slices.Clone(v.Plan.Rules), exchange.PlanRule{Class: exchange.ReproSteps, Cohort: "at-release"})
	if _, err := w.X.Releases.Edit(t.Context(), w.Operator, r.ID, release.Edit{Rules: &rules}, v.Version); err != nil {
		t.Fatal(err)
	}
	if got := read(w, r.ID).Needed; got != 2 {
		t.Errorf("%d approvals needed", got)
	}
}

func TestWhoWroteItCannotApprove(t *testing.T) {
	w := servertest.New(t)
	both := w.Operator
	both.Roles = []exchange.Role{exchange.RoleOperator, exchange.RoleApprover}
	second := testkit.Actor(testkit.Person(testkit.Owner, "second", exchange.RoleOperator, exchange.RoleApprover))
	r := waiting(w)
	if _, err := approve(w, both, r); exchange.KindOf(err) != exchange.Denied {
		t.Fatalf("the author approved: %v", err)
	}
	// Who edits becomes an author of this revision, and so does who hands in.
	if _, err := w.X.Releases.Edit(t.Context(), second, r.ID, titled("By the second"), 0); err != nil {
		t.Fatal(err)
	}
	sent, err := w.X.Releases.Send(t.Context(), w.Operator, r.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []exchange.Actor{both, second} {
		if _, err := approve(w, a, sent); exchange.KindOf(err) != exchange.Denied {
			t.Errorf("%s approved: %v", a.Name, err)
		}
	}
	third := testkit.Actor(testkit.Person(testkit.Owner, "third", exchange.RoleOperator, exchange.RoleApprover))
	in := submission.Input{Release: r.ID, Class: exchange.Summary, Filename: "more.md"}
	if _, err := w.X.Submissions.Submit(t.Context(), third, in, strings.NewReader("# More\n")); err != nil {
		t.Fatal(err)
	}
	if sent, err = w.X.Releases.Send(t.Context(), w.Operator, r.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := approve(w, third, sent); exchange.KindOf(err) != exchange.Denied {
		t.Errorf("who handed in approved: %v", err)
	}
	if n := len(read(w, r.ID).Valid()); n != 0 {
		t.Errorf("%d approvals", n)
	}
}

func TestWhoElseCannotApprove(t *testing.T) {
	w := servertest.New(t)
	r := waiting(w)
	foreign := w.Reader(servertest.EarlyA)
	foreign.Roles = []exchange.Role{exchange.RoleApprover}
	token := w.ApproverA
	token.Token, token.Verbs = "fw_reader", []exchange.Verb{exchange.VerbRead}
	for _, c := range []struct {
		a    exchange.Actor
		want exchange.Kind
	}{
		{w.Auditor, exchange.Denied},
		{w.Operator, exchange.Denied},
		{foreign, exchange.NotFound},
		{w.Reader(servertest.EarlyA), exchange.NotFound},
		{token, exchange.NotFound},
		{w.Admin, exchange.NotFound},
		{exchange.Public(), exchange.NotFound},
	} {
		if _, err := approve(w, c.a, r); exchange.KindOf(err) != c.want {
			t.Errorf("%s %s: %v, want %s", c.a.Name, c.a.Token, err, c.want)
		}
	}
	if n := len(read(w, r.ID).Valid()); n != 0 {
		t.Errorf("%d approvals", n)
	}
}

// Whatever is changed after an approval voids it: nothing opens before the new
// revision is approved, and the old approval counts for nothing.
func TestAnEditVoidsTheApprovals(t *testing.T) {
	for name, change := range map[string]func(w *servertest.World, r exchange.Release) error{
		"title": func(w *servertest.World, r exchange.Release) error {
			_, err := w.X.Releases.Edit(t.Context(), w.Operator, r.ID, titled("Another"), 0)
			return err
		},
		"message": func(w *servertest.World, r exchange.Release) error {
			m := "Read that."
			_, err := w.X.Releases.Edit(t.Context(), w.Operator, r.ID, release.Edit{Message: &m}, 0)
			return err
		},
		"rules": func(w *servertest.World, r exchange.Release) error {
			rules := r.Plan.Rules[:len(r.Plan.Rules)-1]
			_, err := w.X.Releases.Edit(t.Context(), w.Operator, r.ID, release.Edit{Rules: &rules}, 0)
			return err
		},
		"time": func(w *servertest.World, r exchange.Release) error {
			t0 := far.AddDate(0, 0, 1)
			_, err := w.X.Releases.Edit(t.Context(), w.Operator, r.ID, release.Edit{T0: &t0}, 0)
			return err
		},
		"another artifact": func(w *servertest.World, r exchange.Release) error {
			in := submission.Input{Release: r.ID, Class: exchange.DetectionGuidance, Filename: "more.json"}
			_, err := w.X.Submissions.Submit(t.Context(), w.Operator, in, servertest.Bundle(2, 99))
			return err
		},
		"an artifact taken out": func(w *servertest.World, r exchange.Release) error {
			_, err := w.X.Submissions.Remove(t.Context(), w.Operator, read(w, r.ID).Artifacts[0].ID)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, armed := range []bool{false, true} {
				w := servertest.New(t)
				r := waiting(w)
				approvers := []exchange.Actor{w.ApproverA}
				if armed {
					approvers = append(approvers, w.ApproverB)
				}
				var err error
				for _, a := range approvers {
					if r, err = approve(w, a, r); err != nil {
						t.Fatal(err)
					}
				}
				if err := change(w, r); err != nil {
					t.Fatal(err)
				}
				got := read(w, r.ID)
				if got.State != exchange.ReleaseDraft || got.Revision == r.Revision || len(got.Valid()) != 0 {
					t.Errorf("armed %t: %s, revision %d, %d approvals", armed, got.State, got.Revision, len(got.Valid()))
				}
				w.Clock.Set(far.AddDate(0, 0, 2))
				if err := w.X.Releases.OpenDue(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := len(w.Dump()["opening"]); n != 0 {
					t.Errorf("armed %t: %d artifacts were opened", armed, n)
				}
				if _, err := approve(w, w.ApproverB, r); err == nil {
					t.Errorf("armed %t: the old revision was approved", armed)
				}
			}
		})
	}
}

// An approval names the revision that its author saw; another one is refused.
func TestAnApprovalIsForOneRevision(t *testing.T) {
	w := servertest.New(t)
	r := waiting(w)
	if _, err := w.X.Releases.Edit(t.Context(), w.Operator, r.ID, titled("Another"), 0); err != nil {
		t.Fatal(err)
	}
	sent, err := w.X.Releases.Send(t.Context(), w.Operator, r.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, revision := range []int64{0, r.Revision, sent.Revision + 1} {
		if _, err := w.X.Releases.Approve(t.Context(), w.ApproverA, r.ID, revision); exchange.KindOf(err) != exchange.Precondition {
			t.Errorf("revision %d: %v", revision, err)
		}
	}
	if _, err := approve(w, w.ApproverA, sent); err != nil {
		t.Error(err)
	}
}

// What is incomplete is not sent: the problems say what is missing.
func TestSendNamesWhatIsMissing(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Empty", far)
	_, err := w.X.Releases.Send(t.Context(), w.Operator, r.ID, 0)
	if got := paths(err); !slices.Equal(got, []string{"artifact"}) {
		t.Errorf("an empty release: %v %v", got, err)
	}
	a := w.Submit(r.ID, exchange.AdvanceNote, "note.md", strings.NewReader("# Note\n"))
	_, err = w.X.Releases.Send(t.Context(), w.Operator, r.ID, 0)
	if got := paths(err); !slices.Equal(got, []string{"artifact[" + string(a.ID) + "].class"}) {
		t.Errorf("a class that no rule gives: %v %v", got, err)
	}
	if s := read(w, r.ID).State; s != exchange.ReleaseDraft {
		t.Errorf("state %s", s)
	}
}

func paths(err error) []string {
	e, ok := err.(*exchange.Error)
	if !ok || e.Kind != exchange.Invalid {
		return nil
	}
	var out []string
	for _, p := range e.Problems {
		out = append(out, p.Path)
	}
	return out
}
