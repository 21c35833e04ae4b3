package api_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// Holders page by page, simulations, names that stand for others, and who is
// answered that none of it exists.
func TestWhyAndWho(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Case", time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC))
	art := w.Submit(r.ID, exchange.DetectionGuidance, "one.json", servertest.Marked(1, "", servertest.Unresolved), func(in *submission.Input) {
		in.Handling.Attribution = exchange.AttributionMustNot
	})
	w.Arm(r.ID)
	w.Clock.Set(time.Date(2027, time.July, 12, 17, 0, 0, 0, time.UTC))
	for _, org := range []exchange.OrgID{servertest.EarlyA, servertest.EarlyB} {
		if _, err := w.X.Delivery.Page(t.Context(), w.Machine(org), testkit.Program, delivery.Query{Limit: 10}); err != nil {
			t.Fatal(err)
		}
	}
	base := w.Serve()
	as := func(org exchange.OrgID) caller {
		verbs := []exchange.Verb{exchange.VerbRead}
		if org == testkit.Owner {
			verbs = []exchange.Verb{exchange.VerbOperate}
		}
		return caller{t: t, url: base, token: w.Token(org, verbs...), keys: new(int)}
	}
	operator, member, other := as(testkit.Owner), as(servertest.EarlyA), as(servertest.Late)
	object := "/programs/" + string(testkit.Program) + "/objects/" + servertest.MarkedID(1, 0) + "/holders"
	artifact := "/artifacts/" + string(art.ID)
	all := map[string]bool{}
	path := artifact + "/holders?limit=1"
	for range 9 {
		res := operator.call("GET", path, nil)
		if res.status != 200 {
			t.Fatal(res.status, res.body)
		}
		items, _ := res.json(t)["items"].([]any)
		for _, i := range items {
			org, _ := i.(map[string]any)["organisation"].(string)
			all[org] = true
		}
		link := res.header.Get("Link")
		if link == "" {
			break
		}
		next, err := url.Parse(strings.Trim(strings.Split(link, ";")[0], "<>"))
		if err != nil {
			t.Fatal(err)
		}
		path = artifact + "/holders?" + next.RawQuery
	}
	if len(all) != 3 || !all["edr-a"] || !all["edr-b"] || !all["val-one"] {
		t.Errorf("holders %v", all)
	}
	if res := member.call("GET", object, nil); res.status != 200 || res.json(t)["others"] != "fewer than 5" || strings.Contains(res.body, "edr-b") || strings.Contains(res.body, "val-one") {
		t.Errorf("a member: %d %s", res.status, res.body)
	}
	if res := operator.call("GET", artifact+"/simulate?not_organisation=edr-b&tlp=red&person=analyst@edr-a", nil); res.status != 200 || res.json(t)["lost"] != 3.0 {
		t.Errorf("%d %s", res.status, res.body)
	}
	for query, want := range map[string][2]any{ // all that a submission says can be asked
		"not_cohort=early": {"lost", 2.0}, "from=2099-01-01T00:00:00Z": {"lost", 3.0}, "sector=nothing": {"lost", 3.0}, "purpose=research": {"lost", 3.0},
		"permitted_actions=none": {"lost", 0.0}, "not_hat=nothing": {"lost", 0.0},
	} {
		if res := operator.call("GET", artifact+"/simulate?"+query, nil); res.status != 200 || res.json(t)[want[0].(string)] != want[1] {
			t.Errorf("%s: %d %s", query, res.status, res.body)
		}
	}
	if res := operator.call("GET", artifact+"/simulate?not_organisation=nobody&person=nobody&not_in=XYZ&group=nobody&not_cohort=nobody", nil); res.status != 422 ||
		strings.Count(res.body, `"path"`) != 5 {
		t.Errorf("%d %s", res.status, res.body)
	}
	if res := operator.call("GET", "/releases/"+string(r.ID)+"/preview-as/edr-a", nil); res.status != 200 ||
		!strings.Contains(res.body, `"objects":{"whole":1,"redacted":0,"withheld":1,"artifacts_withheld":0}`) {
		t.Errorf("%d %s", res.status, res.body)
	}
	charter := testkit.Charter()
	charter.Cohorts[0].Rule = exchange.Rule{Terms: exchange.Terms{Organisations: []exchange.OrgID{servertest.Standard}}}
	dry := operator.call("PUT", "/programs/"+string(testkit.Program)+"/charter?dry_run=true", charter.TOML(), "Content-Type", "application/toml")
	if effect, ok := dry.json(t)["simulation"].(map[string]any); dry.status != 200 || !ok || effect["gained"] != 1.0 || effect["lost"] != 1.0 {
		t.Errorf("%d %s", dry.status, dry.body)
	}
	alias := member.call("GET", artifact, nil).text(t, "originator")
	if !strings.HasPrefix(alias, "source-") {
		t.Errorf("a member is told %q", alias)
	}
	if res := operator.call("GET", artifact, nil); res.text(t, "originator") != string(testkit.Owner) || res.text(t, "source") != alias {
		t.Errorf("%s", res.body)
	}
	who := "/programs/" + string(testkit.Program) + "/sources/" + alias
	if res := operator.call("GET", who, nil); res.text(t, "organisation") != string(testkit.Owner) {
		t.Errorf("%d %s", res.status, res.body)
	}
	for name, c := range map[string]struct {
		caller
		paths []string
	}{
		"a member": {member, []string{artifact + "/simulate?tlp=clear", who, "/releases/" + string(r.ID) + "/preview-as/edr-a"}},
		"one that has nothing": {other, []string{
			artifact + "/holders", object, artifact + "/simulate?tlp=clear", who,
			"/programs/" + string(testkit.Program) + "/why?for=cert-a&object=" + string(art.ID),
		}},
	} {
		for _, p := range c.paths {
			res := c.call("GET", p, nil)
			none := c.call("GET", "/artifacts/art_none/holders", nil)
			same := strings.NewReplacer(res.text(t, "instance"), none.text(t, "instance")).Replace(res.body)
			if res.status != 404 || same != none.body {
				t.Errorf("%s, %s: %d %s", name, p, res.status, res.body)
			}
		}
	}
}
