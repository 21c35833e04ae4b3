package acceptance

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// line is one line of the log that the test keeps for itself.
type line struct {
	Artifact exchange.ArtifactID
	Org      exchange.OrgID
	Client   string
	Kind     exchange.ExposureKind
	At       time.Time
}

// ledger keeps who had what when, from what readers were given, and answers the
// questions of AT-10 and AT-13 by going through it.
type ledger struct {
	w      *servertest.World
	of     map[string]exchange.ArtifactID // of each object
	lines  []line
	given  map[string]bool
	random *rand.Rand
}

func (l *ledger) note(a exchange.ArtifactID, org exchange.OrgID, client string, k exchange.ExposureKind) {
	key := fmt.Sprint(a, org, client, k)
	if !l.given[key] {
		l.given[key] = true
		l.lines = append(l.lines, line{a, org, client, k, l.w.Clock.Now()})
	}
}

// had notes that a reader came near to artifacts. Whoever was given something
// was offered it at the latest then.
func (l *ledger) had(a exchange.Actor, k exchange.ExposureKind, artifacts ...exchange.ArtifactID) {
	for _, id := range artifacts {
		l.note(id, a.Org, "", exchange.ExposureOffered)
		l.note(id, a.Org, a.Client(), k)
	}
}

// read does one random thing as a reader.
func (l *ledger) read(a exchange.Actor, artifacts []exchange.Artifact) {
	w, t := l.w, l.w.T
	t.Helper()
	ctx := t.Context()
	art := artifacts[l.random.IntN(len(artifacts))]
	switch l.random.IntN(5) {
	case 0:
		p, ok, err := hidden(w.X.Delivery.Page(ctx, a, testkit.Program, delivery.Query{Limit: 1 + l.random.IntN(6), Types: [][]string{nil, {"indicator"}, {"identity"}}[l.random.IntN(3)]}))
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		es, _, err := w.X.Delivery.Manifest(ctx, a, testkit.Program, delivery.Query{Limit: 1000}) // names, which disclose no content
		if err != nil {
			t.Fatal(err)
		}
		names := map[int64]string{}
		for _, e := range es {
			names[e.Added] = e.ID
		}
		for _, e := range p.Entries {
			l.had(a, exchange.ExposureServed, l.of[names[e.Added]])
		}
	case 1:
		for id, from := range l.of {
			if from == art.ID {
				if _, ok, err := hidden(w.X.Delivery.Object(ctx, a, testkit.Program, id)); err != nil {
					t.Fatal(err)
				} else if ok {
					l.had(a, exchange.ExposureServed, from)
				}
				return
			}
		}
	case 2:
		c, ok, err := hidden(w.X.Delivery.Content(ctx, a, art.ID))
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			_, _ = io.Copy(io.Discard, io.NewSectionReader(c, 0, c.Size()))
			c.Close()
			l.had(a, exchange.ExposureDownloaded, art.ID)
		}
	case 3:
		if _, ok, err := hidden(w.X.Delivery.Artifact(ctx, a, art.ID)); err != nil {
			t.Fatal(err)
		} else if ok && a.Channel == exchange.ChannelWeb {
			l.had(a, exchange.ExposureOpened, art.ID)
		}
	case 4:
		m, ok, err := hidden(w.X.Delivery.Release(ctx, a, art.Release))
		if err != nil {
			t.Fatal(err)
		}
		if ok && a.Channel == exchange.ChannelWeb {
			for _, i := range m.Items {
				l.had(a, exchange.ExposureOpened, i.Artifact.ID)
			}
		}
	}
}

// history is a release on its way, read by many in random order.
func history(t *testing.T) (*ledger, exchange.Release, []exchange.Artifact) {
	w := servertest.New(t)
	l := &ledger{w: w, of: map[string]exchange.ArtifactID{}, given: map[string]bool{}, random: rand.New(rand.NewPCG(10, 13))}
	r := w.Draft("Spooler", t0)
	var artifacts []exchange.Artifact
	for n := range 3 {
		a := w.Submit(r.ID, exchange.DetectionGuidance, fmt.Sprintf("g%d.json", n), servertest.Marked(uint64(n)+1, "", "", ""))
		for i := range 3 {
			l.of[servertest.MarkedID(uint64(n)+1, i)] = a.ID
		}
		artifacts = append(artifacts, a)
	}
	_, poc, summary := w.Package(r.ID, 1)
	v, err := w.X.Releases.Read(t.Context(), w.Operator, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	one := v.Artifacts[3] // the guidance of Package: one object, an identity
	l.of[stixtest.ID("identity", uint64(len(r.ID))+1, 0)] = one.ID
	artifacts = append(artifacts, one, poc, summary)
	w.Arm(r.ID)
	var readers []exchange.Actor
	for _, org := range []exchange.OrgID{servertest.Validator, servertest.EarlyA, servertest.EarlyB, servertest.Standard, servertest.Compelled, servertest.Late, servertest.Client, servertest.Unsigned} {
		readers = append(readers, w.Reader(org), w.Machine(org))
		more := w.Machine(org)
		more.Token += "-2"
		readers = append(readers, more)
	}
	// What the plan gives whom, by hand: whose cohort it is, under the agreement.
	strict := []exchange.ArtifactID{artifacts[0].ID, artifacts[1].ID, artifacts[2].ID, one.ID}
	waves := []struct {
		at   time.Time
		orgs []exchange.OrgID
		what []exchange.ArtifactID
	}{
		{july(1, 16), []exchange.OrgID{servertest.Validator}, strict},
		{july(12, 16), []exchange.OrgID{servertest.EarlyA, servertest.EarlyB}, append(slices.Clone(strict), poc.ID)},
		{july(14, 16), []exchange.OrgID{servertest.Standard, servertest.Compelled}, strict},
		{t0, []exchange.OrgID{servertest.Validator, servertest.EarlyA, servertest.EarlyB, servertest.Standard, servertest.Compelled, servertest.Late, servertest.Client}, []exchange.ArtifactID{summary.ID}},
	}
	w.Clock.Set(july(1, 0))
	for range 1500 {
		at := w.Clock.Now().Add(time.Duration(1+l.random.IntN(2600)) * time.Second)
		if len(waves) > 0 && !waves[0].at.After(at) {
			at = waves[0].at
		}
		w.Clock.Set(at)
		if len(waves) > 0 && waves[0].at.Equal(at) {
			for _, org := range waves[0].orgs {
				for _, a := range waves[0].what {
					l.note(a, org, "", exchange.ExposureOffered)
				}
			}
			waves = waves[1:]
			if err := w.X.Releases.OpenDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		l.read(readers[l.random.IntN(len(readers))], artifacts)
	}
	if len(waves) > 0 {
		t.Fatalf("%d waves did not open until %v", len(waves), w.Clock.Now())
	}
	return l, r, artifacts
}

func ordered(ls []line) []line {
	slices.SortFunc(ls, func(a, b line) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Artifact, b.Artifact), cmp.Compare(a.Org, b.Org), cmp.Compare(a.Client, b.Client), cmp.Compare(a.Kind, b.Kind))
	})
	return ls
}

