package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// allLabels are the rows of the tables by label.
var allLabels = []exchange.TLP{exchange.TLPClear, exchange.TLPGreen, exchange.TLPAmber, exchange.TLPAmberStrict, exchange.TLPRed}

// labelColumns are who reads, with which credential, on which channel.
var labelColumns = []struct {
	says string
	set  func(*policy.Recipient)
}{
	{"person, browser", func(r *policy.Recipient) { r.Person, r.Channel = person, exchange.ChannelWeb }},
	{"named, browser", func(r *policy.Recipient) { r.Person, r.Channel = "per_named", exchange.ChannelWeb }},
	{"person's token, API", func(r *policy.Recipient) { r.Person, r.Channel = person, exchange.ChannelAPI }},
	{"named's token, API", func(r *policy.Recipient) { r.Person, r.Channel = "per_named", exchange.ChannelAPI }},
	{"service account, API", func(r *policy.Recipient) { r.Channel = exchange.ChannelAPI }},
	{"service account, TAXII", func(*policy.Recipient) {}},
	{"client's person, browser", func(r *policy.Recipient) { r.Client, r.Person, r.Channel = true, person, exchange.ChannelWeb }},
	{"client's named, browser", func(r *policy.Recipient) { r.Client, r.Person, r.Channel = true, "per_named", exchange.ChannelWeb }},
	{"client's service account, TAXII", func(r *policy.Recipient) { r.Client = true }},
	{"token with ceiling GREEN", func(r *policy.Recipient) { r.Ceiling = exchange.TLPGreen }},
	{"no sign-in", func(r *policy.Recipient) {
		*r = policy.Recipient{Anonymous: true, MayRead: true, Channel: exchange.ChannelPublic}
	}},
}

// byLabel is the decision of one cell.
func byLabel(l exchange.TLP, public bool, set func(*policy.Recipient)) policy.Decision {
	r, i := member(), given()
	set(&r)
	i.Handling = exchange.Handling{TLP: l, PAP: exchange.PAPAmber}
	if l == exchange.TLPRed {
		i.Handling.Persons = []exchange.PersonID{"per_named"}
	}
	if public {
		i.State, i.PublicAt, i.ReleasedAt = exchange.ReleasePublic, now, now
	}
	return policy.Decide(r, i, now)
}

// cell is "yes", or the code of the refusal.
func cell(d policy.Decision) string {
	switch {
	case d.Entire():
		return "yes"
	case d.Allowed():
		return "in part"
	}
	return d.Code
}

// The decision table by effective label in full (formats §3.7), before and after
// the public release, each refusal with its code.
func TestTableByLabel(t *testing.T) {
	const yes, audience, channel, ceiling = "yes", "E_AUDIENCE", "E_CHANNEL", "E_CEILING"
	usual := []string{yes, yes, yes, yes, yes, yes, yes, yes, yes, ceiling, audience}
	strict := []string{yes, yes, yes, yes, yes, yes, audience, audience, audience, ceiling, audience}
	red := []string{audience, yes, audience, channel, channel, channel, audience, audience, audience, ceiling, audience}
	table := map[bool][][]string{
		false: {usual, usual, usual, strict, red},
		true: {
			{yes, yes, yes, yes, yes, yes, yes, yes, yes, yes, yes},
			{yes, yes, yes, yes, yes, yes, yes, yes, yes, yes, audience},
			usual, strict, red,
		},
	}
	for public, rows := range table {
		for n, row := range rows {
			for c, column := range labelColumns {
				if d := byLabel(allLabels[n], public, column.set); cell(d) != row[c] {
					t.Errorf("%s, public %t, %s: %s, want %s", allLabels[n], public, column.says, cell(d), row[c])
				}
			}
		}
	}
}

func labelTables(b *strings.Builder) {
	for _, public := range []bool{false, true} {
		if public {
			b.WriteString("\nFrom the public release on:\n\n")
		} else {
			b.WriteString("Before the public release, when what will be TLP:CLEAR or TLP:GREEN counts as TLP:AMBER:\n\n")
		}
		b.WriteString("| label |")
		for _, c := range labelColumns {
			b.WriteString(" " + c.says + " |")
		}
		b.WriteString("\n|---|" + strings.Repeat("---|", len(labelColumns)) + "\n")
		for _, l := range allLabels {
			b.WriteString("| " + l.String() + " |")
			for _, c := range labelColumns {
				b.WriteString(" " + cell(byLabel(l, public, c.set)) + " |")
			}
			b.WriteString("\n")
		}
	}
}

