package reshare

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Question is what somebody asks.
type Question struct {
	Program exchange.ProgramID // needed for a STIX object
	Item    string             // an artifact's identifier or a STIX object's
	Kind    Kind
	To      []exchange.OrgID // by their short names; whether they exist is not said
	Outside []string         // whom the exchange does not know, in words
	Why     string
	Until   time.Time // zero: as long as the charter permits
	Change  Change    // of Loosen
}

// Change is the looser handling that is asked for. What it leaves out stays.
type Change struct {
	TLP           exchange.TLP
	PAP           exchange.PAP
	Organisations []exchange.OrgID // in place of every allow-list
	Drop          []string         // of Droppable
}

// Droppable are the restrictions that a change can take away.
var Droppable = []string{
	"organisations", "persons", "purposes", "not_organisations", "not_cohorts", "not_hats", "not_in", "from", "expires",
	"statement", "actions", "encrypt", "notify", "resale", "attribution",
}

func (c Change) empty() bool {
	return c.TLP == exchange.TLPUnset && c.PAP == exchange.PAPUnset && len(c.Organisations)+len(c.Drop) == 0
}

// apply is the handling after the change.
func (c Change) apply(h exchange.Handling) exchange.Handling {
	for _, d := range c.Drop {
		switch d {
		case "organisations":
			h.Organisations, h.Groups, h.Sectors, h.Also = nil, nil, nil, nil
		case "persons":
			h.Persons = nil
		case "purposes":
			h.Purposes = nil
		case "not_organisations":
			h.NotOrgs = nil
		case "not_cohorts":
			h.NotCohorts = nil
		case "not_hats":
			h.NotHats = nil
		case "not_in":
			h.NotIn = nil
		case "from":
			h.From = time.Time{}
		case "expires":
			h.Expires = time.Time{}
		case "statement":
			h.Statement = ""
		case "actions":
			h.Actions = exchange.ActionsUnset
		case "encrypt":
			h.Encrypt = exchange.DutyUnset
		case "notify":
			h.Notify = exchange.DutyUnset
		case "resale":
			h.Resale = exchange.DutyUnset
		case "attribution":
			h.Attribution = exchange.AttributionUnset
		}
	}
	if len(c.Organisations) > 0 {
		h.Organisations, h.Groups, h.Sectors, h.Also = c.Organisations, nil, nil, nil
	}
	if c.TLP != exchange.TLPUnset {
		h.TLP = c.TLP
		if c.TLP < exchange.TLPRed && slices.Equal(h.Persons, []exchange.PersonID{exchange.Nobody}) {
			h.Persons = nil
		}
	}
	if c.PAP != exchange.PAPUnset {
		h.PAP = c.PAP
	}
	return h
}

// RelationCopy is how the copy of an object, which was given by a grant, was made
// from it.
const RelationCopy = "copy"

// About is what somebody who may ask needs to know beforehand.
type About struct {
	Program exchange.ProgramID
	Item    string
	Title   string
	TLP     exchange.TLP
	Whole   bool // an artifact, whose handling can be loosened
	Within  time.Duration
	Longest time.Duration
}

// About answers for an item that the actor may have and may ask about.
//
// Errors: exchange.NotFound, Denied.
func (s *Service) About(ctx context.Context, a exchange.Actor, program exchange.ProgramID, item string) (About, error) {
	held, err := s.c.Items.Held(ctx, a, program, item)
	if err != nil {
		return About{}, err
	}
	if !asks(a) {
		return About{}, denied()
	}
	out := About{Program: held.Artifact.Program, Item: item, Title: held.Artifact.Title, TLP: held.TLP, Whole: held.Object.ID == ""}
	if !out.Whole {
		out.Title = item
	}
	err = s.c.Store.View(ctx, func(tx Tx) error {
		c, err := tx.Charter(out.Program)
		out.Within, out.Longest = c.Resharing.Within(), c.Resharing.Longest()
		return err
	})
	return out, err
}

