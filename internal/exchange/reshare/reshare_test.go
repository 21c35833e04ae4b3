package reshare_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

const (
	asker  = servertest.EarlyB
	owner  = servertest.EarlyA
	target = servertest.Standard
	third  = servertest.Compelled // of the same cohort as the target
)

// One STIX object that a member wrote is passed on to another: the copy reaches
// that one, under its own identifier and with the permission on it, until the
// permission ends, and nobody else.
func TestObjectIsPassedOn(t *testing.T) {
	w := newWorld(t)
	item := w.add(owner, 1, green)
	if !strings.Contains(w.feed(w.Machine(asker)), item) {
		t.Fatal("the asker does not hold the object")
	}
	v := w.ask(w.Reader(asker), reshare.Question{Item: item, To: []exchange.OrgID{target, "nobody-knows"}, Outside: []string{"our MSSP customer X"}})
	if v.State != reshare.Open || !v.Unnamed || len(v.Owners) != 0 || v.Waiting != 1 || v.Originals != 1 {
		t.Fatalf("the asker is shown %+v", v)
	}
	if strings.Contains(w.feed(w.Machine(target)), "n1.example") {
		t.Fatal("the object was given before anybody said yes")
	}
	if !strings.Contains(w.notices(owner), string(v.ID)) {
		t.Error("the originator was not asked")
	}
	until := testkit.Start.Add(48 * time.Hour)
	got := w.answer(owner, v, reshare.Reply{Yes: true, Condition: "Not to be named", Until: until})
	if got.State != reshare.Conditional || !got.End.Equal(until) {
		t.Fatalf("%+v", got)
	}
	seen := w.feed(w.Machine(target))
	if !strings.Contains(seen, "n1.example") || strings.Contains(seen, item) || !strings.Contains(seen, string(v.ID)) ||
		!strings.Contains(seen, "Not to be named") || strings.Contains(seen, "00000000aa") || strings.Contains(seen, string(owner)) {
		t.Errorf("the recipient is shown %s", seen)
	}
	if !strings.Contains(w.notices(target), string(v.ID)) {
		t.Error("the recipient was not told")
	}
	for _, org := range []exchange.OrgID{third, servertest.Late, servertest.Client, servertest.Unsigned, servertest.Outsider} {
		if strings.Contains(w.feed(w.Machine(org)), "n1.example") || strings.Contains(w.notices(org), string(v.ID)) {
			t.Errorf("%s has it, too", org)
		}
	}
	// The asker's own view holds the original alone, and the copy by the request.
	if text := w.feed(w.Machine(asker)); strings.Contains(text, string(v.ID)) {
		t.Error("the copy stands in the asker's collection")
	}
	copied := w.copyOf(asker, v.ID)
	if !strings.Contains(copied, "our MSSP customer X") || !strings.Contains(copied, "n1.example") || strings.Contains(copied, item) {
		t.Errorf("the copy is %s", copied)
	}
	if again := w.copyOf(asker, v.ID); again != copied {
		t.Error("the copy is another each time")
	}
	for _, a := range []exchange.Actor{w.Reader(target), w.Reader(third), w.Admin} {
		_, err := w.X.Reshares.Copy(t.Context(), a, v.ID)
		w.wantKind(err, exchange.NotFound)
	}
	_, err := w.X.Reshares.Copy(t.Context(), w.Operator, v.ID)
	w.wantKind(err, exchange.Denied)

	w.Clock.Set(until.Add(-time.Microsecond))
	if !strings.Contains(w.feed(w.Machine(target)), "n1.example") {
		t.Error("it ended before its time")
	}
	w.Clock.Set(until)
	if strings.Contains(w.feed(w.Machine(target)), "n1.example") {
		t.Error("it did not end")
	}
	_, err = w.X.Reshares.Copy(t.Context(), w.Reader(asker), v.ID)
	w.wantKind(err, exchange.Conflict)
}

