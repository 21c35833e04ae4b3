package recall

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// narrowed is a handling with what an act makes stricter; problems name what
// would loosen it. The result always equals its own join with what was before.
func narrowed(old, to exchange.Handling) (exchange.Handling, []exchange.Problem) {
	var ps []exchange.Problem
	loosens := func(path, text string) {
		ps = append(ps, exchange.Problem{Path: path, Message: text + "; a narrowing only tightens, and a loosening is asked of every originator"})
	}
	level := func(path string, was, will uint8) {
		if will != 0 && will < was {
			loosens(path, "less strict than what holds now")
		}
	}
	level("handling.tlp", uint8(old.TLP), uint8(to.TLP))
	level("handling.pap", uint8(old.PAP), uint8(to.PAP))
	level("handling.actions", uint8(old.Actions), uint8(to.Actions))
	level("handling.encrypt", uint8(old.Encrypt), uint8(to.Encrypt))
	level("handling.notify", uint8(old.Notify), uint8(to.Notify))
	level("handling.resale", uint8(old.Resale), uint8(to.Resale))
	if a := old.Join(to).Attribution; a == exchange.AttributionConflict && old.Attribution != a {
		loosens("handling.attribution", "contradicts what holds now")
	} else {
		level("handling.attribution", uint8(old.Attribution), uint8(to.Attribution))
	}
	beyond(loosens, "handling.persons", old.Persons, to.Persons)
	beyond(loosens, "handling.purposes", old.Purposes, to.Purposes)
	if is, was := to.AllowLists(), old.AllowLists(); len(is) > 0 && len(was) > 0 && !within(is, was) {
		loosens("handling.organisations", "names somebody who may not have it now")
	}
	if !to.From.IsZero() && to.From.Before(old.From) {
		loosens("handling.from", "earlier than what holds now")
	}
	if !to.Expires.IsZero() && !old.Expires.IsZero() && to.Expires.After(old.Expires) {
		loosens("handling.expires", "later than what holds now")
	}
	if len(ps) > 0 {
		return old, ps
	}
	out := old.Join(to)
	if reflect.DeepEqual(out, old.Join(old)) {
		ps = append(ps, exchange.Problem{Path: "handling", Message: "makes nothing stricter"})
	}
	return out, append(ps, out.Check("handling")...)
}

// beyond reports values that a list which is a limit already does not hold.
func beyond[T ~string](loosens func(path, text string), path string, was, will []T) {
	if len(was) == 0 {
		return
	}
	for _, v := range will {
		if !slices.Contains(was, v) {
			loosens(path, "names somebody or something that is not permitted now")
			return
		}
	}
}

// within reports whether each new list lies in each old one.
func within(is, was []exchange.AllowList) bool {
	for _, n := range is {
		for _, o := range was {
			if !subset(n.Organisations, o.Organisations) || !subset(n.Groups, o.Groups) || !subset(n.Sectors, o.Sectors) {
				return false
			}
		}
	}
	return true
}

func subset[T comparable](a, b []T) bool {
	return !slices.ContainsFunc(a, func(v T) bool { return !slices.Contains(b, v) })
}

// handling is the handling after the act; the zero value: it stays.
func (t target) handling(tx Tx, act Act, now time.Time) (exchange.Handling, error) {
	const refused = "the handling was not changed"
	old := t.artifact.Handling
	switch act.Kind {
	case Expired:
		at := act.At.UTC().Truncate(time.Microsecond)
		if at.Before(now) {
			at = now
		}
		if !old.Expires.IsZero() && at.After(old.Expires) {
			return old, exchange.InvalidWith(refused, []exchange.Problem{{Path: "at", Message: "later than the expiry that holds now; an expiry is only brought forward"}})
		}
		if at.Equal(old.Expires) {
			return old, exchange.Fail(exchange.Conflict, "it expires at that instant already"+noMore)
		}
		old.Expires = at
		return old, nil
	case Narrowed:
		ps, err := named(tx, &act)
		if err != nil {
			return old, err
		}
		h, more := narrowed(old, act.Handling)
		if ps = append(ps, more...); len(ps) > 0 {
			return old, exchange.InvalidWith(refused, ps)
		}
		return h, nil
	}
	return old, nil
}

// named resolves who an act names, and finds who does not exist.
func named(tx Tx, act *Act) (ps []exchange.Problem, err error) {
	unknown := func(path string) {
		ps = append(ps, exchange.Problem{Path: path, Message: "no such organisation or person"})
	}
	h := &act.Handling
	for _, login := range act.Persons {
		p, err := tx.PersonByLogin(strings.TrimSpace(login))
		if exchange.KindOf(err) == exchange.NotFound {
			p, err = tx.Person(exchange.PersonID(strings.TrimSpace(login)))
		}
		if exchange.KindOf(err) == exchange.NotFound {
			unknown("handling.persons")
			continue
		}
		if err != nil {
			return nil, err
		}
		h.Persons = append(h.Persons, p.ID)
	}
	for path, list := range map[string][]exchange.OrgID{"handling.organisations": h.Organisations, "handling.not_organisations": h.NotOrgs} {
		for _, id := range list {
			if _, err := tx.Organisation(id); exchange.KindOf(err) == exchange.NotFound {
				unknown(path)
			} else if err != nil {
				return nil, err
			}
		}
	}
	for i, code := range h.NotIn {
		if h.NotIn[i] = strings.ToUpper(strings.TrimSpace(code)); !exchange.ValidCountry(h.NotIn[i]) {
			ps = append(ps, exchange.Problem{Path: "handling.not_in", Message: "no ISO 3166-1 alpha-2 code"})
		}
	}
	slices.SortFunc(ps, func(a, b exchange.Problem) int { return strings.Compare(a.Path, b.Path) })
	return ps, nil
}
