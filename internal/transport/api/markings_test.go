package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// TestHeldMarkings lists what nobody understands and says what it asks, with a
// handling in full; to a member neither exists.
func TestHeldMarkings(t *testing.T) {
	d := open(t)
	const ref = "marking-definition--0000000e-1111-4111-8111-111111111111"
	r := d.Draft("Held", testkit.Start.AddDate(0, 0, 30))
	op := d.as(t, testkit.Owner, exchange.VerbOperate)
	post := "/releases/" + string(r.ID) + "/artifacts?class=detection-guidance&filename=a.json"
	body := strings.Replace(bundle, `"type":"indicator"`, `"object_marking_refs":["`+ref+`"],"type":"indicator"`, 1)
	if body == bundle {
		t.Fatal("the bundle of the tests has no indicator to mark")
	}
	bad := op.want(422, "POST", post+"&permitted_actions=dance&encrypt_in_transit=must-not&attribution=conflict", body)
	for _, path := range []string{"query.permitted_actions", "query.encrypt_in_transit", "query.attribution"} {
		if !strings.Contains(bad.body, path) {
			t.Errorf("%s is not among %s", path, bad.body)
		}
	}
	got := op.want(201, "POST", post+"&sector=energy&purpose=defence&not_cohort=standard&not_hat=regulator&permitted_actions=none&encrypt_in_transit=must&attribution=must-not", body)
	var receipt struct {
		Held     int
		Artifact struct {
			Handling map[string]any
		}
	}
	if err := json.Unmarshal([]byte(got.body), &receipt); err != nil {
		t.Fatal(err)
	}
	h := receipt.Artifact.Handling
	if receipt.Held != 1 || h["permitted_actions"] != "none" || h["encrypt_in_transit"] != "must" || h["attribution"] != "must-not" || h["sectors"] == nil || h["not_hats"] == nil {
		t.Errorf("%s", got.body)
	}

	path := "/programs/" + string(testkit.Program)
	if list := op.want(200, "GET", path+"/held", nil); !strings.Contains(list.body, `"ref":"`+ref+`"`) || !strings.Contains(list.body, `"objects":1`) {
		t.Errorf("%s", list.body)
	}
	answer := map[string]any{"ref": ref, "tlp": "amber", "reason": "its maker said so"}
	member := d.as(t, servertest.EarlyA)
	member.want(404, "GET", path+"/held", nil)
	member.want(404, "POST", path+"/markings", answer)
	op.want(404, "GET", "/programs/nowhere/held", nil)
	op.want(422, "POST", path+"/markings", map[string]any{"ref": ref, "tlp": "mauve", "reason": "x"})
	if said := op.want(200, "POST", path+"/markings", answer); !strings.Contains(said.body, `"objects":1`) {
		t.Errorf("%s", said.body)
	}
	op.want(409, "POST", path+"/markings", answer)
	if list := op.want(200, "GET", path+"/held", nil); !strings.Contains(list.body, `"held":[]`) || !strings.Contains(list.body, "its maker said so") {
		t.Errorf("%s", list.body)
	}
}
