package delivery

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// A view is what one credential may see of one program. It keeps the verdict
// of each handling class until the clock changes it, and lives no longer than
// the facts that it was made from.
type view struct {
	none     bool // the program does not exist for the reader
	charter  exchange.Charter
	edition  exchange.Edition // of the charter, under which everything is decided
	sources  sources
	required int       // agreement version
	lapses   time.Time // when another version is required; zero: as long as the facts
	r        policy.Recipient
	hidden   map[exchange.OrgID]bool // members whose names are kept from the others
	windows  []window                // what it reads of feeds
	kept     []stretch               // what it reads of spans that have ended, in order
	keptOf   map[int64][]int32

	arrivals   atomic.Int64  // as of which members' writing is known
	remembered *atomic.Int64 // by all views of the same facts

	mu      sync.Mutex
	classes map[int64]*class // handling classes, by number
	latest  *class           // the artifact that was asked about last, without handling classes
	listed  *listing
	memory  memory
}

func newView(c exchange.Charter, r policy.Recipient, now time.Time) *view {
	v := &view{charter: c, required: c.Required(now), r: r, classes: map[int64]*class{}, remembered: new(atomic.Int64)}
	if v.required != c.Agreement.Version {
		v.lapses = c.Calendar.StartOfDay(c.Agreement.Effective)
	}
	return v
}

// class is a handling class, or an artifact as a whole, as this reader sees it.
type class struct {
	artifact exchange.Artifact
	release  exchange.Release
	item     policy.Item
	decision policy.Decision
	marks    []exchange.HandlingClass // of an artifact as a whole: of its objects
	whole    bool                     // every object may be had
}

// cached is what was worked out from one generation of facts.
type cached struct {
	generation  int64
	views       map[viewKey]*view
	collections []Collection
	remembered  *atomic.Int64
}

type viewKey struct {
	client  string
	org     exchange.OrgID
	channel exchange.Channel
	program exchange.ProgramID
	acting  acting
}

// acting is in which hat, and for what, somebody reads. The same person may
// read differently in another: nothing that is kept for a reader is kept
// without it.
type acting struct{ hat, purpose string }

func actingOf(a exchange.Actor) acting { return acting{a.Hat, a.Purpose} }

const maxViews = 5000

// current returns what is known as of now's facts, with the waves open whose
// moment has come.
func (s *Service) current(ctx context.Context) (*cached, error) {
	if err := s.c.Due(ctx); err != nil {
		return nil, err
	}
	generation, err := s.c.Generation(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || s.known.generation != generation {
		s.known = &cached{generation: generation, views: map[viewKey]*view{}, remembered: new(atomic.Int64)}
	}
	return s.known, nil
}

// view returns the actor's view of the program, or exchange.Missing to whom
// the program does not exist.
func (s *Service) view(ctx context.Context, a exchange.Actor, program exchange.ProgramID) (*view, error) {
	known, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return s.viewIn(ctx, known, a, program)
}

// viewIn is view as of facts that were asked for in this request.
func (s *Service) viewIn(ctx context.Context, known *cached, a exchange.Actor, program exchange.ProgramID) (*view, error) {
	arrivals, err := s.c.Arrivals(ctx) // before the facts are read
	if err != nil {
		return nil, err
	}
	key := viewKey{a.Client(), a.Org, a.Channel, program, actingOf(a)}
	s.mu.Lock()
	v := known.views[key]
	s.mu.Unlock()
	as := facts{known.generation, arrivals}
	if v == nil || !v.lapses.IsZero() && !s.c.Now().Before(v.lapses) {
		if v, err = s.newly(ctx, a, program, as); err != nil {
			return nil, err
		}
		v.remembered = known.remembered
		s.mu.Lock()
		makeRoom(known.views, maxViews)
		known.views[key] = v
		s.mu.Unlock()
	}
	if v.none {
		return nil, exchange.Missing()
	}
	for i := range v.windows {
		if !v.windows[i].feed.current(as) {
			if err := s.refresh(ctx, v, as); err != nil {
				return nil, err
			}
			break
		}
	}
	for before := v.arrivals.Load(); before < arrivals && !v.arrivals.CompareAndSwap(before, arrivals); {
		before = v.arrivals.Load()
	}
	return v, nil
}

// newly reads the facts about the reader.
func (s *Service) newly(ctx context.Context, a exchange.Actor, program exchange.ProgramID, as facts) (v *view, err error) {
	key, err := s.sources(ctx)
	if err != nil {
		return nil, err
	}
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		if v, err = s.resolve(tx, a, program, as); err == nil {
			v.sources = key
		}
		return err
	})
	if err == nil {
		err = s.settled(ctx)
	}
	if exchange.KindOf(err) == exchange.NotFound {
		return &view{none: true}, nil
	}
	return v, err
}

