package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/policy"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

// planted is an artifact of which every text is a canary that stands nowhere else.
type planted struct {
	exchange.Artifact
	things  []servertest.Thing
	fields  []map[string]string // of each thing: canaries by selector
	own     []string            // of the artifact itself: its title and file name
	body    string              // of a text
	grants  map[exchange.OrgID]time.Time
	inTitle string // of its release
}

// garden is a program in which everything is a canary.
type garden struct {
	*scene
	*site
	*rand.Rand
	box     *testkit.Mailbox
	n       int
	charter exchange.Charter
	plants  []*planted
	hooks   map[exchange.OrgID]*received
}

// received is what a webhook's receiver was sent.
type received struct {
	sync.Mutex
	text strings.Builder
}

// canary is a word in lower case, so that a domain name may hold it.
func (g *garden) canary(what string) string {
	g.n++
	return fmt.Sprintf("zq%s%04dqz", what, g.n)
}

// noRegulators takes proofs of concept from who acts as a regulator too.
const noRegulators = `@id("no regulators") forbid(principal, action == Action::"read", resource) when { resource.class == "poc" && principal.hats.contains("regulator") };`

func newGarden(t *testing.T) *garden {
	box := testkit.NewMailbox(t)
	w := servertest.New(t, servertest.AllowLoopback, func(c *config.Config) {
		c.Mail = config.Mail{Server: box.Addr, From: "exchange@psirt.example", Security: "none"}
		c.RequestsPerSecond = -1
	})
	g := &garden{scene: &scene{World: w, known: map[string]policy.Recipient{}}, Rand: rand.New(rand.NewPCG(4, 4)), box: box, hooks: map[exchange.OrgID]*received{}}
	c := testkit.Charter()
	c.Policies = noRegulators
	c.Groups = []exchange.SharingGroup{{ID: "circle", Title: "Circle", Organisations: []exchange.OrgID{servertest.EarlyB, servertest.Standard}}}
	_, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false)
	g.must(err)
	g.charter, _, err = w.X.Programs.Charter(t.Context(), w.Operator, testkit.Program)
	g.must(err)
	for org, hats := range map[exchange.OrgID][]string{servertest.EarlyA: {"csirt", "regulator"}, servertest.EarlyB: {"csirt", "research"}} {
		o, err := w.X.Members.Organisation(t.Context(), w.Admin, org)
		g.must(err)
		o.Hats = hats
		_, err = w.X.Members.ChangeOrganisation(t.Context(), w.Admin, o, 0)
		g.must(err)
	}
	g.plant()
	return g
}

// objects are four things that refer to each other, some of them or their parts
// under labels of their own.
func (g *garden) objects(seed uint64) (out []servertest.Thing, fields []map[string]string) {
	id := func(typ string, n int) string { return stixtest.ID(typ, seed, n) }
	for i, typ := range []string{"indicator", "malware", "relationship", "report", "indicator", "note"} {
		th := servertest.Thing{ID: id(typ, i), Grains: map[exchange.TLP][]string{}}
		at := map[string]string{}
		of := func(selector string) string {
			at[selector] = g.canary("f")
			return at[selector]
		}
		th.More = fmt.Sprintf(`"labels":["%s","%s"],"x_notes":{"inner":"%s","list":["%s",{"deep":"%s"}]}`,
			of("labels.[0]"), of("labels.[1]"), of("x_notes.inner"), of("x_notes.list.[0]"), of("x_notes.list.[1].deep"))
		switch typ {
		case "indicator":
			th.More += fmt.Sprintf(`,"name":"%s","description":"%s","pattern":"[domain-name:value = '%s.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"`,
				of("name"), of("description"), of("pattern"))
		case "malware":
			th.More += fmt.Sprintf(`,"name":"%s","description":"%s","is_family":true,"aliases":["%s"],"external_references":[{"source_name":"%s","url":"https://%s.example/"}]`,
				of("name"), of("description"), of("aliases.[0]"), of("external_references.[0].source_name"), of("external_references.[0].url"))
		case "relationship":
			th.More += fmt.Sprintf(`,"relationship_type":"indicates","description":"%s","source_ref":"%s","target_ref":"%s"`, of("description"), id("indicator", 0), id("malware", 1))
		case "report":
			th.More += fmt.Sprintf(`,"name":"%s","published":"2026-01-01T00:00:00Z","object_refs":["%s","%s","%s"]`, of("name"), id("indicator", 0), id("malware", 1), id("indicator", 4))
		case "note":
			th.More += fmt.Sprintf(`,"content":"%s","abstract":"%s","object_refs":["%s"]`, of("content"), of("abstract"), id("malware", 1))
		}
		if g.IntN(4) == 0 {
			th.Label = []exchange.TLP{exchange.TLPAmberStrict, exchange.TLPRed}[g.IntN(2)]
		}
		paths := append(slices.Sorted(maps.Keys(at)), "labels", "x_notes", "x_notes.list", "x_notes.list.[1]")
		for range g.IntN(3) {
			p, l := paths[g.IntN(len(paths))], []exchange.TLP{exchange.TLPRed, exchange.TLPAmberStrict, exchange.TLPRed}[g.IntN(3)]
			if !slices.Contains(th.Grains[l], p) {
				th.Grains[l] = append(th.Grains[l], p)
			}
		}
		out, fields = append(out, th), append(fields, at)
	}
	return out, fields
}

