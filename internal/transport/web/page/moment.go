package page

import (
	"fmt"
	"time"
)

// Stamp is how people read and write instants: UTC, to the minute.
const Stamp = "2006-01-02 15:04"

// Clock is one instant and one reader's zone, from which all times of a page
// are written.
type Clock struct {
	Now  time.Time
	Zone *time.Location // nil: UTC
}

// Moment is an instant as every page shows it: absolute in UTC, in the reader's
// zone, and relative to the moment at which the page was made.
type Moment struct {
	ISO      string // for machines; empty: no instant
	UTC      string // 2026-11-24 18:00
	Local    string // 19:00 Europe/Berlin; empty when the reader's zone is UTC
	Relative string // in 2 d 4 h
}

// IsZero reports whether there is no instant to show.
func (m Moment) IsZero() bool { return m.ISO == "" }

// At is the moment t on this clock; the zero Moment for the zero time.
func (c Clock) At(t time.Time) Moment {
	if t.IsZero() {
		return Moment{}
	}
	u := t.UTC()
	return Moment{
		ISO:      u.Format("2006-01-02T15:04:05Z"),
		UTC:      u.Format(Stamp),
		Local:    c.local(u),
		Relative: Relative(t.Sub(c.Now)),
	}
}

func (c Clock) local(u time.Time) string {
	if c.Zone == nil || c.Zone.String() == "UTC" || c.Zone.String() == "" {
		return ""
	}
	return InZone(u, c.Zone)
}

// InZone is the wall clock of a zone at an instant, with the date when that is
// another day than in UTC: "19:00 Europe/Berlin".
func InZone(t time.Time, zone *time.Location) string {
	l, u := t.In(zone), t.UTC()
	form := "15:04"
	if l.YearDay() != u.YearDay() || l.Year() != u.Year() {
		form = Stamp
	}
	return l.Format(form) + " " + zone.String()
}

// Relative is a span in words of at most two units: "in 2 d 4 h", "3 min ago".
func Relative(d time.Duration) string {
	if d < 0 {
		return Span(-d) + " ago"
	}
	return "in " + Span(d)
}

// Span is the length of a span: "2 d 4 h", "41 min", "12 s".
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 60*day:
		return fmt.Sprintf("%d d", d/day)
	case d >= day:
		if h := d % day / time.Hour; h > 0 {
			return fmt.Sprintf("%d d %d h", d/day, h)
		}
		return fmt.Sprintf("%d d", d/day)
	case d >= time.Hour:
		if m := d % time.Hour / time.Minute; m > 0 {
			return fmt.Sprintf("%d h %02d min", d/time.Hour, m)
		}
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
