package lookup_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/lookup"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/format/observable"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/internal/valueindex"
)

// bundle is a STIX bundle of indicators, one for each pattern, in a version.
func bundle(seed uint64, version int, patterns ...string) io.Reader {
	return marked(seed, version, "", patterns...)
}

func marked(seed uint64, version int, mark string, patterns ...string) io.Reader {
	var b strings.Builder
	fmt.Fprintf(&b, `{"type":"bundle","id":"%s","objects":[`, stixtest.ID("bundle", seed, -version))
	for i, p := range patterns {
		if i > 0 {
			b.WriteByte(',')
		}
		refs := ""
		if mark != "" {
			refs = `,"object_marking_refs":["` + mark + `"]`
		}
		fmt.Fprintf(&b, `{"type":"indicator","spec_version":"2.1","id":"%s","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-%02dT00:00:00.000Z",`+
			`"name":"Indicator %d","pattern":"%s","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","indicator_types":["malicious-activity"]%s}`,
			stixtest.ID("indicator", seed, i), version, i, p, refs)
	}
	b.WriteString("]}\n")
	return strings.NewReader(b.String())
}

func ask(t testing.TB, w *servertest.World, a exchange.Actor, values ...string) *lookup.Answer {
	t.Helper()
	got, err := w.X.Lookup.Ask(t.Context(), a, values)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// lines is an answer as text, without what differs from run to run.
func lines(a *lookup.Answer) (out []string) {
	for _, k := range a.Known {
		for _, m := range k.Matches {
			out = append(out, fmt.Sprint(k.Index, " ", m.How, " ", m.Value, " ", m.Object.ID))
		}
	}
	return out
}

var asked = []string{"evil[.]example", "192.0.2.7", "SUB.evil.example", "192.0.2.0/28", "unknown.example"}

// What one wave gives, look-ups tell those to whom it was given, from that
// moment on, and nobody else.
func TestByReader(t *testing.T) {
	w := servertest.New(t)
	t0 := w.Clock.Now().Add(20 * 24 * time.Hour)
	r := w.Draft("Look up", t0)
	w.Submit(r.ID, exchange.DetectionGuidance, "g.json", bundle(5, 1, "[domain-name:value = 'evil.example']", "[ipv4-addr:value = '192.0.2.7']"))
	readers := map[string]exchange.Actor{
		"operator": w.Operator, "approver": w.ApproverA, "auditor": w.Auditor, "admin": w.Admin, "anonymous": exchange.Public(),
		"outsider": w.Reader(servertest.Outsider), "unsigned": w.Reader(servertest.Unsigned),
		"early": w.Reader(servertest.EarlyA), "early machine": w.Machine(servertest.EarlyA), "client": w.Reader(servertest.Client),
		"standard": w.Reader(servertest.Standard), "late": w.Reader(servertest.Late),
	}
	all := []string{
		"0 exact evil.example " + stixtest.ID("indicator", 5, 0), "1 exact 192.0.2.7 " + stixtest.ID("indicator", 5, 1),
		"2 parent evil.example " + stixtest.ID("indicator", 5, 0), "3 within 192.0.2.7 " + stixtest.ID("indicator", 5, 1),
	}
	check := func(when string, known ...string) {
		t.Helper()
		for name, a := range readers {
			got := ask(t, w, a, asked...)
			var want []string
			if slices.Contains(known, name) {
				want = all
			}
			if d := cmp.Diff(want, lines(got)); d != "" {
				t.Errorf("%s, %s: %s", when, name, d)
			}
			if !got.Complete || got.Next != len(asked) {
				t.Errorf("%s, %s: %+v", when, name, got)
			}
			// Withheld is as if there were nothing.
			if d := cmp.Diff(ask(t, w, a, "nothing.example"), ask(t, w, a, "evil.example")); want == nil && d != "" {
				t.Errorf("%s, %s: withheld differs from absent: %s", when, name, d)
			}
		}
	}
	check("as a draft", "operator", "approver")
	w.Arm(r.ID)
	check("before every wave", "operator", "approver")
	reaches := func(org exchange.OrgID) time.Time {
		at := w.Clock.Now()
		for ; at.Before(t0.Add(time.Hour)); at = at.Add(4 * time.Hour) {
			w.Clock.Set(at)
			if len(ask(t, w, w.Reader(org), "evil.example").Known) > 0 {
				return at
			}
		}
		t.Fatalf("%s never knows", org)
		return at
	}
	early := reaches(servertest.EarlyA)
	check("after the first wave", "operator", "approver", "early", "early machine")
	if standard := reaches(servertest.Standard); !standard.After(early) {
		t.Errorf("standard knows at %v, early at %v", standard, early)
	}
	suspend(t, w, servertest.EarlyA)
	if got := ask(t, w, w.Reader(servertest.EarlyA), asked...); len(got.Known) > 0 {
		t.Errorf("a suspended member is told %v", lines(got))
	}
	if _, err := w.X.Releases.Withdraw(t.Context(), w.Operator, r.ID, release.Change{Reason: "it was wrong"}); err != nil {
		t.Fatal(err)
	}
	check("withdrawn")
}

func suspend(t *testing.T, w *servertest.World, org exchange.OrgID) {
	t.Helper()
	if _, err := w.X.Members.SuspendMember(t.Context(), w.Operator, testkit.Program, org, "left"); err != nil {
		t.Fatal(err)
	}
}

// What is told is recorded as delivered, once for all; what is not told is not.
func TestRecorded(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Recorded", w.Clock.Now().Add(20*24*time.Hour))
	art := w.Submit(r.ID, exchange.DetectionGuidance, "g.json", bundle(6, 1, "[domain-name:value = 'evil.example']"))
	w.Arm(r.ID)
	count := func() (n int) {
		es, err := w.Events(exchange.EventObjectServed)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			if text := string(e.Body); strings.Contains(text, string(art.ID)) && strings.Contains(text, `"d_lookup":true`) && !strings.Contains(text, "evil.example") {
				n++
			}
		}
		return n
	}
	reader := w.Reader(servertest.EarlyA)
	ask(t, w, reader, "evil.example")
	if n := count(); n != 0 {
		t.Errorf("%d deliveries of what was withheld", n)
	}
	w.Clock.Set(r.Plan.T0)
	ask(t, w, reader, "evil.example", "sub.evil.example", "other.example")
	if n := count(); n != 1 {
		t.Errorf("%d deliveries are recorded, want 1", n)
	}
	ask(t, w, reader, "other.example")
	if n := count(); n != 1 {
		t.Errorf("%d deliveries after a look-up that told nothing", n)
	}
}

