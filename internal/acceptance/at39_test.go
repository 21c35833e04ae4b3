package acceptance

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// onlooker is a member that looks at everything that it may.
type onlooker struct {
	t      *testing.T
	base   string
	pages  *http.Client
	secret string
}

func newOnlooker(t *testing.T, w *servertest.World, base string, org exchange.OrgID) *onlooker {
	t.Helper()
	code, err := w.X.Members.IssueLink(t.Context(), exchange.System(), testkit.Person(org, "analyst").ID, false, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &onlooker{t, base, &http.Client{Jar: jar}, w.Token(org)}
	if status, _ := o.ask(w.X.SignInURL(code), false); status != http.StatusOK {
		t.Fatalf("signing in: %d", status)
	}
	return o
}

// passing is what differs from one answer to the next of the same page, and what
// the onlooker did itself, which is on record. How many acts the ledger holds, of
// whatever kind and program, anybody may know: it grew by looking, too.
var passing = regexp.MustCompile(`nonce="[^"]*"|href="/ledger/[0-9]+">entry [0-9]+<|Ledger</a>: [0-9]+ entries|"origin":"[^"]*","size":[0-9]+|"instance":"[^"]*"|"request_id":"[^"]*"|req_[a-z2-7]{16}|\{[^\n]*"actor_org":"edr-a"[^\n]*\n`)

// ask gets an address, in the browser or with the token.
func (o *onlooker) ask(address string, token bool) (status int, body string) {
	o.t.Helper()
	res, b := o.fetch(http.Client{Jar: o.pages.Jar}, address, token)
	return res.StatusCode, passing.ReplaceAllString(b, "")
}

// fetch gets an address by a client of the browser's, or with the token instead.
func (o *onlooker) fetch(c http.Client, address string, token bool) (res *http.Response, body string) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	if token {
		c.Jar = nil
		req.Header.Set("Authorization", "Bearer "+o.secret)
		if strings.Contains(address, "/taxii2/") {
			req.Header.Set("Accept", "application/taxii+json;version=2.1")
		}
	}
	if res, err = c.Do(req); err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return res, string(b)
}

// view is every answer that the onlooker gets, by address.
func (o *onlooker) view(r exchange.ReleaseID, a exchange.ArtifactID, named exchange.OrgID) map[string]string {
	o.t.Helper()
	api, program := o.base+"/api/v1", "/programs/"+string(testkit.Program)
	taxii := o.base + "/taxii2/api/collections/" + delivery.CollectionID(testkit.Program)
	out := map[string]string{}
	for _, address := range []string{
		api + "/me", api + "/programs", api + program, api + program + "/charter", api + program + "/members", api + program + "/members/" + string(named),
		api + program + "/objects", api + program + "/objects/count", api + program + "/outcome", api + program + "/releases", api + program + "/agreement",
		api + program + "/why?item=" + string(a) + "&for=" + string(named), api + program + "/search?q=" + string(named), api + "/organisations", api + "/organisations/" + string(named),
		api + "/organisations/" + string(named) + "/people", api + "/releases/" + string(r), api + "/releases/" + string(r) + "/feedback", api + "/releases/" + string(r) + "/outcome",
		api + "/releases/" + string(r) + "/holders", api + "/releases/" + string(r) + "/exposure", api + "/releases/" + string(r) + "/waves", api + "/releases/" + string(r) + "/preview",
		api + "/releases/" + string(r) + "/preview-as/" + string(named), api + "/notices", api + "/events?program=" + string(testkit.Program), api + "/artifacts/" + string(a),
		api + "/webhooks", api + "/connections?organisation=" + string(named), api + program + "/legal-bases/shares?organisation=" + string(named),
		api + program + "/witnesses", api + program + "/evidence", api + "/ledger/entries?organisation=" + string(named), api + "/ledger/entries?person=" + string(testkit.Person(named, "analyst").ID),
		api + "/ledger/entries?kind=member.join", api + "/ledger/entries?kind=feedback.give", api + "/ledger/entries?kind=contribution.add", api + "/ledger/entries?release=" + string(r) + "&kind=feedback.give",
		taxii + "/", taxii + "/objects/", taxii + "/manifest/", o.base + "/taxii2/api/collections/",
	} {
		status, body := o.ask(address, true)
		out[address] = fmt.Sprint(status, " ", body)
	}
	for _, page := range []string{
		"/", "/programs", program, program + "/outcome", program + "/releases", program + "/objects", "/releases", "/releases/" + string(r), "/library",
		"/artifacts/" + string(a), "/notices", "/organisations", "/organisations/" + string(named), "/connections", "/webhooks",
	} {
		status, body := o.ask(o.base+page, false)
		out[page] = fmt.Sprint(status, " ", body)
	}
	return out
}