func denied() error {
	return exchange.Fail(exchange.Denied, "only analysts and operators, and tokens with the verb feedback, ask to re-share")
}

const (
	maxTo   = 100
	maxWhy  = 4000 // characters
	maxLine = 200
	maxOpen = 200 // requests of one organisation that wait for answers
)

// asks reports whether the actor may ask anything: an analyst or an operator, or
// a token for feedback.
func asks(a exchange.Actor) bool {
	return a.Org != "" && a.May(exchange.VerbFeedback) && (a.Is(exchange.RoleAnalyst) || a.Is(exchange.RoleOperator) || a.Token != "")
}

// Ask puts a question to the originators of an item that the actor may have. An
// originator that asks has said yes for itself; where it is the only one, the
// answer is there at once.
//
// Errors: exchange.NotFound when the actor has no such item, Denied, Invalid
// with problems, Exhausted when too many requests wait.
func (s *Service) Ask(ctx context.Context, a exchange.Actor, q Question) (View, error) {
	held, err := s.c.Items.Held(ctx, a, q.Program, strings.TrimSpace(q.Item))
	if err != nil {
		return View{}, err
	}
	if !asks(a) {
		return View{}, denied()
	}
	var r Request
	err = s.c.Store.View(ctx, func(tx Tx) error {
		c, err := tx.Charter(held.Artifact.Program)
		if err != nil {
			return err
		}
		if r, err = request(a, q, held, c, tx.Now()); err != nil {
			return err
		}
		r.Title = held.Artifact.Title
		return room(tx, a.Org)
	})
	if err != nil {
		return View{}, err
	}
	own := func(r Request, now time.Time) Request {
		if slices.Contains(r.Owners, a.Org) {
			r = r.with(Answer{Org: a.Org, Person: a.Person, At: now, Yes: true})
		}
		return r
	}
	return s.change(ctx, a, act{soon: own, find: func(Tx) (Request, error) { return r, nil }, do: func(tx Tx, r Request) (Request, error) {
		seq, err := tx.Record(exchange.Event{
			Kind: exchange.EventReshareAsked, Actor: a, Program: r.Program, Release: r.Release,
			Subject: []string{string(r.ID), r.Item()}, Detail: asked(r),
		})
		if err != nil {
			return r, err
		}
		r = own(r, tx.Now())
		return r, announce(tx, r, seq)
	}})
}

func asked(r Request) exchange.Detail {
	return exchange.Detail{
		"kind": string(r.Kind), "to": words(r.To), "outside": len(r.Outside), "until": r.Until, "answer_by": r.AnswerBy,
		"originators": words(r.Owners), "tlp": tlp(r.Wanted.TLP),
	}
}

func tlp(l exchange.TLP) string {
	if l == exchange.TLPUnset {
		return ""
	}
	return l.String()
}

func words[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, w := range all {
		out[i] = string(w)
	}
	return out
}

// room refuses one request too many.
func room(tx Tx, org exchange.OrgID) error {
	all, err := tx.ResharesOf(org, "", 5*maxOpen)
	if err != nil {
		return err
	}
	open := 0
	for _, r := range all {
		if r.By == org && r.At(tx.Now()).State == Open {
			open++
		}
	}
	if open >= maxOpen {
		return exchange.Fail(exchange.Exhausted, "%d requests of your organisation wait for answers; nothing was asked", open)
	}
	return nil
}

