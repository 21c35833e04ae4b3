package connection_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/connection"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// opened is a world in which the early cohort was given a bundle.
func opened(t *testing.T) *servertest.World {
	t.Helper()
	w := servertest.New(t)
	r := w.Draft("Three flaws", testkit.Start.AddDate(0, 0, 2))
	w.Package(r.ID, 250)
	w.Arm(r.ID)
	w.Clock.Set(testkit.Start.AddDate(0, 0, 1).Add(12 * time.Hour))
	if err := w.X.Releases.OpenDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func add(t *testing.T, w *servertest.World, a exchange.Actor, n connection.Wanted) connection.Added {
	t.Helper()
	n.Client = "curl"
	c, err := w.X.Connections.Add(t.Context(), a, n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// get asks as the connection's machine.
func get(t *testing.T, url string, c connection.Added, path string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/taxii2/api/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(string(c.Token), c.Secret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

func show(t *testing.T, w *servertest.World, a exchange.Actor, id connection.ID) (connection.Shown, []connection.PollError) {
	t.Helper()
	c, errs, err := w.X.Connections.Show(t.Context(), a, id)
	if err != nil {
		t.Fatal(err)
	}
	return c, errs
}

// TestPolls adds a connection, polls with it over HTTP, and reads what became
// known, also after a restart.
func TestPolls(t *testing.T) {
	data := t.TempDir()
	w := servertest.NewIn(t, data)
	r := w.Draft("Three flaws", testkit.Start.AddDate(0, 0, 2))
	w.Package(r.ID, 250)
	w.Arm(r.ID)
	w.Clock.Set(testkit.Start.AddDate(0, 0, 1).Add(12 * time.Hour))
	url, reader := w.Serve(), w.Reader(servertest.EarlyA)
	c := add(t, w, reader, connection.Wanted{Name: "siem", Program: testkit.Program, TTL: 10 * 24 * time.Hour})
	if !slices.Equal(c.Scope.Verbs, []exchange.Verb{exchange.VerbRead}) || !c.Scope.Machine || c.Scope.Program != testkit.Program || c.Block.Client.ID != "curl" {
		t.Errorf("%+v", c.Scope)
	}
	for _, want := range []string{c.Secret, url + "/taxii2/api/collections/" + delivery.CollectionID(testkit.Program) + "/objects/", string(c.ID)} {
		if !strings.Contains(c.Block.Text, want) {
			t.Errorf("the block lacks %q:\n%s", want, c.Block.Text)
		}
	}
	path := "collections/" + string(testkit.Program) + "/objects/"
	status, head, body := get(t, url, c, path)
	var env struct {
		More    bool              `json:"more"`
		Next    string            `json:"next"`
		Objects []json.RawMessage `json:"objects"`
	}
	if err := json.Unmarshal([]byte(body), &env); err != nil || status != http.StatusOK || !env.More || len(env.Objects) != 100 {
		t.Fatal(status, err, len(env.Objects))
	}
	if status, _, _ := get(t, url, c, path+"?next="+env.Next); status != http.StatusOK {
		t.Fatal(status)
	}
	w.Clock.Advance(time.Minute)
	status, refused, _ := get(t, url, c, path+"?match[size]=1")
	if status != http.StatusBadRequest {
		t.Error(status)
	}
	status, _, _ = get(t, url, c, "collections/hidden/objects/")
	if status != http.StatusNotFound {
		t.Error(status)
	}
	got, errs := show(t, w, reader, c.ID)
	last, err := time.Parse(time.RFC3339Nano, head.Get("X-TAXII-Date-Added-Last"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Polls != 2 || got.Objects != 200 || got.LastObjects != 200 || !got.LastAfter.Equal(last) || !got.LastCursor.After(last) || got.LastStatus != http.StatusNotFound {
		t.Errorf("%+v", got.Stats)
	}
	if len(errs) != 2 || errs[0].Status != 404 || errs[1].Request != refused.Get("X-Request-Id") || errs[1].Request == "" || !strings.Contains(errs[1].Problem, "match field") {
		t.Errorf("%+v", errs)
	}
	if len(got.Warnings) != 1 || got.Warnings[0].Kind != connection.WarnExpires {
		t.Errorf("%v", got.Warnings)
	}
	if status, _, _ = get(t, url, c, path+"?limit=1"); status != http.StatusOK {
		t.Error(status) // noted at the end alone
	}

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = servertest.Open(t, data, w.Clock)
	again, errs := show(t, w, reader, c.ID)
	if again.Polls != 3 || again.Objects != 201 || len(errs) != 2 {
		t.Errorf("after a restart: %+v, %d errors", again.Stats, len(errs))
	}
}

// TestLoopOverHTTP lets a client loop against the real server.
func TestLoopOverHTTP(t *testing.T) {
	w := opened(t)
	url, reader := w.Serve(), w.Reader(servertest.EarlyA)
	good, bad := add(t, w, reader, connection.Wanted{Name: "good"}), add(t, w, reader, connection.Wanted{Name: "bad"})
	for range 5 {
		get(t, url, bad, "collections/"+string(testkit.Program)+"/objects/?added_after=2020-01-01T00:00:00Z&match[type]=indicator")
		get(t, url, good, "collections/"+string(testkit.Program)+"/objects/?added_after=2030-01-01T00:00:00Z")
		w.Clock.Advance(time.Second)
	}
	if c, _ := show(t, w, reader, good.ID); len(c.Warnings) != 0 {
		t.Errorf("good: %v", c.Warnings)
	}
	if c, _ := show(t, w, reader, bad.ID); len(c.Warnings) == 0 || c.Warnings[0].Kind != connection.WarnLoops {
		t.Errorf("bad: %v", c.Warnings)
	}
	// Six kinds of objects, one after the other, is no loop.
	each := add(t, w, reader, connection.Wanted{Name: "each"})
	for _, typ := range []string{"indicator", "malware", "identity", "relationship", "vulnerability", "attack-pattern"} {
		get(t, url, each, "collections/"+string(testkit.Program)+"/objects/?match[type]="+typ)
	}
	if c, _ := show(t, w, reader, each.ID); len(c.Warnings) != 0 {
		t.Errorf("each: %v", c.Warnings)
	}
}

// TestTest polls as connections of each kind, and reads why there is nothing.
func TestTest(t *testing.T) {
	w := opened(t)
	test := func(org exchange.OrgID) connection.Result {
		t.Helper()
		c := add(t, w, w.Reader(org), connection.Wanted{})
		r, err := w.X.Connections.Test(t.Context(), w.Reader(org), c.ID)
		if err != nil {
			t.Fatal(org, err)
		}
		if r.Why == "" && len(r.Collections) != 1 {
			t.Fatalf("%s: %+v", org, r)
		}
		return r
	}
	served := func() int {
		t.Helper()
		es, err := w.Events(exchange.EventPageServed)
		if err != nil {
			t.Fatal(err)
		}
		return len(es)
	}
	before := served()
	got := test(servertest.EarlyA).Collections[0]
	if len(got.Objects) != 3 || !got.More || got.Why != "" || !got.Cursor.Equal(got.Objects[2].Added) || got.ID != delivery.CollectionID(testkit.Program) {
		t.Errorf("%+v", got)
	}
	for _, o := range got.Objects {
		if !strings.HasPrefix(o.ID, o.Type+"--") || o.Added.IsZero() || o.TLP != exchange.TLPAmberStrict {
			t.Errorf("%+v", o)
		}
	}
	if served() != before+1 {
		t.Error("what a test poll shows was not recorded as given")
	}
	if es, err := w.Events(exchange.EventConnectionTested); err != nil || len(es) != 1 || es[0].Person != w.Reader(servertest.EarlyA).Person {
		t.Errorf("%v %v", es, err)
	}
	// Nothing is withheld more visibly than nothing is there.
	late, elsewhere := test(servertest.Late).Collections[0], ""
	if elsewhere = late.Why; len(late.Objects) > 0 || !strings.Contains(elsewhere, "nothing for you yet") {
		t.Errorf("%+v", late)
	}
	if got := test(servertest.Unsigned).Collections[0]; len(got.Objects) > 0 || !strings.Contains(got.Why, "agreement is not accepted") {
		t.Errorf("%+v", got)
	}
	if served() != before+1 {
		t.Error("nothing was given, and it was recorded")
	}
	if _, err := w.X.Members.SuspendMember(t.Context(), w.Operator, testkit.Program, servertest.EarlyB, "r"); err != nil {
		t.Fatal(err)
	}
	if got := test(servertest.EarlyB).Collections[0]; !strings.Contains(got.Why, "membership is suspended") {
		t.Errorf("%+v", got)
	}

	reader := w.Reader(servertest.EarlyA)
	c := add(t, w, reader, connection.Wanted{TTL: 24 * time.Hour})
	w.Clock.Advance(25 * time.Hour)
	r, err := w.X.Connections.Test(t.Context(), reader, c.ID)
	if err != nil || !strings.Contains(r.Why, "expired") || len(r.Collections) > 0 {
		t.Errorf("%+v %v", r, err)
	}
	c = add(t, w, reader, connection.Wanted{})
	if err := w.X.Members.RevokeToken(t.Context(), reader, c.Token); err != nil {
		t.Fatal(err)
	}
	r, err = w.X.Connections.Test(t.Context(), reader, c.ID)
	if err != nil || !strings.Contains(r.Why, "revoked") || len(r.Collections) > 0 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestWhoMay asks for one connection as everybody.
func TestWhoMay(t *testing.T) {
	w := opened(t)
	owner := w.Reader(servertest.EarlyA)
	c := add(t, w, owner, connection.Wanted{Program: testkit.Program})
	colleague := testkit.Person(servertest.EarlyA, "colleague", exchange.RoleAnalyst)
	added, err := w.X.Members.AddPerson(t.Context(), exchange.System(), colleague)
	if err != nil {
		t.Fatal(err)
	}
	narrow := func(f func(*exchange.Actor)) exchange.Actor {
		a := owner
		a.Token, a.Verbs = "fw_narrow", []exchange.Verb{exchange.VerbOperate}
		f(&a)
		return a
	}
	const ok, missing, denied = exchange.Kind(""), exchange.NotFound, exchange.Denied
	for _, row := range []struct {
		name               string
		a                  exchange.Actor
		show, test, remove exchange.Kind
	}{
		{"another member", w.Reader(servertest.EarlyB), missing, missing, missing},
		{"nobody's machine of another", w.Machine(servertest.EarlyB), missing, missing, missing},
		{"an outsider", w.Reader(servertest.Outsider), missing, missing, missing},
		{"nobody", exchange.Actor{Channel: exchange.ChannelPublic}, missing, missing, missing},
		{"an auditor of the owner", w.Auditor, missing, missing, missing},
		{"an approver of the owner", w.ApproverA, missing, missing, missing},
		{"a colleague", testkit.Actor(added), missing, missing, missing},
		{"a token for green only", narrow(func(a *exchange.Actor) { a.Ceiling = exchange.TLPGreen }), ok, denied, ok},
		{"a token for another program", narrow(func(a *exchange.Actor) { a.Program = "other" }), ok, denied, ok},
		{"the administrator", w.Admin, ok, denied, ok},
		{"the owner", owner, ok, ok, ok},
	} {
		ctx := context.WithoutCancel(t.Context())
		_, _, err := w.X.Connections.Show(ctx, row.a, c.ID)
		if exchange.KindOf(err) != row.show {
			t.Errorf("%s sees it: %v, want %q", row.name, err, row.show)
		}
		r, err := w.X.Connections.Test(ctx, row.a, c.ID)
		if exchange.KindOf(err) != row.test || row.test != ok && len(r.Collections) > 0 {
			t.Errorf("%s tests it: %v, want %q", row.name, err, row.test)
		}
		list, err := w.X.Connections.List(ctx, row.a, servertest.EarlyA)
		if sees := err == nil && len(list) == 1; sees != (row.show == ok) {
			t.Errorf("%s lists it: %v %v", row.name, list, err)
		}
		if row.remove == missing {
			_, _, unknown := w.X.Connections.Show(ctx, row.a, "con_aaaaaaaaaaaaaaaa")
			err := w.X.Connections.Remove(ctx, row.a, c.ID)
			if exchange.KindOf(err) != missing || err.Error() != unknown.Error() {
				t.Errorf("%s removes it: %v, and what does not exist: %v", row.name, err, unknown)
			}
		}
	}
	if err := w.X.Connections.Remove(t.Context(), owner, c.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.X.Connections.Show(t.Context(), owner, c.ID); exchange.KindOf(err) != missing {
		t.Errorf("a removed connection: %v", err)
	}
	if status, _, _ := get(t, w.Serve(), c, "collections/"); status != http.StatusUnauthorized {
		t.Errorf("its token answers %d", status)
	}
	for kind, n := range map[exchange.EventKind]int{exchange.EventConnectionAdded: 1, exchange.EventConnectionRemoved: 1, exchange.EventTokenIssued: 1, exchange.EventTokenRevoked: 1} {
		es, err := w.Events(kind)
		if err != nil || len(es) != n {
			t.Errorf("%s: %d events, want %d; %v", kind, len(es), n, err)
		}
		for _, e := range es {
			if strings.Contains(string(e.Body), c.Secret[16:]) {
				t.Errorf("%s holds the secret", kind)
			}
		}
	}
}

// TestFlushBesidePolls loses no poll while others are written down.
func TestFlushBesidePolls(t *testing.T) {
	w := servertest.New(t)
	reader := w.Reader(servertest.EarlyA)
	const machines, polls = 4, 200
	var ids []connection.ID
	var all sync.WaitGroup
	for range machines {
		c := add(t, w, reader, connection.Wanted{})
		ids = append(ids, c.ID)
		all.Go(func() {
			for i := range polls {
				w.X.Connections.Observe(t.Context(), connection.Poll{Token: c.Token, Status: 200, After: int64(i), Objects: 2, Last: int64(i + 1)})
			}
		})
	}
	done := make(chan struct{})
	var flushes sync.WaitGroup
	for range 2 {
		flushes.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := w.X.Connections.Flush(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	close(done)
	flushes.Wait()
	for _, id := range ids {
		if c, _ := show(t, w, reader, id); c.Polls != polls || c.Objects != 2*polls {
			t.Errorf("%d polls, %d objects", c.Polls, c.Objects)
		}
	}
	// A store that cannot be written to keeps what is to be written.
	over, cancel := context.WithCancel(t.Context())
	cancel()
	c, _ := show(t, w, reader, ids[0])
	w.X.Connections.Observe(t.Context(), connection.Poll{Token: c.Token, Status: 200, Objects: 5, Last: 9})
	if err := w.X.Connections.Flush(over); err == nil {
		t.Error("written down with a context that has ended")
	}
	if c, _ = show(t, w, reader, ids[0]); c.Polls != polls+1 || c.Objects != 2*polls+5 {
		t.Errorf("after a failure: %d polls, %d objects", c.Polls, c.Objects)
	}
}

// TestRefused leaves nothing behind.
func TestRefused(t *testing.T) {
	w := servertest.New(t)
	for _, row := range []struct {
		name string
		a    exchange.Actor
		n    connection.Wanted
		want exchange.Kind
	}{
		{"an unknown client", w.Reader(servertest.EarlyA), connection.Wanted{Client: "netscape"}, exchange.Invalid},
		{"a client that cannot write", w.Reader(servertest.EarlyA), connection.Wanted{Client: "sentinel", Write: true}, exchange.Invalid},
		{"a program that does not exist", w.Reader(servertest.EarlyA), connection.Wanted{Client: "curl", Program: "nothing"}, exchange.Invalid},
		{"too long", w.Reader(servertest.EarlyA), connection.Wanted{Client: "curl", TTL: 366 * 24 * time.Hour}, exchange.Invalid},
		{"an organisation without programs", w.Reader(servertest.Outsider), connection.Wanted{Client: "curl"}, exchange.Conflict},
		{"for somebody elsewhere", w.Reader(servertest.EarlyA), connection.Wanted{Client: "curl", Person: w.Reader(servertest.EarlyB).Person}, exchange.NotFound},
		{"for nobody", w.Reader(servertest.EarlyA), connection.Wanted{Client: "curl", Person: "per_nobody"}, exchange.NotFound},
		{"a machine that only reads", w.Machine(servertest.EarlyA), connection.Wanted{Client: "curl"}, exchange.Denied},
		{"nobody", exchange.Actor{Channel: exchange.ChannelPublic}, connection.Wanted{Client: "curl"}, exchange.NotFound},
	} {
		c, err := w.X.Connections.Add(t.Context(), row.a, row.n)
		if exchange.KindOf(err) != row.want || c.Secret != "" {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
	for _, kind := range []exchange.EventKind{exchange.EventTokenIssued, exchange.EventConnectionAdded} {
		if es, err := w.Events(kind); err != nil || len(es) != 0 {
			t.Errorf("%s: %d events, %v", kind, len(es), err)
		}
	}
}

// TestDropBox: settings hold no address at which every poll would be refused,
// unless the machine is to write there.
func TestDropBox(t *testing.T) {
	w := servertest.New(t)
	const late exchange.CohortID = "at-release"
	c := testkit.Charter()
	c.Rules = slices.DeleteFunc(c.Rules, func(r exchange.PlanRule) bool { return r.Cohort == late })
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{late}, To: []exchange.CohortID{"early"}}
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}
	a := w.Reader(servertest.Late)
	if _, err := w.X.Connections.Add(t.Context(), a, connection.Wanted{Client: "curl"}); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("a connection that can do nothing: %v", err)
	}
	ts, err := w.X.Members.Tokens(t.Context(), a, servertest.Late)
	if err != nil || slices.ContainsFunc(ts, func(t exchange.Token) bool { return t.Name == "curl" && t.RevokedAt.IsZero() }) {
		t.Errorf("a token was left: %v %v", ts, err)
	}
	id := delivery.CollectionID(testkit.Program)
	writes, err := w.X.Connections.Add(t.Context(), a, connection.Wanted{Client: "misp", Write: true})
	if err != nil || !strings.Contains(writes.Block.Text, id) {
		t.Error("the collection into which it writes is missing", err)
	}
	if reads := add(t, w, w.Reader(servertest.EarlyA), connection.Wanted{}); !strings.Contains(reads.Block.Text, id) {
		t.Error("who reads what others write is not connected")
	}
	r, err := w.X.Connections.Test(t.Context(), a, writes.ID)
	if err != nil || len(r.Collections) != 1 || !strings.Contains(r.Collections[0].Why, "drop box") {
		t.Errorf("%+v, %v", r, err)
	}
}
