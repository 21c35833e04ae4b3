package recall

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Acknowledge keeps what the actor's organisation did about an act. A later
// answer takes the place of an earlier one; both are in the record. A note is
// needed where something is kept.
//
// Errors: exchange.NotFound for who holds nothing of it, Invalid, and Conflict
// where nothing is asked.
func (s *Service) Acknowledge(ctx context.Context, a exchange.Actor, id ID, answer Answer, note string) (v View, err error) {
	note = strings.TrimSpace(note)
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		r, err := tx.Recall(id)
		if err != nil {
			return err
		}
		if v, err = sides(tx, a, r); err != nil {
			return err
		}
		if v.Mine == nil {
			return exchange.Fail(exchange.Denied, "only an organisation that holds it answers; nothing was recorded")
		}
		if !a.May(exchange.VerbFeedback) {
			return exchange.Fail(exchange.Denied, "the credential may not answer; nothing was recorded")
		}
		if err := answered(answer, note); err != nil {
			return err
		}
		if !v.Mine.Loses {
			return exchange.Fail(exchange.Conflict, "your organisation keeps it, so nothing is asked; nothing was recorded")
		}
		h := v.Mine
		h.Answer, h.Note, h.By, h.At = answer, note, a.Person, tx.Now()
		if err := tx.SetAnswer(id, *h); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventRecallAcknowledged, Actor: a, Program: r.Program, Release: r.Release, Org: a.Org,
			Subject: []string{string(r.ID), string(r.Artifact)}, Detail: exchange.Detail{"answer": string(answer), "note": note},
		})
		return err
	})
	if err != nil {
		return View{}, err
	}
	return s.Read(ctx, a, id)
}

func answered(answer Answer, note string) error {
	var ps []exchange.Problem
	if !slices.Contains([]Answer{Deleted, Never, Kept}, answer) {
		ps = append(ps, exchange.Problem{Path: "answer", Message: "not one of deleted, never-imported, kept"})
	}
	if answer == Kept && note == "" {
		ps = append(ps, exchange.Problem{Path: "note", Message: "missing: what is kept, and for which legal reason"})
	}
	if !exchange.Storable(note) || utf8.RuneCountInString(note) > maxText {
		ps = append(ps, exchange.Problem{Path: "note", Message: "not UTF-8 text of at most 4000 characters without NUL"})
	}
	if len(ps) > 0 {
		return exchange.InvalidWith("nothing was recorded", ps)
	}
	return nil
}

// Remind tells the holders that are asked and silent once more, for those who
// own what an act is about and for operators. It answers how many were told.
func (s *Service) Remind(ctx context.Context, a exchange.Actor, id ID) (n int, err error) {
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		r, err := tx.Recall(id)
		if err != nil {
			return err
		}
		v, err := sides(tx, a, r)
		if err != nil {
			return err
		}
		c, err := tx.Charter(r.Program)
		if err != nil {
			return err
		}
		if v.Side == Asked || !a.Operates(c.Owner) && !(v.Side == Issuer && a.May(exchange.VerbSubmit)) {
			return exchange.Fail(exchange.Denied, "only its originator, and an operator of the program, remind; nobody was told")
		}
		if next := exchange.Later(r.At, r.RemindedAt).Add(s.c.Pause); tx.Now().Before(next) {
			return exchange.Fail(exchange.Conflict, "holders were told less than %s ago; the next reminder may go out at %s", s.c.Pause, next.UTC().Format(readable))
		}
		n, err = remind(tx, a, r, 0)
		if err == nil && n == 0 {
			err = exchange.Fail(exchange.Conflict, "every holder has answered; nobody was told")
		}
		return err
	})
	return n, err
}

// remind leaves a notice with every holder that is silent: as the clock's nth
// reminder with those alone that had fewer; 0: by hand.
func remind(tx Tx, a exchange.Actor, r Recall, nth int) (int, error) {
	all, err := tx.HoldersOfRecall(r)
	if err != nil {
		return 0, err
	}
	var orgs []exchange.OrgID
	for _, h := range all {
		if h.Asked() && (nth == 0 || h.Reminders < nth) {
			orgs = append(orgs, h.Org)
		}
	}
	if len(orgs) == 0 {
		return 0, nil
	}
	seq, err := tx.Record(exchange.Event{
		Kind: exchange.EventRecallReminded, Actor: a, Program: r.Program, Release: r.Release,
		Subject: []string{string(r.ID), string(r.Artifact)}, Detail: exchange.Detail{"holders": len(orgs)},
	})
	if err != nil {
		return 0, err
	}
	err = tx.Notify(orgs, exchange.Notice{
		Program: r.Program, Kind: exchange.EventRecallReminded, Event: seq, Text: "Your answer is still awaited. " + r.asks(),
	})
	if err != nil {
		return 0, err
	}
	return len(orgs), tx.SetReminded(r.ID, orgs, nth)
}
