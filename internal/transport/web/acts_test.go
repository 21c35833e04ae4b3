package web_test

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// client is a browser without a screen: cookies, forms, redirects.
type client struct {
	t    *testing.T
	url  string
	http *http.Client
}

func (s *site) client(t *testing.T, org exchange.OrgID, name string) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t, s.url, &http.Client{Jar: jar}}
	if status, _ := c.read(c.http.Get(s.link(org, name))); status != http.StatusOK {
		t.Fatalf("%s@%s cannot sign in: %d", name, org, status)
	}
	return c
}

func (c *client) read(r *http.Response, err error) (int, string) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func (c *client) get(path string) (int, string) {
	c.t.Helper()
	return c.read(c.http.Get(c.url + path))
}

// post sends a form and follows to the page after it.
func (c *client) post(path string, fields ...string) (int, string) {
	c.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return c.read(c.http.Do(req))
}

// does fails unless the form is taken and the page after it holds the text.
func (c *client) does(path, text string, fields ...string) string {
	c.t.Helper()
	status, body := c.post(path, fields...)
	if status != http.StatusOK || !strings.Contains(body, text) {
		c.t.Errorf("POST %s %v: %d, not %q:\n%s", path, fields, status, text, words(body))
	}
	return body
}

var markup = regexp.MustCompile(`(?s)<head>.*?</head>|<[^>]*>|\s+`)

func words(html string) string {
	s := markup.ReplaceAllString(html, " ")
	return s[:min(len(s), 700)]
}

// TestChangesOfPlan does every change of plan by its form.
func TestChangesOfPlan(t *testing.T) {
	s := newSite(t)
	r := s.Draft(storyTitle, testkit.Start.AddDate(0, 0, 21))
	s.Package(r.ID, 5)
	s.Arm(r.ID)
	op := s.client(t, testkit.Owner, "operator")
	path := "/releases/" + string(r.ID)
	status, body := op.post(path+"/move", "t0", "2027-06-24 12:00", "reason", "")
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, "The plan was not changed") {
		t.Errorf("a move without a reason: %d", status)
	}
	if status, _ := op.post(path+"/move", "t0", "2027-06-24 12:00", "reason", "x", "version", "1"); status != http.StatusPreconditionFailed {
		t.Errorf("a move of an old version: %d", status)
	}
	op.does(path+"/move", "T0 was moved", "t0", "2027-06-24 12:00", "reason", "the fix is late")
	op.does(path+"/wave", "is held", "act", "hold", "wave", "standard|0", "reason", "r")
	op.does(path+"/wave", "back on the clock", "act", "resume", "wave", "standard|0", "reason", "r")
	op.does(path+"/wave", "never open", "act", "kill", "wave", "standard|0", "reason", "r")
	op.does(path+"/wave", "was opened", "act", "push", "wave", "validate|0", "reason", "r")
	if status, _ := op.post(path+"/wave", "act", "push", "wave", "public|0", "reason", "r"); status != http.StatusConflict {
		t.Errorf("pushing the public wave: %d", status)
	}
	for _, bad := range []string{"", "|", "x", "early|soon"} {
		if status, _ := op.post(path+"/wave", "act", "hold", "wave", bad, "reason", "r"); status != http.StatusUnprocessableEntity {
			t.Errorf("the wave %q: %d", bad, status)
		}
	}
	_, page := op.get(path)
	if !strings.Contains(page, "1 organisation already hold") || !strings.Contains(page, "Organisation val-one") {
		t.Errorf("the page does not say who already holds it:\n%s", words(page))
	}
	op.does(path+"/contain", "nothing further opens", "reason", "a leak")
	s.Clock.Set(testkit.Start.AddDate(0, 0, 22))
	// The early wave was due long ago: it must not have opened.
	if status, _ := s.client(t, servertest.EarlyA, "analyst").get(path); status != http.StatusNotFound {
		t.Errorf("a contained release opened to the early cohort: %d", status)
	}
	op = s.client(t, testkit.Owner, "operator")
	body = op.does(path+"/rearm", "The new case was made.", "t0", "2027-07-20 12:00", "title", "Second try", "reason", "incomplete", "drop", "standard")
	if !strings.Contains(body, "Second try") || !strings.Contains(body, path) {
		t.Errorf("the new case is not linked to the old one")
	}
	op.does(path+"/withdraw", "was withdrawn", "reason", "wrong")
	if status, body := s.client(t, servertest.Validator, "analyst").get(path); status != http.StatusNotFound || strings.Contains(body, storyTitle) {
		t.Errorf("a withdrawn release is read: %d", status)
	}
}

