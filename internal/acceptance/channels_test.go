package acceptance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// channel is one way by which something may come to a reader. A new interface
// is a new line in the lists below.
type channel struct {
	name   string
	on     exchange.Channel
	serves func(*reader) bool
	feed   bool // only who has a collection reads it: members, not those who run the program
	whole  bool // gives an artifact's bytes, so every object of it must be allowed
	plan   bool // shows the plan to those who run the program: that is no delivery
	// Each answers what the reader is given; nil: the channel does not give that.
	object   func(q *question, id string) (versions int, err error) // -1: at least one
	artifact func(q *question, i *item) (bool, error)
}

// question is one reader who asks on one channel.
type question struct {
	*scene
	*site
	ctx context.Context
	r   *reader
	on  exchange.Channel
}

func (q *question) actor() exchange.Actor { return q.r.as(q.on) }

// hidden turns "not found" into an answer, and leaves every other error.
func hidden[T any](v T, err error) (T, bool, error) {
	if kind := exchange.KindOf(err); kind == exchange.NotFound {
		return v, false, nil
	}
	return v, err == nil, err
}

func inBrowser(r *reader) bool { return r.secret == "" && !r.actor.Anonymous() }
func withToken(r *reader) bool { return r.secret != "" }
func anybody(r *reader) bool   { return r.actor.Anonymous() }

// rooms are the services that every interface asks, on each channel.
func rooms() []channel {
	var out []channel
	for _, on := range []struct {
		channel exchange.Channel
		serves  func(*reader) bool
	}{{exchange.ChannelWeb, inBrowser}, {exchange.ChannelTAXII, withToken}, {exchange.ChannelAPI, withToken}} {
		for _, c := range []channel{
			{name: "page", feed: true, object: pageOf},
			{name: "manifest", feed: true, object: manifestOf},
			{name: "object", object: objectOf},
			{name: "search", object: searchObject, artifact: searchArtifact},
			{name: "artifact", artifact: artifactOf},
			{name: "content", artifact: contentOf, whole: true},
			{name: "releases", artifact: releasesWith},
			{name: "release", artifact: releaseWith},
		} {
			c.name, c.on, c.serves = c.name+" on "+string(on.channel), on.channel, on.serves
			out = append(out, c)
		}
	}
	return append(out,
		channel{name: "public releases", on: exchange.ChannelPublic, serves: anybody, artifact: publicReleasesWith},
		channel{name: "public release", on: exchange.ChannelPublic, serves: anybody, artifact: publicReleaseWith},
		channel{name: "public content", on: exchange.ChannelPublic, serves: anybody, artifact: publicContentOf, whole: true},
	)
}

func pageOf(q *question, id string) (int, error) {
	p, _, err := hidden(q.X.Delivery.Page(q.ctx, q.actor(), testkit.Program, delivery.Query{IDs: []string{id}, Limit: 100, Versions: delivery.Versions{All: true}}))
	if err != nil || p == nil {
		return 0, err
	}
	var b strings.Builder
	if err := p.WriteObjects(&b); err != nil {
		return 0, err
	}
	if n := strings.Count(b.String(), `"id":"`+id+`"`); n != len(p.Entries) {
		return 0, fmt.Errorf("%d entries, %d bodies", len(p.Entries), n)
	}
	return len(p.Entries), nil
}

func manifestOf(q *question, id string) (int, error) {
	query := delivery.Query{IDs: []string{id}, Limit: 100, Versions: delivery.Versions{All: true}}
	es, _, err := q.X.Delivery.Manifest(q.ctx, q.actor(), testkit.Program, query)
	es, _, err = hidden(es, err)
	return len(es), err
}

func objectOf(q *question, id string) (int, error) {
	o, ok, err := hidden(q.X.Delivery.Object(q.ctx, q.actor(), testkit.Program, id))
	if !ok {
		return 0, err
	}
	if !strings.Contains(string(o.Raw), id) {
		return 0, fmt.Errorf("the bytes are not those of %s", id)
	}
	return -1, nil
}

func found(hits []delivery.Hit, kind, id string) bool {
	for _, h := range hits {
		if h.Kind == kind && h.ID == id {
			return true
		}
	}
	return false
}

func searchObject(q *question, id string) (int, error) {
	hits, _, err := hidden(q.X.Delivery.Search(q.ctx, q.actor(), testkit.Program, id, 1000))
	if found(hits, "object", id) {
		return -1, err
	}
	return 0, err
}

func searchArtifact(q *question, i *item) (bool, error) {
	hits, _, err := hidden(q.X.Delivery.Search(q.ctx, q.actor(), testkit.Program, i.Title, 1000))
	return found(hits, "artifact", string(i.ID)), err
}

