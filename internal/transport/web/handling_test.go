package web

import (
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

func TestHandlingWords(t *testing.T) {
	at := time.Date(2027, 7, 1, 12, 0, 0, 0, time.UTC)
	full := exchange.Handling{
		TLP: exchange.TLPRed, PAP: exchange.PAPAmber, Organisations: []exchange.OrgID{"a"}, Groups: []exchange.GroupID{"g"}, Sectors: []string{"energy"},
		Also: []exchange.AllowList{{Organisations: []exchange.OrgID{"b"}}}, Persons: []exchange.PersonID{"p", "q"}, Purposes: []string{"defence"},
		NotOrgs: []exchange.OrgID{"x"}, NotCohorts: []exchange.CohortID{"late"}, NotHats: []string{"regulator"}, NotIn: []string{"XA"},
		From: at, Expires: at.AddDate(0, 1, 0), Statement: "Ask first.", Actions: exchange.ActionsNone, Encrypt: exchange.DutyStrict,
		Notify: exchange.DutyStrict, Resale: exchange.DutyMay, Attribution: exchange.AttributionMustNot, References: []string{"iep:x"},
	}
	for name, c := range map[string]struct {
		h    exchange.Handling
		want string
	}{
		"all": {full, "TLP:RED, PAP:AMBER, only a; groups g; sectors energy, only b, for 2 named persons, read for defence only, never to x, " +
			"never to the cohorts late, never to who acts as regulator, never in XA, from 2027-07-01T12:00:00Z, until 2027-08-01T12:00:00Z, " +
			"permitted actions: none, encrypt in transit: must, tell affected parties: must-not, sell unchanged: may, name the provider: must-not, Ask first., after iep:x"},
		"nobody": {
			exchange.Handling{Also: []exchange.AllowList{{}}, Persons: []exchange.PersonID{exchange.Nobody}, Purposes: []string{exchange.NoPurpose}},
			"for no organisation: its lists have nobody in common, for no person: its lists have nobody in common, for no purpose: its lists have none in common",
		},
		"nothing": {exchange.Handling{}, "no default handling: every artifact needs a label"},
	} {
		if got := strings.Join(handlingWords(c.h), ", "); got != c.want {
			t.Errorf("%s: %q\nwant %q", name, got, c.want)
		}
	}
	if got := further(exchange.Handling{TLP: exchange.TLPRed, PAP: exchange.PAPRed}); got != "" {
		t.Errorf("a label and a level ask further %q", got)
	}
	if got := papOf([]string{"TLP:AMBER: x", "PAP:RED: own logs only"}) + papOf(nil); got != "PAP:RED" {
		t.Errorf("the level is %q", got)
	}
}
