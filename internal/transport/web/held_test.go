package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// TestHeldPage shows those who run a program what nobody understands, and takes
// what an operator says of it; for everybody else there is no such page.
func TestHeldPage(t *testing.T) {
	w := servertest.New(t)
	s := &site{w, w.Serve()}
	path := "/programs/" + string(testkit.Program) + "/held"
	op := s.client(t, testkit.Owner, "operator")
	if _, body := op.get("/programs/" + string(testkit.Program)); !strings.Contains(body, `href="`+path+`"`) {
		t.Error("the program's page does not lead to what is held")
	}
	if status, body := op.get(path); status != http.StatusOK || !strings.Contains(words(body), "will be here") {
		t.Errorf("%d, nothing is held:\n%s", status, words(body))
	}
	const ref = "marking-definition--0000000e-1111-4111-8111-111111111111"
	r := w.Draft("Held", testkit.Start.AddDate(0, 0, 30))
	w.Submit(r.ID, exchange.DetectionGuidance, "<b>held.json", strings.NewReader(`{"type":"bundle","id":"bundle--7a3b5c1e-6a0f-4d3e-9a51-0c8e7a1b2c3d","objects":[`+
		`{"type":"indicator","spec_version":"2.1","id":"indicator--3f1d2e4c-5b6a-4c7d-8e9f-0a1b2c3d4e5f","created":"2027-05-01T00:00:00.000Z","modified":"2027-05-01T00:00:00.000Z",`+
		`"pattern":"[file:name = 'a']","pattern_type":"stix","valid_from":"2027-05-01T00:00:00Z","object_marking_refs":["`+ref+`"]}]}`))
	status, body := op.get(path)
	if status != http.StatusOK || !strings.Contains(body, ref) || strings.Contains(body, "<b>held") || !strings.Contains(body, "&lt;b&gt;held.json") {
		t.Errorf("%d\n%s", status, words(body))
	}
	if first, _, _ := strings.Cut(body[strings.Index(body, `name="tlp">`):], "</option>"); !strings.Contains(first, "TLP:RED") {
		t.Errorf("what nobody chose is not the strictest: %s", first)
	}
	if _, body := op.get("/notices"); !strings.Contains(words(body), "nobody understands hold 1 objects of") {
		t.Errorf("the owner is not told:\n%s", words(body))
	}

	member := s.client(t, servertest.EarlyA, "analyst")
	status, body = member.get(path)
	nowhere, missing := member.get("/programs/nowhere/held")
	if status != http.StatusNotFound || nowhere != status || len(words(body)) != len(words(missing)) {
		t.Errorf("a member finds %d %q, for no program %d %q", status, words(body), nowhere, words(missing))
	}
	if status, _ := member.post(path, "ref", ref, "tlp", "TLP:CLEAR", "reason", "x"); status != http.StatusNotFound {
		t.Errorf("a member says what it asks: %d", status)
	}
	approver := s.client(t, testkit.Owner, "approver-a")
	if _, body := approver.get(path); !strings.Contains(body, ref) || strings.Contains(body, "Release under this") {
		t.Errorf("an approver sees\n%s", words(body))
	}

	if status, body := op.post(path, "ref", ref, "tlp", "TLP:GREEN", "reason", ""); status != http.StatusUnprocessableEntity || !strings.Contains(body, "<details open>") {
		t.Errorf("without a reason: %d\n%s", status, words(body))
	}
	body = op.does(path, "what it held is released", "ref", ref, "tlp", "TLP:GREEN", "pap", "PAP:RED", "reason", "its maker <b>said so")
	if !strings.Contains(body, "TLP:GREEN, PAP:RED") || !strings.Contains(body, "&lt;b&gt;said so") || strings.Contains(body, "Release under this") {
		t.Errorf("after it was said:\n%s", words(body))
	}
}