// TestWhoMayNot sends every form as somebody who may not: members learn nothing,
// approvers and auditors that it is not theirs.
func TestWhoMayNot(t *testing.T) {
	s := newSite(t)
	r := s.Draft(storyTitle, testkit.Start.AddDate(0, 0, 21))
	s.Package(r.ID, 5)
	s.Arm(r.ID)
	path, unknown := "/releases/"+string(r.ID), "/releases/rel_aaaaaaaaaaaaaaaa"
	member, auditor := s.client(t, servertest.EarlyA, "analyst"), s.client(t, testkit.Owner, "auditor")
	strip := regexp.MustCompile(`req_[a-z2-7]+|nonce="[^"]*"`)
	for _, act := range []string{"save", "remove", "send", "approve", "move", "wave", "withdraw", "contain", "rearm", "close", "feedback", "artifacts"} {
		fields := []string{"reason", "r", "t0", "2027-06-24 12:00", "act", "hold", "wave", "early|0", "title", "x", "names", "read", "kind", "acknowledged", "artifact", "art_aaaaaaaaaaaaaaaa"}
		status, body := member.post(path+"/"+act, fields...)
		_, missing := member.post(unknown+"/"+act, fields...)
		if status != http.StatusNotFound || strip.ReplaceAllString(body, "") != strip.ReplaceAllString(missing, "") {
			t.Errorf("%s by a member that holds nothing: %d\n%s\n%s", act, status, words(body), words(missing))
		}
		if act == "artifacts" {
			continue // no file: refused before anything else
		}
		if status, _ := auditor.post(path+"/"+act, fields...); status != http.StatusForbidden && status != http.StatusNotFound {
			t.Errorf("%s by an auditor: %d", act, status)
		}
	}
	for _, page := range []string{"/organisations", "/organisations/" + string(servertest.EarlyB), "/organisations/" + string(servertest.EarlyB) + "/suspend", "/programs/" + string(testkit.Program) + "/export", path + "/as?org=edr-a"} {
		if status, body := member.get(page); status != http.StatusNotFound && status != http.StatusForbidden || strings.Contains(body, "Organisation edr-b") {
			t.Errorf("GET %s by a member: %d", page, status)
		}
	}
}

// TestOrganisations brings a member in by forms, from the entry to the token, and
// out again.
func TestOrganisations(t *testing.T) {
	s := newSite(t)
	admin, op := s.client(t, testkit.Owner, "admin"), s.client(t, testkit.Owner, "operator")
	if status, body := op.post("/organisations", "id", "Not A Slug", "name", "N", "kind", "cert"); status != http.StatusUnprocessableEntity || !strings.Contains(body, `value="Not A Slug"`) {
		t.Errorf("a wrong id: %d; what was typed must stay", status)
	}
	op.does("/organisations", "The organisation was added.", "id", "nordwall", "name", "Nordwall", "kind", "security-vendor", "jurisdictions", "se, de", "products", "edr", "customers", "2000")
	op.does("/organisations/nordwall/join", "The member was added.", "program", string(testkit.Program))
	op.does("/organisations/nordwall/people", "The person was added.", "login", "berg@nordwall", "name", "Berg", "zone", "Europe/Stockholm", "role", "analyst", "role", "signatory")
	_, body := op.get("/organisations/nordwall")
	m := regexp.MustCompile(`name="person" value="(per_[a-z2-7]+)"`).FindStringSubmatch(body)
	if m == nil || !strings.Contains(body, "SE") || !strings.Contains(body, "early") {
		t.Fatalf("the organisation's page:\n%s", words(body))
	}
	_, body = op.post("/organisations/nordwall/links", "person", m[1])
	link := regexp.MustCompile(regexp.QuoteMeta(s.url) + `/sign-in\?code=[a-z2-7]{52}`).FindString(body)
	if link == "" {
		t.Fatalf("no link:\n%s", words(body))
	}
	_, body = op.post("/organisations/nordwall/tokens", "person", m[1], "name", "siem", "verb", "read", "days", "30")
	secret := regexp.MustCompile(`fw_[a-z2-7]{12}_[a-z2-7]{52}`).FindString(body)
	if secret == "" || !strings.Contains(body, "only now") {
		t.Fatalf("no token:\n%s", words(body))
	}
	if _, body := op.get("/organisations/nordwall"); strings.Contains(body, secret) || !strings.Contains(body, secret[:15]) {
		t.Error("the page of the organisation shows the secret, or not the token's name")
	}
	jar, _ := cookiejar.New(nil)
	berg := &client{t, s.url, &http.Client{Jar: jar}}
	if status, body := berg.read(berg.http.Get(link)); status != http.StatusOK || !strings.Contains(body, "Agreements to accept") {
		t.Errorf("the new member's first page: %d\n%s", status, words(body))
	}
	program := "/programs/" + string(testkit.Program)
	if status, _ := berg.post(program+"/accept", "version", "1"); status != http.StatusUnprocessableEntity {
		t.Errorf("accepting without having read: %d", status)
	}
	berg.does(program+"/accept", "The agreement was accepted.", "version", "1", "agree", "yes")
	if _, body := op.get("/organisations/nordwall/suspend"); !strings.Contains(body, "1 token of its machines") {
		t.Errorf("what stops:\n%s", words(body))
	}
	op.does("/organisations/nordwall/revoke", "The token was revoked.", "token", secret[:15])
	admin.does("/organisations/nordwall/suspend", "Every channel is cut.", "reason", "a leak")
	if _, body := berg.get("/"); !strings.Contains(body, "Sign in") || strings.Contains(body, "Agreements") {
		t.Error("the session of a suspended organisation lives on")
	}
	admin.does("/organisations/nordwall/resume", "Resumed.")
}

