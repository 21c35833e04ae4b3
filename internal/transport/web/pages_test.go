package web_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/transport/web"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

func renderer(t testing.TB) *page.Renderer {
	t.Helper()
	_, url := web.Static()
	r, err := page.New(url)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func render(t testing.TB, r *page.Renderer, p page.Page) string {
	t.Helper()
	var b strings.Builder
	if err := r.Render(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEveryFixture(t *testing.T) {
	r := renderer(t)
	for name, p := range fixtures() {
		t.Run(name, func(t *testing.T) {
			html := render(t, r, p)
			for _, fault := range check(html) {
				t.Error(fault)
			}
			if dir := os.Getenv("FOREWARN_TEST_PAGES"); dir != "" {
				_ = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".html"), []byte(html), 0o644)
			}
		})
	}
}

// TestCheckFinds plants each fault that check looks for.
func TestCheckFinds(t *testing.T) {
	good := render(t, renderer(t), &page.Keys{Frame: page.Frame{Nonce: "n"}})
	if faults := check(good); len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, bad := range []string{
		`<p>ZgotmplZ</p>`, `<p>&lt;no value&gt;</p>`, `<p>%!s(int=1)</p>`, `<p style="color:red">x</p>`, `<p onclick="x()">x</p>`,
		`<iframe srcdoc="x"></iframe>`, `<script>x</script>`, `<img src=x>`, `<div><p>x</div>`, `</section>`,
		`<p id="main">x</p>`, `<label for="nowhere">x</label>`, `<a href="javascript:x">x</a>`, "<p>\u202e</p>",
		`<button aria-labelledby="nowhere">x</button>`, `<p>a b &lt;no value></p>`,
	} {
		if len(check(strings.Replace(good, "<h1>", bad+"<h1>", 1))) == 0 {
			t.Errorf("not found: %s", bad)
		}
	}
	if len(check(strings.Replace(good, ` lang="en"`, "", 1))) == 0 {
		t.Error("a missing lang is not found")
	}
}

var forbidden = []*regexp.Regexp{
	regexp.MustCompile(`ZgotmplZ`),
	regexp.MustCompile(`(?i)(?:<|&lt;)no value(?:>|&gt;)`),
	regexp.MustCompile(`%!\w?\(`),
	regexp.MustCompile(`(?i)<[^>]*\ssrcdoc\b`),
	regexp.MustCompile(`(?i)<(?:img|iframe|object|embed|base|style)\b`),
	regexp.MustCompile(`(?i)(?:href|action|src)="?\s*(?:javascript|data|vbscript):`),
	unseen,
}

var (
	unseen = regexp.MustCompile("[\u202a-\u202e\u2066-\u2069\u0000]")
	inputs = regexp.MustCompile(`(?s) (?:value|placeholder|title|aria-label)="[^"]*"|<textarea[^>]*>.*?</textarea>`)
)

var (
	tag       = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^>"]|"[^"]*")*)>`)
	attribute = regexp.MustCompile(`\s([a-zA-Z-]+)(?:="([^"]*)")?`)
	void      = strings.Fields("area br col hr input link meta")
)

