package recall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Plan answers what an act would do, and does nothing.
//
// Errors, as of Issue: exchange.NotFound for what the actor may not know of and
// for what does not exist, Denied for who may know of it and does not own it,
// Invalid, Conflict.
func (s *Service) Plan(ctx context.Context, a exchange.Actor, act Act) (Plan, error) {
	d, err := s.plan(ctx, a, act)
	return d.Plan, err
}

// deed is an act that was worked out.
type deed struct {
	Plan
	target
	actor  exchange.Actor
	settle bool // an expiry that is told with it
}

var errMeanwhile = errors.New("what is taken back changed meanwhile")

// attempts is how often an act is begun anew when what it is about changes while
// its tombstones are being made.
const attempts = 3

// Issue does an act. When it returns, nobody who loses something by it is given
// it any more, and every holder has a notice.
func (s *Service) Issue(ctx context.Context, a exchange.Actor, act Act) (Plan, error) {
	for n := 1; ; n++ {
		d, err := s.plan(ctx, a, act)
		if err != nil {
			return Plan{}, err
		}
		p, err := s.carry(ctx, d, func(tx Tx) (deed, error) {
			d, ok, err := s.prepare(tx, a, act)
			if err == nil && !ok {
				err = exchange.Missing()
			}
			return d, err
		})
		if !errors.Is(err, errMeanwhile) {
			return p, err
		}
		if n == attempts {
			return Plan{}, exchange.Fail(exchange.Conflict, "it kept changing while it was being taken back"+noMore+", try again")
		}
	}
}

// plan works an act out in a transaction of its own.
func (s *Service) plan(ctx context.Context, a exchange.Actor, act Act) (d deed, err error) {
	ok := false
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		d, ok, err = s.prepare(tx, a, act)
		return err
	})
	if err == nil && !ok {
		err = s.refusal(ctx, a, act)
	}
	return d, err
}

// prepare works an act out; ok is false for who may not do it.
func (s *Service) prepare(tx Tx, a exchange.Actor, act Act) (d deed, ok bool, err error) {
	if d.target, ok, err = find(tx, a, act); err != nil || !ok {
		return d, ok, err
	}
	if err := check(act); err != nil {
		return d, ok, err
	}
	if !d.artifact.RecalledAt.IsZero() {
		return d, ok, exchange.Fail(exchange.Conflict, "it was recalled already"+noMore)
	}
	under, err := d.under(tx)
	if err != nil {
		return d, ok, err
	}
	now := tx.Now()
	d.actor = a
	r := &d.Recall
	*r = Recall{
		Kind: act.Kind, Program: d.charter.ID, Release: d.artifact.Release, Artifact: d.artifact.ID, Number: d.artifact.Number,
		Title: d.artifact.Title, Object: d.object, TLP: d.label(under), By: a.Org, Person: a.Person, Owners: d.owners,
		At: now, Effective: now, Reason: strings.TrimSpace(act.Reason), Message: strings.TrimSpace(act.Message),
		Was: d.artifact.Handling, Handling: d.artifact.Handling, Objects: d.artifact.Objects,
	}
	if a.Channel == exchange.ChannelSystem {
		r.By = d.charter.Owner // the command line on the host, in the owner's name
	}
	if d.object != "" {
		r.Title, r.Objects = d.object, int64(len(d.objects))
	}
	if r.TLP == exchange.TLPRed {
		if r.Persons = under.Persons; len(r.Persons) == 0 { // whom nobody named, nobody has it from
			r.Persons = []exchange.PersonID{exchange.Nobody}
		}
	}
	if act.Kind == Superseded {
		if err := d.replace(tx, a, act); err != nil {
			return d, ok, err
		}
	}
	if r.Handling, err = d.handling(tx, act, now); err != nil {
		return d, ok, err
	}
	if act.Kind == Expired {
		r.Effective, d.settle = r.Handling.Expires, !r.Handling.Expires.After(now)
	}
	return d, ok, d.whom(s, tx)
}

const maxText = 4000 // characters of a reason or a message

// check finds what is wrong with an act whatever it is about.
func check(act Act) error {
	var ps []exchange.Problem
	add := func(path, text string) { ps = append(ps, exchange.Problem{Path: path, Message: text}) }
	if strings.TrimSpace(act.Reason) == "" {
		add("reason", "missing: those who hold it are told why")
	}
	for path, text := range map[string]string{"reason": act.Reason, "message": act.Message} {
		if !exchange.Storable(text) || utf8.RuneCountInString(text) > maxText {
			add(path, fmt.Sprintf("not UTF-8 text of at most %d characters without NUL", maxText))
		}
	}
	switch act.Kind {
	case Recalled, Superseded:
	case Narrowed, Expired:
		if act.Object != "" {
			add("object", "a single object is recalled or superseded; narrow or expire the artifact that holds it")
		}
	default:
		add("kind", "not one of recall, supersede, narrow, expire")
	}
	if (act.Replacement != "") != (act.Kind == Superseded) {
		add("replacement", "is for supersede, and needed there: the artifact that takes its place")
	}
	if len(ps) > 0 {
		slices.SortFunc(ps, func(a, b exchange.Problem) int { return strings.Compare(a.Path, b.Path) })
		return exchange.InvalidWith("nothing was changed", ps)
	}
	return nil
}

