package web_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// site is the exchange of servertest with its pages.
type site struct {
	*servertest.World
	url string
}

func newSite(t *testing.T) *site {
	t.Helper()
	w := servertest.New(t)
	return &site{w, w.Serve()}
}

// link is a sign-in link for somebody of an organisation.
func (s *site) link(org exchange.OrgID, name string) string {
	s.T.Helper()
	code, err := s.X.Members.IssueLink(s.T.Context(), exchange.System(), testkit.Person(org, name).ID, false, time.Hour)
	if err != nil {
		s.T.Fatal(err)
	}
	return s.X.SignInURL(code)
}

// signIn opens a tab in which the person is signed in.
func (s *site) signIn(browser context.Context, org exchange.OrgID, name string) *tab {
	s.T.Helper()
	b := open(s.T, browser)
	b.navigate(s.link(org, name))
	if path := eval[string](b, "location.pathname"); path != "/" {
		s.T.Fatalf("%s@%s is led to %s by the link", name, org, path)
	}
	return b
}

const (
	storyTitle = "Print spooler, three flaws"
	marker     = "spooler-signature-7f3a" // stands in the bundle and nowhere else
)

func storyBundle(t *testing.T) (path, indicator string) {
	t.Helper()
	indicator = "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
	path = filepath.Join(t.TempDir(), "guidance.json")
	text := `{"type":"bundle","id":"bundle--5d0092c5-5f74-4287-9642-33f4c354e56d","objects":[` +
		`{"type":"indicator","spec_version":"2.1","id":"` + indicator + `","created":"2027-05-30T08:00:00.000Z","modified":"2027-05-30T08:00:00.000Z",` +
		`"name":"` + marker + `","pattern":"[network-traffic:dst_port = 445]","pattern_type":"stix","valid_from":"2027-05-30T08:00:00Z"},` +
		`{"type":"malware","spec_version":"2.1","id":"malware--31b940d4-6f7f-459a-80ea-9c1f17b58abc","created":"2027-05-30T08:00:00.000Z","modified":"2027-05-30T08:00:00.000Z","name":"SpoolFish","is_family":false},` +
		`{"type":"relationship","spec_version":"2.1","id":"relationship--44298a74-ba52-4f0c-87a3-1824e67d7fad","created":"2027-05-30T08:00:00.000Z","modified":"2027-05-30T08:00:00.000Z",` +
		`"relationship_type":"indicates","source_ref":"` + indicator + `","target_ref":"malware--31b940d4-6f7f-459a-80ea-9c1f17b58abc"}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, indicator
}

func (b *tab) upload(id, path string) {
	b.t.Helper()
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#"+id), []string{path}))
}

// TestStory is the main job in the browser: a release from the draft to the
// outcome, and what must not appear on the way.
func TestStory(t *testing.T) {
	browser := chrome(t)
	s := newSite(t)
	bundle, indicator := storyBundle(t)
	poc := filepath.Join(t.TempDir(), "poc.py")
	summary := filepath.Join(t.TempDir(), "summary.md")
	for path, text := range map[string]string{poc: "print('boom')\n", summary: "# Update the print spooler\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t0 := testkit.Start.AddDate(0, 0, 21).Add(10 * time.Hour) // a Tuesday, 18:00 UTC

	// The operator writes the release.
	op := s.signIn(browser, testkit.Owner, "operator")
	op.shows("Outcomes", "no data")
	op.click("Programs")
	op.click("Early Warning")
	op.shows("Customers of the members are protected", "Coverage at release", "every other member", "kind is security-vendor")
	op.click("New release")
	op.set("title", storyTitle)
	op.set("t0", "2027-06-31 18:00")
	op.click("Create draft")
	op.shows("Write the time as YYYY-MM-DD HH:MM")
	op.set("t0", t0.Format("2006-01-02 15:04"))
	op.set("message", "The fix is **public** on Tuesday.")
	op.click("Create draft")
	op.shows("The draft was created.", "The release holds nothing yet")
	release := eval[string](op, "location.pathname")
	for _, f := range []struct{ path, class, tlp string }{
		{bundle, "detection-guidance", ""}, {poc, "poc", ""}, {summary, "summary", "TLP:CLEAR"},
	} {
		op.set("class", f.class)
		op.set("tlp", f.tlp)
		op.upload("file", f.path)
		op.click("Add artifact")
		op.shows("The artifact was added.")
	}
	op.shows("3 objects", "TLP:AMBER+STRICT", "TLP:CLEAR", "Nothing blocks it.", "Organisation edr-a", "edr-new has not accepted")
	if at := eval[string](op, `document.getElementById("at.detection-guidance.early").value`); at != "T0-3bd" {
		t.Errorf("the plan does not begin with the charter's rules: %s", at)
	}
	op.set("at.summary.early", "T0-3bx")
	op.click("Save and check")
	op.shows("The release was not saved")
	op.set("at.summary.early", "T0-3bd")
	op.click("Save and check")
	op.shows("Saved and checked.", "2 approvals missing")
	op.click("Send to the approvers")
	op.shows("waiting for approval", "Sent to the approvers")
	op.hides("Approve revision")
	op.accessible(axe(t), "a release that waits")

	// A member of the early cohort knows of nothing.
	early := s.signIn(browser, servertest.EarlyA, "analyst")
	late := s.signIn(browser, servertest.Late, "analyst")
	for _, b := range []*tab{early, late} {
		s.nothing(b, release, indicator)
	}

	// Two different people approve, each with the list of names open.
	a := s.signIn(browser, testkit.Owner, "approver-a")
	a.shows("Approve: " + storyTitle)
	a.click("Approve: " + storyTitle)
	a.hides("Save and check", "Withdraw the release", "Add artifact")
	if eval[bool](a, `document.querySelector(".approve button").checkVisibility()`) {
		t.Error("the button to approve is there before the names were opened")
	}
	a.click("Read who will receive what")
	a.shows("Organisation edr-a", "Everyone, without sign-in.")
	a.set("names", "read")
	a.click("Approve revision")
	a.shows("Your approval was recorded.", "1 approval missing", "Another person must as well")
	b := s.signIn(browser, testkit.Owner, "approver-b")
	b.navigate(s.url + release)
	b.set("names", "read")
	b.click("Approve revision")
	b.shows("The release is on the clock.", "on the clock")
	s.nothing(early, release, indicator)

	// The clock moves: the early wave opens, and only to the early cohort.
	s.Clock.Set(t0.AddDate(0, 0, -4))
	early, late = s.signIn(browser, servertest.EarlyA, "analyst"), s.signIn(browser, servertest.Late, "analyst")
	early.shows(storyTitle, "new", "embargoed")
	early.click(storyTitle)
	early.shows("Embargoed until", t0.Format("2006-01-02 15:04")+" UTC", "Conditions", "Send it over encrypted connections only.", "You may not", "have a protection live before T0", "TLP:AMBER+STRICT", "The fix is public on Tuesday.")
	early.shot("story-read")
	s.nothing(late, release, indicator)
	early.click("guidance.json")
	s.downloads(early, bundle)
	early.navigate(s.url + "/programs/" + string(testkit.Program) + "/objects/" + indicator)
	early.shows(marker, "Provenance", "Handling")
	early.navigate(s.url + "/programs/" + string(testkit.Program) + "/objects/relationship--44298a74-ba52-4f0c-87a3-1824e67d7fad")
	early.shows("source_ref", indicator, "target_ref")

	// Feedback: what is live before T0 is refused, what is ready is taken.
	early.navigate(s.url + release)
	early.set("product", "Example EDR")
	early.set("ptype", "edr-rule")
	early.set("live", s.Clock.Now().Format("2006-01-02 15:04"))
	early.click("Register the protection")
	early.shows("The agreement forbids protections that are live before the public release")
	early.set("product", "Example EDR")
	early.set("ptype", "edr-rule")
	early.set("live", "")
	early.click("Register the protection")
	early.shows("Your feedback was recorded.", "We protect", "Example EDR edr-rule")

	// T0: it is public, and live.
	s.Clock.Set(t0.Add(time.Minute))
	op = s.signIn(browser, testkit.Owner, "operator")
	early, late = s.signIn(browser, servertest.EarlyA, "analyst"), s.signIn(browser, servertest.Late, "analyst")
	early.navigate(s.url + release)
	early.shows("Public release")
	early.set("product", "Example EDR")
	early.set("ptype", "edr-rule")
	early.set("ready", t0.AddDate(0, 0, -4).Format("2006-01-02 15:04"))
	early.set("live", t0.Format("2006-01-02 15:04"))
	early.click("Register the protection")
	early.shows("Your feedback was recorded.")
	late.navigate(s.url + release)
	late.shows("Update the print spooler", "summary")
	late.hides("guidance.json", marker, "poc.py")
	s.public(browser, release)

	// The outcome shows it.
	op.navigate(s.url)
	op.shows("Coverage at release", "of 4", "Coverage by cohort", storyTitle)
	op.shot("story-outcome")
	op.navigate(s.url + release)
	op.shows("public", "Members, state by state", "Organisation edr-a", "feedback refused", "wave opened")
	op.accessible(axe(t), "a release that is public")
	for _, tab := range []*tab{op, early, late, a, b} {
		tab.unrefused("the story")
	}
}

// nothing asserts that the release does not exist for the visitor, on any page.
func (s *site) nothing(b *tab, release, indicator string) {
	s.T.Helper()
	program := "/programs/" + string(testkit.Program)
	for _, path := range []string{"/", "/releases", "/notices", program, program + "/releases", program + "/objects", program + "/outcome", program + "/objects?q=spooler"} {
		b.navigate(s.url + path)
		hidden := []string{marker, "spooler,", indicator, "poc.py", strings.TrimPrefix(release, "/releases/")}
		if strings.Contains(path, "q=") {
			hidden = append(hidden[:1], hidden[2:]...)
		}
		b.hides(hidden...)
	}
	unknown := "/releases/rel_aaaaaaaaaaaaaaaa"
	withheld, missing := s.fetch(b, release), s.fetch(b, unknown)
	if withheld != missing {
		s.T.Errorf("a withheld release differs from an unknown one:\n%s\n%s", withheld, missing)
	}
	if got, want := s.fetch(b, program+"/objects/"+indicator), s.fetch(b, program+"/objects/indicator--00000000-0000-4000-8000-000000000000"); got != want {
		s.T.Errorf("a withheld object differs from an unknown one:\n%s\n%s", got, want)
	}
}

// fetch is the answer in the visitor's session, without what differs by request.
func (s *site) fetch(b *tab, path string) string {
	s.T.Helper()
	return eval[string](b, fmt.Sprintf(`fetch(%q).then(async r => {
		const h = [...r.headers].filter(([k]) => !["date", "x-request-id", "content-security-policy"].includes(k));
		const text = (await r.text()).replace(/nonce="[^"]*"/, "").replace(/req_[a-z2-7]+/g, "");
		return r.status + "\n" + JSON.stringify(h) + "\n" + text })`, path))
}

// downloads fetches the artifact that the page is about and compares the bytes.
func (s *site) downloads(b *tab, file string) {
	s.T.Helper()
	got := eval[[]string](b, `fetch(document.querySelector("a.button.primary").href).then(async r => [
		await r.text(), r.headers.get("content-disposition"), r.headers.get("x-content-type-options"), r.headers.get("content-security-policy"), r.headers.get("cache-control")])`)
	want, err := os.ReadFile(file)
	if err != nil {
		s.T.Fatal(err)
	}
	if got[0] != string(want) {
		s.T.Errorf("the bytes differ: %.200s", got[0])
	}
	if !strings.HasPrefix(got[1], "attachment; filename=") || got[2] != "nosniff" || !strings.Contains(got[3], "sandbox") || got[4] != "no-store" {
		s.T.Errorf("headers of a download: %q", got[1:])
	}
}

// public asserts what everyone sees without sign-in, and what not.
func (s *site) public(browser context.Context, release string) {
	s.T.Helper()
	b := open(s.T, browser)
	b.navigate(s.url + "/public")
	b.click(storyTitle)
	b.shows("Update the print spooler", "TLP:CLEAR")
	b.hides("poc.py", "guidance.json", marker, "The fix is")
	for _, path := range []string{release, "/", "/programs"} {
		b.navigate(s.url + path)
		b.hides(storyTitle)
		if got := eval[string](b, "location.pathname"); got != "/sign-in" {
			s.T.Errorf("without sign-in %s leads to %s", path, got)
		}
	}
}

// TestWithoutScripts is a reader's journey with scripts switched off.
func TestWithoutScripts(t *testing.T) {
	browser := chrome(t)
	s := newSite(t)
	r := s.Draft(storyTitle, testkit.Start.AddDate(0, 0, 14))
	s.Package(r.ID, 20)
	s.Arm(r.ID)
	s.Clock.Set(testkit.Start.AddDate(0, 0, 10))
	if err := s.X.Releases.OpenDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := open(t, browser)
	b.scripts(false)
	b.navigate(s.link(servertest.EarlyA, "analyst"))
	b.follow(storyTitle)
	b.press("Acknowledge")
	if !strings.Contains(b.source(), "Your feedback was recorded.") {
		t.Error("the acknowledgement did not arrive")
	}
	l, err := s.X.Feedback.List(t.Context(), s.Operator, r.ID)
	if err != nil || len(l.Entries) != 1 || l.Entries[0].Kind != exchange.FeedbackAcknowledged {
		t.Errorf("%+v %v", l, err)
	}
	b.follow("Sign out")
}

// follow clicks a link or button by its text without evaluating anything.
func (b *tab) follow(text string) {
	b.t.Helper()
	sel := fmt.Sprintf(`//*[self::a or self::button][starts-with(normalize-space(.), %q)]`, text)
	b.load("clicking "+text, chromedp.Click(sel))
}

