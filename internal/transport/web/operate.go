package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

var stateTexts = map[exchange.ReleaseState]string{
	exchange.ReleaseDraft:     "Being written. Nothing opens before it was sent and approved.",
	exchange.ReleaseWaiting:   "Sent to the approvers. Any edit brings it back to draft.",
	exchange.ReleaseArmed:     "Approved. Its waves open on the clock.",
	exchange.ReleaseReleasing: "Approved, and at least one wave is open.",
	exchange.ReleasePublic:    "The public wave is open.",
	exchange.ReleaseClosed:    "The outcome is final.",
	exchange.ReleaseWithdrawn: "Nobody receives it any more.",
	exchange.ReleaseContained: "A leak is suspected: nothing further opens. An edit brings it back to draft.",
}

// operate is a release as those who run its program see it.
func (s *site) operate(v *visit, r release.View) error {
	preview, err := s.Releases.Preview(v.ctx(), v.a, r.ID)
	if err != nil {
		return err
	}
	p := &page.Operate{
		Frame: v.frame(r.Title), ID: string(r.ID), Heading: r.Title, Message: r.Message, Prose: page.Markdown(r.Message),
		State: releaseState(r.Release), StateText: stateTexts[r.State], Revision: r.Revision, Version: r.Version, Reason: r.Reason,
		Author: v.person(r.Author), T0: v.clock.At(r.Plan.T0), T0Text: r.Plan.T0.UTC().Format(page.Stamp), Echo: v.echo(r.Plan.T0, r.Charter),
		Zones: v.zones(r.Charter), Updated: v.clock.At(r.UpdatedAt), Needed: preview.Needed,
	}
	v.within(&p.Frame, r.Charter, "Releases")
	p.Ledger = about(r.Program, r.ID, "")
	if r.IncompleteFixOf != "" {
		p.FixOf = &page.Link{Label: string(r.IncompleteFixOf), Href: "/releases/" + string(r.IncompleteFixOf)}
	}
	operates := v.a.Operates(r.Charter.Owner)
	p.Edit = operates && editable(r.State) && !r.Charter.ReadOnlyAt(v.now)
	if p.Edit && r.State != exchange.ReleaseDraft && v.r.URL.Query().Get("edit") == "" && !v.typed() {
		// What is approved, or is about to be, is read before it is changed.
		p.Edit, p.EditHref = false, "/releases/"+p.ID+"?edit=1#plan"
	}
	v.matrix(p, r)
	v.parts(p, r)
	if p.Upload != nil {
		if p.Upload.Grounds, err = v.grounds(r.Charter); err != nil {
			return err
		}
	}
	v.waves(p, r, preview)
	v.check(p, r, preview)
	approved, err := v.approvedIn(r.Release)
	if err != nil {
		return err
	}
	for i, a := range r.Approvals {
		p.Approvals[i].Entry = approved(a)
	}
	v.holders(p, preview)
	if operates {
		p.Plan = v.planForms(r, preview)
	}
	if err := v.states(p, r.Release, preview.Holders); err != nil {
		return err
	}
	if err := v.timeline(p, r.Release); err != nil {
		return err
	}
	return v.show(p)
}

func editable(st exchange.ReleaseState) bool {
	return st != exchange.ReleaseClosed && st != exchange.ReleaseWithdrawn && st != exchange.ReleasePublic
}

// cell is the form field of one class and cohort.
func cell(class exchange.ContentClass, cohort exchange.CohortID) string {
	return "at." + string(class) + "." + string(cohort)
}

// typed reports whether the page follows a composer's form that was refused.
func (v *visit) typed() bool { return v.faults != nil && strings.HasSuffix(v.r.URL.Path, "/save") }

