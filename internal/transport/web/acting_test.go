package web_test

import (
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// A person chooses the hat and the purpose by a form, sees them on every page
// from then on, and is told what is wrong with another choice.
func TestChooseHat(t *testing.T) {
	s := newSite(t)
	o, err := s.X.Members.Organisation(t.Context(), s.Admin, servertest.EarlyA)
	if err != nil {
		t.Fatal(err)
	}
	o.Hats = []string{"csirt", "regulator"}
	if _, err := s.X.Members.ChangeOrganisation(t.Context(), s.Admin, o, 0); err != nil {
		t.Fatal(err)
	}
	charter := "purposes = [\"assist\", \"regulate\"]\n" + string(testkit.CharterTOML())
	if _, err := s.X.Programs.Apply(t.Context(), s.Operator, []byte(charter), false); err != nil {
		t.Fatal(err)
	}
	c := s.client(t, servertest.EarlyA, "analyst")
	shows := func(status int, page string, refused bool, want ...string) {
		t.Helper()
		if (status >= 400) != refused {
			t.Errorf("status %d", status)
		}
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("the page is without %s", w)
			}
		}
	}
	status, page := c.get("/acting")
	shows(status, page, false, `<option value="" selected>all of them`, `<option value="csirt">`, `<option value="regulator">`, `<option value="assist">`, `>Hat</a>`)
	status, page = c.post("/acting", "hat", "csirt", "purpose", "assist")
	shows(status, page, false, "You act like this from now on.", `<option value="csirt" selected>`, `value="assist" list=`, "As csirt, to assist</a>")
	status, page = c.get("/")
	shows(status, page, false, "As csirt, to assist</a>")
	status, page = c.post("/acting", "hat", "police", "purpose", "To Assist")
	shows(status, page, true, `href="#hat"`, `href="#purpose"`, "As csirt, to assist</a>")
	other := s.client(t, servertest.EarlyB, "analyst")
	status, page = other.get("/acting")
	shows(status, page, false, "The hats of your organisation will be here")
	if strings.Contains(page, "csirt") {
		t.Error("another organisation's hats")
	}
	if events, err := s.Events(exchange.EventHatChosen); err != nil || len(events) != 1 {
		t.Errorf("%d choices on record (%v)", len(events), err)
	}
}
