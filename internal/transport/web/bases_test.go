package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// An operator adds lines; the program, the upload and the artifact say how its
// bases stand, and members read the register without adding to it.
func TestLegalBasisPages(t *testing.T) {
	w := servertest.New(t)
	s := &site{w, w.Serve()}
	op := s.client(t, testkit.Owner, "operator")
	if _, body := op.get("/legal-bases"); !strings.Contains(body, "will be here") {
		t.Errorf("empty register: %s", words(body))
	}
	if status, body := op.post("/legal-bases", "id", "old-law", "jurisdiction", "US", "instrument", "An <b>act", "valid_from", "some day", "source", "s"); status != http.StatusUnprocessableEntity ||
		!strings.Contains(body, `value="An &lt;b&gt;act"`) {
		t.Errorf("a day that is none: %d %s", status, words(body))
	}
	op.does("/legal-bases", "added to the register", "id", "old-law", "jurisdiction", "us", "instrument", "An <b>act", "valid_from", "2000-01-01 00:00", "valid_to", "2020-01-01 00:00", "source", "the gazette")
	c := testkit.Charter()
	c.LegalBasis = []exchange.BasisID{"old-law"}
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}
	r := w.Draft("Advisory", w.Clock.Now().AddDate(0, 1, 0))
	const warning = "old-law is not in force as known on"
	member := s.client(t, servertest.EarlyA, "analyst")
	for _, p := range []struct {
		who  *client
		path string
	}{{op, "/programs/" + string(testkit.Program)}, {op, "/releases/" + string(r.ID)}, {member, "/programs/" + string(testkit.Program)}} {
		if status, body := p.who.get(p.path); status != http.StatusOK || !strings.Contains(body, warning) {
			t.Errorf("%s: %d, no warning\n%s", p.path, status, words(body))
		}
	}
	if status, body := member.get("/legal-bases"); status != http.StatusOK || !strings.Contains(body, "An &lt;b&gt;act") || strings.Contains(body, "Add a line") {
		t.Errorf("the register for a member: %d %s", status, words(body))
	}
	if status, _ := member.post("/legal-bases", "id", "mine", "jurisdiction", "US", "instrument", "i", "valid_from", "2000-01-01 00:00", "source", "s"); status != http.StatusForbidden {
		t.Errorf("a member adds: %d", status)
	}
}

// An operator hides a member with a button; it is marked for the operator and for
// itself, and nobody else learns of it.
func TestHideMember(t *testing.T) {
	w := servertest.New(t)
	s := &site{w, w.Serve()}
	program := "/programs/" + string(testkit.Program)
	op, self, other := s.client(t, testkit.Owner, "operator"), s.client(t, servertest.EarlyA, "analyst"), s.client(t, servertest.EarlyB, "analyst")
	const chip, note = `<span class="chip">hidden</span>`, "Your membership is hidden"
	_, before := other.get(program)
	body := op.does(program+"/hide", "What other members see was changed", "org", string(servertest.EarlyA), "hidden", "1")
	if strings.Count(body, chip) != 1 {
		t.Errorf("not marked: %s", words(body))
	}
	if _, body := self.get(program); !strings.Contains(body, note) || strings.Contains(body, chip) {
		t.Errorf("the member itself: %s", words(body))
	}
	if _, after := other.get(program); words(after) != words(before) {
		t.Errorf("another member's page changed from\n%s\nto\n%s", words(before), words(after))
	}
	if status, _ := other.post(program+"/hide", "org", string(servertest.EarlyA)); status != http.StatusNotFound {
		t.Errorf("another member shows it: %d", status)
	}
	if body := op.does(program+"/hide", "What other members see was changed", "org", string(servertest.EarlyA)); strings.Contains(body, chip) {
		t.Errorf("still marked: %s", words(body))
	}
}