// copyOf is the copy that an asker gets, which has to be sound STIX.
func (w world) copyOf(org exchange.OrgID, id reshare.ID) string {
	w.T.Helper()
	c, err := w.X.Reshares.Copy(w.T.Context(), w.Reader(org), id)
	if err != nil {
		w.T.Fatal(err)
	}
	sum, err := stix.Scan(bytes.NewReader(c.Body), stix.Options{MaxProblems: 10}, func(*stix.Object) error { return nil })
	if err != nil || sum.ProblemCount > 0 || len(sum.UnresolvedMarkings) > 0 {
		w.T.Errorf("the copy is not sound: %v %+v\n%s", err, sum.Problems, c.Body)
	}
	return string(c.Body)
}

// An artifact of a release is passed on: it enters the recipient's view before
// its own wave, and leaves it when the originator revokes the grant.
func TestArtifactIsPassedOn(t *testing.T) {
	w := newWorld(t)
	t0 := testkit.Start.AddDate(0, 0, 30)
	r := w.Draft("Passed on", t0)
	guidance, _, summary := w.Package(r.ID, 5)
	w.Arm(r.ID)
	_, err := w.X.Reshares.Ask(t.Context(), w.Reader(asker), reshare.Question{Item: string(guidance.ID), Kind: reshare.Reshare, To: []exchange.OrgID{target}, Why: "x"})
	w.wantKind(err, exchange.NotFound) // its wave has not opened
	w.Clock.Set(t0.AddDate(0, 0, -3))
	holds := func(org exchange.OrgID, id exchange.ArtifactID) bool {
		t.Helper()
		_, err := w.X.Delivery.Artifact(t.Context(), w.Machine(org), id)
		if err != nil && exchange.KindOf(err) != exchange.NotFound {
			t.Fatal(err)
		}
		return err == nil
	}
	if !holds(asker, guidance.ID) || holds(target, guidance.ID) {
		t.Fatal("the waves are not as the test wants them")
	}
	v := w.ask(w.Reader(asker), reshare.Question{Item: string(guidance.ID), To: []exchange.OrgID{target}})
	got := w.answer(testkit.Owner, v, reshare.Reply{Yes: true})
	if got.State != reshare.Granted {
		t.Fatalf("%+v", got)
	}
	if !holds(target, guidance.ID) || holds(target, summary.ID) || holds(third, guidance.ID) {
		t.Error("not exactly the recipient has exactly the artifact")
	}
	// A second grant that ends earlier takes nothing away, and keeps the first's
	// end alive when that is revoked.
	early := w.Clock.Now().Add(time.Hour)
	second := w.ask(w.Reader(asker), reshare.Question{Item: string(guidance.ID), To: []exchange.OrgID{target}, Until: early})
	w.answer(testkit.Owner, second, reshare.Reply{Yes: true})
	if _, err := w.X.Reshares.Revoke(t.Context(), w.Operator, v.ID); err != nil {
		t.Fatal(err)
	}
	if !holds(target, guidance.ID) {
		t.Error("what the second grant gives has ended with the first")
	}
	w.wantState(v.ID, w.Reader(asker), reshare.Revoked)
	if !strings.Contains(w.notices(target), "revoked") {
		t.Error("the recipient was not told")
	}
	w.Clock.Set(early)
	if holds(target, guidance.ID) {
		t.Error("the second grant did not end")
	}
	w.Clock.Set(t0)
	if !holds(target, guidance.ID) {
		t.Error("what ended keeps the ordinary wave away")
	}
	_, err = w.X.Reshares.Revoke(t.Context(), w.Operator, second.ID)
	w.wantKind(err, exchange.Conflict)
}

