package witness

import (
	"context"
	"fmt"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// keep stores what a round found: who is new, what was cosigned, and what speaks
// against the ledger.
func (s *Service) keep(ctx context.Context, f facts, found []finding) error {
	idle := true
	for _, w := range f.witnesses() {
		_, known := f.states[w.Key]
		idle = idle && known
	}
	for _, one := range found {
		idle = idle && one.signed == nil && one.differs == "" && one.failure == f.states[one.witness.Key].Failure
	}
	if idle {
		return nil
	}
	return s.c.Store.Update(ctx, func(tx Tx) error {
		known, err := tx.WitnessStates(f.ledger.Number)
		if err != nil {
			return err
		}
		states := map[string]State{}
		for _, st := range known {
			states[st.Key] = st
		}
		for _, w := range f.witnesses() {
			if _, ok := states[w.Key]; ok {
				continue
			}
			states[w.Key] = State{Key: w.Key, Listed: tx.Now()}
			if err := tx.PutWitnessState(f.ledger.Number, states[w.Key]); err != nil {
				return err
			}
		}
		for _, one := range found {
			if err := s.keepOne(tx, f, states[one.witness.Key], one); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) keepOne(tx Tx, f facts, st State, found finding) error {
	first := st.Seen.IsZero()
	switch {
	case found.signed != nil:
		if err := tx.PutCosignature(f.ledger.Number, *found.signed, found.checkpoint); err != nil {
			return err
		}
		// An old signature that somebody shows again makes a witness no younger.
		if found.size < st.Size || found.size == st.Size && !found.at.After(st.Signed) {
			return nil
		}
		st.Size, st.Signed, st.Seen, st.Failure = found.size, found.at, tx.Now(), ""
	case found.differs != "":
		if err := s.accuse(tx, f, found); err != nil {
			return err
		}
		st.Failure, st.FailedAt = string(found.differs), tx.Now()
	case found.failure != "":
		st.Failure, st.FailedAt = found.failure, tx.Now()
	default:
		return nil
	}
	if found.witness.Key == "" { // nobody's, but a proof
		return nil
	}
	if err := tx.PutWitnessState(f.ledger.Number, st); err != nil || found.signed == nil {
		return err
	}
	return s.agree(tx, f, found, first)
}

// accuse records, once for each program that is concerned, what speaks against the
// ledger, and tells those who run it.
func (s *Service) accuse(tx Tx, f facts, found finding) error {
	for _, c := range f.charters {
		w, listed := c.Ledger.ByKey(found.witness.Key)
		if !listed && found.witness.Key != "" {
			continue
		}
		d := Disagreement{
			Program: c.ID, Log: f.ledger.Number, Key: found.witness.Key, Name: w.Name, Kind: found.differs,
			Size: found.size, Root: found.root, Ours: f.ledger.Log.Checkpoint(), Theirs: found.theirs, At: tx.Now(),
		}
		ds, err := tx.DisagreementsOf(c.ID, f.ledger.Number)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(ds, d.repeats) {
			continue
		}
		if err := tx.PutDisagreement(&d); err != nil {
			return err
		}
		s.c.Log.Error("the ledger differs from what a witness saw", "program", string(c.ID), "witness", w.Name, "how", string(d.Kind), "size", d.Size)
		seq, err := tx.Record(event(exchange.EventWitnessDisagreed, exchange.System(), d))
		if err != nil {
			return err
		}
		if err := tx.Notify([]exchange.OrgID{c.Owner}, exchange.Notice{
			Program: c.ID, Kind: exchange.EventWitnessDisagreed, Event: seq, Text: d.Words(),
		}); err != nil {
			return err
		}
	}
	return nil
}

// repeats reports whether d says nothing beyond the earlier one: that is open, or
// was resolved and is of the same checkpoint.
func (d Disagreement) repeats(earlier Disagreement) bool {
	return d.Key == earlier.Key && d.Kind == earlier.Kind &&
		(earlier.Open() || d.Size == earlier.Size && d.Root == earlier.Root)
}

// agree records a witness's first signature, and takes back what was only its word:
// who signs that the log goes on from what it saw no longer says the opposite.
func (s *Service) agree(tx Tx, f facts, found finding, first bool) error {
	for _, c := range f.charters {
		w, listed := c.Ledger.ByKey(found.witness.Key)
		if !listed {
			continue
		}
		ds, err := tx.DisagreementsOf(c.ID, f.ledger.Number)
		if err != nil {
			return err
		}
		news := first
		for _, d := range ds {
			if d.Key != w.Key || !d.Open() || len(d.Theirs) > 0 || found.size < d.Size {
				continue
			}
			d.ResolvedAt, d.ResolvedBy, news = tx.Now(), exchange.System().Person, true
			d.Reason = fmt.Sprintf("the witness cosigned %d entries", found.size)
			if err := tx.PutDisagreement(&d); err != nil {
				return err
			}
		}
		if !news {
			continue
		}
		d := Disagreement{Program: c.ID, Log: f.ledger.Number, Name: w.Name, Size: found.size}
		if _, err := tx.Record(event(exchange.EventWitnessAgreed, exchange.System(), d)); err != nil {
			return err
		}
	}
	return nil
}

func event(kind exchange.EventKind, a exchange.Actor, d Disagreement) exchange.Event {
	e := exchange.Event{Kind: kind, Actor: a, Program: d.Program, Detail: exchange.Detail{
		"witness": d.Name, "how": string(d.Kind), "log": d.Log, "size": d.Size, "reason": d.Reason,
	}}
	if d.Name != "" {
		e.Subject = []string{d.Name}
	}
	return e
}

// Words say what a disagreement is, for people.
func (d Disagreement) Words() string {
	who := "witness " + d.Name
	if d.Key == "" {
		who = "somebody"
	}
	switch d.Kind {
	case Fork:
		return fmt.Sprintf("the server shows a history that differs from what %s saw: two different roots for %d entries, both signed by the log", who, d.Size)
	case Ahead:
		return fmt.Sprintf("the server shows fewer entries than the %d that %s saw: the ledger was cut off", d.Size, who)
	default:
		return fmt.Sprintf("the server shows a history that differs from what %s saw: it does not go on from the %d entries that were cosigned", who, d.Size)
	}
}
