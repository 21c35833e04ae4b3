package reshare

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Reply is what an originator says.
type Reply struct {
	Yes       bool
	Condition string    // under which the yes holds; empty: none
	Until     time.Time // an earlier end of the permission; zero: as asked
}

// answers reports whether the actor may speak for its organisation: an operator,
// an approver or a signatory of it, in person or by a token with the verb
// operate.
func answers(a exchange.Actor) bool {
	return !a.Machine && a.May(exchange.VerbOperate) && !a.Capped() &&
		(a.Is(exchange.RoleOperator) || a.Is(exchange.RoleApprover) || a.Is(exchange.RoleSignatory))
}

// Answer gives the answer of the actor's organisation. The last yes takes effect
// with it; a no from anybody ends the request.
//
// Errors: exchange.NotFound for whoever may not know of the request, Denied for
// whoever is no originator or may not speak for one, Conflict when it is decided
// or was answered, Invalid with problems.
func (s *Service) Answer(ctx context.Context, a exchange.Actor, id ID, in Reply) (View, error) {
	in.Condition = strings.TrimSpace(in.Condition)
	answer := func(r Request, now time.Time) Request {
		return r.with(Answer{
			Org: a.Org, Person: a.Person, At: now, Yes: in.Yes, Condition: in.Condition, Until: in.Until.UTC().Truncate(time.Microsecond),
		})
	}
	return s.change(ctx, a, act{soon: answer, find: func(tx Tx) (Request, error) {
		r, p, err := find(tx, a, id)
		if err != nil {
			return r, err
		}
		switch {
		case !p.owner:
			return r, exchange.Fail(exchange.Denied, "only the originators of the item answer; nobody else can, not even who runs the program")
		case !answers(a):
			return r, exchange.Fail(exchange.Denied, "operators, approvers and signatories of an originator answer for it")
		case r.answered(a.Org):
			return r, exchange.Fail(exchange.Conflict, "your organisation has answered this request; what was granted can be revoked")
		case r.State != Open:
			return r, exchange.Fail(exchange.Conflict, "the request is %s; nothing was changed", r.State)
		}
		return r, checkReply(in, r, tx.Now())
	}, do: func(tx Tx, r Request) (Request, error) {
		r = answer(r, tx.Now())
		seq, err := tx.Record(exchange.Event{
			Kind: exchange.EventReshareAnswered, Actor: a, Program: r.Program, Release: r.Release, Org: r.By,
			Subject: []string{string(r.ID), r.Item()},
			Detail: exchange.Detail{
				"yes": in.Yes, "condition": in.Condition != "", "until": in.Until, "seconds": int64(tx.Now().Sub(r.AskedAt) / time.Second),
			},
		})
		if err != nil || r.State != Refused {
			return r, err
		}
		return r, tx.Notify([]exchange.OrgID{r.By}, exchange.Notice{
			Program: r.Program, Kind: exchange.EventReshareAnswered, Event: seq, Text: "The request " + string(r.ID) + " was refused: " + title(r) + ".",
		})
	}})
}

func checkReply(in Reply, r Request, now time.Time) error {
	var ps problems
	if !exchange.Plain(in.Condition) || utf8.RuneCountInString(in.Condition) > 5*maxLine {
		ps.add("condition", "one line of at most %d characters", 5*maxLine)
	}
	if !in.Yes && (in.Condition != "" || !in.Until.IsZero()) {
		ps.add("condition", "belongs to a yes")
	}
	switch {
	case in.Until.IsZero():
	case r.Kind == Loosen:
		ps.add("until", "a handling has no end")
	case !in.Until.After(now):
		ps.add("until", "not in the future; to permit nothing, say no")
	case in.Until.After(r.Until):
		ps.add("until", "later than was asked for")
	}
	if len(ps) > 0 {
		return exchange.InvalidWith("the answer was not understood; nothing was changed", ps)
	}
	return nil
}

// prepared is what a grant needs that cannot be made inside a transaction.
type prepared struct {
	allowed []exchange.OrgID // to whom the item would be given
	art     exchange.Artifact
	class   exchange.HandlingClass // of the objects of the copy
	objs    []CopyObject
}

// errUnprepared says that a grant came about that was not foreseen.
var errUnprepared = errors.New("the grant was not prepared")