// handlings are the kinds of handling that artifacts are under.
func (g *garden) handlings() map[string]func(*exchange.Handling) {
	named := []exchange.PersonID{g.Reader(servertest.EarlyB).Person}
	return map[string]func(*exchange.Handling){
		"plain":      func(h *exchange.Handling) { h.TLP = exchange.TLPAmber },
		"green":      func(h *exchange.Handling) { h.TLP = exchange.TLPGreen },
		"red":        func(h *exchange.Handling) { h.TLP, h.Persons = exchange.TLPRed, named },
		"named":      func(h *exchange.Handling) { h.TLP, h.Persons = exchange.TLPAmber, named },
		"not-org":    func(h *exchange.Handling) { h.NotOrgs = []exchange.OrgID{servertest.EarlyB} },
		"not-in":     func(h *exchange.Handling) { h.NotIn = []string{"XA"} },
		"not-cohort": func(h *exchange.Handling) { h.NotCohorts = []exchange.CohortID{"early"} },
		"not-hat":    func(h *exchange.Handling) { h.NotHats = []string{"regulator"} },
		"purpose":    func(h *exchange.Handling) { h.Purposes = []string{"defence"} },
		"group":      func(h *exchange.Handling) { h.Groups = []exchange.GroupID{"circle"} },
		"expired":    func(h *exchange.Handling) { h.Expires = july(15, 10) },
		"later":      func(h *exchange.Handling) { h.From = july(20, 0) },
		"recalled":   func(*exchange.Handling) {},
		"granted":    func(h *exchange.Handling) { h.Organisations = []exchange.OrgID{servertest.Validator} },
	}
}

