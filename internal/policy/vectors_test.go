package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// vector is one worked example of formats §3.6. The page docs/guide/combination.md
// shows what it says and what is decided.
type vector struct {
	letter string
	says   string
	setup  func(*policy.Recipient, *policy.Item)
	want   want
}

// want is what is expected of a decision.
type want struct {
	verdict policy.Verdict
	code    string
	tlp     exchange.TLP
	fields  string // withheld
	duty    string // an obligation that contains this
}

// under puts markings on the item, as those of one object.
func under(i *policy.Item, markings ...exchange.Handling) {
	for _, m := range markings {
		i.Handling = i.Handling.Join(m)
	}
}

func label(l exchange.TLP) exchange.Handling { return exchange.Handling{TLP: l} }

// released makes the item one of a release that is public since yesterday.
func released(i *policy.Item, own exchange.TLP) {
	i.State, i.ReleasedAt, i.Handling.TLP = exchange.ReleasePublic, now.Add(-24*time.Hour), own
}

func part(of *policy.Item, selector string, h exchange.Handling) {
	of.Fields = append(of.Fields, exchange.FieldHandling{Selectors: []string{selector}, Handling: h})
}

var vectors = []vector{
	{
		"a", "an AMBER object with RED on its `description`, read by an organisation: the object without it",
		func(_ *policy.Recipient, i *policy.Item) { part(i, "description", label(exchange.TLPRed)) },
		want{policy.AllowRedacted, "", exchange.TLPAmber, "description", ""},
	},
	{
		"b", "CLEAR and GREEN on one object: GREEN",
		func(_ *policy.Recipient, i *policy.Item) {
			released(i, exchange.TLPClear)
			under(i, label(exchange.TLPClear), label(exchange.TLPGreen))
		},
		want{policy.Allow, "", exchange.TLPGreen, "", "may be shared with the community"},
	},
	{
		"c", "AMBER of TLP 1 and AMBER+STRICT of TLP 2: AMBER+STRICT",
		func(_ *policy.Recipient, i *policy.Item) {
			released(i, exchange.TLPClear)
			under(i, label(exchange.TLPAmber), label(exchange.TLPAmberStrict))
		},
		want{policy.Allow, "", exchange.TLPAmberStrict, "", "inside the organisation only"},
	},
	{
		"d", "GREEN for the sector energy, read from the sector finance: no",
		func(r *policy.Recipient, i *policy.Item) {
			released(i, exchange.TLPGreen)
			i.Handling.Sectors, r.Attributes.Sectors = []string{"energy"}, []string{"finance"}
		},
		want{policy.Deny, "E_AUDIENCE", exchange.TLPGreen, "", ""},
	},
	{
		"e", "AMBER, the recipient named, its jurisdiction excluded: no",
		func(r *policy.Recipient, i *policy.Item) {
			i.Handling.Organisations, i.Handling.NotIn = []exchange.OrgID{r.Org}, r.Jurisdictions
		},
		want{policy.Deny, "E_EXCLUDED", exchange.TLPAmber, "", ""},
	},
	{
		"f", "a marking that nobody knows: held",
		func(_ *policy.Recipient, i *policy.Item) { i.Held = true },
		want{policy.Hold, "E_MARKING", exchange.TLPAmber, "", ""},
	},
	{
		"g", "will be CLEAR in two hours; the second tier has it a day before: yes, as AMBER",
		func(_ *policy.Recipient, i *policy.Item) {
			i.Handling.TLP, i.OpenedAt = exchange.TLPClear, now.Add(-22*time.Hour)
		},
		want{policy.Allow, "", exchange.TLPAmber, "", "need-to-know"},
	},
	{
		"g", "the same; the third tier has it with the public: not yet",
		func(_ *policy.Recipient, i *policy.Item) {
			i.Handling.TLP, i.OpenedAt, i.OpensAt = exchange.TLPClear, time.Time{}, now.Add(2*time.Hour)
		},
		want{policy.NotYet, "E_TIME", exchange.TLPAmber, "", ""},
	},
	{
		"h", "PAP:RED and an IEP policy that permits direct actions: only what nobody outside can see",
		func(_ *policy.Recipient, i *policy.Item) {
			under(i, exchange.Handling{PAP: exchange.PAPRed}, exchange.Handling{Actions: exchange.ActionsDirect})
		},
		want{policy.Allow, "", exchange.TLPAmber, "", "PAP:RED: own logs only"},
	},
	{
		"i", "one marking says that the provider must be named, another that it must not: held",
		func(_ *policy.Recipient, i *policy.Item) {
			under(i, exchange.Handling{Attribution: exchange.AttributionMust}, exchange.Handling{Attribution: exchange.AttributionMustNot})
		},
		want{policy.Hold, "E_ATTRIBUTION", exchange.TLPAmber, "", ""},
	},
	{
		"j", "the agreement was revised and not accepted again: consent is needed",
		func(_ *policy.Recipient, i *policy.Item) { i.Required = 2 },
		want{policy.NeedsConsent, "E_AGREEMENT", exchange.TLPAmber, "", ""},
	},
	{
		"k", "RED, read by a service account: no",
		func(_ *policy.Recipient, i *policy.Item) {
			i.Handling.TLP, i.Handling.Persons = exchange.TLPRed, []exchange.PersonID{person}
		},
		want{policy.Deny, "E_CHANNEL", exchange.TLPRed, "", ""},
	},
	{
		"l", "a report of one RED and nine GREEN objects, read by an organisation: nine, as GREEN",
		func(_ *policy.Recipient, i *policy.Item) { released(i, exchange.TLPGreen) },
		want{policy.Allow, "", exchange.TLPGreen, "", ""},
	},
	{
		"l", "the same, read by the person whom RED names: ten",
		func(r *policy.Recipient, i *policy.Item) {
			released(i, exchange.TLPGreen)
			i.Handling.Persons = []exchange.PersonID{person}
			r.Person, r.Channel = person, exchange.ChannelWeb
		},
		want{policy.Allow, "", exchange.TLPRed, "", ""},
	},
	{
		"m", "an IEP policy that ended yesterday, with TLP AMBER: still AMBER",
		func(_ *policy.Recipient, i *policy.Item) { // its end is not the end of the handling: it says nothing of it
			released(i, exchange.TLPClear)
			under(i, exchange.Handling{TLP: exchange.TLPAmber, Actions: exchange.ActionsContact, References: []string{"ended-yesterday"}})
		},
		want{policy.Allow, "", exchange.TLPAmber, "", "ask its originator before any action"},
	},
	{
		"n", "RED on the `pattern` of an indicator: it is withheld, and without it there is no indicator, nor a relationship of it",
		func(_ *policy.Recipient, i *policy.Item) { part(i, "pattern", label(exchange.TLPRed)) },
		want{policy.AllowRedacted, "", exchange.TLPAmber, "pattern", ""},
	},
}

