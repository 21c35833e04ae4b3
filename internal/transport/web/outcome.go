package web

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// tiles are the measures of an outcome; rows is the page with what is behind them.
func tiles(o feedback.Outcome, rows string) []page.Tile {
	var out []page.Tile
	for _, m := range o.Measures {
		t := page.Tile{
			ID: string(m.ID), Label: m.Title, Value: value(m), Target: target(m.Target), State: standing(m),
			Basis: basis(m, o.Floor), Definition: m.Definition + " " + m.Basis, RowsHref: rows + "#rows-" + string(m.ID),
		}
		out = append(out, t)
	}
	return out
}

// value is a figure in words; where there is nothing to compute from it is
// neither 0 nor 100 percent.
func value(m feedback.Measure) string {
	switch {
	case m.NoData:
		return "no data"
	case m.Hidden:
		return "hidden"
	case m.Duration:
		return spanWords(m.Median)
	}
	return percent(m.Share(), m.Target)
}

// percent rounds to whole percent, but never onto or over a target that is not
// reached, or the other way round.
func percent(share float64, t exchange.Target) string {
	if t.Unit == "%" && share*100 != t.Value && math.Abs(share*100-t.Value) < 1 {
		return fmt.Sprintf("%.2f %%", share*100)
	}
	return fmt.Sprintf("%.0f %%", share*100)
}

// grouped is a number with its digits in groups of three.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func spanWords(d time.Duration) string {
	if d < 0 {
		return "−" + page.Span(-d)
	}
	return page.Span(d)
}

func target(t exchange.Target) string {
	if t.IsZero() {
		return ""
	}
	sign := "≥ "
	if t.AtMost {
		sign = "≤ "
	}
	return sign + fmt.Sprintf("%g %s", t.Value, t.Unit)
}

func standing(m feedback.Measure) page.State {
	switch {
	case m.Hidden:
		return page.State{Text: "too few to show", Kind: page.Plain}
	case m.State == feedback.StandingMet:
		return page.State{Text: "met", Kind: page.Ok}
	case m.State == feedback.StandingMissed:
		return page.State{Text: "missed", Kind: page.Danger}
	case m.State == feedback.StandingOpen:
		return page.State{Text: "not met yet", Kind: page.Warn}
	case m.NoData:
		return page.State{Text: "no data", Kind: page.Plain}
	}
	return page.State{Text: "no target", Kind: page.Plain}
}

func basis(m feedback.Measure, floor int) string {
	switch {
	case m.Hidden:
		return fmt.Sprintf("fewer than %d organisations", floor)
	case m.NoData:
		return "n = 0"
	case m.Duration:
		return fmt.Sprintf("median of n = %d, of %d", m.N, m.Of)
	case m.Whole != int64(m.Of):
		return fmt.Sprintf("n = %d of %d; weight %s of %s", m.N, m.Of, grouped(m.Part), grouped(m.Whole))
	}
	return fmt.Sprintf("n = %d of %d", m.N, m.Of)
}