// plant hands everything in, and opens it.
func (g *garden) plant() {
	ctx, kinds := g.T.Context(), g.handlings()
	draftOf := func(what string, t0 time.Time) (exchange.Release, string) {
		title := g.canary(what)
		return g.Draft(title, t0), title
	}
	open, title := draftOf("open", july(15, 16))
	hand := func(r exchange.Release, class exchange.ContentClass, name, title string, change func(*exchange.Handling)) *planted {
		p := &planted{own: []string{g.canary("file" + strings.ReplaceAll(name, "-", "")), g.canary("title")}, grants: map[exchange.OrgID]time.Time{}, inTitle: title}
		var body io.Reader
		file := p.own[0] + ".json"
		if class == exchange.DetectionGuidance {
			seed := uint64(5000 + g.n)
			p.things, p.fields = g.objects(seed)
			body = servertest.Graph(seed, p.things...)
		} else {
			p.body, file = g.canary("body"), p.own[0]+".md"
			body = strings.NewReader("# " + p.body + "\n")
		}
		p.Artifact = g.Submit(r.ID, class, file, body, func(in *submission.Input) { in.Title = p.own[1] }, handled(change))
		g.plants = append(g.plants, p)
		return p
	}
	of := map[string]*planted{}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		of[name] = hand(open, exchange.DetectionGuidance, name, title, kinds[name])
		of[name+" text"] = hand(open, exchange.PoC, name, title, kinds[name])
	}
	of["again"] = hand(open, exchange.DetectionGuidance, "again", title, kinds["plain"])
	g.Arm(open.ID)
	draft, dt := draftOf("draft", july(30, 16))
	hand(draft, exchange.DetectionGuidance, "draft", dt, kinds["plain"])
	armed, at := draftOf("armed", july(30, 16))
	hand(armed, exchange.PoC, "armed", at, kinds["plain"])
	g.Arm(armed.ID)
	gone, gt := draftOf("gone", july(15, 16))
	hand(gone, exchange.DetectionGuidance, "gone", gt, kinds["plain"])
	g.Arm(gone.ID)
	_, err := g.X.Releases.Withdraw(ctx, g.Operator, gone.ID, why)
	g.must(err)
	for _, org := range []exchange.OrgID{servertest.EarlyA, servertest.EarlyB, servertest.Standard} {
		g.hook(org)
	}
	g.must(g.X.Mail.Round(ctx)) // what is long past is nobody's mail
	g.Clock.Set(july(15, 12))   // early have it, and standard
	g.must(g.X.Releases.OpenDue(ctx))
	g.grant(of["granted"], servertest.Late, july(16, 0))
	g.grant(of["granted text"], servertest.Late, july(15, 11))
	for _, name := range []string{"recalled", "recalled text"} {
		_, err := g.X.Recalls.Issue(ctx, g.Operator, recall.Act{Kind: recall.Recalled, Artifact: of[name].ID, Reason: g.canary("why")})
		g.must(err)
		of[name].RecalledAt = g.Clock.Now()
	}
	g.Clock.Advance(time.Hour)
	g.view = map[exchange.ReleaseID]release.View{}
	for _, p := range g.plants {
		v, err := g.X.Releases.Read(ctx, g.Operator, p.Release)
		g.must(err)
		g.view[p.Release] = v
	}
}

// hook has a receiver of the organisation's be told.
func (g *garden) hook(org exchange.OrgID) {
	got := &received{}
	in := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got.Lock()
		defer got.Unlock()
		fmt.Fprintln(&got.text, r.URL, r.Header, string(b))
	}))
	g.T.Cleanup(in.Close)
	_, err := g.X.Webhooks.Add(g.T.Context(), g.Reader(org), webhook.Request{Program: testkit.Program, URL: in.URL + "/in"})
	g.must(err)
	g.hooks[org] = got
}

// grant gives an artifact to one organisation.
func (g *garden) grant(p *planted, org exchange.OrgID, until time.Time) {
	g.must(storeOf(g.World).Update(g.T.Context(), func(tx testkit.Tx) error {
		give := tx.(interface {
			GiveTo(exchange.ProgramID, exchange.OrgID, []int64, time.Time) error
			BumpGeneration() error
		})
		if err := give.GiveTo(testkit.Program, org, []int64{p.Number}, until); err != nil {
			return err
		}
		return give.BumpGeneration()
	}))
	p.grants[org] = until
}

// gardener is a reader with the hat and purpose it has chosen.
type gardener struct {
	*reader
	hat, purpose string
}

func (g *garden) readers() []*gardener {
	var out []*gardener
	for _, r := range g.scene.readers() {
		if !r.owner && !r.actor.Anonymous() || r.name == "everyone" {
			out = append(out, &gardener{reader: r})
		}
	}
	wear := func(org exchange.OrgID, hat, purpose string) {
		secret, t, err := g.X.Members.IssueToken(g.T.Context(), exchange.System(), membership.TokenRequest{
			Person: testkit.Person(org, "analyst").ID, Name: "as " + hat + purpose, TTL: 300 * 24 * time.Hour, Verbs: []exchange.Verb{exchange.VerbRead}, Hat: hat, Purpose: purpose,
		})
		g.must(err)
		r := &reader{name: string(org) + " as " + hat + " for " + purpose, org: org, person: t.Person, secret: secret}
		out = append(out, &gardener{reader: r, hat: hat, purpose: purpose})
	}
	wear(servertest.EarlyA, "csirt", "")
	wear(servertest.EarlyA, "regulator", "defence")
	wear(servertest.EarlyA, "csirt", "defence")
	wear(servertest.EarlyB, "research", "research")
	return out
}

