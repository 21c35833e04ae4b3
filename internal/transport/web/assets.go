package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// The folder assets/vendor holds the fonts that `make assets` fetches. It may be
// empty: the pages then use the reader's own fonts.
//
//go:embed all:assets
var assetFiles embed.FS

// served are the files that pages may load, by extension.
var served = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
}

type asset struct {
	kind  string
	bytes []byte
	url   string
}

// assets are the static files by name, each under a URL that holds the first 12
// digits of its SHA-256, so that a browser may keep it for ever.
type assets map[string]asset

func loadAssets(files fs.FS) (assets, error) {
	out := assets{}
	add := func(name string, b []byte) {
		sum := sha256.Sum256(b)
		out[name] = asset{served[path.Ext(name)], b, "/static/" + hex.EncodeToString(sum[:6]) + "/" + name}
	}
	err := fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || served[path.Ext(p)] == "" {
			return err
		}
		b, err := fs.ReadFile(files, p)
		if err == nil {
			add(path.Base(p), b)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the static files: %w", err)
	}
	add("app.css", append(slices.Clone(out["app.css"].bytes), out.fontFaces()...))
	return out, nil
}

// ranges are the characters of each subset of the fonts, as their publisher cuts
// them.
var ranges = map[string]string{
	"latin-ext": "U+0100-02BA, U+02BD-02C5, U+02C7-02CC, U+02CE-02D7, U+02DD-02FF, U+0304, U+0308, U+0329, U+1D00-1DBF, U+1E00-1E9F, U+1EF2-1EFF, U+2020, U+20A0-20AB, U+20AD-20C0, U+2113, U+2C60-2C7F, U+A720-A7FF",
	"latin":     "U+0000-00FF, U+0131, U+0152-0153, U+02BB-02BC, U+02C6, U+02DA, U+02DC, U+2000-206F, U+20AC, U+2122, U+2191, U+2193, U+2212, U+2215, U+FEFF, U+FFFD",
}

// fontFaces declares the fonts that are there.
func (a assets) fontFaces() []byte {
	var b bytes.Buffer
	for _, family := range []string{"Next", "Mono"} {
		for _, subset := range []string{"latin-ext", "latin"} {
			for _, style := range []string{"normal", "italic"} {
				name := fmt.Sprintf("atkinson-hyperlegible-%s-%s-wght-%s.woff2", strings.ToLower(family), subset, style)
				f, ok := a[name]
				if !ok {
					continue
				}
				fmt.Fprintf(&b, "@font-face { font-family: \"Atkinson Hyperlegible %s Variable\"; font-style: %s; font-weight: 200 800; font-display: swap; src: url(\"%s\") format(\"woff2-variations\"); unicode-range: %s; }\n",
					family, style, f.url, ranges[subset])
			}
		}
	}
	return b.Bytes()
}

// url is where a page loads the file from.
func (a assets) url(name string) string { return a[name].url }

// ServeHTTP answers /static/{hash}/{name}.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a[r.PathValue("name")]
	if !ok || r.URL.Path != f.url {
		w.Header().Set("Cache-Control", "no-store")
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.bytes))
}
