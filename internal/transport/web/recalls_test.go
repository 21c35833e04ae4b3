package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// TestRecallByItsForms takes an artifact back, and has its holder answer.
func TestRecallByItsForms(t *testing.T) {
	s := newSite(t)
	r := s.Draft(storyTitle, testkit.Start.AddDate(0, 0, 21))
	guidance, poc, _ := s.Package(r.ID, 5)
	s.Arm(r.ID)
	s.Clock.Set(testkit.Start.AddDate(0, 0, 20))
	if _, err := s.X.Delivery.Page(t.Context(), s.Machine(servertest.EarlyA), testkit.Program, delivery.Query{Limit: 10}); err != nil {
		t.Fatal(err)
	}
	op, a, b := s.client(t, testkit.Owner, "operator"), s.client(t, servertest.EarlyA, "analyst"), s.client(t, servertest.EarlyB, "analyst")
	form := "/recalls/new?artifact=" + string(guidance.ID)
	if _, body := op.get("/releases/" + string(r.ID)); !strings.Contains(body, form) {
		t.Error("the release does not lead to the form")
	}
	if status, body := op.get(form); status != http.StatusOK || !strings.Contains(body, "What this cannot do") {
		t.Fatalf("the form: %d", status)
	}
	if status, _ := a.get(form); status != http.StatusForbidden {
		t.Errorf("the form for a holder: %d", status)
	}

	// First the plan, then the target typed; what is typed wrong changes nothing.
	target := []string{"artifact", string(guidance.ID), "kind", "recall", "reason", "harmless printers"}
	op.does("/recalls", "Lose it, and are asked to delete it", target...)
	if status, _ := op.post("/recalls", append(target, "confirm", "art_x")...); status != http.StatusUnprocessableEntity {
		t.Errorf("another target typed: %d", status)
	}
	if status, _ := op.post("/recalls", "artifact", string(guidance.ID), "kind", "recall", "confirm", string(guidance.ID)); status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: %d", status)
	}
	if es, err := s.Events(exchange.EventRecalled); err != nil || len(es) != 0 {
		t.Fatalf("%d recalls are on record, %v", len(es), err)
	}
	if status, _ := a.post("/recalls", append(target, "confirm", string(guidance.ID))...); status != http.StatusForbidden {
		t.Errorf("a holder takes it back: %d", status)
	}
	body := op.does("/recalls", "It was taken back", append(target, "confirm", string(guidance.ID))...)
	path := regexp.MustCompile(`/recalls/rcl_[a-z2-7]{16}`).FindString(body)
	if path == "" || !strings.Contains(words2(body), "silent") {
		t.Fatalf("the page of the recall:\n%s", words(body))
	}

	// The holder is told, and answers; the answer is on the originator's page.
	if _, body := a.get("/notices"); !strings.Contains(body, `href="`+path+`"`) {
		t.Error("the notice does not lead to the recall")
	}
	status, gone := a.get("/artifacts/" + string(guidance.ID))
	if status != http.StatusGone || !strings.Contains(gone, path) {
		t.Errorf("the artifact for a holder: %d\n%s", status, words(gone))
	}
	if _, body := a.get(path); strings.Contains(body, "Who holds it") || strings.Contains(body, string(servertest.EarlyB)) || !strings.Contains(body, "Your answer") {
		t.Errorf("a holder's page:\n%s", words(body))
	}
	ns, err := s.X.Delivery.Notices(t.Context(), s.Reader(servertest.EarlyA), time.Time{}, 1)
	if err != nil || len(ns) != 1 {
		t.Fatal(ns, err)
	}
	signed := "/notices/" + string(ns[0].ID) + "/signed"
	for _, from := range []string{path, "/notices"} {
		if _, body := a.get(from); !strings.Contains(body, `href="`+signed+`"`) {
			t.Errorf("%s does not lead to the signed notice", from)
		}
	}
	if status, body := a.get(signed); status != http.StatusOK || !strings.HasPrefix(body, "forewarn notice v1\n") || !strings.Contains(body, path) {
		t.Errorf("the signed notice: %d\n%s", status, body)
	}
	for _, other := range []*client{b, op} {
		if status, _ := other.get(signed); status != http.StatusNotFound {
			t.Errorf("the signed notice for others: %d", status)
		}
	}
	if _, body := op.get(path); strings.Contains(words2(body), "mail") {
		t.Errorf("a channel that was not used is named:\n%s", words2(body))
	}
	s.mailed(t, ns[0])
	if _, body := op.get(path); !strings.Contains(words2(body), "mail") {
		t.Errorf("the mail is not named:\n%s", words2(body))
	}
	if status, _ := a.post(path+"/acknowledge", "answer", "kept"); status != http.StatusUnprocessableEntity {
		t.Errorf("an answer without its reason: %d", status)
	}
	a.does(path+"/acknowledge", "Your answer was recorded", "answer", "deleted", "note", "from the SIEM")
	if _, body := op.get(path); !strings.Contains(words2(body), "from the SIEM") || !strings.Contains(words2(body), "deleted") {
		t.Errorf("the originator's page:\n%s", words2(body))
	}
	if status, _ := op.post(path + "/remind"); status != http.StatusConflict {
		t.Errorf("a reminder when all have answered: %d", status)
	}
	if status, body := op.get("/recalls"); status != http.StatusOK || !strings.Contains(body, "1 of 1 answered") {
		t.Errorf("the list: %d", status)
	}

	// To the others it does not exist: the page is the one of what never was.
	for who, c := range map[string]*client{"offered": b, "no holder": s.client(t, servertest.Standard, "analyst")} {
		for _, one := range []string{path, "/artifacts/" + string(guidance.ID)} {
			status, body := c.get(one)
			other, unknown := c.get(one[:len(one)-16] + "aaaaaaaaaaaaaaaa")
			if status != http.StatusNotFound || other != status || plainPage(body) != plainPage(unknown) {
				t.Errorf("%s, %s: %d and %d, or another page", who, one, status, other)
			}
		}
		if status, _ := c.post(path+"/acknowledge", "answer", "deleted"); status != http.StatusNotFound {
			t.Errorf("%s answers: %d", who, status)
		}
		if _, body := c.get("/recalls"); strings.Contains(body, "rcl_") {
			t.Errorf("%s is shown a recall", who)
		}
	}
	narrowed := []string{"artifact", string(poc.ID), "kind", "narrow", "reason", "r"}
	if status, body := op.post("/recalls", append(narrowed, "tlp", "TLP:GREEN")...); status != http.StatusUnprocessableEntity || !strings.Contains(body, "ess strict") {
		t.Errorf("a loosening: %d", status)
	}
	op.does("/recalls", "It was taken back", append(narrowed, "not", "edr-b", "confirm", string(poc.ID))...)
}

