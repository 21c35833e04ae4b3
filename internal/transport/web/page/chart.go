package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Chart is a line chart, computed here and drawn by a template as SVG with
// classes only, since a style attribute breaks the content policy. The same
// figures stand below it as a table.
type Chart struct {
	ID, Title, Desc string
	Width, Height   int
	Left, Right     int // of the plot
	Top, Bottom     int
	Lines           []ChartLine
	X, Y            []Tick
	Heads           []string
	Rows            [][]string
}

// ChartLine is one line: its path, its class (s1 to s4) and the label at its end.
type ChartLine struct {
	Path, Class, Label string
	X, Y               int
}

// Tick is a mark on an axis. Zero is the moment of the public release.
type Tick struct {
	Pos   int
	Label string
	Zero  bool
}

// Series is one line's figures: shares from 0 to 1 that hold from each point on.
type Series struct {
	Label  string
	Points []Point
}

// Point is a share from an instant on.
type Point struct {
	At    time.Time
	Share float64
}

// Span of a chart: what it shows, and the public release within.
type ChartSpan struct{ From, To, T0 time.Time }

// NewChart draws shares over time as steps. It returns nil without figures.
func NewChart(id, title string, span ChartSpan, series []Series) *Chart {
	if len(series) == 0 || !span.To.After(span.From) {
		return nil
	}
	c := &Chart{ID: id, Title: title, Width: 760, Height: 230, Left: 44, Right: 640, Top: 12, Bottom: 196}
	c.Desc = "Share from 0 to 100 percent over time, one line each for " + labels(series) + ". The same figures follow as a table."
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 1} {
		c.Y = append(c.Y, Tick{Pos: c.y(share), Label: fmt.Sprintf("%.0f %%", share*100)})
	}
	c.X = c.ticks(span)
	for i, s := range series {
		c.Lines = append(c.Lines, c.line(span, s, i))
	}
	c.spread()
	c.table(span, series)
	return c
}

func labels(series []Series) string {
	var out []string
	for _, s := range series {
		out = append(out, s.Label)
	}
	return strings.Join(out, ", ")
}

func (c *Chart) y(share float64) int {
	return c.Bottom - int(min(max(share, 0), 1)*float64(c.Bottom-c.Top)+0.5)
}

func (c *Chart) x(span ChartSpan, t time.Time) int {
	part := float64(t.Sub(span.From)) / float64(span.To.Sub(span.From))
	return c.Left + int(min(max(part, 0), 1)*float64(c.Right-c.Left)+0.5)
}

func (c *Chart) line(span ChartSpan, s Series, i int) ChartLine {
	var b strings.Builder
	y := c.y(0)
	fmt.Fprintf(&b, "M%d %d", c.Left, y)
	for _, p := range s.Points {
		y = c.y(p.Share)
		fmt.Fprintf(&b, "H%dV%d", c.x(span, p.At), y)
	}
	fmt.Fprintf(&b, "H%d", c.Right)
	return ChartLine{Path: b.String(), Class: fmt.Sprintf("s%d", i%4+1), Label: s.Label, X: c.Right + 8, Y: y}
}

// spread moves labels apart that would stand on each other.
func (c *Chart) spread() {
	const gap = 15
	order := make([]*ChartLine, len(c.Lines))
	for i := range c.Lines {
		order[i] = &c.Lines[i]
	}
	slices.SortStableFunc(order, func(a, b *ChartLine) int { return cmp.Compare(a.Y, b.Y) })
	for i := 1; i < len(order); i++ {
		order[i].Y = max(order[i].Y, order[i-1].Y+gap)
	}
	for i, limit := len(order)-1, c.Bottom; i >= 0; i-- {
		order[i].Y = min(order[i].Y, limit)
		limit = order[i].Y - gap
	}
}

// ticks puts T0 and up to six marks around it, at whole days or hours.
func (c *Chart) ticks(span ChartSpan) []Tick {
	length := span.To.Sub(span.From)
	step := 24 * time.Hour
	for _, s := range []time.Duration{6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour} {
		step = s
		if length/s <= 7 {
			break
		}
	}
	for length/step > 12 {
		step *= 2
	}
	var out []Tick
	first := -int(span.T0.Sub(span.From) / step)
	for n := first; ; n++ {
		at := span.T0.Add(time.Duration(n) * step)
		if at.After(span.To) {
			return out
		}
		if !at.Before(span.From) {
			out = append(out, Tick{Pos: c.x(span, at), Label: offsetLabel(time.Duration(n) * step), Zero: n == 0})
		}
	}
}

func offsetLabel(d time.Duration) string {
	sign := "+"
	if d < 0 {
		sign, d = "−", -d
	}
	switch {
	case d == 0:
		return "T0"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("T0%s%d d", sign, d/(24*time.Hour))
	}
	return fmt.Sprintf("T0%s%d h", sign, d/time.Hour)
}

// table gives each line's share at each mark.
func (c *Chart) table(span ChartSpan, series []Series) {
	c.Heads = []string{"At"}
	for _, s := range series {
		c.Heads = append(c.Heads, s.Label)
	}
	for _, tick := range c.X {
		row := []string{tick.Label}
		for _, s := range series {
			share := 0.0
			for _, p := range s.Points {
				if c.x(span, p.At) <= tick.Pos {
					share = p.Share
				}
			}
			row = append(row, fmt.Sprintf("%.0f %%", share*100))
		}
		c.Rows = append(c.Rows, row)
	}
}
