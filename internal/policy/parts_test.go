package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Each part is decided on under everything that is said of it: by the item, by
// every marking that names it, and by those of what it stands in.
func TestParts(t *testing.T) {
	strict, red := label(exchange.TLPAmberStrict), label(exchange.TLPRed)
	field := func(h exchange.Handling, selectors ...string) exchange.FieldHandling {
		return exchange.FieldHandling{Selectors: selectors, Handling: h}
	}
	client := func(r *policy.Recipient) { r.Client = true }
	inBrowser := func(r *policy.Recipient) { r.Person, r.Channel = person, exchange.ChannelWeb }
	everyone := func(r *policy.Recipient) {
		*r = policy.Recipient{Anonymous: true, MayRead: true, Channel: exchange.ChannelPublic}
	}
	public := func(i *policy.Item) {
		released(i, exchange.TLPClear)
		i.PublicAt = now
	}
	for name, c := range map[string]struct {
		who    func(*policy.Recipient)
		item   func(*policy.Item)
		fields []exchange.FieldHandling
		want   string
		tlp    exchange.TLP
	}{
		"none above the object":     {nil, nil, []exchange.FieldHandling{field(label(exchange.TLPGreen), "name")}, "", exchange.TLPAmber},
		"one that may be had":       {nil, nil, []exchange.FieldHandling{field(strict, "name")}, "", exchange.TLPAmberStrict},
		"one that a client may not": {client, nil, []exchange.FieldHandling{field(strict, "name"), field(label(exchange.TLPAmber), "labels")}, "name", exchange.TLPAmber},
		"several under one marking": {nil, nil, []exchange.FieldHandling{field(red, "name", "labels.[0]", "description")}, "description labels.[0] name", exchange.TLPAmber},
		"held":                      {nil, nil, []exchange.FieldHandling{{Selectors: []string{"name"}, Held: true}}, "name", exchange.TLPAmber},
		"excluded":                  {nil, nil, []exchange.FieldHandling{field(exchange.Handling{NotIn: []string{"DE"}}, "name")}, "name", exchange.TLPAmber},
		"for another purpose":       {nil, nil, []exchange.FieldHandling{field(exchange.Handling{Purposes: []string{"research"}}, "name")}, "name", exchange.TLPAmber},
		"for others":                {nil, nil, []exchange.FieldHandling{field(exchange.Handling{Sectors: []string{"energy"}}, "name")}, "name", exchange.TLPAmber},
		"for its sector, in capitals": {
			func(r *policy.Recipient) { r.Attributes.Sectors = []string{"ENERGY"} }, nil,
			[]exchange.FieldHandling{field(exchange.Handling{Sectors: []string{"Energy"}}, "name")},
			"", exchange.TLPAmber,
		},
		"above the ceiling":             {func(r *policy.Recipient) { r.Ceiling = exchange.TLPAmber }, nil, []exchange.FieldHandling{field(strict, "name")}, "name", exchange.TLPAmber},
		"expired":                       {nil, nil, []exchange.FieldHandling{field(exchange.Handling{Expires: now}, "name")}, "name", exchange.TLPAmber},
		"to begin":                      {nil, nil, []exchange.FieldHandling{field(exchange.Handling{From: now.Add(1)}, "name")}, "name", exchange.TLPAmber},
		"not by every person":           {inBrowser, nil, []exchange.FieldHandling{field(red, "name")}, "name", exchange.TLPAmber},
		"by the person whom it names":   {inBrowser, nil, []exchange.FieldHandling{field(exchange.Handling{TLP: exchange.TLPRed, Persons: []exchange.PersonID{person}}, "name")}, "", exchange.TLPRed},
		"by whom two name":              {inBrowser, nil, []exchange.FieldHandling{field(exchange.Handling{TLP: exchange.TLPRed, Persons: []exchange.PersonID{person}}, "name"), field(exchange.Handling{Persons: []exchange.PersonID{"per_other"}}, "name", "labels")}, "name", exchange.TLPAmber},
		"what stands in a marked one":   {client, nil, []exchange.FieldHandling{field(strict, "external_references"), field(label(exchange.TLPAmber), "external_references.[0].url", "external")}, "external_references external_references.[0].url", exchange.TLPAmber},
		"what a marked one stands in":   {client, nil, []exchange.FieldHandling{field(label(exchange.TLPAmber), "labels"), field(strict, "labels.[1]")}, "labels.[1]", exchange.TLPAmber},
		"public, without sign-in":       {everyone, public, []exchange.FieldHandling{field(label(exchange.TLPClear), "name"), field(label(exchange.TLPGreen), "description")}, "description", exchange.TLPClear},
		"public, to those named":        {everyone, public, []exchange.FieldHandling{field(exchange.Handling{Organisations: []exchange.OrgID{org}}, "name")}, "name", exchange.TLPClear},
		"the originator, unnamed":       {nil, func(i *policy.Item) { i.Handling.Attribution = exchange.AttributionMustNot }, nil, "created_by_ref", exchange.TLPAmber},
		"the originator, in one part":   {nil, nil, []exchange.FieldHandling{field(exchange.Handling{Attribution: exchange.AttributionMustNot}, "name")}, "created_by_ref", exchange.TLPAmber},
		"contradicting on the provider": {nil, func(i *policy.Item) { i.Handling.Attribution = exchange.AttributionMust }, []exchange.FieldHandling{field(exchange.Handling{Attribution: exchange.AttributionMustNot}, "name")}, "created_by_ref name", exchange.TLPAmber},
		"whoever runs the program": {
			func(r *policy.Recipient) { r.Owner = true }, func(i *policy.Item) { i.Handling.Attribution = exchange.AttributionMustNot },
			[]exchange.FieldHandling{field(red, "name"), {Selectors: []string{"labels"}, Held: true}},
			"", exchange.TLPRed,
		},
		"whose own it is": {nil, func(i *policy.Item) {
			i.Handling.Attribution, i.Originators = exchange.AttributionMustNot, []exchange.OrgID{org}
		}, []exchange.FieldHandling{field(red, "name")}, "", exchange.TLPRed},
		"under a grant": {client, func(i *policy.Item) { i.GrantedAt = now }, []exchange.FieldHandling{field(strict, "name"), field(red, "labels")}, "labels", exchange.TLPAmberStrict},
		"a whole artifact, its originator unnamed": {nil, func(i *policy.Item) { i.Whole, i.Handling.Attribution = true, exchange.AttributionMustNot }, nil, "", exchange.TLPAmber},
		"an object without markings in one": {nil, func(i *policy.Item) {
			i.Whole, i.Handling.Attribution = true, exchange.AttributionMustNot
			*i = i.Under(exchange.HandlingClass{})
		}, nil, "created_by_ref", exchange.TLPAmber},
	} {
		r, i := member(), given()
		if c.who != nil {
			c.who(&r)
		}
		if c.item != nil {
			c.item(&i)
		}
		i.Fields = c.fields
		d := policy.Explain(r, i, now)
		verdict := policy.Allow
		if c.want != "" {
			verdict = policy.AllowRedacted
		}
		if d.Verdict != verdict || strings.Join(d.Fields, " ") != c.want || d.TLP != c.tlp {
			t.Errorf("%s: %v without %q, %s; want without %q, %s", name, d.Verdict, d.Fields, d.TLP, c.want, c.tlp)
		}
		var told string
		for _, s := range d.Steps {
			if s.Rule == "fields" {
				told += s.Text
			}
		}
		for _, f := range d.Fields {
			if !strings.Contains(told, f) {
				t.Errorf("%s: the explanation does not name %s: %q", name, f, told)
			}
		}
	}
}

