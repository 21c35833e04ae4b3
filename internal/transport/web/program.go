package web

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

func memberState(m exchange.Member, c exchange.Charter) page.State {
	switch {
	case m.State == exchange.MemberSuspended:
		return page.State{Text: "suspended", Kind: page.Danger}
	case m.State == exchange.MemberLeft:
		return page.State{Text: "left", Kind: page.Plain}
	case m.Accepted < c.Agreement.Version:
		return page.State{Text: "agreement missing", Kind: page.Warn}
	}
	return page.State{Text: "active", Kind: page.Ok}
}

func (v *visit) programState(c exchange.Charter) page.State {
	if c.ReadOnlyAt(v.now) {
		return page.State{Text: "ended", Kind: page.Warn}
	}
	return page.State{Text: "running", Kind: page.Ok}
}

func (s *site) programs(v *visit) error {
	all, err := v.stored()
	if err != nil {
		return err
	}
	members, err := s.Members.Memberships(v.ctx(), v.a)
	if err != nil {
		return err
	}
	p := &page.Programs{Frame: v.frame("Programs"), Runs: v.staff()}
	for _, st := range all {
		line := page.Membership{Title: st.Charter.Title, Href: "/programs/" + string(st.ID), Outcome: st.Charter.Outcome, State: v.programState(st.Charter)}
		if i := slices.IndexFunc(members, func(m exchange.Member) bool { return m.Program == st.ID }); i >= 0 && !v.runs(st.Charter) {
			line.State, line.Cohort = memberState(members[i], st.Charter), string(members[i].Audience.Cohort)
		}
		line.Sunset = "Sunset " + st.Charter.Sunset.String()
		p.Lines = append(p.Lines, line)
	}
	return v.show(p)
}

func (s *site) program(v *visit) error {
	c, _, err := s.Programs.Charter(v.ctx(), v.a, exchange.ProgramID(v.path("program")))
	if err != nil {
		return err
	}
	p := v.charter(c)
	v.within(&p.Frame, c, "Program")
	var mine exchange.Member
	if !v.runs(c) {
		if mine, err = s.Members.Member(v.ctx(), v.a, c.ID, v.a.Org); err != nil {
			return err
		}
	}
	p.Hidden = mine.Hidden
	v.agreement(p, c, mine)
	if err := v.measured(p, c); err != nil {
		return err
	}
	if p.Grounds, err = v.grounds(c); err != nil {
		return err
	}
	if v.runs(c) {
		err = v.memberTable(p, c)
	} else {
		for i := range p.Cohorts {
			p.Cohorts[i].Mine = p.Cohorts[i].ID == string(mine.Audience.Cohort)
		}
	}
	if err != nil {
		return err
	}
	return v.show(p)
}

// charter is what everybody who knows the program reads of it.
func (v *visit) charter(c exchange.Charter) *page.Program {
	p := &page.Program{
		Frame: v.frame(c.Title), ID: string(c.ID), State: v.programState(c), Outcome: c.Outcome, Owner: v.org(c.Owner),
		Beneficiaries: c.Beneficiaries, Information: c.InformationTypes, OutOfScope: c.OutOfScope,
		Review: c.Review.String(), Sunset: c.Sunset.String(), Closed: c.ReadOnlyAt(v.now), Zone: c.Calendar.Location().String(), Weekend: weekend(c.Calendar),
	}
	for _, day := range slices.SortedFunc(maps.Keys(c.Calendar.Holidays), func(a, b exchange.Date) int { return strings.Compare(a.String(), b.String()) }) {
		p.Holidays = append(p.Holidays, day.String()+" "+c.Calendar.Holidays[day])
	}
	p.Cohorts = cohortLines(c)
	for _, class := range exchange.AllContentClasses {
		if !slices.Contains(c.ContentClasses, class) {
			continue
		}
		p.Classes = append(p.Classes, page.ClassLine{ID: string(class), Definition: class.Definition(), Two: c.Approvals.Needed([]exchange.ContentClass{class}) > 1})
		line := page.RuleLine{Class: string(class)}
		for _, head := range p.PlanHeads() {
			at := ""
			for _, r := range c.Rules {
				if r.Class == class && string(r.Cohort) == head {
					at = r.At.String()
				}
			}
			line.At = append(line.At, at)
		}
		p.Rules = append(p.Rules, line)
	}
	p.Defaults = append(handlingWords(c.Handling), page.Plural(c.Approvals.Needed(nil), "approval"))
	if d := c.CompelledDisclosure; len(d.Deny) > 0 {
		p.Defaults = append(p.Defaults, "never to members under a compelled-disclosure duty: "+list(d.Deny))
	}
	p.Runs = v.runs(c)
	if p.Runs {
		p.ExportHref = "/programs/" + p.ID + "/export"
		if v.a.Operates(c.Owner) && !p.Closed && len(c.ContentClasses) > 0 {
			p.NewHref = "/programs/" + p.ID + "/releases/new"
		}
	}
	return p
}