// A recipient whom the originator excludes is given nothing by a grant, and is
// told nothing.
func TestGrantPassesNoExclusion(t *testing.T) {
	w := newWorld(t)
	r := w.Draft("Excluded", testkit.Start.AddDate(0, 0, 30))
	a := w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Marked(9, ""), servertest.Label(exchange.TLPAmber))
	w.Arm(r.ID)
	w.Clock.Set(testkit.Start.AddDate(0, 0, 29))
	if _, err := w.X.Delivery.Artifact(t.Context(), w.Machine(asker), a.ID); err != nil {
		t.Fatal(err)
	}
	v := w.ask(w.Reader(asker), reshare.Question{Item: string(a.ID), To: []exchange.OrgID{servertest.Unsigned, servertest.Outsider}})
	got := w.answer(testkit.Owner, v, reshare.Reply{Yes: true})
	if got.State != reshare.Granted {
		t.Fatal(got.State)
	}
	for _, org := range []exchange.OrgID{servertest.Unsigned, servertest.Outsider} {
		if strings.Contains(w.feed(w.Machine(org)), "marked-9") || strings.Contains(w.notices(org), string(v.ID)) {
			t.Errorf("%s has it", org)
		}
	}
}

// Who takes part in a request may know of it, and nobody else; and only the
// originators answer.
func TestWhoMayKnowAndAnswer(t *testing.T) {
	w := newWorld(t)
	item := w.add(owner, 1, green)
	v := w.ask(w.Reader(asker), reshare.Question{Item: item, To: []exchange.OrgID{target}})
	for _, a := range []exchange.Actor{w.Reader(target), w.Reader(third), w.Reader(servertest.Outsider), w.Admin, exchange.Public()} {
		_, err := w.X.Reshares.Read(t.Context(), a, v.ID)
		w.wantKind(err, exchange.NotFound)
		_, err = w.X.Reshares.Answer(t.Context(), a, v.ID, reshare.Reply{Yes: true})
		w.wantKind(err, exchange.NotFound)
		_, err = w.X.Reshares.Withdraw(t.Context(), a, v.ID)
		w.wantKind(err, exchange.NotFound)
		all, _, err := w.X.Reshares.List(t.Context(), a, reshare.Filter{Limit: 10})
		if err != nil || len(all) != 0 {
			t.Errorf("%s lists %v %v", a.Org, all, err)
		}
	}
	for _, a := range []exchange.Actor{w.Operator, w.ApproverA, exchange.System(), w.Reader(asker), w.Machine(owner), capped(w.Reader(owner)), analyst(w.Reader(owner))} {
		_, err := w.X.Reshares.Answer(t.Context(), a, v.ID, reshare.Reply{Yes: true})
		w.wantKind(err, exchange.Denied)
	}
	got := w.wantState(v.ID, w.Operator, reshare.Open)
	if len(got.Owners) != 1 || got.Owners[0] != owner {
		t.Errorf("who runs the program is not told who is asked: %+v", got)
	}
	if mine := w.wantState(v.ID, w.Reader(owner), reshare.Open); !mine.Answer || mine.Withdraw || len(mine.Owners) != 1 {
		t.Errorf("the originator is shown %+v", mine)
	}
	all, _, err := w.X.Reshares.List(t.Context(), w.Operator, reshare.Filter{Program: testkit.Program, Limit: 10})
	if err != nil || len(all) != 1 {
		t.Errorf("who runs the program lists %v %v", all, err)
	}
	_, _, err = w.X.Reshares.List(t.Context(), w.Reader(asker), reshare.Filter{Program: testkit.Program, Limit: 10})
	w.wantKind(err, exchange.NotFound)

	refused := w.answer(owner, v, reshare.Reply{})
	if refused.State != reshare.Refused {
		t.Error(refused.State)
	}
	_, err = w.X.Reshares.Answer(t.Context(), w.Reader(owner), v.ID, reshare.Reply{Yes: true})
	w.wantKind(err, exchange.Conflict)
	asked := w.wantState(v.ID, w.Reader(asker), reshare.Refused)
	b, _ := json.Marshal(asked)
	if strings.Contains(string(b), string(owner)) || strings.Contains(w.notices(asker), string(owner)) {
		t.Errorf("the asker learns who the originator is: %s", b)
	}
	if strings.Contains(w.feed(w.Machine(target)), "n1.example") {
		t.Error("a no gives")
	}
	// Where members see names, the originator is one.
	open := newWorld(t, func(c *exchange.Charter) { c.Visibility.MembersSee = exchange.SeeNames })
	item = open.add(owner, 1, green)
	if v := open.ask(open.Reader(asker), reshare.Question{Item: item, To: []exchange.OrgID{target}}); len(v.Owners) != 1 {
		t.Errorf("%+v", v)
	}
}

