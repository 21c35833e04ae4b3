package taxii_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/authn"
	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/taxii"
)

// world is a whole exchange behind the TAXII interface, on the embedded store:
// one program, one release of which the standard cohort was given seven
// objects, and one whose day has not come.
type world struct {
	t      *testing.T
	x      *core.Exchange
	authn  *authn.Service
	web    http.Handler
	clock  *testkit.Clock
	vars   map[string]string // $name in conversations
	tokens map[string]string // by account
	logins map[string]string
}

// accounts are those who ask. In the program of releases: reader and second, of
// the same cohort; later, who has been given nothing; unsigned; wordless, whose
// token does not read. In the community: writer and peer write and read, dropper
// writes, watcher reads, promise has not signed; the two others are tokens of
// writer's organisation. Only peer is in the closed circle. outsider is nowhere.
var accounts = map[string]struct {
	org   exchange.OrgID
	verbs []exchange.Verb
}{
	"reader":        {"org-reader", []exchange.Verb{exchange.VerbRead}},
	"second":        {"org-second", []exchange.Verb{exchange.VerbRead}},
	"later":         {"org-later", []exchange.Verb{exchange.VerbRead}},
	"unsigned":      {"org-unsigned", []exchange.Verb{exchange.VerbRead}},
	"outsider":      {"org-outsider", []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}},
	"wordless":      {"org-wordless", []exchange.Verb{exchange.VerbFeedback}},
	"writer":        {"org-writer", []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}},
	"writer-reads":  {"org-writer", []exchange.Verb{exchange.VerbRead}},
	"writer-writes": {"org-writer", []exchange.Verb{exchange.VerbSubmit}},
	"peer":          {"org-peer", []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}},
	"dropper":       {"org-dropper", []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}},
	"watcher":       {"org-watcher", []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}},
	"promise":       {"org-promise", []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}},
}

// hats are what places organisations in the cohorts of the community.
var hats = map[exchange.OrgID]string{"org-writer": "sharing", "org-peer": "sharing", "org-promise": "sharing", "org-dropper": "dropping"}

var (
	standard  = exchange.Audience{Cohort: "standard"}
	atRelease = exchange.Audience{Cohort: "at-release"}
)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: testkit.NewClock(), tokens: map[string]string{}, logins: map[string]string{}}
	db := w.assemble(t.TempDir())
	operator := testkit.Person(testkit.Owner, "operator", exchange.RoleOperator)
	approver := testkit.Person(testkit.Owner, "approver", exchange.RoleApprover)
	nouns := []any{testkit.Organisation(testkit.Owner), operator, approver}
	people := map[string]exchange.Person{}
	for name, a := range accounts {
		people[name] = testkit.Person(a.org, name, exchange.RoleAnalyst)
		nouns = append(nouns, testkit.Organisation(a.org, func(o *exchange.Organisation) {
			o.Hats = []string{hats[a.org]}
		}), people[name])
		w.logins[name] = people[name].Login
	}
	rows := sqlstore.For[testkit.Tx](db)
	testkit.Put(t, rows, nouns...)
	community, err := os.ReadFile("testdata/community.toml")
	w.must(err)
	closed := strings.NewReplacer(`"community"`, `"closed"`, `"Sharing Community"`, `"Closed Circle"`).Replace(string(community))
	for _, charter := range [][]byte{testkit.CharterTOML(), community, []byte(closed)} {
		_, err := w.x.Programs.Apply(t.Context(), exchange.System(), charter, false)
		w.must(err)
	}
	testkit.Put(t, rows,
		testkit.Member(testkit.Program, "org-reader", standard, 1), testkit.Member(testkit.Program, "org-second", standard, 1),
		testkit.Member(testkit.Program, "org-later", atRelease, 1), testkit.Member(testkit.Program, "org-unsigned", standard, 0),
		testkit.Member(testkit.Program, "org-wordless", standard, 1),
		testkit.Member("community", "org-writer", exchange.Audience{Cohort: "sharing"}, 1), testkit.Member("community", "org-peer", exchange.Audience{Cohort: "sharing"}, 1),
		testkit.Member("community", "org-dropper", exchange.Audience{Cohort: "dropping"}, 1), testkit.Member("community", "org-watcher", exchange.Audience{Cohort: "watching"}, 1),
		testkit.Member("community", "org-promise", exchange.Audience{Cohort: "sharing"}, 0),
		testkit.Member("closed", "org-peer", exchange.Audience{Cohort: "sharing"}, 1))
	for name, a := range accounts {
		w.tokens[name] = w.token(people[name], a.verbs...)
	}
	w.give("bundle.json", time.Date(2027, time.June, 10, 15, 0, 0, 0, time.UTC), operator, approver)
	w.give("embargoed.json", time.Date(2027, time.July, 15, 15, 0, 0, 0, time.UTC), operator, approver)
	w.clock.Set(time.Date(2027, time.June, 9, 15, 0, 0, 0, time.UTC)) // T0 − 1 business day
	w.listen()
	return w
}