// recipient are the facts about a reader, from what the rooms tell the operator.
func (g *garden) recipient(r *gardener, on exchange.Channel) policy.Recipient {
	if r.name == "everyone" {
		return policy.Recipient{Anonymous: true, MayRead: true, Channel: exchange.ChannelPublic}
	}
	ctx := g.T.Context()
	p := policy.Recipient{Org: r.org, MayRead: true}
	m, err := g.X.Members.Member(ctx, g.Operator, testkit.Program, r.org)
	if exchange.KindOf(err) != exchange.NotFound {
		g.must(err)
		o, err := g.X.Members.Organisation(ctx, g.Admin, r.org)
		g.must(err)
		provider := exchange.Organisation{}
		if o.ClientOf != "" {
			provider, err = g.X.Members.Organisation(ctx, g.Admin, o.ClientOf)
			g.must(err)
		}
		p = policy.MemberOf(g.charter, m, o, provider)
	}
	p.Person, p.Ceiling, p.Channel, p.Hat, p.Purpose = r.person, r.ceiling, on, r.hat, r.purpose
	return p
}

// item are the facts about an artifact for an audience.
func (g *garden) item(p *planted, r policy.Recipient) policy.Item {
	v := g.view[p.Release]
	i := policy.ItemOf(v.Release, p.Artifact, g.charter.Agreement.Version)
	it := &item{Artifact: p.Artifact}
	i.OpenedAt, i.PublicAt = g.opened(it, r.Audience), g.opened(it, exchange.PublicAudience)
	if until, ok := p.grants[r.Org]; ok {
		i.GrantedAt, i.GrantedUntil = july(15, 12), until
	}
	return i
}

// of is what the decision says of every canary: those that a reader must not
// have on a channel, and those that it has for certain; and how
// many stand in objects that are given in part.
func (g *garden) of(r *gardener, on exchange.Channel) (denied, certain []string, copies int) {
	who, now := g.recipient(r, on), g.Clock.Now()
	titles := map[string]bool{}
	for _, p := range g.plants {
		whole := g.item(p, who)
		d := policy.Decide(who, whole, now)
		any := d.Allowed() && len(p.things) == 0
		for n, th := range p.things {
			h := exchange.HandlingClass{TLP: th.Label, Handling: exchange.Handling{TLP: th.Label}}
			for l, s := range th.Grains {
				h.Fields = append(h.Fields, exchange.FieldHandling{Selectors: slices.Sorted(slices.Values(s)), Handling: exchange.Handling{TLP: l}})
			}
			part := policy.Decide(who, whole.Under(h), now)
			any = any || part.Allowed() && d.Allowed()
			for selector, c := range p.fields[n] {
				if part.Verdict == policy.AllowRedacted {
					copies++
				}
				hidden := slices.ContainsFunc(part.Fields, func(f string) bool { return selector == f || strings.HasPrefix(selector, f+".") })
				switch {
				case !part.Allowed() || hidden:
					denied = append(denied, c)
				case part.Entire() && !strings.Contains(th.More, `_ref`):
					certain = append(certain, c)
				}
			}
			if !part.Entire() {
				denied = append(denied, th.ID)
			}
		}
		if !any {
			denied = append(denied, append(slices.Clone(p.own), string(p.ID))...)
		}
		titles[p.inTitle] = titles[p.inTitle] || any
		switch {
		case p.body == "":
		case d.Allowed():
			certain = append(certain, p.body)
		default:
			denied = append(denied, p.body)
		}
	}
	for title, any := range titles {
		if !any {
			denied = append(denied, title)
		}
	}
	return denied, certain, copies
}

