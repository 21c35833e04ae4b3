package policy_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

//go:generate go test -run TestGuideIsGenerated -update .

var update = flag.Bool("update", false, "write docs/guide/combination.md")

const guide = "../../docs/guide/combination.md"

// The page is what the code that decides says now.
func TestGuideIsGenerated(t *testing.T) {
	want := page(t)
	if *update {
		if err := os.WriteFile(guide, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("docs/guide/combination.md is not what the code says; run go generate ./internal/policy (-page +code):\n%s", diff)
	}
}

// axis is a dimension at work: handlings that say nothing else, and how the page
// writes one.
type axis struct {
	say  []exchange.Handling // along Values, else two that are combined on the page
	show func(exchange.Handling) string
}

var axes = map[string]axis{
	"TLP": {
		along(exchange.TLPClear, exchange.TLPRed, func(h *exchange.Handling, v exchange.TLP) { h.TLP = v }),
		func(h exchange.Handling) string { return h.TLP.String() },
	},
	"PAP": {
		along(exchange.PAPClear, exchange.PAPRed, func(h *exchange.Handling, v exchange.PAP) { h.PAP = v }),
		func(h exchange.Handling) string { return h.PAP.String() },
	},
	"recipients: organisations, groups, sectors": {
		[]exchange.Handling{
			{Organisations: []exchange.OrgID{"org-a"}, Sectors: []string{"energy"}}, {Groups: []exchange.GroupID{"group-b"}},
		},
		showLists,
	},
	"persons of TLP:RED": {
		[]exchange.Handling{{Persons: []exchange.PersonID{"person-a", "person-b"}}, {Persons: []exchange.PersonID{"person-b", "person-c"}}},
		func(h exchange.Handling) string { return join(h.Persons) },
	},
	"purposes": {
		[]exchange.Handling{{Purposes: []string{"defence"}}, {Purposes: []string{"research"}}},
		func(h exchange.Handling) string {
			return strings.ReplaceAll(join(h.Purposes), exchange.NoPurpose, "none")
		},
	},
	"exclusions: organisations, cohorts, hats, jurisdictions": {
		[]exchange.Handling{{NotOrgs: []exchange.OrgID{"org-a"}}, {NotIn: []string{"XA"}, NotHats: []string{"regulator"}}},
		func(h exchange.Handling) string {
			return join(slices.Concat(texts(h.NotOrgs), texts(h.NotCohorts), h.NotHats, h.NotIn))
		},
	},
	"begins": {
		[]exchange.Handling{{From: day(1)}, {From: day(2)}},
		func(h exchange.Handling) string { return h.From.Format(time.DateOnly) },
	},
	"expires": {
		[]exchange.Handling{{Expires: day(1)}, {Expires: day(2)}},
		func(h exchange.Handling) string { return h.Expires.Format(time.DateOnly) },
	},
	"permitted actions (IEP)": {
		along(exchange.ActionsDirect, exchange.ActionsNone, func(h *exchange.Handling, v exchange.Actions) { h.Actions = v }),
		func(h exchange.Handling) string { return worded("permitted actions (IEP)", int(h.Actions)) },
	},
	"encryption in transit (IEP)": {
		along(exchange.DutyMay, exchange.DutyStrict, func(h *exchange.Handling, v exchange.Duty) { h.Encrypt = v }),
		func(h exchange.Handling) string { return worded("encryption in transit (IEP)", int(h.Encrypt)) },
	},
	"telling affected parties (IEP)": {
		along(exchange.DutyMay, exchange.DutyStrict, func(h *exchange.Handling, v exchange.Duty) { h.Notify = v }),
		func(h exchange.Handling) string { return worded("telling affected parties (IEP)", int(h.Notify)) },
	},
	"unmodified resale (IEP)": {
		along(exchange.DutyMay, exchange.DutyStrict, func(h *exchange.Handling, v exchange.Duty) { h.Resale = v }),
		func(h exchange.Handling) string { return worded("unmodified resale (IEP)", int(h.Resale)) },
	},
	"naming the provider (IEP)": {
		along(exchange.AttributionMay, exchange.AttributionMustNot, func(h *exchange.Handling, v exchange.Attribution) { h.Attribution = v }),
		func(h exchange.Handling) string {
			if h.Attribution == exchange.AttributionConflict {
				return "held"
			}
			return worded("naming the provider (IEP)", int(h.Attribution))
		},
	},
	"statements and references": {
		[]exchange.Handling{{Statement: "Credit the finder."}, {Statement: "Ask before reuse."}},
		func(h exchange.Handling) string { return strings.ReplaceAll(h.Statement, "\n", " ") },
	},
}

func along[T ~uint8](from, to T, set func(*exchange.Handling, T)) (out []exchange.Handling) {
	for v := from; v <= to; v++ {
		var h exchange.Handling
		set(&h, v)
		out = append(out, h)
	}
	return out
}

func day(n int) time.Time { return time.Date(2027, time.March, n, 0, 0, 0, 0, time.UTC) }

func join[T ~string](of []T) string { return strings.Join(texts(of), ", ") }

func texts[T ~string](of []T) (out []string) {
	for _, v := range of {
		out = append(out, string(v))
	}
	return out
}

func showLists(h exchange.Handling) string {
	var out []string
	for _, l := range h.AllowLists() {
		out = append(out, strings.Join(slices.Concat(texts(l.Organisations), texts(l.Groups), l.Sectors), " or "))
	}
	return strings.Join(out, ", and ")
}

// worded is the value at a level of which 0 is unset.
func worded(dimension string, level int) string {
	i := slices.IndexFunc(policy.Combination, func(d policy.Dimension) bool { return d.Name == dimension })
	return policy.Combination[i].Values[level-1]
}

// The table says what Join does: along an order the most restrictive wins, and
// what has no order is combined as the way it names says.
func TestCombinationIsWhatJoinDoes(t *testing.T) {
	for _, d := range policy.Combination {
		a, ok := axes[d.Name]
		if !ok || d.Combine == "" || d.Absent == "" || d.Unknown == "" {
			t.Errorf("%s: incomplete", d.Name)
			continue
		}
		for x := range d.Values {
			for y := range d.Values {
				want := d.Values[max(x, y)]
				if d.Values[min(x, y)] == "must" && want == "must-not" {
					want = "held"
				}
				if got := a.show(a.say[x].Join(a.say[y])); len(a.say) != len(d.Values) || got != want {
					t.Errorf("%s: %s and %s give %s, want %s", d.Name, d.Values[x], d.Values[y], got, want)
				}
			}
		}
	}
	for name, want := range map[string]string{
		"recipients: organisations, groups, sectors": "group-b, and org-a or energy",
		"persons of TLP:RED":                         "person-b",
		"purposes":                                   "none",
		"exclusions: organisations, cohorts, hats, jurisdictions": "org-a, regulator, XA",
		"begins":                    "2027-03-02",
		"expires":                   "2027-03-01",
		"statements and references": "Ask before reuse. Credit the finder.",
	} {
		if a := axes[name]; a.show(a.say[0].Join(a.say[1])) != want {
			t.Errorf("%s: %q, want %q", name, a.show(a.say[0].Join(a.say[1])), want)
		}
	}
	if len(axes) != len(policy.Combination) {
		t.Errorf("%d dimensions, %d of them at work", len(policy.Combination), len(axes))
	}
}

// page is the guide's page, as the code says it.
func page(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# How markings combine, and what each label permits

This page is generated from the code that decides (` + "`go generate ./internal/policy`" + `): the first table from the data by which handlings are combined, the others by asking the decision for each cell. A test fails when the page and the code differ. The steps of the decision are in [decision.md](decision.md).

## Combination

An item is under the join of every handling that says something of it: the artifact's own, given at submission or by the default of the program; each marking of the object; for a part of an object, its granular markings, too, which can only tighten; for what is derived, the handling of all that it was derived from. The order in which they are joined makes no difference. ⊔ stands for *joined with*.

| dimension | from least to most restrictive | combined | absent | not understood | for example |
|---|---|---|---|---|---|
`)
	for _, d := range policy.Combination {
		a, order, how := axes[d.Name], strings.Join(d.Values, " < "), string(d.Combine)
		if order == "" {
			order = "—"
		}
		if d.Besides != "" {
			how += "; " + d.Besides
		}
		x, y := a.say[0], a.say[len(a.say)-1]
		if len(d.Values) > 3 {
			x, y = a.say[1], a.say[2]
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s ⊔ %s = %s |\n", d.Name, order, how, d.Absent, d.Unknown, a.show(x), a.show(y), a.show(x.Join(y)))
	}
	b.WriteString(`
*Held* is the verdict ` + "`HOLD`" + `: nobody is given the item until a steward has looked; a part of an object is withheld.

## Who may have what, by label

The item was given to the reader's cohort, and nothing else restricts it. TLP:RED names the person who is called *named*.

`)
	labelTables(&b)
	b.WriteString(`
## Who is in the audience

An item that was given to the cohort of a member's service account, under TLP:AMBER, with further handling. A *grant* is the originators' gift to one organisation by name.

`)
	audienceTable(&b)
	b.WriteString(`
## Worked examples

| | example | decision |
|---|---|---|
`)
	for _, v := range vectors {
		d, _, members := v.decided()
		text := said(d)
		if members > 0 {
			text += fmt.Sprintf(", %d of 10 objects", members)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", v.letter, v.says, text)
	}
	return b.String()
}
