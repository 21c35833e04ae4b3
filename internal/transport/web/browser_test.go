package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// absent ends a test whose tools are missing: a skip, but a failure under CI.
func absent(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// chrome starts a headless browser that ends with the test, and returns a
// context from which tabs are opened.
func chrome(t testing.TB) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("the browser is left out of -short")
	}
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		absent(t, "no browser: chromium is not installed (apt install chromium)")
	}
	dir, err := os.MkdirTemp("", "forewarn-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(dir), chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun,
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	first, cancel := chromedp.NewContext(ctx)
	if err := chromedp.Do(first); err != nil {
		t.Fatalf("starting the browser: %v", err)
	}
	t.Cleanup(func() { cancel(); stop(); _ = os.RemoveAll(dir) })
	return first
}

// tab is one page of the browser. What the content policy refused is noted.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu      sync.Mutex
	refused []string
}

// open makes a tab with its own cookies.
func open(t testing.TB, from context.Context) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(from, chromedp.WithNewBrowserContext())
	ctx, stop := context.WithTimeout(ctx, 5*time.Minute)
	b := &tab{t: t, ctx: ctx}
	t.Cleanup(func() { stop(); cancel() })
	b.do(chromedp.Steps())
	err := chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*log.EventEntryAdded); ok && strings.Contains(e.Entry.Text, "Content Security Policy") {
			b.mu.Lock()
			b.refused = append(b.refused, e.Entry.Text)
			b.mu.Unlock()
		}
		if e, ok := event.(*runtime.EventExceptionThrown); ok {
			b.mu.Lock()
			b.refused = append(b.refused, "exception: "+e.ExceptionDetails.Text)
			b.mu.Unlock()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("in the browser: %v", err)
	}
}

func (b *tab) navigate(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

// eval returns what an expression gives, awaiting promises.
func eval[T any](b *tab, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		var e *chromedp.ExceptionError
		if errors.As(err, &e) {
			b.t.Fatalf("evaluating %.80q: %v", js, e)
		}
		b.t.Fatalf("evaluating %.80q: %v", js, err)
	}
	return v
}

// text is what a reader sees in the page's main part.
func (b *tab) text() string { return eval[string](b, `document.querySelector("main").innerText`) }

// shows fails unless the page's text holds each of the parts.
func (b *tab) shows(parts ...string) {
	b.t.Helper()
	text := b.text()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			b.t.Errorf("the page does not show %q:\n%.1500s", part, text)
		}
	}
}

// hides fails if the page's source holds any of the parts.
func (b *tab) hides(parts ...string) {
	b.t.Helper()
	html := eval[string](b, `document.documentElement.outerHTML`)
	for _, part := range parts {
		if strings.Contains(html, part) {
			b.t.Errorf("%s shows %q", eval[string](b, "location.pathname"), part)
		}
	}
}

// click presses the link or button with the text, opening the details around it.
func (b *tab) click(text string) {
	b.t.Helper()
	found := eval[bool](b, fmt.Sprintf(`(() => {
		const e = [...document.querySelectorAll("a, button, summary")].find(e => e.textContent.trim().replace(/\s+/g, " ").startsWith(%q));
		if (!e) return false;
		for (let d = (e.matches("summary") ? e.parentElement.parentElement : e).closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
		e.setAttribute("data-test-click", "");
		return true })()`, text))
	if !found {
		b.t.Fatalf("nothing to click with the text %q on %s:\n%.1200s", text, eval[string](b, "location.href"), b.text())
	}
	navigates := eval[bool](b, `!document.querySelector("[data-test-click]").matches("summary")`)
	if !navigates {
		b.do(chromedp.Click(chromedp.CSS("[data-test-click]")))
		eval[bool](b, `document.querySelector("[data-test-click]").removeAttribute("data-test-click"), true`)
		return
	}
	b.load("clicking "+text, chromedp.Click(chromedp.CSS("[data-test-click]")))
}