// settled waits until the acts that can be read are in the ledger.
func (s *Service) settled(ctx context.Context) error {
	if s.c.Settle == nil {
		return nil
	}
	err := s.c.Settle(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &exchange.Error{
		Kind:   exchange.Unavailable,
		Public: "The ledger cannot be written, and nothing new is shown before its entry. Nothing was recorded. Tell the operator: `forewarn doctor` says what is wrong.",
		Err:    err,
	}
}

// makeRoom drops entries, any of them, until m holds fewer than most.
func makeRoom[K comparable, V any](m map[K]V, most int) {
	for k := range m {
		if len(m) < most {
			return
		}
		delete(m, k)
	}
}

// resolve gathers the facts about the reader.
func (s *Service) resolve(tx Tx, a exchange.Actor, program exchange.ProgramID, as facts) (*view, error) {
	c, err := tx.Charter(program)
	if err != nil {
		return nil, err
	}
	if a.Anonymous() && a.Channel == exchange.ChannelPublic {
		return newView(c, policy.Recipient{Anonymous: true, MayRead: true, Channel: a.Channel}, tx.Now()), nil
	}
	if !a.Reaches(program) {
		return nil, exchange.Missing()
	}
	v, err := asMember(tx, c, a.Org)
	if err != nil {
		return nil, err
	}
	if v.edition, err = tx.Edition(program); err != nil {
		return nil, err
	}
	v.r.Owner = a.Operates(c.Owner) || a.Approves(c.Owner)
	if !v.r.Owner && !v.r.Member {
		return nil, exchange.Missing()
	}
	if err := s.subscribe(tx, v, as); err != nil {
		return nil, err
	}
	if c.Visibility.MembersSee == exchange.SeeNames && !v.r.Owner {
		if v.hidden, err = tx.HiddenMembers(program); err != nil {
			return nil, err
		}
	}
	v.r.Program, v.r.Ceiling, v.r.MayRead, v.r.Channel = a.Program, a.Ceiling, a.May(exchange.VerbRead), a.Channel
	if !a.Machine {
		v.r.Person = a.Person
	}
	v.actAs(a.Hat, a.Purpose)
	return v, nil
}

// actAs sets the hat and the purpose. One who acts in a hat that the organisation
// does not have any more acts in all that it has.
func (v *view) actAs(hat, purpose string) {
	v.r.Hat, v.r.Purpose = "", purpose
	if slices.Contains(v.r.Attributes.Hats, hat) {
		v.r.Hat = hat
	}
}

// asMember is the view of an organisation, whatever the credential.
func asMember(tx Tx, c exchange.Charter, org exchange.OrgID) (*view, error) {
	v := newView(c, policy.Recipient{Org: org, MayRead: true}, tx.Now())
	m, err := tx.Member(c.ID, org)
	if exchange.KindOf(err) == exchange.NotFound {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := tx.Organisation(org)
	if err != nil {
		return nil, err
	}
	var provider exchange.Organisation
	if o.ClientOf != "" {
		if provider, err = tx.Organisation(o.ClientOf); err != nil {
			return nil, fmt.Errorf("reading the provider of a client: %w", err)
		}
	}
	v.r = policy.MemberOf(c, m, o, provider)
	if policy.RulesOf(c).AsksForPrograms() {
		err = v.elsewhere(tx, o, provider)
	}
	return v, err
}

// elsewhere finds the memberships that the policies ask for, until when they
// are as they are, and whether the organisation, or its provider, may still be
// in the cohort that it entered by them.
func (v *view) elsewhere(tx Tx, o, provider exchange.Organisation) (err error) {
	var lapses time.Time
	lapse := func() {
		if v.lapses.IsZero() || !lapses.IsZero() && lapses.Before(v.lapses) {
			v.lapses = lapses
		}
	}
	if v.r.Programs, lapses, err = policy.ProgramsOf(tx, v.charter, o.ID, tx.Now()); err != nil {
		return err
	}
	lapse()
	placed, compelled, programs := o, v.r.Audience.Compelled, v.r.Programs
	if provider.ID != "" { // a client is where its provider is
		placed, compelled = provider, false
		if programs, lapses, err = policy.ProgramsOf(tx, v.charter, provider.ID, tx.Now()); err != nil {
			return err
		}
		lapse()
	}
	a := exchange.Attributes{
		Organisation: placed.ID, Kind: placed.Kind, Hats: placed.Hats, Sectors: placed.Sectors, Jurisdictions: placed.Jurisdictions,
		Regions: placed.Regions, Products: placed.Products, CompelledDisclosure: compelled,
	}
	if !policy.Stays(v.charter, a, programs, v.r.Audience.Cohort) {
		v.r.Audience = exchange.Audience{}
	}
	return nil
}

// reads reports whether the reader has a collection to read: it takes part, in
// a cohort that is ever given anything.
func (v *view) reads() bool {
	return v.takesPart() && v.r.MayRead && v.charter.MayRead(v.r.Audience.Cohort)
}

// wholeFacts gathers the facts about an artifact and about its objects' markings.
func (v *view) wholeFacts(tx Tx, art exchange.Artifact) (*class, error) {
	k, err := v.facts(tx, art, exchange.HandlingClass{Artifact: art.Number})
	if err != nil || art.Kind != exchange.ArtifactSTIX {
		return k, err
	}
	k.marks, err = tx.ClassesOf(art.Number)
	return k, err
}

// decide takes the decision on an artifact as a whole, by policy.Decide or
// policy.Explain.
func (k *class) decide(r policy.Recipient, at time.Time, by func(policy.Recipient, policy.Item, time.Time) policy.Decision) {
	k.decision, k.whole = policy.Whole(by, r, k.item, k.marks, at)
	k.whole = k.whole && !k.artifact.Lessened // some of its objects are nobody's any more
}

// shown is the artifact as the reader sees it.
func (k *class) shown(now time.Time) Item {
	i := Item{Artifact: k.artifact, TLP: k.decision.TLP, OpenedAt: k.item.OpenedAt, Obligations: policy.Obligations(k.item, now)}
	if !k.whole {
		i.Partial = true
		i.Artifact.SHA256, i.Artifact.Size, i.Artifact.Objects = "", 0, 0
	}
	return i
}
