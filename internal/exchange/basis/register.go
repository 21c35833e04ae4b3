package basis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// The bounds of what people type in.
const (
	maxText       = 200
	maxConditions = 2000
	maxLines      = 500 // of one basis
)

// Add appends a line to the register: of a new basis, or what is known anew of
// an old one, whose jurisdiction and instrument are taken where they are left
// out. KnownFrom is now where it is zero. The same line a second time changes
// nothing. Administrators, and operators of any program.
func (s *Service) Add(ctx context.Context, actor exchange.Actor, l Line) (Line, error) {
	var out Line
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		if ok, err := mayAdd(tx, actor); err != nil || !ok {
			return orDenied(err)
		}
		lines, err := tx.BasisLines(l.Basis)
		if err != nil {
			return err
		}
		out = tidy(l, lines, tx.Now())
		if err := check(out); err != nil {
			return err
		}
		for _, old := range lines {
			if same(old, out, l.KnownFrom.IsZero()) {
				out = old
				return nil
			}
		}
		if len(lines) >= maxLines {
			return exchange.Fail(exchange.Exhausted, "the basis has %d lines already; nothing was added", maxLines)
		}
		out.By, out.EnteredAt = actor.Person, tx.Now()
		if out.Number, err = tx.AddBasisLine(out); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventBasisAdded, Actor: actor, Subject: []string{string(out.Basis)},
			Detail: exchange.Detail{
				"line": out.Number, "jurisdiction": out.Jurisdiction, "instrument": out.Instrument, "in_force": out.InForce,
				"valid_from": out.From, "valid_to": out.To, "known_from": out.KnownFrom, "source": out.Source,
			},
		})
		return err
	})
	if err != nil {
		return Line{}, err
	}
	return out, nil
}

func mayAdd(tx Tx, a exchange.Actor) (bool, error) {
	if a.Administers() && a.Program == "" {
		return true, nil
	}
	all, err := tx.Charters()
	return slices.ContainsFunc(all, func(c exchange.Charter) bool { return a.Operates(c.Owner) && a.Reaches(c.ID) }), err
}

func orDenied(err error) error {
	if err != nil {
		return err
	}
	return exchange.Fail(exchange.Denied, "only administrators and operators add to the register of legal bases")
}

func tidy(l Line, lines []Line, now time.Time) Line {
	for _, text := range []*string{&l.Jurisdiction, &l.Instrument, &l.Conditions, &l.Source} {
		*text = strings.TrimSpace(*text)
	}
	l.Jurisdiction = strings.ToUpper(l.Jurisdiction)
	if len(lines) > 0 {
		first := lines[0]
		if l.Jurisdiction == "" {
			l.Jurisdiction = first.Jurisdiction
		}
		if l.Instrument == "" {
			l.Instrument = first.Instrument
		}
	}
	if l.KnownFrom.IsZero() {
		l.KnownFrom = now
	}
	for _, t := range []*time.Time{&l.From, &l.To, &l.KnownFrom} {
		if !t.IsZero() {
			*t = t.UTC().Truncate(time.Microsecond)
		}
	}
	l.Number, l.EnteredAt = 0, time.Time{}
	return l
}

// same reports whether a line says what another one says; since when that is
// known is not compared where it was left open.
func same(old, l Line, anyTime bool) bool {
	if anyTime {
		l.KnownFrom = old.KnownFrom
	}
	l.Number, l.EnteredAt, l.By = old.Number, old.EnteredAt, old.By
	return old == l
}

func check(l Line) error {
	var ps []exchange.Problem
	add := func(path, format string, args ...any) {
		ps = append(ps, exchange.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	text := func(path, s string, most int, meaning string) {
		switch {
		case s == "" && meaning != "":
			add(path, "missing: %s", meaning)
		case utf8.RuneCountInString(s) > most:
			add(path, "longer than %d characters", most)
		case !exchange.Plain(s):
			add(path, "holds characters that cannot be shown")
		}
	}
	if !exchange.ValidSlug(string(l.Basis)) {
		add("id", "not a short name: 1 to 63 lower-case letters, digits and inner hyphens")
	}
	if !exchange.ValidCountry(l.Jurisdiction) {
		add("jurisdiction", "not a country code of two capital letters (ISO 3166-1), or EU")
	}
	text("instrument", l.Instrument, maxText, "the law, order or agreement, as it is cited")
	text("source", l.Source, maxText, "where this can be read")
	text("conditions", l.Conditions, maxConditions, "")
	if l.From.IsZero() {
		add("valid_from", "missing: from when this holds")
	}
	if !l.To.IsZero() && !l.To.After(l.From) {
		add("valid_to", "not after valid_from")
	}
	if len(ps) > 0 {
		return exchange.InvalidWith("nothing was added to the register", ps)
	}
	return nil
}

// Lines lists the register in its order, or the lines of one basis;
// exchange.NotFound where there are none of it. Everybody who signed in may read
// it, so that a line can be contested.
func (s *Service) Lines(ctx context.Context, actor exchange.Actor, id exchange.BasisID) ([]Line, error) {
	if actor.Anonymous() {
		return nil, exchange.Missing()
	}
	var lines []Line
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		if lines, err = tx.BasisLines(id); err == nil && id != "" && len(lines) == 0 {
			err = exchange.Missing()
		}
		return err
	})
	return lines, err
}

