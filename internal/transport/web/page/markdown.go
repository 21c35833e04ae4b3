package page

import (
	"bytes"
	"html/template"
	"regexp"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
)

// prosePolicy is the allow-list for Markdown that members and operators write. It has no
// images, no styles and no attributes but the address of a link: nothing may be
// fetched, and nothing may look like a part of the page.
var prosePolicy = func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "em", "strong", "code", "pre", "blockquote", "ul", "ol", "li", "h3")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("https", "mailto")
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return p
}()

// Markdown renders text that somebody wrote. Raw HTML is dropped. Headings of
// every level become h3, so that they stand below those of the page and the order
// of levels holds whatever the writer began with.
func Markdown(text string) template.HTML {
	if text == "" {
		return ""
	}
	var b bytes.Buffer
	if err := goldmark.Convert([]byte(Visible(text)), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(text))
	}
	return template.HTML(prosePolicy.SanitizeBytes(heading.ReplaceAll(b.Bytes(), []byte("<${1}h3>"))))
}

var heading = regexp.MustCompile(`<(/?)h[1-6]>`)