// coverage is the chart of a release whose public release has passed: which share
// of each cohort, by weight, had a protection ready when. Ready and not live,
// since agreements forbid protections that are live before T0. Nil without
// figures.
func (v *visit) coverage(r exchange.Release, holders []release.Holder) (*page.Chart, error) {
	o, err := v.site.Feedback.ReleaseOutcome(v.ctx(), v.a, r.ID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(o.Measures, func(m feedback.Measure) bool { return m.ID == exchange.ReadinessMargin })
	if i < 0 || len(o.Measures[i].Rows) == 0 || !o.Overseer {
		return nil, nil
	}
	cohort := map[exchange.OrgID]exchange.CohortID{}
	for _, h := range holders {
		cohort[h.Org] = h.Audience.Cohort
	}
	span := page.ChartSpan{From: r.PublicAt, T0: r.PublicAt, To: r.PublicAt.Add(72 * time.Hour)}
	for _, h := range holders {
		span.From = earliest(span.From, h.Since)
	}
	var order []exchange.CohortID
	rows := map[exchange.CohortID][]feedback.Row{}
	for _, row := range o.Measures[i].Rows {
		c := cohort[row.Org]
		if rows[c] == nil {
			order = append(order, c)
		}
		rows[c] = append(rows[c], row)
	}
	slices.Sort(order)
	var series []page.Series
	for _, c := range order {
		series = append(series, page.Series{Label: string(c), Points: points(rows[c], span.To)})
	}
	return page.NewChart("coverage", "Coverage by cohort, protection ready: "+r.Title, span, series), nil
}

// points sums the weights of those whose protection was ready.
func points(rows []feedback.Row, until time.Time) []page.Point {
	var whole, part int64
	for _, r := range rows {
		whole += r.Weight
	}
	rows = slices.DeleteFunc(slices.Clone(rows), func(r feedback.Row) bool { return r.From.IsZero() || r.From.After(until) })
	slices.SortFunc(rows, func(a, b feedback.Row) int { return a.From.Compare(b.From) })
	var out []page.Point
	for _, r := range rows {
		part += r.Weight
		out = append(out, page.Point{At: r.From, Share: float64(part) / float64(whole)})
	}
	return out
}

// outcome is the page with the rows behind the measures of a program.
func (s *site) outcome(v *visit) error {
	id := exchange.ProgramID(v.path("program"))
	c, _, err := s.Programs.Charter(v.ctx(), v.a, id)
	if err != nil {
		return err
	}
	w, from, to := window(v)
	o, err := s.Feedback.Outcome(v.ctx(), v.a, id, w)
	if exchange.KindOf(err) == exchange.NotFound { // a member without the agreement
		return v.see("/programs/" + string(id) + "#agreement")
	}
	if err != nil {
		return err
	}
	p := &page.Outcome{Frame: v.frame("Outcome"), Program: c.Title, From: from, To: to, Window: windowWords(from, to)}
	v.within(&p.Frame, c, "Outcome")
	p.Tiles = tiles(o, "")
	for _, m := range o.Measures {
		p.Tables = append(p.Tables, rowTable(m, o))
	}
	p.Tables = append(p.Tables, quiet(o), cases(o))
	for i := range p.Tables {
		p.Tables[i] = capped(p.Tables[i])
	}
	return v.show(p)
}

func window(v *visit) (w feedback.Window, from, to string) {
	q := v.r.URL.Query()
	if d, err := time.Parse(time.DateOnly, q.Get("from")); err == nil {
		w.From, from = d, q.Get("from")
	}
	if d, err := time.Parse(time.DateOnly, q.Get("to")); err == nil {
		w.To, to = d.AddDate(0, 0, 1), q.Get("to")
	}
	return w, from, to
}

func windowWords(from, to string) string {
	switch {
	case from == "" && to == "":
		return "all releases"
	case to == "":
		return "releases with T0 from " + from + " on"
	case from == "":
		return "releases with T0 to the end of " + to
	}
	return "releases with T0 from " + from + " to the end of " + to
}

func rowTable(m feedback.Measure, o feedback.Outcome) page.RowTable {
	t := page.RowTable{ID: string(m.ID), Title: m.Title, Definition: m.Definition, Heads: []string{"Member", "Release", "Weight", "Counts", "From (UTC)", "To (UTC)", "Span", "Evidence"}}
	if !m.Duration && !slices.ContainsFunc(m.Rows, func(r feedback.Row) bool { return !r.From.IsZero() }) {
		t.Heads = []string{"Member", "Release", "Weight", "Counts", "State", "Evidence"}
	}
	for _, r := range m.Rows {
		row := []string{r.Name, r.Title, grouped(r.Weight), yes(r.Counts)}
		if r.Title == "" {
			row[1] = page.Plural(r.Cases, "release")
		}
		if len(t.Heads) == 6 {
			row = append(row, string(r.State))
		} else {
			span := "—"
			if !r.From.IsZero() && !r.To.IsZero() {
				span = spanWords(r.Span)
			}
			row = append(row, instant(r.From), instant(r.To), span)
		}
		t.Rows = append(t.Rows, append(row, yes(r.Evidenced)))
	}
	if !o.Overseer {
		t.Note = fmt.Sprintf("You see the rows of your own organisation. Figures behind which fewer than %d organisations stand are hidden.", o.Floor)
	}
	return t
}

const rowsShown = 200

// capped keeps a page bounded; the whole is a command away.
func capped(t page.RowTable) page.RowTable {
	if t.Total = len(t.Rows); t.Total > rowsShown {
		t.Rows = t.Rows[:rowsShown]
		t.Note = strings.TrimSpace(fmt.Sprintf("The first %d rows. All of them: forewarn outcome show --json. %s", rowsShown, t.Note))
	}
	return t
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func instant(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.UTC().Format(page.Stamp)
}

func quiet(o feedback.Outcome) page.RowTable {
	t := page.RowTable{ID: "quiet", Title: "Said nothing", Definition: "Members that were given something and answered nothing, with how far it came.", Heads: []string{"Member", "Release", "State"}}
	for _, r := range o.Quiet {
		t.Rows = append(t.Rows, []string{r.Name, r.Title, string(r.State)})
	}
	return t
}

func cases(o feedback.Outcome) page.RowTable {
	t := page.RowTable{ID: "cases", Title: "Releases counted", Definition: "The releases that the measures above are taken over.", Heads: []string{"Release", "State", "T0 (UTC)", "Given to"}}
	for _, c := range o.Cases {
		given := fmt.Sprint(c.Offered)
		if c.Offered == 0 && !o.Overseer {
			given = "not shown"
		}
		t.Rows = append(t.Rows, []string{c.Title, string(c.State), instant(c.T0), given})
	}
	return t
}
