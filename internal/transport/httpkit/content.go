package httpkit

import (
	"io"
	"mime"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
)

// ServeContent gives the bytes of an artifact as they were submitted, whole or a
// range of them (RFC 9110 §14), and closes them. The ETag is their SHA-256.
func ServeContent(w http.ResponseWriter, r *http.Request, c *delivery.Content) {
	defer func() { _ = c.Close() }() // only read from
	Stream(w)
	name := c.Artifact.Filename
	if name == "" || !utf8.ValidString(name) {
		name = string(c.Artifact.ID)
	}
	w.Header().Set("ETag", `"`+c.Artifact.SHA256+`"`)
	Attach(w.Header(), name, attachmentType(c.Artifact))
	http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(c, 0, c.Size()))
}

// Attach sets the headers of bytes that somebody handed in: saved and never
// shown, whatever they are.
func Attach(h http.Header, name, contentType string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
}

// attachmentType is never one that a browser would run.
func attachmentType(a exchange.Artifact) string {
	switch media, _, _ := mime.ParseMediaType(a.MediaType); media {
	case "application/stix+json", "application/json", "application/pdf", "application/zip", "text/plain", "text/markdown", "text/csv":
		return a.MediaType
	}
	return "application/octet-stream"
}