func cohortLines(c exchange.Charter) (lines []page.CohortLine) {
	for _, co := range c.Cohorts {
		lines = append(lines, page.CohortLine{
			ID: string(co.ID), Title: co.Title, Rule: co.Words(), Cap: co.MaxMembers,
			Writes: c.MayWrite(co.ID), Reads: slices.Contains(c.Contributions.To, co.ID), Dropbox: !c.MayRead(co.ID),
		})
	}
	return lines
}

func weekend(c exchange.Calendar) string {
	days := c.Weekend
	if days == nil {
		days = []time.Weekday{time.Saturday, time.Sunday}
	}
	var out []string
	for _, d := range days {
		out = append(out, d.String())
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

// list writes names one after the other.
func list[T ~string](names []T) string {
	var out []string
	for _, n := range names {
		out = append(out, string(n))
	}
	return strings.Join(out, ", ")
}

var obligationWords = map[exchange.Obligation]string{
	exchange.PublishNotBefore: "nothing live or public before T0 (the exchange refuses it)",
	exchange.NoVerbatimReuse:  "no verbatim reuse of the text",
	exchange.InHouseOnly:      "used in house only",
	exchange.NamingConsent:    "names are given with consent only",
	exchange.FeedbackDuty:     "feedback is part of taking part",
	exchange.NoOffensiveUse:   "no offensive use",
	exchange.DeletionOnExit:   "everything is deleted on exit",
}

func (v *visit) agreement(p *page.Program, c exchange.Charter, mine exchange.Member) {
	a := &p.Agreement
	*a = page.Agreement{Version: c.Agreement.Version, Title: c.Agreement.Title, Effective: c.Agreement.Effective.String(), Text: page.Markdown(c.Agreement.Text)}
	for _, o := range c.Agreement.Obligations {
		a.Obligations = append(a.Obligations, obligationWords[o])
	}
	switch {
	case p.Runs:
		a.State = page.State{Text: "in force", Kind: page.Plain}
	case mine.Accepted >= c.Agreement.Version:
		a.State = page.State{Text: "accepted " + mine.AcceptedAt.UTC().Format(time.DateOnly), Kind: page.Ok}
	default:
		a.State = page.State{Text: "not accepted: nothing reaches you", Kind: page.Warn}
		a.Accept = v.a.Is(exchange.RoleSignatory) && mine.State == exchange.MemberActive
	}
}

// measured fills in where the measures stand.
func (v *visit) measured(p *page.Program, c exchange.Charter) error {
	o, err := v.site.Feedback.Outcome(v.ctx(), v.a, c.ID, feedback.Window{})
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return err
	}
	for _, m := range c.Measures {
		info, _ := m.ID.Info()
		line := page.MeasureLine{
			Name: info.Title, Definition: info.Definition, Target: target(m.Target), By: m.By.String(), Lead: m.Lead,
			State: page.State{Text: "no data", Kind: page.Plain},
		}
		if line.Name == "" {
			line.Name = string(m.ID)
		}
		for _, now := range o.Measures {
			if now.ID == m.ID {
				line.Now, line.State = value(now), standing(now)
				line.RowsHref = "/programs/" + string(c.ID) + "/outcome#rows-" + string(m.ID)
			}
		}
		p.Measures = append(p.Measures, line)
	}
	return nil
}

const memberPage = 200

func (v *visit) memberTable(p *page.Program, c exchange.Charter) error {
	after := exchange.OrgID(v.r.URL.Query().Get("after"))
	all, err := v.site.Members.Members(v.ctx(), v.a, c.ID, "", 1000)
	if err != nil {
		return err
	}
	orgs, err := v.nameAll()
	if err != nil {
		return err
	}
	count := map[exchange.CohortID]int{}
	known := map[exchange.OrgID]bool{}
	for _, m := range all {
		known[m.Org] = m.State != exchange.MemberLeft
		if m.State == exchange.MemberActive {
			count[m.Audience.Cohort]++
		}
		if m.Org <= after {
			continue
		}
		if len(p.Members) == memberPage {
			p.MembersMore = "/programs/" + p.ID + "?after=" + string(all[slices.IndexFunc(all, func(o exchange.Member) bool { return o.Org == m.Org })-1].Org) + "#members"
			continue
		}
		if len(p.Members) < memberPage {
			p.Members = append(p.Members, v.memberLine(m, c))
		}
	}
	for i := range p.Cohorts {
		p.Cohorts[i].Members, p.Cohorts[i].Counted = count[exchange.CohortID(p.Cohorts[i].ID)], true
	}
	if !v.a.Operates(c.Owner) {
		return nil
	}
	for _, o := range orgs {
		if !known[o.ID] && o.ID != c.Owner {
			p.Candidates = append(p.Candidates, page.Option{Value: string(o.ID), Label: o.Name})
		}
	}
	return nil
}

func (v *visit) memberLine(m exchange.Member, c exchange.Charter) page.MemberLine {
	line := page.MemberLine{
		Name: v.org(m.Org), Href: "/organisations/" + string(m.Org), Cohort: string(m.Audience.Cohort), Compelled: m.Audience.Compelled,
		State: memberState(m, c), Joined: v.clock.At(m.JoinedAt), Accepted: accepted(m), Org: string(m.Org), Hidden: m.Hidden,
		MayHide: v.a.Operates(c.Owner) && m.State != exchange.MemberLeft,
	}
	return line
}

// accepted is which agreement a member accepted, and when.
func accepted(m exchange.Member) string {
	if m.Accepted == 0 {
		return "not accepted"
	}
	return fmt.Sprintf("version %d, %s", m.Accepted, m.AcceptedAt.UTC().Format(time.DateOnly))
}

func (s *site) accept(v *visit) error {
	if v.form("agree") != "yes" {
		return v.again(exchange.Fail(exchange.Invalid, "confirm that you have read the agreement; nothing was accepted"), func() error { return s.program(v) })
	}
	if _, err := s.Members.Accept(v.ctx(), v.a, exchange.ProgramID(v.path("program")), int(v.number("version"))); err != nil {
		return v.again(err, func() error { return s.program(v) })
	}
	return v.see("/programs/" + v.path("program") + "?done=accepted")
}

func (s *site) hideMember(v *visit) error {
	_, err := s.Members.HideMember(v.ctx(), v.a, exchange.ProgramID(v.path("program")), exchange.OrgID(v.form("org")), v.form("hidden") == "1")
	if err != nil {
		return v.again(err, func() error { return s.program(v) })
	}
	return v.see("/programs/" + v.path("program") + "?done=hidden#members")
}

func (s *site) addMember(v *visit) error {
	join := s.Members.Join
	if v.form("hidden") == "1" {
		join = s.Members.JoinHidden
	}
	if _, err := join(v.ctx(), v.a, exchange.ProgramID(v.path("program")), exchange.OrgID(v.form("org"))); err != nil {
		return v.again(err, func() error { return s.program(v) })
	}
	return v.see("/programs/" + v.path("program") + "?done=joined#members")
}

func (s *site) export(v *visit) error {
	text, err := s.Programs.Export(v.ctx(), v.a, exchange.ProgramID(v.path("program")))
	if err != nil {
		return err
	}
	httpkit.Attach(v.w.Header(), v.path("program")+".toml", "application/toml; charset=utf-8")
	_, _ = v.w.Write(text)
	return nil
}
