package web

import (
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// first is the landing page: outcomes for those who run a program, what was given
// for everybody else.
func (s *site) first(v *visit) error {
	all, err := v.stored()
	if err != nil {
		return err
	}
	var mine []program.Stored
	for _, p := range all {
		if v.runs(p.Charter) {
			mine = append(mine, p)
		}
	}
	if v.staff() && (len(mine) > 0 || len(all) == 0) {
		return s.dashboard(v, mine)
	}
	return s.home(v, all)
}

func (s *site) dashboard(v *visit, mine []program.Stored) error {
	p := &page.Dashboard{Frame: v.frame("Outcomes")}
	p.Wide = true
	if len(mine) == 0 {
		p.Empty = page.Empty{Text: "The outcomes of your programs will be here. A program is opened from its charter: forewarn program apply -f charter.toml.", Action: "Programs", Href: "/programs"}
		return v.show(p)
	}
	shown := mine[0]
	for _, m := range mine {
		if string(m.ID) == v.r.URL.Query().Get("program") {
			shown = m
		}
	}
	if len(mine) > 1 {
		for _, m := range mine {
			p.Programs = append(p.Programs, page.Option{Value: string(m.ID), Label: m.Charter.Title, Selected: m.ID == shown.ID})
		}
	}
	v.within(&p.Frame, shown.Charter, "")
	d := desk{v: v, p: p, charter: shown.Charter}
	for _, step := range []func() error{d.releases, d.measures, d.agreements} {
		if err := step(); err != nil {
			return err
		}
	}
	slices.SortStableFunc(p.Active, func(a, b page.ActiveRelease) int { return compare(a.T0.ISO, b.T0.ISO) })
	return v.show(p)
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// desk fills a dashboard.
type desk struct {
	v       *visit
	p       *page.Dashboard
	charter exchange.Charter
	next    time.Time
	charted exchange.Release
}

// activeCap bounds the releases that a dashboard looks into.
const activeCap = 50

func (d *desk) releases() error {
	rs, err := d.v.site.Releases.List(d.v.ctx(), d.v.a, d.charter.ID)
	if err != nil {
		return err
	}
	n := 0
	for _, r := range rs {
		if !r.PublicAt.IsZero() && r.PublicAt.After(d.charted.PublicAt) {
			d.charted = r
		}
		if r.State == exchange.ReleaseClosed || r.State == exchange.ReleaseWithdrawn {
			continue
		}
		if n++; n > activeCap {
			break
		}
		view, err := d.v.site.Releases.Read(d.v.ctx(), d.v.a, r.ID)
		if err != nil {
			return err
		}
		if err := d.release(view); err != nil {
			return err
		}
	}
	if d.charted.ID == "" {
		return nil
	}
	o, err := d.v.site.Feedback.ReleaseOutcome(d.v.ctx(), d.v.a, d.charted.ID)
	if err != nil {
		return err
	}
	d.p.Chart, err = d.v.coverage(d.charted, o)
	return err
}

func (d *desk) release(r release.View) error {
	href, top := "/releases/"+string(r.ID), exchange.TLPUnset
	for _, a := range r.Artifacts {
		if a.RemovedAt.IsZero() {
			top = max(top, a.Handling.TLP)
		}
	}
	d.p.TLP = max(d.p.TLP, top)
	line := page.ActiveRelease{Title: r.Title, Href: href, TLP: top, State: releaseState(r.Release), T0: d.v.clock.At(r.Plan.T0)}
	o, err := d.v.site.Feedback.ReleaseOutcome(d.v.ctx(), d.v.a, r.ID)
	if err != nil {
		return err
	}
	line.Given = o.Offered
	for _, st := range []feedback.State{
		feedback.StateSilent, feedback.StateDelivered, feedback.StateOpened, feedback.StateAcknowledged, feedback.StateNotAffected, feedback.StateProtecting,
	} {
		line.States = append(line.States, reachedIn(o, st))
	}
	if r.State == exchange.ReleaseWaiting {
		line.Approvals = fmt.Sprintf("%d of %d", len(r.Valid()), r.Needed)
	}
	d.p.Active = append(d.p.Active, line)
	d.needs(r, href)
	d.clock(r, href, top)
	return nil
}

func reachedIn(o feedback.Outcome, st feedback.State) int {
	for _, r := range o.Reached {
		if r.State == st {
			return r.Count
		}
	}
	return 0
}

// needs lists what of a release waits for the visitor.
func (d *desk) needs(r release.View, href string) {
	add := func(since time.Time, format string, args ...any) {
		d.p.Needs = append(d.p.Needs, page.Need{Text: fmt.Sprintf(format, args...), Href: href, Since: d.v.clock.At(since)})
	}
	given := slices.ContainsFunc(r.Valid(), func(a exchange.Approval) bool { return a.Person == d.v.a.Person })
	switch {
	case r.State == exchange.ReleaseWaiting && d.v.a.Approves(d.charter.Owner) && !given && !slices.Contains(r.Editors, d.v.a.Person):
		add(r.UpdatedAt, "Approve: %s (%d of %d given)", r.Title, len(r.Valid()), r.Needed)
	case r.State == exchange.ReleaseDraft && d.v.a.Operates(d.charter.Owner):
		add(r.UpdatedAt, "Finish the draft: %s", r.Title)
	case r.State == exchange.ReleaseContained && d.v.a.Operates(d.charter.Owner):
		add(r.UpdatedAt, "Contained, nothing further opens: %s", r.Title)
	}
	for _, w := range r.Waves {
		if w.State == exchange.WaveHeld && d.v.a.Operates(d.charter.Owner) {
			add(w.At, "Held wave to %s: %s", w.Audience, r.Title)
		}
	}
}

// clock takes over a moment that comes sooner.
func (d *desk) clock(r release.View, href string, top exchange.TLP) {
	if !r.State.Opens() {
		return
	}
	sooner := func(at time.Time, what string) {
		if at.After(d.v.now) && (d.next.IsZero() || at.Before(d.next)) {
			d.next = at
			d.p.Next = &page.NextRelease{Title: r.Title, Href: href, TLP: top, What: what, At: d.v.clock.At(at)}
		}
	}
	sooner(r.Plan.T0, "Public release")
	for _, w := range r.Waves {
		if w.State == exchange.WaveScheduled {
			sooner(w.At, "Wave to "+w.Audience.String())
		}
	}
}

func (d *desk) measures() error {
	o, err := d.v.site.Feedback.Outcome(d.v.ctx(), d.v.a, d.charter.ID, feedback.Window{})
	if err != nil {
		return err
	}
	d.p.TilesOf = fmt.Sprintf("all %s that were given to members", counted(len(o.Cases), "release"))
	if len(o.Cases) == 0 {
		d.p.TilesOf = "no release yet"
	}
	d.p.Tiles = tiles(o, "/programs/"+string(d.charter.ID)+"/outcome")
	return nil
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// agreements names members that wait for an acceptance.
func (d *desk) agreements() error {
	ms, err := d.v.site.Members.Members(d.v.ctx(), d.v.a, d.charter.ID, "", 1000)
	if err != nil {
		return err
	}
	n := 0
	for _, m := range ms {
		if m.State == exchange.MemberActive && m.Accepted < d.charter.Agreement.Version {
			n++
		}
	}
	if n > 0 {
		d.p.Needs = append(d.p.Needs, page.Need{
			Text: fmt.Sprintf("%s without the current agreement: nothing reaches them", counted(n, "member")), Href: "/programs/" + string(d.charter.ID) + "#members",
		})
	}
	return nil
}

const homeList = 10

// home is the landing page of a member.
func (s *site) home(v *visit, all []program.Stored) error {
	p := &page.Home{Frame: v.frame("Home")}
	members, err := s.Members.Memberships(v.ctx(), v.a)
	if err != nil {
		return err
	}
	for _, m := range members {
		i := slices.IndexFunc(all, func(p program.Stored) bool { return p.ID == m.Program })
		if i < 0 || m.State == exchange.MemberLeft {
			continue
		}
		line, given, err := v.membership(all[i].Charter, m)
		if err != nil {
			return err
		}
		p.Programs = append(p.Programs, line)
		p.Releases = append(p.Releases, given...)
		if c := all[i].Charter; m.State == exchange.MemberActive && m.Accepted < c.Agreement.Version {
			p.Agreements = append(p.Agreements, page.PendingAgreement{
				Program: c.Title, Href: line.Href, Version: c.Agreement.Version, Title: c.Agreement.Title, MaySign: v.a.Is(exchange.RoleSignatory),
			})
		}
	}
	slices.SortStableFunc(p.Releases, func(a, b page.GivenRelease) int { return compare(b.Given.ISO, a.Given.ISO) })
	p.Releases = p.Releases[:min(len(p.Releases), 2*homeList)]
	for _, r := range p.Releases {
		p.TLP = max(p.TLP, r.TLP)
	}
	ns, err := s.Delivery.Notices(v.ctx(), v.a, time.Time{}, homeList)
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return err
	}
	p.Notices = v.noticeLines(ns)
	for _, n := range p.Notices {
		if n.New {
			p.Unread++
		}
	}
	if err := v.ownFeedback(p); err != nil {
		return err
	}
	return v.show(p)
}

// fresh is for how long something given counts as new.
const fresh = 7 * 24 * time.Hour

// membership is one program of the visitor's organisation, and what it was given there.
func (v *visit) membership(c exchange.Charter, m exchange.Member) (page.Membership, []page.GivenRelease, error) {
	line := page.Membership{
		Title: c.Title, Href: "/programs/" + string(c.ID), Outcome: c.Outcome, Cohort: string(m.Audience.Cohort), State: memberState(m, c),
	}
	if m.Accepted > 0 {
		line.Accepted = fmt.Sprintf("version %d, %s", m.Accepted, m.AcceptedAt.UTC().Format(time.DateOnly))
	}
	if c.ReadOnlyAt(v.now) {
		line.Sunset = "Ended on " + c.Sunset.String() + ": what was shared stays readable."
	}
	rs, err := v.site.Delivery.Releases(v.ctx(), v.a, c.ID)
	if err != nil {
		if exchange.KindOf(err) == exchange.NotFound {
			return line, nil, nil
		}
		return line, nil, err
	}
	var given []page.GivenRelease
	for _, r := range rs {
		g := v.given(r, c.Title)
		if g.New {
			line.New++
		}
		given = append(given, g)
	}
	return line, given, nil
}

func (v *visit) given(r delivery.MemberRelease, programTitle string) page.GivenRelease {
	return page.GivenRelease{
		Title: r.Title, Program: programTitle, Href: "/releases/" + string(r.ID), TLP: r.TLP, State: readerState(r), Items: len(r.Items),
		T0: v.clock.At(r.T0), Given: v.clock.At(r.FirstOffered), New: !r.FirstOffered.IsZero() && v.now.Sub(r.FirstOffered) < fresh,
	}
}

// ownFeedback is what the organisation said on the newest releases.
func (v *visit) ownFeedback(p *page.Home) error {
	for _, r := range p.Releases[:min(len(p.Releases), 5)] {
		id := exchange.ReleaseID(r.Href[len("/releases/"):])
		l, err := v.site.Feedback.List(v.ctx(), v.a, id)
		if exchange.KindOf(err) == exchange.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range l.Entries {
			if e.Org == v.a.Org {
				p.Feedback = append(p.Feedback, v.feedbackLine(e, r.Title, r.Href, false))
			}
		}
	}
	slices.SortStableFunc(p.Feedback, func(a, b page.FeedbackLine) int { return compare(b.At.ISO, a.At.ISO) })
	p.Feedback = p.Feedback[:min(len(p.Feedback), homeList)]
	return nil
}