func capped(a exchange.Actor) exchange.Actor {
	a.Ceiling = exchange.TLPAmberStrict
	return a
}

func analyst(a exchange.Actor) exchange.Actor {
	a.Roles = []exchange.Role{exchange.RoleAnalyst}
	return a
}

// Without an answer in time the request is refused by the clock: before the
// server's round as after it, and the round does it once.
func TestLapse(t *testing.T) {
	w := newWorld(t, func(c *exchange.Charter) { c.Resharing = exchange.Resharing{AnswerWithin: 24 * time.Hour, MaxDays: 10} })
	item := w.add(owner, 1, green)
	v := w.ask(w.Reader(asker), reshare.Question{Item: item, To: []exchange.OrgID{target}})
	if !v.AnswerBy.Equal(testkit.Start.Add(24*time.Hour)) || !v.Until.Equal(testkit.Start.AddDate(0, 0, 10)) {
		t.Errorf("answer by %s, until %s", v.AnswerBy, v.Until)
	}
	w.Clock.Set(v.AnswerBy.Add(-time.Second))
	if err := w.X.Reshares.Lapse(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantState(v.ID, w.Reader(asker), reshare.Open)
	w.Clock.Set(v.AnswerBy)
	w.wantState(v.ID, w.Reader(asker), reshare.Lapsed)
	_, err := w.X.Reshares.Answer(t.Context(), w.Reader(owner), v.ID, reshare.Reply{Yes: true})
	w.wantKind(err, exchange.Conflict)
	for range 2 {
		if err := w.X.Reshares.Lapse(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.count(exchange.EventReshareLapsed); n != 1 {
		t.Errorf("%d events", n)
	}
	if !strings.Contains(w.notices(asker), "lapsed") {
		t.Error("the asker was not told")
	}
	times, err := w.X.Reshares.AnswerTimes(t.Context(), w.Operator, testkit.Program)
	if err != nil || times.Lapsed != 1 || times.Answers != 0 {
		t.Errorf("%+v %v", times, err)
	}
	second := w.ask(w.Reader(asker), reshare.Question{Item: item, To: []exchange.OrgID{target}})
	w.Clock.Advance(90 * time.Minute)
	w.answer(owner, second, reshare.Reply{})
	times, err = w.X.Reshares.AnswerTimes(t.Context(), w.Operator, testkit.Program)
	if want := (reshare.Times{Answers: 1, Lapsed: 1, Median: 90 * time.Minute, P90: 90 * time.Minute}); err != nil || times != want {
		t.Errorf("%+v %v", times, err)
	}
	_, err = w.X.Reshares.AnswerTimes(t.Context(), w.Reader(asker), testkit.Program)
	w.wantKind(err, exchange.NotFound)
}

func TestWithdrawAndOwnItem(t *testing.T) {
	w := newWorld(t)
	item := w.add(owner, 1, green)
	v := w.ask(w.Reader(asker), reshare.Question{Item: item, To: []exchange.OrgID{target}})
	_, err := w.X.Reshares.Withdraw(t.Context(), w.Reader(owner), v.ID)
	w.wantKind(err, exchange.Denied)
	for range 2 {
		if _, err := w.X.Reshares.Withdraw(t.Context(), w.Reader(asker), v.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.count(exchange.EventReshareWithdrawn); n != 1 {
		t.Errorf("%d events", n)
	}
	_, err = w.X.Reshares.Answer(t.Context(), w.Reader(owner), v.ID, reshare.Reply{Yes: true})
	w.wantKind(err, exchange.Conflict)
	// The only originator has said yes by asking.
	own := w.ask(w.Reader(owner), reshare.Question{Item: item, To: []exchange.OrgID{target}})
	if own.State != reshare.Granted || !strings.Contains(w.feed(w.Machine(target)), "n1.example") {
		t.Errorf("%+v", own)
	}
	if _, err := w.X.Reshares.Revoke(t.Context(), w.Reader(owner), own.ID); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(w.feed(w.Machine(target)), "n1.example") {
		t.Error("revoked and still given")
	}
}

func TestWhatIsRefused(t *testing.T) {
	w := newWorld(t)
	item := w.add(owner, 1, green)
	good := reshare.Question{Program: testkit.Program, Item: item, Kind: reshare.Reshare, To: []exchange.OrgID{target}, Why: "x"}
	for name, change := range map[string]func(*reshare.Question){
		"why":              func(q *reshare.Question) { q.Why = " " },
		"to":               func(q *reshare.Question) { q.To = nil },
		"to[0]":            func(q *reshare.Question) { q.To = []exchange.OrgID{asker} },
		"outside[0]":       func(q *reshare.Question) { q.Outside = []string{"a\nb"} },
		"until":            func(q *reshare.Question) { q.Until = testkit.Start.AddDate(1, 0, 0) },
		"kind":             func(q *reshare.Question) { q.Kind = "take" },
		"handling":         func(q *reshare.Question) { q.Change.TLP = exchange.TLPClear },
		"item":             func(q *reshare.Question) { q.Kind, q.To, q.Change.TLP = reshare.Loosen, nil, exchange.TLPClear },
		"handling.drop[0]": func(q *reshare.Question) { q.Kind, q.To, q.Change.Drop = reshare.Loosen, nil, []string{"tlp"} },
	} {
		q := good
		change(&q)
		if name == "handling.drop[0]" {
			r := w.Draft("Drop", testkit.Start.AddDate(0, 0, 30))
			a := w.Submit(r.ID, exchange.Summary, "s.md", strings.NewReader("# s\n"))
			q.Item = string(a.ID)
			_, err := w.X.Reshares.Ask(t.Context(), w.Operator, q)
			wantProblem(t, err, name)
			continue
		}
		_, err := w.X.Reshares.Ask(t.Context(), w.Reader(asker), q)
		wantProblem(t, err, name)
	}
	past := good
	past.Until = testkit.Start
	_, err := w.X.Reshares.Ask(t.Context(), w.Reader(asker), past)
	wantProblem(t, err, "until")
	readOnly := w.Machine(asker)
	readOnly.Verbs = []exchange.Verb{exchange.VerbRead}
	_, err = w.X.Reshares.Ask(t.Context(), readOnly, good)
	w.wantKind(err, exchange.Denied)
	_, err = w.X.Reshares.Ask(t.Context(), w.Reader(target), good)
	w.wantKind(err, exchange.NotFound)
	v := w.ask(w.Reader(asker), good)
	for name, in := range map[string]reshare.Reply{
		"condition": {Condition: "x"}, "until": {Yes: true, Until: v.Until.Add(time.Hour)},
	} {
		_, err := w.X.Reshares.Answer(t.Context(), w.Reader(owner), v.ID, in)
		wantProblem(t, err, name)
	}
	_, err = w.X.Reshares.Read(t.Context(), w.Reader(asker), "rsh_aaaaaaaaaaaaaaaa")
	w.wantKind(err, exchange.NotFound)
}

func wantProblem(t *testing.T, err error, path string) {
	t.Helper()
	var e *exchange.Error
	if errors.As(err, &e) {
		for _, p := range e.Problems {
			if p.Path == path {
				return
			}
		}
	}
	t.Errorf("no problem at %s: %v %+v", path, err, e)
}
