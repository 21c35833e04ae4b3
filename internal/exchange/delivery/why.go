package delivery

import (
	"context"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Why explains what a recipient (an organisation's id, or a person's login) gets
// of an item (an artifact's id, or a STIX id), and by which step. For an instant
// to come, waves are taken to open as planned.
//
// Those who run the program are told everything. An originator asks about its own
// items: for organisations that were offered or given them, and for every member
// where the charter shows members each other's names. It is told what its handling
// and the plan give a member in good standing; whether a member is suspended or has
// accepted the agreement is not for it to know. Everybody else asks for themselves,
// about what they may see. Anything else is exchange.Missing.
func (s *Service) Why(ctx context.Context, a exchange.Actor, program exchange.ProgramID, item, recipient string, at time.Time) (Why, error) {
	own, err := s.view(ctx, a, program)
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return Why{}, err
	}
	w := Why{Item: item, At: at}
	if at.IsZero() {
		w.At = s.c.Now()
	}
	err = s.look(ctx, func(l *looking) error {
		tx := l.tx
		c, err := tx.Charter(program)
		if err != nil {
			return err
		}
		q := question{tx: tx, l: l, a: a, own: own, all: oversees(a, c), now: s.c.Now()}
		if !q.all && (own == nil || !own.takesPart() || !a.May(exchange.VerbRead)) {
			return exchange.Missing()
		}
		v, err := asRecipient(tx, c, recipient)
		if err != nil {
			return err
		}
		v.required = c.Required(w.At)
		ks, err := v.candidates(tx, program, item)
		if err != nil {
			return err
		}
		if ks, err = q.narrow(v, ks); err != nil {
			return err
		}
		if len(ks) == 0 {
			return exchange.Missing()
		}
		for i, k := range ks {
			k.item = asPlanned(k.item, k.release, w.At)
			k.decide(v.r, w.At, policy.Explain)
			if i == 0 || k.decision.Allowed() {
				w.Artifact, w.Decision = k.artifact, k.decision
			}
		}
		w.Recipient, w.Audience = v.r.Org, v.r.Audience
		if q.reader {
			forReader(&w.Decision)
		}
		if w.Limited = q.limited; w.Limited {
			w.Audience, w.Decision.Steps = exchange.Audience{}, ofHandling(w.Decision.Steps)
		}
		return nil
	})
	return w, err
}

// question is who asks why, and what the asker is told.
type question struct {
	tx      Tx
	l       *looking
	a       exchange.Actor
	own     *view // of the asker
	all     bool  // the asker oversees the program
	now     time.Time
	limited bool // the asker is told what depends on the handling alone
	reader  bool // the asker is who the item is for, and no originator of it
}

// narrow leaves those of the items about which the asker may ask for the
// recipient, and makes of the recipient what the asker may know of it.
func (q *question) narrow(v *view, ks []candidate) (out []candidate, err error) {
	if q.all {
		return ks, nil
	}
	self := v.r.Org == q.a.Org && (v.r.Person == "" || v.r.Person == q.a.Person)
	for _, k := range ks {
		ok := q.owns(k.artifact)
		if ok && !self {
			ok, err = q.mayName(v, k.artifact)
		} else if !ok && self {
			q.reader = true
			ok, err = q.sees(k)
		} else {
			ok = ok && self
		}
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, k)
		}
	}
	if !self {
		q.limited = true
		v.r.Suspended, v.r.Member, v.r.Accepted = false, true, max(v.r.Accepted, v.required)
	}
	return out, nil
}

// owns reports whether the asker's organisation is an originator of the artifact,
// and the credential covers its label.
func (q *question) owns(art exchange.Artifact) bool {
	return slices.Contains(art.Owners(), q.a.Org) && (q.a.Ceiling == exchange.TLPUnset || art.Handling.TLP <= q.a.Ceiling)
}

// mayName reports whether an originator may ask about this recipient of its
// artifact. A person is asked about only where the handling names one, and a
// hidden member never: who it is is not for an originator to know.
func (q *question) mayName(v *view, art exchange.Artifact) (bool, error) {
	if v.r.Person != "" && !slices.Contains(art.Handling.Persons, v.r.Person) {
		return false, nil
	}
	hidden, err := q.tx.HiddenMembers(v.charter.ID)
	if err != nil || hidden[v.r.Org] {
		return false, err
	}
	if v.charter.Visibility.MembersSee == exchange.SeeNames && (v.r.Member || v.r.Suspended) {
		return true, nil
	}
	return q.tx.WasOffered(art.Number, v.r.Org)
}

