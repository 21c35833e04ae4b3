package exchange

import (
	"testing"
	"time"
	_ "time/tzdata" // the tests must not depend on the machine's zone files

	"github.com/google/go-cmp/cmp"
)

func mustCalendar(t testing.TB, zone string, weekend []time.Weekday, holidays map[Date]string) Calendar {
	t.Helper()
	c, err := NewCalendar(zone, weekend, holidays)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func utc(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse("2006-01-02T15:04Z", s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestBusinessDaysInThreeZones is the calendar part of AT-07. The expected
// instants were worked out by hand from the zones' offsets: Berlin +1 / +2
// from 2026-03-29 01:00Z, New York -5 / -4 from 2026-03-08 07:00Z to 2026-11-01
// 06:00Z, Tokyo +9.
func TestBusinessDaysInThreeZones(t *testing.T) {
	berlin := mustCalendar(t, "Europe/Berlin", nil, map[Date]string{{2026, 4, 3}: "Good Friday", {2026, 4, 6}: "Easter Monday"})
	newYork := mustCalendar(t, "America/New_York", nil, map[Date]string{{2026, 11, 26}: "Thanksgiving", {2026, 9, 7}: "Labor Day"})
	tokyo := mustCalendar(t, "Asia/Tokyo", nil, map[Date]string{{2026, 5, 4}: "Greenery Day", {2026, 5, 5}: "Children's Day", {2026, 5, 6}: "substitute holiday"})
	tests := []struct {
		name string
		cal  Calendar
		t    string
		n    int
		want string
	}{
		{"Berlin over weekend", berlin, "2026-06-15T16:00Z", -1, "2026-06-12T16:00Z"},
		{"Berlin five back", berlin, "2026-06-16T16:00Z", -5, "2026-06-09T16:00Z"},
		{"Berlin over Easter", berlin, "2026-04-07T16:00Z", -1, "2026-04-02T16:00Z"},
		{"Berlin over Easter, forward", berlin, "2026-04-02T16:00Z", 1, "2026-04-07T16:00Z"},
		{"Berlin into winter time: 18:00 stays 18:00", berlin, "2026-03-30T16:00Z", -1, "2026-03-27T17:00Z"},
		{"Berlin from a Sunday back", berlin, "2026-06-14T10:00Z", -1, "2026-06-12T10:00Z"},
		{"Berlin from a Saturday forward", berlin, "2026-06-13T10:00Z", 1, "2026-06-15T10:00Z"},
		{"Berlin from a holiday back", berlin, "2026-04-06T10:00Z", -1, "2026-04-02T10:00Z"},
		{"Berlin zero on a Sunday", berlin, "2026-06-14T10:00Z", 0, "2026-06-14T10:00Z"},
		// 23:30Z on Friday is already Saturday in Berlin: one back is Friday.
		{"Berlin local date decides", berlin, "2026-06-12T23:30Z", -1, "2026-06-11T23:30Z"},

		{"New York over Labor Day", newYork, "2026-09-08T17:00Z", -1, "2026-09-04T17:00Z"},
		{"New York over Thanksgiving", newYork, "2026-11-30T18:00Z", -2, "2026-11-25T18:00Z"},
		{"New York over the end of summer time", newYork, "2026-11-02T15:00Z", -1, "2026-10-30T14:00Z"},
		{"New York into summer time", newYork, "2026-03-06T15:00Z", 1, "2026-03-09T14:00Z"},

		{"Tokyo over Golden Week", tokyo, "2026-05-07T01:00Z", -1, "2026-05-01T01:00Z"},
		{"Tokyo over a weekend", tokyo, "2026-06-15T01:00Z", -3, "2026-06-10T01:00Z"},
		// 20:00Z on Sunday is Monday 05:00 in Tokyo.
		{"Tokyo local date decides", tokyo, "2026-06-14T20:00Z", -1, "2026-06-11T20:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.cal.AddBusinessDays(utc(t, tt.t), tt.n); !got.Equal(utc(t, tt.want)) {
				t.Errorf("%d business days from %s = %s, want %s", tt.n, tt.t, got.Format(time.RFC3339), tt.want)
			}
		})
	}
}

func TestAddDaysKeepsTheWallClock(t *testing.T) {
	berlin := mustCalendar(t, "Europe/Berlin", nil, nil)
	newYork := mustCalendar(t, "America/New_York", nil, nil)
	tests := []struct {
		name string
		cal  Calendar
		t    string
		n    int
		want string
	}{
		{"over spring change", berlin, "2026-03-28T17:00Z", 1, "2026-03-29T16:00Z"},
		{"over autumn change", newYork, "2026-11-01T14:00Z", -1, "2026-10-31T13:00Z"},
		{"end of January", berlin, "2026-01-31T11:00Z", 1, "2026-02-01T11:00Z"},
		{"31 days from 31 January", berlin, "2026-01-31T11:00Z", 31, "2026-03-03T11:00Z"},
		{"leap day", berlin, "2028-02-28T11:00Z", 1, "2028-02-29T11:00Z"},
		// 02:30 does not exist on 2026-03-29: the first instant after is 03:00 CEST.
		{"skipped time", berlin, "2026-03-28T01:30Z", 1, "2026-03-29T01:00Z"},
		{"skipped time, going back", berlin, "2026-03-30T00:30Z", -1, "2026-03-29T01:00Z"},
		// 01:30 happens twice on 2026-11-01: the first is EDT, 05:30Z.
		{"repeated time", newYork, "2026-10-31T05:30Z", 1, "2026-11-01T05:30Z"},
		{"repeated time, going back", newYork, "2026-11-02T06:30Z", -1, "2026-11-01T05:30Z"},
		// The second 01:30 stays itself when nothing is added.
		{"zero", newYork, "2026-11-01T06:30Z", 0, "2026-11-01T06:30Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.cal.AddDays(utc(t, tt.t), tt.n); !got.Equal(utc(t, tt.want)) {
				t.Errorf("%d days from %s = %s, want %s", tt.n, tt.t, got.Format(time.RFC3339), tt.want)
			}
		})
	}
}

