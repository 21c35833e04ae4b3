package delivery_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// follower is a client that polls on from its cursor and never looks back.
type follower struct {
	org    exchange.OrgID
	cursor int64
	seen   map[int64]string // date_added → STIX id
}

// poll takes pages until nothing more follows. It reports what no client may
// ever meet: a page that goes back, or stands still.
func (f *follower) poll(w *servertest.World, limit int) error {
	for {
		es, more, err := w.X.Delivery.Manifest(w.T.Context(), w.Machine(f.org), testkit.Program, delivery.Query{After: f.cursor, Limit: limit})
		if exchange.KindOf(err) == exchange.NotFound {
			return nil // no member at present
		}
		if err != nil {
			return err
		}
		for _, e := range es {
			if e.Added <= f.cursor {
				return fmt.Errorf("%s: %s has date_added %d after %d", f.org, e.ID, e.Added, f.cursor)
			}
			f.cursor = e.Added
			f.seen[e.Added] = e.ID
		}
		if !more {
			return nil
		}
	}
}

// everything is the organisation's whole view: STIX id → date_added; ok is
// false while it has none.
func everything(w *servertest.World, org exchange.OrgID) (all map[string]int64, ok bool) {
	w.T.Helper()
	all = map[string]int64{}
	dates := map[int64]bool{}
	for q := (delivery.Query{Limit: 1000}); ; {
		es, more, err := w.X.Delivery.Manifest(w.T.Context(), w.Machine(org), testkit.Program, q)
		if exchange.KindOf(err) == exchange.NotFound {
			return nil, false
		}
		if err != nil {
			w.T.Fatal(err)
		}
		for _, e := range es {
			if _, twice := all[e.ID]; twice || dates[e.Added] || e.Added <= q.After {
				w.T.Fatalf("%s: %s at %d stands twice, or out of order", org, e.ID, e.Added)
			}
			all[e.ID], dates[e.Added], q.After = e.Added, true, e.Added
		}
		if !more {
			return all, true
		}
	}
}

// mover is a random history of one program: members that come, go, and change
// cohorts, releases that open, and clients that poll.
type mover struct {
	*servertest.World
	rand     *rand.Rand
	orgs     []exchange.OrgID
	clients  map[exchange.OrgID]*follower
	views    map[exchange.OrgID]map[string]int64 // as last observed
	latest   map[exchange.OrgID]int64            // the highest date_added ever given to it
	releases []exchange.ReleaseID
	log      []string
}

func (m *mover) note(format string, args ...any) {
	m.log = append(m.log, m.Clock.Now().Format("01-02 15:04:05 ")+fmt.Sprintf(format, args...))
}

func (m *mover) fail(format string, args ...any) {
	m.T.Helper()
	m.T.Fatalf("%s\n%v", fmt.Sprintf(format, args...), m.log)
}

// step does one thing.
func (m *mover) step() {
	m.T.Helper()
	m.Clock.Advance(time.Duration(1+m.rand.IntN(8*3600)) * time.Second)
	org := m.orgs[m.rand.IntN(len(m.orgs))]
	switch n := m.rand.IntN(20); {
	case n < 7:
		m.reshape(org)
	case n < 8:
		m.leave(org)
	case n < 9:
		m.suspend(org)
	case n < 13:
		m.release()
	case n < 14 && len(m.releases) > 0:
		m.disturb()
	default:
		m.note("%s polls", org)
		if err := m.clients[org].poll(m.World, 1+m.rand.IntN(7)); err != nil {
			m.fail("%v", err)
		}
	}
}

// reshape changes what an organisation is, and with it the cohort.
func (m *mover) reshape(org exchange.OrgID) {
	o, err := m.X.Members.Organisation(m.T.Context(), m.Admin, org)
	if err != nil {
		m.fail("%v", err)
	}
	o.Products = [][]string{{"edr"}, {"av"}, {"ids", "av"}, {"validation"}}[m.rand.IntN(4)]
	o.Kind = []string{"security-vendor", "security-vendor", "cert"}[m.rand.IntN(3)]
	o.Jurisdictions = [][]string{{"DE"}, {"DE"}, {"XA"}}[m.rand.IntN(3)]
	_, err = m.X.Members.ChangeOrganisation(m.T.Context(), m.Admin, o, 0)
	m.note("%s becomes %s %v in %v: %v", org, o.Kind, o.Products, o.Jurisdictions, err)
	if err != nil && exchange.KindOf(err) != exchange.Conflict { // a cohort that is full
		m.fail("%v", err)
	}
}

