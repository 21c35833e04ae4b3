package web_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

var anEntry = regexp.MustCompile(`<a class="note" href="(/ledger/\d+)">entry \d+</a>`)

// Approvals and notices lead to their entries in the ledger, for those alone who are
// shown them there.
func TestApprovalsAndNoticesNameTheirEntries(t *testing.T) {
	s := newSite(t)
	r := s.Draft(storyTitle, testkit.Start.AddDate(0, 0, 21))
	s.Package(r.ID, 3)
	s.Arm(r.ID)
	operator := s.client(t, testkit.Owner, "operator")
	body := operator.holds("/releases/"+string(r.ID), "valid")
	links := anEntry.FindAllStringSubmatch(body, -1)
	approved, err := s.Events(exchange.EventReleaseApproved)
	if err != nil || len(links) != len(approved) || len(links) != 2 {
		t.Fatalf("%q for %d approvals, %v", links, len(approved), err)
	}
	for _, l := range links {
		operator.holds(l[1], "approv")
	}

	s.Clock.Set(testkit.Start.AddDate(0, 0, 20))
	early := s.client(t, servertest.EarlyA, "analyst")
	_, body = early.get("/releases/" + string(r.ID))
	given := entryIn(t, body)
	err = s.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
		return tx.Notify([]exchange.OrgID{servertest.EarlyA, servertest.EarlyB, testkit.Owner}, exchange.Notice{
			Program: testkit.Program, Kind: exchange.EventReleaseOffered, Event: given, Text: "Something happened",
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, org := range []exchange.OrgID{servertest.EarlyA, servertest.EarlyB, testkit.Owner} {
		c := s.client(t, org, map[bool]string{true: "operator", false: "analyst"}[org == testkit.Owner])
		for _, path := range []string{"/", "/notices", "/releases/" + string(r.ID)} {
			_, body := c.get(path)
			for _, l := range anEntry.FindAllStringSubmatch(body, -1) {
				if status, _ := c.get(l[1]); status != 200 {
					t.Errorf("%s: %s leads to %s: %d", org, path, l[1], status)
				}
			}
			for _, l := range links {
				if org != testkit.Owner && strings.Contains(body, `"`+l[1]+`"`) {
					t.Errorf("%s is led to an approval: %s", org, path)
				}
			}
			leads := strings.Contains(body, `<a class="note" href="`+fmt.Sprintf("/ledger/%d", given)+`"`)
			if path == "/notices" && leads != (org != servertest.EarlyB) || org == servertest.EarlyB && leads {
				t.Errorf("%s: %s leads to entry %d: %t", org, path, given, leads)
			}
		}
	}
}