// A newer version takes the place of an older one for those who may see it.
func TestNewest(t *testing.T) {
	w := servertest.New(t)
	t0 := w.Clock.Now().Add(20 * 24 * time.Hour)
	old := w.Draft("Old", t0)
	w.Submit(old.ID, exchange.DetectionGuidance, "g.json", bundle(7, 1, "[domain-name:value = 'mistaken.example']"))
	w.Arm(old.ID)
	later := w.Draft("New", t0.Add(20*24*time.Hour))
	w.Submit(later.ID, exchange.DetectionGuidance, "g.json", bundle(7, 2, "[domain-name:value = 'evil.example']"))
	w.Arm(later.ID)
	reader := w.Reader(servertest.EarlyA)
	known := func() (out []int) {
		for _, k := range ask(t, w, reader, "mistaken.example", "evil.example").Known {
			out = append(out, k.Index)
		}
		return out
	}
	w.Clock.Set(t0)
	if d := cmp.Diff([]int{0}, known()); d != "" {
		t.Error("while the newer version is withheld:", d)
	}
	w.Clock.Set(t0.Add(20 * 24 * time.Hour))
	if d := cmp.Diff([]int{1}, known()); d != "" {
		t.Error("once it is given:", d)
	}
}

func TestFaults(t *testing.T) {
	w := servertest.New(t)
	got := ask(t, w, w.Operator, "", "evil.example", strings.Repeat("x", 5000), "a\xff")
	var at []int
	for _, f := range got.Faults {
		at = append(at, f.Index)
	}
	if d := cmp.Diff([]int{0, 2, 3}, at); d != "" {
		t.Error(d)
	}
	if _, err := w.X.Lookup.Ask(t.Context(), w.Operator, make([]string, lookup.MaxValues+1)); exchange.KindOf(err) != exchange.Exhausted {
		t.Errorf("too many values: %v", err)
	}
}