// ofNone are the canaries that nobody of an organisation may have.
func (g *garden) ofNone(readers []*gardener, org exchange.OrgID) map[string]bool {
	denied, ways := map[string]int{}, 0
	for _, r := range readers {
		if r.org != org {
			continue
		}
		on := exchange.ChannelAPI
		if r.secret == "" {
			on = exchange.ChannelWeb
		}
		ways++
		cs, _, _ := g.of(r, on)
		slices.Sort(cs)
		for _, c := range slices.Compact(cs) {
			denied[c]++
		}
	}
	out := map[string]bool{}
	for c, n := range denied {
		out[c] = n == ways
	}
	return out
}

// reply is everything that came back of one question.
type reply struct{ asked, text string }

var (
	addressIn = regexp.MustCompile(`(?:href|src|action)="(/[^"#]*)|<(https?://[^>]*)>; *rel="?next`)
	entryIn   = regexp.MustCompile(`"entry":(\d+)\b|href="/ledger/(\d+)"`)
	namedIn   = regexp.MustCompile(`\b(?:art|rel|rcl|rsh|con|hook)_[a-z2-7]{16}\b|\b[a-z-]+--[0-9a-f]{8}-[0-9a-f-]{27}\b`)
)

// crawl follows what the reader is shown, on the channel, and asks by every
// identifier there is, also those that it should not know.
func (g *garden) crawl(r *gardener, on exchange.Channel, most int) (all []reply) {
	q := &question{scene: g.scene, site: g.site, ctx: g.T.Context(), r: r.reader, on: on}
	seen, todo := map[string]bool{}, g.begin(on)
	for n := int64(1); n <= g.Ledger.Current().Size() && n < 200; n += 7 { // of others, too
		todo = append(todo, g.entryDoors(on, strconv.FormatInt(n, 10))...)
	}
	for _, p := range g.plants {
		todo = append(todo, g.doorsOf(on, string(p.ID))...)
		todo = append(todo, g.doorsOf(on, string(p.Release))...)
		for _, th := range p.things {
			todo = append(todo, g.doorsOf(on, th.ID)...)
		}
	}
	for len(todo) > 0 && len(seen) < most {
		path := todo[0]
		todo = todo[1:]
		if seen[path] || strings.HasPrefix(path, "/sign-out") || strings.HasPrefix(path, "/assets") {
			continue
		}
		seen[path] = true
		resp, body, err := q.ask(path)
		if err != nil {
			g.T.Errorf("%s: %v", path, err)
			continue
		}
		if resp.StatusCode >= 500 {
			g.T.Errorf("%s, %s: %d %.300s", r.name, path, resp.StatusCode, body)
		}
		all = append(all, reply{path, fmt.Sprint(resp.Status, resp.Header, openly(body))})
		for _, m := range addressIn.FindAllStringSubmatch(body+resp.Header.Get("Link"), -1) {
			next := strings.ReplaceAll(m[1], "&amp;", "&")
			if u, err := url.Parse(m[2]); m[2] != "" && err == nil {
				next = u.RequestURI()
			}
			if (on == exchange.ChannelWeb || on == exchange.ChannelPublic) == !strings.HasPrefix(next, "/api/") && next != "" {
				todo = append(todo, next)
			}
		}
		for _, id := range namedIn.FindAllString(body, -1) {
			todo = append(todo, g.doorsOf(on, id)...)
		}
	}
	return append(all, g.proofs(q)...)
}

// proofs is what the ledger says to a reader of what it was given just now, with the
// receipts.
func (g *garden) proofs(q *question) (all []reply) {
	todo := map[exchange.Channel][]string{
		exchange.ChannelAPI: {"/api/v1/ledger/entries?limit=40"}, exchange.ChannelWeb: {"/ledger"},
	}[q.on]
	for i := 0; i < len(todo); i++ {
		_, body, err := q.ask(todo[i])
		if err != nil {
			g.T.Errorf("%s: %v", todo[i], err)
			return all
		}
		all = append(all, reply{todo[i], openly(body)})
		for _, m := range entryIn.FindAllStringSubmatch(body, -1) {
			if i == 0 {
				todo = append(todo, g.entryDoors(q.on, m[1]+m[2])...)
			}
		}
	}
	return all
}

