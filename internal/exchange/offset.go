package exchange

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Offset is a moment relative to the public release T0, as it stands in a
// charter or a plan:
//
//	T0              at the release
//	T0-90m  T0-24h  exact elapsed minutes or hours before it
//	T0-14d          calendar days, same time on the wall clock
//	T0-1bd          business days of the program's calendar, same time
//	T0-5bd@18:00    that day at 18:00 in the program's zone (d and bd only)
//	T0+48h          after the release, in any of these units
//	never           not at all
//
// The zero Offset is T0. Offsets are comparable with ==.
type Offset struct {
	n     int // negative = before T0
	unit  offsetUnit
	clock int // minute of the day + 1; 0 = keep T0's time of day
}

type offsetUnit uint8

const (
	unitNone offsetUnit = iota
	unitMinute
	unitHour
	unitDay
	unitBusinessDay
	unitNever
)

// offsetUnits gives each unit's letters, its name and the largest amount (ten
// years), which keeps business-day arithmetic short.
var offsetUnits = [...]struct {
	suffix, name string
	limit        int
}{
	unitMinute:      {"m", "minute", 10 * 366 * 24 * 60},
	unitHour:        {"h", "hour", 10 * 366 * 24},
	unitDay:         {"d", "day", 10 * 366},
	unitBusinessDay: {"bd", "business day", 10 * 366},
	unitNever:       {},
}

const offsetForms = "write T0, T0-90m, T0-24h, T0-14d, T0-1bd, T0-5bd@18:00, T0+48h or never"

// ParseOffset reads an offset in one of the forms above. Letters may be in any
// case and a typographic minus counts as a minus; the error says what is
// wrong and lists the forms.
func ParseOffset(s string) (Offset, error) {
	text := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(s)), "\u2212", "-")
	bad := func(why string) (Offset, error) {
		return Offset{}, Fail(Invalid, "offset %q: %s; %s", clip(s), why, offsetForms)
	}
	switch {
	case text == "":
		return Offset{}, Fail(Invalid, "the offset is empty; %s", offsetForms)
	case text == "never":
		return Never(), nil
	case text == "t0":
		return Offset{}, nil
	case !strings.HasPrefix(text, "t0"):
		return bad("it starts with neither T0 nor never")
	case text[2] != '-' && text[2] != '+':
		return bad("after T0 comes + or -")
	}
	body, clock, hasClock := strings.Cut(text[3:], "@")
	digits := body[:len(body)-len(strings.TrimLeft(body, "0123456789"))]
	o := Offset{unit: unitBySuffix(body[len(digits):])}
	if digits == "" {
		return bad("the amount is not a whole number")
	}
	if o.unit == unitNone {
		return bad("the unit is none of m, h, d, bd")
	}
	limit := offsetUnits[o.unit].limit
	n, err := strconv.Atoi(digits)
	if err != nil || n > limit {
		return bad(fmt.Sprintf("the amount is larger than %d", limit))
	}
	if n == 0 {
		return bad("an amount of 0 is written T0")
	}
	if text[2] == '-' {
		n = -n
	}
	o.n = n
	if hasClock {
		if o.unit != unitDay && o.unit != unitBusinessDay {
			return bad("a time of day goes with d and bd only")
		}
		minute, ok := parseClock(clock)
		if !ok {
			return bad("the time of day is not HH:MM between 00:00 and 23:59")
		}
		o.clock = minute + 1
	}
	return o, nil
}

func unitBySuffix(s string) offsetUnit {
	for u := unitMinute; u <= unitBusinessDay; u++ {
		if offsetUnits[u].suffix == s {
			return u
		}
	}
	return unitNone
}

func parseClock(s string) (minute int, ok bool) {
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, false
	}
	return t.Hour()*60 + t.Minute(), true
}

// Never is the offset of what is not given at all.
func Never() Offset { return Offset{unit: unitNever} }

// IsNever reports whether the offset is never.
func (o Offset) IsNever() bool { return o.unit == unitNever }

// BeforeT0 reports whether the offset lies before the release, whatever the
// release and the calendar are.
func (o Offset) BeforeT0() bool { return o.n < 0 }

// String is the canonical form, which ParseOffset reads back to an equal
// Offset.
func (o Offset) String() string {
	switch o.unit {
	case unitNone:
		return "T0"
	case unitNever:
		return "never"
	}
	s := fmt.Sprintf("T0%+d%s", o.n, offsetUnits[o.unit].suffix)
	if o.clock > 0 {
		s += "@" + o.clockText()
	}
	return s
}

// Words is the offset in plain English: "5 business days before the release,
// at 18:00".
func (o Offset) Words() string {
	switch o.unit {
	case unitNone:
		return "at the release"
	case unitNever:
		return "never"
	}
	n, side := o.n, "after"
	if n < 0 {
		n, side = -n, "before"
	}
	unit := offsetUnits[o.unit].name
	if n != 1 {
		unit += "s"
	}
	s := fmt.Sprintf("%d %s %s the release", n, unit, side)
	if o.clock > 0 {
		s += ", at " + o.clockText()
	}
	return s
}

func (o Offset) clockText() string {
	return fmt.Sprintf("%02d:%02d", (o.clock-1)/60, (o.clock-1)%60)
}

// At is the instant, in UTC, that the offset means for a release at t0 on the
// calendar cal; false for never. Days keep t0's time on the wall clock of the
// calendar's zone (see Calendar.AddDays) unless a time of day is given.
func (o Offset) At(t0 time.Time, cal Calendar) (time.Time, bool) {
	day := DateIn(t0, cal.Location())
	switch o.unit {
	case unitNone:
		return t0.UTC(), true
	case unitMinute:
		return t0.Add(time.Duration(o.n) * time.Minute).UTC(), true
	case unitHour:
		return t0.Add(time.Duration(o.n) * time.Hour).UTC(), true
	case unitDay:
		if o.clock > 0 {
			return cal.AtClock(day.Add(o.n), o.clock-1), true
		}
		return cal.AddDays(t0, o.n), true
	case unitBusinessDay:
		if o.clock > 0 {
			return cal.AtClock(cal.businessDay(day, o.n), o.clock-1), true
		}
		return cal.AddBusinessDays(t0, o.n), true
	}
	return time.Time{}, false
}
