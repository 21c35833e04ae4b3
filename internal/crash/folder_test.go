package crash

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// The members, by cohort. The steady ones are never suspended and accepted the
// agreement before anything was released, so all that opens to their cohort is
// offered to them.
const (
	validator exchange.OrgID = "val-one"   // validate, steady
	early     exchange.OrgID = "edr-a"     // early, steady
	earlyToo  exchange.OrgID = "edr-b"     // early; its membership is suspended at times
	standard  exchange.OrgID = "av-a"      // standard, steady
	compelled exchange.OrgID = "edr-xa"    // standard, under a duty to disclose; steady
	late      exchange.OrgID = "cert-a"    // at-release; the organisation is suspended at times
	outsider  exchange.OrgID = "elsewhere" // no member
)

var (
	steady  = []exchange.OrgID{validator, early, standard, compelled}
	members = append([]exchange.OrgID{earlyToo, late}, steady...)
)

// spares is how many organisations may still join.
const spares = 60

func spare(i int) exchange.OrgID { return exchange.OrgID(fmt.Sprintf("spare-%02d", i)) }

var (
	operator  = staff("operator", exchange.RoleOperator)
	approvers = []exchange.Actor{staff("approver-a", exchange.RoleApprover), staff("approver-b", exchange.RoleApprover)}
	admin     = staff("admin", exchange.RoleAdmin)
)

func staff(name string, r exchange.Role) exchange.Actor {
	return testkit.Actor(testkit.Person(testkit.Owner, name, r))
}

// analyst is who reads and signs for a member.
func analyst(org exchange.OrgID) exchange.Actor {
	return testkit.Actor(testkit.Person(org, "analyst", exchange.RoleAnalyst, exchange.RoleSignatory))
}

// open opens the folder on the clock of the machine.
func open(ctx context.Context, folder string) (*server.Server, error) {
	return server.Open(ctx, server.Options{Data: folder, Config: config.Default()})
}

// furnish makes an exchange with the program, its people and its members.
func furnish(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	s, err := open(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	nouns := []any{
		testkit.Organisation(testkit.Owner, func(o *exchange.Organisation) { o.Kind = "originator" }),
		testkit.Person(testkit.Owner, "operator", exchange.RoleOperator),
		testkit.Person(testkit.Owner, "approver-a", exchange.RoleApprover),
		testkit.Person(testkit.Owner, "approver-b", exchange.RoleApprover),
		testkit.Person(testkit.Owner, "admin", exchange.RoleAdmin),
		exchange.Jurisdiction{Code: "XA", Compelled: true, Within: "48h", Source: "an act of a country that does not exist", ValidFrom: time.Now().AddDate(-1, 0, 0)},
	}
	products := map[exchange.OrgID]string{validator: "validation", early: "edr", earlyToo: "ids", compelled: "edr"}
	all := append([]exchange.OrgID{outsider}, members...)
	for i := range spares {
		all = append(all, spare(i))
	}
	for _, id := range all {
		o := testkit.Organisation(id)
		switch {
		case id == late || strings.HasPrefix(string(id), "spare"):
			o.Kind, o.Products = "cert", nil
		case products[id] != "":
			o.Products = []string{products[id]}
		}
		if id == compelled {
			o.Jurisdictions = []string{"XA"}
		}
		nouns = append(nouns, o, testkit.Person(id, "analyst", exchange.RoleAnalyst, exchange.RoleSignatory))
	}
	testkit.Put(t, sqlstore.For[testkit.Tx](s.DB), nouns...)
	x := s.Exchange
	if _, err := x.Programs.Apply(t.Context(), operator, charter(time.Now()), false); err != nil {
		t.Fatal(err)
	}
	for _, id := range members {
		if _, err := x.Members.Join(t.Context(), operator, testkit.Program, id); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Members.Accept(t.Context(), analyst(id), testkit.Program, 1); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// charter is that of testkit, in force now: the processes run on the clock of
// the machine.
func charter(now time.Time) []byte {
	date := func(years int) string { return now.AddDate(years, 0, -1).Format(time.DateOnly) }
	return []byte(strings.NewReplacer(
		"2027-06-01", date(0), "2028-06-01", date(1), "2029-06-01", date(2), "2030-05-31", date(3),
	).Replace(string(testkit.CharterTOML())))
}

// rules give each cohort its own minute before T0, so that a T0 near one of
// them opens that wave next and all the earlier ones at once.
func rules() []exchange.PlanRule {
	rule := func(c exchange.ContentClass, to exchange.CohortID, at string) exchange.PlanRule {
		return exchange.PlanRule{Class: c, Cohort: to, At: testkit.Offset(at)}
	}
	return []exchange.PlanRule{
		rule(exchange.DetectionGuidance, "validate", "T0-3m"),
		rule(exchange.AdvanceNote, "validate", "T0-3m"),
		rule(exchange.DetectionGuidance, "early", "T0-2m"),
		rule(exchange.PoC, "early", "T0-2m"),
		rule(exchange.DetectionGuidance, "standard", "T0-1m"),
		rule(exchange.Summary, "at-release", "T0"),
		rule(exchange.Summary, exchange.PublicCohort, "T0"),
	}
}
