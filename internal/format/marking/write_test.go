package marking_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/marking"
)

// What is written is read again as it was; what the extension cannot say is
// refused, and never written as less.
func TestWrite(t *testing.T) {
	full := exchange.Handling{
		TLP: exchange.TLPAmber, PAP: exchange.PAPRed, Organisations: []exchange.OrgID{"a", "b"}, Groups: []exchange.GroupID{"g"}, Sectors: []string{"energy"},
		Persons: []exchange.PersonID{"ana"}, Purposes: []string{"defence"}, NotOrgs: []exchange.OrgID{"c"}, NotCohorts: []exchange.CohortID{"d"},
		NotHats: []string{"regulator"}, NotIn: []string{"DE"}, From: now, Expires: now.Add(time.Microsecond), Statement: "s",
		Actions: exchange.ActionsNone, Encrypt: exchange.DutyStrict, Notify: exchange.DutyStrict, Resale: exchange.DutyMay, Attribution: exchange.AttributionMust,
	}
	for name, h := range map[string]exchange.Handling{"everything": full, "a label": {TLP: exchange.TLPClear}, "an end": {Expires: now}} {
		v, err := marking.Write(h)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		raw := definition(`,"extensions":{"` + marking.Extension + `":` + string(v) + `}`)
		if diff := cmp.Diff(marking.Meaning{Handling: h}, marking.Of([]byte(raw), now)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	for name, change := range map[string]func(*exchange.Handling){
		"nothing":        func(h *exchange.Handling) { *h = exchange.Handling{} },
		"two lists":      func(h *exchange.Handling) { h.Also = []exchange.AllowList{{Sectors: []string{"water"}}} },
		"nobody":         func(h *exchange.Handling) { h.Persons = []exchange.PersonID{exchange.Nobody} },
		"no purpose":     func(h *exchange.Handling) { h.Purposes = []string{exchange.NoPurpose} },
		"a reference":    func(h *exchange.Handling) { h.References = []string{"iep:p"} },
		"contradiction":  func(h *exchange.Handling) { h.Attribution = exchange.AttributionConflict },
		"a long text":    func(h *exchange.Handling) { h.Statement = string(make([]byte, marking.MaxStatement+1)) },
		"an empty group": func(h *exchange.Handling) { h.Groups = []exchange.GroupID{""} },
	} {
		h := full
		change(&h)
		if v, err := marking.Write(h); exchange.KindOf(err) != exchange.Invalid {
			t.Errorf("%s: %s %v", name, v, err)
		}
	}
}