// act is one thing that is done with a request.
type act struct {
	find func(Tx) (Request, error)          // or makes it
	soon func(Request, time.Time) Request   // as it will be; nil: it will not be granted by this
	do   func(Tx, Request) (Request, error) // records the act
}

// change does it and stores the request with what follows: effects of a grant,
// and notices.
func (s *Service) change(ctx context.Context, a exchange.Actor, do act) (View, error) {
	for range 4 {
		// What a grant needs is made before the transaction in which it comes about.
		p, err := s.foresee(ctx, do)
		if err != nil {
			return View{}, err
		}
		var v View
		err = s.c.Store.Update(ctx, func(tx Tx) error {
			r, err := do.find(tx)
			if err != nil {
				return err
			}
			was := r.State
			if r, err = do.do(tx, r); err != nil {
				return err
			}
			if err := s.follow(tx, a, was, &r, p); err != nil {
				return err
			}
			if err := tx.PutReshare(r); err != nil {
				return err
			}
			v, err = view(tx, a, r)
			return err
		})
		if !errors.Is(err, errUnprepared) {
			return v, err
		}
	}
	return View{}, exchange.Fail(exchange.Conflict, "others answer the same request at this moment; nothing was changed, answer again")
}

// foresee prepares a grant that the act may bring; nil: it brings none.
func (s *Service) foresee(ctx context.Context, do act) (*prepared, error) {
	var r Request
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		if r, err = do.find(tx); err == nil && do.soon != nil {
			r = do.soon(r, tx.Now())
		}
		return err
	})
	if err != nil || do.soon == nil || r.Kind != Reshare || r.State != Granted && r.State != Conditional {
		return nil, err
	}
	return s.prepare(ctx, r)
}

// follow puts into effect what the act granted.
func (s *Service) follow(tx Tx, a exchange.Actor, was State, r *Request, p *prepared) error {
	if was == Open && (r.State == Granted || r.State == Conditional) {
		return s.grant(tx, a, r, p)
	}
	return nil
}

// announce asks the owners that have not answered.
func announce(tx Tx, r Request, event int64) error {
	name := string(r.By)
	if o, err := tx.Organisation(r.By); err == nil {
		name = o.Name
	}
	var to []exchange.OrgID
	for _, o := range r.Owners {
		if !r.answered(o) {
			to = append(to, o)
		}
	}
	verb := "to pass on"
	if r.Kind == Loosen {
		verb = "to loosen the handling of"
	}
	return tx.Notify(to, exchange.Notice{
		Program: r.Program, Kind: exchange.EventReshareAsked, Event: event,
		Text: fmt.Sprintf("%s asks %s %s (%s). Answer by %s; without an answer it is a no.", name, verb, title(r), r.ID, moment(r.AnswerBy)),
	})
}

// title is how the item is called in notices.
func title(r Request) string {
	if r.Object.ID != "" {
		return r.Object.ID
	}
	return "“" + r.Title + "”"
}

// grant puts what was granted into effect.
func (s *Service) grant(tx Tx, a exchange.Actor, r *Request, p *prepared) error {
	if r.Kind == Loosen {
		return loosen(tx, a, r)
	}
	if p == nil {
		return errUnprepared
	}
	number, err := copied(tx, r, p)
	if err != nil {
		return err
	}
	for _, org := range r.To {
		m, err := tx.Member(r.Program, org)
		if exchange.KindOf(err) == exchange.NotFound || err == nil && m.State != exchange.MemberActive {
			continue
		}
		if err != nil {
			return err
		}
		if number == 0 {
			continue
		}
		until, err := latest(tx, *r, org)
		if err != nil {
			return err
		}
		if err := tx.GiveTo(r.Program, org, []int64{number}, until); err != nil {
			return err
		}
		r.Given = append(r.Given, org)
	}
	// Who is excluded, or has not accepted the agreement, learns nothing.
	r.Told = slices.DeleteFunc(slices.Clone(r.Given), func(o exchange.OrgID) bool { return !slices.Contains(p.allowed, o) })
	n := exchange.Notice{Program: r.Program, Kind: exchange.EventReshareGranted}
	if n.Event, err = record(tx, r, n.Kind, a); err != nil {
		return err
	}
	n.Text = fmt.Sprintf("Its originators gave you %s until %s (%s).", title(*r), moment(r.End()), r.ID)
	if err := tx.Notify(r.Told, n); err != nil {
		return err
	}
	n.Text = "The request " + string(r.ID) + " was granted: " + title(*r) + "."
	if err := tx.Notify([]exchange.OrgID{r.By}, n); err != nil {
		return err
	}
	return tx.BumpGeneration()
}

