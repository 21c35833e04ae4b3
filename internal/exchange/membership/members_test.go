package membership_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func TestJoinPlacesByRuleAndOnce(t *testing.T) {
	w := newWorld(t)
	w.join(t, "alpha", "beta", "alpha")
	want := map[exchange.OrgID]string{"alpha": "standard", "beta": "early"}
	if diff := cmp.Diff(want, w.in(t)); diff != "" {
		t.Error(diff)
	}
	kinds := []exchange.EventKind{exchange.EventMemberJoined, exchange.EventMemberMoved}
	if diff := cmp.Diff(kinds, w.recorded(t, "alpha")); diff != "" {
		t.Error(diff)
	}
	own, err := w.room.Memberships(t.Context(), w.analyst)
	if err != nil || len(own) != 1 || own[0].Program != testkit.Program || own[0].Accepted != 0 {
		t.Errorf("memberships %+v, %v", own, err)
	}
}

func TestJoinIsForTheOperatorAlone(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct {
		actor exchange.Actor
		kind  exchange.Kind
	}{
		"nobody":                   {exchange.Public(), exchange.NotFound},
		"another owner's operator": {w.stranger, exchange.NotFound},
		"the organisation itself":  {w.signatory, exchange.NotFound},
		"approver":                 {w.approver, exchange.Denied},
		"administrator":            {w.admin, exchange.NotFound},
	} {
		_, err := w.room.Join(t.Context(), tt.actor, testkit.Program, "alpha")
		if exchange.KindOf(err) != tt.kind {
			t.Errorf("%s: %v, want %s", name, err, tt.kind)
		}
	}
	if got := w.in(t); len(got) > 0 {
		t.Errorf("members %v", got)
	}
	_, err := w.room.Join(t.Context(), w.operator, testkit.Program, "no-such-organisation")
	wantKind(t, err, exchange.NotFound)
}

// A changed attribute, a jurisdiction's duty and time each move a member.
func TestMembersMoveWithTheFacts(t *testing.T) {
	w := newWorld(t)
	w.join(t, "alpha", "beta")

	o, err := w.room.Organisation(t.Context(), w.operator, "alpha")
	if err != nil {
		t.Fatal(err)
	}
	o.Products = append(o.Products, "ids")
	if _, err := w.room.ChangeOrganisation(t.Context(), w.admin, o, o.Revision); err != nil {
		t.Fatal(err)
	}
	if got := w.in(t)["alpha"]; got != "early" {
		t.Errorf("with another product: %s", got)
	}

	duty := exchange.Jurisdiction{Code: "DE", Compelled: true, Within: "48h", Source: "an act", ValidFrom: testkit.Start.AddDate(0, 0, 10)}
	if err := w.room.SetJurisdiction(t.Context(), w.admin, duty); err != nil {
		t.Fatal(err)
	}
	if got := w.in(t)["alpha"]; got != "early" {
		t.Errorf("before the duty is in force: %s", got)
	}
	w.Clock.Set(duty.ValidFrom)
	moves, err := w.room.PlaceAll(t.Context())
	if err != nil || len(moves) != 2 {
		t.Errorf("moves %v, %v", moves, err)
	}
	want := map[exchange.OrgID]string{"alpha": "standard!compelled", "beta": "standard!compelled"}
	if diff := cmp.Diff(want, w.in(t)); diff != "" {
		t.Error(diff)
	}
	if moves, err := w.room.PlaceAll(t.Context()); err != nil || len(moves) > 0 {
		t.Errorf("a second time: %v, %v", moves, err)
	}
	m, err := w.room.Member(t.Context(), w.analyst, testkit.Program, "alpha")
	if err != nil || !m.Since.Equal(duty.ValidFrom) || !m.JoinedAt.Equal(testkit.Start) {
		t.Errorf("since %s, joined %s, %v", m.Since, m.JoinedAt, err)
	}
}