// decided is the vector's decision; of (l) the one on the report, with the number
// of its members that may be had.
func (v vector) decided() (d policy.Decision, i policy.Item, members int) {
	r, i := member(), given()
	i.Originators = []exchange.OrgID{"acme"}
	v.setup(&r, &i)
	d = policy.Explain(r, i, now)
	if v.letter != "l" {
		return d, i, 0
	}
	var marks []exchange.HandlingClass
	for n := range 10 {
		h := exchange.HandlingClass{TLP: exchange.TLPGreen}
		if n == 3 {
			h.TLP = exchange.TLPRed
		}
		marks = append(marks, h)
		if policy.Decide(r, i.Under(h), now).Allowed() {
			members++
		}
	}
	d, _ = policy.Whole(policy.Explain, r, i, marks, now)
	return d, i, members
}

// said is a decision as the page shows it.
func said(d policy.Decision) string {
	s := d.Verdict.String()
	if d.Code != "" {
		s += " " + d.Code
	}
	if len(d.Fields) > 0 {
		s += " without " + strings.Join(d.Fields, ", ")
	}
	if d.Allowed() {
		s += ", " + d.TLP.String()
	}
	return s
}

// The 14 worked vectors of formats §3.6. Bytes that are redacted are shown where
// they are made; here it is what is withheld.
func TestWorkedVectors(t *testing.T) {
	var letters []string
	for _, v := range vectors {
		letters = append(letters, v.letter)
		d, i, members := v.decided()
		name := v.letter + ": " + v.says
		if d.Verdict != v.want.verdict || d.Code != v.want.code || d.TLP != v.want.tlp || strings.Join(d.Fields, " ") != v.want.fields {
			t.Errorf("(%s): %v %s %s %v, want %+v", name, d.Verdict, d.Code, d.TLP, d.Fields, v.want)
		}
		if !slices.ContainsFunc(d.Obligations, func(o string) bool { return strings.Contains(o, v.want.duty) }) && v.want.duty != "" {
			t.Errorf("(%s): no obligation says %q: %q", name, v.want.duty, d.Obligations)
		}
		switch want := map[exchange.TLP]int{exchange.TLPGreen: 9, exchange.TLPRed: 10}[v.want.tlp]; v.letter {
		case "l":
			if members != want {
				t.Errorf("(%s): %d members, want %d", name, members, want)
			}
		case "h":
			if got := policy.EffectiveActions(i.Handling); got != exchange.ActionsInternal {
				t.Errorf("(%s): action limit %d", name, got)
			}
		}
	}
	if got := fmt.Sprint(slices.Compact(letters)); got != "[a b c d e f g h i j k l m n]" {
		t.Errorf("the vectors are %s", got)
	}
}
