package membership

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// The longest lives of credentials.
const (
	MaxTokenTTL = 365 * 24 * time.Hour
	MaxLinkTTL  = 72 * time.Hour
)

// TokenRequest says what a machine token shall be good for.
type TokenRequest struct {
	Person  exchange.PersonID // whose roles the token has
	Name    string            // for people, such as "siem-prod"
	Verbs   []exchange.Verb   // at least one
	Program exchange.ProgramID
	Ceiling exchange.TLP
	Machine bool          // a service account: TLP:RED is never given to it
	TTL     time.Duration // above 0, at most MaxTokenTTL
	Hat     string        // of the organisation's; empty: it acts in all of them
	Purpose string        // a short name; empty: none
}

// IssueToken makes a machine token and answers its text, the only time that it
// can be seen: fw_<12 characters>_<52 characters>. Of the secret part only the
// SHA-256 is kept. A token with which an operator or approver operates is issued
// by that person, or on the exchange's own machine, and by nobody else.
func (s *Service) IssueToken(ctx context.Context, actor exchange.Actor, r TokenRequest) (secret string, t exchange.Token, err error) {
	id, key := "fw_"+exchange.RandomSecret()[:12], exchange.RandomSecret()
	hash := sha256.Sum256([]byte(key))
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		p, err := issuable(tx, actor, r.Person)
		if err != nil {
			return err
		}
		if forAnother(actor, p, r) {
			return exchange.Fail(exchange.Denied,
				"only operators and approvers themselves issue tokens with which they operate; send a sign-in link instead. No token was made")
		}
		if err := checkToken(tx, actor, p, r); err != nil {
			return err
		}
		t = exchange.Token{
			ID: exchange.TokenID(id), Person: p.ID, Org: p.Org, Name: r.Name, Verbs: r.Verbs,
			Program: r.Program, Ceiling: r.Ceiling, Machine: r.Machine, Hat: r.Hat, Purpose: r.Purpose,
			CreatedAt: tx.Now(), ExpiresAt: tx.Now().Add(r.TTL),
		}
		if err := tx.PutToken(t, hash[:]); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventTokenIssued, Actor: actor, Program: t.Program, Org: t.Org, Subject: []string{string(t.ID)},
			Detail: exchange.Detail{
				"person": string(t.Person), "verbs": names(t.Verbs), "ceiling": t.Ceiling.String(),
				"machine": t.Machine, "expires": t.ExpiresAt, "hat": t.Hat, "purpose": t.Purpose,
			},
		})
		return err
	})
	if err != nil {
		return "", exchange.Token{}, err
	}
	return id + "_" + key, t, nil
}

// issuable answers a person for whom the actor may issue credentials: the
// actor, or somebody whom they manage.
func issuable(tx Tx, actor exchange.Actor, id exchange.PersonID) (exchange.Person, error) {
	p, err := tx.Person(id)
	if err != nil {
		return exchange.Person{}, err
	}
	if actor.Person != p.ID || !actor.May(exchange.VerbOperate) {
		if p, err = managed(tx, actor, id); err != nil {
			return exchange.Person{}, err
		}
	}
	o, err := tx.Organisation(p.Org)
	switch {
	case err != nil:
		return exchange.Person{}, err
	case !p.SuspendedAt.IsZero() || !o.SuspendedAt.IsZero():
		return exchange.Person{}, exchange.Fail(exchange.Conflict, "the person or the organisation is suspended; no credential was made")
	}
	return p, nil
}

// forAnother reports whether the token would let somebody else approve or run
// programs as the person: whoever held it could be both of two approvers.
func forAnother(actor exchange.Actor, p exchange.Person, r TokenRequest) bool {
	return actor.Person != p.ID && actor.Channel != exchange.ChannelSystem && slices.Contains(r.Verbs, exchange.VerbOperate) &&
		(slices.Contains(p.Roles, exchange.RoleOperator) || slices.Contains(p.Roles, exchange.RoleApprover))
}

func checkToken(tx Tx, actor exchange.Actor, p exchange.Person, r TokenRequest) error {
	var f faults
	f.text("name", r.Name, "what the token is for")
	if len(r.Verbs) == 0 {
		f.add("verbs", "missing: at least one of %v", exchange.AllVerbs)
	}
	for i, v := range r.Verbs {
		if !slices.Contains(exchange.AllVerbs, v) {
			f.add(fmt.Sprintf("verbs[%d]", i), "unknown; choose from %v", exchange.AllVerbs)
		}
	}
	if r.Ceiling > exchange.TLPRed {
		f.add("ceiling", "not a TLP label")
	}
	if r.TTL <= 0 || r.TTL > MaxTokenTTL {
		f.add("ttl", "missing or too long: a token lasts at most 365 days")
	}
	if r.Program != "" {
		takesPart, err := takesPart(tx, p.Org, r.Program)
		if err != nil {
			return err
		}
		if !takesPart { // the same answer for a program that does not exist
			f.add("program", "not a program in which the organisation takes part")
		}
	}
	// A token makes no wider token.
	if !actor.Reaches(r.Program) {
		f.add("program", "wider than the token with which it is asked for")
	}
	if actor.Ceiling != exchange.TLPUnset && (r.Ceiling == exchange.TLPUnset || r.Ceiling > actor.Ceiling) {
		f.add("ceiling", "wider than the token with which it is asked for")
	}
	if err := checkActing(tx, actor, p, r, &f); err != nil {
		return err
	}
	return f.err("no token was made")
}