// Where the charter withholds nothing under a duty, the duty makes no audience
// of its own.
func TestDutyWithoutEffectMakesNoAudience(t *testing.T) {
	w := newWorld(t)
	c := testkit.Charter()
	c.CompelledDisclosure.Deny = nil
	w.charter(t, c)
	w.put(t, exchange.Jurisdiction{Code: "DE", Compelled: true, Source: "an act"})
	w.join(t, "alpha")
	if got := w.in(t)["alpha"]; got != "standard" {
		t.Errorf("alpha is in %s", got)
	}
}

func TestClientReadsAsItsProvider(t *testing.T) {
	w := newWorld(t)
	client := func(id exchange.OrgID, country string) exchange.Organisation {
		return testkit.Organisation(id, func(o *exchange.Organisation) {
			o.Kind, o.ClientOf, o.Jurisdictions = "operator", "beta", []string{country}
		})
	}
	w.put(t, client("client", "DE"), client("far-client", "XK"),
		exchange.Jurisdiction{Code: "XK", Compelled: true, Source: "an act"})
	w.join(t, "client")
	steps := []struct {
		name string
		act  func() error
		want string
	}{
		{"before its provider is a member", func() error { return nil }, ""},
		{"provider joins", func() error {
			_, err := w.room.Join(t.Context(), w.operator, testkit.Program, "beta")
			return err
		}, "early"},
		{"provider's membership is suspended", func() error {
			_, err := w.room.SuspendMember(t.Context(), w.operator, testkit.Program, "beta", "test")
			return err
		}, ""},
		{"and resumed", func() error {
			_, err := w.room.ResumeMember(t.Context(), w.operator, testkit.Program, "beta")
			return err
		}, "early"},
		{"provider is suspended everywhere", func() error {
			_, err := w.room.SuspendOrganisation(t.Context(), w.admin, "beta", "test")
			return err
		}, ""},
		{"and resumed everywhere", func() error {
			_, err := w.room.ResumeOrganisation(t.Context(), w.admin, "beta")
			return err
		}, "early"},
		{"provider leaves", func() error {
			_, err := w.room.Leave(t.Context(), w.operator, testkit.Program, "beta", "")
			return err
		}, ""},
	}
	for _, s := range steps {
		if err := s.act(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if got := w.in(t)["client"]; got != s.want {
			t.Errorf("%s: %q, want %q", s.name, got, s.want)
		}
	}
	w.join(t, "beta", "far-client")
	if got := w.in(t)["far-client"]; got != "early!compelled" {
		t.Errorf("the client's own duty was lost: %s", got)
	}
}

func TestCohortTakesNoMoreThanItHasSeats(t *testing.T) {
	w := newWorld(t)
	for _, id := range []exchange.OrgID{"v1", "v2", "v3"} {
		w.put(t, testkit.Organisation(id, func(o *exchange.Organisation) { o.Products = []string{"validation"} }))
	}
	w.join(t, "v1", "v2")
	_, err := w.room.Join(t.Context(), w.operator, testkit.Program, "v3")
	wantKind(t, err, exchange.Conflict)
	if diff := cmp.Diff(map[exchange.OrgID]string{"v1": "validate", "v2": "validate"}, w.in(t)); diff != "" {
		t.Error(diff)
	}
	if got := w.recorded(t, "v3"); len(got) > 0 {
		t.Errorf("recorded %v", got)
	}
}

func TestSuspendLeaveAndJoinAgain(t *testing.T) {
	w := newWorld(t)
	w.join(t, "alpha")
	_, err := w.room.SuspendMember(t.Context(), w.operator, testkit.Program, "alpha", "")
	wantKind(t, err, exchange.Invalid)
	for range 2 {
		m, err := w.room.SuspendMember(t.Context(), w.operator, testkit.Program, "alpha", "late feedback")
		if err != nil || m.State != exchange.MemberSuspended || m.Reason != "late feedback" {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	_, err = w.room.Join(t.Context(), w.operator, testkit.Program, "alpha")
	wantKind(t, err, exchange.Conflict)
	for range 2 {
		if m, err := w.room.ResumeMember(t.Context(), w.operator, testkit.Program, "alpha"); err != nil || m.State != exchange.MemberActive || m.Reason != "" {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	w.Clock.Advance(time.Hour)
	m, err := w.room.Leave(t.Context(), w.signatory, testkit.Program, "alpha", "merger")
	if err != nil || m.State != exchange.MemberLeft || m.Audience != (exchange.Audience{}) {
		t.Fatalf("%+v, %v", m, err)
	}
	_, err = w.room.SuspendMember(t.Context(), w.operator, testkit.Program, "alpha", "x")
	wantKind(t, err, exchange.Conflict)
	w.Clock.Advance(time.Hour)
	w.join(t, "alpha")
	if m, err = w.room.Member(t.Context(), w.operator, testkit.Program, "alpha"); err != nil || m.Audience.Cohort != "standard" || !m.JoinedAt.Equal(w.Clock.Now()) {
		t.Errorf("%+v, %v", m, err)
	}
	want := []exchange.EventKind{
		exchange.EventMemberJoined, exchange.EventMemberMoved, exchange.EventMemberSuspended, exchange.EventMemberResumed,
		exchange.EventMemberLeft, exchange.EventMemberMoved, exchange.EventMemberJoined, exchange.EventMemberMoved,
	}
	if diff := cmp.Diff(want, w.recorded(t, "alpha")); diff != "" {
		t.Error(diff)
	}
}

func TestMembershipIsUnknownToOthers(t *testing.T) {
	w := newWorld(t)
	w.join(t, "alpha", "beta")
	member := func(a exchange.Actor, org exchange.OrgID) error {
		_, err := w.room.Member(t.Context(), a, testkit.Program, org)
		return err
	}
	for _, org := range []exchange.OrgID{"alpha", "beta", "no-such-organisation"} {
		wantMissing(t, member(w.stranger, org))
		wantMissing(t, member(exchange.Public(), org))
	}
	wantMissing(t, member(w.analyst, "beta"))
	if err := member(w.analyst, "alpha"); err != nil {
		t.Error(err)
	}
	for _, a := range []exchange.Actor{w.stranger, w.analyst, w.signatory, w.admin, exchange.Public()} {
		_, err := w.room.Members(t.Context(), a, testkit.Program, "", 0)
		wantMissing(t, err)
	}
	for _, act := range []func(exchange.Actor) error{
		func(a exchange.Actor) error {
			_, err := w.room.SuspendMember(t.Context(), a, testkit.Program, "beta", "x")
			return err
		},
		func(a exchange.Actor) error {
			_, err := w.room.ResumeMember(t.Context(), a, testkit.Program, "beta")
			return err
		},
		func(a exchange.Actor) error {
			_, err := w.room.Leave(t.Context(), a, testkit.Program, "beta", "")
			return err
		},
	} {
		wantMissing(t, act(w.stranger))
		wantMissing(t, act(w.signatory))
		wantKind(t, act(w.approver), exchange.Denied)
	}
	_, err := w.room.SuspendMember(t.Context(), w.signatory, testkit.Program, "alpha", "x")
	wantKind(t, err, exchange.Denied)
	_, err = w.room.Leave(t.Context(), w.analyst, testkit.Program, "alpha", "")
	wantKind(t, err, exchange.Denied)
}

// AT-05, agreement part: an acceptance counts only when a signatory of an active
// member gives it for the version in force; every refused attempt of a member is
// recorded.
func TestAT05OnlyTheCurrentAgreementCounts(t *testing.T) {
	w := newWorld(t)
	w.join(t, "alpha")
	c := testkit.Charter()
	c.Agreement.Version = 2
	w.charter(t, c)
	machine := w.signatory
	machine.Token, machine.Verbs, machine.Machine = "fw_machine", []exchange.Verb{exchange.VerbOperate}, true
	reader := w.signatory
	reader.Token, reader.Verbs = "fw_reader", []exchange.Verb{exchange.VerbRead}
	refused := []struct {
		name    string
		actor   exchange.Actor
		version int
		kind    exchange.Kind
		logged  bool
	}{
		{"superseded", w.signatory, 1, exchange.Conflict, true},
		{"not yet written", w.signatory, 3, exchange.Conflict, true},
		{"no signatory", w.analyst, 2, exchange.Denied, true},
		{"a machine", machine, 2, exchange.Denied, true},
		{"a token that may only read", reader, 2, exchange.Denied, true},
		{"no member", w.stranger, 2, exchange.NotFound, false},
		{"nobody", exchange.Public(), 2, exchange.NotFound, false},
		{"the operator for the member", w.operator, 2, exchange.NotFound, false},
	}
	logged := 0
	for _, tt := range refused {
		_, err := w.room.Accept(t.Context(), tt.actor, testkit.Program, tt.version)
		if exchange.KindOf(err) != tt.kind {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.kind)
		}
		if tt.logged {
			logged++
		}
		if got := count(w.recorded(t, ""), exchange.EventAgreementRefused); got != logged {
			t.Errorf("%s: %d refusals recorded, want %d", tt.name, got, logged)
		}
	}
	if m, err := w.room.Member(t.Context(), w.operator, testkit.Program, "alpha"); err != nil || m.Accepted != 0 {
		t.Errorf("accepted %d, %v", m.Accepted, err)
	}

	first, err := w.room.Accept(t.Context(), w.signatory, testkit.Program, 2)
	if err != nil || first.Person != w.signatory.Person || !first.At.Equal(testkit.Start) {
		t.Fatalf("%+v, %v", first, err)
	}
	w.Clock.Advance(time.Hour)
	again, err := w.room.Accept(t.Context(), w.signatory, testkit.Program, 2)
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if got := count(w.recorded(t, "alpha"), exchange.EventAgreementAccepted); got != 1 {
		t.Errorf("%d acceptances recorded, want 1", got)
	}
	if m, err := w.room.Member(t.Context(), w.operator, testkit.Program, "alpha"); err != nil || m.Accepted != 2 || !m.AcceptedAt.Equal(first.At) {
		t.Errorf("accepted %d at %s, %v", m.Accepted, m.AcceptedAt, err)
	}

	// The next version asks for a new acceptance, and a suspended member gives none.
	c.Agreement.Version = 3
	w.charter(t, c)
	if _, err := w.room.SuspendMember(t.Context(), w.operator, testkit.Program, "alpha", "x"); err != nil {
		t.Fatal(err)
	}
	_, err = w.room.Accept(t.Context(), w.signatory, testkit.Program, 3)
	wantKind(t, err, exchange.Conflict)
	if m, err := w.room.Member(t.Context(), w.operator, testkit.Program, "alpha"); err != nil || m.Accepted != 2 {
		t.Errorf("accepted %d, %v", m.Accepted, err)
	}
}

// Every change of who may see what ends the generation of verdicts.
func TestGenerationGrowsWithEveryChange(t *testing.T) {
	w := newWorld(t)
	acts := []struct {
		name string
		act  func() error
	}{
		{"join", func() error {
			_, err := w.room.Join(t.Context(), w.operator, testkit.Program, "alpha")
			return err
		}},
		{"accept", func() error {
			_, err := w.room.Accept(t.Context(), w.signatory, testkit.Program, 1)
			return err
		}},
		{"suspend member", func() error {
			_, err := w.room.SuspendMember(t.Context(), w.operator, testkit.Program, "alpha", "x")
			return err
		}},
		{"suspend organisation", func() error {
			_, err := w.room.SuspendOrganisation(t.Context(), w.admin, "alpha", "x")
			return err
		}},
		{"suspend person", func() error { return w.room.SuspendPerson(t.Context(), w.admin, w.analyst.Person) }},
		{"jurisdiction", func() error {
			return w.room.SetJurisdiction(t.Context(), w.admin, exchange.Jurisdiction{Code: "XK", Compelled: true, Source: "an act"})
		}},
	}
	last := generation(t, w.DB)
	for _, a := range acts {
		if err := a.act(); err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		now := generation(t, w.DB)
		if now <= last {
			t.Errorf("%s: the generation stays %d", a.name, now)
		}
		last = now
	}
}

func generation(t *testing.T, db *sqlstore.DB) int64 {
	t.Helper()
	n, err := db.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}