// matrix is class by cohort. After a refused form it holds what was typed.
func (v *visit) matrix(p *page.Operate, r release.View) {
	cohorts := []exchange.CohortID{}
	for _, c := range r.Charter.Cohorts {
		cohorts = append(cohorts, c.ID)
	}
	cohorts = append(cohorts, exchange.PublicCohort)
	for _, c := range cohorts {
		p.Cohorts = append(p.Cohorts, string(c))
	}
	typed := v.typed()
	if typed {
		p.Heading, p.T0Text, p.Message = v.r.PostFormValue("title"), v.r.PostFormValue("t0"), v.r.PostFormValue("message")
	}
	slots := exchange.Schedule(r.Plan, r.Charter)
	for _, class := range r.Charter.ContentClasses {
		row := page.MatrixRow{Class: string(class), Two: r.Charter.Approvals.Needed([]exchange.ContentClass{class}) > 1}
		for _, a := range r.Artifacts {
			if a.Class == class && a.RemovedAt.IsZero() {
				row.Files++
			}
		}
		for _, cohort := range cohorts {
			c := page.MatrixCell{Field: cell(class, cohort), Cohort: string(cohort)}
			i := slices.IndexFunc(r.Plan.Rules, func(rule exchange.PlanRule) bool { return rule.Class == class && rule.Cohort == cohort })
			if i >= 0 {
				c.Value, c.When = r.Plan.Rules[i].At.String(), v.slotTime(slots, class, cohort)
			}
			if typed {
				c.Value = v.form(c.Field)
				_, err := exchange.ParseOffset(c.Value)
				c.Bad, c.When = c.Value != "" && err != nil, ""
			}
			row.Cells = append(row.Cells, c)
		}
		p.Matrix = append(p.Matrix, row)
	}
}

func (v *visit) slotTime(slots []exchange.Slot, class exchange.ContentClass, cohort exchange.CohortID) string {
	for _, s := range slots {
		if s.Class != class || s.Audience != (exchange.Audience{Cohort: cohort}) || s.Never {
			continue
		}
		if s.At.After(v.now) {
			return s.At.UTC().Format(page.Stamp)
		}
		return "now (" + s.At.UTC().Format(page.Stamp) + ")"
	}
	return ""
}

func (v *visit) parts(p *page.Operate, r release.View) {
	for _, a := range r.Artifacts {
		line := page.ArtifactLine{
			ID: string(a.ID), Title: a.Title, Href: "/artifacts/" + string(a.ID),
			Class: string(a.Class), Kind: string(a.Kind), TLP: a.Handling.TLP, PAP: a.Handling.PAP.String(), Asks: further(a.Handling), Size: a.Size, Objects: a.Objects,
			SHA256: a.SHA256, Removed: !a.RemovedAt.IsZero(), Recalled: !a.RecalledAt.IsZero(), Removable: a.RemovedAt.IsZero() && p.Edit,
		}
		if a.RemovedAt.IsZero() && a.RecalledAt.IsZero() && !v.a.Is(exchange.RoleAuditor) {
			line.TakeBack = "/recalls/new?artifact=" + string(a.ID)
		}
		if a.RemovedAt.IsZero() {
			p.TLP = max(p.TLP, a.Handling.TLP)
		}
		p.Artifacts = append(p.Artifacts, line)
	}
	if p.Edit {
		p.Upload = uploadForm(r, v)
	}
}

// check says what blocks, what is unusual, what is in order, and who approved.
func (v *visit) check(p *page.Operate, r release.View, pre release.Preview) {
	for _, b := range pre.Blocks {
		p.Blocks = append(p.Blocks, page.Problem{Path: b.Path, Message: sentence(b.Message)})
	}
	for _, w := range pre.Warnings {
		if w.Code == exchange.WarnPast && r.State.Opens() {
			continue // it has opened
		}
		p.Warnings = append(p.Warnings, sentence(w.Text))
	}
	if len(pre.Blocks) == 0 {
		p.Checks = append(p.Checks, "Nothing blocks it.")
	}
	if len(p.PreviewAs) > 0 {
		p.Checks = append(p.Checks, fmt.Sprintf("%s to %s, by name below.", page.Plural(len(p.Waves), "wave"), page.Plural(len(p.PreviewAs), "organisation")))
	}
	for _, a := range r.Approvals {
		p.Approvals = append(p.Approvals, page.ApprovalLine{Person: v.person(a.Person), At: v.clock.At(a.At), Valid: a.Revision == r.Revision})
	}
	p.Missing = max(0, pre.Needed-len(pre.Valid))
	p.MaySend = p.Edit && r.State == exchange.ReleaseDraft
	p.MayApprove, p.WhyNot = v.approval(r)
}

