package recall

import (
	"reflect"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

func TestNarrowed(t *testing.T) {
	at := time.Date(2027, time.July, 1, 0, 0, 0, 0, time.UTC)
	old := exchange.Handling{
		TLP: exchange.TLPAmber, PAP: exchange.PAPGreen, Organisations: []exchange.OrgID{"a", "b"}, NotIn: []string{"XA"},
		Expires: at, Actions: exchange.ActionsIndirect, Resale: exchange.DutyMay, Attribution: exchange.AttributionMust,
	}
	for _, c := range []struct {
		name string
		to   exchange.Handling
		path string // of the problem; empty: it is taken
	}{
		{"a stricter label", exchange.Handling{TLP: exchange.TLPAmberStrict}, ""},
		{"a looser label", exchange.Handling{TLP: exchange.TLPGreen}, "handling.tlp"},
		{"a looser level", exchange.Handling{PAP: exchange.PAPClear}, "handling.pap"},
		{"fewer organisations", exchange.Handling{Organisations: []exchange.OrgID{"a"}}, ""},
		{"other organisations", exchange.Handling{Organisations: []exchange.OrgID{"a", "c"}}, "handling.organisations"},
		{"a group in their place", exchange.Handling{Groups: []exchange.GroupID{"g"}}, "handling.organisations"},
		{"an exclusion more", exchange.Handling{NotOrgs: []exchange.OrgID{"a"}}, ""},
		{"the exclusion that is there", exchange.Handling{NotIn: []string{"XA"}}, "handling"},
		{"nothing", exchange.Handling{}, "handling"},
		{"a later expiry", exchange.Handling{Expires: at.Add(time.Second)}, "handling.expires"},
		{"an earlier expiry", exchange.Handling{Expires: at.Add(-time.Second)}, ""},
		{"a later beginning", exchange.Handling{From: at}, ""},
		{"looser actions", exchange.Handling{Actions: exchange.ActionsDirect}, "handling.actions"},
		{"stricter resale", exchange.Handling{Resale: exchange.DutyStrict}, ""},
		{"another attribution", exchange.Handling{Attribution: exchange.AttributionMustNot}, "handling.attribution"},
		{"a looser attribution", exchange.Handling{Attribution: exchange.AttributionMay}, "handling.attribution"},
		{"a statement", exchange.Handling{Statement: "ask first"}, ""},
		{"RED without persons", exchange.Handling{TLP: exchange.TLPRed}, "handling.persons"},
	} {
		got, ps := narrowed(old, c.to)
		if c.path == "" {
			if len(ps) != 0 || !reflect.DeepEqual(got, old.Join(got)) || reflect.DeepEqual(got, old.Join(old)) {
				t.Errorf("%s: %+v, %v", c.name, got, ps)
			}
			continue
		}
		if len(ps) != 1 || ps[0].Path != c.path {
			t.Errorf("%s: %v, not a problem of %s", c.name, ps, c.path)
		}
	}
}
