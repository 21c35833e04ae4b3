package exchange

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func mustOffset(s string) Offset {
	o, err := ParseOffset(s)
	if err != nil {
		panic(err)
	}
	return o
}

func TestOffsetAt(t *testing.T) {
	berlin := mustCalendar(t, "Europe/Berlin", nil, map[Date]string{{2026, 4, 3}: "Good Friday", {2026, 4, 6}: "Easter Monday"})
	newYork := mustCalendar(t, "America/New_York", nil, nil)
	tokyo := mustCalendar(t, "Asia/Tokyo", nil, nil)
	const tuesday = "2026-04-07T17:00Z" // 19:00 in Berlin, 13:00 in New York, 02:00 on Wednesday in Tokyo
	tests := []struct {
		offset string
		cal    Calendar
		t0     string
		want   string
	}{
		{"T0", berlin, tuesday, tuesday},
		{"T0-90m", berlin, tuesday, "2026-04-07T15:30Z"},
		{"T0-24h", berlin, "2026-03-29T16:00Z", "2026-03-28T16:00Z"}, // exact over the change of clocks
		{"T0-1d", berlin, "2026-03-29T16:00Z", "2026-03-28T17:00Z"},  // 18:00 stays 18:00
		{"T0+48h", berlin, tuesday, "2026-04-09T17:00Z"},
		{"T0-14d", berlin, tuesday, "2026-03-24T18:00Z"},
		{"T0-1bd", berlin, tuesday, "2026-04-02T17:00Z"},
		{"T0-1bd", newYork, tuesday, "2026-04-06T17:00Z"},
		{"T0-1bd", tokyo, tuesday, "2026-04-06T17:00Z"},
		{"T0-3bd", tokyo, tuesday, "2026-04-02T17:00Z"}, // Wednesday in Tokyo: back to Friday there
		{"T0-1bd@09:00", berlin, tuesday, "2026-04-02T07:00Z"},
		{"T0-1bd@09:00", newYork, tuesday, "2026-04-06T13:00Z"},
		{"T0-1bd@09:00", tokyo, tuesday, "2026-04-07T00:00Z"},
		{"T0-5bd@18:00", newYork, "2026-11-03T18:00Z", "2026-10-27T22:00Z"}, // summer time before, winter time at T0
		{"T0-9d@02:30", berlin, tuesday, "2026-03-29T01:00Z"},               // a time that the clock skips
		{"T0+1d@00:00", berlin, tuesday, "2026-04-07T22:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.offset+" "+tt.cal.ZoneName, func(t *testing.T) {
			got, ok := mustOffset(tt.offset).At(utc(t, tt.t0), tt.cal)
			if !ok || !got.Equal(utc(t, tt.want)) || got.Location() != time.UTC {
				t.Errorf("%s of %s = %v %t, want %s", tt.offset, tt.t0, got, ok, tt.want)
			}
		})
	}
	if at, ok := Never().At(utc(t, tuesday), berlin); ok || !at.IsZero() {
		t.Errorf("never is at %v", at)
	}
}

func TestParseOffset(t *testing.T) {
	canonical := map[string]string{
		"T0": "T0", " t0 ": "T0", "NEVER": "never", "T0-014d": "T0-14d", "t0-5BD@08:05": "T0-5bd@08:05",
		"T0\u221214d": "T0-14d", "T0+3660d": "T0+3660d", "T0-1d@00:00": "T0-1d@00:00",
	}
	for in, want := range canonical {
		o, err := ParseOffset(in)
		if err != nil || o.String() != want {
			t.Errorf("ParseOffset(%q) = %s, %v; want %s", in, o, err, want)
		}
	}
	refused := map[string]string{
		"": "empty", "5d": "neither T0 nor never", "T1-5d": "neither T0 nor never", "T05d": "+ or -", "T0 - 5d": "+ or -",
		"T0-d": "whole number", "T0-1.5h": "none of m, h, d, bd", "T0-5": "none of m, h, d, bd", "T0-5w": "none of m, h, d, bd",
		"T0-0d": "written T0", "T0--5d": "whole number", "T0-99999999999999999999h": "larger than", "T0-3661bd": "larger than",
		"T0-5h@18:00": "d and bd only", "T0-5d@": "HH:MM", "T0-5d@24:00": "HH:MM", "T0-5d@8:00": "HH:MM", "T0-5d@18:00:00": "HH:MM",
		"T0-1 4d": "none of m, h, d, bd", "never ever": "neither T0 nor never", "T0@18:00": "+ or -",
	}
	for in, want := range refused {
		o, err := ParseOffset(in)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Invalid || !strings.Contains(e.Public, want) || !strings.Contains(e.Public, "T0-5bd@18:00") {
			t.Errorf("ParseOffset(%q) = %s, %v; want an error with %q and the forms", in, o, err, want)
		}
	}
}

func TestOffsetWords(t *testing.T) {
	tests := map[string]string{
		"T0": "at the release", "never": "never", "T0-1bd": "1 business day before the release",
		"T0-5bd@18:00": "5 business days before the release, at 18:00", "T0+48h": "48 hours after the release",
	}
	for in, want := range tests {
		if got := mustOffset(in).Words(); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	if !mustOffset("T0-1m").BeforeT0() || (Offset{}).BeforeT0() || mustOffset("T0+1m").BeforeT0() || Never().BeforeT0() {
		t.Error("BeforeT0")
	}
}

func FuzzParseOffset(f *testing.F) {
	for _, s := range []string{"T0", "T0-14d", "T0-24h", "T0-5bd@18:00", "T0+48h", "T0-90m", "never", "T0-9d@02:30", "T0\u22121bd"} {
		f.Add(s)
	}
	cal, err := NewCalendar("Europe/Berlin", nil, map[Date]string{{2026, 4, 3}: "Good Friday"})
	if err != nil {
		f.Fatal(err)
	}
	t0 := time.Date(2026, 4, 7, 17, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		o, err := ParseOffset(s)
		if err != nil {
			if KindOf(err) != Invalid {
				t.Fatalf("%q: error without a kind: %v", s, err)
			}
			return
		}
		again, err := ParseOffset(o.String())
		if err != nil || again != o {
			t.Fatalf("%q -> %s -> %v, %v", s, o, again, err)
		}
		at, ok := o.At(t0, cal)
		if ok == o.IsNever() {
			t.Fatalf("%s: ok = %t", o, ok)
		}
		if ok && o.BeforeT0() != at.Before(t0) {
			t.Fatalf("%s: %s is on the wrong side of %s", o, at, t0)
		}
	})
}
