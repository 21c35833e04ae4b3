package web

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func TestStamp(t *testing.T) {
	want := time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC)
	for _, s := range []string{"2026-11-24 18:00", " 2026-11-24T18:00 ", "2026-11-24 18:00 UTC", "2026-11-24T18:00:00Z"} {
		if got, err := stamp(s); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v %v", s, got, err)
		}
	}
	for _, s := range []string{"24.11.2026 18:00", "2026-11-24", "2026-11-31 18:00", "2026-11-24 18:00 CET", "6pm"} {
		if got, err := stamp(s); exchange.KindOf(err) != exchange.Invalid {
			t.Errorf("%q was read as %v", s, got)
		}
	}
	if got, err := stamp(""); err != nil || !got.IsZero() {
		t.Errorf("nothing was read as %v, %v", got, err)
	}
}

// A figure must never be rounded onto a target that it does not reach, and no data
// is neither 0 nor 100 percent.
func TestValues(t *testing.T) {
	ninety := exchange.Target{Value: 90, Unit: "%"}
	share := func(part, whole int64) feedback.Measure {
		return feedback.Measure{Figure: feedback.Figure{Part: part, Whole: whole, Count: 1}, Target: ninety}
	}
	for _, row := range []struct {
		m    feedback.Measure
		want string
	}{
		{share(898, 1000), "89.80 %"},
		{share(90, 100), "90 %"},
		{share(1, 3), "33 %"},
		{feedback.Measure{NoData: true}, "no data"},
		{feedback.Measure{Hidden: true}, "hidden"},
		{feedback.Measure{MeasureInfo: exchange.MeasureInfo{Duration: true}, Figure: feedback.Figure{Median: -90 * time.Minute, Count: 3}}, "−1 h 30 min"},
	} {
		if got := value(row.m); got != row.want {
			t.Errorf("%+v: %q, want %q", row.m.Figure, got, row.want)
		}
	}
	if diff := cmp.Diff([]string{"0", "999", "1,000", "-1,234,567"}, []string{grouped(0), grouped(999), grouped(1000), grouped(-1234567)}); diff != "" {
		t.Error(diff)
	}
}

// The strictest labels decide; one that is overruled would contradict them.
func TestMay(t *testing.T) {
	r := delivery.MemberRelease{TLP: exchange.TLPAmberStrict, Items: []delivery.Item{
		{Artifact: exchange.Artifact{Handling: exchange.Handling{PAP: exchange.PAPClear}}, Obligations: []string{"a condition", "TLP:AMBER: clients", "PAP:CLEAR: all"}},
		{Artifact: exchange.Artifact{Handling: exchange.Handling{PAP: exchange.PAPAmber}}, Obligations: []string{"TLP:AMBER+STRICT: inside", "PAP:AMBER: passive"}},
	}}
	if diff := cmp.Diff([]string{"TLP:AMBER+STRICT: inside", "PAP:AMBER: passive", "a condition"}, may(r)); diff != "" {
		t.Error(diff)
	}
	a := exchange.Agreement{Obligations: []exchange.Obligation{exchange.PublishNotBefore}}
	if diff := cmp.Diff([]string{"publish it, or anything that gives it away, before T0", "give it to clients or anybody outside your organisation", "have a protection live before T0"}, mayNot(exchange.TLPAmberStrict, a, true)); diff != "" {
		t.Error(diff)
	}
	if got := mayNot(exchange.TLPClear, a, false); len(got) > 0 {
		t.Errorf("public and CLEAR: %v", got)
	}
}

func TestNonceHasNothingToEscape(t *testing.T) {
	plain := regexp.MustCompile(`^[\w-]{22}$`)
	for range 100 {
		if n := nonce(); !plain.MatchString(n) {
			t.Fatalf("%q would be written in another length", n)
		}
	}
}

// What the page of a program says of cohorts in which members write.
func TestWritingCohorts(t *testing.T) {
	c := testkit.Charter()
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early", "standard"}, To: []exchange.CohortID{"early", "validate"}}
	c.Rules = slices.DeleteFunc(c.Rules, func(r exchange.PlanRule) bool { return r.Cohort == "standard" })
	got := map[string]string{}
	for _, line := range cohortLines(c) {
		for _, is := range []struct {
			word string
			so   bool
		}{{"writes", line.Writes}, {"reads", line.Reads}, {"drop box", line.Dropbox}} {
			if is.so {
				got[line.ID] += is.word + " "
			}
		}
	}
	want := map[string]string{"validate": "reads ", "early": "writes reads ", "standard": "writes drop box "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