// approval says whether the release waits for the visitor's approval, and to an
// approver why it does not.
func (v *visit) approval(r release.View) (may bool, why string) {
	switch {
	case !v.a.Approves(r.Charter.Owner) || r.State != exchange.ReleaseWaiting:
		return false, ""
	case slices.ContainsFunc(r.Valid(), func(a exchange.Approval) bool { return a.Person == v.a.Person }):
		return false, "You have approved this revision. Another person must as well."
	case slices.Contains(r.Editors, v.a.Person):
		return false, "You wrote this revision. Another person must approve it."
	}
	return true, ""
}

var waveStates = map[exchange.WaveState]page.State{
	exchange.WaveScheduled: {Text: "planned", Kind: page.Plain},
	exchange.WaveHeld:      {Text: "held", Kind: page.Warn},
	exchange.WaveKilled:    {Text: "killed", Kind: page.Danger},
	exchange.WaveOpen:      {Text: "open", Kind: page.Ok},
}

func (v *visit) waves(p *page.Operate, r release.View, pre release.Preview) {
	seen := map[exchange.OrgID]bool{}
	for _, w := range pre.Waves {
		line := page.WaveLine{
			Title: w.Title, Compelled: w.Audience.Compelled, At: v.clock.At(w.At), State: waveStates[w.State], Past: w.Past,
			Public: w.Audience == exchange.PublicAudience, Late: lateness(r.Waves, w),
		}
		if w.State == exchange.WaveScheduled && r.State.Opens() {
			line.State = page.State{Text: "on the clock", Kind: page.Ok}
		}
		for _, c := range w.Classes {
			line.Classes = append(line.Classes, string(c))
		}
		for _, a := range w.Artifacts {
			line.Artifacts = append(line.Artifacts, a.Title)
		}
		for _, who := range w.Recipients {
			line.Recipients = append(line.Recipients, recipient(who, w.At, r.Charter))
			if !seen[who.Org] {
				seen[who.Org] = true
				p.PreviewAs = append(p.PreviewAs, page.Option{Value: string(who.Org), Label: who.Organisation.Name})
			}
		}
		if w.Audience.Compelled && len(line.Recipients) == 0 && w.State != exchange.WaveOpen {
			continue // nobody is under a duty there: a line for nobody hides the others
		}
		p.Waves = append(p.Waves, line)
	}
	slices.SortFunc(p.PreviewAs, func(a, b page.Option) int { return strings.Compare(a.Label, b.Label) })
}

// lateness says how long after its moment a wave opened.
func lateness(kept []exchange.WaveRecord, w release.PreviewWave) string {
	for _, k := range kept {
		if k.Audience == w.Audience && k.At.Equal(w.At) && k.Late > 0 {
			return "late by " + page.Span(k.Late)
		}
	}
	return ""
}

func recipient(who release.Recipient, at time.Time, c exchange.Charter) page.RecipientLine {
	line := page.RecipientLine{Name: who.Organisation.Name, Href: "/organisations/" + string(who.Org)}
	for _, reader := range who.People {
		line.People = append(line.People, reader.Name)
	}
	if zone := who.Zone(); zone != "" && zone != "UTC" {
		line.Local = page.InZone(at, zoneOf(zone))
	}
	if who.Accepted < c.Agreement.Version {
		line.Note = "agreement not accepted: receives nothing until it is"
	}
	return line
}

func (v *visit) holders(p *page.Operate, pre release.Preview) {
	for _, h := range pre.Holders {
		v.names[string(h.Org)] = h.Name
		line := page.HolderLine{Name: h.Name, Href: "/organisations/" + string(h.Org), Audience: h.Audience.String(), Since: v.clock.At(h.Since)}
		for _, a := range h.Artifacts {
			line.Artifacts = append(line.Artifacts, a.Title)
		}
		p.Holders = append(p.Holders, line)
	}
}

