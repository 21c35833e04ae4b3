package bench

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// classes are n different handlings of one artifact that was given to the member.
func classes(n int, now time.Time) []policy.Item {
	items := make([]policy.Item, n)
	for i := range items {
		h := exchange.Handling{
			TLP: exchange.TLP(1 + i%5), PAP: exchange.PAPAmber, Persons: []exchange.PersonID{"per_named"},
			NotOrgs: []exchange.OrgID{"org-a", exchange.OrgID("org-" + strconv.Itoa(i))}, NotIn: []string{"XA", "XB"},
		}
		items[i] = policy.Item{
			Program: "program", State: exchange.ReleaseReleasing, Class: exchange.DetectionGuidance, Handling: h,
			Required: 1, OpenedAt: now.Add(-time.Hour), Originators: []exchange.OrgID{"org-a"},
		}
		switch i % 4 {
		case 0:
			items[i].Handling = h.Join(exchange.Handling{Sectors: []string{"energy", "water"}, Organisations: []exchange.OrgID{"org-b"}})
		case 1:
			items[i].Fields = []exchange.FieldHandling{{Selectors: []string{"description"}, Handling: exchange.Handling{TLP: exchange.TLPRed}}}
		}
	}
	return items
}

// BenchmarkDecision takes the decisions on 2,000 handling classes for one member:
// all that its first page after a change of facts can cost, without the reads.
func BenchmarkDecision(b *testing.B) {
	now := time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC)
	r := policy.Recipient{
		Org: "member", Member: true, Audience: exchange.Audience{Cohort: "early"}, Accepted: 1, Jurisdictions: []string{"DE"},
		MayRead: true, Channel: exchange.ChannelTAXII, Attributes: exchange.Attributes{Sectors: []string{"energy"}},
	}
	items := classes(2000, now)
	given, n := 0, 0
	used := cpu()
	for b.Loop() {
		given = 0
		for _, i := range items {
			if policy.Decide(r, i, now).Allowed() {
				given++
			}
		}
		n++
	}
	spent := cpu() - used
	if given == 0 || given == len(items) {
		b.Fatalf("%d of %d are given: nothing is decided", given, len(items))
	}
	show(figure{name: "decision, cold, ns", value: float64(spent.Nanoseconds()) / float64(n*len(items)), format: "%.0f"})
	show(figure{name: "decisions on 2,000 handling classes, without rules, ms", value: float64(spent.Microseconds()) / float64(n) / 1000, format: "%.2f", most: 20})
}

// BenchmarkRuledDecision takes the decisions on 2,000 handling classes for one
// member under 50 policies of the program, beginning with what has to be worked
// out for the member.
func BenchmarkRuledDecision(b *testing.B) {
	now := time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC)
	var text strings.Builder
	text.WriteString(`permit(principal, action == Action::"read", resource) when { resource.tlp <= 5 };`)
	for i := range 49 {
		fmt.Fprintf(&text, "\nforbid(principal, action == Action::\"read\", resource) when { principal.sectors.contains(\"s%d\") && resource.originators.contains(\"org-%d\") };", i%10, i)
	}
	rules, problems := policy.CompileRules(text.String())
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	r := policy.Recipient{
		Org: "member", Member: true, Audience: exchange.Audience{Cohort: "early"}, Accepted: 1, Jurisdictions: []string{"DE"},
		MayRead: true, Channel: exchange.ChannelTAXII, Attributes: exchange.Attributes{Sectors: []string{"energy", "s1", "s2"}},
	}
	items := classes(2000, now)
	for i := range items { // no two of them alike for the rules
		items[i].Originators = []exchange.OrgID{"org-a", exchange.OrgID("org-" + strconv.Itoa(i))}
	}
	given, n := 0, 0
	used := cpu()
	for b.Loop() {
		r.Rules = rules.For()
		given = 0
		for _, i := range items {
			if policy.Decide(r, i, now).Allowed() {
				given++
			}
		}
		n++
	}
	spent := cpu() - used
	if given == 0 || given == len(items) {
		b.Fatalf("%d of %d are given: nothing is decided", given, len(items))
	}
	show(figure{name: "decisions on 2,000 handling classes, under 50 policies, ms", value: float64(spent.Microseconds()) / float64(n) / 1000, format: "%.2f", most: 20})
}