// copied answers the number of the artifact that is given: that of the item, or
// of a copy of the object, which is stored; 0: there is nothing to give.
func copied(tx Tx, r *Request, p *prepared) (int64, error) {
	if r.Object.ID == "" {
		return r.Number, nil
	}
	if p.art.SHA256 == "" {
		return 0, nil
	}
	of, err := tx.ArtifactByNumber(r.Number)
	if err != nil {
		return 0, err
	}
	art := p.art
	art.Class, art.Handling = of.Class, of.Handling
	art.Handling.TLP = max(art.Handling.TLP, r.TLP)
	release, err := standing(tx, r.Program)
	if err != nil {
		return 0, err
	}
	art.Release = release.ID
	r.Copy, err = tx.PutCopy(art, p.class, p.objs)
	return r.Copy, err
}

// standing is the program's release that has no plan, as the room for
// contributions makes it: nothing in it is given to anybody by the clock.
func standing(tx Tx, program exchange.ProgramID) (exchange.Release, error) {
	r, err := tx.StandingRelease(program)
	if exchange.KindOf(err) != exchange.NotFound {
		return r, err
	}
	now := tx.Now()
	r = exchange.Release{
		ID: exchange.ReleaseID(exchange.RandomID("rel")), Program: program, Title: "Contributions", State: exchange.ReleasePublic,
		Plan: exchange.Plan{T0: now}, Revision: 1, Author: exchange.System().Person, CreatedAt: now, PublicAt: now, Standing: true,
	}
	return r, tx.PutRelease(&r)
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// latest is until when the organisation has the item by all that is granted.
func latest(tx Tx, r Request, org exchange.OrgID) (time.Time, error) {
	end := r.End()
	if r.Object.ID != "" {
		return end, nil // each grant has a copy of its own
	}
	others, err := tx.GrantsOn(r.Number, "")
	if err != nil {
		return end, err
	}
	for _, o := range others {
		if o.ID != r.ID && o.InForce(tx.Now()) && slices.Contains(o.Given, org) {
			end = exchange.Later(end, o.End())
		}
	}
	return end, nil
}

func loosen(tx Tx, a exchange.Actor, r *Request) error {
	art, err := tx.ArtifactByNumber(r.Number)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(art.Handling, r.Before) {
		return exchange.Fail(exchange.Conflict, "the handling changed since this was asked; say no, and ask anew")
	}
	h := r.Wanted
	for _, c := range r.Conditions() {
		h.Statement = strings.TrimPrefix(h.Statement+"\n"+c, "\n")
	}
	if err := tx.SetHandling(r.Number, h); err != nil {
		return err
	}
	seq, err := tx.Record(exchange.Event{
		Kind: exchange.EventHandlingChanged, Actor: a, Program: r.Program, Release: r.Release,
		Subject: []string{string(r.Artifact), string(r.ID)},
		Detail:  exchange.Detail{"from": tlp(art.Handling.TLP), "to": tlp(h.TLP), "originators": words(r.Owners)},
	})
	if err != nil {
		return err
	}
	err = tx.Notify([]exchange.OrgID{r.By}, exchange.Notice{
		Program: r.Program, Kind: exchange.EventHandlingChanged, Event: seq, Text: "The handling of “" + r.Title + "” was changed, as you asked (" + string(r.ID) + ").",
	})
	if err != nil {
		return err
	}
	return tx.BumpGeneration()
}

// tell records what became of the request and notifies organisations of it.
func tell(tx Tx, r *Request, orgs []exchange.OrgID, kind exchange.EventKind, a exchange.Actor, text string) error {
	seq, err := record(tx, r, kind, a)
	if err != nil {
		return err
	}
	return tx.Notify(orgs, exchange.Notice{Program: r.Program, Kind: kind, Event: seq, Text: text})
}

func record(tx Tx, r *Request, kind exchange.EventKind, a exchange.Actor) (seq int64, err error) {
	return tx.Record(exchange.Event{
		Kind: kind, Actor: a, Program: r.Program, Release: r.Release, Org: r.By,
		Subject: []string{string(r.ID), r.Item()},
		Detail:  exchange.Detail{"state": string(r.State), "until": r.End(), "given": words(r.Given), "told": words(r.Told)},
	})
}