// begin are the addresses that name nothing.
func (g *garden) begin(on exchange.Channel) []string {
	program := "/programs/" + string(testkit.Program)
	collection := "/taxii2/api/collections/" + delivery.CollectionID(testkit.Program)
	switch on {
	case exchange.ChannelTAXII:
		return []string{"/taxii2/", "/taxii2/api/", "/taxii2/api/collections/", collection + "/", collection + "/objects/", collection + "/objects/?limit=3", collection + "/manifest/", collection + "/objects/?match[version]=all", collection + "/objects/?match[type]=malware"}
	case exchange.ChannelAPI:
		api := "/api/v1"
		return []string{
			api + "/me", api + "/programs", api + program, api + program + "/charter", api + program + "/members", api + program + "/objects", api + program + "/objects?versions=all",
			api + program + "/objects?limit=3", api + program + "/objects/count", api + program + "/outcome", api + program + "/releases", api + "/notices", api + "/recalls", api + "/reshares",
			api + "/events", api + program + "/search?q=zq", api + program + "/search?q=example&limit=200", api + "/connections", api + "/webhooks", api + program + "/held", api + "/lookup",
			api + program + "/reshares/times", api + "/ledger", api + "/ledger/logs", api + "/ledger/entries?limit=1000", api + "/ledger/entries?kind=member.join&kind=artifact.submit",
			api + program + "/evidence", api + program + "/witnesses", api + "/organisations", api + "/openapi.json", api + program + "/legal-bases/shares",
		}
	case exchange.ChannelWeb:
		return []string{"/", "/notices", "/programs", program, program + "/export", program + "/outcome", program + "/releases", program + "/objects", program + "/objects?q=zq", "/releases", "/library", "/recalls", "/reshares", "/lookup", "/organisations", "/ledger", "/ledger/evidence"}
	}
	return []string{"/log/checkpoint", "/log/key", "/log/statements", "/log/tile/entries/000.p/1", "/log/cosigned", "/", "/public", "/sign-in", "/help/keys", "/taxii2/", "/api/v1/me"}
}

// doorsOf are the addresses at which something is asked for by its identifier.
func (g *garden) doorsOf(on exchange.Channel, id string) []string {
	program := "/programs/" + string(testkit.Program)
	collection := "/taxii2/api/collections/" + delivery.CollectionID(testkit.Program)
	object, kind := strings.Contains(id, "--"), id[:3]
	switch {
	case on == exchange.ChannelTAXII && object:
		return []string{collection + "/objects/" + id + "/", collection + "/objects/" + id + "/versions/", collection + "/manifest/?match[id]=" + id}
	case on == exchange.ChannelAPI && object:
		return []string{"/api/v1" + program + "/objects/" + id, "/api/v1" + program + "/objects/" + id + "/holders", "/api/v1" + program + "/why?for=edr-a&item=" + id}
	case on == exchange.ChannelAPI && kind == "art":
		a := "/api/v1/artifacts/" + id
		return []string{a, a + "/content", a + "/lineage", a + "/holders", a + "/simulate?tlp=TLP:GREEN"}
	case on == exchange.ChannelAPI && kind == "rel":
		a := "/api/v1/releases/" + id
		return []string{a, a + "/artifacts", a + "/preview", a + "/waves", a + "/holders", a + "/outcome", a + "/feedback", a + "/exposure"}
	case on == exchange.ChannelAPI && kind == "rcl":
		return []string{"/api/v1/recalls/" + id}
	case on == exchange.ChannelAPI && kind == "rsh":
		return []string{"/api/v1/reshares/" + id, "/api/v1/reshares/" + id + "/copy"}
	case on == exchange.ChannelWeb && kind == "rcl":
		return []string{"/recalls/" + id}
	case on == exchange.ChannelWeb && kind == "rsh":
		return []string{"/reshares/" + id, "/reshares/" + id + "/copy"}
	case on == exchange.ChannelWeb && object:
		return []string{program + "/objects/" + id, program + "/objects/" + id + "/bytes"}
	case on == exchange.ChannelWeb && kind == "art":
		return []string{"/artifacts/" + id, "/artifacts/" + id + "/content"}
	case on == exchange.ChannelWeb && kind == "rel":
		return []string{"/releases/" + id, "/releases/" + id + "/as"}
	case on == exchange.ChannelPublic && kind == "rel":
		return []string{"/public/releases/" + id}
	case on == exchange.ChannelPublic && kind == "art":
		return []string{"/public/artifacts/" + id}
	}
	return nil
}