// AT-39: a hidden member is absent from every list, name, figure and error text
// that another member gets, in every channel: the answers are the same bytes
// before it takes part and after.
func TestAT39HiddenMember(t *testing.T) {
	w := servertest.New(t)
	ctx := t.Context()
	c := testkit.Charter()
	c.Visibility = exchange.Visibility{MembersSee: exchange.SeeNames, Floor: 1}
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early", "standard"}, To: []exchange.CohortID{"early", "standard"}}
	c.Groups = []exchange.SharingGroup{{ID: "circle", Title: "Circle", Organisations: []exchange.OrgID{servertest.EarlyA, servertest.Outsider}}}
	if _, err := w.X.Programs.Apply(ctx, w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}
	const ghost = servertest.Outsider
	t0 := time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC)
	r := w.Draft("Advisory", t0)
	guidance, _, _ := w.Package(r.ID, 3)
	w.Arm(r.ID)
	w.Clock.Set(t0.Add(time.Hour))
	say := func(org exchange.OrgID) {
		t.Helper()
		if _, err := w.X.Feedback.Give(ctx, w.Reader(org), exchange.Feedback{Release: r.ID, Kind: exchange.FeedbackAcknowledged}); err != nil {
			t.Fatalf("%s: %v", org, err)
		}
	}
	for _, org := range []exchange.OrgID{servertest.EarlyA, servertest.EarlyB, servertest.Standard} {
		say(org)
	}
	w.Clock.Set(t0.Add(2 * time.Hour))
	look := newOnlooker(t, w, w.Serve(), servertest.EarlyA)
	look.view(r.ID, guidance.ID, ghost) // what looking itself changes is the same in both views below
	// The membership is there, and hidden: a charter that names it is veiled.
	join := func() {
		t.Helper()
		if m, err := w.X.Members.JoinHidden(ctx, w.Operator, testkit.Program, ghost); err != nil || !m.Hidden {
			t.Fatal(m, err)
		}
	}
	before := look.view(r.ID, guidance.ID, ghost)
	if !strings.Contains(before["/releases/"+string(r.ID)], "2 other organisations") {
		t.Errorf("the page of the release counts no others")
	}
	join()
	w.Accept(ghost)
	say(ghost)
	after := look.view(r.ID, guidance.ID, ghost)
	for address, want := range before {
		if got := after[address]; got != want {
			t.Errorf("%s tells that somebody takes part (-before +after)\n%s", address, cmp.Diff(want, got))
		}
		if strings.Contains(after[address], string(ghost)) && !strings.Contains(address, string(ghost)) && !strings.Contains(want, "400 ") {
			t.Errorf("%s names the hidden member: %s", address, after[address])
		}
	}
	// A hidden member that is named answers as an organisation that nobody knows.
	unknown := look.view(r.ID, guidance.ID, "nobody-at-all")
	for address, got := range after {
		if !strings.Contains(address, string(ghost)) {
			continue
		}
		want := unknown[strings.ReplaceAll(address, string(ghost), "nobody-at-all")]
		if want != strings.ReplaceAll(got, string(ghost), "nobody-at-all") {
			t.Errorf("%s\n%s", address, cmp.Diff(want, got))
		}
	}
	// What it writes bears no name, while another writer's does.
	if got := writtenBy(t, w, ghost, 1); got != "" {
		t.Errorf("an object of the hidden member is shown as %q", got)
	}
	if got := writtenBy(t, w, servertest.EarlyB, 2); got != servertest.EarlyB {
		t.Errorf("an object of a member is shown as %q", got)
	}
	// A charter that names it does so for itself and for who oversees the program.
	for _, a := range []exchange.Actor{w.Reader(servertest.EarlyA), w.Operator, w.Reader(ghost)} {
		c, _, err := w.X.Programs.Charter(ctx, a, testkit.Program)
		if err != nil || len(c.Groups) != 1 || has(c.Groups[0].Organisations, ghost) != (a.Org != servertest.EarlyA) || !has(c.Groups[0].Organisations, servertest.EarlyA) {
			t.Errorf("%s reads the group as %+v, %v", a.Org, c.Groups, err)
		}
	}
	// Who oversees the program, and the member itself, see it, marked.
	for _, a := range []exchange.Actor{w.Operator, w.Auditor} {
		all, err := w.X.Members.Members(ctx, a, testkit.Program, "", 100)
		found := false
		for _, m := range all {
			found = found || m.Org == ghost && m.Hidden
		}
		if err != nil || !found {
			t.Errorf("not among %d members, %v", len(all), err)
		}
	}
	if m, err := w.X.Members.Member(ctx, w.Reader(ghost), testkit.Program, ghost); err != nil || !m.Hidden {
		t.Errorf("the member itself: %+v, %v", m, err)
	}
	// Shown again, it is counted.
	if _, err := w.X.Members.HideMember(ctx, w.Reader(servertest.EarlyA), testkit.Program, ghost, false); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("a member shows another: %v", err)
	}
	if _, err := w.X.Members.HideMember(ctx, w.Operator, testkit.Program, ghost, false); err != nil {
		t.Fatal(err)
	}
	if _, body := look.ask(look.base+"/releases/"+string(r.ID), false); !strings.Contains(body, "3 other organisations") {
		t.Error("shown again, it is not counted")
	}
}

// writtenBy has the organisation write an object and answers whom another member
// is shown as its originator.
func writtenBy(t *testing.T, w *servertest.World, org exchange.OrgID, seed uint64) exchange.OrgID {
	t.Helper()
	writer := w.Machine(org)
	writer.Verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
	var b bytes.Buffer
	if err := stixtest.Bundle(&b, 1, seed, stixtest.Options{}); err != nil {
		t.Fatal(err)
	}
	if st, err := w.X.Contributions.Add(t.Context(), writer, testkit.Program, &b); err != nil || st.Success != 1 {
		t.Fatal(st, err)
	}
	o, err := w.X.Delivery.Object(t.Context(), w.Reader(servertest.EarlyA), testkit.Program, stixtest.ID("identity", seed, 0))
	if err != nil {
		t.Fatal(err)
	}
	return o.Artifact.Originator
}
