package submission

import (
	"bytes"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

const (
	maxMarkdown = 1 << 20
	maxHead     = 1 << 20 // bytes in which the kind of a JSON document must show
	maxMembers  = 32
)

// recognise says what the bytes are, from their content and then their name.
// JSON that is neither a bundle nor an advisory is a file like any other.
func recognise(in Input, b Blob) exchange.ArtifactKind {
	media, _, _ := strings.Cut(strings.ToLower(in.MediaType), ";")
	ext := strings.ToLower(path.Ext(in.Filename))
	switch {
	case media == "application/stix+json" || media == "application/taxii+json":
		return exchange.ArtifactSTIX
	case media == "text/markdown" || ext == ".md" || ext == ".markdown":
		return exchange.ArtifactMarkdown
	}
	if kind := recogniseJSON(io.NewSectionReader(b, 0, min(b.Size(), maxHead))); kind != "" {
		return kind
	}
	return exchange.ArtifactFile
}

// recogniseJSON reads members of the document until one gives it away.
func recogniseJSON(r io.Reader) exchange.ArtifactKind {
	dec := jsontext.NewDecoder(r)
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return ""
	}
	for range maxMembers {
		name, err := dec.ReadToken()
		if err != nil || name.Kind() != '"' {
			return ""
		}
		switch name.String() {
		case "objects":
			if dec.PeekKind() == '[' {
				return exchange.ArtifactSTIX
			}
		case "type":
			if v, err := dec.ReadToken(); err == nil && v.Kind() == '"' && v.String() == "bundle" {
				return exchange.ArtifactSTIX
			}
			return ""
		case "document":
			if dec.PeekKind() == '{' && hasMember(dec, "csaf_version") {
				return exchange.ArtifactCSAF
			}
			return ""
		}
		if err := dec.SkipValue(); err != nil {
			return ""
		}
	}
	return ""
}

func hasMember(dec *jsontext.Decoder, want string) bool {
	if _, err := dec.ReadToken(); err != nil {
		return false
	}
	for {
		name, err := dec.ReadToken()
		if err != nil || name.Kind() != '"' {
			return false
		}
		if name.String() == want {
			return true
		}
		if err := dec.SkipValue(); err != nil {
			return false
		}
	}
}

// document checks what is not STIX, and names it.
func (j *job) document(b Blob) ([]exchange.Problem, error) {
	a := &j.art
	switch a.Kind {
	case exchange.ArtifactCSAF:
		return j.advisory(b)
	case exchange.ArtifactMarkdown:
		a.MediaType = "text/markdown; charset=utf-8"
		if b.Size() > maxMarkdown {
			return nil, exchange.Fail(exchange.Invalid, "a text may have at most 1 MiB; hand it in as a file")
		}
		text, err := span(b, 0, b.Size())
		if err != nil {
			return nil, err
		}
		if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
			return nil, exchange.InvalidWith("the text was not accepted; nothing was stored",
				[]exchange.Problem{{Path: "$", Code: "text.utf-8", Message: "a text has to be UTF-8 without NUL characters"}})
		}
		a.Title = first(a.Title, heading(text), a.Filename, "Text")
	default:
		a.MediaType = first(a.MediaType, "application/octet-stream")
		a.Title = first(a.Title, a.Filename, "File")
	}
	return nil, nil
}

// heading is the text's first heading, when it begins with one.
func heading(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text[:min(len(text), 4096)])), "\n")
	title, ok := strings.CutPrefix(line, "# ")
	if !ok {
		return ""
	}
	return titled(title)
}

// titled is a text from the content as a title: one line, cut to maxTitle
// characters; "" where it cannot be one.
func titled(s string) string {
	s = strings.TrimSpace(s)
	if !exchange.Plain(s) {
		return ""
	}
	if r := []rune(s); len(r) > maxTitle {
		return string(r[:maxTitle-1]) + "…"
	}
	return s
}
