package acceptance

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// names are the identifiers in an address.
type names struct {
	object   string
	artifact exchange.ArtifactID
	release  exchange.ReleaseID
}

// address is one way to ask by identifier.
type address struct {
	method string
	on     exchange.Channel
	path   func(names) string
	body   string
	found  int // the status once it is there; 0: it depends
}

// addresses are all of them: reading, acting, and asking what one may not ask.
func addresses() []address {
	collection := "/taxii2/api/collections/" + delivery.CollectionID(testkit.Program)
	program := "/programs/" + string(testkit.Program)
	taxii, api, web, public := exchange.ChannelTAXII, exchange.ChannelAPI, exchange.ChannelWeb, exchange.ChannelPublic
	object := func(before, after string) func(names) string {
		return func(n names) string { return before + n.object + after }
	}
	artifact := func(before, after string) func(names) string {
		return func(n names) string { return before + string(n.artifact) + after }
	}
	release := func(before, after string) func(names) string {
		return func(n names) string { return before + string(n.release) + after }
	}
	return []address{
		{"GET", taxii, object(collection+"/objects/", "/"), "", 200},
		{"HEAD", taxii, object(collection+"/objects/", "/"), "", 200},
		{"GET", taxii, object(collection+"/objects/", "/?match[version]=all"), "", 200},
		{"GET", taxii, object(collection+"/objects/", "/?match[version]=first&limit=1"), "", 200},
		{"GET", taxii, object(collection+"/objects/", "/?added_after=2020-01-01T00:00:00.000000Z"), "", 200},
		{"GET", taxii, object(collection+"/objects/", "/versions/"), "", 200},
		{"GET", taxii, object(collection+"/objects/?match[id]=", ""), "", 200},
		{"GET", taxii, object(collection+"/manifest/?match[id]=", ""), "", 200},
		{"DELETE", taxii, object(collection+"/objects/", "/"), "", 0},
		{"GET", api, object("/api/v1"+program+"/objects/", ""), "", 200},
		{"GET", api, object("/api/v1"+program+"/objects?id=", ""), "", 200},
		{"GET", api, object("/api/v1"+program+"/search?q=", ""), "", 200},
		{"GET", api, object("/api/v1"+program+"/why?for=edr-a&object=", ""), "", 0},
		{"GET", api, artifact("/api/v1/artifacts/", ""), "", 200},
		{"GET", api, artifact("/api/v1/artifacts/", "/content"), "", 200},
		{"HEAD", api, artifact("/api/v1/artifacts/", "/content"), "", 0},
		{"DELETE", api, artifact("/api/v1/artifacts/", ""), "", 0},
		{"GET", api, artifact("/api/v1"+program+"/search?q=", ""), "", 200},
		{"GET", api, release("/api/v1/releases/", ""), "", 200},
		{"GET", api, release("/api/v1/releases/", "/artifacts"), "", 200},
		{"GET", api, release("/api/v1/releases/", "/feedback"), "", 200},
		{"GET", api, release("/api/v1/releases/", "/outcome"), "", 200},
		{"POST", api, release("/api/v1/releases/", "/feedback"), `{"kind":"acknowledged"}`, 0},
		{"GET", api, release("/api/v1/releases/", "/preview"), "", 0},
		{"GET", api, release("/api/v1/releases/", "/waves"), "", 0},
		{"GET", api, release("/api/v1/releases/", "/holders"), "", 0},
		{"GET", api, release("/api/v1/releases/", "/exposure"), "", 0},
		{"GET", api, release("/api/v1/releases/", "/preview-as/edr-a"), "", 0},
		{"GET", api, release("/api/v1/events?release=", ""), "", 200},
		{"POST", api, release("/api/v1/releases/", "/approve"), `{"revision":1}`, 0},
		{"POST", api, release("/api/v1/releases/", "/withdraw"), `{"reason":"none"}`, 0},
		{"POST", api, release("/api/v1/releases/", "/artifacts?class=poc&filename=x"), "x", 0},
		{"GET", web, object(program+"/objects/", ""), "", 200},
		{"GET", web, object(program+"/objects/", "/bytes"), "", 200},
		{"GET", web, object(program+"/objects?q=", ""), "", 200},
		{"GET", web, artifact("/artifacts/", ""), "", 200},
		{"GET", web, artifact("/artifacts/", "/content"), "", 200},
		{"GET", web, release("/releases/", ""), "", 200},
		{"GET", web, release("/releases/", "/as?org=edr-a"), "", 0},
		{"POST", web, release("/releases/", "/feedback"), "kind=acknowledged", 0},
		{"POST", web, release("/releases/", "/approve"), "revision=1", 0},
		{"GET", public, release("/public/releases/", ""), "", 0},
		{"GET", public, artifact("/public/artifacts/", ""), "", 0},
	}
}

