package authn

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// key is the SHA-256 of a secret. Looking a key up needs no constant time: who
// can choose its bits already holds a secret with that hash.
type key [32]byte

// entry is a credential that was found valid, and for how long that holds.
type entry struct {
	actor      exchange.Actor // without its channel
	login      string
	expires    time.Time
	generation int64
	noted      atomic.Int64 // when the use of the token was last noted, Unix microseconds
}

func newEntry(c Credential) *entry {
	e := &entry{login: c.Person.Login, expires: c.Expires}
	e.actor = exchange.Actor{
		Person: c.Person.ID, Org: c.Person.Org, Name: c.Person.Login,
		Roles: c.Person.Roles, Zone: c.Person.TimeZone, Hat: c.Hat, Purpose: c.Purpose,
	}
	if t := c.Token; t.ID != "" {
		e.actor.Token, e.actor.Name, e.actor.Verbs = t.ID, t.Name, t.Verbs
		e.actor.Program, e.actor.Ceiling, e.actor.Machine = t.Program, t.Ceiling, t.Machine
		e.actor.Hat, e.actor.Purpose = t.Hat, t.Purpose
		e.noted.Store(t.LastUsed.UnixMicro())
	}
	return e
}

// maxEntries bounds the cache.
const maxEntries = 10_000

// cache keeps valid credentials while the generation at which they were read
// is current. The generation is asked for before the facts are read: a change
// in between makes the entry old, never the other way round. Only successes
// are kept, so guessing cannot fill it.
type cache struct {
	mu      sync.RWMutex
	entries map[key]*entry
}

func (c *cache) find(k key, generation int64) *entry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e := c.entries[k]; e != nil && e.generation == generation {
		return e
	}
	return nil
}

func (c *cache) keep(k key, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = make(map[key]*entry)
	}
	if _, known := c.entries[k]; !known && len(c.entries) >= maxEntries {
		for other := range c.entries { // any one: what is in use comes back
			delete(c.entries, other)
			break
		}
	}
	c.entries[k] = e
}

// useGap is how often the use of one token is noted at most.
const useGap = time.Minute

// uses collects when tokens were used until Flush writes it down.
type uses struct {
	mu      sync.Mutex
	pending map[exchange.TokenID]time.Time
}

func (u *uses) note(e *entry, now time.Time) {
	before := e.noted.Load()
	if e.actor.Token == "" || now.UnixMicro()-before < useGap.Microseconds() || !e.noted.CompareAndSwap(before, now.UnixMicro()) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pending == nil {
		u.pending = make(map[exchange.TokenID]time.Time)
	}
	u.pending[e.actor.Token] = now
}

func (u *uses) take() map[exchange.TokenID]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.pending
	u.pending = nil
	return all
}

// Flush writes down when tokens were last used. The server calls it every
// minute and at its end; no request waits for it.
func (s *Service) Flush(ctx context.Context) error {
	used := s.uses.take()
	if len(used) == 0 {
		return nil
	}
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		for id, at := range used {
			if err := tx.TouchToken(id, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting when tokens were used: %w", err)
	}
	return nil
}
