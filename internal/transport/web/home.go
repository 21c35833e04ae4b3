package web

import (
	"fmt"
	"slices"
	"strings"
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
	for _, step := range []func() error{d.measures, d.releases, d.agreements} {
		if err := step(); err != nil {
			return err
		}
	}
	slices.SortStableFunc(p.Active, func(a, b page.ActiveRelease) int { return strings.Compare(a.T0.ISO, b.T0.ISO) })
	return v.show(p)
}

// desk fills a dashboard.
type desk struct {
	v       *visit
	p       *page.Dashboard
	charter exchange.Charter
	outcome feedback.Outcome
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
		d.release(view)
	}
	if d.charted.ID == "" {
		return nil
	}
	holders, err := d.v.site.Releases.Holders(d.v.ctx(), d.v.a, d.charted.ID)
	if err != nil {
		return err
	}
	d.p.Chart, err = d.v.coverage(d.charted, holders)
	return err
}

func (d *desk) release(r release.View) {
	href, top := "/releases/"+string(r.ID), exchange.TLPUnset
	for _, a := range r.Artifacts {
		if a.RemovedAt.IsZero() {
			top = max(top, a.Handling.TLP)
		}
	}
	d.p.TLP = max(d.p.TLP, top)
	line := page.ActiveRelease{Title: r.Title, Href: href, TLP: top, State: releaseState(r.Release), T0: d.v.clock.At(r.Plan.T0)}
	var given feedback.CaseLine
	if i := slices.IndexFunc(d.outcome.Cases, func(c feedback.CaseLine) bool { return c.Release == r.ID }); i >= 0 {
		given = d.outcome.Cases[i]
	}
	line.Given = given.Offered
	line.States = make([]int, len(feedback.AllStates))
	for i, n := range given.Reached {
		line.States[i] = n.Count
	}
	if r.State == exchange.ReleaseWaiting {
		line.Approvals = fmt.Sprintf("%d of %d", len(r.Valid()), r.Needed)
	}
	d.p.Active = append(d.p.Active, line)
	d.needs(r, href)
	d.clock(r, href, top)
}

// needs lists what of a release waits for the visitor.
func (d *desk) needs(r release.View, href string) {
	add := func(since time.Time, format string, args ...any) {
		d.p.Needs = append(d.p.Needs, page.Need{Text: fmt.Sprintf(format, args...), Href: href, Since: d.v.clock.At(since)})
	}
	may, _ := d.v.approval(r)
	switch {
	case may:
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
	d.outcome = o
	d.p.TilesOf = fmt.Sprintf("all %s that were given to members", page.Plural(len(o.Cases), "release"))
	if len(o.Cases) == 0 {
		d.p.TilesOf = "no release yet"
	}
	d.p.Tiles = tiles(o, "/programs/"+string(d.charter.ID)+"/outcome")
	return nil
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
			Text: fmt.Sprintf("%s without the current agreement: nothing reaches them", page.Plural(n, "member")), Href: "/programs/" + string(d.charter.ID) + "#members",
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
	var given []held
	for _, m := range members {
		i := slices.IndexFunc(all, func(p program.Stored) bool { return p.ID == m.Program })
		if i < 0 || m.State == exchange.MemberLeft {
			continue
		}
		c := all[i].Charter
		line, rs, err := v.membership(c, m)
		if err != nil {
			return err
		}
		p.Programs = append(p.Programs, line)
		for _, r := range rs {
			given = append(given, held{r, c.Title})
		}
		if m.State == exchange.MemberActive && m.Accepted < c.Agreement.Version {
			p.Agreements = append(p.Agreements, page.PendingAgreement{
				Program: c.Title, Href: line.Href, Version: c.Agreement.Version, Title: c.Agreement.Title, MaySign: v.a.Is(exchange.RoleSignatory),
			})
		}
	}
	slices.SortStableFunc(given, func(a, b held) int { return b.FirstOffered.Compare(a.FirstOffered) })
	for _, g := range given[:min(len(given), 2*homeList)] {
		p.Releases = append(p.Releases, v.given(g))
		p.TLP = max(p.TLP, g.TLP)
	}
	ns, err := s.Delivery.Notices(v.ctx(), v.a, time.Time{}, homeList)
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return err
	}
	if p.Notices, err = v.noticeLines(ns); err != nil {
		return err
	}
	for _, n := range p.Notices {
		if n.New {
			p.Unread++
		}
	}
	if err := v.ownFeedback(p, given[:min(len(given), homeList/2)]); err != nil {
		return err
	}
	return v.show(p)
}

// held is a release that the visitor's organisation was given.
type held struct {
	delivery.MemberRelease
	program string // its title
}

// fresh reports whether something given still counts as new.
func (v *visit) fresh(r delivery.MemberRelease) bool {
	return !r.FirstOffered.IsZero() && v.now.Sub(r.FirstOffered) < 7*24*time.Hour
}

// membership is one program of the visitor's organisation, and what it was given there.
func (v *visit) membership(c exchange.Charter, m exchange.Member) (page.Membership, []delivery.MemberRelease, error) {
	line := page.Membership{
		Title: c.Title, Href: "/programs/" + string(c.ID), Outcome: c.Outcome, Cohort: string(m.Audience.Cohort), State: memberState(m, c),
	}
	if m.Accepted > 0 {
		line.Accepted = accepted(m)
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
	for _, r := range rs {
		if v.fresh(r) {
			line.New++
		}
	}
	return line, rs, nil
}

func (v *visit) given(h held) page.GivenRelease {
	return page.GivenRelease{
		Title: h.Title, Program: h.program, Href: "/releases/" + string(h.ID), TLP: h.TLP, State: readerState(h.MemberRelease), Items: len(h.Items),
		T0: v.clock.At(h.T0), Given: v.clock.At(h.FirstOffered), New: v.fresh(h.MemberRelease),
	}
}

// ownFeedback is what the organisation said on the newest releases.
func (v *visit) ownFeedback(p *page.Home, newest []held) error {
	for _, h := range newest {
		lines, err := v.said(h.ID, h.Title, v.a.Org)
		if err != nil {
			return err
		}
		p.Feedback = append(p.Feedback, lines...)
	}
	slices.SortStableFunc(p.Feedback, func(a, b page.FeedbackLine) int { return strings.Compare(b.At.ISO, a.At.ISO) })
	p.Feedback = p.Feedback[:min(len(p.Feedback), homeList)]
	return nil
}

// said is what an organisation said on a release.
func (v *visit) said(id exchange.ReleaseID, title string, org exchange.OrgID) ([]page.FeedbackLine, error) {
	l, err := v.site.Feedback.List(v.ctx(), v.a, id)
	if exchange.KindOf(err) == exchange.NotFound {
		return nil, nil
	}
	var out []page.FeedbackLine
	for _, e := range l.Entries {
		if e.Org == org {
			out = append(out, v.feedbackLine(e, title, "/releases/"+string(id), false))
		}
	}
	return out, err
}
