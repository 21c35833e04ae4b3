package api_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

var request = regexp.MustCompile(`req_[a-z2-7]+`)

// TestRecalls takes an artifact back over HTTP, and looks at it from every side.
func TestRecalls(t *testing.T) {
	d := open(t)
	r := d.Draft("Printer spooler", testkit.Start.Add(72*time.Hour))
	guidance, _, _ := d.Package(r.ID, 4)
	d.Arm(r.ID)
	d.Clock.Advance(71 * time.Hour)
	if _, err := d.X.Delivery.Page(t.Context(), d.Machine(servertest.EarlyA), testkit.Program, delivery.Query{Limit: 10}); err != nil {
		t.Fatal(err)
	}
	op := d.as(t, testkit.Owner, exchange.VerbOperate)
	a, b, none := d.as(t, servertest.EarlyA), d.as(t, servertest.EarlyB), d.as(t, servertest.Late)
	objects := "/programs/" + string(testkit.Program) + "/objects"
	object := a.want(http.StatusOK, "GET", objects+"?limit=1", nil).json(t)["objects"].([]any)[0].(map[string]any)["id"].(string)

	act := map[string]any{"kind": "recall", "artifact": guidance.ID, "reason": "harmless printers"}
	plan := op.want(http.StatusOK, "POST", "/recalls?dry_run=true", act).json(t)
	if plan["id"] != nil || plan["losing"] != 1.0 || plan["held"] != 1.0 {
		t.Errorf("the plan: %v", plan)
	}
	a.want(http.StatusForbidden, "POST", "/recalls", act)
	none.want(http.StatusNotFound, "POST", "/recalls", act)
	op.want(http.StatusUnprocessableEntity, "POST", "/recalls", map[string]any{"kind": "narrow", "artifact": guidance.ID, "reason": "r", "handling": map[string]any{"tlp": "green"}})
	done := op.want(http.StatusOK, "POST", "/recalls", act, "Idempotency-Key", "one")
	id := done.text(t, "id")
	if again := op.want(http.StatusOK, "POST", "/recalls", act, "Idempotency-Key", "one"); again.text(t, "id") != id {
		t.Errorf("the same act again: %s", again.body)
	}
	op.want(http.StatusConflict, "POST", "/recalls", act)
	if done.header.Get("Location") == "" {
		t.Errorf("the answer: %v %s", done.header, done.body)
	}

	// Gone for the holder; nothing at all for who was offered it, or knows nothing.
	for _, path := range []string{"/artifacts/" + string(guidance.ID), "/artifacts/" + string(guidance.ID) + "/content", objects + "/" + object} {
		if gone := a.want(http.StatusGone, "GET", path, nil); !strings.Contains(gone.body, id) {
			t.Errorf("%s: %s", path, gone.body)
		}
		for _, c := range []caller{b, none} {
			withheld := c.want(http.StatusNotFound, "GET", path, nil)
			unknown := c.want(http.StatusNotFound, "GET", strings.NewReplacer(string(guidance.ID), "art_aaaaaaaaaaaaaaaa", object, servertest.MarkedID(99, 1)).Replace(path), nil)
			if request.ReplaceAllString(withheld.body, "") != request.ReplaceAllString(unknown.body, "") || len(withheld.header) != len(unknown.header) {
				t.Errorf("%s: %s and %s", path, withheld.body, unknown.body)
			}
		}
	}
	for _, c := range []caller{b, none} {
		withheld, unknown := c.want(http.StatusNotFound, "GET", "/recalls/"+id, nil), c.want(http.StatusNotFound, "GET", "/recalls/rcl_aaaaaaaaaaaaaaaa", nil)
		if request.ReplaceAllString(withheld.body, "") != request.ReplaceAllString(unknown.body, "") {
			t.Errorf("%s and %s", withheld.body, unknown.body)
		}
		c.want(http.StatusNotFound, "POST", "/recalls/"+id+"/acknowledge", map[string]any{"answer": "deleted"})
		if all := c.want(http.StatusOK, "GET", "/recalls", nil); strings.Contains(all.body, "rcl_") {
			t.Errorf("a list: %s", all.body)
		}
	}

	// The holder's side says nothing of the others, nor of who did it.
	mine := a.want(http.StatusOK, "GET", "/recalls/"+id, nil)
	if strings.Contains(mine.body, "holders") || strings.Contains(mine.body, `"by"`) || mine.json(t)["asked"] != true {
		t.Errorf("a holder's side: %s", mine.body)
	}
	a.want(http.StatusForbidden, "POST", "/recalls/"+id+"/remind", nil)
	a.want(http.StatusUnprocessableEntity, "POST", "/recalls/"+id+"/acknowledge", map[string]any{"answer": "kept"})
	a.want(http.StatusOK, "POST", "/recalls/"+id+"/acknowledge", map[string]any{"answer": "never-imported"})
	if seen := op.want(http.StatusOK, "GET", "/recalls/"+id, nil).json(t); seen["acknowledged"] != 1.0 || len(seen["holders"].([]any)) < 2 {
		t.Errorf("the originator's side: %v", seen)
	}
	if all := op.want(http.StatusOK, "GET", "/recalls", nil); !strings.Contains(all.body, id) || strings.Contains(all.body, `"holders"`) {
		t.Errorf("the originator's list: %s", all.body)
	}
}
