// Package page turns typed views into HTML: one exported struct per page, one
// template each. It knows nothing of services or requests; what a reader may
// see is decided before a view is filled.
//
// Templates are html/template with missingkey=error. Text that somebody else
// wrote goes through the function "say", which makes bidirectional control
// characters visible, and stands in elements with dir="auto".
package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed templates/*.html
var templates embed.FS

// Page is a view that can be rendered: the name of its template and the frame
// around it.
type Page interface {
	Name() string
	Around() *Frame
}

// Renderer holds the parsed templates.
type Renderer struct{ set *template.Template }

// New parses the templates. Static returns the URL of a static file.
func New(static func(name string) string) (*Renderer, error) {
	set := template.New("").Option("missingkey=error").Funcs(template.FuncMap{
		"static": static,
		"say":    Visible,
		"size":   Bytes,
		"plural": Plural,
		"join":   func(list []string) string { return strings.Join(list, ", ") },
		"short":  short,
		"tlp":    newBadge,
		"rights": func(all []string) []string { return labelled(all, true) },
		"terms":  func(all []string) []string { return labelled(all, false) },
	})
	set, err := set.ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the page templates: %w", err)
	}
	return &Renderer{set}, nil
}

// Render writes the page as a whole, or nothing when its template fails.
func (r *Renderer) Render(w io.Writer, p Page) error {
	var b bytes.Buffer
	if err := r.set.ExecuteTemplate(&b, p.Name(), p); err != nil {
		return fmt.Errorf("rendering the page %s: %w", p.Name(), err)
	}
	_, err := b.WriteTo(w)
	return err
}

// Visible writes out characters that change the direction of the text around
// them or that cannot be seen, so that what is read is what is there.
func Visible(s any) string {
	text := fmt.Sprint(s)
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			fmt.Fprintf(&b, "[U+%04X]", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	switch {
	case r == '\n' || r == '\t' || r == '\r':
		return false
	case r < ' ' || r >= 0x7f && r <= 0x9f,
		r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e,
		r >= 0x2060 && r <= 0x2069, r == 0xfeff, r == 0x061c, r == 0x00ad:
		return true
	}
	return false
}

// Bytes is an amount of bytes with a binary unit: 812 B, 1.4 KiB.
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, units := float64(n)/1024, "KMGT"
	for len(units) > 1 && v >= 1023.95 {
		v, units = v/1024, units[1:]
	}
	return fmt.Sprintf("%.1f %ciB", v, units[0])
}

// Plural is "1 object", "2 objects"; every noun here takes an s.
func Plural(n any, noun string) string {
	text := fmt.Sprint(n)
	if text == "1" {
		return text + " " + noun
	}
	return text + " " + noun + "s"
}

func short(s any) string {
	text := fmt.Sprint(s)
	if len(text) <= 12 {
		return text
	}
	return text[:12]
}

// labelled are those obligations that say what TLP and PAP permit, or the others.
func labelled(all []string, yes bool) (out []string) {
	for _, o := range all {
		if (strings.HasPrefix(o, "TLP:") || strings.HasPrefix(o, "PAP:")) == yes {
			out = append(out, o)
		}
	}
	return out
}