// answer is everything that a client can see of an answer, apart from what is
// of the request itself: its id, the date, a page's nonce, and the identifier that
// was asked for.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func (q *question) answer(a address, n names) (answer, error) {
	req, err := http.NewRequestWithContext(q.ctx, a.method, q.url+a.path(n), strings.NewReader(a.body))
	if err != nil {
		return answer{}, err
	}
	switch a.on {
	case exchange.ChannelTAXII:
		req.Header.Set("Accept", "application/taxii+json;version=2.1")
	case exchange.ChannelAPI:
		req.Header.Set("Content-Type", "application/json")
		if a.method != "GET" && a.method != "HEAD" {
			req.Header.Set("If-Match", `"1"`)
			req.Header.Set("Idempotency-Key", exchange.RandomID("key"))
		}
	case exchange.ChannelWeb:
		if err := q.signIn(); err != nil {
			return answer{}, err
		}
		req.AddCookie(&http.Cookie{Name: "fw", Value: q.r.session})
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if q.r.secret != "" && a.on != exchange.ChannelWeb {
		req.Header.Set("Authorization", "Bearer "+q.r.secret)
	}
	resp, err := q.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	out := answer{resp.StatusCode, resp.Header.Clone(), string(b)}
	if id := resp.Header.Get("X-Request-Id"); id != "" {
		out.Body = strings.ReplaceAll(out.Body, id, "[request]")
	}
	out.Header.Del("X-Request-Id")
	out.Header.Del("Date")
	for _, s := range []string{n.object, string(n.artifact), string(n.release), nonce(out.Header)} {
		if s != "" {
			out.Body = strings.ReplaceAll(out.Body, s, "[id]")
			for _, values := range out.Header {
				for i := range values {
					values[i] = strings.ReplaceAll(values[i], s, "[id]")
				}
			}
		}
	}
	return out, nil
}

// nonce is the random part of a page's policy, new in each answer.
func nonce(h http.Header) string {
	_, after, _ := strings.Cut(h.Get("Content-Security-Policy"), "'nonce-")
	value, _, _ := strings.Cut(after, "'")
	return value
}

// AT-07: a second before its moment, what a cohort will be given is answered
// exactly as what does not exist, at every address and by every method; a
// second after, it is there.
func TestAT07_HiddenIsAnsweredAsUnknown(t *testing.T) {
	s := &scene{World: servertest.New(t)}
	r := s.Draft("Print spooler", t0)
	const seed = 5
	guidance := s.marked(r, "guidance.json", seed, first, []exchange.TLP{0, 0, 0})
	summary := s.text(r, exchange.Summary, "summary.md", servertest.Label(exchange.TLPClear))
	s.Arm(r.ID)
	web := serve(s.World)
	hidden := names{servertest.MarkedID(seed, 1), guidance.ID, r.ID}
	unknown := names{stixtest.ID("indicator", 999, 1), exchange.ArtifactID(exchange.RandomID("art")), exchange.ReleaseID(exchange.RandomID("rel"))}
	readers := map[exchange.OrgID][]*reader{}
	for _, r := range s.readers() {
		readers[r.org] = append(readers[r.org], r)
	}
	same := func(t *testing.T, r *reader, hidden names) {
		t.Helper()
		for _, a := range addresses() {
			if r.secret == "" && a.on != exchange.ChannelWeb && !r.actor.Anonymous() || r.secret != "" && a.on == exchange.ChannelWeb {
				continue
			}
			if r.actor.Anonymous() && (a.on == exchange.ChannelWeb || a.on == exchange.ChannelAPI) || strings.Contains(a.path(hidden), "//") || strings.HasSuffix(a.path(hidden), "=") {
				continue // sign-in comes first there; or the name is left out
			}
			q := &question{scene: s, site: web, ctx: t.Context(), r: r, on: a.on}
			got, err := q.answer(a, hidden)
			if err != nil {
				t.Fatal(err)
			}
			want, err := q.answer(a, unknown)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s %s (-unknown +hidden):\n%s", r.name, a.method, a.path(hidden), diff)
			}
			if got.Status/100 == 5 || strings.Contains(got.Body, "Print spooler") {
				t.Errorf("%s, %s %s: %d %s", r.name, a.method, a.path(hidden), got.Status, got.Body)
			}
		}
	}
	for _, c := range []struct {
		org    exchange.OrgID
		moment time.Time
	}{
		{servertest.Validator, july(1, 16)},
		{servertest.EarlyA, july(12, 16)},
		{servertest.Standard, july(14, 16)},
		{servertest.Compelled, july(14, 16)},
	} {
		t.Run(string(c.org), func(t *testing.T) {
			s.T = t
			s.Clock.Set(c.moment.Add(-time.Second))
			for _, r := range readers[c.org] {
				same(t, r, hidden)
			}
			s.Clock.Set(c.moment.Add(time.Second))
			for _, r := range readers[c.org] {
				for _, a := range addresses() {
					if a.found == 0 || r.secret == "" != (a.on == exchange.ChannelWeb) || r.ceiling == exchange.TLPGreen || r.ceiling == exchange.TLPAmber {
						continue
					}
					q := &question{scene: s, site: web, ctx: t.Context(), r: r, on: a.on}
					got, err := q.answer(a, hidden)
					if err != nil || got.Status != a.found {
						t.Errorf("a second after: %s, %s %s: %d, want %d (%v)", r.name, a.method, a.path(hidden), got.Status, a.found, err)
					}
				}
			}
		})
	}
	t.Run("never given", func(t *testing.T) { // until T0, and for whom no rule gives it after
		s.T = t
		s.Clock.Set(t0.Add(-time.Second))
		public := names{hidden.object, summary.ID, r.ID}
		for _, org := range []exchange.OrgID{servertest.Late, servertest.Client, servertest.Unsigned, servertest.Outsider, ""} {
			for _, r := range readers[org] {
				same(t, r, hidden)
				same(t, r, public)
			}
		}
	})
	t.Run("public", func(t *testing.T) {
		s.T = t
		s.Clock.Set(t0.Add(time.Second))
		for _, path := range []string{"/public/releases/" + string(r.ID), "/public/artifacts/" + string(summary.ID)} {
			q := &question{scene: s, site: web, ctx: t.Context(), r: readers[""][0], on: exchange.ChannelPublic}
			if status, body, err := q.get(path); status != http.StatusOK || err != nil || strings.Contains(body, "Read this.") {
				t.Errorf("%s: %d %v, and the message to members: %t", path, status, err, strings.Contains(body, "Read this."))
			}
		}
		for _, org := range []exchange.OrgID{servertest.Outsider, servertest.Unsigned, ""} {
			for _, r := range readers[org] {
				same(t, r, names{hidden.object, guidance.ID, ""}) // its guidance is not public
			}
		}
	})
}

