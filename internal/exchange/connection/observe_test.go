package connection

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

var start = time.Date(2027, 6, 1, 8, 0, 0, 0, time.UTC)

// machine is a client that polls a collection of n objects, a second apart in
// date_added, in pages of 100.
type machine struct {
	t   *testing.T
	s   *Service
	now time.Time
	n   int64
}

func newMachine(t *testing.T, n int64) *machine {
	m := &machine{t: t, now: start, n: n}
	m.s = New(Config{Now: func() time.Time { return m.now }})
	return m
}

const base = int64(1_800_000_000_000_000)

// poll asks after a cursor, as the server would answer it.
func (m *machine) poll(after int64) (last int64, more bool) {
	first := int64(0)
	if after >= base {
		first = (after-base)/1e6 + 1
	}
	p := Poll{Token: "fw_x", Status: 200, Asked: 1, After: after, Objects: int(max(0, min(100, m.n-first)))}
	p.More = first+100 < m.n
	if p.Objects > 0 {
		p.Last = base + (first+int64(p.Objects)-1)*1e6
	}
	m.s.Observe(m.t.Context(), p)
	return p.Last, p.More
}

// walk follows next to the end.
func (m *machine) walk(after int64) (last int64) {
	for last = after; ; {
		got, more := m.poll(last)
		last = max(last, got)
		if !more {
			return last
		}
		m.now = m.now.Add(time.Second)
	}
}

func (m *machine) stats() Stats {
	m.s.meters["fw_x"].mu.Lock()
	defer m.s.meters["fw_x"].mu.Unlock()
	return merge(Stats{}, m.s.meters["fw_x"].d)
}

func kinds(ws []Warning) string {
	var out []string
	for _, w := range ws {
		out = append(out, w.Kind)
	}
	return strings.Join(out, " ")
}

func (m *machine) warned() string {
	return kinds(warnings(Connection{CreatedAt: start, Stats: m.stats()}, exchange.Token{ExpiresAt: start.AddDate(1, 0, 0)}, m.now))
}

