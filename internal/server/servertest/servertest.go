// Package servertest gives tests a whole exchange on a real store in a
// temporary folder, with a clock that they set and a program that has every
// kind of reader. It is imported by tests only.
package servertest

import (
	"bytes"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// The members of the program, by cohort.
const (
	Validator exchange.OrgID = "val-one"   // validate
	EarlyA    exchange.OrgID = "edr-a"     // early
	EarlyB    exchange.OrgID = "edr-b"     // early
	Standard  exchange.OrgID = "av-a"      // standard
	Compelled exchange.OrgID = "edr-xa"    // standard, in a jurisdiction with a duty to disclose
	Late      exchange.OrgID = "cert-a"    // at-release
	Client    exchange.OrgID = "client-a"  // reads as a client of EarlyA
	Unsigned  exchange.OrgID = "edr-new"   // early, agreement not accepted
	Outsider  exchange.OrgID = "elsewhere" // no member
)

// Members lists the organisations that take part, in the order above.
var Members = []exchange.OrgID{Validator, EarlyA, EarlyB, Standard, Compelled, Late, Client, Unsigned}

// World is an exchange with its people.
type World struct {
	*server.Server
	T         testing.TB
	Clock     *testkit.Clock
	X         *core.Exchange
	Operator  exchange.Actor // writes releases
	ApproverA exchange.Actor
	ApproverB exchange.Actor
	Auditor   exchange.Actor
	Admin     exchange.Actor
}

// AllowLoopback lets webhooks reach receivers in the test's own process.
func AllowLoopback(c *config.Config) { c.Webhooks.Allow = []string{"127.0.0.0/8", "::1/128"} }

// New opens an exchange in which the program testkit.Program runs, with one
// reader for each member.
func New(t testing.TB, change ...func(*config.Config)) *World {
	t.Helper()
	return NewIn(t, t.TempDir(), change...)
}

// NewIn is New in a folder that the test keeps: after Close, Open opens it again.
func NewIn(t testing.TB, data string, change ...func(*config.Config)) *World {
	t.Helper()
	w := Open(t, data, testkit.NewClock(), change...)
	w.fill()
	return w
}

// Open opens the exchange of a data folder, without content of its own.
func Open(t testing.TB, data string, clock *testkit.Clock, change ...func(*config.Config)) *World {
	t.Helper()
	c := config.Default()
	for _, f := range change {
		f(&c)
	}
	s, err := server.Open(t.Context(), server.Options{Data: data, Config: c, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	actor := func(name string, roles ...exchange.Role) exchange.Actor {
		return testkit.Actor(testkit.Person(testkit.Owner, name, roles...))
	}
	return &World{
		Server: s, T: t, Clock: clock, X: s.Exchange,
		Operator:  actor("operator", exchange.RoleOperator),
		ApproverA: actor("approver-a", exchange.RoleApprover),
		ApproverB: actor("approver-b", exchange.RoleApprover),
		Auditor:   actor("auditor", exchange.RoleAuditor),
		Admin:     actor("admin", exchange.RoleAdmin),
	}
}

func (w *World) fill() {
	w.T.Helper()
	kit := sqlstore.For[testkit.Tx](w.DB)
	people := []any{
		testkit.Organisation(testkit.Owner, func(o *exchange.Organisation) { o.Kind = "originator" }),
		testkit.Person(testkit.Owner, "operator", exchange.RoleOperator),
		testkit.Person(testkit.Owner, "approver-a", exchange.RoleApprover),
		testkit.Person(testkit.Owner, "approver-b", exchange.RoleApprover),
		testkit.Person(testkit.Owner, "auditor", exchange.RoleAuditor),
		testkit.Person(testkit.Owner, "admin", exchange.RoleAdmin),
		exchange.Jurisdiction{Code: "XA", Compelled: true, Within: "48h", Source: "an act of a country that does not exist", ValidFrom: testkit.Start.AddDate(-1, 0, 0)},
	}
	change := map[exchange.OrgID]func(*exchange.Organisation){
		Validator: func(o *exchange.Organisation) { o.Products = []string{"validation"} },
		EarlyA:    func(o *exchange.Organisation) { o.Products = []string{"edr"} },
		EarlyB:    func(o *exchange.Organisation) { o.Products = []string{"ids"} },
		Compelled: func(o *exchange.Organisation) { o.Products, o.Jurisdictions = []string{"edr"}, []string{"XA"} },
		Late:      func(o *exchange.Organisation) { o.Kind, o.Products = "cert", nil },
		Client:    func(o *exchange.Organisation) { o.Kind, o.Products, o.ClientOf = "operator", nil, EarlyA },
		Unsigned:  func(o *exchange.Organisation) { o.Products = []string{"edr"} },
	}
	for _, id := range append([]exchange.OrgID{Outsider}, Members...) {
		o := testkit.Organisation(id)
		if f := change[id]; f != nil {
			f(&o)
		}
		people = append(people, o, testkit.Person(id, "analyst", exchange.RoleAnalyst, exchange.RoleSignatory))
	}
	testkit.Put(w.T, kit, people...)
	if _, err := w.X.Programs.Apply(w.T.Context(), w.Operator, testkit.CharterTOML(), false); err != nil {
		w.T.Fatal(err)
	}
	for _, id := range Members {
		if _, err := w.X.Members.Join(w.T.Context(), w.Operator, testkit.Program, id); err != nil {
			w.T.Fatalf("joining %s: %v", id, err)
		}
		if id != Unsigned {
			w.Accept(id)
		}
	}
}

// Accept has the organisation accept the agreement.
func (w *World) Accept(id exchange.OrgID) {
	w.T.Helper()
	if _, err := w.X.Members.Accept(w.T.Context(), w.Reader(id), testkit.Program, 1); err != nil {
		w.T.Fatalf("%s accepting: %v", id, err)
	}
}

// Reader is the organisation's analyst in the browser.
func (w *World) Reader(id exchange.OrgID) exchange.Actor {
	return testkit.Actor(testkit.Person(id, "analyst", exchange.RoleAnalyst, exchange.RoleSignatory))
}

// Machine is a service account of the organisation on TAXII.
func (w *World) Machine(id exchange.OrgID) exchange.Actor {
	a := w.Reader(id)
	a.Channel, a.Machine, a.Token = exchange.ChannelTAXII, true, exchange.TokenID("fw_"+string(id))
	a.Roles, a.Verbs = nil, []exchange.Verb{exchange.VerbRead, exchange.VerbFeedback}
	return a
}

// Token issues a token of the organisation's analyst and returns the secret.
func (w *World) Token(id exchange.OrgID, verbs ...exchange.Verb) string {
	w.T.Helper()
	if len(verbs) == 0 {
		verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbFeedback}
	}
	name := "analyst"
	if id == testkit.Owner {
		name = "operator"
	}
	secret, _, err := w.X.Members.IssueToken(w.T.Context(), exchange.System(), membership.TokenRequest{
		Person: testkit.Person(id, name).ID, Name: fmt.Sprintf("token of %s", id), Verbs: verbs, Machine: name == "analyst", TTL: 24 * time.Hour,
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return secret
}

// Serve answers over HTTP until the test ends.
func (w *World) Serve() string {
	w.T.Helper()
	s := httptest.NewUnstartedServer(nil)
	w.SetURL("http://" + s.Listener.Addr().String())
	s.Config.Handler = w.Handler()
	s.Start()
	w.T.Cleanup(s.Close)
	return s.URL
}

// Draft creates a release with T0 at t0.
func (w *World) Draft(title string, t0 time.Time) exchange.Release {
	w.T.Helper()
	r, err := w.X.Releases.Create(w.T.Context(), w.Operator, release.Draft{Program: testkit.Program, Title: title, Message: "Read this.", T0: t0})
	if err != nil {
		w.T.Fatal(err)
	}
	return r
}

// Submit hands an artifact of the class in.
func (w *World) Submit(id exchange.ReleaseID, class exchange.ContentClass, name string, body io.Reader, change ...func(*submission.Input)) exchange.Artifact {
	w.T.Helper()
	in := submission.Input{Release: id, Class: class, Filename: name}
	for _, f := range change {
		f(&in)
	}
	receipt, err := w.X.Submissions.Submit(w.T.Context(), w.Operator, in, body)
	if err != nil {
		w.T.Fatalf("submitting %s: %v", name, err)
	}
	return receipt.Artifact
}

// Label sets the TLP label of a submission.
func Label(l exchange.TLP) func(*submission.Input) {
	return func(in *submission.Input) { in.Handling.TLP = l }
}

// Supersedes says which artifact a submission replaces.
func Supersedes(id exchange.ArtifactID) func(*submission.Input) {
	return func(in *submission.Input) { in.Supersedes = id }
}

// Bundle is a STIX bundle of n objects.
func Bundle(n int, seed uint64) io.Reader {
	var b bytes.Buffer
	if err := stixtest.Bundle(&b, n, seed, stixtest.Options{}); err != nil {
		panic(err)
	}
	return &b
}

// Package fills a release as an early-protection program does: guidance as
// STIX, a proof of concept, and a summary that will be public.
func (w *World) Package(id exchange.ReleaseID, objects int) (guidance, poc, summary exchange.Artifact) {
	w.T.Helper()
	guidance = w.Submit(id, exchange.DetectionGuidance, "guidance.json", Bundle(objects, uint64(len(id))+1))
	poc = w.Submit(id, exchange.PoC, "poc.py", strings.NewReader("print('secret-poc-"+string(id)+"')\n"))
	summary = w.Submit(id, exchange.Summary, "summary.md", strings.NewReader("# Summary of "+string(id)+"\n"), Label(exchange.TLPClear))
	return guidance, poc, summary
}

// Arm sends the release and has both approvers approve it.
func (w *World) Arm(id exchange.ReleaseID) exchange.Release {
	w.T.Helper()
	r, err := w.X.Releases.Send(w.T.Context(), w.Operator, id, 0)
	if err != nil {
		w.T.Fatalf("sending: %v", err)
	}
	for _, a := range []exchange.Actor{w.ApproverA, w.ApproverB} {
		if r.State != exchange.ReleaseWaiting {
			break
		}
		if r, err = w.X.Releases.Approve(w.T.Context(), a, id, r.Revision); err != nil {
			w.T.Fatalf("approving: %v", err)
		}
	}
	return r
}

// Events lists the recorded events of a kind, oldest first.
func (w *World) Events(kind exchange.EventKind) ([]record.Entry, error) {
	w.T.Helper()
	return w.X.Record.Events(w.T.Context(), exchange.System(), record.EventFilter{Kinds: []exchange.EventKind{kind}, Limit: 1000})
}

// View reads what a release room reads.
func (w *World) View(fn func(release.Tx) error) error {
	return sqlstore.For[release.Tx](w.DB).View(w.T.Context(), fn)
}