func (b *tab) press(text string) { b.t.Helper(); b.follow(text) }

func (b *tab) source() string {
	b.t.Helper()
	html, err := chromedp.Run(b.ctx, chromedp.OuterHTML(chromedp.CSS("html")))
	if err != nil {
		b.t.Fatal(err)
	}
	return html
}

// TestKeys answers with one key and Enter.
func TestKeys(t *testing.T) {
	browser := chrome(t)
	s := newSite(t)
	r := s.Draft(storyTitle, testkit.Start.AddDate(0, 0, 14))
	s.Package(r.ID, 5)
	s.Arm(r.ID)
	s.Clock.Set(testkit.Start.AddDate(0, 0, 10))
	b := s.signIn(browser, servertest.EarlyA, "analyst")
	b.navigate(s.url + "/releases/" + string(r.ID))
	b.do(chromedp.KeyEvent("s"))
	if !eval[bool](b, `document.activeElement.matches("[data-key=s] button")`) {
		t.Fatal("s does not lead to the sighting's button")
	}
	b.load("Enter", chromedp.KeyEvent("\r"))
	b.shows("Your feedback was recorded.", "Seen: 1 time")
	b.load("g l", chromedp.KeyEvent("g"), chromedp.KeyEvent("l"))
	b.do(chromedp.WaitVisible(chromedp.CSS("[data-search]")), chromedp.KeyEvent("/"))
	if !eval[bool](b, `document.activeElement.matches("[data-search]")`) {
		t.Error("/ does not lead to the search")
	}
	b.unrefused("keys")
}