// checkActing holds the token to a hat of the organisation, and to those of the
// token with which it is asked for.
func checkActing(tx Tx, actor exchange.Actor, p exchange.Person, r TokenRequest, f *faults) error {
	o, err := tx.Organisation(p.Org)
	if err != nil {
		return err
	}
	for _, p := range o.CheckActing(r.Hat, r.Purpose) {
		f.add(p.Path, "%s", p.Message)
	}
	if actor.Token != "" && actor.Hat != "" && r.Hat != actor.Hat {
		f.add("hat", "wider than the token with which it is asked for")
	}
	if actor.Token != "" && actor.Purpose != "" && r.Purpose != actor.Purpose {
		f.add("purpose", "wider than the token with which it is asked for")
	}
	return nil
}

func takesPart(tx Tx, org exchange.OrgID, p exchange.ProgramID) (bool, error) {
	c, err := tx.Charter(p)
	if exchange.KindOf(err) == exchange.NotFound {
		return false, nil
	}
	if err != nil || c.Owner == org {
		return err == nil, err
	}
	_, err = tx.Member(p, org)
	if exchange.KindOf(err) == exchange.NotFound {
		return false, nil
	}
	return err == nil, err
}

// RevokeToken ends a token at once: the actor's own, or that of somebody whom
// they manage. A second time changes nothing.
func (s *Service) RevokeToken(ctx context.Context, actor exchange.Actor, id exchange.TokenID) error {
	return s.c.Store.Update(ctx, func(tx Tx) error {
		t, err := tx.Token(id)
		if err != nil {
			return err
		}
		if actor.Person != t.Person || !actor.May(exchange.VerbOperate) && actor.Token != t.ID {
			if _, err := managed(tx, actor, t.Person); err != nil {
				return err
			}
		}
		if !t.RevokedAt.IsZero() {
			return nil
		}
		t.RevokedAt = tx.Now()
		if err := tx.PutToken(t, nil); err != nil {
			return err
		}
		if err := tx.BumpGeneration(); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventTokenRevoked, Actor: actor, Program: t.Program, Org: t.Org,
			Subject: []string{string(t.ID)}, Detail: exchange.Detail{"person": string(t.Person)},
		})
		return err
	})
}

// Tokens lists an organisation's tokens, without secrets: all of them to who
// manages its people, to others of the organisation their own.
func (s *Service) Tokens(ctx context.Context, actor exchange.Actor, org exchange.OrgID) ([]exchange.Token, error) {
	var all []exchange.Token
	err := s.c.Store.View(ctx, func(tx Tx) error {
		st, err := acquainted(tx, actor, org)
		if err != nil {
			return err
		}
		if all, err = tx.ListTokens(org); err != nil || st >= manager {
			return err
		}
		all = slices.DeleteFunc(all, func(t exchange.Token) bool { return t.Person != actor.Person })
		return nil
	})
	return all, err
}

// IssueLink makes a sign-in link for a person and answers its code, which can
// be seen only now. It works once and for at most 72 hours; only the system
// itself makes links for repeated use, for demonstrations.
func (s *Service) IssueLink(ctx context.Context, actor exchange.Actor, person exchange.PersonID, reusable bool, ttl time.Duration) (code string, err error) {
	code = exchange.RandomSecret()
	hash := sha256.Sum256([]byte(code))
	system := actor.Channel == exchange.ChannelSystem
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		p, err := issuable(tx, actor, person)
		switch {
		case err != nil:
			return err
		case reusable && !system:
			return exchange.Fail(exchange.Denied, "a sign-in link works once")
		case actor.Program != "" || actor.Ceiling != exchange.TLPUnset || actor.Token != "" && (actor.Hat != "" || actor.Purpose != ""):
			return exchange.Fail(exchange.Denied, "a session is wider than the token with which it is asked for")
		case ttl <= 0 || ttl > MaxLinkTTL && !system:
			return exchange.InvalidWith("no link was made", []exchange.Problem{{Path: "ttl", Message: "missing or too long: a link lasts at most 72 hours"}})
		}
		expires := tx.Now().Add(ttl)
		if err := tx.PutLink(Link{Hash: hash[:], Person: p.ID, Reusable: reusable, ExpiresAt: expires}); err != nil {
			return err
		}
		return recordPerson(tx, actor, exchange.EventLinkIssued, p, exchange.Detail{"reusable": reusable, "expires": expires})
	})
	if err != nil {
		return "", err
	}
	return code, nil
}