// AT-10: who had which artifact when, asked for any instant, is what the test
// noted for itself at the time. AT-13: for any elements that leak, and any
// moment of the leak, the suspects are exactly those who had all of them before.
func TestAT10_TheExposureRecordEqualsAnIndependentLog(t *testing.T) {
	l, r, artifacts := history(t)
	w := l.w
	end := w.Clock.Now()
	kinds := map[exchange.ExposureKind]int{}
	for n := range 60 {
		at := july(1, 0).Add(time.Duration(l.random.Int64N(int64(end.Sub(july(1, 0))))))
		switch n {
		case 0:
			at = end
		case 1:
			at = july(12, 16)
		case 2:
			at = july(12, 16).Add(-time.Microsecond)
		}
		var want []line
		for _, one := range l.lines {
			if !one.At.After(at) {
				want = append(want, one)
				kinds[one.Kind]++
			}
		}
		es, err := w.X.Record.Exposure(t.Context(), w.Auditor, record.ExposureFilter{Release: r.ID, Until: at})
		if err != nil {
			t.Fatal(err)
		}
		var got []line
		for _, e := range es {
			got = append(got, line{e.Artifact, e.Org, e.Client, e.Kind, e.At})
			if e.Event == 0 {
				t.Errorf("no event behind %+v", e)
			}
		}
		if diff := gocmp.Diff(ordered(want), ordered(got)); diff != "" {
			t.Fatalf("at %v (-log +record):\n%s", at, diff)
		}
	}
	for _, k := range []exchange.ExposureKind{exchange.ExposureOffered, exchange.ExposureServed, exchange.ExposureDownloaded, exchange.ExposureOpened} {
		if kinds[k] == 0 {
			t.Errorf("nobody came so near as %s: the history tells little", k)
		}
	}
	for _, a := range []exchange.Actor{w.Reader(servertest.EarlyA), w.Machine(servertest.EarlyA), w.Admin, exchange.Public(), w.Reader(servertest.Outsider)} {
		if _, err := w.X.Record.Exposure(t.Context(), a, record.ExposureFilter{Release: r.ID}); exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("%s reads the record: %v", a.Name, err)
		}
	}
	t.Run("AT13", func(t *testing.T) { suspects(t, l, r, artifacts) })
}

func suspects(t *testing.T, l *ledger, r exchange.Release, artifacts []exchange.Artifact) {
	sizes := map[int]int{}
	for range 300 {
		leak := record.Leak{Release: r.ID, Offered: l.random.IntN(4) == 0, Before: july(1, 0).Add(time.Duration(l.random.Int64N(int64(20 * 24 * time.Hour))))}
		for _, n := range l.random.Perm(len(artifacts))[:1+l.random.IntN(3)] {
			leak.Artifacts = append(leak.Artifacts, artifacts[n].ID)
		}
		if l.random.IntN(5) == 0 && len(l.lines) > 0 { // at the very instant of an exposure: not before it
			leak.Before = l.lines[l.random.IntN(len(l.lines))].At
		}
		var want []exchange.OrgID
		for _, org := range servertest.Members {
			all := true
			for _, a := range leak.Artifacts {
				all = all && slices.ContainsFunc(l.lines, func(one line) bool {
					return one.Artifact == a && one.Org == org && one.At.Before(leak.Before) && (leak.Offered || one.Kind != exchange.ExposureOffered)
				})
			}
			if all {
				want = append(want, org)
			}
		}
		slices.Sort(want)
		got, err := l.w.X.Record.Suspects(t.Context(), l.w.Operator, leak)
		if err != nil {
			t.Fatal(err)
		}
		var orgs []exchange.OrgID
		for _, s := range got {
			orgs = append(orgs, s.Org)
		}
		if !slices.Equal(orgs, want) {
			t.Fatalf("%+v: %v, want %v", leak, orgs, want)
		}
		sizes[len(want)]++
	}
	if len(sizes) < 3 || sizes[0] == 300 {
		t.Errorf("sizes of the suspect sets: %v", sizes)
	}
}
