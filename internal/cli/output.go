package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// column is one column of a table: its heading, and the path of its value in
// the JSON of an item, with dots.
type column struct{ head, path string }

// columns makes columns whose headings are the names in the JSON.
func columns(paths ...string) []column {
	out := make([]column, 0, len(paths))
	for _, p := range paths {
		head := p[strings.LastIndexByte(p, '.')+1:]
		out = append(out, column{strings.ToUpper(strings.ReplaceAll(head, "_", " ")), p})
	}
	return out
}

// part is a list inside an item, shown as a table of its own.
type part struct {
	title, path string
	cols        []column
}

// view says how one item is shown to people.
type view struct {
	id     string // what -q prints; empty: id
	fields []string
	parts  []part
}

func (a *app) onTerminal() bool { return isTerminal(a.out) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (a *app) colored() bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	}
	return a.env("NO_COLOR") == "" && a.onTerminal()
}

func decode(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return m, nil
}

// list fetches every page of a list and prints it.
func (a *app) list(ctx context.Context, path string, query url.Values, cols []column) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	raws := []json.RawMessage{}
	err = c.Pages(ctx, path, query, func(item json.RawMessage) error {
		raws = append(raws, item)
		return nil
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(raws)
	}
	items := make([]map[string]any, 0, len(raws))
	for _, raw := range raws {
		m, err := decode(raw)
		if err != nil {
			return err
		}
		items = append(items, m)
	}
	return a.table(items, cols)
}

func (a *app) printJSON(v any) error { return writeJSON(a.out, v) }

// writeJSON prints v as JSON for people and machines.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// table prints items: aligned with a header on a terminal, tab-separated
// without one in a pipe, the first column alone with -q.
func (a *app) table(items []map[string]any, cols []column) error {
	if a.json {
		return a.printJSON(items)
	}
	if a.quiet {
		cols = cols[:1]
	}
	tty := a.onTerminal() && !a.quiet
	rows := make([][]string, 0, len(items))
	for _, item := range items {
		cells := make([]string, len(cols))
		for i, c := range cols {
			cells[i] = a.text(lookup(item, c.path), tty)
		}
		rows = append(rows, cells)
	}
	if tty {
		return a.aligned(rows, cols)
	}
	for _, cells := range rows {
		if _, err := fmt.Fprintln(a.out, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return nil
}

// aligned prints rows in columns under a header. Columns without a value are
// left out: a terminal is narrow.
func (a *app) aligned(rows [][]string, cols []column) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(a.out, "nothing")
		return err
	}
	widths := make([]int, len(cols))
	for _, cells := range rows {
		for i, text := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	head := make([]string, len(cols))
	for i, c := range cols {
		head[i] = c.head
	}
	var b strings.Builder
	for n, cells := range append([][]string{head}, rows...) {
		line := ""
		for i, text := range cells {
			if widths[i] > 0 {
				line += text + strings.Repeat(" ", 2+max(0, max(widths[i], len(cols[i].head))-utf8.RuneCountInString(text)))
			}
		}
		line = strings.TrimRight(line, " ")
		if n == 0 && a.colored() {
			line = "\x1b[1m" + line + "\x1b[0m"
		}
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}

// show prints one item: its fields line by line, then its parts.
func (a *app) show(body []byte, v view) error {
	if a.json {
		return a.printJSON(json.RawMessage(body))
	}
	m, err := decode(body)
	if err != nil {
		return err
	}
	if a.quiet {
		_, err := fmt.Fprintln(a.out, a.text(lookup(m, cmp.Or(v.id, "id")), false))
		return err
	}
	tty := a.onTerminal()
	for _, f := range v.fields {
		text := a.text(lookup(m, f), tty)
		if text == "" {
			continue
		}
		if err := a.field(strings.ReplaceAll(f, "_", " "), text, tty); err != nil {
			return err
		}
	}
	for _, p := range v.parts {
		items := itemsOf(lookup(m, p.path))
		if len(items) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(a.out, "\n%s\n", p.title); err != nil {
			return err
		}
		if err := a.table(items, p.cols); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) field(name, text string, tty bool) error {
	form := "%s\t%s\n"
	if tty {
		form = "%-20s %s\n"
	}
	_, err := fmt.Fprintf(a.out, form, name, text)
	return err
}

// itemsOf are the objects of a list.
func itemsOf(v any) []map[string]any {
	list, _ := v.([]any)
	var out []map[string]any
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func lookup(m map[string]any, path string) any {
	var v any = m
	for name := range strings.SplitSeq(path, ".") {
		if items, ok := v.([]any); ok && name == "#" { // how many there are
			return json.Number(strconv.Itoa(len(items)))
		}
		if items, ok := v.([]any); ok { // the member of each
			all := make([]any, 0, len(items))
			for _, item := range items {
				if m, ok := item.(map[string]any); ok {
					all = append(all, m[name])
				}
			}
			v = all
			continue
		}
		inner, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = inner[name]
	}
	return v
}

// text is a value as people read it. What came from others loses its control
// characters: they would steer the terminal.
func (a *app) text(v any, tty bool) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil && len(v) > len("2006-01-02T15:04") {
			return a.moment(t, tty)
		}
		return clean(v)
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case json.Number:
		return v.String()
	case []string:
		return clean(strings.Join(v, ", "))
	case []any:
		parts := make([]string, 0, len(v))
		for _, e := range v {
			parts = append(parts, a.text(e, tty))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		if text, ok := a.pairs(v, tty); ok {
			return text
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// pairs is a map of texts as name=text, in the order of the names; other maps
// have no such form.
func (a *app) pairs(m map[string]any, tty bool) (string, bool) {
	parts := make([]string, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		s, ok := m[name].(string)
		if !ok {
			return "", false
		}
		parts = append(parts, clean(name)+"="+a.text(s, tty))
	}
	return strings.Join(parts, " "), true
}

func (a *app) moment(t time.Time, tty bool) string {
	if !tty {
		return t.In(a.zone).Format(time.RFC3339Nano)
	}
	if a.zone == time.UTC {
		return t.UTC().Format("2006-01-02 15:04:05Z")
	}
	return t.In(a.zone).Format("2006-01-02 15:04:05 -07:00")
}

func clean(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case r < ' ', r == 0x7f, r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, s)
}

// cleanText is clean for text of several lines.
func cleanText(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}

// done tells a person what was done; a pipe wants data alone.
func (a *app) done(format string, args ...any) {
	if !a.json && !a.quiet {
		fmt.Fprintf(a.err, format+"\n", args...)
	}
}

// progress shows how far long work has come: on a terminal, after a second.
type progress struct {
	w     io.Writer
	what  string
	total int64
	since time.Time
	sum   int64
	bar   *progressbar.ProgressBar
}

func (a *app) progress(what string, total int64) *progress {
	if a.json || a.quiet || !isTerminal(a.err) {
		return nil
	}
	return &progress{w: a.err, what: what, total: total, since: time.Now()}
}

func (p *progress) add(n int64) {
	if p == nil {
		return
	}
	p.sum += n
	if p.bar == nil {
		if time.Since(p.since) < time.Second {
			return
		}
		p.bar = progressbar.NewOptions64(p.total, progressbar.OptionSetWriter(p.w), progressbar.OptionShowBytes(true),
			progressbar.OptionSetDescription(p.what), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	_ = p.bar.Set64(p.sum) // a bar that cannot be drawn stops nothing
}

func (p *progress) end() {
	if p != nil && p.bar != nil {
		_ = p.bar.Finish()
	}
}

const nothingGiven = "nothing to change was given"