func artifactOf(q *question, i *item) (bool, error) {
	_, ok, err := hidden(q.X.Delivery.Artifact(q.ctx, q.actor(), i.ID))
	return ok, err
}

func contentOf(q *question, i *item) (bool, error) {
	c, ok, err := hidden(q.X.Delivery.Content(q.ctx, q.actor(), i.ID))
	if ok {
		c.Close()
	}
	return ok, err
}

func holds(rs []delivery.MemberRelease, i *item) bool {
	for _, r := range rs {
		for _, x := range r.Items {
			if x.Artifact.ID == i.ID {
				return true
			}
		}
	}
	return false
}

func releasesWith(q *question, i *item) (bool, error) {
	rs, _, err := hidden(q.X.Delivery.Releases(q.ctx, q.actor(), testkit.Program))
	return holds(rs, i), err
}

func releaseWith(q *question, i *item) (bool, error) {
	r, _, err := hidden(q.X.Delivery.Release(q.ctx, q.actor(), i.Release))
	return holds([]delivery.MemberRelease{r}, i), err
}

func publicReleasesWith(q *question, i *item) (bool, error) {
	rs, _, err := hidden(q.X.Delivery.PublicReleases(q.ctx))
	return holds(rs, i), err
}

func publicReleaseWith(q *question, i *item) (bool, error) {
	r, _, err := hidden(q.X.Delivery.Release(q.ctx, exchange.Public(), i.Release))
	return holds([]delivery.MemberRelease{r}, i), err
}

func publicContentOf(q *question, i *item) (bool, error) {
	c, ok, err := hidden(q.X.Delivery.Content(q.ctx, exchange.Public(), i.ID))
	if ok {
		c.Close()
	}
	return ok, err
}

// interfaces are the addresses at which a reader asks over HTTP.
func interfaces() []channel {
	collection := "/taxii2/api/collections/" + delivery.CollectionID(testkit.Program)
	program := "/programs/" + string(testkit.Program)
	id := func(s string) string { return url.QueryEscape(s) }
	out := []channel{
		{name: "TAXII objects", on: exchange.ChannelTAXII, feed: true, object: inList(collection+"/objects/?match[version]=all&match[id]=", `"id":"`)},
		{name: "TAXII manifest", on: exchange.ChannelTAXII, feed: true, object: inList(collection+"/manifest/?match[version]=all&match[id]=", `"id":"`)},
		{name: "TAXII object", on: exchange.ChannelTAXII, feed: true, object: at(func(o string) string { return collection + "/objects/" + o + "/" })},
		{name: "TAXII versions", on: exchange.ChannelTAXII, feed: true, object: at(func(o string) string { return collection + "/objects/" + o + "/versions/" })},
		{name: "API objects", on: exchange.ChannelAPI, feed: true, object: inList("/api/v1"+program+"/objects?versions=all&id=", `"id":"`)},
		{name: "API object", on: exchange.ChannelAPI, object: at(func(o string) string { return "/api/v1" + program + "/objects/" + o })},
		{
			name: "API search", on: exchange.ChannelAPI, object: inPage(func(o string) string { return "/api/v1" + program + "/search?q=" + id(o) }, `"kind":"object"`),
			artifact: naming(func(i *item) string { return "/api/v1" + program + "/search?limit=200&q=" + id(i.Title) }),
		},
		{name: "API artifact", on: exchange.ChannelAPI, artifact: opens(func(i *item) string { return "/api/v1/artifacts/" + string(i.ID) })},
		{name: "API content", on: exchange.ChannelAPI, whole: true, artifact: opens(func(i *item) string { return "/api/v1/artifacts/" + string(i.ID) + "/content" })},
		{name: "API release", on: exchange.ChannelAPI, plan: true, artifact: naming(func(i *item) string { return "/api/v1/releases/" + string(i.Release) })},
		{name: "API artifacts", on: exchange.ChannelAPI, plan: true, artifact: naming(func(i *item) string { return "/api/v1/releases/" + string(i.Release) + "/artifacts" })},
		{name: "object's page", on: exchange.ChannelWeb, object: at(func(o string) string { return program + "/objects/" + o })},
		{name: "object's bytes", on: exchange.ChannelWeb, object: at(func(o string) string { return program + "/objects/" + o + "/bytes" })},
		{name: "library", on: exchange.ChannelWeb, object: inPage(func(o string) string { return program + "/objects?q=" + id(o) }, `href="`+program+`/objects/indicator`)},
		{name: "artifact's page", on: exchange.ChannelWeb, artifact: opens(func(i *item) string { return "/artifacts/" + string(i.ID) })},
		{name: "artifact's bytes", on: exchange.ChannelWeb, whole: true, artifact: opens(func(i *item) string { return "/artifacts/" + string(i.ID) + "/content" })},
		{name: "release's page", on: exchange.ChannelWeb, plan: true, artifact: naming(func(i *item) string { return "/releases/" + string(i.Release) })},
		{name: "public page", on: exchange.ChannelPublic, artifact: naming(func(i *item) string { return "/public/releases/" + string(i.Release) })},
		{name: "public bytes", on: exchange.ChannelPublic, whole: true, artifact: opens(func(i *item) string { return "/public/artifacts/" + string(i.ID) })},
	}
	for n := range out {
		out[n].serves = map[exchange.Channel]func(*reader) bool{
			exchange.ChannelTAXII: withToken, exchange.ChannelAPI: withToken, exchange.ChannelWeb: inBrowser, exchange.ChannelPublic: anybody,
		}[out[n].on]
	}
	return out
}