// TestBehaviours plays the clients that are known, good ones and bad ones.
func TestBehaviours(t *testing.T) {
	for _, c := range []struct {
		name, want string
		objects    int64
		play       func(m *machine)
	}{
		{"keeps the cursor and follows next", "", 1050, func(m *machine) {
			after := int64(0)
			for range 40 {
				after = m.walk(after)
				m.now = m.now.Add(5 * time.Minute)
				m.n += 7
			}
		}},
		{"asks for what is new every ten seconds, and there is nothing", "", 30, func(m *machine) {
			after := m.walk(0)
			for range 100 {
				m.poll(after)
				m.now = m.now.Add(10 * time.Second)
			}
		}},
		{"fetches everything once an hour", "", 50, func(m *machine) {
			for range 30 {
				m.walk(0)
				m.now = m.now.Add(time.Hour)
			}
		}},
		{"takes one page at a time with the cursor of the server", "", 1000, func(m *machine) {
			after := int64(0)
			for range 12 {
				if last, _ := m.poll(after); last > 0 {
					after = last
				}
				m.now = m.now.Add(5 * time.Minute)
			}
		}},
		{"began anew once, as somebody who resets it", "", 1000, func(m *machine) {
			m.poll(0)
			m.now = m.now.Add(time.Minute)
			m.walk(0)
		}},
		{"treats added_after as inclusive: the same page again and again", "loops", 30, func(m *machine) {
			for range 5 {
				m.poll(0)
				m.now = m.now.Add(time.Second)
			}
		}},
		{"cuts the cursor, and so gets the last object for ever", "loops", 30, func(m *machine) {
			last := m.walk(0)
			for range 5 {
				m.now = m.now.Add(30 * time.Second)
				m.poll(last - 500)
			}
		}},
		{"four times is no loop", "", 30, func(m *machine) {
			for range 4 {
				m.poll(0)
				m.now = m.now.Add(time.Second)
			}
		}},
		{"five times within ten minutes", "loops", 30, func(m *machine) {
			for range 5 {
				m.poll(0)
				m.now = m.now.Add(150 * time.Second)
			}
		}},
		{"five times in more than ten minutes", "", 30, func(m *machine) {
			for range 9 {
				m.poll(0)
				m.now = m.now.Add(151 * time.Second)
			}
		}},
		{"walks through many pages again and again", "loops", 3000, func(m *machine) {
			for range 6 {
				m.walk(0)
				m.now = m.now.Add(time.Second)
			}
		}},
		{"does not page and begins anew each time", "restarts", 1000, func(m *machine) {
			for range 5 {
				m.poll(0)
				m.now = m.now.Add(time.Hour)
			}
		}},
		{"takes its own clock for the cursor while more is to come", "skips", 1000, func(m *machine) {
			m.poll(0)
			m.now = m.now.Add(time.Minute)
			m.poll(base + 900*1e6)
		}},
		{"takes its own clock for the cursor when there is no more", "", 50, func(m *machine) {
			m.poll(0)
			m.now = m.now.Add(time.Minute)
			m.poll(base + 900*1e6)
		}},
		{"stops polling", "stalls", 30, func(m *machine) {
			after := m.walk(0)
			for range 5 {
				m.now = m.now.Add(5 * time.Minute)
				m.poll(after)
			}
			m.now = m.now.Add(61 * time.Minute)
		}},
		{"polls daily and is not late yet", "", 30, func(m *machine) {
			after := m.walk(0)
			for range 5 {
				m.now = m.now.Add(24 * time.Hour)
				m.poll(after)
			}
			m.now = m.now.Add(71 * time.Hour)
		}},
		{"polls daily and is late", "stalls", 30, func(m *machine) {
			after := m.walk(0)
			for range 5 {
				m.now = m.now.Add(24 * time.Hour)
				m.poll(after)
			}
			m.now = m.now.Add(73 * time.Hour)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, c.objects)
			c.play(m)
			if got := m.warned(); got != c.want {
				t.Errorf("warnings %q, want %q; %+v", got, c.want, m.stats())
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	valid := exchange.Token{ExpiresAt: start.AddDate(0, 3, 0)}
	for _, c := range []struct {
		name, want string
		stats      Stats
		token      exchange.Token
		after      time.Duration
	}{
		{"new", "", Stats{}, valid, 59 * time.Minute},
		{"never polled", "never-polled", Stats{}, valid, time.Hour},
		{"expires in 15 days", "", Stats{LastAt: start}, exchange.Token{ExpiresAt: start.AddDate(0, 0, 15)}, time.Minute},
		{"expires in 14 days", "expires", Stats{LastAt: start}, exchange.Token{ExpiresAt: start.AddDate(0, 0, 14)}, 0},
		{"expired", "expired", Stats{LoopAt: start}, exchange.Token{ExpiresAt: start}, 0},
		{"revoked", "revoked", Stats{}, exchange.Token{ExpiresAt: start, RevokedAt: start}, 48 * time.Hour},
		{"looped the day before yesterday", "", Stats{LastAt: start.Add(48 * time.Hour), LoopAt: start}, valid, 48 * time.Hour},
	} {
		got := warnings(Connection{CreatedAt: start, Stats: c.stats}, c.token, start.Add(c.after))
		if kinds(got) != c.want {
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
}

// TestErrorsAreBounded keeps the newest errors, also when they cannot be written
// down for a while.
func TestErrorsAreBounded(t *testing.T) {
	m := newMachine(t, 1)
	for i := range 30 {
		m.s.Observe(t.Context(), Poll{Token: "fw_x", Status: 404, Request: fmt.Sprint("req_", i), Problem: "Not found"})
	}
	pending := m.s.pending()
	if got := pending["fw_x"].errs; len(got) != KeptErrors || got[0].Request != "req_10" || got[KeptErrors-1].Request != "req_29" {
		t.Errorf("kept %v", got)
	}
	m.s.Observe(t.Context(), Poll{Token: "fw_x", Status: 500, Request: "req_30"})
	m.s.putBack(pending)
	got := m.s.pending()["fw_x"].errs
	if len(got) != KeptErrors || got[0].Request != "req_11" || got[KeptErrors-1].Request != "req_30" {
		t.Errorf("after putting back %v", got)
	}
	if m.s.pending() != nil {
		t.Error("something is pending twice")
	}
}

// TestMetersAreBounded shows that many tokens take no more than their place.
func TestMetersAreBounded(t *testing.T) {
	s := New(Config{Now: func() time.Time { return start }})
	for i := range maxMeters + 10 {
		s.Observe(t.Context(), Poll{Token: exchange.TokenID(fmt.Sprint("fw_", i)), Status: 200})
	}
	if len(s.meters) != maxMeters {
		t.Errorf("%d meters", len(s.meters))
	}
	// What is written down makes room for who comes new.
	if n := len(s.pending()); n != maxMeters {
		t.Errorf("%d to be written down", n)
	}
	s.Observe(t.Context(), Poll{Token: "fw_new", Status: 200})
	if _, ok := s.pending()["fw_new"]; !ok || len(s.meters) != maxMeters {
		t.Errorf("a new machine is not noted; %d meters", len(s.meters))
	}
}

// TestObserveAllocatesNothing holds the path of every poll to its promise.
func TestObserveAllocatesNothing(t *testing.T) {
	m := newMachine(t, 1e6)
	p := Poll{Token: "fw_x", Status: 200, Asked: 7, Objects: 100, More: true}
	m.s.Observe(t.Context(), p)
	ctx := t.Context()
	n := testing.AllocsPerRun(1000, func() {
		p.After++
		p.Last = p.After + 100
		p.Asked = uint64(p.After) % 11
		m.now = m.now.Add(time.Second)
		m.s.Observe(ctx, p)
	})
	if n != 0 {
		t.Errorf("%v allocations for each poll", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	s := New(Config{Now: func() time.Time { return start }})
	p := Poll{Token: "fw_x", Status: 200, Asked: 7, Objects: 100, More: true, Last: 100}
	ctx := b.Context()
	for b.Loop() {
		s.Observe(ctx, p)
	}
}

func TestClients(t *testing.T) {
	entries, err := templates.ReadDir("clients")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		files = append(files, strings.TrimSuffix(e.Name(), ".tmpl"))
	}
	ids := strings.Split(clientIDs(), ", ")
	slices.Sort(ids)
	if !slices.Equal(files, ids) {
		t.Errorf("templates %v, clients %v", files, ids)
	}
	if _, ok := ClientByID("netscape"); ok {
		t.Error("an unknown client is known")
	}
	if exchange.KindOf(errors.Join(noProgram())) != exchange.Conflict {
		t.Error("no program is no conflict")
	}
}
