package submission

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/marking"
)

// namesOf holds names in markings against the register and the charter.
func namesOf(tx Register, c exchange.Charter) marking.Names {
	n := naming{tx: tx, charter: c}
	return marking.Names{
		Charter: c,
		Organisation: func(id exchange.OrgID) (bool, error) {
			_, err := tx.Organisation(id)
			return n.known(err), n.err
		},
		Person: func(name string) (exchange.PersonID, bool, error) {
			id, ok := n.person(name)
			return id, ok, n.err
		},
	}
}

// warnings say that parts of objects are withheld, which no other number says.
func (g staged) warnings() []exchange.Problem {
	if g.parts == 0 {
		return nil
	}
	return []exchange.Problem{{
		Path: "$.objects", Code: "stix.marking-held",
		Message: fmt.Sprintf("parts of %d objects are withheld: a granular marking is not understood; those who run the program have to look at it", g.parts),
	}}
}

// hold notes what the artifact's markings hold.
func (j *job) hold(tx Tx, g staged) error {
	if len(g.open) == 0 {
		return nil
	}
	said, err := tx.Resolutions(j.art.Program)
	if err != nil {
		return err
	}
	for _, o := range g.open {
		if slices.ContainsFunc(said, func(r exchange.MarkingResolution) bool { return r.Ref == o.Ref }) {
			return exchange.Fail(exchange.Conflict, "it was said meanwhile what a marking asks; nothing was stored, hand it in again")
		}
	}
	_, err = tx.HoldMarkings(j.art.Program, g.open)
	return err
}

// tell tells the program's owner that something is held.
func (j *job) tell(tx Tx, a exchange.Artifact, g staged, seq int64) error {
	if g.held+g.parts == 0 {
		return nil
	}
	return tx.Notify([]exchange.OrgID{j.charter.Owner}, exchange.Notice{
		Program: a.Program, Release: a.Release, Kind: exchange.EventArtifactSubmitted, Event: seq,
		Text: fmt.Sprintf("Markings that nobody understands hold %d objects of %s, and parts of %d. Say what they ask.", g.held, a.Title, g.parts),
	})
}

// Queue is what is held in a program, and what was said before.
type Queue struct {
	Held     []exchange.HeldIn
	Resolved []exchange.MarkingResolution
}

// Held lists what waits for those who run the program, because a marking of it
// is not understood. For everybody else there is no such list.
func (s *Service) Held(ctx context.Context, actor exchange.Actor, program exchange.ProgramID) (q Queue, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		c, err := tx.Charter(program)
		if err != nil {
			return err
		}
		if !actor.Reaches(program) || !actor.Oversees(c.Owner) {
			return exchange.Missing()
		}
		if q.Held, err = tx.Held(program); err != nil {
			return err
		}
		q.Resolved, err = tx.Resolutions(program)
		return err
	})
	return q, err
}

const maxReason = 1000

// ResolveMarking says what a marking asks that nobody understands: from now on
// what it held is under h as well, and so is what bears it later. It can only
// tighten what the artifact itself asks. What was said is not said anew: correct
// it by handing the artifacts in again. The answer is how many objects are free
// of it.
func (s *Service) ResolveMarking(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, ref string, h exchange.Handling, reason string) (objects int64, err error) {
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		c, err := tx.Charter(program)
		if err != nil {
			return err
		}
		if !actor.Reaches(program) || !actor.Oversees(c.Owner) {
			return exchange.Missing()
		}
		if !actor.Operates(c.Owner) {
			return exchange.Fail(exchange.Denied, "only operators of the program say what a marking asks")
		}
		if h, err = said(tx, c, ref, h, reason); err != nil {
			return err
		}
		objects, err = free(tx, program, ref, h)
		if err != nil {
			return err
		}
		r := exchange.MarkingResolution{Ref: ref, Handling: h, Reason: strings.TrimSpace(reason), By: actor.Person, At: tx.Now()}
		if err := tx.PutResolution(program, r); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventMarkingResolved, Actor: actor, Program: program, Subject: []string{ref},
			Detail: exchange.Detail{"tlp": h.TLP.String(), "pap": h.PAP.String(), "reason": r.Reason, "objects": objects},
		})
		if err != nil {
			return err
		}
		return tx.BumpGeneration()
	})
	return objects, err
}

// said checks what is said of a marking.
func said(tx Tx, c exchange.Charter, ref string, h exchange.Handling, reason string) (exchange.Handling, error) {
	var ps []exchange.Problem
	if !markingID(ref) {
		ps = append(ps, exchange.Problem{Path: "ref", Message: "not the id of a marking-definition"})
	}
	if h.TLP == exchange.TLPUnset {
		ps = append(ps, exchange.Problem{Path: "tlp", Message: "say which label the marking stands for"})
	}
	if r := strings.TrimSpace(reason); r == "" || len(r) > maxReason || !exchange.Storable(r) {
		ps = append(ps, exchange.Problem{Path: "reason", Message: "say in at most 1000 bytes how it is known what the marking asks"})
	}
	h, unknown, err := settled(tx, c, h)
	if err != nil {
		return h, err
	}
	if ps = append(ps, unknown...); len(ps) > 0 {
		return h, exchange.InvalidWith("it was not understood what the marking asks; nothing was changed", ps)
	}
	earlier, err := tx.Resolutions(c.ID)
	if err != nil {
		return h, err
	}
	if slices.ContainsFunc(earlier, func(r exchange.MarkingResolution) bool { return r.Ref == ref }) {
		return h, exchange.Fail(exchange.Conflict, "it was said already what this marking asks")
	}
	return h.Join(exchange.Handling{}), nil
}

func markingID(s string) bool {
	uuid, ok := strings.CutPrefix(s, "marking-definition--")
	return ok && len(uuid) == 36 && strings.Trim(uuid, "0123456789abcdefABCDEF-") == ""
}

// free puts what ref held under h, and answers how many objects that were.
func free(tx Tx, program exchange.ProgramID, ref string, h exchange.Handling) (objects int64, err error) {
	held, err := tx.HeldBy(program, ref)
	if err != nil {
		return 0, err
	}
	for _, m := range held {
		c, err := tx.HandlingClass(m.Class)
		if err != nil {
			return 0, err
		}
		open, err := tx.OpenIn(m.Class)
		if err != nil {
			return 0, err
		}
		still := slices.ContainsFunc(open, func(o exchange.HeldMarking) bool { return o.Whole && o.Ref != ref })
		if err := tx.ChangeClass(marking.Resolve(c, ref, h, m.Whole, still)); err != nil {
			return 0, err
		}
		objects += m.Objects
	}
	return objects, tx.ReleaseMarking(program, ref)
}