// assemble builds the exchange on the embedded store in folder.
func (w *world) assemble(folder string) *sqlstore.DB {
	w.t.Helper()
	s := servertest.Open(w.t, folder, w.clock)
	w.x, w.authn = s.X, s.Authn
	return s.DB
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) listen() {
	h := taxii.New(taxii.Config{
		Source: w.x.Delivery, Contributions: w.x.Contributions, Authn: w.authn, Name: "Example exchange", URL: "https://share.example.org",
	})
	w.web = httpkit.Wrap(h, httpkit.Options{})
	cs, err := w.x.Delivery.Collections(w.t.Context(), w.actor("reader"))
	w.must(err)
	if len(cs) != 1 {
		w.t.Fatalf("%d collections", len(cs))
	}
	w.vars = map[string]string{
		"id":  cs[0].ID,
		"c":   "/taxii2/api/collections/" + cs[0].ID,
		"x":   "/taxii2/api/collections/00000000-0000-4000-8000-000000000000", // no such collection
		"ind": "indicator--1c7f5d7b-6eac-4d6f-9a1f-3a7a6e1e0b02",
		"hid": "tool--5abd9bbf-acea-4bad-9e5d-7ebeac5c4f06", // exists, and its day has not come
		"w":   "/taxii2/api/collections/" + delivery.CollectionID("community"),
		"wid": delivery.CollectionID("community"),
		"v":   "/taxii2/api/collections/" + delivery.CollectionID("closed"),
		"nil": "tool--00000000-0000-4000-8000-000000000000",
	}
}

func (w *world) token(p exchange.Person, verbs ...exchange.Verb) string {
	w.t.Helper()
	secret, _, err := w.x.Members.IssueToken(w.t.Context(), exchange.System(), membership.TokenRequest{
		Person: p.ID, Name: "test", Verbs: verbs, TTL: 200 * 24 * time.Hour,
	})
	w.must(err)
	return secret
}

func (w *world) actor(account string) exchange.Actor {
	w.t.Helper()
	a, err := w.authn.Bearer(w.t.Context(), w.tokens[account], exchange.ChannelTAXII)
	w.must(err)
	return a
}

// give takes a bundle from testdata to the standard cohort at T0 − 1bd.
func (w *world) give(bundle string, t0 time.Time, operator, approver exchange.Person) {
	w.t.Helper()
	x, ctx, a := w.x, w.t.Context(), testkit.Actor(operator)
	r, err := x.Releases.Create(ctx, a, release.Draft{Program: testkit.Program, Title: "Example", T0: t0, Rules: []exchange.PlanRule(testkit.Charter().Rules)})
	w.must(err)
	f, err := os.Open(filepath.Join("testdata", bundle))
	w.must(err)
	defer f.Close()
	_, err = x.Submissions.Submit(ctx, a, submission.Input{
		Release: r.ID, Class: "detection-guidance", Filename: bundle,
		Handling: exchange.Handling{TLP: exchange.TLPAmber, PAP: exchange.PAPAmber},
	}, f)
	w.must(err)
	v, err := x.Releases.Read(ctx, a, r.ID)
	w.must(err)
	r, err = x.Releases.Send(ctx, a, r.ID, v.Release.Version)
	w.must(err)
	_, err = x.Releases.Approve(ctx, testkit.Actor(approver), r.ID, r.Revision)
	w.must(err)
}

// takesObjects reports whether the room behind POST works.
func (w *world) takesObjects() bool {
	w.t.Helper()
	_, err := w.x.Contributions.Add(w.t.Context(), w.actor("writer"), "community", strings.NewReader("?"))
	return exchange.KindOf(err) != exchange.Unavailable
}

// ask performs one request; lines are those of request.
func (w *world) ask(method, target, account string, lines ...string) *http.Response {
	w.t.Helper()
	r := w.request(method, target, lines...)
	name, scheme, _ := strings.Cut(account, " by ")
	switch {
	case account == "nobody":
	case account == "a stranger":
		r.Header.Set("Authorization", "Bearer fw_aaaaaaaaaaaa_"+strings.Repeat("a", 52))
	case w.tokens[name] == "":
		w.t.Fatalf("there is no account %q", account)
	case strings.EqualFold(scheme, "Basic"):
		r.SetBasicAuth(w.logins[name], w.tokens[name])
		r.Header.Set("Authorization", scheme+strings.TrimPrefix(r.Header.Get("Authorization"), "Basic"))
	case scheme != "":
		r.Header.Set("Authorization", scheme+" "+w.tokens[name])
	default:
		r.Header.Set("Authorization", "Bearer "+w.tokens[name])
	}
	for _, line := range lines { // what a conversation says of it counts
		if name, value, found := strings.Cut(line, ": "); found && name == "Authorization" {
			r.Header.Set(name, value)
		}
	}
	rec := httptest.NewRecorder()
	w.web.ServeHTTP(rec, r)
	return rec.Result()
}
