package policy_test

import (
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// A decision that no part of the item complicates leaves nothing behind.
func TestDecideDoesNotAllocate(t *testing.T) {
	for n, change := range append([]breach{{apply: func(*policy.Recipient, *policy.Item) {}}}, breaches...) {
		r, i := member(), given()
		change.apply(&r, &i)
		if r.Rules != nil {
			continue
		}
		if got := testing.AllocsPerRun(100, func() { policy.Decide(r, i, now) }); got != 0 {
			t.Errorf("case %d (%s %s): %v allocations", n, change.rule, change.code, got)
		}
	}
}

var sink policy.Decision

// BenchmarkDecide is a decision that nobody took before, without explanation.
func BenchmarkDecide(b *testing.B) {
	r, i := member(), given()
	full := i
	full.Handling = i.Handling.Join(exchange.Handling{
		Organisations: []exchange.OrgID{"a", "b", org}, NotOrgs: []exchange.OrgID{"c", "d"}, NotIn: []string{"XA", "XB"},
		NotHats: []string{"regulator"}, NotCohorts: []exchange.CohortID{"late"},
	}).Join(exchange.Handling{Sectors: []string{"energy"}, Organisations: []exchange.OrgID{org}})
	parted := i
	parted.Fields = []exchange.FieldHandling{
		{Selectors: []string{"description"}, Handling: exchange.Handling{TLP: exchange.TLPRed}},
		{Selectors: []string{"labels.[0]"}, Handling: exchange.Handling{TLP: exchange.TLPGreen}},
	}
	for _, c := range []struct {
		name string
		i    policy.Item
	}{{"label", i}, {"lists", full}, {"two-parts", parted}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = policy.Decide(r, c.i, now)
			}
		})
	}
	b.Run("explained", func(b *testing.B) {
		for b.Loop() {
			sink = policy.Explain(r, full, now)
		}
	})
}

// BenchmarkCompile takes the decisions of one member on 2,000 handling classes,
// of a program without rules of its own.
func BenchmarkCompile(b *testing.B) {
	r := member()
	items := make([]policy.Item, 2000)
	for n := range items {
		items[n] = given()
		items[n].Handling.TLP = exchange.TLP(1 + n%5)
		items[n].Handling.NotOrgs = []exchange.OrgID{"a", exchange.OrgID(rune('a' + n%26))}
		if n%4 == 0 {
			items[n].Fields = []exchange.FieldHandling{{Selectors: []string{"description"}, Handling: exchange.Handling{TLP: exchange.TLPRed}}}
		}
	}
	for b.Loop() {
		for n := range items {
			sink = policy.Decide(r, items[n], now)
		}
	}
}
