package acceptance

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// nameless is what differs between two answers to the same question.
var nameless = regexp.MustCompile(`nonce="[^"]*"|'nonce-[^']*'|"(?:instance|request_id|error_id)":"[^"]*",?|req_[a-z2-7]{16}`)

// What a reader must not know of answers as what does not exist, in every byte
// but the request's own id and the date: status, headers and body, on the API,
// on the pages and over TAXII. A recalled thing answers so to whom never had it.
func TestWithheldAnswersAsMissing(t *testing.T) {
	w := servertest.New(t)
	ctx := t.Context()
	const ghost = servertest.Outsider
	_, err := w.X.Members.JoinHidden(ctx, w.Operator, testkit.Program, ghost)
	s := &scene{World: w}
	s.must(err)
	const elsewhere = "elsewhere-warning" // a program of which the reader is no member
	c := testkit.Charter()
	c.ID = elsewhere
	_, err = w.X.Programs.Apply(ctx, w.Operator, c.TOML(), false)
	s.must(err)
	r := w.Draft("Held back", t0)
	named := handled(func(h *exchange.Handling) {
		h.TLP, h.Persons = exchange.TLPAmber, []exchange.PersonID{w.Reader(servertest.EarlyB).Person}
	})
	id := func(typ string, n int) string { return stixtest.ID(typ, 620, n) }
	indicator := func(n int, name string) string {
		return fmt.Sprintf(`"name":%q,"description":"d %d","pattern":"[domain-name:value = 'n%d.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"`, name, n, n)
	}
	things := []servertest.Thing{
		{ID: id("indicator", 1), More: indicator(1, "cut"), Grains: map[exchange.TLP][]string{exchange.TLPRed: {"description"}}},
		{ID: id("indicator", 2), More: indicator(2, "red"), Label: exchange.TLPRed},
		{ID: id("indicator", 3), More: indicator(3, "dropped"), Grains: map[exchange.TLP][]string{exchange.TLPRed: {"pattern"}}},
		{ID: id("indicator", 4), More: indicator(4, "cut for machines"), Grains: map[exchange.TLP][]string{exchange.TLPRed: {"description"}, exchange.TLPAmberStrict: {"name"}}},
	}
	w.Submit(r.ID, exchange.DetectionGuidance, "cut.json", servertest.Graph(62, things...), named)
	red := w.Submit(r.ID, exchange.DetectionGuidance, "red.json", servertest.Marked(621, "", ""), handled(func(h *exchange.Handling) {
		h.TLP, h.Persons = exchange.TLPRed, []exchange.PersonID{w.Reader(servertest.EarlyB).Person}
	}))
	back := w.Submit(r.ID, exchange.DetectionGuidance, "back.json", servertest.Marked(622, "", ""))
	poc := w.Submit(r.ID, exchange.PoC, "back.md", strings.NewReader("# back\n"))
	w.Arm(r.ID)
	draft := w.Draft("Not yet", july(30, 16))
	w.Submit(draft.ID, exchange.PoC, "early.md", strings.NewReader("# early\n"))
	w.Clock.Set(july(13, 9))
	s.must(w.X.Releases.OpenDue(ctx))
	// EarlyB holds all of it, and asks for one thing; then some is recalled.
	whole := pageIDs(s, w.Reader(servertest.EarlyB))
	if _, err := w.X.Delivery.Content(ctx, w.Reader(servertest.EarlyB), poc.ID); err != nil {
		t.Fatal(err)
	}
	asked, err := w.X.Reshares.Ask(ctx, w.Reader(servertest.EarlyB), reshare.Question{Program: testkit.Program, Item: string(red.ID), Kind: reshare.Reshare, To: []exchange.OrgID{servertest.Late}, Why: "x"})
	s.must(err)
	var acts []recall.Plan
	for _, a := range []exchange.ArtifactID{back.ID, poc.ID} {
		p, err := w.X.Recalls.Issue(ctx, w.Operator, recall.Act{Kind: recall.Recalled, Artifact: a, Reason: "wrong"})
		s.must(err)
		acts = append(acts, p)
	}
	// Copies of others: EarlyA in the browser and by machine have one of object 1.
	others := []string{}
	for _, a := range []exchange.Actor{w.Machine(servertest.Client), w.Reader(servertest.Client)} {
		for _, o := range pageIDs(s, a) {
			if !slices.Contains(whole, o) {
				others = append(others, o)
			}
		}
	}
	base := w.Serve()
	onlook := newOnlooker(t, w, base, servertest.EarlyA)
	mine := pageIDs(s, w.Machine(servertest.EarlyA))
	if len(mine) == 0 || slices.Contains(mine, things[0].ID) {
		t.Fatalf("the reader has %v", mine)
	}
	others = slices.DeleteFunc(others, func(o string) bool { return slices.Contains(mine, o) })

	// Of all entries, those to which the reader is no party.
	own := map[int64]bool{}
	for _, a := range []exchange.Actor{w.Reader(servertest.EarlyA), w.Machine(servertest.EarlyA)} {
		a.Channel = exchange.ChannelAPI
		es, err := w.X.Record.Entries(ctx, a, record.EntryFilter{Limit: 1000})
		s.must(err)
		for _, e := range es {
			own[e.Seq] = true
		}
	}
	last := w.Ledger.Current().Size()
	foreign := func(before string) (out []string) {
		for n := last; n > 0; n-- {
			if !own[n] {
				out = append(out, before+strconv.FormatInt(n, 10))
			}
		}
		return out
	}

	api, program, taxii := "/api/v1", "/programs/"+string(testkit.Program), "/taxii2/api/collections/"+delivery.CollectionID(testkit.Program)
	objects := []string{
		api + program + "/objects/ID", api + program + "/objects?id=ID", api + program + "/objects/ID/holders", api + program + "/search?q=ID", api + program + "/why?for=edr-a&item=ID",
		taxii + "/objects/ID/", taxii + "/objects/ID/versions/", taxii + "/objects/?match[id]=ID", taxii + "/manifest/?match[id]=ID", taxii + "/objects/?match[id]=ID&match[version]=all",
		program + "/objects/ID", program + "/objects/ID/bytes", program + "/objects?q=ID", "/reshares/new?item=ID",
		api + "/ledger/entries?subject=ID", "/ledger?subject=ID", api + "/ledger/entries/1/objects/ID", "/ledger/1/object?id=ID",
	}
	artifacts := []string{
		api + "/artifacts/ID", api + "/artifacts/ID/content", api + "/artifacts/ID/lineage", api + "/artifacts/ID/holders", api + "/artifacts/ID/simulate?tlp=TLP:GREEN",
		api + program + "/why?for=edr-a&item=ID", "/artifacts/ID", "/artifacts/ID/content", "/public/artifacts/ID", "/reshares/new?item=ID",
		api + "/ledger/entries?subject=ID", "/ledger?subject=ID",
	}
	releases := []string{api + "/releases/ID", api + "/releases/ID/artifacts", api + "/releases/ID/waves", api + "/releases/ID/outcome", api + "/releases/ID/feedback", api + "/releases/ID/holders", "/releases/ID", "/releases/ID/as", "/public/releases/ID", api + "/ledger/entries?release=ID", "/ledger?release=ID", "/ledger?release=ID&program=" + string(testkit.Program)}
	members := []string{api + program + "/members/ID", api + "/organisations/ID", api + "/organisations/ID/people", api + program + "/why?for=ID&item=" + mine[0], api + program + "/search?q=ID", "/organisations/ID", api + "/ledger/entries?organisation=ID", api + "/ledger/entries?kind=member.join&organisation=ID", "/ledger?org=ID"}
	programs := []string{
		api + "/programs/ID/evidence", api + "/programs/ID/evidence?from=2027-01-01T00:00:00Z", api + "/programs/ID/witnesses", api + "/ledger/entries?program=ID",
		"/ledger?program=ID", "/ledger/evidence?program=ID", "/programs/ID",
	}
	entries := []string{api + "/ledger/ID", api + "/ledger/ID/receipt", api + "/ledger/ID/receipt?format=proof", api + "/ledger/ID/objects/" + things[0].ID}
	entryPages := []string{"/ID", "/ID/proof", "/ID/object?id=" + things[0].ID}
	rows := map[string]struct {
		paths   []string
		unknown string
		ids     []string
	}{
		"withheld object":               {objects, id("indicator", 900), []string{things[1].ID, things[2].ID, servertest.MarkedID(621, 0)}},
		"original of a copy":            {objects, id("indicator", 901), []string{things[0].ID, things[3].ID}},
		"recalled object, never had":    {objects, id("indicator", 902), []string{servertest.MarkedID(622, 0), servertest.MarkedID(622, 1)}},
		"copy of another":               {objects, id("indicator", 903), others},
		"withheld artifact":             {artifacts, exchange.RandomID("art"), []string{string(red.ID)}},
		"recalled artifact, never had":  {artifacts, exchange.RandomID("art"), []string{string(back.ID), string(poc.ID)}},
		"release that is not given yet": {releases, exchange.RandomID("rel"), []string{string(draft.ID)}},
		"hidden member":                 {members, "whoitmay", []string{string(ghost)}},
		"request of others":             {[]string{api + "/reshares/ID", api + "/reshares/ID/copy", "/reshares/ID", "/reshares/ID/copy"}, exchange.RandomID("rsh"), []string{string(asked.ID)}},
		"program of others":             {programs, "nowhere-warning", []string{elsewhere}},
		"entry of others":               {entries, "entries/999999999", foreign("entries/")},
		"entry of others, its page":     {entryPages, "ledger/999999999", foreign("ledger/")},
		"recall of what one never had":  {[]string{api + "/recalls/ID", "/recalls/ID"}, exchange.RandomID("rcl"), []string{string(acts[0].Recall.ID), string(acts[1].Recall.ID)}},
	}
	if len(rows["entry of others"].ids) < 20 {
		t.Fatalf("%d entries of others", len(rows["entry of others"].ids))
	}
	compared := 0
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		row := rows[name]
		for _, path := range row.paths {
			token := strings.HasPrefix(path, api) || strings.HasPrefix(path, "/taxii2")
			want := onlook.whole(base+strings.ReplaceAll(path, "ID", row.unknown), row.unknown, token)
			for _, id := range row.ids {
				got := onlook.whole(base+strings.ReplaceAll(path, "ID", id), id, token)
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s, %s: not as what does not exist (-missing +withheld)\n%s", name, path, d)
				}
				compared++
			}
		}
	}
	for _, o := range mine { // and what it has is there under the identifier that it has
		if status, _ := onlook.ask(base+api+program+"/objects/"+o+"/holders", true); status != http.StatusOK {
			t.Errorf("who has %s: %d", o, status)
		}
	}
	for n := range own { // and so are its entries
		id := strconv.FormatInt(n, 10)
		for _, path := range []string{api + "/ledger/entries/" + id, api + "/ledger/entries/" + id + "/receipt", "/ledger/" + id, "/ledger/" + id + "/proof"} {
			if status, _ := onlook.ask(base+path, strings.HasPrefix(path, api)); status != http.StatusOK {
				t.Errorf("%s: %d", path, status)
			}
		}
	}
	if len(own) == 0 {
		t.Error("the reader has no entries")
	}
	t.Logf("%d answers compared, %d copies of others", compared, len(others))
}

// pageIDs are the identifiers of what an actor's collection shows.
func pageIDs(s *scene, a exchange.Actor) (out []string) {
	s.T.Helper()
	p, err := s.X.Delivery.Page(s.T.Context(), a, testkit.Program, delivery.Query{Limit: 1000})
	s.must(err)
	defer p.Close()
	for _, m := range regexp.MustCompile(`"id": ?"(indicator--[0-9a-f-]{36})"`).FindAllStringSubmatch(string(p.Between("[", "]")), -1) {
		out = append(out, m[1])
	}
	return out
}

// whole is an answer in full: the status, every header but the date and the
// request's id, and the body, with ID for the identifier that was asked for.
func (o *onlooker) whole(address, id string, token bool) string {
	o.t.Helper()
	here := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, b := o.fetch(http.Client{Jar: o.pages.Jar, CheckRedirect: here}, address, token)
	res.Header.Del("Date")
	res.Header.Del("X-Request-Id")
	res.Header.Del("Content-Length") // what echoes an identifier has its length
	var head strings.Builder
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		fmt.Fprintln(&head, name, res.Header[name])
	}
	return strings.ReplaceAll(nameless.ReplaceAllString(res.Status+"\n"+head.String()+b, ""), id, "ID")
}
