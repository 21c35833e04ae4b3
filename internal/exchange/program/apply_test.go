package program_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// world is an exchange with an owner, a second organisation that runs nothing,
// and two members-to-be.
type world struct{ *servertest.World }

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{servertest.Open(t, t.TempDir(), testkit.NewClock())}
	testkit.Put(t, sqlstore.For[testkit.Tx](w.DB),
		testkit.Organisation(testkit.Owner), testkit.Organisation("other"), testkit.Organisation("alpha"),
		testkit.Organisation("beta", func(o *exchange.Organisation) { o.Products = []string{"edr"} }))
	return w
}

func (w world) apply(t *testing.T, toml string) program.Applied {
	t.Helper()
	done, err := w.X.Programs.Apply(t.Context(), w.Operator, []byte(toml), false)
	if err != nil {
		t.Fatalf("%v %v", err, problems(err))
	}
	return done
}

// events lists what was recorded, of the kinds alone if any are named.
func (w world) events(t *testing.T, kinds ...exchange.EventKind) []record.Entry {
	t.Helper()
	all, err := w.X.Record.Events(t.Context(), exchange.System(), record.EventFilter{Kinds: kinds, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func problems(err error) (paths []string) {
	if e, ok := errors.AsType[*exchange.Error](err); ok {
		for _, p := range e.Problems {
			paths = append(paths, p.Path)
		}
	}
	return paths
}

func charter(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(string(testkit.CharterTOML()))
}

// AT-01: without an outcome, an owner, a lead measure with target and date, or
// a review date, no program is opened, and the answer names the field.
func TestAT01OpeningNamesWhatIsMissing(t *testing.T) {
	tests := []struct {
		name, toml string
		field      string
	}{
		{"outcome", charter(`outcome = "Customers`, `title_note = "Customers`), "outcome"},
		{"outcome blank", charter(`outcome = "Customers of the members are protected when a fix becomes public."`, `outcome = " "`), "outcome"},
		{"owner", charter(`owner = "example-psirt"`, ``), "owner"},
		{"owner unknown", charter(`owner = "example-psirt"`, `owner = "nobody"`), "owner"},
		{"lead", charter(`lead = true`, `lead = false`), "measure"},
		{"target", charter(`target = ">=60%"`, ``), "measure[0].target"},
		{"date", charter(`by = 2028-06-01`, ``), "measure[0].by"},
		{"review date", charter(`review_date = 2029-06-01`, ``), "review_date"},
		{"review date passed", charter(`review_date = 2029-06-01`, `review_date = 2027-05-31`), "review_date"},
		{"sunset", charter(`sunset_date = 2030-05-31`, ``), "sunset_date"},
		{"sunset passed", charter(`sunset_date = 2030-05-31`, `sunset_date = 2027-05-31`), "sunset_date"},
		{"nothing at all", ``, "outcome"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			actor := w.Operator
			if tt.field == "owner" {
				actor = exchange.System()
			}
			_, err := w.X.Programs.Apply(t.Context(), actor, []byte(tt.toml), false)
			if exchange.KindOf(err) != exchange.Invalid || !slices.Contains(problems(err), tt.field) {
				t.Errorf("%v names %v, want %s", err, problems(err), tt.field)
			}
			if list, err := w.X.Programs.List(t.Context(), exchange.System()); err != nil || len(list) > 0 {
				t.Errorf("programs %v, %v; want none", list, err)
			}
			if got := w.events(t); len(got) > 0 {
				t.Errorf("%d events recorded", len(got))
			}
		})
	}
}

func TestApplyOpensAndChangesNothingTheSecondTime(t *testing.T) {
	w := newWorld(t)
	first := w.apply(t, charter())
	if !first.Created || first.Revision != 1 || len(first.Changes) == 0 {
		t.Errorf("first %+v", first)
	}
	again := w.apply(t, charter()+"\n# a comment\n")
	if diff := cmp.Diff(program.Applied{Program: testkit.Program, Revision: 1}, again); diff != "" {
		t.Error(diff)
	}
	if got := w.events(t, exchange.EventProgramApplied); len(got) != 1 || got[0].Org != testkit.Owner {
		t.Errorf("events %+v, want one", got)
	}
	c, revision, err := w.X.Programs.Charter(t.Context(), w.Operator, testkit.Program)
	if err != nil || revision != 1 {
		t.Fatal(revision, err)
	}
	if diff := exchange.Diff(testkit.Charter(), c); len(diff) > 0 {
		t.Errorf("read back: %v", diff)
	}
	text, err := w.X.Programs.Export(t.Context(), w.Operator, testkit.Program)
	if err != nil {
		t.Fatal(err)
	}
	if back := w.apply(t, string(text)); back.Revision != 1 || len(back.Changes) > 0 {
		t.Errorf("the export applied again: %+v", back)
	}
}

// A dry run reports the differences and the members that would move, and keeps
// nothing.
func TestDryRunShowsMovesAndKeepsNothing(t *testing.T) {
	w := newWorld(t)
	w.apply(t, charter())
	for _, org := range []exchange.OrgID{"alpha", "beta"} {
		if _, err := w.X.Members.Join(t.Context(), w.Operator, testkit.Program, org); err != nil {
			t.Fatal(err)
		}
	}
	before := len(w.events(t))
	changed := charter(`products = ["edr", "ids"]`, `products = ["av"]`)
	want := program.Applied{
		Program: testkit.Program, DryRun: true, Revision: 2,
		Changes: []exchange.Change{{Path: "cohort[early].rule.products", Old: "edr, ids", New: "av"}},
		Moves: []exchange.Move{
			{Org: "alpha", From: exchange.Audience{Cohort: "standard"}, To: exchange.Audience{Cohort: "early"}},
			{Org: "beta", From: exchange.Audience{Cohort: "early"}, To: exchange.Audience{Cohort: "standard"}},
		},
	}
	got, err := w.X.Programs.Apply(t.Context(), w.Operator, []byte(changed), true)
	if err != nil {
		t.Fatal(err)
	}
	got.Changes[0].Old, got.Changes[0].New = want.Changes[0].Old, want.Changes[0].New // their form is the vocabulary's
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(w.events(t)); n != before {
		t.Errorf("the dry run recorded %d events", n-before)
	}
	if m, err := w.X.Members.Member(t.Context(), w.Operator, testkit.Program, "alpha"); err != nil || m.Audience.Cohort != "standard" {
		t.Errorf("alpha is in %v, %v", m.Audience, err)
	}
	done := w.apply(t, changed)
	if diff := cmp.Diff(want.Moves, done.Moves); diff != "" {
		t.Error(diff)
	}
	if m, err := w.X.Members.Member(t.Context(), w.Operator, testkit.Program, "alpha"); err != nil || m.Audience.Cohort != "early" {
		t.Errorf("alpha is in %v, %v", m.Audience, err)
	}
	if got := w.events(t, exchange.EventMemberMoved); len(got) != 4 { // two on joining, two by the charter
		t.Errorf("%d moves recorded, want 4", len(got))
	}
}

func TestApplyRefuses(t *testing.T) {
	anybody := testkit.Actor(testkit.Person("other", "operator", exchange.RoleOperator))
	reader := testkit.Actor(testkit.Person(testkit.Owner, "analyst", exchange.RoleAnalyst, exchange.RoleApprover))
	token := testkit.Actor(testkit.Person(testkit.Owner, "operator", exchange.RoleOperator))
	token.Token, token.Verbs = "fw_token", []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
	elsewhere := testkit.Actor(testkit.Person(testkit.Owner, "operator", exchange.RoleOperator))
	elsewhere.Program = "another-program"
	operator := testkit.Actor(testkit.Person(testkit.Owner, "operator", exchange.RoleOperator))
	tests := []struct {
		name  string
		actor exchange.Actor
		toml  string
		kind  exchange.Kind
		field string
	}{
		{"nobody", exchange.Public(), charter(`"Early Warning"`, `"Mine"`), exchange.Denied, ""},
		{"another owner's operator", anybody, charter(`"Early Warning"`, `"Mine"`), exchange.Denied, ""},
		{"an approver", reader, charter(`"Early Warning"`, `"Mine"`), exchange.Denied, ""},
		{"a token without the verb", token, charter(`"Early Warning"`, `"Mine"`), exchange.Denied, ""},
		{"a token for another program", elsewhere, charter(`"Early Warning"`, `"Mine"`), exchange.Denied, ""},
		{"the id of another's program", anybody, charter(`"example-psirt"`, `"other"`), exchange.Conflict, ""},
		{"another owner", exchange.System(), charter(`"example-psirt"`, `"other"`), exchange.Invalid, "owner"},
		{"agreement without a new version", operator, charter(`Do not publish`, `Never publish`), exchange.Invalid, "agreement.version"},
		{"obligations without a new version", operator, charter(`, "feedback-duty"]`, `, "in-house-only"]`), exchange.Invalid, "agreement.version"},
		{"an older version", operator, charter(`version = 1`, `version = 0`), exchange.Invalid, "agreement.version"},
		{"unknown key", operator, charter(`title = "Early Warning"`, `titel = "Early Warning"`), exchange.Invalid, "titel"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(t, charter())
			_, err := w.X.Programs.Apply(t.Context(), tt.actor, []byte(tt.toml), false)
			if exchange.KindOf(err) != tt.kind || tt.field != "" && !slices.Contains(problems(err), tt.field) {
				t.Errorf("%v %v, want %s at %q", err, problems(err), tt.kind, tt.field)
			}
			if c, revision, err := w.X.Programs.Charter(t.Context(), operator, testkit.Program); err != nil || revision != 1 || c.Title != "Early Warning" {
				t.Errorf("revision %d, title %q, %v", revision, c.Title, err)
			}
		})
	}
}

func TestNewAgreementVersionIsAccepted(t *testing.T) {
	w := newWorld(t)
	w.apply(t, charter())
	done := w.apply(t, charter(`Do not publish`, `Never publish`, `version = 1`, `version = 2`))
	if done.Revision != 2 {
		t.Errorf("%+v", done)
	}
}

// Who neither oversees a program nor is an active member learns nothing of it.
func TestProgramIsUnknownToOthers(t *testing.T) {
	w := newWorld(t)
	w.apply(t, charter())
	for _, org := range []exchange.OrgID{"alpha", "beta"} {
		if _, err := w.X.Members.Join(t.Context(), w.Operator, testkit.Program, org); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.X.Members.SuspendMember(t.Context(), w.Operator, testkit.Program, "beta", "test"); err != nil {
		t.Fatal(err)
	}
	member := testkit.Actor(testkit.Person("alpha", "analyst", exchange.RoleAnalyst))
	scoped := member
	scoped.Program = "another-program"
	tests := []struct {
		name           string
		actor          exchange.Actor
		knows, exports bool
	}{
		{"operator", w.Operator, true, true},
		{"auditor", testkit.Actor(testkit.Person(testkit.Owner, "auditor", exchange.RoleAuditor)), true, true},
		{"member", member, true, false},
		{"member with a token for another program", scoped, false, false},
		{"suspended member", testkit.Actor(testkit.Person("beta", "analyst", exchange.RoleAnalyst)), false, false},
		{"stranger", testkit.Actor(testkit.Person("other", "operator", exchange.RoleOperator, exchange.RoleAdmin)), false, false},
		{"nobody", exchange.Public(), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := w.X.Programs.Charter(t.Context(), tt.actor, testkit.Program)
			_, _, unknown := w.X.Programs.Charter(t.Context(), tt.actor, "no-such-program")
			if tt.knows != (err == nil) || !tt.knows && err.Error() != unknown.Error() {
				t.Errorf("charter: %v; unknown id: %v", err, unknown)
			}
			list, err := w.X.Programs.List(t.Context(), tt.actor)
			if err != nil || tt.knows != (len(list) == 1) {
				t.Errorf("list of %d, %v", len(list), err)
			}
			_, err = w.X.Programs.Export(t.Context(), tt.actor, testkit.Program)
			if tt.exports != (err == nil) || !tt.knows && err.Error() != unknown.Error() {
				t.Errorf("export: %v", err)
			}
		})
	}
}

// AT-01, second half: the charter stays readable after the sunset.
func TestAT01ReadableAfterSunset(t *testing.T) {
	w := newWorld(t)
	w.apply(t, charter())
	w.Clock.Set(testkit.Start.AddDate(4, 0, 0))
	c, _, err := w.X.Programs.Charter(t.Context(), w.Operator, testkit.Program)
	if err != nil || !c.ReadOnlyAt(w.Clock.Now()) || c.ReadOnlyAt(testkit.Start.Add(time.Hour)) {
		t.Errorf("read-only %v, %v", c.ReadOnlyAt(w.Clock.Now()), err)
	}
}

func TestGenerationGrowsWithTheCharter(t *testing.T) {
	w := newWorld(t)
	generation := func() int64 {
		n, err := w.DB.Generation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := generation()
	w.apply(t, charter())
	opened := generation()
	w.apply(t, charter())
	if again := generation(); opened <= before || again != opened {
		t.Errorf("generation %d, opened %d, applied again %d", before, opened, again)
	}
}

// Names in the default handling are those of the register: one that nobody
// bears would exclude nobody.
func TestDefaultHandlingNamesWhoExists(t *testing.T) {
	w := newWorld(t)
	_, err := w.X.Programs.Apply(t.Context(), w.Operator, []byte(charter("[handling]", `[handling]
organisations = ["alpha", "no-such"]
not_organisations = ["beta", "alpha", "Beta"]
not_in = ["de", "GER"]`)), false)
	want := []string{"handling.not_in[1]", "handling.organisations[1]", "handling.not_organisations[2]"}
	if diff := cmp.Diff(want, problems(err)); diff != "" {
		t.Error(diff)
	}
	if got := w.events(t); len(got) > 0 {
		t.Errorf("%d events recorded", len(got))
	}
	w.apply(t, charter("[handling]", `[handling]
not_organisations = ["beta"]
not_in = ["de", " Xa"]`))
	c, _, err := w.X.Programs.Charter(t.Context(), w.Operator, testkit.Program)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"DE", "XA"}, c.Handling.NotIn); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]exchange.OrgID{"beta"}, c.Handling.NotOrgs); diff != "" {
		t.Error(diff)
	}
}

// An organisation of a group that nobody bears would be let in, or left out,
// without a word.
func TestUnknownOrganisationInAGroup(t *testing.T) {
	c := testkit.Charter()
	c.Groups = []exchange.SharingGroup{{ID: "trusted", Organisations: []exchange.OrgID{testkit.Owner, "nobody-knows"}}}
	w := newWorld(t)
	_, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false)
	if d := cmp.Diff([]string{"group[0].organisations[1]"}, problems(err)); d != "" {
		t.Error(d)
	}
}
