package exchange

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Date is a day on a program's calendar, without a time zone. The zero Date
// means "not given".
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return Date{}, Fail(Invalid, "%q is not a date; write it as YYYY-MM-DD", clip(s))
	}
	return dateOf(t), nil
}

// DateIn is the day that zone shows at the instant t.
func DateIn(t time.Time, zone *time.Location) Date { return dateOf(t.In(zone)) }

func dateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// String is the day as YYYY-MM-DD, empty for the zero Date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// IsZero reports whether no day is given.
func (d Date) IsZero() bool { return d == Date{} }

// Before reports whether d is an earlier day than other.
func (d Date) Before(other Date) bool { return d.compare(other) < 0 }

func (d Date) compare(other Date) int { return d.noon().Compare(other.noon()) }

// Add is the day n days later, earlier if n is negative.
func (d Date) Add(n int) Date { return dateOf(d.noon().AddDate(0, 0, n)) }

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.noon().Weekday() }

func (d Date) noon() time.Time { return time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, time.UTC) }

// Calendar is a program's working calendar: the zone in which its days begin
// and end, its weekend and its holidays. The zero Calendar is UTC with a
// weekend of Saturday and Sunday and no holidays.
type Calendar struct {
	// Zone is the location that ZoneName (a name of the IANA time zone
	// database such as "Europe/Berlin") stands for; nil is UTC.
	Zone     *time.Location
	ZoneName string
	// Weekend is nil for Saturday and Sunday, empty for none.
	Weekend []time.Weekday
	// Holidays maps days on which nobody works to their names.
	Holidays map[Date]string
}

// NewCalendar resolves the zone. An empty name, "Local" (which depends on the
// machine) and a weekend of seven days are Invalid.
func NewCalendar(zone string, weekend []time.Weekday, holidays map[Date]string) (Calendar, error) {
	c := Calendar{ZoneName: zone, Weekend: weekend, Holidays: holidays}
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" {
		return c, Fail(Invalid, "unknown time zone %q; use a name such as \"Europe/Berlin\" or \"UTC\"", clip(zone))
	}
	c.Zone = loc
	if c.wholeWeek() {
		return c, Fail(Invalid, "the weekend cannot be all seven days")
	}
	return c, nil
}

// Location is the calendar's zone, UTC if none is given.
func (c Calendar) Location() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

// Equal compares what the calendars say, not where their zones are loaded.
func (c Calendar) Equal(o Calendar) bool {
	return c.ZoneName == o.ZoneName && c.Location().String() == o.Location().String() &&
		slices.Equal(c.weekend(), o.weekend()) && maps.Equal(c.Holidays, o.Holidays)
}

// weekend is the set of weekend days, sorted from Sunday, each once.
func (c Calendar) weekend() []time.Weekday {
	if c.Weekend == nil {
		return []time.Weekday{time.Sunday, time.Saturday}
	}
	days := append([]time.Weekday{}, c.Weekend...) // not nil: no weekend is not the default weekend
	slices.Sort(days)
	return slices.Compact(days)
}

func (c Calendar) wholeWeek() bool { return len(c.weekend()) == 7 }

// DayOff says why the day that the calendar's zone shows at t is not a business
// day: the holiday's name or the weekday's, "" on a business day.
func (c Calendar) DayOff(t time.Time) string { return c.dayOff(DateIn(t, c.Location())) }

func (c Calendar) dayOff(d Date) string {
	if name, ok := c.Holidays[d]; ok {
		if name == "" {
			return "holiday"
		}
		return name
	}
	if slices.Contains(c.weekend(), d.Weekday()) {
		return d.Weekday().String()
	}
	return ""
}

// AddDays moves t by n calendar days and keeps the time on the wall clock of
// the calendar's zone, also over a change of the clocks. Where the clock skips
// that time, the result is the first instant after the gap (02:30 on the night
// of a jump from 02:00 to 03:00 is 03:00); where it shows the time twice, the
// result is the first of the two. n = 0 is t itself.
func (c Calendar) AddDays(t time.Time, n int) time.Time {
	if n == 0 {
		return t.UTC()
	}
	local := t.In(c.Location())
	return c.at(dateOf(local).Add(n), local)
}

// AddBusinessDays moves t by n business days, back if n is negative, counting
// only days that are neither weekend nor holiday, and keeps the time on the
// wall clock as AddDays does. From a day off, one business day back is the
// last business day before it and one forward the first after it. n = 0 is t
// itself, also on a day off.
func (c Calendar) AddBusinessDays(t time.Time, n int) time.Time {
	if n == 0 {
		return t.UTC()
	}
	local := t.In(c.Location())
	return c.at(c.businessDay(dateOf(local), n), local)
}

func (c Calendar) businessDay(d Date, n int) Date {
	if c.wholeWeek() { // NewCalendar refuses it; without this line the loop would not end
		return d.Add(n)
	}
	step := 1
	if n < 0 {
		step, n = -1, -n
	}
	for n > 0 {
		d = d.Add(step)
		if c.dayOff(d) == "" {
			n--
		}
	}
	return d
}

// StartOfDay is the first instant of the day d in the calendar's zone. It is
// not always 00:00: some zones change their clocks at midnight.
func (c Calendar) StartOfDay(d Date) time.Time { return c.at(d, time.Time{}) }

// AtClock is the instant at which the calendar's zone shows the given minute
// of the day d (0 = 00:00, 1439 = 23:59), with the rule of AddDays for times
// that the clock skips or shows twice.
func (c Calendar) AtClock(d Date, minute int) time.Time {
	return c.at(d, time.Date(1, 1, 1, minute/60, minute%60, 0, 0, time.UTC))
}

// at is the instant at which the zone shows the day d and the clock time of
// wall. time.Date does not promise which side it takes where the clock is
// changed, so both offsets around the change are tried here.
func (c Calendar) at(d Date, wall time.Time) time.Time {
	loc := c.Location()
	h, m, s := wall.Clock()
	naive := time.Date(d.Year, d.Month, d.Day, h, m, s, wall.Nanosecond(), time.UTC)
	// No zone is further than 15 hours from UTC, and none changes its clocks
	// twice within two days.
	before, after := offsetAt(naive.Add(-24*time.Hour), loc), offsetAt(naive.Add(24*time.Hour), loc)
	first, second := naive.Add(-before), naive.Add(-after)
	if second.Before(first) {
		first, second = second, first
	}
	for _, t := range []time.Time{first, second} {
		if naive.Add(-offsetAt(t, loc)).Equal(t) {
			return t
		}
	}
	// The later candidate lies behind the jump; its period starts with it.
	start, _ := second.In(loc).ZoneBounds()
	return start.UTC()
}

func offsetAt(t time.Time, loc *time.Location) time.Duration {
	_, seconds := t.In(loc).Zone()
	return time.Duration(seconds) * time.Second
}

var weekdayNames = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// ParseWeekday reads an English weekday, whole or its first three letters, in
// any case.
func ParseWeekday(s string) (time.Weekday, error) {
	low := strings.ToLower(s)
	for i, name := range weekdayNames {
		if low == name || low == name[:3] {
			return time.Weekday(i), nil
		}
	}
	return 0, Fail(Invalid, "%q is not a weekday; use %s", clip(s), strings.Join(weekdayNames, ", "))
}

// Later is the later of two instants.
func Later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
