package record

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// EntryFilter narrows entries; zero fields do not.
type EntryFilter struct {
	Program exchange.ProgramID
	Release exchange.ReleaseID
	Kinds   []exchange.EventKind
	Org     exchange.OrgID // that acted, or that is concerned
	Person  exchange.PersonID
	Subject string    // that the act touched, such as an artifact
	From    time.Time // at or after
	To      time.Time // before
	Before  int64     // below this number; 0: the newest
	Limit   int       // 100 when it is 0, at most 1,000
}

// Entries lists what of the ledger the actor is a party to, newest first. Besides
// what Events shows they are the acts of the actor's organisation that concern
// others, and the disclosures of artifacts of which it is an originator; of those it
// is shown what Receipt opens. What may not be seen is left out without a trace, and
// what is not shown of an entry is not found by a filter.
func (s *Service) Entries(ctx context.Context, actor exchange.Actor, f EntryFilter) ([]LedgerEntry, error) {
	if !reads(actor) {
		return nil, exchange.Missing()
	}
	if f.Limit <= 0 {
		f.Limit = normalPage
	}
	f.Limit = min(f.Limit, mostPage)
	var out []LedgerEntry
	err := s.c.Store.View(ctx, func(tx Tx) error {
		out = nil
		v := s.viewer(tx, actor)
		qs, err := v.queries(f)
		if err != nil || len(qs) == 0 {
			return err
		}
		if qs, err = within(tx, qs, f); err != nil || len(qs) == 0 {
			return err
		}
		m := newest{tx: tx, most: f.Limit}
		for _, q := range qs {
			m.from = append(m.from, &run{q: q})
		}
		for len(out) < f.Limit {
			r, ok, err := m.next()
			if err != nil || !ok {
				return err
			}
			shown, err := v.shows(r)
			if err != nil {
				return err
			}
			if e := shown.entry(r); shown.some() && f.matches(e) {
				out = append(out, e)
			}
		}
		return nil
	})
	return out, err
}

// ReadEntry is one entry, as Entries lists it.
func (s *Service) ReadEntry(ctx context.Context, actor exchange.Actor, seq int64) (LedgerEntry, error) {
	var out LedgerEntry
	err := s.party(ctx, actor, seq, func(_ Tx, r Recorded, shown share) error {
		out = shown.entry(r)
		return nil
	})
	return out, err
}

func (s *Service) viewer(tx Tx, actor exchange.Actor) *viewer {
	now := time.Time{}
	if s.c.Now != nil {
		now = s.c.Now()
	}
	return &viewer{
		tx: tx, actor: actor, now: now,
		charters: map[exchange.ProgramID]exchange.Charter{}, members: map[exchange.ProgramID]bool{},
	}
}

// queries is what the store is asked for the actor's entries: more than the actor is
// shown, but not much more. No query answers what the actor is shown nothing of.
func (v *viewer) queries(f EntryFilter) (out []EntryQuery, err error) {
	if v.actor.Program != "" {
		if f.Program != "" && f.Program != v.actor.Program {
			return nil, nil
		}
		f.Program = v.actor.Program
	}
	if v.actor.Channel == exchange.ChannelSystem {
		return whole(f), nil
	}
	if f.Program != "" {
		if wide, err := v.oversees(f.Program); wide || err != nil {
			return whole(f), err
		}
	} else if v.actor.Runs() {
		if out, err = v.overseen(f); err != nil {
			return nil, err
		}
	}
	if v.actor.Org != "" {
		out = append(out, v.own(f)...)
	}
	if f.Program == "" && v.actor.Administers() {
		out = append(out, EntryQuery{EntryFilter: f, Outside: true})
	}
	return out, nil
}

// whole is what is asked for by who is shown everything.
func whole(f EntryFilter) []EntryQuery {
	all := EntryQuery{EntryFilter: f}
	if f.Org == "" {
		return []EntryQuery{all}
	}
	acted := all
	acted.Org, acted.Party = "", f.Org
	return []EntryQuery{all, acted}
}

// overseen is what is asked for of the programs that the actor oversees.
func (v *viewer) overseen(f EntryFilter) (out []EntryQuery, err error) {
	all, err := v.tx.Charters()
	for _, c := range all {
		if v.charters[c.ID] = c; v.actor.Oversees(c.Owner) {
			f.Program = c.ID
			out = append(out, whole(f)...)
		}
	}
	return out, err
}

// own is what is asked for of what concerns the actor's organisation, of what it did
// that concerns others, and of what was given of its artifacts.
func (v *viewer) own(f EntryFilter) (out []EntryQuery) {
	concerned := EntryQuery{EntryFilter: f}
	if concerned.Org = v.actor.Org; f.Org != "" && f.Org != v.actor.Org {
		concerned.Party = f.Org
	}
	acted := EntryQuery{EntryFilter: f, Party: v.actor.Org}
	acted.Org = ""
	out = append(out, concerned, acted)
	if f.Person == "" {
		acted.Owner = true
		out = append(out, acted)
	}
	return out
}

// within bounds the queries to the numbers of the time that is asked for.
func within(tx Tx, qs []EntryQuery, f EntryFilter) ([]EntryQuery, error) {
	if f.From.IsZero() && f.To.IsZero() {
		return qs, nil
	}
	first, last, err := tx.Between(f.From, f.To)
	if err != nil || first == 0 {
		return nil, err
	}
	for i := range qs {
		qs[i].First = first
		if b := qs[i].Before; b <= 0 || b > last+1 {
			qs[i].Before = last + 1
		}
	}
	return qs, nil
}

// newest puts the events of several queries into one order, newest first, each once.
type newest struct {
	tx   Tx
	most int
	from []*run
	last int64 // the number of the event before
}

type run struct {
	q    EntryQuery
	rest []Recorded
	done bool
}

// mostRun is how many events a query reads at a time at most.
const mostRun = 500

func (m *newest) next() (Recorded, bool, error) {
	for {
		var best *run
		for _, r := range m.from {
			if len(r.rest) == 0 && !r.done {
				if err := m.fill(r); err != nil {
					return Recorded{}, false, err
				}
			}
			if len(r.rest) > 0 && (best == nil || r.rest[0].Seq > best.rest[0].Seq) {
				best = r
			}
		}
		if best == nil {
			return Recorded{}, false, nil
		}
		e := best.rest[0]
		best.rest = best.rest[1:]
		if e.Seq != m.last {
			m.last = e.Seq
			return e, true, nil
		}
	}
}

func (m *newest) fill(r *run) (err error) {
	r.q.Limit = min(m.most, mostRun)
	if r.rest, err = m.tx.Page(r.q); err != nil {
		return err
	}
	if n := len(r.rest); n < r.q.Limit {
		r.done = true
	} else {
		r.q.Before = r.rest[n-1].Seq
	}
	return nil
}
