package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

var tags = regexp.MustCompile(`<[^>]*>`)

// plain is what a page says, all of it.
func plain(body string) string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(body, " ")), " ")
}

// The pages for why, who has it and a preview: what each visitor reads there, and
// what nobody else does.
func TestWhyAndWhoPages(t *testing.T) {
	s := newSite(t)
	r := s.Draft("Case", time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC))
	art := s.Submit(r.ID, exchange.DetectionGuidance, "one.json", servertest.Marked(1, "", servertest.Unresolved), func(in *submission.Input) {
		in.Handling.Attribution = exchange.AttributionMustNot
	})
	s.Arm(r.ID)
	s.Clock.Set(time.Date(2027, time.July, 12, 17, 0, 0, 0, time.UTC))
	op, member, late := s.client(t, testkit.Owner, "operator"), s.client(t, servertest.EarlyA, "analyst"), s.client(t, servertest.Late, "analyst")
	auditor := s.client(t, testkit.Owner, "auditor")
	object := "/programs/" + string(testkit.Program) + "/objects/" + servertest.MarkedID(1, 0)
	artifact := "/artifacts/" + string(art.ID)
	why := "/programs/" + string(testkit.Program) + "/why"
	ask := why + "?item=" + servertest.MarkedID(1, 0) + "&for="
	preview := "/releases/" + string(r.ID) + "/as/edr-b"

	before := s.Dump()
	for name, c := range map[string]struct {
		*client
		path   string
		status int
		has    []string
		not    []string
	}{
		"a preview":                {op, preview, 200, []string{"What this member will see", "1 object whole", "E_MARKING"}, []string{"Your feedback"}},
		"a preview by a member":    {member, preview, 404, nil, []string{"What this member"}},
		"a preview of nobody":      {op, "/releases/" + string(r.ID) + "/as/nobody", 404, nil, []string{"What this member"}},
		"the form":                 {op, why, 200, []string{"The steps of the decision will be here."}, nil},
		"why, by the operator":     {op, ask + "av-a", 200, []string{"NOT_YET", "E_TIME", "standard"}, []string{"You are told what the handling"}},
		"why, at a moment to come": {op, ask + "av-a&at=2027-07-15+17:00", 200, []string{"ALLOW"}, []string{"E_TIME"}},
		"why, at no moment":        {op, ask + "av-a&at=tomorrow", 422, []string{"Write the time as"}, nil},
		"why, for itself":          {member, ask + "edr-a", 200, []string{"ALLOW", "time"}, []string{"created_by_ref", "withheld:"}},
		"why, for another":         {member, ask + "edr-b", 404, []string{"There is nothing here that you may ask about"}, []string{"ALLOW"}},
		"why, of what is withheld": {late, ask + "cert-a", 404, []string{"There is nothing here that you may ask about"}, []string{"DENY", "NOT_YET"}},
		"why, of nothing":          {late, strings.Replace(ask, "indicator", "malware", 1) + "cert-a", 404, []string{"There is nothing here that you may ask about"}, nil},
	} {
		status, body := c.get(c.path)
		text := plain(body)
		if status != c.status {
			t.Errorf("%s: %d\n%s", name, status, text)
		}
		for _, want := range c.has {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", name, want, text)
			}
		}
		for _, not := range c.not {
			if strings.Contains(text, not) {
				t.Errorf("%s says %q", name, not)
			}
		}
	}
	after := s.Dump()
	for _, table := range []string{"exposure", "event"} {
		if len(after[table]) != len(before[table]) {
			t.Errorf("asking why and looking at a preview made %d rows in %s", len(after[table])-len(before[table]), table)
		}
	}

	if status, body := member.get(artifact); status != http.StatusOK || !strings.Contains(plain(body), "Fewer than 5 other organisations have it") ||
		!strings.Contains(body, "source-") || strings.Contains(body, "Organisation edr-b") || strings.Contains(plain(body), "Every copy") {
		t.Errorf("a member's artifact page: %d\n%s", status, plain(body))
	}
	if status, body := member.get(object); status != http.StatusOK || !strings.Contains(body, "source-") {
		t.Errorf("a member's object page: %d\n%s", status, plain(body))
	}
	if status, body := op.get(artifact); status != http.StatusOK || !strings.Contains(plain(body), "shown to others as source-") || !strings.Contains(plain(body), "analyst@edr-a") {
		t.Errorf("the operator's artifact page: %d\n%s", status, plain(body))
	}
	for _, c := range []*client{op, auditor} {
		for _, path := range []string{artifact + "/holders", object + "/holders"} {
			if status, body := c.get(path); status != http.StatusOK || !strings.Contains(plain(body), "analyst@edr-a") || !strings.Contains(body, art.SHA256) {
				t.Errorf("%s: %d\n%s", path, status, plain(body))
			}
			if status, body := c.get(path + ".csv"); status != http.StatusOK || !strings.HasPrefix(body, "organisation,name,client,client_name,artifact,") ||
				!strings.Contains(body, "\nedr-a,") || !strings.Contains(body, ",analyst@edr-a,"+string(art.ID)+",") {
				t.Errorf("%s.csv: %d\n%s", path, status, body)
			}
		}
	}
	for _, path := range []string{artifact + "/holders.csv", object + "/holders.csv"} {
		if status, body := member.get(path); status != http.StatusNotFound || strings.Contains(body, "edr-b") {
			t.Errorf("a member: %s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{artifact + "/holders", object + "/holders", artifact + "/holders.csv"} {
		if status, body := late.get(path); status != http.StatusNotFound || strings.Contains(body, "edr-a") {
			t.Errorf("one that has nothing: %s: %d", path, status)
		}
	}
}
