package submission

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Parent is something that the submitter may have and makes something from.
type Parent struct {
	ID       string
	Release  exchange.ReleaseID
	Handling exchange.Handling // with what the markings of its objects say
	TLP      exchange.TLP      // effective now: what will be CLEAR is AMBER until it is public
	Owners   []exchange.OrgID
}

// Relations say how something was made from something else.
var Relations = []string{"summary", "tear-line", "report"}

const maxParents = 200

// derive puts the artifact under what it was made from: its handling becomes
// the join of its own and of every parent's, and its owners are theirs
// together. It answers what is wrong; what became tighter stands in j.tightened.
func (j *job) derive(ctx context.Context) ([]exchange.Problem, error) {
	parents, ps, err := j.parents(ctx)
	if err != nil || len(parents) == 0 || len(ps) > 0 {
		return ps, err
	}
	a := &j.art
	stated := a.Handling
	for _, p := range parents {
		h := p.Handling
		if p.Release != a.Release { // the other release's clock is not this one's
			h.TLP = max(h.TLP, p.TLP)
		}
		a.Handling = a.Handling.Join(h)
		a.Originators = append(a.Originators, p.Owners...)
		a.DerivedFrom = append(a.DerivedFrom, p.ID)
	}
	if a.Handling.TLP == exchange.TLPRed && len(a.Handling.Persons) == 0 {
		a.Handling.Persons = []exchange.PersonID{exchange.Nobody}
	}
	a.DerivedFrom = sorted(a.DerivedFrom)
	a.Originators = sorted(a.Originators)
	j.tightened = tightened(stated, a.Handling)
	return nil, nil
}

// parents looks up what the artifact was made from. What it supersedes counts
// with its own parents: a correction is not a way out of them.
func (j *job) parents(ctx context.Context) ([]Parent, []exchange.Problem, error) {
	a := &j.art
	a.Relation = j.in.Relation
	var ps []exchange.Problem
	add := func(path, msg string) { ps = append(ps, exchange.Problem{Path: path, Message: msg}) }
	var out []Parent
	for i, id := range j.in.DerivedFrom {
		path := fmt.Sprintf("derived_from[%d]", i)
		if i == maxParents {
			add("derived_from", fmt.Sprintf("at most %d", maxParents))
			break
		}
		if id = strings.TrimSpace(id); j.s.c.Parent == nil || id == "" {
			add(path, "write the identifier of an artifact or of a STIX object")
			continue
		}
		p, err := j.s.c.Parent(ctx, j.actor, a.Program, id)
		if exchange.KindOf(err) == exchange.NotFound {
			add(path, "you have nothing with this identifier in this program")
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("looking up what was derived from: %w", err)
		}
		out = append(out, p)
	}
	if old := j.old; j.super && len(old.Originators) > 0 {
		out = append(out, Parent{ID: string(old.ID), Release: old.Release, Handling: old.Handling, TLP: old.Handling.TLP, Owners: old.Owners()})
		if a.Relation == "" {
			a.Relation = old.Relation
		}
	}
	switch {
	case len(j.in.DerivedFrom) > 0 && !slices.Contains(Relations, j.in.Relation):
		add("relation", "say how it was made: "+strings.Join(Relations, ", "))
	case len(j.in.DerivedFrom) == 0 && j.in.Relation != "":
		add("relation", "say from what it was made, too")
	}
	return out, ps, nil
}

func sorted[T ~string](all []T) []T {
	slices.Sort(all)
	return slices.Compact(all)
}

// tightened says, for each dimension, what of the stated handling did not hold.
func tightened(stated, got exchange.Handling) (out []exchange.Problem) {
	say := func(field, format string, args ...any) {
		out = append(out, exchange.Problem{
			Path: "handling." + field, Code: "derived",
			Message: fmt.Sprintf(format, args...) + ", as of what it was made from; its originators can loosen it",
		})
	}
	if got.TLP != stated.TLP {
		say("tlp", "%s became %s", stated.TLP, got.TLP)
	}
	if got.PAP != stated.PAP {
		say("pap", "%s became %s", stated.PAP, got.PAP)
	}
	if !slices.EqualFunc(got.AllowLists(), stated.AllowLists(), sameList) {
		say("organisations", "fewer organisations may have it")
	}
	for _, l := range []struct {
		field, text string
		more        bool
	}{
		{"persons", "the named persons are fewer", !sameSet(got.Persons, stated.Persons)},
		{"purposes", "it may be read for fewer purposes", !sameSet(got.Purposes, stated.Purposes)},
		{"not_organisations", "more organisations are excluded", !sameSet(got.NotOrgs, stated.NotOrgs)},
		{"not_cohorts", "more cohorts are excluded", !sameSet(got.NotCohorts, stated.NotCohorts)},
		{"not_hats", "more hats are excluded", !sameSet(got.NotHats, stated.NotHats)},
		{"not_in", "more jurisdictions are excluded", !sameSet(got.NotIn, stated.NotIn)},
		{"from", "it is given later", !got.From.Equal(stated.From)},
		{"expires", "it expires earlier", !got.Expires.Equal(stated.Expires)},
		{"statement", "conditions were added", got.Statement != stated.Statement && got.Statement != stated.Join(stated).Statement},
		{"actions", "fewer actions are permitted", got.Actions != stated.Actions},
		{"encrypt", "it has to be encrypted in transit", got.Encrypt != stated.Encrypt},
		{"notify", "affected parties may not be told", got.Notify != stated.Notify},
		{"resale", "it may not be resold", got.Resale != stated.Resale},
		{"attribution", "who may be named changed", got.Attribution != stated.Attribution},
		{"references", "policies were added", !sameSet(got.References, stated.References)},
	} {
		if l.more {
			say(l.field, "%s", l.text)
		}
	}
	return out
}

func sameSet[T ~string](a, b []T) bool {
	return slices.Equal(sorted(slices.Clone(a)), sorted(slices.Clone(b)))
}

func sameList(a, b exchange.AllowList) bool {
	return slices.Equal(a.Organisations, b.Organisations) && slices.Equal(a.Groups, b.Groups) && slices.Equal(a.Sectors, b.Sectors)
}
