package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// TestConnections makes one, polls as it, and looks for what must not be kept.
func TestConnections(t *testing.T) {
	d := open(t)
	r := d.Draft("Three flaws", testkit.Start.AddDate(0, 0, 2))
	d.Package(r.ID, 20)
	d.Arm(r.ID)
	d.Clock.Set(testkit.Start.AddDate(0, 0, 1).Add(12 * time.Hour))
	member := d.as(t, servertest.EarlyA, exchange.VerbOperate)
	body := map[string]any{"client": "curl", "program": string(testkit.Program), "valid_for_days": 30}
	first := member.want(201, "POST", "/connections", body, "Idempotency-Key", "one")
	secret, path := first.text(t, "secret"), strings.TrimPrefix(first.header.Get("Location"), "/api/v1")
	if len(secret) != 68 || !strings.Contains(first.body, "curl --config") {
		t.Fatal(first.body)
	}
	// The secret is nowhere kept, not even for a repetition.
	if again := member.want(409, "POST", "/connections", body, "Idempotency-Key", "one"); strings.Contains(again.body, secret) {
		t.Error("a repetition shows the secret again")
	}
	for table, rows := range d.Dump() {
		for _, row := range rows {
			if strings.Contains(row, secret[16:]) {
				t.Errorf("the secret stands in the table %s", table)
			}
		}
	}
	if r := member.want(200, "GET", "/connections", nil); strings.Count(r.body, `"client":"curl"`) != 1 || strings.Contains(r.body, secret) {
		t.Error(r.body)
	}
	for _, bad := range []map[string]any{
		{"client": "netscape"}, {"client": "curl", "program": "nothing"}, {"client": "curl", "valid_for_days": 366}, {"client": "sentinel", "write": true},
	} {
		member.want(422, "POST", "/connections", bad)
	}

	// A test poll gives what holds at that moment, whatever key it carries.
	test := member.want(200, "POST", path+"/test", nil, "Idempotency-Key", "same")
	if strings.Count(test.body, `"date_added"`) != 3 || !strings.Contains(test.body, `"tlp":"TLP:AMBER+STRICT"`) || strings.Contains(test.body, `"pattern"`) {
		t.Error(test.body)
	}
	for _, row := range d.Dump()["idempotency"] {
		if strings.Contains(row, "same") {
			t.Errorf("the answer to a test poll is kept: %.200s", row)
		}
	}
	if _, err := d.X.Releases.Withdraw(t.Context(), d.Operator, r.ID, release.Change{Reason: "wrong"}); err != nil {
		t.Fatal(err)
	}
	if r := member.want(200, "POST", path+"/test", nil, "Idempotency-Key", "same"); strings.Contains(r.body, `"date_added"`) || !strings.Contains(r.body, "holds nothing for you yet") {
		t.Error(r.body)
	}

	// Others: as what does not exist.
	other := d.as(t, servertest.EarlyB, exchange.VerbOperate)
	for method, at := range map[string]string{"GET": "", "DELETE": "", "POST": "/test"} {
		got := other.want(404, method, path+at, nil)
		unknown := other.want(404, method, "/connections/con_aaaaaaaaaaaaaaaa"+at, nil)
		if got.json(t)["detail"] != unknown.json(t)["detail"] || got.json(t)["type"] != unknown.json(t)["type"] {
			t.Errorf("%s: %s, and what does not exist %s", method, got.body, unknown.body)
		}
	}
	other.want(404, "GET", "/connections?organisation="+string(servertest.EarlyA), nil)
	if r := other.want(200, "GET", "/connections", nil); strings.Contains(r.body, "curl") {
		t.Error(r.body)
	}
	member.want(204, "DELETE", path, nil)
	member.want(404, "GET", path, nil)
}

// TestTestPollsAreTheOneDecision compares, for each kind of member, what a test
// poll shows with what its machines get.
func TestTestPollsAreTheOneDecision(t *testing.T) {
	d := open(t)
	r := d.Draft("Three flaws", testkit.Start.AddDate(0, 0, 2))
	d.Package(r.ID, 20)
	d.Arm(r.ID)
	given := map[bool]int{}
	for _, hours := range []time.Duration{0, 36, 60} {
		d.Clock.Set(testkit.Start.Add(hours * time.Hour))
		for _, org := range servertest.Members {
			member := d.as(t, org, exchange.VerbOperate)
			added := member.want(201, "POST", "/connections", map[string]any{"client": "curl"})
			test := member.want(200, "POST", strings.TrimPrefix(added.header.Get("Location"), "/api/v1")+"/test", nil)
			want, _, err := d.X.Delivery.Manifest(t.Context(), d.Machine(org), testkit.Program, delivery.Query{Limit: 3})
			if err != nil && exchange.KindOf(err) != exchange.NotFound {
				t.Fatal(err)
			}
			if n := strings.Count(test.body, `"date_added"`); n != len(want) {
				t.Errorf("%s after %d h is shown %d objects, its machines get %d", org, hours, n, len(want))
			}
			for _, e := range want {
				if !strings.Contains(test.body, `"id":"`+e.ID+`"`) {
					t.Errorf("%s after %d h is not shown %s", org, hours, e.ID)
				}
			}
			if why := strings.Contains(test.body, `"why"`); why != (len(want) == 0) {
				t.Errorf("%s after %d h: %s", org, hours, test.body)
			}
			given[len(want) > 0]++
		}
	}
	if given[true] < 5 || given[false] < 5 {
		t.Errorf("too little to compare: %v", given)
	}
}