// audienceColumns are kinds of readers under the label that tells them apart.
var audienceColumns = []struct {
	says string
	set  func(*policy.Recipient, *policy.Item)
}{
	{"member's service account, TLP:AMBER", func(*policy.Recipient, *policy.Item) {}},
	{"its client's, TLP:AMBER+STRICT", func(r *policy.Recipient, i *policy.Item) {
		r.Client, r.Provider, i.Handling.TLP = true, "provider-a", exchange.TLPAmberStrict
	}},
	{"named person in the browser, TLP:RED", func(r *policy.Recipient, i *policy.Item) {
		r.Person, r.Channel, i.Handling.TLP, i.Handling.Persons = "per_named", exchange.ChannelWeb, exchange.TLPRed, []exchange.PersonID{"per_named"}
	}},
	{"other person, TLP:RED", func(r *policy.Recipient, i *policy.Item) {
		r.Person, r.Channel, i.Handling.TLP, i.Handling.Persons = person, exchange.ChannelWeb, exchange.TLPRed, []exchange.PersonID{"per_named"}
	}},
}

type kind struct {
	says string
	set  func(*policy.Recipient, *policy.Item)
	want string // of each column
}

func grant(_ *policy.Recipient, i *policy.Item) {
	i.OpenedAt, i.GrantedAt, i.GrantedUntil = time.Time{}, now.Add(-time.Hour), now.Add(time.Hour)
}