// TestUploadStreams sends a file that is larger than any form, and files that are
// refused.
func TestUploadStreams(t *testing.T) {
	s := newSite(t)
	r := s.Draft(storyTitle, testkit.Start.AddDate(0, 0, 21))
	op := s.client(t, testkit.Owner, "operator")
	send := func(name string, file io.Reader, fields map[string]string) (int, string) {
		t.Helper()
		pr, pw := io.Pipe()
		form := multipart.NewWriter(pw)
		go func() {
			for k, v := range fields {
				_ = form.WriteField(k, v)
			}
			part, err := form.CreateFormFile("file", name)
			if err == nil {
				_, err = io.Copy(part, file)
			}
			pw.CloseWithError(errors.Join(err, form.Close()))
		}()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/releases/"+string(r.ID)+"/artifacts", pr)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", form.FormDataContentType())
		return op.read(op.http.Do(req))
	}
	big := io.LimitReader(zeros{}, 40<<20)
	if status, body := send("samples.bin", big, map[string]string{"class": "poc", "title": "Samples"}); status != http.StatusOK || !strings.Contains(body, "40.0 MiB") {
		t.Errorf("a large file: %d\n%s", status, words(body))
	}
	bad := bytes.NewBufferString(`{"type":"bundle","id":"bundle--5d0092c5-5f74-4287-9642-33f4c354e56d","objects":[{"type":"indicator"}]}`)
	if status, body := send("b.json", bad, map[string]string{"class": "detection-guidance", "kind": "stix"}); status != http.StatusUnprocessableEntity || !strings.Contains(body, "$.objects[0]") {
		t.Errorf("a bundle with problems: %d\n%s", status, words(body))
	}
	if status, body := send("x.txt", strings.NewReader("x"), map[string]string{"class": "poc", "tlp": "TLP:PINK"}); status != http.StatusUnprocessableEntity || !strings.Contains(body, "Nothing was stored") {
		t.Errorf("an unknown label: %d\n%s", status, words(body))
	}
	v, err := s.X.Releases.Read(t.Context(), s.Operator, r.ID)
	if err != nil || len(v.Artifacts) != 1 {
		t.Errorf("%d artifacts, %v; want the large one alone", len(v.Artifacts), err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestHeaders holds what every page carries.
func TestHeaders(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/sign-in", "/public", "/nowhere", "/help/keys"} {
		res, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		h := res.Header
		nonce := regexp.MustCompile(`script-src 'nonce-([\w-]{22})';`).FindStringSubmatch(h.Get("Content-Security-Policy"))
		if nonce == nil || !strings.Contains(string(b), `nonce="`+nonce[1]+`"`) {
			t.Errorf("%s: the nonce of the policy is not that of the script: %q", path, h.Get("Content-Security-Policy"))
		}
		for _, part := range []string{"default-src 'none'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(h.Get("Content-Security-Policy"), part) {
				t.Errorf("%s: the policy lacks %s", path, part)
			}
		}
		for name, want := range map[string]string{"Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		if want := map[bool]string{true: "public, max-age=60", false: "no-store"}[path == "/public"]; h.Get("Cache-Control") != want {
			t.Errorf("%s: Cache-Control %q", path, h.Get("Cache-Control"))
		}
		if res.StatusCode == http.StatusOK && path != "/nowhere" {
			css := regexp.MustCompile(`/static/[0-9a-f]{12}/app.css`).FindString(string(b))
			static, err := http.Get(s.url + css)
			if err != nil || static.StatusCode != http.StatusOK || !strings.Contains(static.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: the style sheet %q: %v", path, css, err)
			}
			_ = static.Body.Close()
		}
	}
	if res, err := http.Get(s.url + "/static/000000000000/app.css"); err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("a wrong hash: %v", err)
	}
}
