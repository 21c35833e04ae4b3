package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

var stateKinds = map[exchange.ReleaseState]page.State{
	exchange.ReleaseDraft:     {Text: "draft", Kind: page.Plain},
	exchange.ReleaseWaiting:   {Text: "waiting for approval", Kind: page.Warn},
	exchange.ReleaseArmed:     {Text: "on the clock", Kind: page.Ok},
	exchange.ReleaseReleasing: {Text: "releasing", Kind: page.Ok},
	exchange.ReleasePublic:    {Text: "public", Kind: page.Ok},
	exchange.ReleaseClosed:    {Text: "closed", Kind: page.Plain},
	exchange.ReleaseWithdrawn: {Text: "withdrawn", Kind: page.Danger},
	exchange.ReleaseContained: {Text: "contained", Kind: page.Danger},
}

func releaseState(r exchange.Release) page.State { return stateKinds[r.State] }

func readerState(r delivery.MemberRelease) page.State {
	kind := map[string]string{"embargoed": page.Warn, "public": page.Ok, "contained": page.Danger, "withdrawn": page.Danger}[r.State]
	if kind == "" {
		kind = page.Plain
	}
	return page.State{Text: r.State, Kind: kind}
}

// releases lists the releases of every program that the visitor may know.
func (s *site) releases(v *visit) error {
	all, err := v.stored()
	if err != nil {
		return err
	}
	p := &page.Releases{Frame: v.frame("Releases"), Runs: v.staff()}
	p.Empty = page.Empty{Text: "Releases that you write or are given will be here.", Action: "Programs", Href: "/programs"}
	for _, st := range all {
		lines, err := v.releaseLines(st.Charter)
		if err != nil {
			return err
		}
		for i := range lines {
			lines[i].Program = st.Charter.Title
		}
		p.Lines = append(p.Lines, lines...)
	}
	slices.SortStableFunc(p.Lines, func(a, b page.ReleaseLine) int { return strings.Compare(b.T0.ISO, a.T0.ISO) })
	return v.show(p)
}

func (s *site) releasesOf(v *visit) error {
	c, _, err := s.Programs.Charter(v.ctx(), v.a, exchange.ProgramID(v.path("program")))
	if err != nil {
		return err
	}
	p := &page.Releases{Frame: v.frame("Releases"), ProgramTitle: c.Title, Runs: v.runs(c)}
	v.within(&p.Frame, c, "Releases")
	p.Empty = page.Empty{Text: "Releases will be here from the moment at which they open to your cohort.", Action: "The program", Href: "/programs/" + string(c.ID)}
	if v.a.Operates(c.Owner) && !c.ReadOnlyAt(v.now) {
		p.NewHref = "/programs/" + string(c.ID) + "/releases/new"
		p.Empty = page.Empty{Text: "Releases of the program will be here, from the draft to the outcome.", Action: "Write the first one", Href: p.NewHref}
	}
	if p.Lines, err = v.releaseLines(c); err != nil {
		return err
	}
	return v.show(p)
}

// releaseLines lists a program's releases: all to those who run it, to everybody
// else those that they hold something of.
func (v *visit) releaseLines(c exchange.Charter) ([]page.ReleaseLine, error) {
	var out []page.ReleaseLine
	if !v.runs(c) {
		rs, err := v.site.Delivery.Releases(v.ctx(), v.a, c.ID)
		if exchange.KindOf(err) == exchange.NotFound {
			err = nil // no agreement yet
		}
		for _, r := range rs {
			out = append(out, page.ReleaseLine{
				Title: r.Title, Href: "/releases/" + string(r.ID), TLP: r.TLP, State: readerState(r), T0: v.clock.At(r.T0),
				Items: len(r.Items), Given: v.clock.At(r.FirstOffered),
			})
		}
		return out, err
	}
	rs, err := v.site.Releases.List(v.ctx(), v.a, c.ID)
	for _, r := range rs {
		line := page.ReleaseLine{Title: r.Title, Href: "/releases/" + string(r.ID), State: releaseState(r), T0: v.clock.At(r.Plan.T0)}
		if n := len(r.Valid()); n > 0 {
			line.Approvals = fmt.Sprintf("%d given", n)
		}
		out = append(out, line)
	}
	return out, err
}

func (s *site) compose(v *visit) error {
	c, _, err := s.Programs.Charter(v.ctx(), v.a, exchange.ProgramID(v.path("program")))
	if err != nil {
		return err
	}
	if !v.runs(c) {
		return exchange.Missing()
	}
	base := "/programs/" + string(c.ID) + "/releases"
	p := &page.Compose{
		Frame: v.frame("New release"), Program: c.Title, Action: base, Heading: v.r.PostFormValue("title"),
		T0Text: v.r.PostFormValue("t0"), Message: v.r.PostFormValue("message"), Zones: v.zones(c),
	}
	v.within(&p.Frame, c, "Releases")
	if p.T0Text == "" {
		p.T0Text = v.usualT0(c).Format(page.Stamp)
	}
	if t, err := stamp(p.T0Text); err == nil {
		p.Echo = v.echo(t, c)
	}
	return v.show(p)
}

// usualT0 suggests a moment: fifteen business days ahead, so that the earliest wave of
// a usual plan lies in the future, at the full hour.
func (v *visit) usualT0(c exchange.Charter) time.Time {
	return c.Calendar.AddBusinessDays(v.now, 15).UTC().Truncate(time.Hour)
}

// zones are the zones in which a typed time is echoed: the program's and the
// reader's.
func (v *visit) zones(c exchange.Charter) string {
	out := []string{c.Calendar.Location().String()}
	if z := v.clock.Zone.String(); !slices.Contains(out, z) {
		out = append(out, z)
	}
	return strings.Join(out, " ")
}

func (v *visit) echo(t time.Time, c exchange.Charter) []string {
	if t.IsZero() {
		return nil
	}
	var out []string
	for _, z := range []*time.Location{c.Calendar.Location(), v.clock.Zone} {
		text := t.In(z).Format("Mon 2 Jan 2006 15:04") + " " + z.String()
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return append(out, page.Relative(t.Sub(v.now)))
}

func (s *site) create(v *visit) error {
	t0, err := stamp(v.form("t0"))
	d := release.Draft{Program: exchange.ProgramID(v.path("program")), Title: v.form("title"), Message: v.r.PostFormValue("message"), T0: t0}
	if err != nil {
		err = exchange.InvalidWith("the draft was not created", []exchange.Problem{{Path: "t0", Message: notAStamp}})
	}
	var r exchange.Release
	if err == nil {
		r, err = s.Releases.Create(v.ctx(), v.a, d)
	}
	if err != nil {
		return v.again(err, func() error { return s.compose(v) })
	}
	return v.see("/releases/" + string(r.ID) + "?done=created")
}

// release is one release: the operator's page for those who run its program, the
// reader's for everybody else.
func (s *site) release(v *visit) error {
	id := exchange.ReleaseID(v.path("release"))
	view, err := s.Releases.Read(v.ctx(), v.a, id)
	switch {
	case err == nil:
		return s.operate(v, view)
	case exchange.KindOf(err) != exchange.NotFound:
		return err
	}
	return s.read(v, id)
}
