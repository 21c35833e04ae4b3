package web_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web"
)

// TestPagesAreAccessible runs axe on every page with every kind of text, light and
// dark, wide and narrow, under the content policy of the real pages.
func TestPagesAreAccessible(t *testing.T) {
	source := axe(t)
	browser := chrome(t)
	static, _ := web.Static()
	r, pages := renderer(t), fixtures()
	mux := http.NewServeMux()
	mux.Handle("GET /static/{hash}/{name}", static)
	mux.HandleFunc("GET /fixture/{name}/{kind}", func(w http.ResponseWriter, req *http.Request) {
		p := pages[req.PathValue("name")+"/"+req.PathValue("kind")]
		p.Around().Nonce = "bm9uY2U"
		var b bytes.Buffer
		if err := r.Render(&b, p); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		httpkit.PageHeaders(w.Header(), "bm9uY2U")
		_, _ = b.WriteTo(w)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	only := os.Getenv("FOREWARN_TEST_FIXTURE")
	b := open(t, browser)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if !strings.HasPrefix(name, only) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b.t = t
			kind := name[strings.Index(name, "/")+1:]
			b.navigate(server.URL + "/fixture/" + name)
			// Every hidden part as well.
			eval[bool](b, `document.querySelectorAll("details").forEach(d => { d.open = true }), true`)
			for _, width := range []int64{1280, 320} {
				for _, scheme := range []string{"light", "dark"} {
					// Colours depend on neither text nor width, and width matters where text is long.
					if kind != "full" && (scheme == "dark" || width == 1280 == (kind == "long" || kind == "rtl")) || scheme == "dark" && width == 320 {
						continue
					}
					label := fmt.Sprintf("%s-%s-%d", strings.ReplaceAll(name, "/", "-"), scheme, width)
					b.look(width, scheme)
					b.accessible(source, label)
					b.unrefused(label)
					if kind == "full" {
						b.shot(label)
					}
				}
			}
		})
	}
}
