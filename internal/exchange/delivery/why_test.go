package delivery_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/policy"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// writers is a world whose early cohort writes, and reads with the standard one.
func writers(t *testing.T, change ...func(*exchange.Charter)) *servertest.World {
	t.Helper()
	w := servertest.New(t)
	apply(t, w, append([]func(*exchange.Charter){func(c *exchange.Charter) {
		c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early"}, To: []exchange.CohortID{"early", "standard"}}
	}}, change...)...)
	return w
}

func apply(t *testing.T, w *servertest.World, change ...func(*exchange.Charter)) {
	t.Helper()
	c, _, err := w.X.Programs.Charter(t.Context(), w.Operator, testkit.Program)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = exchange.ParseCharter(c.TOML()); err != nil { // of its own: what is stored is shared
		t.Fatal(err)
	}
	for _, f := range change {
		f(&c)
	}
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}
}

// write has the organisation contribute one object with the id.
func write(t *testing.T, w *servertest.World, org exchange.OrgID, id string) {
	t.Helper()
	a := w.Machine(org)
	a.Verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
	body := `{"objects":[{"type":"domain-name","spec_version":"2.1","id":"` + id + `","value":"` + id[len(id)-4:] + `.example"}]}`
	st, err := w.X.Contributions.Add(t.Context(), a, testkit.Program, strings.NewReader(body))
	if err != nil || st.Success != 1 {
		t.Fatal(st, err)
	}
}

// poll has the organisation's machine read everything.
func poll(t *testing.T, w *servertest.World, org exchange.OrgID) {
	t.Helper()
	if _, err := w.X.Delivery.Page(t.Context(), w.Machine(org), testkit.Program, delivery.Query{Limit: 1000}); err != nil {
		t.Fatal(err)
	}
}

const writtenDomain = "domain-name--0aa6e4f9-3a8c-5c7d-9b42-0f5b6f1f0a01"

func rules(d policy.Decision) (out []string) {
	for _, s := range d.Steps {
		out = append(out, s.Rule)
	}
	return out
}