// Every look-up answers what a search through all that the reader is given
// answers, for every kind of reader at random moments.
func TestAsASearchThroughAll(t *testing.T) {
	w := servertest.New(t)
	r := rand.New(rand.NewPCG(11, 5))
	start := w.Clock.Now()
	value := func() (typ, s string) {
		switch r.IntN(4) {
		case 0:
			return "ipv4-addr", fmt.Sprintf("10.0.%d.%d", r.IntN(3), r.IntN(6))
		case 1:
			return "ipv4-addr", fmt.Sprintf("10.0.%d.0/%d", r.IntN(3), 22+r.IntN(8))
		case 2:
			return "domain-name", strings.Repeat("s.", r.IntN(3)) + fmt.Sprintf("d%d.example", r.IntN(12))
		}
		return "url", fmt.Sprintf("http://d%d.example/%d", r.IntN(12), r.IntN(3))
	}
	marks := []string{"", "", "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", servertest.Unresolved}
	var ids []string
	for n := range 12 {
		rel := w.Draft(fmt.Sprint("Release ", n), start.Add(time.Duration(10+r.IntN(30))*24*time.Hour))
		for k := range 2 {
			var patterns []string
			for range 6 {
				typ, s := value()
				patterns = append(patterns, fmt.Sprintf("[%s:value = '%s']", typ, s))
			}
			seed := uint64(100 + r.IntN(16)) // the same identifiers come again, as other versions
			class := []exchange.ContentClass{exchange.DetectionGuidance, exchange.PoC}[k]
			w.Submit(rel.ID, class, fmt.Sprintf("g%d.json", k), marked(seed, 1+n*2+k, marks[r.IntN(len(marks))], patterns...))
			for i := range patterns {
				ids = append(ids, stixtest.ID("indicator", seed, i))
			}
		}
		if n%4 != 3 {
			w.Arm(rel.ID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	readers := []exchange.Actor{w.Operator, w.Auditor, exchange.Public()}
	for _, m := range append([]exchange.OrgID{servertest.Outsider}, servertest.Members...) {
		readers = append(readers, w.Reader(m), w.Machine(m))
	}
	told := 0
	for step := range 12 {
		w.Clock.Set(start.Add(time.Duration(step*4) * 24 * time.Hour))
		for _, a := range readers {
			var values []string
			for range 25 {
				_, s := value()
				values = append(values, s)
			}
			want := brute(t, w, a, ids, values)
			got := lines(ask(t, w, a, values...))
			slices.Sort(got)
			told += len(want)
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("step %d, %s %s: %s", step, a.Org, a.Channel, d)
			}
		}
	}
	if told < 1000 {
		t.Errorf("only %d matches were compared", told)
	}
}

// brute is what a look-up should answer: each object that Object gives, through
// an index of its values alone.
func brute(t *testing.T, w *servertest.World, a exchange.Actor, ids, values []string) (out []string) {
	t.Helper()
	x := observable.NewExtractor()
	best := map[string]valueindex.How{}
	text := map[string]string{}
	for _, id := range ids {
		o, err := w.X.Delivery.Object(t.Context(), a, testkit.Program, id)
		if exchange.KindOf(err) == exchange.NotFound {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		vs, err := x.Extract(o.Raw)
		if err != nil {
			t.Fatal(err)
		}
		one := valueindex.New(1 << 20)
		for _, v := range vs {
			if err := one.Add(v, o.Object.Seq, o.Object.Class); err != nil {
				t.Fatal(err)
			}
		}
		for i, s := range values {
			v, err := observable.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			found, _ := one.Find(v, nil)
			for _, m := range found {
				one.Groups(m, func(valueindex.Group) {
					key := fmt.Sprint(i, " ", id)
					if how, known := best[key]; !known || m.How < how {
						best[key], text[key] = m.How, one.Text(m)
					}
				})
			}
		}
	}
	for key, how := range best {
		var i int
		var id string
		if _, err := fmt.Sscan(key, &i, &id); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(i, " ", how, " ", text[key], " ", id))
	}
	slices.Sort(out)
	return out
}

// Look-ups run while submissions come in; what was acknowledged is found.
func TestGrowsWhileAsked(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Grows", w.Clock.Now().Add(20*24*time.Hour))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					if _, err := w.X.Lookup.Ask(t.Context(), w.Operator, []string{"d3.example", "10.0.0.0/8"}); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for i := range 12 {
		w.Submit(r.ID, exchange.DetectionGuidance, fmt.Sprintf("g%d.json", i), bundle(uint64(200+i), 1, fmt.Sprintf("[domain-name:value = 'd%d.example']", i)))
		if got := ask(t, w, w.Operator, fmt.Sprintf("d%d.example", i)); len(got.Known) != 1 || !got.Complete {
			t.Errorf("%d: %+v", i, got)
		}
	}
	close(done)
	wg.Wait()
}

// What a member wrote is told without a release, which does not exist for its readers.
func TestWritten(t *testing.T) {
	w := servertest.New(t)
	c := testkit.Charter()
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early"}, To: []exchange.CohortID{"early"}}
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}
	a := w.Machine(servertest.EarlyA)
	a.Verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
	if st, err := w.X.Contributions.Add(t.Context(), a, testkit.Program, bundle(7, 1, "[domain-name:value = 'written.example']")); err != nil || st.Success != 1 {
		t.Fatal(st, err)
	}
	got := ask(t, w, w.Reader(servertest.EarlyB), "written.example")
	if len(got.Known) != 1 || len(got.Known[0].Matches) != 1 {
		t.Fatalf("%+v", got)
	}
	if o := got.Known[0].Matches[0].Object; o.Release != "" || o.Title == "" || o.Artifact == "" {
		t.Errorf("%+v", o)
	}
	if got := ask(t, w, w.Reader(servertest.Standard), "written.example"); len(got.Known) > 0 {
		t.Errorf("another cohort is told: %+v", got)
	}
}