// at asks for one thing at an address of its own.
func at(path func(id string) string) func(*question, string) (int, error) {
	return func(q *question, id string) (int, error) {
		status, body, err := q.get(path(id))
		if status != http.StatusOK {
			return 0, err
		}
		if !strings.Contains(body, "--") && !strings.Contains(body, `"versions"`) {
			return 0, fmt.Errorf("%s: %.200s", path(id), body)
		}
		return -1, err
	}
}

// inList counts how often a list names the object.
func inList(path, before string) func(*question, string) (int, error) {
	return func(q *question, id string) (int, error) {
		status, body, err := q.get(path + url.QueryEscape(id))
		if status != http.StatusOK {
			return 0, err
		}
		return strings.Count(body, before+id+`"`), err
	}
}

// inPage looks for the mark of a hit.
func inPage(path func(id string) string, mark string) func(*question, string) (int, error) {
	return func(q *question, id string) (int, error) {
		_, body, err := q.get(path(id))
		if strings.Contains(body, mark) {
			return -1, err
		}
		return 0, err
	}
}

func opens(path func(*item) string) func(*question, *item) (bool, error) {
	return func(q *question, i *item) (bool, error) {
		status, _, err := q.get(path(i))
		return status == http.StatusOK, err
	}
}

func naming(path func(*item) string) func(*question, *item) (bool, error) {
	return func(q *question, i *item) (bool, error) {
		status, body, err := q.get(path(i))
		return status == http.StatusOK && strings.Contains(body, string(i.ID)), err
	}
}

// site is the exchange over HTTP.
type site struct {
	url    string
	client *http.Client
}

func serve(w *servertest.World) *site {
	w.T.Helper()
	return &site{url: w.Serve(), client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 8},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// get asks as the reader does. An answer that is neither the thing nor "no such
// thing", nor a closed door, is an error.
func (q *question) get(path string) (status int, body string, err error) {
	resp, body, err := q.ask(path)
	if err != nil {
		return 0, "", err
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNotFound, http.StatusUnauthorized:
		return resp.StatusCode, body, nil
	case http.StatusTooManyRequests: // after many refusals
		return resp.StatusCode, body, nil
	case http.StatusSeeOther: // a session that has ended
		return http.StatusUnauthorized, "", nil
	}
	return resp.StatusCode, body, fmt.Errorf("%s: %d %.300s", path, resp.StatusCode, body)
}

func (q *question) ask(path string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(q.ctx, http.MethodGet, q.url+path, nil)
	if err != nil {
		return nil, "", err
	}
	if q.r.secret != "" {
		req.Header.Set("Authorization", "Bearer "+q.r.secret)
	}
	if q.on == exchange.ChannelTAXII {
		req.Header.Set("Accept", "application/taxii+json;version=2.1")
	}
	if q.on == exchange.ChannelWeb {
		if err := q.signIn(); err != nil {
			return nil, "", err
		}
		req.AddCookie(&http.Cookie{Name: "fw", Value: q.r.session})
	}
	resp, err := q.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// signIn opens a session for the reader where there is none that lasts. Who is
// suspended gets none.
func (q *question) signIn() error {
	if q.r.session != "" && q.Clock.Now().Before(q.r.ends) {
		return nil
	}
	code, err := q.X.Members.IssueLink(q.ctx, exchange.System(), q.r.person, false, time.Hour)
	if exchange.KindOf(err) == exchange.Conflict {
		return nil
	}
	if err != nil {
		return err
	}
	q.r.session, q.r.ends, _, err = q.Authn.SignIn(q.ctx, code)
	return err
}