// entryDoors are the addresses at which an entry of the ledger is asked for.
func (g *garden) entryDoors(on exchange.Channel, n string) []string {
	object := g.plants[0].things[0].ID
	switch on {
	case exchange.ChannelAPI:
		a := "/api/v1/ledger/entries/" + n
		return []string{a, a + "/receipt", a + "/receipt?format=proof", a + "/objects/" + object}
	case exchange.ChannelWeb:
		a := "/ledger/" + n
		return []string{a, a + "/proof", a + "/object?id=" + object}
	}
	return nil
}

// openly is a body with what is packed in it as text, too: receipts hold an event.
func openly(body string) string {
	r, err := verify.ParseReceipt([]byte(body))
	if err != nil {
		return body
	}
	b, err := r.Opening.MarshalJSON()
	return fmt.Sprint(body, string(b), err)
}

// sent is what comes to the reader otherwise: a look-up of every domain there is,
// the stream, a pull by the command, messages of webhooks.
func (g *garden) sent(r *gardener) (all []reply) {
	var values []string
	for _, p := range g.plants {
		for _, f := range p.fields {
			for _, c := range f {
				values = append(values, c, c+".example")
			}
		}
	}
	asJSON, err := json.Marshal(map[string]any{"values": values})
	g.must(err)
	ctx := g.T.Context()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/api/v1/lookup", bytes.NewReader(asJSON))
	g.must(err)
	req.Header.Set("Authorization", "Bearer "+r.secret)
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.client.Do(req)
	g.must(err)
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	g.must(err)
	all = append(all, reply{"look-up", fmt.Sprint(resp.Status, resp.Header, string(b))})

	// What the stream has within a moment; how much that is decides nothing.
	moment, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	req, err = http.NewRequestWithContext(moment, http.MethodGet, g.url+"/api/v1/programs/"+string(testkit.Program)+"/stream?added_after=2026-01-01T00:00:00Z&objects=true", nil)
	g.must(err)
	req.Header.Set("Authorization", "Bearer "+r.secret)
	if resp, err := g.client.Do(req); err == nil {
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		all = append(all, reply{"stream", fmt.Sprint(resp.Status, resp.Header, string(b))})
	}

	dir := g.T.TempDir()
	pull := client.Pull{Client: &client.Client{URL: g.url, Token: r.secret, HTTP: g.client}, Program: string(testkit.Program), Dir: dir}
	out, err := pull.Run(ctx)
	all = append(all, reply{"pull", fmt.Sprint(out, err)})
	g.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, reply{"pull", strings.TrimPrefix(path, dir) + string(b)})
		return err
	}))
	return all
}

// has reports whether the reader asks on the channel.
func (r *gardener) has(on exchange.Channel) bool {
	switch on {
	case exchange.ChannelWeb:
		return inBrowser(r.reader)
	case exchange.ChannelPublic:
		return r.name == "everyone"
	}
	return withToken(r.reader)
}

// tally counts what was compared.
type tally struct {
	sync.Mutex
	answers, absent, present, copies, receipts int
}