// replace looks at what is to take the target's place.
func (d *deed) replace(tx Tx, a exchange.Actor, act Act) error {
	bad := func(text string) error {
		return exchange.InvalidWith("nothing was changed", []exchange.Problem{{Path: "replacement", Message: text}})
	}
	by, err := tx.Artifact(act.Replacement)
	if exchange.KindOf(err) == exchange.NotFound || err == nil && (by.Program != d.charter.ID || !may(a, d.charter, by)) {
		return bad("no artifact of this program that you may hand in")
	}
	switch {
	case err != nil:
		return err
	case slices.ContainsFunc(d.arts, func(o exchange.Artifact) bool { return o.Number == by.Number }):
		return bad("it cannot take its own place")
	case !by.RemovedAt.IsZero() || !by.RecalledAt.IsZero():
		return bad("it was taken out or recalled itself")
	case d.object == "" && by.Supersedes != "" && by.Supersedes != d.artifact.ID:
		return bad("it takes the place of another artifact already")
	}
	d.Replacement = by.ID
	return nil
}

// whom finds who holds it, and who of them loses it.
func (d *deed) whom(s *Service, tx Tx) error {
	var numbers []int64
	for _, a := range d.arts {
		numbers = append(numbers, a.Number)
	}
	all, err := tx.Exposed(numbers)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(h Holder) bool { return slices.Contains(d.owners, h.Org) })
	future := d.Effective.After(d.At)
	keeps, knows := map[exchange.OrgID]bool{}, map[exchange.OrgID]bool{}
	if d.Kind == Narrowed {
		after := d.artifact
		after.Handling = d.Handling
		marks, err := tx.ClassesOf(after.Number)
		if err != nil {
			return err
		}
		if keeps, err = s.c.Entitled(tx, d.charter, after, marks); err != nil {
			return err
		}
	}
	if d.object != "" {
		if knows, err = d.knows(s, tx, func(h exchange.HandlingClass) exchange.HandlingClass { return h }); err != nil {
			return err
		}
		// An organisation that was given the artifact but not this object must not
		// learn of it.
		all = slices.DeleteFunc(all, func(h Holder) bool { return !knows[h.Org] })
		if all, err = d.named(s, tx, all); err != nil {
			return err
		}
	}
	for i := range all {
		all[i].Loses = all[i].Holds() && !future && !keeps[all[i].Org]
	}
	d.Holders = all
	return nil
}

// named says by which identifier each holder knows the object. Who may not have it
// as it is, and was given no copy, does not know of it.
func (d *deed) named(s *Service, tx Tx, all []Holder) ([]Holder, error) {
	whole, err := d.knows(s, tx, entire)
	if err != nil {
		return nil, err
	}
	var out []Holder
	for _, h := range all {
		as, err := knownAs(tx, h.Org, d.object)
		if err != nil {
			return nil, err
		}
		if as != d.object || whole[h.Org] {
			h.as = as
			out = append(out, h)
		}
	}
	return out, nil
}

// entire is a class as of objects of which all parts are given.
func entire(h exchange.HandlingClass) exchange.HandlingClass {
	for _, f := range h.Fields {
		h.Handling, h.TLP, h.Held = h.Handling.Join(f.Handling), max(h.TLP, f.Handling.TLP), h.Held || f.Held
	}
	h.Fields = nil
	return h
}

// knows are the organisations that may have some version of the object, under
// what as makes of its classes.
func (d *deed) knows(s *Service, tx Tx, as func(exchange.HandlingClass) exchange.HandlingClass) (map[exchange.OrgID]bool, error) {
	out := map[exchange.OrgID]bool{}
	for _, a := range d.arts {
		classes, err := tx.ClassesOf(a.Number)
		if err != nil {
			return nil, err
		}
		classes = slices.DeleteFunc(classes, func(h exchange.HandlingClass) bool {
			return !slices.ContainsFunc(d.objects, func(o Object) bool { return o.Artifact() == a.Number && o.Class == h.ID })
		})
		for i, h := range classes {
			classes[i] = as(h)
		}
		some, err := s.c.Entitled(tx, d.charter, a, classes)
		if err != nil {
			return nil, err
		}
		for org := range some {
			out[org] = out[org] || some[org]
		}
	}
	return out, nil
}
