package basis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/basis"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
)

func day(n int) time.Time { return time.Date(2025, time.January, n, 0, 0, 0, 0, time.UTC) }

// How a basis stands depends on the instant that is asked for and on the instant
// at which it is known.
func TestJudge(t *testing.T) {
	lines := []basis.Line{
		{Number: 1, InForce: true, From: day(1), To: day(10), KnownFrom: day(1)},
		{Number: 2, InForce: true, From: day(15), KnownFrom: day(12)},               // revived, open
		{Number: 3, InForce: true, From: day(10), To: day(15), KnownFrom: day(20)},  // extended backwards
		{Number: 4, InForce: false, From: day(5), To: day(6), KnownFrom: day(22)},   // annulled for a day
		{Number: 5, InForce: true, From: day(5), To: day(6), KnownFrom: day(21)},    // entered later, known before the annulment
		{Number: 6, InForce: false, From: day(40), To: day(41), KnownFrom: day(60)}, // not known yet in any case below
		{Number: 7, InForce: true, From: day(5), To: day(6), KnownFrom: day(22)},    // of two known at once the later entry holds
	}
	for _, c := range []struct {
		name     string
		lines    int
		t, known time.Time
		force    bool
		line     int64
		warning  string
	}{
		{"covered", 7, day(3), day(3), true, 1, ""},
		{"its end is not covered", 7, day(10), day(10), false, 1, "the last period that is known ended on 10 January 2025"},
		{"a revival that is known already", 7, day(12), day(12), false, 1, "the last period that is known ended on 10 January 2025"},
		{"revived", 7, day(15), day(15), true, 2, ""},
		{"the gap, before the extension is known", 7, day(12), day(19), false, 1, "ended on 10 January 2025"},
		{"the gap, once it is known", 7, day(12), day(20), true, 3, ""},
		{"before the annulment is known", 7, day(5), day(21), true, 5, ""},
		{"annulled, in the first four lines", 4, day(5), day(22), false, 4, "the register says so for 5 January 2025 to 6 January 2025"},
		{"annulled, with a line known before it", 5, day(5), day(22), false, 4, "the register says so"},
		{"of two known at once the later entry", 7, day(5), day(22), true, 7, ""},
		{"long after", 7, day(400), day(400), true, 2, ""},
		{"before all", 7, day(1).AddDate(-1, 0, 0), day(30), false, 1, "it is known from 1 January 2025 on"},
		{"nothing known yet", 7, day(3), day(1).AddDate(-1, 0, 0), false, 0, "nothing is known of it"},
		{"no lines", 0, day(3), day(3), false, 0, "nothing is known of it"},
	} {
		s := basis.Judge("law", lines[:c.lines], c.t, c.known)
		if w := s.Warning(); s.InForce != c.force || s.Line.Number != c.line || !strings.Contains(w, c.warning) || (w == "") != (c.warning == "") {
			t.Errorf("%s: in force %v by line %d, %q; want %v by %d, %q", c.name, s.InForce, s.Line.Number, w, c.force, c.line, c.warning)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	w := servertest.New(t)
	good := basis.Line{Basis: "law", Jurisdiction: "US", Instrument: "An act", InForce: true, From: day(1), To: day(2), Source: "s"}
	for field, change := range map[string]func(*basis.Line){
		"id":           func(l *basis.Line) { l.Basis = "No Slug" },
		"jurisdiction": func(l *basis.Line) { l.Jurisdiction = "USA" },
		"instrument":   func(l *basis.Line) { l.Instrument = " " },
		"source":       func(l *basis.Line) { l.Source = "a\nb" },
		"valid_from":   func(l *basis.Line) { l.From = time.Time{} },
		"valid_to":     func(l *basis.Line) { l.To = l.From },
		"conditions":   func(l *basis.Line) { l.Conditions = strings.Repeat("x", 2001) },
	} {
		l := good
		change(&l)
		_, err := w.X.Bases.Add(t.Context(), w.Admin, l)
		e, _ := err.(*exchange.Error)
		if exchange.KindOf(err) != exchange.Invalid || len(e.Problems) == 0 || e.Problems[0].Path != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if lines, err := w.X.Bases.Lines(t.Context(), w.Admin, ""); err != nil || len(lines) > 0 {
		t.Errorf("stored: %v, %v", lines, err)
	}
	if _, err := w.X.Bases.Add(t.Context(), w.Operator, good); err != nil {
		t.Fatal(err)
	}
	// A further line takes what it leaves out from the first, and now as its date.
	l, err := w.X.Bases.Add(t.Context(), w.Operator, basis.Line{Basis: "law", InForce: true, From: day(2), Source: "s"})
	if err != nil || l.Number != 2 || l.Jurisdiction != "US" || l.Instrument != "An act" || !l.KnownFrom.Equal(w.Clock.Now().UTC().Truncate(time.Microsecond)) {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := w.X.Bases.Lines(t.Context(), exchange.Public(), ""); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("nobody reads the register: %v", err)
	}
	if _, err := w.X.Bases.Lines(t.Context(), w.Admin, "other"); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("a basis that is not there: %v", err)
	}
}
