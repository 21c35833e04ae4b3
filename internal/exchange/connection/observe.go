package connection

import (
	"context"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Poll is one request of a machine for objects or their manifest, or one of its
// requests that failed.
type Poll struct {
	Token   exchange.TokenID
	Program exchange.ProgramID
	Request string // the request id
	Status  int    // of HTTP
	Problem string // of a failure: what the client was told
	Asked   uint64 // the same for polls that differ in nothing but cursor and page size
	After   int64  // the cursor asked with, Unix microseconds; 0: from the beginning
	Last    int64  // the last date_added given; 0: nothing was
	Objects int
	More    bool
	At      time.Time // zero: now
}

// What makes a loop.
const (
	loopTimes  = 5
	loopWindow = 10 * time.Minute
)

const (
	maxMeters = 10_000
	positions = 8                // kept of each machine, for loops
	walks     = 4                // kept of each machine, for pages that continue each other
	shortest  = 30 * time.Second // what lies closer together is one round
)

// meter is what one token did since it was last written down. A few words are
// kept, so that noting a poll allocates nothing.
type meter struct {
	mu      sync.Mutex
	unknown bool // no connection: nothing is noted
	dirty   bool
	d       delta

	began     time.Time // of the round
	more      bool      // the newest answer said that more follows
	positions [positions]position
	walks     [walks]walk
}

// delta is what is to be written down.
type delta struct {
	polls, objects int64
	now            Stats // the last values; its counters are unused but for LastObjects
	errs           []PollError
}

// position is a place at which a machine asked and was given objects.
type position struct {
	asked uint64
	after int64
	times [loopTimes]time.Time // a ring
	n     int
	last  time.Time
}

// walk is the newest page of one query.
type walk struct {
	asked     uint64
	seen      time.Time
	given     int64 // the position behind it
	from      int64
	more      bool
	restarted int
}

// Observe notes a poll. It does no I/O and waits for nobody who does.
func (s *Service) Observe(_ context.Context, p Poll) {
	if p.Token == "" {
		return
	}
	if p.At.IsZero() {
		p.At = s.c.Now()
	}
	m := s.meter(p.Token)
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unknown {
		return
	}
	m.dirty = true
	before := m.d.now.LastAt
	m.d.now.LastAt, m.d.now.LastStatus = p.At, p.Status
	if p.Status >= 400 {
		if len(m.d.errs) == KeptErrors {
			m.d.errs = append(m.d.errs[:0], m.d.errs[1:]...)
		}
		m.d.errs = append(m.d.errs, PollError{At: p.At, Request: p.Request, Status: p.Status, Problem: p.Problem})
		return
	}
	m.count(p, before)
	if p.Objects > 0 && m.loops(p) {
		m.d.now.LoopAt = p.At
	}
	m.follow(p)
}

func (s *Service) meter(id exchange.TokenID) *meter {
	s.mu.RLock()
	m := s.meters[id]
	s.mu.RUnlock()
	if m != nil {
		return m
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m = s.meters[id]; m == nil && (len(s.meters) < maxMeters || s.makeRoom()) {
		m = &meter{}
		s.meters[id] = m
	}
	return m
}

// makeRoom drops the meter that was quiet for the longest time among a few of
// those that have nothing to be written down; false: there is none among them.
func (s *Service) makeRoom() bool {
	const looked = 16
	var drop exchange.TokenID
	var since time.Time
	n := 0
	for id, m := range s.meters {
		m.mu.Lock()
		if at := m.d.now.LastAt; !m.dirty && (drop == "" || at.Before(since)) {
			drop, since = id, at
		}
		m.mu.Unlock()
		if n++; n == looked {
			break
		}
	}
	delete(s.meters, drop)
	return drop != ""
}

// count adds the poll up and learns how far rounds lie apart. A round is a poll
// and those that continue it.
func (m *meter) count(p Poll, before time.Time) {
	m.d.polls++
	m.d.objects += int64(p.Objects)
	if !m.more || p.At.Sub(before) > time.Hour {
		if gap := p.At.Sub(m.began); !m.began.IsZero() && gap >= shortest {
			if m.d.now.Usual == 0 {
				m.d.now.Usual = gap
			}
			m.d.now.Usual += (gap - m.d.now.Usual) / 4
		}
		m.began, m.d.now.LastObjects = p.At, 0
	}
	m.more = p.More
	m.d.now.LastObjects += int64(p.Objects)
	m.d.now.LastAfter = instant(p.After)
	if p.Last > 0 {
		m.d.now.LastCursor = instant(p.Last)
	}
}

// loops notes where the machine asks, and reports whether it asked there
// loopTimes within the window.
func (m *meter) loops(p Poll) bool {
	at := m.position(p)
	at.last = p.At
	at.times[at.n%loopTimes] = p.At
	at.n++
	oldest := at.times[at.n%loopTimes]
	return at.n >= loopTimes && p.At.Sub(oldest) <= loopWindow
}

// position is where the poll stands. The place that was not asked at for the
// longest time makes room, but not the first of all: a machine that walks
// through everything again and again comes back to that one.
func (m *meter) position(p Poll) *position {
	first, stale := 0, -1
	for i := range m.positions {
		at := &m.positions[i]
		switch {
		case at.n == 0:
			*at = position{asked: p.Asked, after: p.After}
			return at
		case at.asked == p.Asked && at.after == p.After:
			return at
		}
		if at.after < m.positions[first].after {
			first = i
		}
	}
	for i := range m.positions {
		if i != first && (stale < 0 || m.positions[i].last.Before(m.positions[stale].last)) {
			stale = i
		}
	}
	m.positions[stale] = position{asked: p.Asked, after: p.After}
	return &m.positions[stale]
}

// follow looks whether a poll goes on where the page before it ended. Clients
// that leave next unused either begin anew, and never come further, or take
// their own clock as the next cursor, and lose what was to come.
func (m *meter) follow(p Poll) {
	w := m.walk(p.Asked)
	if w.more && !w.seen.IsZero() {
		switch {
		case p.After > w.given:
			m.d.now.SkipAt = p.At
			w.restarted = 0
		case p.After < w.given && p.After <= w.from:
			if w.restarted++; w.restarted >= 3 {
				m.d.now.RestartAt = p.At
			}
		default:
			w.restarted = 0
		}
	}
	w.seen, w.more, w.from, w.given = p.At, p.More, p.After, max(p.Last, p.After)
}

func (m *meter) walk(asked uint64) *walk {
	stale := 0
	for i := range m.walks {
		w := &m.walks[i]
		if w.asked == asked && !w.seen.IsZero() {
			return w
		}
		if w.seen.Before(m.walks[stale].seen) {
			stale = i
		}
	}
	m.walks[stale] = walk{asked: asked}
	return &m.walks[stale]
}

func instant(micro int64) time.Time {
	if micro == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micro).UTC()
}
