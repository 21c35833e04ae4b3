package demo

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// zone is where the days of the program begin and end, as in charter.toml.
const zone = "Europe/Berlin"

// dates are the moments of the story, all relative to the moment at which it is
// told.
type dates struct {
	now    time.Time
	start  time.Time // the charter is applied
	closed time.Time // T0 of the release that is closed
	clock  time.Time // T0 of the release on the clock
	draft  time.Time // T0 of the draft
	cal    exchange.Calendar
}

// plan puts T0 of the release on the clock on the third business day from now,
// at 18:00. The waves at T0-14d and T0-5bd have then opened, on whatever day of
// the week now is, and the one at T0-1bd has not.
func plan(now time.Time) dates {
	cal, err := exchange.NewCalendar(zone, nil, nil)
	if err != nil { // the name stands above
		panic(fmt.Errorf("the demonstration's calendar: %w", err))
	}
	today := exchange.DateIn(now, cal.Location())
	t0 := cal.AddBusinessDays(cal.AtClock(today, 18*60), 3)
	return dates{
		now: now, cal: cal, clock: t0,
		closed: cal.AddDays(t0, -28), draft: cal.AddDays(t0, 28), start: cal.AddDays(t0, -49),
	}
}

//go:embed charter.toml
var charterTOML string

// charter is the text of the demonstration's charter with its dates.
func (d dates) charter() []byte { return d.dated(charterTOML) }

// dated puts the dates into the text of a charter.
func (d dates) dated(charter string) []byte {
	day := func(t time.Time) string { return exchange.DateIn(t, d.cal.Location()).String() }
	return []byte(strings.NewReplacer(
		"REVIEW", day(d.now.AddDate(0, 6, 0)), "SUNSET", day(d.now.AddDate(1, 6, 0)),
		"LATER", day(d.now.AddDate(0, 3, 0)), "PASSED", day(d.closed.AddDate(0, 0, 7)), "EFFECTIVE", day(d.start),
	).Replace(charter))
}
