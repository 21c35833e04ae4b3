package web_test

import (
	"archive/tar"
	"bytes"
	"crypto/ed25519"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

// nobody is a browser in which nobody signed in.
func (s *site) nobody(t *testing.T) *client { return &client{t, s.url, &http.Client{}} }

// drop hands a receipt in.
func (c *client) drop(b []byte) (int, string) {
	c.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("receipt", "receipt.forewarn")
	if err != nil {
		c.t.Fatal(err)
	}
	_, _ = file.Write(b)
	_ = form.Close()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+"/ledger/check", &body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return c.read(c.http.Do(req))
}

// opened is a site where a member of the early cohort opened a release, and the
// number of the entry that says so.
func opened(t *testing.T) (s *site, r exchange.Release, early *client, entry int64) {
	t.Helper()
	s = newSite(t)
	r = s.Draft(storyTitle, testkit.Start.AddDate(0, 0, 21))
	s.Package(r.ID, 70)
	s.Arm(r.ID)
	s.Clock.Set(testkit.Start.AddDate(0, 0, 20))
	early = s.client(t, servertest.EarlyA, "analyst")
	_, body := early.get("/releases/" + string(r.ID))
	return s, r, early, entryIn(t, body)
}

var entryLink = regexp.MustCompile(`That you were given this page stands in the ledger: <a href="/ledger/(\d+)">entry (\d+)</a>`)

// entryIn is the entry that a page says it was recorded in.
func entryIn(t *testing.T, body string) int64 {
	t.Helper()
	m := entryLink.FindStringSubmatch(body)
	if m == nil || m[1] != m[2] {
		t.Fatalf("the page leads to no entry:\n%s", words2(body))
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (c *client) holds(path string, parts ...string) string {
	c.t.Helper()
	status, body := c.get(path)
	if status != http.StatusOK {
		c.t.Fatalf("GET %s: %d\n%s", path, status, words(body))
	}
	for _, part := range parts {
		if !strings.Contains(words2(body), part) {
			c.t.Errorf("GET %s does not show %q:\n%s", path, part, words2(body))
		}
	}
	return body
}

// lacks fails if the text holds any of the parts.
func lacks(t *testing.T, what, body string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(body, part) {
			t.Errorf("%s shows %q", what, part)
		}
	}
}

// What everybody sees of the ledger: its head and how to verify it, and no entry.
func TestPublicLedger(t *testing.T) {
	s, r, _, _ := opened(t)
	c := s.nobody(t)
	log := s.Ledger.Current()
	size := log.Size()
	root, err := log.Root(size)
	if err != nil {
		t.Fatal(err)
	}
	body := c.holds("/ledger", strconv.FormatInt(size, 10)+" entries", "Verify it yourself", "works without an account", "one sealed commitment", "Check a receipt")
	if want := "forewarn verify log " + s.url + "/log --key "; !strings.Contains(body, want) {
		t.Errorf("the command is not %q", want)
	}
	if !strings.Contains(body, strings.ReplaceAll(root.String(), "+", "&#43;")) {
		t.Error("the root is not shown")
	}
	lacks(t, "the public ledger", body, string(servertest.EarlyA), string(servertest.Late), string(testkit.Program), string(r.ID), storyTitle,
		"opened a release", "approved", "/ledger/evidence", `name="kind"`, "Sign out")
	for _, path := range []string{"/ledger/1", "/ledger/1/proof", "/ledger/1/object?id=x", "/ledger/evidence"} {
		if _, body := c.get(path); !strings.Contains(body, "One signs in by a personal link") {
			t.Errorf("%s without a sign-in:\n%s", path, words(body))
		}
	}
}

// A member finds what it did, opens the entry, and has the receipt checked by
// anybody.
func TestEntryAndReceipt(t *testing.T) {
	s, r, early, n := opened(t)
	at := fmt.Sprintf("/ledger/%d", n)
	body := early.holds("/ledger", "opened a release")
	if !strings.Contains(body, `href="`+at+`"`) || !strings.Contains(body, `href="`+at+`/proof"`) {
		t.Errorf("the list does not lead to %s", at)
	}
	lacks(t, "a member's ledger", body, string(servertest.EarlyB), string(servertest.Late), "/ledger/evidence")
	lacks(t, "a member's list", rows(body), "handed in an artifact", "approved a release")
	early.holds(at, "in the log", "opened a release", string(r.ID), "This is all of the entry", "analyst@"+string(servertest.EarlyA))
	status, receipt := early.get(at + "/proof")
	if status != http.StatusOK || !strings.HasPrefix(receipt, "forewarn receipt v1\n") {
		t.Fatalf("the receipt: %d\n%.200s", status, receipt)
	}

	// Anybody checks it; ids are not resolved for who may not know the names.
	anyone := s.nobody(t)
	before := s.Ledger.Current().Size()
	status, body = anyone.drop([]byte(receipt))
	if status != http.StatusOK || !strings.Contains(words2(body), "The receipt is valid") || !strings.Contains(words2(body), "opened a release") {
		t.Errorf("the receipt, checked: %d\n%s", status, words2(body))
	}
	o, err := s.X.Members.Organisation(t.Context(), exchange.System(), servertest.EarlyA)
	if err != nil {
		t.Fatal(err)
	}
	lacks(t, "the check by nobody", body, o.Name+" (", storyTitle)
	if after := s.Ledger.Current().Size(); after != before {
		t.Errorf("checking a receipt added %d entries", after-before)
	}
	whole, err := verify.ParseReceipt([]byte(receipt))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func(r *verify.Receipt)) []byte {
		r := whole
		change(&r)
		b, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for what, sent := range map[string][]byte{
		"another event": changed(func(w *verify.Receipt) {
			w.Opening.Event = bytes.Replace(w.Opening.Event, []byte(r.ID), []byte("rel_aaaaaaaaaaaaaaaa"), 1)
		}),
		"another place":      changed(func(w *verify.Receipt) { w.Index-- }),
		"another hash":       changed(func(w *verify.Receipt) { w.Proof = slices.Clone(w.Proof); w.Proof[0][0] ^= 1 }),
		"another checkpoint": changed(func(w *verify.Receipt) { w.Checkpoint = flip(w.Checkpoint, bytes.IndexByte(w.Checkpoint, '\n')+1) }),
		"another signature":  changed(func(w *verify.Receipt) { w.Checkpoint = flip(w.Checkpoint, len(w.Checkpoint)-20) }),
		"another log": changed(func(w *verify.Receipt) {
			w.Checkpoint = append([]byte("<b>example.org/log"), w.Checkpoint[bytes.IndexByte(w.Checkpoint, '\n'):]...)
		}),
		"cut off":              []byte(receipt)[:200],
		"nothing of a receipt": []byte("<script>alert(1)</script>"),
	} {
		status, body := anyone.drop(sent)
		text := words2(body)
		if status != http.StatusUnprocessableEntity || strings.Contains(text, "The receipt is valid") || strings.Contains(body, "<script>alert") || strings.Contains(body, "<b>example") ||
			!(strings.Contains(text, "does not hold") || strings.Contains(text, "names another log")) {
			t.Errorf("%s: %d\n%s", what, status, text)
		}
		lacks(t, what, body, "What it proves")
	}
	if status, body := anyone.drop(nil); status != http.StatusUnprocessableEntity || !strings.Contains(body, "Choose the file of a receipt") {
		t.Errorf("no file: %d", status)
	}
	if status, body := anyone.drop(make([]byte, 2<<20)); status != http.StatusUnprocessableEntity || !strings.Contains(body, "larger than 1 MiB") {
		t.Errorf("a large file: %d\n%s", status, words(body))
	}
}

// rows are the entries of a list.
func rows(body string) string {
	_, body, _ = strings.Cut(body, "<tbody>")
	return body
}

func flip(b []byte, i int) []byte {
	out := bytes.Clone(b)
	out[i] ^= 1
	return out
}

// To whom an entry is foreign it does not exist: the answer is that for a number
// that was never given.
func TestForeignEntries(t *testing.T) {
	s, _, early, n := opened(t)
	late, operator := s.client(t, servertest.Late, "analyst"), s.client(t, testkit.Owner, "operator")
	operator.holds(fmt.Sprintf("/ledger/%d", n), "opened a release")
	var approved int64
	es, err := s.Events(exchange.EventReleaseApproved)
	if err != nil || len(es) == 0 {
		t.Fatal(es, err)
	}
	approved = es[0].Seq
	operator.holds(fmt.Sprintf("/ledger/%d", approved), "approved a release (1 of")
	for who, c := range map[string]*client{"late": late, "early": early} {
		foreign := n
		if who == "early" {
			foreign = approved
		}
		for _, end := range []string{"", "/proof", "/object?id=indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"} {
			status, body := c.get(fmt.Sprintf("/ledger/%d%s", foreign, end))
			other, unknown := c.get(fmt.Sprintf("/ledger/%d%s", foreign+100_000, end))
			if status != http.StatusNotFound || other != status || plainPage(body) != plainPage(unknown) {
				t.Errorf("%s, entry %d%s: %d and %d, or another page", who, foreign, end, status, other)
			}
		}
	}
	for _, odd := range []string{"0", "-1", "01", "x", "9223372036854775808", "1e3"} {
		if status, _ := operator.get("/ledger/" + odd); status != http.StatusNotFound {
			t.Errorf("entry %s: %d", odd, status)
		}
	}
	body := late.holds("/ledger?program="+string(testkit.Program)+"&org="+string(servertest.EarlyA), "No entry that you may see")
	lacks(t, "the ledger of another member", body, "<tbody>", `href="/ledger/`+strconv.FormatInt(n, 10)+`"`)
	for who, c := range map[string]*client{"late": late, "early": early} {
		if status, _ := c.get("/ledger/evidence"); status != http.StatusNotFound {
			t.Errorf("the form for evidence, %s: %d", who, status)
		}
		if status, body := c.post("/ledger/evidence", "program", string(testkit.Program)); status == http.StatusOK {
			t.Errorf("evidence for %s:\n%.200s", who, body)
		}
	}
}

// forged is a receipt that the log's own key signed, in another history.
func forged(t *testing.T, s *site, r verify.Receipt, size int64) []byte {
	t.Helper()
	entry, err := r.Opening.Entry()
	if err != nil {
		t.Fatal(err)
	}
	hashes := []tlog.Hash{}
	reader := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, i := range at {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	for i := range size {
		more, err := tlog.StoredHashes(i, entry, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(size, reader)
	if err != nil {
		t.Fatal(err)
	}
	if r.Index, r.Proof = 0, nil; size > 1 {
		if r.Proof, err = tlog.ProveRecord(size, 0, reader); err != nil {
			t.Fatal(err)
		}
	}
	r.Checkpoint = signed(t, s, size, root)
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signed is a checkpoint that the log's own key signed, and further signers.
func signed(t *testing.T, s *site, size int64, root tlog.Hash, more ...note.Signer) []byte {
	t.Helper()
	var keys []sequencer.Key
	err := s.DB.Beneath().View(t.Context(), func(tx sequencer.Tx) (err error) {
		keys, err = tx.LogKeys(1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(keys[0].Private)
	if err != nil {
		t.Fatal(err)
	}
	text := verify.Checkpoint{Origin: s.Ledger.Current().Origin(), Size: size, Root: root}.Text()
	b, err := note.Sign(&note.Note{Text: text}, append([]note.Signer{signer}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A receipt that the log's key signed under another history is said to be one.
func TestReceiptOfAnotherHistory(t *testing.T) {
	s, _, _, n := opened(t)
	r, err := s.X.Record.Receipt(t.Context(), s.Reader(servertest.EarlyA), n)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{1, 7, s.Ledger.Current().Size() + 10} {
		status, body := s.nobody(t).drop(forged(t, s, r, size))
		text := words2(body)
		for _, part := range []string{"under a history that this server does not show", "Keep the file", "witnesses"} {
			if status != http.StatusUnprocessableEntity || !strings.Contains(text, part) {
				t.Fatalf("%d entries: %d, without %q\n%s", size, status, part, text)
			}
		}
		lacks(t, "another history", body, "What it proves", "is valid")
	}
}

// Every page of a long list is reached, and the way back leads over the same pages.
func TestLedgerPages(t *testing.T) {
	s, _, _, _ := opened(t)
	for i := range 230 {
		if _, err := s.X.Members.HideMember(t.Context(), s.Operator, testkit.Program, servertest.Late, i%2 == 0); err != nil {
			t.Fatal(err)
		}
	}
	op := s.client(t, testkit.Owner, "operator")
	entries := regexp.MustCompile(`<th scope="row"><a href="/ledger/(\d+)">`)
	step := regexp.MustCompile(`href="([^"]+)" rel="(prev|next)"`)
	read := func(path string) (seqs []int64, to map[string]string) {
		body := op.holds(strings.ReplaceAll(path, "&amp;", "&"))
		for _, m := range entries.FindAllStringSubmatch(body, -1) {
			n, _ := strconv.ParseInt(m[1], 10, 64)
			seqs = append(seqs, n)
		}
		to = map[string]string{}
		for _, m := range step.FindAllStringSubmatch(body, -1) {
			to[m[2]] = m[1]
		}
		return seqs, to
	}
	var pages []string
	seen, path, last := 0, "/ledger?kind=&program="+string(testkit.Program), int64(1<<62)
	for path != "" {
		seqs, to := read(path)
		for _, n := range seqs {
			if n >= last {
				t.Fatalf("entry %d after %d", n, last)
			}
			last, seen = n, seen+1
		}
		pages = append(pages, fmt.Sprint(seqs[0]))
		if path = to["next"]; path == "" {
			for i := len(pages) - 2; i >= 0; i-- {
				seqs, to = read(to["prev"])
				if fmt.Sprint(seqs[0]) != pages[i] {
					t.Errorf("the way back comes to %d, not %s", seqs[0], pages[i])
				}
			}
			if to["prev"] != "" {
				t.Errorf("the first page leads to newer entries: %s", to["prev"])
			}
		}
	}
	es, err := s.X.Record.Events(t.Context(), s.Operator, record.EventFilter{Program: testkit.Program, Limit: 1000})
	if err != nil || seen != len(es) || len(pages) < 3 {
		t.Errorf("%d entries on %d pages, want %d, %v", seen, len(pages), len(es), err)
	}

	// Filters.
	op.holds("/ledger?program="+string(testkit.Program)+"&kind=member.hide", "kept a membership from the other members")
	body := op.holds("/ledger?program=" + string(testkit.Program) + "&kind=disclosures")
	if !strings.Contains(words2(body), "opened a release") {
		t.Error("the disclosures lack the one that there is")
	}
	lacks(t, "the disclosures", rows(body), "membership", "approved")
	op.holds("/ledger?program="+string(testkit.Program)+"&from=2001-01-01&to=2001-01-02", "No entry that you may see")
	if status, body := op.get("/ledger?from=yesterday"); status != http.StatusUnprocessableEntity || !strings.Contains(body, `href="#from"`) {
		t.Errorf("a time that is none: %d\n%s", status, words(body))
	}
}

// Evidence is two clicks away for who oversees a program.
func TestEvidenceBundle(t *testing.T) {
	s, _, _, _ := opened(t)
	auditor := s.client(t, testkit.Owner, "auditor")
	body := auditor.holds("/ledger")
	form := regexp.MustCompile(`href="(/ledger/evidence[^"]*)"`).FindStringSubmatch(body)
	if form == nil {
		t.Fatal("the ledger does not lead to the evidence")
	}
	auditor.holds(strings.ReplaceAll(form[1], "&amp;", "&"), "Evidence bundle", "forewarn verify bundle")
	status, file := auditor.post("/ledger/evidence", "program", string(testkit.Program))
	if status != http.StatusOK {
		t.Fatalf("the bundle: %d\n%s", status, words(file))
	}
	names := 0
	for r := tar.NewReader(strings.NewReader(file)); ; names++ {
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if names < 2 {
		t.Errorf("%d files in the bundle", names)
	}
	if status, body := auditor.post("/ledger/evidence", "program", string(testkit.Program), "from", "x"); status != http.StatusUnprocessableEntity || !strings.Contains(body, "The bundle was not made") {
		t.Errorf("a time that is none: %d\n%s", status, words(body))
	}
}

// cosigned is the log's own checkpoint, signed by a witness as well.
func cosigned(t *testing.T, s *site, size int64, by note.Signer) []byte {
	t.Helper()
	b, err := s.Ledger.Current().CheckpointFor(size)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := bytes.Cut(b, []byte("\n\n"))
	line, err := note.Sign(&note.Note{Text: string(text) + "\n"}, by)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, line[len(text)+2:]...)
}

// What a witness holds against the log stands on every page of who runs programs,
// and on the page of the ledger for everybody, with the names for who may know them.
func TestDisagreementOnThePages(t *testing.T) {
	s, r, early, n := opened(t)
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	witness, key, err := verify.NewWitnessSigner("witness.example/nordwall", private, s.Clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	terms := "\n[ledger]\nquorum = 1\nstop = true\n[[ledger.witness]]\nname = \"nordwall-witness\"\nkey = \"" + key + "\"\n"
	if _, err := s.X.Programs.Apply(t.Context(), s.Operator, append(testkit.CharterTOML(), terms...), false); err != nil {
		t.Fatal(err)
	}
	log := s.Ledger.Current()
	size := log.Size()
	root, err := log.Root(size)
	if err != nil {
		t.Fatal(err)
	}
	anyone, outsider, op := s.nobody(t), s.client(t, servertest.Outsider, "analyst"), s.client(t, testkit.Owner, "operator")
	early.holds("/ledger", "nordwall-witness", "has signed nothing")
	body := anyone.holds("/ledger", "0 of 1 witnesses agree")
	lacks(t, "the public ledger", body, "nordwall-witness", "doubted")

	// It agrees, and then it was shown something else.
	if err := s.X.Witnesses.Receive(t.Context(), cosigned(t, s, size, witness)); err != nil {
		t.Fatal(err)
	}
	early.holds("/ledger", "1 of 1 witnesses agree", "agrees")
	_, receipt := early.get(fmt.Sprintf("/ledger/%d/proof", n))
	if _, body := anyone.drop([]byte(receipt)); !strings.Contains(words2(body), "1 of 1 witnesses signed the log at this size or later") {
		t.Errorf("the check does not say who has seen it since:\n%s", words2(body))
	}
	root[0] ^= 1
	if err := s.X.Witnesses.Receive(t.Context(), signed(t, s, size, root, witness)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/releases/" + string(r.ID), "/organisations", "/ledger"} {
		op.holds(path, "The ledger is doubted", "nordwall-witness", "nothing further is released", "Change nothing yet")
	}
	body = early.holds("/ledger", "The ledger is doubted", "nordwall-witness", "Keep the receipts that you have")
	lacks(t, "a member's ledger", body, "Settle it", "/ledger/settle", "Change nothing yet")
	lacks(t, "a member's other pages", early.holds("/"), "doubted")
	for who, c := range map[string]*client{"nobody": anyone, "an outsider": outsider} {
		body := c.holds("/ledger", "was shown another history", "1 of 1 witnesses disagree", "Keep the receipts")
		lacks(t, "the ledger for "+who, body, "nordwall-witness", string(testkit.Program), "Settle it")
	}
	for who, c := range map[string]*client{"early": early, "outsider": outsider} {
		if status, _ := c.post("/ledger/settle", "program", string(testkit.Program), "disagreement", "1", "reason", "because"); status != http.StatusForbidden && status != http.StatusNotFound {
			t.Errorf("%s settles it: %d", who, status)
		}
	}
	settle := regexp.MustCompile(`name="disagreement" value="(\d+)"`).FindStringSubmatch(op.holds("/ledger"))
	if settle == nil {
		t.Fatal("the operator has no form")
	}
	fields := []string{"program", string(testkit.Program), "disagreement", settle[1], "reason"}
	if status, body := op.post("/ledger/settle", append(fields, "")...); status != http.StatusUnprocessableEntity || !strings.Contains(words2(body), "Nothing was changed") {
		t.Errorf("settled without a reason: %d", status)
	}
	body = op.does("/ledger/settle", "The disagreement is settled", append(fields, "a second server had the key; it is gone")...)
	lacks(t, "the ledger once it is settled", body, "The ledger is doubted")
}

// The ledger in a browser, with the keys and without scripts.
func TestLedgerInABrowser(t *testing.T) {
	source, browser := axe(t), chrome(t)
	s, r, early, n := opened(t)
	_, receipt := early.get(fmt.Sprintf("/ledger/%d/proof", n))
	file := filepath.Join(t.TempDir(), "receipt.forewarn")
	broken := filepath.Join(t.TempDir(), "broken.forewarn")
	wrong, err := verify.ParseReceipt([]byte(receipt))
	if err != nil {
		t.Fatal(err)
	}
	wrong.Index--
	bad, err := wrong.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range map[string][]byte{file: []byte(receipt), broken: bad} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	look := func(b *tab, name string) {
		t.Helper()
		for _, width := range []int64{1280, 320} {
			for _, scheme := range []string{"light", "dark"} {
				b.look(width, scheme)
				b.accessible(source, fmt.Sprintf("%s %d %s", name, width, scheme))
				b.shot(fmt.Sprintf("real-%s-%d-%s", name, width, scheme))
			}
		}
		b.unrefused(name)
	}

	b := open(t, browser)
	b.navigate(s.url + "/ledger")
	b.shows("Verify it yourself", "none watch this log yet", "one sealed commitment")
	look(b, "public")
	b.scripts(false)
	b.navigate(s.url + "/ledger")
	b.upload("receipt", file)
	b.scripts(true)
	b.click("Check it")
	b.shows("The receipt is valid", "opened a release", string(r.ID))
	look(b, "valid")
	b.upload("receipt", broken)
	b.click("Check it")
	b.shows("The receipt does not hold", "Keep the file")
	look(b, "broken")

	op := s.signIn(browser, testkit.Owner, "operator")
	op.load("g e", chromedp.KeyEvent("g"), chromedp.KeyEvent("e"))
	op.shows("Verify it yourself", "Evidence bundle", "approved a release (1 of")
	look(op, "operator")
	op.click("Evidence bundle")
	op.shows("verified offline")
	look(op, "evidence")
	op.navigate(s.url + fmt.Sprintf("/ledger/%d", n))
	op.shows("opened a release", "Download the receipt", "verify receipt receipt-"+strconv.FormatInt(n, 10)+".forewarn")
	look(op, "entry")
	op.navigate(s.url + "/releases/" + string(r.ID))
	op.click("What the ledger holds about this")
	op.shows("approved a release")
	if got := eval[string](op, `document.getElementById("f-release").value`); got != string(r.ID) {
		t.Errorf("the filter is %q", got)
	}
}