// TestWallClockOverAYear holds every hour of a year against the property that
// AddDays promises, in zones with a change of one hour, of half an hour, at
// midnight, and of none.
func TestWallClockOverAYear(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Kiritimati"} {
		cal := mustCalendar(t, zone, nil, nil)
		gaps := 0
		for at := utc(t, "2026-01-01T00:15Z"); at.Year() == 2026; at = at.Add(30 * time.Minute) {
			got, local := cal.AddDays(at, 1), at.In(cal.Zone)
			wantDay, gotLocal := dateOf(local).Add(1), got.In(cal.Zone)
			want := wantDay.String() + local.Format(" 15:04")
			have := gotLocal.Format("2006-01-02 15:04")
			switch {
			case have == want:
				if earlier := got.Add(-time.Hour).In(cal.Zone); earlier.Format("2006-01-02 15:04") == want {
					t.Errorf("%s: %s is the second of two, want the first", zone, got)
				}
			case have > want: // skipped: the instant before must be earlier on the clock than asked
				gaps++
				if before := got.Add(-time.Nanosecond).In(cal.Zone).Format("2006-01-02 15:04"); before >= want {
					t.Errorf("%s: %s is not the first instant after the gap around %s", zone, have, want)
				}
			default:
				t.Errorf("%s: got %s, want %s", zone, have, want)
			}
		}
		if zone == "Asia/Tokyo" && gaps != 0 || zone == "Europe/Berlin" && gaps != 2 {
			t.Errorf("%s: %d skipped times met", zone, gaps)
		}
	}
}

func TestStartOfDayWhereMidnightIsSkipped(t *testing.T) {
	cairo := mustCalendar(t, "Africa/Cairo", nil, nil) // clocks go from 00:00 to 01:00 on 2026-04-24
	if got, want := cairo.StartOfDay(Date{2026, 4, 24}), utc(t, "2026-04-23T22:00Z"); !got.Equal(want) {
		t.Errorf("start of day = %s, want %s", got, want)
	}
}

func TestDayOff(t *testing.T) {
	cal := mustCalendar(t, "Europe/Berlin", []time.Weekday{time.Friday, time.Saturday}, map[Date]string{{2026, 5, 1}: "Labour Day", {2026, 5, 4}: ""})
	tests := []struct{ at, want string }{
		{"2026-05-01T10:00Z", "Labour Day"}, // a holiday on the weekend is called by its name
		{"2026-05-02T10:00Z", "Saturday"},
		{"2026-05-03T10:00Z", ""}, // a Sunday
		{"2026-05-03T22:30Z", "holiday"},
	}
	for _, tt := range tests {
		if got := cal.DayOff(utc(t, tt.at)); got != tt.want {
			t.Errorf("DayOff(%s) = %q, want %q", tt.at, got, tt.want)
		}
	}
	var zero Calendar
	if zero.DayOff(utc(t, "2026-05-02T10:00Z")) != "Saturday" || zero.DayOff(utc(t, "2026-05-01T10:00Z")) != "" {
		t.Error("the zero calendar does not rest on Saturday alone")
	}
	none := mustCalendar(t, "UTC", []time.Weekday{}, nil)
	if got := none.AddBusinessDays(utc(t, "2026-05-04T10:00Z"), -2); !got.Equal(utc(t, "2026-05-02T10:00Z")) {
		t.Errorf("without a weekend, two business days back = %s", got)
	}
}

func TestNewCalendarRefuses(t *testing.T) {
	week := []time.Weekday{0, 1, 2, 3, 4, 5, 6}
	for _, zone := range []string{"", "Local", "Europe/Berln", "../etc/passwd"} {
		if _, err := NewCalendar(zone, nil, nil); KindOf(err) != Invalid {
			t.Errorf("zone %q: %v", zone, err)
		}
	}
	if _, err := NewCalendar("UTC", week, nil); KindOf(err) != Invalid {
		t.Errorf("a weekend of seven days: %v", err)
	}
	// It must end even so.
	if got := (Calendar{Weekend: week}).AddBusinessDays(utc(t, "2026-05-04T10:00Z"), 1); !got.Equal(utc(t, "2026-05-05T10:00Z")) {
		t.Errorf("got %s", got)
	}
}

func TestDates(t *testing.T) {
	for _, s := range []string{"", "2026-02-30", "2026-2-3", "26-02-03", "2026-02-03T00:00:00Z", "0000-01-01"} {
		if d, err := ParseDate(s); err == nil {
			t.Errorf("ParseDate(%q) = %v", s, d)
		}
	}
	d, err := ParseDate("2028-02-29")
	if diff := cmp.Diff(Date{2028, 2, 29}, d); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if d.String() != "2028-02-29" || (Date{}).String() != "" || d.Add(1) != (Date{2028, 3, 1}) || !d.Before(d.Add(1)) || d.Before(d) {
		t.Error("arithmetic of dates")
	}
}