var audienceKinds = []kind{
	{"nothing further", func(*policy.Recipient, *policy.Item) {}, "yes E_AUDIENCE yes E_AUDIENCE"},
	{"the organisation is named", func(_ *policy.Recipient, i *policy.Item) { i.Handling.Organisations = []exchange.OrgID{"x", org} }, "yes E_AUDIENCE yes E_AUDIENCE"},
	{"a group is named, and it is in it", func(r *policy.Recipient, i *policy.Item) {
		i.Handling.Groups, r.Groups = []exchange.GroupID{"x", "responders"}, []exchange.GroupID{"responders"}
	}, "yes E_AUDIENCE yes E_AUDIENCE"},
	{"a sector is named, and it is in it", func(r *policy.Recipient, i *policy.Item) {
		i.Handling.Sectors, r.Attributes.Sectors = []string{"energy"}, []string{"water", "Energy"}
	}, "yes E_AUDIENCE yes E_AUDIENCE"},
	{"organisations, groups and sectors are named, none of them its own", func(r *policy.Recipient, i *policy.Item) {
		i.Handling.Organisations, i.Handling.Groups, i.Handling.Sectors = []exchange.OrgID{"x"}, []exchange.GroupID{"y"}, []string{"energy"}
		r.Groups, r.Attributes.Sectors = []exchange.GroupID{"responders"}, []string{"finance"}
	}, "E_AUDIENCE E_AUDIENCE E_AUDIENCE E_AUDIENCE"},
	{"two markings name recipients, and it is on one list only", func(_ *policy.Recipient, i *policy.Item) {
		under(i, exchange.Handling{Organisations: []exchange.OrgID{org}}, exchange.Handling{Sectors: []string{"energy"}})
	}, "E_AUDIENCE E_AUDIENCE E_AUDIENCE E_AUDIENCE"},
	{"two markings name recipients, and it is on both", func(r *policy.Recipient, i *policy.Item) {
		under(i, exchange.Handling{Organisations: []exchange.OrgID{org}}, exchange.Handling{Sectors: []string{"energy"}})
		r.Attributes.Sectors = []string{"energy"}
	}, "yes E_AUDIENCE yes E_AUDIENCE"},
	{"two markings name recipients, and none is on both", func(_ *policy.Recipient, i *policy.Item) {
		under(i, exchange.Handling{Also: []exchange.AllowList{{}}}, exchange.Handling{Organisations: []exchange.OrgID{org}})
	}, "E_AUDIENCE E_AUDIENCE E_AUDIENCE E_AUDIENCE"},
	{"the organisation is excluded, although it is named", func(_ *policy.Recipient, i *policy.Item) {
		i.Handling.Organisations, i.Handling.NotOrgs = []exchange.OrgID{org}, []exchange.OrgID{org}
	}, "E_EXCLUDED E_EXCLUDED E_EXCLUDED E_EXCLUDED"},
	{"the provider of a client is excluded", func(_ *policy.Recipient, i *policy.Item) {
		i.Handling.NotOrgs = []exchange.OrgID{"provider-a"}
	}, "yes E_EXCLUDED yes E_AUDIENCE"},
	{"its jurisdiction is excluded", func(_ *policy.Recipient, i *policy.Item) { i.Handling.NotIn = []string{"DE"} }, "E_EXCLUDED E_EXCLUDED E_EXCLUDED E_EXCLUDED"},
	{"its cohort is excluded", func(_ *policy.Recipient, i *policy.Item) { i.Handling.NotCohorts = []exchange.CohortID{"early"} }, "E_EXCLUDED E_EXCLUDED E_EXCLUDED E_EXCLUDED"},
	{"one of its hats is excluded, and it chose none", func(r *policy.Recipient, i *policy.Item) {
		i.Handling.NotHats, r.Attributes.Hats = []string{"regulator"}, []string{"csirt", "regulator"}
	}, "E_EXCLUDED E_EXCLUDED E_EXCLUDED E_EXCLUDED"},
	{"one of its hats is excluded, and it acts in another", func(r *policy.Recipient, i *policy.Item) {
		i.Handling.NotHats, r.Attributes.Hats, r.Hat = []string{"regulator"}, []string{"csirt", "regulator"}, "csirt"
	}, "yes E_AUDIENCE yes E_AUDIENCE"},
	{"for a purpose that the reader did not name", func(_ *policy.Recipient, i *policy.Item) { i.Handling.Purposes = []string{"defence"} }, "E_PURPOSE E_PURPOSE E_PURPOSE E_PURPOSE"},
	{"for the purpose that the reader named", func(r *policy.Recipient, i *policy.Item) {
		i.Handling.Purposes, r.Purpose = []string{"defence"}, "defence"
	}, "yes E_AUDIENCE yes E_AUDIENCE"},
	{"two markings name purposes, none of them the same", func(r *policy.Recipient, i *policy.Item) {
		under(i, exchange.Handling{Purposes: []string{"defence"}}, exchange.Handling{Purposes: []string{"research"}})
		r.Purpose = "defence"
	}, "E_PURPOSE E_PURPOSE E_PURPOSE E_PURPOSE"},
	{"no wave has given it, a grant is in force", grant, "yes yes yes E_AUDIENCE"},
	{"the same, and others are named", func(r *policy.Recipient, i *policy.Item) {
		grant(r, i)
		i.Handling.Organisations = []exchange.OrgID{"x"}
	}, "yes yes yes E_AUDIENCE"},
	{"the same, and the organisation is excluded", func(r *policy.Recipient, i *policy.Item) {
		grant(r, i)
		i.Handling.NotOrgs = []exchange.OrgID{org}
	}, "E_EXCLUDED E_EXCLUDED E_EXCLUDED E_EXCLUDED"},
	{"a grant is in force, the agreement is not accepted", func(r *policy.Recipient, i *policy.Item) {
		grant(r, i)
		i.Required = 2
	}, "E_AGREEMENT E_AGREEMENT E_AGREEMENT E_AGREEMENT"},
	{"a grant that ends now", func(r *policy.Recipient, i *policy.Item) {
		grant(r, i)
		i.GrantedUntil = now
	}, "E_TIME E_TIME E_TIME E_TIME"},
	{"a grant that begins later", func(r *policy.Recipient, i *policy.Item) {
		grant(r, i)
		i.GrantedAt = now.Add(time.Microsecond)
	}, "E_TIME E_TIME E_TIME E_TIME"},
	{"it is the organisation's own, and no wave has given it", func(r *policy.Recipient, i *policy.Item) {
		i.OpenedAt, i.Originators = time.Time{}, []exchange.OrgID{r.Org}
	}, "yes yes yes E_TIME"},
	{"it is the organisation's own, the agreement is not accepted", func(r *policy.Recipient, i *policy.Item) {
		i.Required, i.Originators = 2, []exchange.OrgID{r.Org}
	}, "E_AGREEMENT E_AGREEMENT E_AGREEMENT E_AGREEMENT"},
	{"its originator stays unnamed", func(_ *policy.Recipient, i *policy.Item) {
		i.Originators, i.Handling.Attribution = []exchange.OrgID{"acme"}, exchange.AttributionMustNot
	}, "in part E_AUDIENCE in part E_AUDIENCE"},
	{"a rule of the program forbids it", func(r *policy.Recipient, _ *policy.Item) { r.Rules = program(false) }, "E_RULE E_AUDIENCE E_RULE E_AUDIENCE"},
	{"a rule of the program allows it", func(r *policy.Recipient, _ *policy.Item) { r.Rules = program(true) }, "yes E_AUDIENCE yes E_AUDIENCE"},
	{"it begins later", func(_ *policy.Recipient, i *policy.Item) { i.Handling.From = now.Add(time.Hour) }, "E_TIME E_TIME E_TIME E_TIME"},
	{"it was recalled", func(_ *policy.Recipient, i *policy.Item) { i.Recalled = true }, "E_RECALLED E_RECALLED E_RECALLED E_RECALLED"},
}

func (k kind) decide(column int) policy.Decision {
	r, i := member(), given()
	audienceColumns[column].set(&r, &i)
	k.set(&r, &i)
	return policy.Decide(r, i, now)
}

func TestTableByAudience(t *testing.T) {
	for _, k := range audienceKinds {
		want := strings.Fields(strings.ReplaceAll(k.want, "in part", "in-part"))
		for c, column := range audienceColumns {
			if got := strings.ReplaceAll(cell(k.decide(c)), " ", "-"); got != want[c] {
				t.Errorf("%s, %s: %s, want %s", k.says, column.says, got, want[c])
			}
		}
	}
}

func audienceTable(b *strings.Builder) {
	b.WriteString("| handling |")
	for _, c := range audienceColumns {
		b.WriteString(" " + c.says + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(audienceColumns)) + "\n")
	for _, k := range audienceKinds {
		b.WriteString("| " + k.says + " |")
		for c := range audienceColumns {
			fmt.Fprintf(b, " %s |", cell(k.decide(c)))
		}
		b.WriteString("\n")
	}
}