// Obligations are those of what is given: of a part that is withheld none is shown.
func TestObligationsOfParts(t *testing.T) {
	r, i := member(), given()
	i.Fields = []exchange.FieldHandling{
		{Selectors: []string{"name"}, Handling: exchange.Handling{TLP: exchange.TLPAmberStrict, PAP: exchange.PAPRed, Statement: "About the name."}},
		{Selectors: []string{"description"}, Handling: exchange.Handling{TLP: exchange.TLPRed, Actions: exchange.ActionsNone, Statement: "About the description."}},
	}
	all := strings.Join(policy.Explain(r, i, now).Obligations, "\n")
	for _, want := range []string{"TLP:AMBER+STRICT: ", "PAP:RED: own logs only", "About the name."} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing of\n%s", want, all)
		}
	}
	for _, not := range []string{"TLP:RED", "no action at all", "About the description."} {
		if strings.Contains(all, not) {
			t.Errorf("%q is told with\n%s", not, all)
		}
	}
}

// What each dimension obliges to, and what holds where it is absent.
func TestObligationsByDimension(t *testing.T) {
	const (
		encrypt, later, never = "Send it over encrypted connections only.", "Parties that it shows to be affected may be told only once it is public.", "Parties that it shows to be affected may not be told."
		unsold, named, hidden = "It may not be sold unchanged.", "Name its provider wherever it is used.", "Its provider may not be named."
	)
	everything := []string{encrypt, later, never, unsold, named, hidden}
	for name, c := range map[string]struct {
		set  func(*policy.Item)
		want []string
	}{
		"absent":                         {func(*policy.Item) {}, []string{encrypt, later, unsold}},
		"absent, no originator known":    {func(i *policy.Item) { i.Originators = nil }, []string{encrypt, later, unsold, hidden}},
		"absent, public and GREEN":       {func(i *policy.Item) { released(i, exchange.TLPGreen) }, []string{encrypt, unsold}},
		"absent, public and CLEAR":       {func(i *policy.Item) { released(i, exchange.TLPClear) }, nil},
		"strict, public and CLEAR":       {func(i *policy.Item) { released(i, exchange.TLPClear); strictly(i) }, []string{encrypt, never, unsold, hidden}},
		"permissive, before the release": {func(i *policy.Item) { permissively(i) }, nil},
		"the provider to be named":       {func(i *policy.Item) { permissively(i); i.Handling.Attribution = exchange.AttributionMust }, []string{named}},
	} {
		i := given()
		i.Originators = []exchange.OrgID{"acme"}
		c.set(&i)
		var got []string
		for _, o := range policy.Obligations(i, now) {
			if slices.Contains(everything, o) {
				got = append(got, o)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	i := given()
	i.OpenedAt, i.GrantedAt, i.GrantedUntil, i.Handling.Expires = time.Time{}, now.Add(-time.Hour), now.Add(time.Hour), now.Add(2*time.Hour)
	got := policy.Obligations(i, now)
	if want := []string{"It may be used until 2027-07-12T18:00:00Z.", "It was given to the organisation until 2027-07-12T17:00:00Z."}; !slices.Equal(got[len(got)-2:], want) {
		t.Errorf("%q, want %q last", got, want)
	}
}

func strictly(i *policy.Item) {
	i.Handling.Encrypt, i.Handling.Notify, i.Handling.Resale = exchange.DutyStrict, exchange.DutyStrict, exchange.DutyStrict
	i.Handling.Attribution = exchange.AttributionMustNot
}

func permissively(i *policy.Item) {
	i.Handling.Encrypt, i.Handling.Notify, i.Handling.Resale = exchange.DutyMay, exchange.DutyMay, exchange.DutyMay
	i.Handling.Attribution = exchange.AttributionMay
}

// The action limit is the more restrictive of PAP and IEP, for each pair.
func TestActionLimit(t *testing.T) {
	const direct, indirect, internal = exchange.ActionsDirect, exchange.ActionsIndirect, exchange.ActionsInternal
	for pap, own := range map[exchange.PAP]exchange.Actions{
		exchange.PAPClear: direct, exchange.PAPGreen: direct, exchange.PAPAmber: indirect, exchange.PAPRed: internal,
	} {
		for iep := exchange.ActionsUnset; iep <= exchange.ActionsNone; iep++ {
			i := given()
			i.Handling.PAP, i.Handling.Actions = pap, iep
			if got := policy.EffectiveActions(i.Handling); got != max(own, iep) {
				t.Errorf("%s and %d: %d", pap, iep, got)
			}
			lines := policy.Obligations(i, now)[1:3]
			if less := strings.HasPrefix(lines[1], "Its IEP policy permits less: "); less != (iep > own) || !strings.HasPrefix(lines[0], pap.String()+": ") {
				t.Errorf("%s and %d: %q", pap, iep, lines)
			}
		}
	}
}

// What is public is not public to everyone where the originator names who may
// have it, for what, or excludes the public.
func TestPublicUnderFurtherHandling(t *testing.T) {
	r := policy.Recipient{Anonymous: true, MayRead: true, Channel: exchange.ChannelPublic}
	for code, h := range map[string]exchange.Handling{
		"":           {NotOrgs: []exchange.OrgID{"x"}, NotHats: []string{"regulator"}, NotCohorts: []exchange.CohortID{"early"}},
		"E_AUDIENCE": {Sectors: []string{"energy"}},
		"E_PURPOSE":  {Purposes: []string{"defence"}},
		"E_EXCLUDED": {NotCohorts: []exchange.CohortID{exchange.PublicCohort}},
		"E_TIME":     {From: now.Add(time.Hour)},
	} {
		i := given()
		released(&i, exchange.TLPClear)
		i.PublicAt = now
		under(&i, h)
		if d := policy.Decide(r, i, now); d.Code != code || d.Allowed() != (code == "") {
			t.Errorf("%+v: %v %q, want %q", h, d.Verdict, d.Code, code)
		}
	}
}

// Of the people of the organisation that owns the program, only those who run it
// have what it handed in before its moment.
func TestOwnItemsOfTheHouse(t *testing.T) {
	owner := policy.MemberOf(exchange.Charter{Owner: org}, exchange.Member{State: exchange.MemberActive, Audience: exchange.Audience{Cohort: "early"}, Accepted: 1},
		exchange.Organisation{ID: org}, exchange.Organisation{})
	member := owner
	member.House = false
	i := given()
	i.Originators, i.OpenedAt = []exchange.OrgID{org}, time.Time{}
	for name, c := range map[string]struct {
		r    policy.Recipient
		code string
	}{"another member": {member, ""}, "a colleague of those who run it": {owner, "E_TIME"}} {
		if d := policy.Decide(c.r, i, now); d.Code != c.code {
			t.Errorf("%s: %v %s, want %q", name, d.Verdict, d.Code, c.code)
		}
	}
}

// A membership fills what rules, groups and hats look at.
func TestMemberOf(t *testing.T) {
	joined := now.Add(-30 * 24 * time.Hour)
	c := exchange.Charter{Groups: []exchange.SharingGroup{{ID: "others"}, {ID: "responders", Organisations: []exchange.OrgID{"x", org}}}}
	m := exchange.Member{State: exchange.MemberActive, Audience: exchange.Audience{Cohort: "early", Compelled: true}, Accepted: 3, JoinedAt: joined}
	o := exchange.Organisation{
		ID: org, Kind: "operator", Hats: []string{"csirt"}, Sectors: []string{"energy"}, Jurisdictions: []string{"DE"},
		Regions: []string{"eu"}, Products: []string{"edr"}, ClientOf: "provider-a",
	}
	got := policy.MemberOf(c, m, o, exchange.Organisation{ID: "provider-a", Jurisdictions: []string{"XA"}})
	want := policy.Recipient{
		Org: org, Member: true, Client: true, Provider: "provider-a", Audience: m.Audience, Accepted: 3,
		Jurisdictions: []string{"DE", "XA"}, MayRead: true, Groups: []exchange.GroupID{"responders"},
		Attributes: exchange.Attributes{
			Organisation: org, Kind: "operator", Hats: []string{"csirt"}, Sectors: []string{"energy"}, Jurisdictions: []string{"DE", "XA"},
			Regions: []string{"eu"}, Products: []string{"edr"}, CompelledDisclosure: true, JoinedAt: joined,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An artifact as a whole carries the join of the labels of what the reader has of
// it; those who run the program have all.
func TestLabelOfTheWhole(t *testing.T) {
	marks := []exchange.HandlingClass{{TLP: exchange.TLPAmber}, {TLP: exchange.TLPAmberStrict}, {TLP: exchange.TLPRed}, {TLP: exchange.TLPGreen, Held: true}}
	for name, c := range map[string]struct {
		set   func(*policy.Recipient)
		want  exchange.TLP
		whole bool
	}{
		"member":      {func(*policy.Recipient) {}, exchange.TLPAmberStrict, false},
		"client":      {func(r *policy.Recipient) { r.Client = true }, exchange.TLPAmber, false},
		"who runs it": {func(r *policy.Recipient) { r.Owner = true }, exchange.TLPRed, true},
		"outsider":    {func(r *policy.Recipient) { r.Member = false }, exchange.TLPAmber, false},
	} {
		r, i := member(), given()
		c.set(&r)
		if d, whole := policy.Whole(policy.Decide, r, i, marks, now); d.TLP != c.want || whole != c.whole || d.Allowed() == (name == "outsider") {
			t.Errorf("%s: %v, %s, whole %t; want %s, whole %t", name, d.Verdict, d.TLP, whole, c.want, c.whole)
		}
	}
}