// planForms are the changes of plan that the state permits.
func (v *visit) planForms(r release.View, pre release.Preview) *page.PlanForms {
	f := &page.PlanForms{Base: "/releases/" + string(r.ID), Version: r.Version, T0Text: r.Plan.T0.UTC().Format(page.Stamp), Held: len(pre.Holders)}
	byCohort := map[exchange.CohortID]bool{}
	for _, w := range pre.Waves {
		value := w.Audience.String() + "|" + fmt.Sprint(w.At.UnixMicro())
		label := w.At.UTC().Format(page.Stamp) + " UTC to " + w.Audience.String()
		switch w.State {
		case exchange.WaveHeld:
			f.Open = append(f.Open, page.Option{Value: value, Label: label})
			f.Waves = append(f.Waves, page.Option{Value: value, Label: label + " (held)"})
		case exchange.WaveScheduled:
			if !byCohort[w.Audience.Cohort] {
				byCohort[w.Audience.Cohort] = true
				f.Waves = append(f.Waves, page.Option{Value: string(w.Audience.Cohort) + "|0", Label: "every unopened wave of cohort " + string(w.Audience.Cohort)})
			}
			f.Waves = append(f.Waves, page.Option{Value: value, Label: label})
		}
	}
	for _, c := range r.Charter.Cohorts {
		f.Cohorts = append(f.Cohorts, page.Option{Value: string(c.ID), Label: string(c.ID)})
	}
	opens, public := r.State.Opens(), !r.PublicAt.IsZero()
	f.Move, f.Hold, f.Resume = opens && !public, opens && len(f.Waves) > 0, opens && len(f.Open) > 0
	f.Close = r.State == exchange.ReleasePublic
	f.Withdraw = r.State != exchange.ReleaseWithdrawn && r.State != exchange.ReleaseClosed
	f.Contain = f.Withdraw && r.State != exchange.ReleaseContained && !public && r.State != exchange.ReleaseDraft
	f.Rearm = (public || len(pre.Holders) > 0) && !r.Charter.ReadOnlyAt(v.now)
	return f
}

// states is where each member stands, and what members said.
func (v *visit) states(p *page.Operate, r exchange.Release, holders []release.Holder) error {
	es, err := v.site.Record.Exposure(v.ctx(), v.a, record.ExposureFilter{Release: r.ID})
	if err != nil {
		return err
	}
	l, err := v.site.Feedback.List(v.ctx(), v.a, r.ID)
	if err != nil {
		return err
	}
	for _, e := range l.Entries {
		p.Feedback = append(p.Feedback, v.feedbackLine(e, "", "", true))
	}
	audience := map[exchange.OrgID]string{}
	for _, h := range holders {
		audience[h.Org] = h.Audience.String()
	}
	p.Members = v.memberStates(es, l.Entries, audience)
	if r.PublicAt.IsZero() {
		return nil
	}
	p.Chart, err = v.coverage(r, holders)
	return err
}