func (m *mover) leave(org exchange.OrgID) {
	if _, err := m.X.Members.Leave(m.T.Context(), m.Operator, testkit.Program, org, "for a while"); err != nil {
		m.fail("%v", err)
	}
	m.views[org] = nil // what comes back enters the view anew
	m.Clock.Advance(time.Duration(m.rand.IntN(3600)+1) * time.Second)
	_, err := m.X.Members.Join(m.T.Context(), m.Operator, testkit.Program, org)
	m.note("%s leaves and joins again: %v", org, err)
	if err != nil && exchange.KindOf(err) != exchange.Conflict {
		m.fail("%v", err)
	}
}

func (m *mover) suspend(org exchange.OrgID) {
	now, err := m.X.Members.Member(m.T.Context(), m.Operator, testkit.Program, org)
	if err != nil {
		m.fail("%v", err)
	}
	switch now.State {
	case exchange.MemberActive:
		_, err = m.X.Members.SuspendMember(m.T.Context(), m.Operator, testkit.Program, org, "a question")
	case exchange.MemberSuspended:
		_, err = m.X.Members.ResumeMember(m.T.Context(), m.Operator, testkit.Program, org)
	}
	m.note("%s suspended or resumed: %v", org, err)
	if err != nil {
		m.fail("%v", err)
	}
}

func (m *mover) release() {
	t0 := m.Clock.Now().Add(time.Duration(m.rand.IntN(10*24)-24) * time.Hour)
	r := m.Draft(fmt.Sprintf("Case %d", len(m.releases)), t0)
	for i := range 1 + m.rand.IntN(2) {
		m.Submit(r.ID, exchange.DetectionGuidance, fmt.Sprintf("g%d.json", i), servertest.Bundle(1+m.rand.IntN(4), m.rand.Uint64()))
	}
	m.Submit(r.ID, exchange.Summary, "s.json", servertest.Bundle(1, m.rand.Uint64()), servertest.Label(exchange.TLPClear))
	m.Arm(r.ID)
	m.releases = append(m.releases, r.ID)
	m.note("release %d for %s", len(m.releases)-1, t0.Format("01-02 15:04"))
}

// disturb changes the plan of a release, where its state permits it.
func (m *mover) disturb() {
	id := m.releases[m.rand.IntN(len(m.releases))]
	c := release.Change{Reason: "a test"}
	var err error
	switch m.rand.IntN(3) {
	case 0:
		cohort := []exchange.CohortID{"validate", "early", "standard", "at-release"}[m.rand.IntN(4)]
		_, err = m.X.Releases.Push(m.T.Context(), m.Operator, id, exchange.Audience{Cohort: cohort}, time.Time{}, c)
	case 1:
		_, err = m.X.Releases.Move(m.T.Context(), m.Operator, id, m.Clock.Now().Add(time.Duration(m.rand.IntN(96))*time.Hour), c)
	case 2:
		_, err = m.X.Releases.Withdraw(m.T.Context(), m.Operator, id, c)
	}
	m.note("release %s is disturbed: %v", id, err)
	if err != nil && exchange.KindOf(err) != exchange.Conflict {
		m.fail("%v", err)
	}
}

// observe checks what holds between two moments: what stayed in a view kept
// its date, and what came into it came after everything given before.
func (m *mover) observe() {
	m.T.Helper()
	for _, org := range m.orgs {
		now, ok := everything(m.World, org)
		if !ok {
			continue // no view: nothing can be polled either
		}
		latest := m.latest[org]
		for id, added := range now {
			switch before, was := m.views[org][id]; {
			case was && before != added:
				m.fail("%s: %s moved from %d to %d while it stood in the view", org, id, before, added)
			case !was && added <= m.latest[org] && m.views[org] != nil:
				m.fail("%s: %s entered the view at %d, after %d had been given", org, id, added, m.latest[org])
			}
			latest = max(latest, added)
		}
		m.views[org], m.latest[org] = now, latest
	}
}