// Check answers how the bases of a program stand now, as known now: to its
// members, and to who oversees it. Whoever shares may ask before sending.
func (s *Service) Check(ctx context.Context, actor exchange.Actor, program exchange.ProgramID) ([]Standing, error) {
	var out []Standing
	err := s.c.Store.View(ctx, func(tx Tx) error {
		c, err := tx.Charter(program)
		if err != nil {
			return err
		}
		if !actor.Reaches(program) {
			return exchange.Missing()
		}
		if actor.Org != c.Owner && !actor.Oversees(c.Owner) {
			m, err := tx.Member(program, actor.Org)
			if err != nil {
				return err
			}
			if m.State == exchange.MemberLeft {
				return exchange.Missing()
			}
		}
		for _, id := range c.LegalBasis {
			lines, err := tx.BasisLines(id)
			if err != nil {
				return err
			}
			out = append(out, Judge(id, lines, tx.Now(), tx.Now()))
		}
		return nil
	})
	return out, err
}

// SharesOf lists how the bases stood for the shares of an artifact, by event,
// those after the given one, at most limit (default 100), with what became known
// later: to its originators, and to who oversees the program. Everybody else
// learns nothing, not even that the artifact exists.
func (s *Service) SharesOf(ctx context.Context, actor exchange.Actor, id exchange.ArtifactID, after int64, limit int) ([]Share, error) {
	return s.shares(ctx, Filter{Artifact: id, After: after, Limit: limit}, func(tx Tx) error {
		a, err := tx.Artifact(id)
		if err != nil {
			return err
		}
		return mine(tx, actor, a.Program, a.Owners()...)
	})
}

// Shares is SharesOf for all that an organisation shared in a program, also
// object by object: to its people, and to who oversees the program.
func (s *Service) Shares(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, org exchange.OrgID, after int64, limit int) ([]Share, error) {
	return s.shares(ctx, Filter{Program: program, Org: org, After: after, Limit: limit}, func(tx Tx) error {
		return mine(tx, actor, program, org)
	})
}

// mine lets pass who shared as one of the organisations, or oversees the program.
func mine(tx Tx, actor exchange.Actor, program exchange.ProgramID, orgs ...exchange.OrgID) error {
	c, err := tx.Charter(program)
	if err != nil {
		return err
	}
	own := actor.Org != "" && slices.Contains(orgs, actor.Org) && (actor.May(exchange.VerbRead) || actor.May(exchange.VerbSubmit))
	if own && actor.Org != c.Owner && !actor.Oversees(c.Owner) {
		if _, err := tx.Member(program, actor.Org); err != nil {
			return err
		}
	}
	if !actor.Reaches(program) || !own && !actor.Oversees(c.Owner) {
		return exchange.Missing()
	}
	return nil
}

func (s *Service) shares(ctx context.Context, f Filter, may func(Tx) error) ([]Share, error) {
	if f.Limit <= 0 || f.Limit > 1000 {
		f.Limit = 100
	}
	var out []Share
	err := s.c.Store.View(ctx, func(tx Tx) error {
		if err := may(tx); err != nil {
			return err
		}
		var err error
		if out, err = tx.Shares(f); err != nil {
			return err
		}
		known := map[exchange.BasisID][]Line{}
		for i := range out {
			b := out[i].Standing.Basis
			if _, ok := known[b]; !ok {
				if known[b], err = tx.BasisLines(b); err != nil {
					return err
				}
			}
			out[i].Later = later(out[i], known[b], tx.Now())
		}
		return nil
	})
	return out, err
}

// later are the lines that a share did not know of and that cover its instant.
func later(s Share, lines []Line, now time.Time) (out []Line) {
	for _, l := range lines {
		at := s.Standing.At
		if (l.Number > s.Entered || l.KnownFrom.After(at)) && !l.KnownFrom.After(now) && l.Covers(at) {
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b Line) int { return a.KnownFrom.Compare(b.KnownFrom) })
	return out
}