// load runs steps after which another page loads.
func (b *tab) load(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, steps...); err != nil {
		b.t.Fatalf("%s: no other page came: %v", what, err)
	}
}

// set types into the field with the id, opening the details around it.
func (b *tab) set(id, value string) {
	b.t.Helper()
	ok := eval[bool](b, fmt.Sprintf(`(() => {
		const e = document.getElementById(%q);
		if (!e) return false;
		for (let d = e.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
		if (e.type === "checkbox") e.checked = %q !== ""; else e.value = %q;
		e.dispatchEvent(new Event("input", {bubbles: true}));
		return e.type === "checkbox" || e.value === %q })()`, id, value, value, value))
	if !ok {
		b.t.Fatalf("the field %q cannot be set to %q on %s", id, value, eval[string](b, "location.href"))
	}
}

// look sets the window and the colour scheme.
func (b *tab) look(width int64, scheme string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, 900))
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	}); err != nil {
		b.t.Fatal(err)
	}
}

// scripts switches JavaScript on or off for the pages that follow.
func (b *tab) scripts(on bool) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}); err != nil {
		b.t.Fatal(err)
	}
}

// shot writes a picture of the page into the folder FOREWARN_TEST_SHOTS, if set.
func (b *tab) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("FOREWARN_TEST_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// axe is the source of axe-core, which make assets fetches.
func axe(t testing.TB) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", "..", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		absent(t, "no axe-core for the browser tests: run make assets (needs npm)")
	}
	return string(source)
}

type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

// accessible runs axe on the page and checks that it fits its width. In the dark it
// runs the rule on contrast alone: no other depends on the colours.
func (b *tab) accessible(source, name string) {
	b.t.Helper()
	raw := eval[string](b, `document.fonts.ready.then(() => 0).then(() => {
	if (!window.axe) { `+source+` }
	const dark = matchMedia("(prefers-color-scheme: dark)").matches;
	const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
	return axe.run(document, {runOnly: dark ? {type: "rule", values: ["color-contrast"]} : rules, resultTypes: ["violations"]}) })
	.then(r => JSON.stringify(r.violations.map(v => ({ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.slice(0, 3).map(n => ({HTML: n.html, FailureSummary: n.failureSummary}))}))))`)
	var found []violation
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range found {
		b.t.Errorf("%s: %s (%s): %s", name, v.ID, v.Impact, v.Help)
		for _, n := range v.Nodes {
			b.t.Logf("    %.300s\n      %.300s", n.HTML, n.FailureSummary)
		}
	}
	if wide := eval[string](b, wider); wide != "" {
		b.t.Errorf("%s: wider than the window: %s", name, wide)
	}
	if small := eval[string](b, `[...document.querySelectorAll("button, input:not([type=hidden], [type=checkbox]), select, textarea, nav a")].filter(e => {
		const r = e.getBoundingClientRect(); return r.width && (r.width < 24 || r.height < 24) }).slice(0, 4).map(e => e.outerHTML.slice(0, 140)).join("\n")`); small != "" {
		b.t.Errorf("%s: targets under 24 by 24: %s", name, small)
	}
}

// wider names what stands outside the window's width, boxes and text, apart from
// what scrolls by itself.
const wider = `(() => {
	const edge = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth <= edge) return "";
	const out = [], range = document.createRange(), texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (const e of document.querySelectorAll("body *")) if (e.getBoundingClientRect().right > edge + 1 && !e.closest(".scroll > *, .skip")) out.push(e);
	for (let n; n = texts.nextNode();) {
		range.selectNodeContents(n);
		if ([...range.getClientRects()].some(r => r.right > edge + 1) && !n.parentElement.closest(".scroll")) out.push(n.parentElement);
	}
	return out.slice(0, 4).map(e => e.outerHTML.slice(0, 140)).join("\n") || "something" })()`

// unrefused fails if the content policy refused anything.
func (b *tab) unrefused(name string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.refused {
		b.t.Errorf("%s: %s", name, r)
	}
	b.refused = nil
}