// check lists what is wrong with a rendered page.
func check(html string) []string {
	var faults []string
	say := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	// Fields hold what was typed, exactly: changing it would change what is saved.
	read := inputs.ReplaceAllString(html, "")
	for _, pattern := range forbidden {
		html := html
		if pattern == unseen {
			html = read
		}
		if m := pattern.FindStringIndex(html); m != nil {
			say("%s: %.80q", pattern, html[max(0, m[0]-20):min(len(html), m[1]+60)])
		}
	}
	if !strings.HasPrefix(html, "<!doctype html>\n<html lang=\"en\">") {
		say("does not begin with doctype and lang")
	}
	var open []string
	ids, refs := map[string]int{}, map[string]bool{}
	for _, m := range tag.FindAllStringSubmatch(html, -1) {
		name := strings.ToLower(m[2])
		if m[1] == "/" {
			if len(open) == 0 || open[len(open)-1] != name {
				say("</%s> closes %v", name, open)
				return faults
			}
			open = open[:len(open)-1]
			continue
		}
		if name == "script" && !strings.Contains(m[3], " nonce=") {
			say("a script without nonce")
		}
		for _, a := range attribute.FindAllStringSubmatch(m[3], -1) {
			switch {
			case a[1] == "style", strings.HasPrefix(a[1], "on"):
				say("<%s> has the attribute %s", name, a[1])
			case a[1] == "id":
				ids[a[2]]++
			case a[1] == "for", a[1] == "list":
				refs[a[2]] = true
			case strings.HasPrefix(a[1], "aria-") && strings.HasSuffix(a[1], "by"):
				for _, id := range strings.Fields(a[2]) {
					refs[id] = true
				}
			}
		}
		if !slices.Contains(void, name) && !strings.HasSuffix(m[3], "/") {
			open = append(open, name)
		}
	}
	if len(open) > 0 {
		say("left open: %v", open)
	}
	for id, n := range ids {
		if n > 1 {
			say("the id %q stands there %d times", id, n)
		}
	}
	for ref := range refs {
		if ids[ref] == 0 {
			say("nothing has the id %q", ref)
		}
	}
	return faults
}

// TestEveryTemplate holds names: each page has its template, none is defined
// twice, and none is left that nothing uses.
func TestEveryTemplate(t *testing.T) {
	files, err := filepath.Glob("page/templates/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	defined, used := map[string]int{}, map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\{\{define "(\w+)"\}\}`).FindAllStringSubmatch(string(text), -1) {
			defined[m[1]]++
		}
		for _, m := range regexp.MustCompile(`\{\{template "(\w+)"`).FindAllStringSubmatch(string(text), -1) {
			used[m[1]] = true
		}
	}
	for _, p := range all() {
		used[p.Name()] = true
	}
	for name, n := range defined {
		if n > 1 || !used[name] {
			t.Errorf("%s: defined %d times, used: %v", name, n, used[name])
		}
	}
	if missing := slices.DeleteFunc(slices.Sorted(maps.Keys(used)), func(n string) bool { return defined[n] > 0 }); len(missing) > 0 {
		t.Errorf("not defined: %v", missing)
	}
}

func TestMoments(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	tokyo, _ := time.LoadLocation("Asia/Tokyo")
	now := time.Date(2026, 11, 22, 13, 49, 0, 0, time.UTC)
	at := time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC)
	want := page.Moment{ISO: "2026-11-24T18:00:00Z", UTC: "2026-11-24 18:00", Local: "19:00 Europe/Berlin", Relative: "in 2 d 4 h"}
	if diff := cmp.Diff(want, page.Clock{Now: now, Zone: berlin}.At(at)); diff != "" {
		t.Error(diff)
	}
	if got := (page.Clock{Now: now, Zone: tokyo}).At(at).Local; got != "2026-11-25 03:00 Asia/Tokyo" {
		t.Errorf("another day: %s", got)
	}
	if m := (page.Clock{Now: at.Add(90 * time.Minute)}).At(at); m.Relative != "1 h 30 min ago" || m.Local != "" {
		t.Errorf("%+v", m)
	}
	if m := (page.Clock{Now: now}).At(time.Time{}); !m.IsZero() {
		t.Errorf("%+v", m)
	}
}

func TestMarkdownKeepsToItsList(t *testing.T) {
	html := string(page.Markdown("# T\n\n<script>x</script>\n\n<b onclick=x>b</b> [a](javascript:x) ![i](https://e.org/i.png) [ok](https://e.org) **s** \u202ex"))
	for _, bad := range []string{"<script", "onclick", "javascript", "<img", "<h1", "\u202e"} {
		if strings.Contains(html, bad) {
			t.Errorf("holds %s: %s", bad, html)
		}
	}
	for _, good := range []string{"<h3>T</h3>", `<a href="https://e.org" rel="nofollow noreferrer">ok</a>`, "<strong>s</strong>", "[U+202E]"} {
		if !strings.Contains(html, good) {
			t.Errorf("lacks %s: %s", good, html)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 3 << 40: "3.0 TiB", 1 << 60: "1048576.0 TiB"} {
		if got := page.Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