// sees reports whether the asker may see the item now.
func (q *question) sees(k candidate) (bool, error) {
	if k.object.Seq == 0 {
		own, err := q.own.wholeFacts(q.tx, k.artifact)
		if err != nil {
			return false, err
		}
		own.decide(q.own.r, q.now, policy.Decide)
		return own.decision.Allowed(), nil
	}
	es, err := q.knows(k.object.ID)
	return slices.ContainsFunc(es, func(e Entry) bool { return e.Object == k.object.Seq }), err
}

// knows are the objects that the asker has under the identifier: who has a copy
// without some parts does not know the original by its own.
func (q *question) knows(id string) ([]Entry, error) {
	if q.own == nil || !q.own.reads() {
		return nil, nil
	}
	return q.l.view(q.own).known(id)
}

// handled are the steps that tell of the handling of the item and of its plan, not
// of the member itself.
var handled = []string{"marking", "active", "exclusion", "purpose", "public", "owner", "time", "audience", "channel", "fields", "parts"}

// ofHandling leaves out of an explanation what depends on the member itself.
func ofHandling(steps []policy.Step) (out []policy.Step) {
	for _, s := range steps {
		if s.Rule == "exclusion" && !s.Pass { // not whether by its name, its country or a duty of disclosure
			s.Text = "the handling or the charter excludes this organisation"
		}
		if slices.Contains(handled, s.Rule) {
			out = append(out, s)
		}
	}
	return out
}

// forReader leaves out of a decision which parts are withheld: that is not told
// to whom they are withheld from.
func forReader(d *policy.Decision) {
	d.Fields = nil
	d.Steps = slices.DeleteFunc(d.Steps, func(s policy.Step) bool { return s.Rule == "fields" })
}

// oversees reports whether the actor may be told what recipients of the program get.
func oversees(a exchange.Actor, c exchange.Charter) bool {
	return a.Oversees(c.Owner) && a.Reaches(c.ID)
}

// asPlanned takes a wave that is planned for an instant before at as open then,
// and the release as public from its T0 on.
func asPlanned(i policy.Item, r exchange.Release, at time.Time) policy.Item {
	if i.OpenedAt.IsZero() && !i.OpensAt.IsZero() && !i.OpensAt.After(at) {
		i.OpenedAt = i.OpensAt
	}
	if i.ReleasedAt.IsZero() && r.State.Opens() && !r.Plan.T0.After(at) {
		i.ReleasedAt = r.Plan.T0
	}
	return i
}

// asRecipient is the view of an organisation's machines, or of one person in
// the browser.
func asRecipient(tx Tx, c exchange.Charter, recipient string) (*view, error) {
	recipient, hat, purpose := asked(recipient)
	p, err := tx.PersonByLogin(recipient)
	if exchange.KindOf(err) == exchange.NotFound {
		o, err := tx.Organisation(exchange.OrgID(recipient))
		if err != nil {
			return nil, err
		}
		v, err := asMember(tx, c, o.ID)
		if err != nil {
			return nil, err
		}
		v.r.Channel, v.r.Hat, v.r.Purpose = exchange.ChannelTAXII, hat, purpose
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := asMember(tx, c, p.Org)
	if err != nil {
		return nil, err
	}
	v.r.Person, v.r.Channel, v.r.Hat, v.r.Purpose = p.ID, exchange.ChannelWeb, hat, purpose
	v.r.Suspended = v.r.Suspended || !p.SuspendedAt.IsZero()
	return v, nil
}

// candidate is an artifact that the item names, or one of the objects with the
// item's id.
type candidate struct {
	*class
	object Object // zero: the artifact as a whole
}

// candidates are the artifacts that the item names or is in.
func (v *view) candidates(tx Tx, program exchange.ProgramID, item string) ([]candidate, error) {
	if exchange.HasIDPrefix(item, "art") {
		art, err := tx.Artifact(exchange.ArtifactID(item))
		if err == nil && art.Program != program {
			err = exchange.Missing()
		}
		if err != nil {
			return nil, err
		}
		k, err := v.wholeFacts(tx, art)
		return []candidate{{class: k}}, err
	}
	objs, err := tx.ObjectsByHash(program, exchange.IDHash(item), nil)
	if err != nil {
		return nil, err
	}
	var out []candidate
	for _, o := range objs {
		if o.ID != item {
			continue
		}
		h, err := tx.HandlingClass(o.Class)
		if err != nil {
			return nil, err
		}
		art, err := tx.ArtifactByNumber(h.Artifact)
		if err != nil {
			return nil, err
		}
		k, err := v.facts(tx, art, h)
		if err != nil {
			return nil, err
		}
		out = append(out, candidate{k, o})
	}
	if len(out) == 0 {
		return nil, exchange.Missing()
	}
	return out, nil
}