// memberStates gathers the first instant of each state by member.
func (v *visit) memberStates(es []exchange.Exposure, said []feedback.Entry, audience map[exchange.OrgID]string) []page.MemberState {
	type reach struct {
		at       map[exchange.ExposureKind]time.Time
		feedback map[exchange.FeedbackKind]time.Time
	}
	by := map[exchange.OrgID]*reach{}
	var order []exchange.OrgID
	of := func(org exchange.OrgID) *reach {
		if by[org] == nil {
			by[org] = &reach{map[exchange.ExposureKind]time.Time{}, map[exchange.FeedbackKind]time.Time{}}
			order = append(order, org)
		}
		return by[org]
	}
	for _, e := range es {
		kind := e.Kind
		if kind == exchange.ExposureDownloaded {
			kind = exchange.ExposureServed
		}
		m := of(e.Org).at
		if at, ok := m[kind]; !ok || e.At.Before(at) {
			m[kind] = e.At
		}
	}
	for _, f := range said {
		m := of(f.Org).feedback
		if _, ok := m[f.Kind]; !ok {
			m[f.Kind] = f.At
		}
		v.names[string(f.Org)] = f.OrgName
	}
	var out []page.MemberState
	for _, org := range order {
		r := by[org]
		if r.at[exchange.ExposureOffered].IsZero() {
			continue // the owner's own people
		}
		m := page.MemberState{
			Name: v.org(org), Href: "/organisations/" + string(org), Audience: audience[org],
			Offered: v.clock.At(r.at[exchange.ExposureOffered]), Delivered: v.clock.At(r.at[exchange.ExposureServed]), Opened: v.clock.At(r.at[exchange.ExposureOpened]),
			Acknowledged: v.clock.At(earliest(r.at[exchange.ExposureAcknowledged], r.feedback[exchange.FeedbackAcknowledged])),
			Protecting:   v.clock.At(r.feedback[exchange.FeedbackProtection]), NotAffected: v.clock.At(r.feedback[exchange.FeedbackNotAffected]),
		}
		if len(r.at) == 1 && len(r.feedback) == 0 {
			m.Silent = "for " + page.Span(v.now.Sub(r.at[exchange.ExposureOffered]))
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b page.MemberState) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

const timelineCap = 25

// timeline is the story of the release, the newest act first.
func (v *visit) timeline(p *page.Operate, r exchange.Release) error {
	f := record.EventFilter{Program: r.Program, Release: r.ID, Kinds: slices.Sorted(maps.Keys(eventWords)), Limit: 1000}
	var es []record.Entry
	for more := true; more; {
		of, err := v.site.Record.Events(v.ctx(), v.a, f)
		if err != nil {
			return err
		}
		if more = len(of) == f.Limit; more {
			f.After = of[len(of)-1].Seq
		}
		es = append(es, of...)
	}
	if len(es) > timelineCap && v.r.URL.Query().Get("timeline") == "" {
		p.EventsMore = page.Link{Label: "All " + page.Plural(len(es), "act"), Href: "/releases/" + string(r.ID) + "?timeline=all#timeline"}
		es = es[len(es)-timelineCap:]
	}
	for _, e := range slices.Backward(es) {
		p.Events = append(p.Events, page.EventLine{Seq: e.Seq, Href: entryHref(e.Seq), At: v.clock.At(e.At), Text: eventText(e), Who: v.who(e)})
	}
	return nil
}

func (v *visit) who(e record.Entry) string {
	switch {
	case e.Person == exchange.System().Person:
		return "the clock"
	case e.Org != "" && e.Org != v.a.Org:
		return v.org(e.Org)
	case e.Person != "":
		return v.person(e.Person)
	}
	return string(e.Token)
}

// eventText is an act in words with the facts that belong to it.
func eventText(e record.Entry) string {
	text := eventWords[e.Kind]
	var d map[string]any
	if json.Unmarshal(e.Body, &d) != nil {
		return text
	}
	for _, key := range []string{"d_audience", "d_kind", "d_reason"} {
		if s, ok := d[key].(string); ok && s != "" {
			text += ", " + strings.TrimPrefix(key, "d_") + ": " + s
		}
	}
	return text
}

// eventWords are the acts that make the story of a release. What machines fetch
// is not among them: it stands in the table of members, and in the record.
var eventWords = map[exchange.EventKind]string{
	exchange.EventReleaseCreated: "created", exchange.EventReleaseEdited: "edited", exchange.EventArtifactSubmitted: "artifact added",
	exchange.EventArtifactRemoved: "artifact removed", exchange.EventReleaseSent: "sent to the approvers", exchange.EventReleaseApproved: "approved",
	exchange.EventReleaseMoved: "T0 moved", exchange.EventWaveHeld: "wave held", exchange.EventWaveResumed: "wave resumed", exchange.EventWaveKilled: "wave killed",
	exchange.EventWavePushed: "wave pushed", exchange.EventWaveOpened: "wave opened", exchange.EventReleaseWithdrawn: "withdrawn",
	exchange.EventReleaseContained: "contained", exchange.EventReleaseRearmed: "re-armed as a new case", exchange.EventReleaseClosed: "closed",
	exchange.EventFeedback: "feedback given", exchange.EventFeedbackRefused: "feedback refused",
}
