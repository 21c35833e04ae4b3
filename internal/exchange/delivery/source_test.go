package delivery_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

var pseudonym = regexp.MustCompile(`^source-[0-9a-f]{8}$`)

func mustNotName(in *submission.Input) { in.Handling.Attribution = exchange.AttributionMustNot }

// An originator that must not be named is shown under a name that stands for it:
// the same in every item, to every member; the operator sees both.
func TestUnnamedOriginators(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Case", t0)
	unnamed := w.Submit(r.ID, exchange.DetectionGuidance, "one.json", servertest.Bundle(3, 1), mustNotName)
	other := w.Submit(r.ID, exchange.DetectionGuidance, "two.json", servertest.Bundle(3, 2), mustNotName)
	named := w.Submit(r.ID, exchange.DetectionGuidance, "three.json", servertest.Bundle(3, 3))
	w.Submit(r.ID, exchange.Summary, "summary.md", strings.NewReader("# Summary\n"), servertest.Label(exchange.TLPClear), mustNotName)
	owned(t, w, other.ID, `["av-a","edr-b"]`)
	w.Arm(r.ID)
	w.Clock.Set(t0.Add(time.Second))
	shown := func(a exchange.Actor, id exchange.ArtifactID) exchange.Artifact {
		t.Helper()
		i, err := w.X.Delivery.Artifact(t.Context(), a, id)
		if err != nil {
			t.Fatal(err)
		}
		if (i.Source != "") != (a.Org == testkit.Owner && id != named.ID || id == other.ID && (a.Org == "av-a" || a.Org == "edr-b")) {
			t.Errorf("%s is told the source %q of %s", a.Org, i.Source, id)
		}
		return i.Artifact
	}
	alias := shown(w.Reader(servertest.EarlyA), unnamed.ID).Originator
	if !pseudonym.MatchString(string(alias)) {
		t.Fatalf("shown as %q", alias)
	}
	for _, org := range []exchange.OrgID{servertest.Validator, servertest.EarlyA, servertest.EarlyB, servertest.Standard} {
		for _, a := range []exchange.Actor{w.Reader(org), w.Machine(org)} {
			if got := shown(a, unnamed.ID); got.Originator != alias || got.SubmittedBy != "" {
				t.Errorf("%s sees %q, %q", org, got.Originator, got.SubmittedBy)
			}
			if got := shown(a, named.ID); got.Originator != testkit.Owner {
				t.Errorf("%s sees %q on what may be named", org, got.Originator)
			}
		}
	}
	if got := shown(w.Operator, unnamed.ID); got.Originator != testkit.Owner || got.SubmittedBy == "" {
		t.Errorf("the operator sees %q", got.Originator)
	}
	if got := shown(w.Reader(servertest.EarlyA), other.ID); got.Originator != alias || len(got.Originators) != 2 ||
		!pseudonym.MatchString(string(got.Originators[0])) || !pseudonym.MatchString(string(got.Originators[1])) {
		t.Errorf("of what was derived a member sees %v", got.Originators)
	}
	if got := shown(w.Reader(servertest.EarlyB), other.ID); len(got.Originators) != 2 || got.Originators[0] != servertest.Standard {
		t.Errorf("an originator sees %v", got.Originators)
	}
	public, err := w.X.Delivery.PublicReleases(t.Context())
	if err != nil || len(public) != 1 || public[0].Items[0].Artifact.Originator != alias {
		t.Errorf("the public sees %+v %v", public, err)
	}
	p, err := w.X.Delivery.PreviewAs(t.Context(), w.Operator, r.ID, servertest.EarlyA)
	if err != nil || p.Items[0].Artifact.Originator != alias {
		t.Errorf("a preview shows %+v %v", p.Items[0].Artifact, err)
	}
	objs, err := w.X.Delivery.Objects(t.Context(), w.Reader(servertest.EarlyA), unnamed.ID, -1, 1)
	if err != nil || len(objs) != 1 {
		t.Fatal(objs, err)
	}
	for a, want := range map[*exchange.Actor]exchange.OrgID{new(w.Reader(servertest.EarlyA)): alias, new(w.Operator): testkit.Owner} {
		o, err := w.X.Delivery.Object(t.Context(), *a, testkit.Program, objs[0].ID)
		if err != nil || o.Artifact.Originator != want || (o.Source == alias) != (want == testkit.Owner) {
			t.Errorf("beside an object %s sees %q, %q %v", a.Org, o.Artifact.Originator, o.Source, err)
		}
	}
	lookUpSource(t, w, alias)
}

func lookUpSource(t *testing.T, w *servertest.World, alias exchange.OrgID) {
	t.Helper()
	for name, c := range map[string]struct {
		a    exchange.Actor
		ask  string
		kind error
	}{
		"an auditor":     {w.Auditor, string(alias), exchange.Denied},
		"a member":       {w.Reader(servertest.EarlyA), string(alias), exchange.NotFound},
		"somebody else":  {w.Reader(servertest.Outsider), string(alias), exchange.NotFound},
		"everyone":       {exchange.Public(), string(alias), exchange.NotFound},
		"a name of none": {w.Operator, "source-00000000", exchange.NotFound},
	} {
		if org, err := w.X.Delivery.Source(t.Context(), c.a, testkit.Program, c.ask); exchange.KindOf(err) != c.kind {
			t.Errorf("%s: %q %v", name, org, err)
		}
	}
	events := func() []record.Entry {
		es, err := w.Events(exchange.EventSourceNamed)
		if err != nil {
			t.Fatal(err)
		}
		return es
	}
	if n := len(events()); n != 0 {
		t.Errorf("%d events of what was not told", n)
	}
	org, err := w.X.Delivery.Source(t.Context(), w.Operator, testkit.Program, string(alias))
	if err != nil || org != testkit.Owner {
		t.Fatal(org, err)
	}
	if es := events(); len(es) != 1 || es[0].Org != testkit.Owner || !strings.Contains(string(es[0].Body), string(alias)) {
		t.Errorf("%+v", es)
	}
}

// The name differs in each program and each exchange, and stays after a restart.
func TestSourcesAreStable(t *testing.T) {
	alias := func(w *servertest.World) exchange.OrgID {
		t.Helper()
		rs, err := w.X.Delivery.Releases(t.Context(), w.Reader(servertest.EarlyA), testkit.Program)
		if err != nil || len(rs) != 1 {
			t.Fatal(rs, err)
		}
		return rs[0].Items[0].Artifact.Originator
	}
	build := func(dir string) *servertest.World {
		w := servertest.NewIn(t, dir)
		r := w.Draft("Case", t0)
		w.Submit(r.ID, exchange.DetectionGuidance, "one.json", servertest.Bundle(3, 1), mustNotName)
		w.Arm(r.ID)
		w.Clock.Set(t0.Add(time.Second))
		return w
	}
	dir := t.TempDir()
	w := build(dir)
	first := alias(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if again := alias(servertest.Open(t, dir, w.Clock)); again != first || !pseudonym.MatchString(string(again)) {
		t.Errorf("%s, then %s", first, again)
	}
	if other := alias(build(t.TempDir())); other == first {
		t.Errorf("another exchange shows %s, too", other)
	}
}
