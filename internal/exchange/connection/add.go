package connection

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// DefaultTTL is how long a connection lasts when nothing else is said.
const DefaultTTL = 90 * 24 * time.Hour

// Wanted says what is to be connected.
type Wanted struct {
	Client  string             // the id of one of Clients
	Name    string             // for people; empty: the client's id
	Person  exchange.PersonID  // whose token it is; empty: the actor
	Program exchange.ProgramID // empty: every program of the organisation
	Ceiling exchange.TLP       // nothing above this label is given to it; TLPUnset: as the actor's credential
	Write   bool               // it may hand in objects as well
	TTL     time.Duration      // 0: DefaultTTL
}

// Added is a new connection. Block holds the secret, which cannot be shown again.
type Added struct {
	Shown
	Secret string
	Block  Block
}

const nothingMade = "no connection was made"

// Add issues a token for a machine and returns the settings of its client.
//
// Errors, with nothing made: Invalid for an unknown client or a faulty request,
// Conflict when there is no program to read, and those of issuing a token.
func (s *Service) Add(ctx context.Context, a exchange.Actor, n Wanted) (Added, error) {
	client, ok := ClientByID(n.Client)
	if !ok {
		return Added{}, exchange.InvalidWith(nothingMade, []exchange.Problem{{Path: "client", Message: "unknown; choose from " + clientIDs()}})
	}
	if n.Write && !client.Writes {
		return Added{}, exchange.InvalidWith(nothingMade, []exchange.Problem{{Path: "write", Message: client.Name + " only reads"}})
	}
	n.Name, n.Person, n.TTL = cmp.Or(n.Name, client.ID), cmp.Or(n.Person, a.Person), cmp.Or(n.TTL, DefaultTTL)
	n.Program = cmp.Or(n.Program, a.Program)
	if n.Ceiling == exchange.TLPUnset {
		n.Ceiling = a.Ceiling
	}
	if a.Anonymous() {
		return Added{}, exchange.Missing()
	}
	// Before the token: of their own organisation people know the programs.
	if programs, err := s.programs(ctx, a.Org, n.Program); err != nil {
		return Added{}, err
	} else if len(programs) == 0 && n.Person == a.Person && n.Program == "" {
		return Added{}, noProgram()
	}
	verbs := []exchange.Verb{exchange.VerbRead}
	if n.Write {
		verbs = append(verbs, exchange.VerbSubmit)
	}
	secret, t, err := s.c.Tokens.Issue(ctx, a, Request{
		Person: n.Person, Name: n.Name, Verbs: verbs, Program: n.Program, Ceiling: n.Ceiling, TTL: n.TTL,
	})
	if err != nil {
		return Added{}, err
	}
	out, err := s.keep(ctx, a, client, t, secret)
	if err != nil { // the secret reaches nobody
		return Added{}, errors.Join(err, s.c.Tokens.Revoke(context.WithoutCancel(ctx), a, t.ID))
	}
	return out, nil
}

func noProgram() error {
	return exchange.Fail(exchange.Conflict, "the organisation takes part in no program, so there is nothing to read; %s", nothingMade)
}

// keep stores the connection of a token and makes its block.
func (s *Service) keep(ctx context.Context, a exchange.Actor, client Client, t exchange.Token, secret string) (Added, error) {
	programs, err := s.programs(ctx, t.Org, t.Program)
	if err != nil {
		return Added{}, err
	}
	if len(programs) == 0 {
		return Added{}, noProgram()
	}
	if !slices.Contains(t.Verbs, exchange.VerbSubmit) {
		programs = slices.DeleteFunc(programs, func(p scope) bool { return p.dropBox })
		if len(programs) == 0 {
			return Added{}, exchange.Fail(exchange.Conflict, "the organisation writes there and is given nothing, so there is nothing to read; %s", nothingMade)
		}
	}
	c := Connection{ID: ID(exchange.RandomID("con")), Token: t.ID, Org: t.Org, Client: client.ID}
	block, err := s.block(client, c, t, secret, programs)
	if err != nil {
		return Added{}, err
	}
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		c.CreatedAt = tx.Now()
		if err := tx.AddConnection(c); err != nil {
			return err
		}
		_, err := tx.Record(exchange.Event{
			Kind: exchange.EventConnectionAdded, Actor: a, Program: t.Program, Org: t.Org,
			Subject: []string{string(c.ID), string(t.ID)}, Detail: exchange.Detail{"client": client.ID},
		})
		return err
	})
	if err != nil {
		return Added{}, err
	}
	return Added{Shown: Shown{Connection: c, Scope: t, Warnings: warnings(c, t, s.c.Now())}, Secret: secret, Block: block}, nil
}

// scope is a program that a token may read, as far as its organisation goes.
type scope struct {
	id     exchange.ProgramID
	title  string
	member exchange.Member
	latest int // the agreement version that is required
	// dropBox: its cohort writes and is given nothing, so polls are refused.
	dropBox bool
}

// programs are the programs of a token: the one that it is for, or those of its
// organisation, without those that it has left.
func (s *Service) programs(ctx context.Context, org exchange.OrgID, only exchange.ProgramID) (out []scope, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		out = nil
		members, err := tx.MembershipsOf(org)
		if err != nil {
			return err
		}
		for _, m := range members {
			if only != "" && m.Program != only || only == "" && m.State == exchange.MemberLeft {
				continue
			}
			c, err := tx.Charter(m.Program)
			if err != nil {
				return err
			}
			in := m.Audience.Cohort
			out = append(out, scope{
				m.Program, cmp.Or(c.Title, string(m.Program)), m, c.Required(tx.Now()), c.MayWrite(in) && !c.MayRead(in),
			})
		}
		slices.SortFunc(out, func(a, b scope) int { return cmp.Compare(a.id, b.id) })
		return nil
	})
	return out, err
}

// Remove ends a connection and its token at once. Errors: exchange.NotFound, or
// Denied for who sees it and may not end its token.
func (s *Service) Remove(ctx context.Context, a exchange.Actor, id ID) error {
	c, t, err := s.visible(ctx, a, id)
	if err != nil {
		return err
	}
	if err := s.c.Tokens.Revoke(ctx, a, c.Token); err != nil {
		return err
	}
	return s.c.Store.Update(ctx, func(tx Tx) error {
		now, err := tx.Connection(id)
		if err != nil || !now.RemovedAt.IsZero() {
			return err
		}
		if err := tx.RemoveConnection(id, tx.Now()); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventConnectionRemoved, Actor: a, Program: t.Program, Org: c.Org,
			Subject: []string{string(c.ID), string(c.Token)},
		})
		return err
	})
}
