package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// event is one server-sent event as a client reads it (HTML §9.2.6).
type event struct {
	kind, id, data string
}

// events is an open stream.
type events struct {
	t      *testing.T
	res    *http.Response
	in     *bufio.Reader
	cancel context.CancelFunc
	lastID string
}

func (c caller) stream(query, lastID string) *events {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", c.url+"/api/v1/programs/"+string(testkit.Program)+"/stream"+query, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Accept", "text/event-stream")
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		cancel()
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { cancel(); res.Body.Close() })
	return &events{t: c.t, res: res, in: bufio.NewReader(res.Body), cancel: cancel, lastID: lastID}
}

// next reads one block: an event, or what only sets the id, or a comment.
func (s *events) next() (e event, err error) {
	var data []string
	id := s.lastID
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return event{}, err // a block that was cut is none
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			s.lastID = id
			e.id, e.data = id, strings.Join(data, "\n")
			return e, nil
		case name == "event":
			e.kind = value
		case name == "id":
			id = value
		case name == "data":
			data = append(data, value)
		}
	}
}

// added reads blocks until the next event.
func (s *events) added() event {
	s.t.Helper()
	for {
		e, err := s.next()
		if err != nil {
			s.t.Fatalf("the stream ended: %v", err)
		}
		if e.data != "" {
			return e
		}
	}
}

// ended reports whether the stream ends without a further event.
func (s *events) ended() bool {
	for {
		e, err := s.next()
		if err != nil {
			return true
		}
		if e.data != "" {
			return false
		}
	}
}

// open with a pulse that beats.
func openLive(t *testing.T) *desk {
	d := open(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.X.Pulse.Run(ctx) }()
	t.Cleanup(func() { d.X.Pulse.Close(); stop(); <-done })
	return d
}

// give hands in n objects that the cohort early has at once.
func (d *desk) give(title string, n int, seed uint64) {
	r := d.Draft(title, testkit.Start.Add(time.Hour))
	d.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", servertest.Bundle(n, seed), func(*submission.Input) {})
	d.Arm(r.ID)
}

func TestStream(t *testing.T) {
	d := openLive(t)
	s := d.as(t, servertest.EarlyA).stream("", "")
	if got := s.res.Header.Get("Content-Type"); s.res.StatusCode != 200 || got != "text/event-stream" || s.res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d, %v", s.res.StatusCode, s.res.Header)
	}
	if _, err := s.next(); err != nil || s.lastID == "" {
		t.Fatalf("the first block gives no id: %v", err)
	}
	start := s.lastID
	d.give("secret-title", 20, 3)
	e := s.added()
	var data struct {
		Collection, Last string
		AddedAfter       string `json:"added_after"`
		Count            int
		Objects          []json.RawMessage
	}
	if err := json.Unmarshal([]byte(e.data), &data); err != nil {
		t.Fatal(err)
	}
	if e.kind != "added" || data.Count != 20 || data.AddedAfter != start || data.Last != e.id ||
		data.Collection != delivery.CollectionID(testkit.Program) || data.Objects != nil {
		t.Errorf("%+v", e)
	}
	if strings.Contains(e.data, "secret-title") || strings.Contains(e.data, "indicator") {
		t.Errorf("it says more than that something is there: %s", e.data)
	}
	// Who comes back with the first id is told again, with the last one not.
	if again := d.as(t, servertest.EarlyA).stream("", start).added(); again.data != e.data {
		t.Errorf("resumed: %s, want %s", again.data, e.data)
	}
	if again := d.as(t, servertest.EarlyA).stream("?added_after="+start, "").added(); again.data != e.data {
		t.Errorf("with added_after: %s, want %s", again.data, e.data)
	}
	late := d.as(t, servertest.EarlyA).stream("?objects=1", e.id)
	d.give("more", 3, 4)
	e = late.added()
	if err := json.Unmarshal([]byte(e.data), &data); err != nil || data.Count != 3 || len(data.Objects) != 3 {
		t.Errorf("%v %s", err, e.data)
	}
}