// A collection that the reader may not know of is answered as one that does
// not exist, and so is a program.
func TestAT07_UnknownProgram(t *testing.T) {
	s := &scene{World: servertest.New(t)}
	web := serve(s.World)
	for _, r := range s.readers() {
		if r.org != servertest.Outsider && !r.actor.Anonymous() {
			continue
		}
		for _, path := range []string{
			"/taxii2/api/collections/%s/", "/taxii2/api/collections/%s/objects/", "/taxii2/api/collections/%s/manifest/?limit=x",
			"/api/v1/programs/%s", "/api/v1/programs/%s/objects", "/api/v1/programs/%s/search?q=x", "/api/v1/programs/%s/outcome",
			"/api/v1/programs/%s/agreement", "/api/v1/programs/%s/members", "/api/v1/programs/%s/releases", "/programs/%s", "/programs/%s/objects", "/programs/%s/outcome",
		} {
			known, unknown := string(testkit.Program), "early-warninx"
			if strings.Contains(path, "taxii2") {
				known, unknown = delivery.CollectionID(testkit.Program), uuid.NewString()
			}
			on := map[bool]exchange.Channel{true: exchange.ChannelTAXII, false: exchange.ChannelAPI}[strings.Contains(path, "taxii2")]
			if !strings.HasPrefix(path, "/taxii2") && !strings.HasPrefix(path, "/api") {
				on = exchange.ChannelWeb
			}
			if (on == exchange.ChannelWeb) != (r.secret == "") {
				continue
			}
			q := &question{scene: s, site: web, ctx: t.Context(), r: r, on: on}
			if r.actor.Anonymous() {
				q.on = exchange.ChannelPublic
			}
			ask := func(id string) answer {
				a := address{method: "GET", on: q.on, path: func(names) string { return fmt.Sprintf(path, id) }}
				got, err := q.answer(a, names{object: id})
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			if diff := cmp.Diff(ask(unknown), ask(known)); diff != "" {
				t.Errorf("%s, %s (-unknown +known):\n%s", r.name, path, diff)
			}
		}
	}
}

// BenchmarkAT07_HiddenAndUnknown shows how long the two answers take; what
// differs is for a person to judge.
func BenchmarkAT07_HiddenAndUnknown(b *testing.B) {
	w := servertest.New(b)
	r := w.Draft("Hidden", t0)
	guidance := w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Marked(1, "", ""))
	w.Arm(r.ID)
	m := w.Machine(servertest.EarlyA)
	for name, id := range map[string]exchange.ArtifactID{"hidden": guidance.ID, "unknown": exchange.ArtifactID(exchange.RandomID("art"))} {
		b.Run("artifact/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := w.X.Delivery.Artifact(b.Context(), m, id); exchange.KindOf(err) != exchange.NotFound {
					b.Fatal(err)
				}
			}
		})
	}
	for name, id := range map[string]string{"hidden": servertest.MarkedID(1, 0), "unknown": servertest.MarkedID(2, 0)} {
		b.Run("object/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := w.X.Delivery.Object(b.Context(), m, testkit.Program, id); exchange.KindOf(err) != exchange.NotFound {
					b.Fatal(err)
				}
			}
		})
	}
}