// TestForeignForms refuses what another site sends in a reader's name, and HEAD on
// a sign-in link does not use it up.
func TestForeignForms(t *testing.T) {
	s := newSite(t)
	link := s.link(servertest.EarlyA, "analyst")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, url, cookie, site string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if cookie != "" {
			req.Header.Set("Cookie", cookie)
		}
		if site != "" {
			req.Header.Set("Sec-Fetch-Site", site)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return res
	}
	if res := ask("HEAD", link, "", ""); len(res.Cookies()) > 0 || res.StatusCode != http.StatusOK {
		t.Fatalf("HEAD signed in: %v %v", res.Status, res.Cookies())
	}
	res := ask("GET", link, "", "")
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 {
		t.Fatalf("GET did not sign in: %v", res.Status)
	}
	c := res.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie is %v", c)
	}
	if res := ask("GET", link, "", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a link works twice: %v", res.Status)
	}
	cookie := c.Name + "=" + c.Value
	if res := ask("POST", s.url+"/sign-out", cookie, "cross-site"); res.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: %v", res.Status)
	}
	if res := ask("GET", s.url+"/", cookie, ""); res.StatusCode != http.StatusOK {
		t.Errorf("the session is gone: %v", res.Status)
	}
	if res := ask("POST", s.url+"/sign-out", cookie, "same-origin"); res.StatusCode != http.StatusSeeOther {
		t.Errorf("signing out: %v", res.Status)
	}
	if res := ask("GET", s.url+"/", cookie, ""); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/sign-in" {
		t.Errorf("the session outlives signing out: %v", res.Status)
	}
}
