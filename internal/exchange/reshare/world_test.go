package reshare_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

const (
	green = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
	red   = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
)

// world is an exchange in which early and standard members write, and early
// members and the validators read what they write.
type world struct{ *servertest.World }

func newWorld(t testing.TB, change ...func(*exchange.Charter)) world {
	t.Helper()
	w := world{servertest.New(t)}
	c := testkit.Charter()
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early", "standard"}, To: []exchange.CohortID{"early", "validate"}}
	for _, f := range change {
		f(&c)
	}
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}
	return w
}

func id(n int) string { return stixtest.ID("indicator", 99, n) }

// add has a member write an indicator with a marking.
func (w world) add(org exchange.OrgID, n int, mark string) string {
	w.T.Helper()
	a := w.Machine(org)
	a.Verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
	object := fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",`+
		`"created_by_ref":"identity--00000000-0000-4000-8000-0000000000aa",`+
		`"name":"Indicator %d","pattern":"[domain-name:value = 'n%d.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z",`+
		`"indicator_types":["malicious-activity"],"object_marking_refs":[%q]}`, id(n), n, n, mark)
	st, err := w.X.Contributions.Add(w.T.Context(), a, testkit.Program, strings.NewReader(`{"objects":[`+object+`]}`))
	if err != nil || st.Success != 1 {
		w.T.Fatalf("adding: %v %+v", err, st)
	}
	return id(n)
}

// feed is what a member's collection shows, as text.
func (w world) feed(a exchange.Actor) string {
	w.T.Helper()
	p, err := w.X.Delivery.Page(w.T.Context(), a, testkit.Program, delivery.Query{Limit: 1000})
	if exchange.KindOf(err) == exchange.NotFound {
		return ""
	}
	if err != nil {
		w.T.Fatal(err)
	}
	defer p.Close()
	var b bytes.Buffer
	if err := p.WriteObjects(&b); err != nil {
		w.T.Fatal(err)
	}
	return b.String()
}

func (w world) ask(a exchange.Actor, q reshare.Question) reshare.View {
	w.T.Helper()
	if q.Why == "" {
		q.Why = "our customer is hit"
	}
	if q.Program == "" {
		q.Program = testkit.Program
	}
	if q.Kind == "" {
		q.Kind = reshare.Reshare
	}
	v, err := w.X.Reshares.Ask(w.T.Context(), a, q)
	if err != nil {
		w.T.Fatalf("asking: %v", err)
	}
	return v
}

func (w world) answer(org exchange.OrgID, v reshare.View, in reshare.Reply) reshare.View {
	w.T.Helper()
	out, err := w.X.Reshares.Answer(w.T.Context(), w.speaker(org), v.ID, in)
	if err != nil {
		w.T.Fatalf("%s answering: %v", org, err)
	}
	return out
}

// speaker is who answers for an organisation.
func (w world) speaker(org exchange.OrgID) exchange.Actor {
	if org == testkit.Owner {
		return w.Operator
	}
	return w.Reader(org)
}

func (w world) wantKind(err error, want exchange.Kind) {
	w.T.Helper()
	if exchange.KindOf(err) != want {
		w.T.Errorf("got %v, want kind %q", err, want)
	}
}

func (w world) wantState(id reshare.ID, a exchange.Actor, want reshare.State) reshare.View {
	w.T.Helper()
	v, err := w.X.Reshares.Read(w.T.Context(), a, id)
	if err != nil {
		w.T.Fatal(err)
	}
	if v.State != want {
		w.T.Errorf("the request is %s, want %s", v.State, want)
	}
	return v
}

func (w world) count(kind exchange.EventKind) int {
	w.T.Helper()
	es, err := w.Events(kind)
	if err != nil {
		w.T.Fatal(err)
	}
	return len(es)
}

// notices are the texts that an organisation was told.
func (w world) notices(org exchange.OrgID) string {
	w.T.Helper()
	ns, err := w.X.Delivery.Notices(w.T.Context(), w.Reader(org), time.Time{}, 100)
	if err != nil {
		w.T.Fatal(err)
	}
	var all []string
	for _, n := range ns {
		all = append(all, n.Text)
	}
	return strings.Join(all, "\n")
}