// Whatever breaks off and whoever writes meanwhile: every object comes once, in
// the order of pages.
func TestStreamResumes(t *testing.T) {
	d := openLive(t)
	c := d.as(t, servertest.EarlyA)
	const rounds, writers, each = 6, 2, 9
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				d.give(fmt.Sprint("w", w, " ", i), each, uint64(1000+w*100+i))
			}
		})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var got []string
	after := testkit.Start.Add(-time.Hour).Format(time.RFC3339)
	for last := ""; len(got) < rounds*writers*each; {
		s := c.stream("?objects=1&added_after="+after, last)
		if s.res.StatusCode == http.StatusTooManyRequests { // those that broke off are still being noticed
			s.cancel()
			time.Sleep(10 * time.Millisecond)
			continue
		}
		for range 1 + rng.IntN(3) {
			e, err := s.next()
			if err != nil {
				t.Fatal(err)
			}
			if e.data == "" {
				continue
			}
			var data struct{ Objects []struct{ ID string } }
			if err := json.Unmarshal([]byte(e.data), &data); err != nil {
				t.Fatal(err)
			}
			for _, o := range data.Objects {
				got = append(got, o.ID)
			}
			if len(got) >= rounds*writers*each {
				break
			}
		}
		last = s.lastID
		s.cancel()
		if len(got) == 0 && last == "" {
			t.Fatal("no id")
		}
	}
	wg.Wait()
	page, err := d.X.Delivery.Page(t.Context(), d.Machine(servertest.EarlyA), testkit.Program, delivery.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	_ = page.WriteObjects(&b)
	var all []struct{ ID string }
	if err := json.Unmarshal([]byte("["+b.String()+"]"), &all); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, o := range all {
		want = append(want, o.ID)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// lasting has a token that outlives the days until a wave.
func (d *desk) lasting(t *testing.T, org exchange.OrgID) caller {
	t.Helper()
	secret, _, err := d.X.Members.IssueToken(t.Context(), exchange.System(), membership.TokenRequest{
		Person: d.Reader(org).Person, Name: "lasting", Verbs: []exchange.Verb{exchange.VerbRead}, TTL: 90 * 24 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return caller{t, d.url, secret, &d.keys}
}

// A stream gives nothing before the wave, and ends with the credential.
func TestStreamUnderEmbargo(t *testing.T) {
	d := openLive(t)
	late, early := d.lasting(t, servertest.Standard).stream("", ""), d.lasting(t, servertest.EarlyA).stream("", "")
	t0 := testkit.Start.AddDate(0, 0, 30)
	r := d.Draft("One", t0)
	d.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", servertest.Bundle(5, 1))
	d.Arm(r.ID)
	view, err := d.X.Releases.Read(t.Context(), d.Operator, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	var at time.Time
	for _, w := range view.Waves {
		if w.Audience.Cohort == "early" {
			at = w.At
		}
	}
	d.Clock.Set(at)
	if err := d.X.Releases.OpenDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := early.added(); !strings.Contains(e.data, `"count":5`) {
		t.Errorf("at the wave: %s", e.data)
	}
	if _, err := d.X.Members.SuspendMember(t.Context(), d.Operator, testkit.Program, servertest.Standard, "a test"); err != nil {
		t.Fatal(err)
	}
	if !late.ended() {
		t.Error("a suspended member's stream gave something, or goes on")
	}
	if res := d.lasting(t, servertest.Standard).stream("", "").res; res.StatusCode != 404 {
		t.Errorf("suspended: %d", res.StatusCode)
	}
}

func TestStreamEnds(t *testing.T) {
	d := openLive(t)
	analyst := d.Reader(servertest.EarlyA)
	secret, tok, err := d.X.Members.IssueToken(t.Context(), exchange.System(), membership.TokenRequest{
		Person: analyst.Person, Name: "x", Verbs: []exchange.Verb{exchange.VerbRead}, TTL: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := caller{t, d.url, secret, &d.keys}
	s := c.stream("", "")
	if err := d.X.Members.RevokeToken(t.Context(), analyst, tok.ID); err != nil {
		t.Fatal(err)
	}
	if !s.ended() {
		t.Error("a revoked token's stream goes on")
	}
	other := d.as(t, servertest.EarlyA).stream("", "")
	d.X.Pulse.Close()
	if !other.ended() {
		t.Error("the server ends and the stream goes on")
	}
}

func TestStreamRefuses(t *testing.T) {
	d := openLive(t)
	c := d.as(t, servertest.EarlyA)
	path := "/programs/" + string(testkit.Program) + "/stream"
	for name, test := range map[string]struct {
		c      caller
		path   string
		header []string
		status int
	}{
		"no token":            {caller{t, d.url, "", &d.keys}, path, nil, 401},
		"a stranger":          {d.as(t, servertest.Outsider), path, nil, 404},
		"no agreement":        {d.as(t, servertest.Unsigned), path, nil, 404},
		"no such program":     {c, "/programs/none/stream", nil, 404},
		"a token that cannot": {d.as(t, servertest.EarlyA, exchange.VerbFeedback), path, nil, 404},
		"a bad id":            {c, path, []string{"Last-Event-ID", "7"}, 422},
		"a bad instant":       {c, path + "?added_after=yesterday", nil, 422},
		"an unknown query":    {c, path + "?x=1", nil, 422},
	} {
		t.Run(name, func(t *testing.T) {
			if r := test.c.call("GET", test.path, nil, test.header...); r.status != test.status {
				t.Errorf("%d, want %d: %s", r.status, test.status, r.body)
			}
		})
	}
	for i := range 8 {
		if s := c.stream("", ""); s.res.StatusCode != 200 {
			t.Fatalf("stream %d: %d", i, s.res.StatusCode)
		}
	}
	if r := c.call("GET", path, nil); r.status != 429 || r.header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d", r.status)
	}
	if s := d.as(t, servertest.EarlyB).stream("", ""); s.res.StatusCode != 200 {
		t.Errorf("another credential: %d", s.res.StatusCode)
	}
}
