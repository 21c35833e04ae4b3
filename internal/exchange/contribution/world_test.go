package contribution_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

const (
	early    exchange.CohortID = "early"
	standard exchange.CohortID = "standard"
	validate exchange.CohortID = "validate"
	late     exchange.CohortID = "at-release"
)

// world is an exchange whose program takes contributions.
type world struct{ *servertest.World }

func newWorld(t testing.TB, from, to []exchange.CohortID) world {
	t.Helper()
	w := world{servertest.New(t)}
	w.charter(func(c *exchange.Charter) { c.Contributions = exchange.Contributions{From: from, To: to} })
	return w
}

// charter changes the program's charter.
func (w world) charter(change func(*exchange.Charter)) {
	w.T.Helper()
	c := testkit.Charter()
	change(&c)
	if _, err := w.X.Programs.Apply(w.T.Context(), w.Operator, c.TOML(), false); err != nil {
		w.T.Fatal(err)
	}
}

// writer is a service account that reads and writes.
func (w world) writer(id exchange.OrgID) exchange.Actor {
	a := w.Machine(id)
	a.Verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
	return a
}

// sensor is a service account that only writes.
func (w world) sensor(id exchange.OrgID) exchange.Actor {
	a := w.Machine(id)
	a.Verbs = []exchange.Verb{exchange.VerbSubmit}
	return a
}

func (w world) add(a exchange.Actor, objects ...string) (contribution.Status, error) {
	w.T.Helper()
	return w.X.Contributions.Add(w.T.Context(), a, testkit.Program, strings.NewReader(envelope(objects...)))
}

// must adds and expects counts.
func (w world) must(a exchange.Actor, success, failure int, objects ...string) contribution.Status {
	w.T.Helper()
	st, err := w.add(a, objects...)
	if err != nil {
		w.T.Fatalf("adding: %v", err)
	}
	if st.Success != success || st.Failure != failure || st.Pending != 0 || !st.Complete || st.Total != success+failure ||
		len(st.Successes) != success || len(st.Failures) != failure {
		w.T.Fatalf("%d taken and %d refused, want %d and %d: %+v", st.Success, st.Failure, success, failure, st)
	}
	return st
}

func envelope(objects ...string) string {
	return `{"more":false,"objects":[` + strings.Join(objects, ",") + `]}`
}

// indicator is one version of an object.
func indicator(n int, version time.Time, extra string) string {
	return fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":%q,`+
		`"name":"Indicator %d","pattern":"[domain-name:value = 'n%d.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z",`+
		`"indicator_types":["malicious-activity"]%s}`, id(n), version.Format("2006-01-02T15:04:05.000Z"), n, n, extra)
}

func id(n int) string { return stixtest.ID("indicator", 99, n) }

var v1 = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)

func v(n int) time.Time { return v1.Add(time.Duration(n-1) * time.Hour) }

// read is all that an actor's collection shows, latest versions, as bytes.
func (w world) read(a exchange.Actor) []string {
	w.T.Helper()
	out, err := w.pages(a, delivery.Query{Limit: 7})
	if exchange.KindOf(err) == exchange.NotFound {
		return nil
	}
	if err != nil {
		w.T.Fatal(err)
	}
	return out
}

func (w world) pages(a exchange.Actor, q delivery.Query) (out []string, err error) {
	w.T.Helper()
	for {
		p, err := w.X.Delivery.Page(w.T.Context(), a, testkit.Program, q)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := p.WriteObjects(&b); err != nil {
			return nil, err
		}
		out = append(out, split(b.String())...)
		if len(p.Entries) == 0 {
			return out, nil
		}
		q.After = p.Entries[len(p.Entries)-1].Added
		if !p.More {
			return out, nil
		}
	}
}

// split takes the objects of a page apart, bytes as they are.
func split(page string) (out []string) {
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte("["+page+"]"), &raw); err != nil {
		return []string{"no JSON: " + page}
	}
	for _, r := range raw {
		out = append(out, string(r))
	}
	return out
}

func same(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %d objects, want %d:\n%s\nwant\n%s", what, len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func kind(t testing.TB, what string, err error, want exchange.Kind) {
	t.Helper()
	if exchange.KindOf(err) != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}
