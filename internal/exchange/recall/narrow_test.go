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
		{"a later beginning", exchange.Handling{From: at.Add(-time.Hour)}, ""},
		{"a beginning at the expiry", exchange.Handling{From: at}, "handling.from"},
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

// Every dimension of a handling can be tightened, and the way back is refused
// under its name. A dimension that can only grow takes no way back: less of it
// says nothing new.
func TestNarrowedEachWay(t *testing.T) {
	at := time.Date(2027, time.July, 1, 0, 0, 0, 0, time.UTC)
	base := exchange.Handling{TLP: exchange.TLPAmber, PAP: exchange.PAPGreen}
	type h = exchange.Handling
	list := func(ids ...exchange.OrgID) []exchange.OrgID { return ids }
	dimensions := []struct {
		field        string
		loose, tight h
		path         string // of what the way back is refused under
	}{
		{"TLP", h{TLP: exchange.TLPAmber}, h{TLP: exchange.TLPAmberStrict}, "handling.tlp"},
		{"PAP", h{PAP: exchange.PAPGreen}, h{PAP: exchange.PAPRed}, "handling.pap"},
		{"Organisations", h{Organisations: list("a", "b")}, h{Organisations: list("a")}, "handling.organisations"},
		{"Groups", h{Groups: []exchange.GroupID{"g", "i"}}, h{Groups: []exchange.GroupID{"g"}}, "handling.organisations"},
		{"Sectors", h{Sectors: []string{"energy", "water"}}, h{Sectors: []string{"water"}}, "handling.organisations"},
		{"Also", h{Organisations: list("a", "b")}, h{Organisations: list("a", "b"), Also: []exchange.AllowList{{Organisations: list("b")}}}, ""},
		{"Persons", h{Persons: []exchange.PersonID{"p", "q"}}, h{Persons: []exchange.PersonID{"p"}}, "handling.persons"},
		{"Purposes", h{Purposes: []string{"defence", "research"}}, h{Purposes: []string{"defence"}}, "handling.purposes"},
		{"NotOrgs", h{NotOrgs: list("a")}, h{NotOrgs: list("a", "b")}, "handling"},
		{"NotCohorts", h{NotCohorts: []exchange.CohortID{"c"}}, h{NotCohorts: []exchange.CohortID{"c", "d"}}, "handling"},
		{"NotHats", h{NotHats: []string{"vendor"}}, h{NotHats: []string{"broker", "vendor"}}, "handling"},
		{"NotIn", h{NotIn: []string{"XA"}}, h{NotIn: []string{"XA", "XB"}}, "handling"},
		{"From", h{From: at}, h{From: at.Add(time.Hour)}, "handling.from"},
		{"Expires", h{Expires: at}, h{Expires: at.Add(-time.Hour)}, "handling.expires"},
		{"Statement", h{Statement: "ask first"}, h{Statement: "ask first\ntell nobody"}, "handling"},
		{"Actions", h{Actions: exchange.ActionsIndirect}, h{Actions: exchange.ActionsNone}, "handling.actions"},
		{"Encrypt", h{Encrypt: exchange.DutyMay}, h{Encrypt: exchange.DutyStrict}, "handling.encrypt"},
		{"Notify", h{Notify: exchange.DutyMay}, h{Notify: exchange.DutyStrict}, "handling.notify"},
		{"Resale", h{Resale: exchange.DutyMay}, h{Resale: exchange.DutyStrict}, "handling.resale"},
		{"Attribution", h{Attribution: exchange.AttributionMay}, h{Attribution: exchange.AttributionMustNot}, "handling.attribution"},
		{"References", h{References: []string{"x"}}, h{References: []string{"x", "y"}}, "handling"},
	}
	named := map[string]bool{}
	for _, d := range dimensions {
		named[d.field] = true
		loose, tight := base.Join(d.loose), base.Join(d.tight)
		if got, ps := narrowed(loose, d.tight); len(ps) != 0 || !reflect.DeepEqual(got, loose.Join(tight)) {
			t.Errorf("%s: tightened to %+v, %v", d.field, got, ps)
		}
		got, ps := narrowed(tight, d.loose)
		switch {
		case d.path == "":
			if len(ps) != 1 || ps[0].Path != "handling.organisations" && ps[0].Path != "handling" || !reflect.DeepEqual(got.AllowLists(), tight.AllowLists()) {
				t.Errorf("%s: the way back is answered %v, %+v", d.field, ps, got)
			}
		case len(ps) != 1 || ps[0].Path != d.path:
			t.Errorf("%s: the way back is answered %v, not refused under %s", d.field, ps, d.path)
		}
	}
	for f := range reflect.TypeFor[exchange.Handling]().Fields() {
		if !named[f.Name] {
			t.Errorf("nothing is said about %s", f.Name)
		}
	}
}
