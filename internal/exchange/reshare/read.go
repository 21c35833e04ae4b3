package reshare

import (
	"context"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// View is a request as one reader sees it. Originators that stay unnamed stand
// in it only for themselves and for those who run the program.
type View struct {
	Request
	End       time.Time // of the permission
	InForce   bool
	Mine      bool // the reader's organisation asked
	Owner     bool // the reader's organisation is an originator
	Answer    bool // the reader may answer now
	Withdraw  bool // the reader may take the request back
	Revoke    bool // the reader may end what was granted
	CanCopy   bool // the reader may have a copy with the permission on it
	Waiting   int  // originators that have not answered
	Originals int  // originators in all
	Names     map[exchange.OrgID]string
}

// party is what the reader is to a request.
type party struct{ asker, owner, runs bool }

// find reads a request as it stands now, for whoever takes part in it: who
// asked, the originators, and those who run the program. For everybody else it
// does not exist; nor does it for an organisation whose membership is suspended.
func find(tx Tx, a exchange.Actor, id ID) (Request, party, error) {
	if !exchange.HasIDPrefix(string(id), "rsh") {
		return Request{}, party{}, exchange.Missing()
	}
	r, err := tx.Reshare(id)
	if err != nil {
		return Request{}, party{}, err
	}
	p, err := partyTo(tx, a, r)
	if err != nil {
		return Request{}, p, err
	}
	return r.At(tx.Now()), p, nil
}

func partyTo(tx Tx, a exchange.Actor, r Request) (party, error) {
	if !a.Reaches(r.Program) || !a.May(exchange.VerbRead) && !a.May(exchange.VerbFeedback) ||
		a.Ceiling != exchange.TLPUnset && r.TLP > a.Ceiling {
		return party{}, exchange.Missing()
	}
	c, err := tx.Charter(r.Program)
	if err != nil {
		return party{}, err
	}
	p := party{asker: a.Org != "" && a.Org == r.By, owner: slices.Contains(r.Owners, a.Org), runs: a.Oversees(c.Owner)}
	if p.asker || p.owner {
		m, err := tx.Member(r.Program, a.Org)
		if err != nil && exchange.KindOf(err) != exchange.NotFound {
			return party{}, err
		}
		if err == nil && m.State == exchange.MemberSuspended && !p.runs {
			return party{}, exchange.Missing()
		}
	}
	if !p.asker && !p.owner && !p.runs {
		return party{}, exchange.Missing()
	}
	return p, nil
}

// view is the request for its reader.
func view(tx Tx, a exchange.Actor, r Request) (View, error) {
	p, err := partyTo(tx, a, r)
	if err != nil {
		return View{}, err
	}
	now := tx.Now()
	r = r.At(now)
	v := View{
		End: r.End(), InForce: r.InForce(now), Mine: p.asker, Owner: p.owner, Originals: len(r.Owners), Names: map[exchange.OrgID]string{},
		Answer:   p.owner && r.State == Open && !r.answered(a.Org) && answers(a),
		Withdraw: p.asker && r.State == Open && asks(a),
	}
	v.Revoke = p.owner && v.InForce && r.Kind == Reshare && answers(a)
	v.CanCopy = p.asker && v.InForce && r.Kind == Reshare && asks(a)
	for _, o := range r.Owners {
		if !r.answered(o) {
			v.Waiting++
		}
	}
	hide := func(o exchange.OrgID) bool { return r.Unnamed && !p.runs && o != a.Org }
	r.Owners = slices.DeleteFunc(slices.Clone(r.Owners), hide)
	r.Answers = slices.Clone(r.Answers)
	for i, x := range r.Answers {
		if !p.runs && x.Org != a.Org {
			r.Answers[i].Person = ""
		}
		if hide(x.Org) {
			r.Answers[i].Org = ""
		}
	}
	if !p.runs && !p.asker {
		r.Person = ""
	}
	if !p.runs { // whether somebody is a member is not for the parties
		r.Given, r.Told = nil, nil
	}
	r.Number, r.Copy = 0, 0
	v.Request = r
	for _, o := range append(slices.Clone(r.Owners), r.By) {
		if org, err := tx.Organisation(o); err == nil {
			v.Names[o] = org.Name
		} else if exchange.KindOf(err) != exchange.NotFound {
			return v, err
		}
	}
	return v, nil
}

// Read answers one request.
//
// Errors: exchange.NotFound for whoever takes no part in it.
func (s *Service) Read(ctx context.Context, a exchange.Actor, id ID) (v View, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		r, _, err := find(tx, a, id)
		if err != nil {
			return err
		}
		v, err = view(tx, a, r)
		return err
	})
	return v, err
}

// Filter says which requests are listed.
type Filter struct {
	Program exchange.ProgramID // that the reader runs: all of it; empty: those that the reader's organisation takes part in
	Open    bool               // only those that wait for an answer
	Before  ID                 // those asked before this one; empty: from the newest
	Limit   int                // 1 … 500
}

// List answers the requests that the actor may know, newest first. next is the
// request to go on before; empty: there are no more.
func (s *Service) List(ctx context.Context, a exchange.Actor, f Filter) (out []View, next ID, err error) {
	limit := min(max(f.Limit, 1), 500)
	err = s.c.Store.View(ctx, func(tx Tx) error {
		out, next = nil, ""
		all, err := s.page(tx, a, f, limit)
		if err != nil {
			return err
		}
		for _, r := range all {
			if f.Open && r.At(tx.Now()).State != Open {
				continue
			}
			v, err := view(tx, a, r)
			if exchange.KindOf(err) == exchange.NotFound {
				continue
			}
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		if len(all) == limit {
			next = all[limit-1].ID
		}
		return nil
	})
	return out, next, err
}

func (s *Service) page(tx Tx, a exchange.Actor, f Filter, limit int) ([]Request, error) {
	if f.Program == "" {
		if a.Org == "" {
			return nil, nil
		}
		return tx.ResharesOf(a.Org, f.Before, limit)
	}
	c, err := tx.Charter(f.Program)
	if err != nil {
		return nil, err
	}
	if !a.Reaches(c.ID) || !a.Oversees(c.Owner) {
		return nil, exchange.Missing()
	}
	return tx.ResharesIn(f.Program, f.Before, limit)
}

// Times is how long originators took to answer, from the question to each
// answer that was not the asker's own. Requests that lapsed have no answer and
// are counted apart.
type Times struct {
	Answers int
	Lapsed  int
	Median  time.Duration
	P90     time.Duration
}

const mostTimes = 10_000 // requests that answer times are computed from, the newest

// AnswerTimes measures a program, for those who run it.
func (s *Service) AnswerTimes(ctx context.Context, a exchange.Actor, program exchange.ProgramID) (t Times, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		all, err := s.page(tx, a, Filter{Program: program}, mostTimes)
		if err != nil {
			return err
		}
		t = times(all, tx.Now())
		return nil
	})
	return t, err
}

// times computes the measure: the median is the lower middle, and the 90th
// percentile the nearest rank.
func times(all []Request, now time.Time) Times {
	var t Times
	var took []time.Duration
	for _, r := range all {
		if r.At(now).State == Lapsed {
			t.Lapsed++
		}
		for _, a := range r.Answers {
			if a.Org != r.By {
				took = append(took, a.At.Sub(r.AskedAt))
			}
		}
	}
	slices.Sort(took)
	if t.Answers = len(took); t.Answers > 0 {
		t.Median, t.P90 = took[(len(took)-1)/2], took[(9*len(took)+9)/10-1]
	}
	return t
}