func words2(html string) string { return markup.ReplaceAllString(html, " ") }

var passing = regexp.MustCompile(`nonce="[^"]*"|req_[a-z2-7]+|<time[^>]*>[^<]*</time>`)

// plainPage is a page without what differs from one request to the next.
func plainPage(html string) string { return passing.ReplaceAllString(html, "") }

// TestRecallInABrowser goes from the form to the act with a real browser.
func TestRecallInABrowser(t *testing.T) {
	source, browser := axe(t), chrome(t)
	s := newSite(t)
	r := s.Draft(storyTitle, testkit.Start.AddDate(0, 0, 21))
	guidance, _, _ := s.Package(r.ID, 3)
	s.Arm(r.ID)
	s.Clock.Set(testkit.Start.AddDate(0, 0, 20).Add(time.Hour))
	if _, err := s.X.Delivery.Page(t.Context(), s.Machine(servertest.EarlyA), testkit.Program, delivery.Query{Limit: 10}); err != nil {
		t.Fatal(err)
	}
	b := open(t, browser)
	b.navigate(s.link(testkit.Owner, "operator"))
	b.navigate(s.url + "/recalls/new?artifact=" + string(guidance.ID))
	b.accessible(source, "recall-form")
	b.set("reason", "harmless printers")
	b.click("Show what would happen")
	b.accessible(source, "recall-plan")
	b.set("confirm", string(guidance.ID))
	b.click("Take it back now")
	b.accessible(source, "recall-page")
	b.shows("It was taken back", "silent")
	b.unrefused("recall")
}

// mailed notes that a mail about the notice was sent.
func (s *site) mailed(t *testing.T, n exchange.Notice) {
	t.Helper()
	err := s.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
		return tx.PutMail(mail.Entry{Notice: n.ID, Person: "per_x", Kind: n.Kind, State: mail.Sent, Attempts: 1, QueuedAt: n.At, SentAt: s.Clock.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
}