var stixSlug = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// request checks a question and makes the request of it.
func request(a exchange.Actor, q Question, held Held, c exchange.Charter, now time.Time) (Request, error) {
	r := Request{
		ID: ID(exchange.RandomID("rsh")), Program: c.ID, Release: held.Release, Artifact: held.Artifact.ID,
		Number: held.Artifact.Number, Object: held.Object, TLP: held.TLP, Kind: q.Kind, By: a.Org, Person: a.Person,
		Why: strings.TrimSpace(q.Why), AskedAt: now, AnswerBy: now.Add(c.Resharing.Within()), State: Open,
		Owners: slices.Clone(held.Owners), Unnamed: unnamed(held, c),
	}
	slices.Sort(r.Owners)
	var ps problems
	if r.Why == "" {
		ps.add("why", "say what it is for: the originators decide on it")
	}
	if !exchange.Storable(r.Why) || utf8.RuneCountInString(r.Why) > maxWhy {
		ps.add("why", "at most %d characters", maxWhy)
	}
	if len(r.Owners) == 0 {
		ps.add("item", "nobody is known as its originator")
	}
	switch q.Kind {
	case Reshare:
		ps.reshare(&r, q, c, now)
	case Loosen:
		ps.loosen(&r, q, held)
	default:
		ps.add("kind", "choose reshare or loosen")
	}
	if len(ps) > 0 {
		return r, exchange.InvalidWith("the request was not understood; nothing was asked", ps)
	}
	return r, nil
}

// unnamed reports whether the originators are not to be named to readers.
func unnamed(h Held, c exchange.Charter) bool {
	if h.Handling.Attribution >= exchange.AttributionMustNot {
		return true
	}
	members := h.Artifact.Kind == exchange.ArtifactJournal || len(h.Artifact.Originators) > 0
	return members && c.Visibility.MembersSee != exchange.SeeNames
}

type problems []exchange.Problem

func (ps *problems) add(path, format string, args ...any) {
	*ps = append(*ps, exchange.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (ps *problems) reshare(r *Request, q Question, c exchange.Charter, now time.Time) {
	if !q.Change.empty() {
		ps.add("handling", "belongs to the kind loosen")
	}
	for i, o := range q.To {
		o = exchange.OrgID(strings.TrimSpace(string(o)))
		switch path := fmt.Sprintf("to[%d]", i); {
		case !stixSlug.MatchString(string(o)):
			ps.add(path, "write an organisation's short name; whom the exchange does not know stands in outside")
		case o == r.By:
			ps.add(path, "your own organisation has it already")
		}
		r.To = append(r.To, o)
	}
	slices.Sort(r.To)
	r.To = slices.Compact(r.To)
	for i, text := range q.Outside {
		if text = strings.TrimSpace(text); text == "" || !exchange.Plain(text) || utf8.RuneCountInString(text) > maxLine {
			ps.add(fmt.Sprintf("outside[%d]", i), "one line of at most %d characters", maxLine)
		}
		r.Outside = append(r.Outside, text)
	}
	if len(r.To)+len(r.Outside) == 0 {
		ps.add("to", "say to whom")
	}
	if len(r.To)+len(r.Outside) > maxTo {
		ps.add("to", "at most %d recipients", maxTo)
	}
	longest := now.Add(c.Resharing.Longest())
	switch r.Until = q.Until.UTC().Truncate(time.Microsecond); {
	case q.Until.IsZero():
		r.Until = longest
	case !r.Until.After(now):
		ps.add("until", "not in the future")
	case r.Until.After(longest):
		ps.add("until", "the charter permits %d days at most", int(c.Resharing.Longest().Hours()/24))
	}
}

func (ps *problems) loosen(r *Request, q Question, held Held) {
	if held.Object.ID != "" {
		ps.add("item", "the handling of one STIX object is in its markings: its originator hands in a new version")
		return
	}
	if len(q.To)+len(q.Outside) > 0 {
		ps.add("to", "belongs to the kind reshare")
	}
	if !q.Until.IsZero() {
		ps.add("until", "a handling has no end: belongs to the kind reshare")
	}
	for i, d := range q.Change.Drop {
		if !slices.Contains(Droppable, d) {
			ps.add(fmt.Sprintf("handling.drop[%d]", i), "choose of %s", strings.Join(Droppable, ", "))
		}
	}
	r.Before = held.Artifact.Handling
	r.Wanted = q.Change.apply(r.Before)
	if reflect.DeepEqual(r.Wanted, r.Before) {
		ps.add("handling", "that is how it is handled now")
	}
	*ps = append(*ps, r.Wanted.Check("handling")...)
}