// check asks for everything on a channel, and looks for what must not be in the
// answers and for what must.
func (g *garden) check(sum *tally, r *gardener, readers []*gardener, on exchange.Channel, most int) {
	all := g.crawl(r, on, most)
	if on == exchange.ChannelAPI {
		all = append(all, g.sent(r)...)
	}
	denied, certain, copies := g.of(r, on)
	nobodys := g.ofNone(readers, r.org)
	if testing.Short() {
		certain = nil // not everything was asked for
	}
	for _, c := range denied {
		for _, a := range all {
			if (a.asked == "/api/v1/events" || strings.Contains(a.asked, "/ledger")) && !nobodys[c] {
				continue // its organisation's record names what somebody of it was given
			}
			if strings.Contains(a.text, c) && !strings.Contains(a.asked, c) {
				i := strings.Index(a.text, c)
				g.T.Errorf("%s, %s, %s: holds %s: …%s…", r.name, on, a.asked, c, a.text[max(0, i-200):min(len(a.text), i+100)])
				break
			}
		}
	}
	for _, c := range certain {
		if on == exchange.ChannelTAXII && strings.Contains(c, "body") {
			continue
		}
		if !slices.ContainsFunc(all, func(a reply) bool { return strings.Contains(a.text, c) }) {
			g.T.Errorf("%s, %s: %s is allowed and nowhere", r.name, on, c)
		}
	}
	receipts := 0
	for _, a := range all {
		if strings.Contains(a.asked, "/ledger/") && strings.Contains(a.text, `"kind"`) && strings.Contains(a.text, `"salt"`) {
			receipts++
		}
	}
	sum.Lock()
	defer sum.Unlock()
	sum.receipts += receipts
	sum.answers, sum.absent, sum.present, sum.copies = sum.answers+len(all), sum.absent+len(denied), sum.present+len(certain), sum.copies+copies
}

// No channel gives what the decision denies, to any reader, in any byte of what
// comes back: status, headers, bodies, messages, files. And what it allows as a
// whole is there.
func TestNothingLeaks(t *testing.T) {
	g := newGarden(t)
	g.site = serve(g.World)
	readers, most := g.readers(), 1000
	if testing.Short() {
		most = 250
	}
	var all tally
	var wg sync.WaitGroup
	places := make(chan struct{}, 4)
	for n, r := range readers {
		if testing.Short() && n%3 != 0 {
			continue
		}
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			for _, on := range []exchange.Channel{exchange.ChannelWeb, exchange.ChannelAPI, exchange.ChannelTAXII, exchange.ChannelPublic} {
				if r.has(on) {
					g.check(&all, r, readers, on, most)
				}
			}
		})
	}
	wg.Wait()
	answers, absent, present := all.answers, all.absent, all.present
	t.Logf("%d readers, %d answers: %d canaries absent, %d present, %d copies decided on, %d receipts", len(readers), answers, absent, present, all.copies, all.receipts)
	if answers < 100*len(readers)/3 || absent < 5000 || present == 0 && !testing.Short() || all.copies == 0 || all.receipts == 0 {
		t.Error("the garden says little")
	}
	g.messages()
}

// messages are those that are pushed: they say that something waits, and nothing
// of what it is.
func (g *garden) messages() {
	g.T.Helper()
	ctx := g.T.Context()
	g.must(g.X.Webhooks.Round(ctx))
	g.must(g.X.Mail.Round(ctx))
	g.Clock.Advance(2 * time.Minute)
	g.must(g.X.Mail.Round(ctx))
	var all strings.Builder
	mails := g.box.Take()
	for _, m := range mails {
		fmt.Fprintln(&all, m.To, m.Data)
	}
	told := 0
	for _, h := range g.hooks {
		h.Lock()
		if h.text.Len() > 0 {
			told++
		}
		all.WriteString(h.text.String())
		h.Unlock()
	}
	if len(mails) == 0 || told == 0 {
		g.T.Errorf("%d mails, and %d receivers were told", len(mails), told)
	}
	if canaries.MatchString(all.String()) {
		g.T.Errorf("a message holds %s", canaries.FindString(all.String()))
	}
	for _, p := range g.plants {
		for _, th := range p.things {
			if strings.Contains(all.String(), th.ID) {
				g.T.Errorf("a message names %s", th.ID)
			}
		}
	}
}

var canaries = regexp.MustCompile(`zq[a-z]+[0-9]{4}qz`)
