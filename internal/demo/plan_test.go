package demo

import (
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Whenever the demonstration is started, the first two cohorts hold the release
// on the clock and the others, and everyone, do not yet.
func TestPlanAtAnyMoment(t *testing.T) {
	start := time.Date(2026, time.March, 1, 0, 30, 0, 0, time.UTC)
	for now := start; now.Before(start.AddDate(1, 0, 0)); now = now.Add(7 * time.Hour) {
		d := plan(now)
		c, err := exchange.ParseCharter(d.charter())
		if err != nil {
			t.Fatal(err)
		}
		if ps := c.Check(d.start); len(ps) > 0 {
			t.Fatalf("%v: at its beginning the charter lacks %v", now, ps)
		}
		if c.ReadOnlyAt(now.AddDate(1, 0, 0)) {
			t.Fatalf("%v: the program ends on %v", now, c.Sunset)
		}
		for _, s := range exchange.Schedule(c.Plan(d.clock), c) {
			early := s.Audience.Cohort == "validate" || s.Audience.Cohort == "early"
			switch {
			case s.Never || early && !s.At.Before(d.clock):
			case early && s.At.After(now):
				t.Errorf("%v: %s opens to %s at %v, which is to come", now, s.Class, s.Audience, s.At)
			case !early && !s.At.After(now):
				t.Errorf("%v: %s has opened to %s at %v", now, s.Class, s.Audience, s.At)
			}
		}
		if until := d.clock.Sub(now); until < 48*time.Hour || until > 6*24*time.Hour {
			t.Errorf("%v: the public release is %v away", now, until)
		}
		if !d.closed.AddDate(0, 0, 19).Before(now.Add(-24 * time.Hour)) {
			t.Errorf("%v: the closed release (%v) is not three weeks old", now, d.closed)
		}
	}
}

// The clock of the history ends in the present and never goes back.
func TestClock(t *testing.T) {
	now := time.Date(2026, time.March, 3, 12, 0, 0, 0, time.UTC)
	c := NewClock(func() time.Time { return now })
	begin := c.Now()
	if age := now.Sub(begin); age < 40*24*time.Hour || age > 60*24*time.Hour {
		t.Errorf("the story begins %v ago", age)
	}
	c.set(begin.Add(time.Hour))
	c.set(begin)
	if got := c.Now(); !got.Equal(begin.Add(time.Hour)) {
		t.Errorf("the clock went back to %v", got)
	}
	c.golive()
	if got := c.Now(); !got.Equal(now) {
		t.Errorf("handed over, the clock shows %v; want %v", got, now)
	}
	now = now.Add(-time.Hour) // somebody sets the machine's clock back
	if got := c.Now(); got.Before(now.Add(time.Hour)) {
		t.Errorf("the clock went back to %v with that of the machine", got)
	}
}
