package release

import (
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// offerWave tells the members of an audience of what a wave gives it, each of
// what the policy lets it have. Who may have nothing is not told that it exists.
func offerWave(tx Tx, c exchange.Charter, r exchange.Release, a exchange.Audience, give []exchange.Artifact, wave int64) error {
	if a == exchange.PublicAudience || len(give) == 0 {
		return nil
	}
	all, err := tx.Recipients(r.Program)
	if err != nil {
		return err
	}
	o, err := newOffering(tx, c, r, give)
	if err != nil {
		return err
	}
	var es []exchange.Exposure
	var told []exchange.OrgID
	for _, m := range all {
		if m.Audience != a {
			continue
		}
		had := o.had(m, func(exchange.Artifact) time.Time { return tx.Now() })
		if len(had) > 0 {
			told = append(told, m.Org)
			es = append(es, offered(r, m.Org, had, tx.Now(), wave)...)
		}
	}
	return tell(tx, es, told, exchange.Notice{
		Program: r.Program, Release: r.ID, Kind: exchange.EventWaveOpened, Event: wave, Text: "New content in “" + r.Title + "”.",
	})
}

// Offer offers members, those named or all, what their audiences were given
// before they were entitled to it: because they accepted the agreement, joined,
// changed cohort or were let in again only now. From then on they are told of
// changes.
func Offer(tx Tx, c exchange.Charter, orgs ...exchange.OrgID) error {
	releases, err := tx.ReleasesOf(c.ID)
	if err != nil {
		return err
	}
	all, err := tx.Recipients(c.ID)
	if err != nil {
		return err
	}
	if len(orgs) > 0 {
		all = slices.DeleteFunc(all, func(m Recipient) bool { return !slices.Contains(orgs, m.Org) })
	}
	for _, r := range releases {
		if err := offerLate(tx, c, r, all); err != nil {
			return err
		}
	}
	return nil
}

func offerLate(tx Tx, c exchange.Charter, r exchange.Release, members []Recipient) error {
	f, err := factsOf(tx, r)
	if err != nil || len(f.given) == 0 {
		return err
	}
	o, err := newOffering(tx, c, r, f.arts)
	if err != nil {
		return err
	}
	holders, err := tx.HoldersOf(r.ID)
	if err != nil {
		return err
	}
	before := map[exchange.OrgID][]int64{}
	for _, h := range holders {
		before[h.Org] = append(before[h.Org], h.Artifact)
	}
	for _, m := range members {
		had := o.had(m, func(a exchange.Artifact) time.Time { return f.given[opened{a.Number, m.Audience}] })
		had = slices.DeleteFunc(had, func(a exchange.Artifact) bool { return slices.Contains(before[m.Org], a.Number) })
		if len(had) == 0 {
			continue
		}
		e := event(exchange.EventReleaseOffered, exchange.System(), r, nil)
		e.Org = m.Org
		for _, a := range had {
			e.Subject = append(e.Subject, string(a.ID))
		}
		seq, err := tx.Record(e)
		if err != nil {
			return err
		}
		err = tell(tx, offered(r, m.Org, had, tx.Now(), seq), []exchange.OrgID{m.Org}, exchange.Notice{
			Program: r.Program, Release: r.ID, Kind: exchange.EventReleaseOffered, Event: seq,
			Text: "“" + r.Title + "” is open to you from now on.",
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// offering asks the policy what members may have of artifacts of one release.
type offering struct {
	c     exchange.Charter
	r     exchange.Release
	give  []exchange.Artifact
	marks [][]exchange.HandlingClass // of the objects of each artifact
	now   time.Time
}

func newOffering(tx Tx, c exchange.Charter, r exchange.Release, give []exchange.Artifact) (*offering, error) {
	o := &offering{c: c, r: r, give: give, now: tx.Now()}
	for _, a := range give {
		marks, err := tx.ClassesOf(a.Number)
		if err != nil {
			return nil, err
		}
		o.marks = append(o.marks, marks)
	}
	return o, nil
}

// had is what the member may have: its most entitled person, in the browser. A
// machine of the same member may get less, never more. given is when the
// artifact was given to the member's audience.
func (o *offering) had(m Recipient, given func(exchange.Artifact) time.Time) (out []exchange.Artifact) {
	p := policy.MemberOf(o.c, m.Member, m.Organisation, m.Provider)
	p.Channel = exchange.ChannelWeb
	for i, a := range o.give {
		p.Person = ""
		for _, who := range m.People {
			if p.Person == "" || slices.Contains(a.Handling.Persons, who.ID) {
				p.Person = who.ID
			}
		}
		item := policy.ItemOf(o.r, a, o.c.Required(o.now))
		item.OpenedAt, item.Originators = given(a), nil // what is given, not what is the member's own
		if d, _ := policy.Whole(policy.Decide, p, item, o.marks[i], o.now); d.Allowed() {
			out = append(out, a)
		}
	}
	return out
}

func offered(r exchange.Release, org exchange.OrgID, had []exchange.Artifact, at time.Time, event int64) []exchange.Exposure {
	es := make([]exchange.Exposure, len(had))
	for i, a := range had {
		es[i] = exchange.Exposure{
			Number: a.Number, Release: r.ID, Org: org, Kind: exchange.ExposureOffered, Channel: exchange.ChannelSystem, At: at, Event: event,
		}
	}
	return es
}

func tell(tx Tx, es []exchange.Exposure, orgs []exchange.OrgID, n exchange.Notice) error {
	if err := tx.Expose(es); err != nil {
		return err
	}
	return tx.Notify(orgs, n)
}
