package contribution_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/blob"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

type blobs struct{ *blob.Dir }

func (b blobs) Open(name string) (contribution.Blob, error) { return b.Dir.Open(name) }

// room is the room anew over the world's stores, with other numbers.
func (w world) room(c contribution.Config) *contribution.Service {
	if c.Store == nil {
		c.Store = sqlstore.For[contribution.Tx](w.DB)
	}
	c.Blobs, c.Shows = blobs{w.Blobs}, w.X.Delivery.Shows
	return contribution.New(c)
}

func indicators(from, to int) (out []string) {
	for i := from; i <= to; i++ {
		out = append(out, indicator(i, v(1), ""))
	}
	return out
}

// settled runs the room until the request is worked off.
func settled(t *testing.T, s *contribution.Service, a exchange.Actor, id contribution.StatusID) contribution.Status {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	defer func() { stop(); <-done }()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		st, err := s.Status(t.Context(), a, id)
		if err != nil {
			t.Fatal(err)
		}
		if st.Complete {
			return st
		}
	}
	t.Fatal("it is not worked off")
	return contribution.Status{}
}

// A large request is answered at once and worked off later, also by a process
// that was started anew, and each object once.
func TestLater(t *testing.T) {
	w := newWorld(t, both(), both())
	a := w.writer(servertest.EarlyA)
	store := &crashing{Store: sqlstore.For[contribution.Tx](w.DB), after: -1}
	s := w.room(contribution.Config{Store: store, Later: 1000, Part: 10})
	objects := indicators(1, 45)
	body := envelope(slices.Concat(objects[:20], []string{`{"type":"tool"}`}, objects[20:], objects[:1])...)
	st, err := s.Add(t.Context(), a, testkit.Program, strings.NewReader(body))
	if err != nil || st.Complete || st.Total != 47 || st.Pending != 47 || st.Success+st.Failure != 0 {
		t.Fatalf("%+v, %v", st, err)
	}
	same(t, "nothing yet", w.read(a))
	if _, err := w.X.Submissions.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	// It breaks off in the middle of the third part.
	store.broken(2)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	for !store.isDead() {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-done
	half, err := w.X.Contributions.Status(t.Context(), a, st.ID)
	if err != nil || half.Complete || half.Success != 20 || half.Pending != 27 {
		t.Fatalf("half: %+v, %v", half, err)
	}
	same(t, "what is stored so far", w.read(a), objects[:20]...)
	full := settled(t, w.room(contribution.Config{Part: 10}), a, st.ID)
	if full.Success != 46 || full.Failure != 1 || full.Pending != 0 || full.Total != 47 || len(full.Successes) != 46 || full.Failures[0].ID != "objects[20]" {
		t.Errorf("at the end: %d %d %d %+v", full.Success, full.Failure, full.Pending, full.Failures)
	}
	same(t, "all of it", w.read(a), objects...)
	if n := len(w.Dump()["object_index"]); n != 45 {
		t.Errorf("%d ids", n)
	}
	for what, b := range map[string]exchange.Actor{"another member": w.writer(servertest.EarlyB), "no member": w.writer(servertest.Outsider), "nobody": exchange.Public()} {
		_, err := s.Status(t.Context(), b, st.ID)
		kind(t, what, err, exchange.NotFound)
	}
	if again, err := s.Status(t.Context(), w.Operator, st.ID); err != nil || again.Success != 46 {
		t.Errorf("the operator: %+v, %v", again, err)
	}
	w.Clock.Advance(49 * time.Hour)
	_, err = s.Status(t.Context(), a, st.ID)
	kind(t, "after two days", err, exchange.NotFound)
	if err := w.X.Contributions.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(w.Dump()["contribution_status"]); n != 0 {
		t.Errorf("%d statuses are kept", n)
	}
}

func TestLaterLimits(t *testing.T) {
	w := newWorld(t, both(), both())
	a := w.writer(servertest.EarlyA)
	s := w.room(contribution.Config{Later: 1000, Queue: 2, Limit: 100_000})
	add := func(body string) (contribution.Status, error) {
		return s.Add(t.Context(), a, testkit.Program, strings.NewReader(body))
	}
	for i := range 2 {
		if _, err := add(envelope(indicators(10*i, 10*i+9)...)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := add(envelope(indicators(100, 109)...))
	kind(t, "the third", err, exchange.Unavailable)
	_, err = add(envelope(indicators(100, 400)...))
	kind(t, "too large", err, exchange.Exhausted)
	_, err = add(envelope(indicators(100, 109)...) + "]")
	kind(t, "no JSON", err, exchange.Invalid)
	if _, err := add(envelope(indicators(100, 100)...)); err != nil {
		t.Errorf("a small one beside them: %v", err)
	}
	// Whoever may no longer write when its turn comes has it refused.
	var ids []contribution.StatusID
	for _, row := range w.Dump()["contribution_status"] {
		if id := strings.Trim(strings.Fields(row)[0], "'"); !strings.Contains(row, "complete") {
			ids = append(ids, contribution.StatusID(id))
		}
	}
	w.charter(func(c *exchange.Charter) { c.Contributions.From = []exchange.CohortID{standard} })
	for _, id := range ids {
		st := settled(t, s, w.Operator, id)
		if st.Total == 10 && (st.Success != 0 || st.Failure != 10 || len(st.Failures) != 1) {
			t.Errorf("%+v", st)
		}
	}
}

var errCrash = errors.New("the machine stopped here")

// crashing is a store whose transactions fail before the commit, after some
// that go through.
type crashing struct {
	contribution.Store
	mu    sync.Mutex
	after int // transactions that go through; -1: all
	dead  bool
}

func (c *crashing) broken(after int) { c.mu.Lock(); c.after = after; c.mu.Unlock() }
func (c *crashing) isDead() bool     { c.mu.Lock(); defer c.mu.Unlock(); return c.dead }

func (c *crashing) Update(ctx context.Context, fn func(contribution.Tx) error) error {
	return c.Store.Update(ctx, func(tx contribution.Tx) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.dead {
			return errCrash
		}
		err := fn(counting{tx, c})
		if err == nil && c.dead {
			err = errCrash
		}
		return err
	})
}

// counting counts transactions that append.
type counting struct {
	contribution.Tx
	c *crashing
}

func (t counting) AppendObjects(j contribution.Journal, size int64, objs []contribution.Object, to []exchange.Audience, unknown bool) error {
	t.c.dead = t.c.after == 0
	if t.c.after > 0 {
		t.c.after--
	}
	return t.Tx.AppendObjects(j, size, objs, to, unknown)
}

// Bytes that were appended before the machine stopped are not known to anyone,
// and the next request writes over them.
func TestCrashBetweenBytesAndCommit(t *testing.T) {
	w := newWorld(t, both(), both())
	a := w.writer(servertest.EarlyA)
	w.must(a, 1, 0, indicator(1, v(1), ""))
	before := w.Dump()
	store := &crashing{Store: sqlstore.For[contribution.Tx](w.DB)}
	_, err := w.room(contribution.Config{Store: store}).Add(t.Context(), a, testkit.Program, strings.NewReader(envelope(indicators(2, 20)...)))
	if !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	for table, rows := range w.Dump() {
		if !slices.Equal(rows, before[table]) {
			t.Errorf("%s has changed", table)
		}
	}
	same(t, "what is read", w.read(a), indicator(1, v(1), ""))
	w.must(a, 2, 0, indicators(30, 31)...)
	same(t, "and then", w.read(a), indicator(1, v(1), ""), indicator(30, v(1), ""), indicator(31, v(1), ""))
}

// Journals end; what is in them is read on.
func TestManyJournals(t *testing.T) {
	w := newWorld(t, both(), both())
	a := w.writer(servertest.EarlyA)
	s := w.room(contribution.Config{Positions: 5, Journal: 2000, Part: 3})
	objects := indicators(1, 23)
	for rest := objects; len(rest) > 0; rest = rest[min(4, len(rest)):] {
		if _, err := s.Add(t.Context(), a, testkit.Program, strings.NewReader(envelope(rest[:min(4, len(rest))]...))); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "all", w.read(a), objects...)
	if n := len(w.Dump()["journal"]); n < 5 {
		t.Errorf("%d journals", n)
	}
	// Other readers begin another journal: what was written stays with those who had it.
	w.charter(func(c *exchange.Charter) {
		c.Contributions = exchange.Contributions{From: both(), To: []exchange.CohortID{late}}
	})
	w.must(a, 1, 0, indicator(50, v(1), ""))
	same(t, "the old readers", w.read(w.Machine(servertest.EarlyB)), objects...)
	same(t, "the new reader", w.read(w.Machine(servertest.Late)), indicator(50, v(1), ""))
}

// Who comes into a cohort later reads what was written before, once.
func TestMoving(t *testing.T) {
	w := newWorld(t, both(), []exchange.CohortID{early, standard})
	a := w.writer(servertest.EarlyA)
	objects := indicators(1, 30)
	w.must(a, 10, 0, objects[:10]...)
	same(t, "before", w.read(w.Machine(servertest.Late)))
	become := func(product ...string) {
		t.Helper()
		w.Clock.Advance(time.Minute)
		err := sqlstore.For[testkit.Tx](w.DB).Update(t.Context(), func(tx testkit.Tx) error {
			o := testkit.Organisation(servertest.Late)
			o.Kind, o.Products, o.Revision = "cert", product, 2
			return tx.PutOrganisation(o)
		})
		if err == nil {
			_, err = w.X.Members.PlaceAll(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	become("edr")
	w.must(a, 10, 0, objects[10:20]...)
	same(t, "in the cohort", w.read(w.Machine(servertest.Late)), objects[:20]...)
	become("nothing")
	w.must(a, 5, 0, objects[20:25]...)
	same(t, "out of it", w.read(w.Machine(servertest.Late)))
	become("ids")
	same(t, "in it again", w.read(w.Machine(servertest.Late)), objects[:25]...)
	w.must(a, 5, 0, objects[25:]...)
	same(t, "and on", w.read(w.Machine(servertest.Late)), objects...)
	same(t, "who stayed", w.read(a), objects...)
}

// While members write, a reader that follows its cursor gets every object once
// and in order.
func TestPagingWhileWriting(t *testing.T) {
	w := newWorld(t, both(), both())
	const writers, envelopes, each = 4, 12, 5
	orgs := []exchange.OrgID{servertest.EarlyA, servertest.EarlyB, servertest.Standard, servertest.Compelled}
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	for n := range writers {
		wg.Go(func() {
			a := w.writer(orgs[n])
			for e := range envelopes {
				from := 1000*n + each*e
				_, err := w.X.Contributions.Add(t.Context(), a, testkit.Program, strings.NewReader(envelope(indicators(from, from+each-1)...)))
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	var got []string
	q := delivery.Query{Limit: 3}
	reader := w.Machine(servertest.EarlyB)
	for over := false; ; {
		p, err := w.X.Delivery.Page(t.Context(), reader, testkit.Program, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Entries {
			if e.Added <= q.After {
				t.Fatalf("added at %d, after %d", e.Added, q.After)
			}
			q.After = e.Added
		}
		var b strings.Builder
		if err := p.WriteObjects(&b); err != nil {
			t.Fatal(err)
		}
		got = append(got, split(b.String())...)
		if len(p.Entries) > 0 {
			continue
		}
		if over {
			break
		}
		select {
		case <-ended:
			over = true
		default:
		}
	}
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	seen := map[string]int{}
	for _, o := range got {
		seen[o]++
	}
	for n := range writers {
		for i := range envelopes * each {
			if o := indicator(1000*n+i, v(1), ""); seen[o] != 1 {
				t.Fatalf("object %d of writer %d came %d times", i, n, seen[o])
			}
		}
	}
	if len(got) != writers*envelopes*each {
		t.Errorf("%d objects", len(got))
	}
}

func TestRemove(t *testing.T) {
	w := newWorld(t, both(), both())
	ctx := t.Context()
	a, b := w.writer(servertest.EarlyA), w.writer(servertest.EarlyB)
	w.must(a, 4, 0, indicator(1, v(1), ""), indicator(1, v(2), ""), indicator(2, v(1), ""), indicator(3, v(1), ""))
	remove := func(who exchange.Actor, object string, drop func(int64, bool, bool) bool) error {
		return w.X.Contributions.Remove(ctx, who, testkit.Program, object, drop)
	}
	all := func(int64, bool, bool) bool { return true }
	newest := func(_ int64, _, newest bool) bool { return newest }
	kind(t, "another's", remove(b, id(1), all), exchange.Denied)
	kind(t, "unknown", remove(a, id(77), all), exchange.NotFound)
	kind(t, "no version of it", remove(a, id(1), func(int64, bool, bool) bool { return false }), exchange.NotFound)
	kind(t, "a token that only reads", remove(w.Machine(servertest.EarlyA), id(1), all), exchange.Denied)
	kind(t, "no member", remove(w.writer(servertest.Outsider), id(1), all), exchange.NotFound)
	if err := remove(a, id(1), newest); err != nil {
		t.Fatal(err)
	}
	same(t, "the older version is left", w.read(b), indicator(1, v(1), ""), indicator(2, v(1), ""), indicator(3, v(1), ""))
	if err := remove(a, id(2), all); err != nil {
		t.Fatal(err)
	}
	same(t, "without it", w.read(b), indicator(1, v(1), ""), indicator(3, v(1), ""))
	kind(t, "again", remove(a, id(2), all), exchange.NotFound)
	_, err := w.X.Delivery.Object(ctx, w.Operator, testkit.Program, id(2))
	kind(t, "for who runs the program", err, exchange.NotFound)
	if _, err := w.pages(b, delivery.Query{Limit: 5, IDs: []string{id(2)}}); err != nil {
		t.Error(err)
	}
	if err := remove(w.Operator, id(3), all); err != nil {
		t.Errorf("who runs the program: %v", err)
	}
	// What is gone counts as nothing: anybody may write it, and it comes anew.
	w.must(b, 1, 0, indicator(2, v(1), `,"confidence":7`))
	w.must(a, 1, 0, indicator(1, v(2), `,"confidence":7`))
	same(t, "anew", w.read(b), indicator(2, v(1), `,"confidence":7`), indicator(1, v(2), `,"confidence":7`))
	es, err := w.Events(exchange.EventContributionGone)
	if err != nil || len(es) != 3 {
		t.Errorf("%d events, %v", len(es), err)
	}
}