// Who may ask why, about what, for whom; everything else is as if it did not exist.
func TestWhoMayAskWhy(t *testing.T) {
	w := writers(t)
	write(t, w, servertest.EarlyA, writtenDomain)
	poll(t, w, servertest.EarlyB)
	r := w.Draft("Case", t0)
	w.Package(r.ID, 3)
	w.Arm(r.ID)
	view, err := w.X.Releases.Read(t.Context(), w.Operator, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	guidance := string(view.Artifacts[0].ID)
	w.Clock.Set(time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC)) // open to validate and early
	low := w.Machine(servertest.EarlyA)
	low.Ceiling = exchange.TLPGreen
	mute := w.Machine(servertest.EarlyA)
	mute.Verbs = []exchange.Verb{exchange.VerbSubmit}
	for name, c := range map[string]struct {
		a         exchange.Actor
		item, who string
		want      string // verdict and code; empty: missing
		limited   bool
	}{
		"the operator": {w.Operator, writtenDomain, "edr-b", "ALLOW", false},
		"an auditor":   {w.Auditor, writtenDomain, "edr-b", "ALLOW", false},
		"the operator, on one who is not a reader":   {w.Operator, writtenDomain, "val-one", "NOT_YET E_TIME", false},
		"the originator, on one that was given it":   {w.Reader(servertest.EarlyA), writtenDomain, "edr-b", "ALLOW", true},
		"the originator, on one that was not":        {w.Reader(servertest.EarlyA), writtenDomain, "av-a", "", false},
		"the originator, on nobody":                  {w.Reader(servertest.EarlyA), writtenDomain, "no-such", "", false},
		"the originator, on a person":                {w.Reader(servertest.EarlyA), writtenDomain, "analyst@edr-b", "", false},
		"the originator, on itself":                  {w.Reader(servertest.EarlyA), writtenDomain, "edr-a", "ALLOW", false},
		"below the label":                            {low, writtenDomain, "edr-b", "", false},
		"with a token that reads nothing":            {mute, writtenDomain, "edr-b", "", false},
		"a member, for itself":                       {w.Reader(servertest.EarlyB), writtenDomain, "edr-b", "ALLOW", false},
		"a member, for its own person":               {w.Reader(servertest.EarlyB), writtenDomain, "analyst@edr-b", "ALLOW", false},
		"a member, for the originator":               {w.Reader(servertest.EarlyB), writtenDomain, "edr-a", "", false},
		"a member, for another":                      {w.Reader(servertest.EarlyB), writtenDomain, "av-a", "", false},
		"a member, on what it may not see":           {w.Reader(servertest.Late), writtenDomain, "cert-a", "", false},
		"a member, on what does not exist":           {w.Reader(servertest.Late), strings.Replace(writtenDomain, "0a01", "0a02", 1), "cert-a", "", false},
		"a member without an agreement":              {w.Reader(servertest.Unsigned), writtenDomain, "edr-new", "", false},
		"somebody else":                              {w.Reader(servertest.Outsider), writtenDomain, "elsewhere", "", false},
		"somebody else, on a member":                 {w.Reader(servertest.Outsider), writtenDomain, "edr-b", "", false},
		"a member, on an artifact that is open":      {w.Reader(servertest.EarlyB), guidance, "edr-b", "ALLOW", false},
		"a member, on an artifact that is not":       {w.Reader(servertest.Standard), guidance, "av-a", "", false},
		"a member, on an artifact of others, other":  {w.Reader(servertest.EarlyB), guidance, "edr-a", "", false},
		"the operator, on the same":                  {w.Operator, guidance, "av-a", "NOT_YET E_TIME", false},
		"everyone":                                   {exchange.Public(), guidance, "edr-b", "", false},
		"the originator, on what another handed in ": {w.Reader(servertest.EarlyA), guidance, "edr-b", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := w.X.Delivery.Why(t.Context(), c.a, testkit.Program, c.item, c.who, time.Time{})
			if c.want == "" {
				if exchange.KindOf(err) != exchange.NotFound || err.Error() != exchange.Missing().Error() {
					t.Fatalf("%+v %v, want missing", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.TrimSpace(got.Decision.Verdict.String() + " " + got.Decision.Code); text != c.want || got.Limited != c.limited {
				t.Errorf("%s, limited %v; want %s, %v", text, got.Limited, c.want, c.limited)
			}
			if has := slices.Contains(rules(got.Decision), "agreement"); has == c.limited && c.want == "ALLOW" && c.who != string(servertest.EarlyA) {
				t.Errorf("steps %v, limited %v", rules(got.Decision), c.limited)
			}
			if c.limited && got.Audience.Cohort != "" {
				t.Errorf("the originator is told the cohort %s", got.Audience)
			}
		})
	}
}

// An originator learns nothing of a member's suspension or agreement.
func TestWhyTellsNothingOfTheMemberItself(t *testing.T) {
	w := writers(t)
	write(t, w, servertest.EarlyA, writtenDomain)
	poll(t, w, servertest.EarlyB)
	ask := func(a exchange.Actor) (string, string) {
		t.Helper()
		got, err := w.X.Delivery.Why(t.Context(), a, testkit.Program, writtenDomain, string(servertest.EarlyB), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, s := range got.Decision.Steps {
			text += s.Rule + ": " + s.Text + "\n"
		}
		return got.Decision.Verdict.String() + " " + got.Decision.Code, text
	}
	verdict, steps := ask(w.Reader(servertest.EarlyA))
	changes := map[string]func(){
		"suspended": func() {
			if _, err := w.X.Members.SuspendMember(t.Context(), w.Operator, testkit.Program, servertest.EarlyB, "a reason"); err != nil {
				t.Fatal(err)
			}
		},
		"a new agreement": func() {
			apply(t, w, func(c *exchange.Charter) {
				c.Agreement.Version, c.Agreement.Text = 2, "Another text."
			})
			if _, err := w.X.Members.Accept(t.Context(), w.Reader(servertest.EarlyA), testkit.Program, 2); err != nil {
				t.Fatal(err)
			}
		},
	}
	for _, name := range []string{"suspended", "a new agreement"} {
		changes[name]()
		if v, s := ask(w.Reader(servertest.EarlyA)); v != verdict || s != steps {
			t.Errorf("%s: the originator is told %s, before %s:\n%s", name, v, verdict, s)
		}
	}
	if v, _ := ask(w.Operator); v != "DENY E_SUSPENDED" {
		t.Errorf("the operator is told %s", v)
	}
}

// Where members see each other's names, an originator asks about every member.
func TestWhyWhereNamesAreShown(t *testing.T) {
	w := writers(t, func(c *exchange.Charter) { c.Visibility.MembersSee = exchange.SeeNames })
	write(t, w, servertest.EarlyA, writtenDomain)
	got, err := w.X.Delivery.Why(t.Context(), w.Reader(servertest.EarlyA), testkit.Program, writtenDomain, string(servertest.Validator), time.Time{})
	if err != nil || got.Decision.Verdict != policy.NotYet {
		t.Fatal(got, err)
	}
	if _, err := w.X.Delivery.Why(t.Context(), w.Reader(servertest.EarlyA), testkit.Program, writtenDomain, string(servertest.Outsider), time.Time{}); exchange.KindOf(err) != exchange.NotFound {
		t.Fatal(err)
	}
}