// Members move between cohorts, leave and come back, while waves open and plans
// change. A client that polls on from its cursor has in the end seen everything
// that it may see, under the dates that a fresh client is told.
func TestAMovingMemberMissesNothing(t *testing.T) {
	moved, regranted := 0, 0
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &mover{
				World: servertest.New(t), rand: rand.New(rand.NewPCG(seed, 1)),
				orgs:    []exchange.OrgID{servertest.EarlyA, servertest.EarlyB, servertest.Standard, servertest.Compelled, servertest.Late},
				clients: map[exchange.OrgID]*follower{}, views: map[exchange.OrgID]map[string]int64{}, latest: map[exchange.OrgID]int64{},
			}
			for _, org := range m.orgs {
				m.clients[org] = &follower{org: org, seen: map[int64]string{}}
			}
			for range 60 {
				m.step()
				m.observe()
			}
			m.Clock.Advance(30 * 24 * time.Hour)
			m.observe()
			for _, org := range m.orgs {
				f := m.clients[org]
				if err := f.poll(m.World, 5); err != nil {
					t.Fatal(err)
				}
				all, ok := everything(m.World, org)
				for id, added := range all {
					if f.seen[added] != id {
						m.fail("%s: the client missed %s, dated %d", org, id, added)
					}
				}
				if ok && len(all) > 0 {
					moved++
				}
				if len(f.seen) > len(slices.Compact(slices.Sorted(maps.Values(f.seen)))) {
					regranted++
				}
			}
		})
	}
	if moved < 15 || regranted == 0 {
		t.Errorf("%d views, %d with something given again: the histories tell little", moved, regranted)
	}
}

// Clients poll while waves open and members move at the same time. None loses
// an object, and none is given one twice.
func TestPollingWhileWavesOpen(t *testing.T) {
	w := servertest.New(t)
	orgs := []exchange.OrgID{servertest.Validator, servertest.EarlyA, servertest.EarlyB, servertest.Standard, servertest.Compelled}
	clients := make([]*follower, len(orgs))
	var done atomic.Bool
	var wg sync.WaitGroup
	for i, org := range orgs {
		clients[i] = &follower{org: org, seen: map[int64]string{}}
		wg.Go(func() {
			for !done.Load() {
				if err := clients[i].poll(w, 1+i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	const releases, objects = 25, 4
	for n := range releases {
		r := w.Draft(fmt.Sprintf("Case %d", n), w.Clock.Now().Add(time.Minute))
		w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Bundle(objects, uint64(n)+1))
		w.Arm(r.ID)
		if n%5 == 4 { // one of them goes to another cohort, and loses nothing by it
			o, err := w.X.Members.Organisation(t.Context(), w.Admin, servertest.EarlyB)
			if err != nil {
				t.Fatal(err)
			}
			o.Products = [][]string{{"ids"}, {"av"}}[n/5%2]
			if _, err := w.X.Members.ChangeOrganisation(t.Context(), w.Admin, o, 0); err != nil {
				t.Fatal(err)
			}
		}
		w.Clock.Advance(time.Duration(n) * time.Millisecond)
	}
	done.Store(true)
	wg.Wait()
	for _, f := range clients {
		if err := f.poll(w, 100); err != nil {
			t.Fatal(err)
		}
		if n := len(f.seen); n != releases*objects {
			t.Errorf("%s was given %d objects, want %d", f.org, n, releases*objects)
		}
		all, _ := everything(w, f.org)
		for id, added := range all {
			if f.seen[added] != id {
				t.Errorf("%s missed %s", f.org, id)
			}
		}
		if len(all) != releases*objects {
			t.Errorf("%s sees %d objects", f.org, len(all))
		}
	}
}
