package taxii_test

import (
	"net/http"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
)

// A page that its reader holds is answered 304, and neither counted nor recorded
// as given; one that it does not hold is, whatever it says it holds.
func TestHeldPagesAreNotGiven(t *testing.T) {
	w := newWorld(t)
	given := func() (pages int) {
		t.Helper()
		w.must(w.x.Delivery.Flush(t.Context()))
		es, err := w.x.Record.Events(t.Context(), exchange.System(), record.EventFilter{Program: "early-warning", Limit: 1000})
		w.must(err)
		for _, e := range es {
			if e.Kind == exchange.EventPageServed && e.Org == "org-reader" {
				pages++
			}
		}
		return pages
	}
	first := w.ask("GET", w.vars["c"]+"/objects/?limit=2", "reader")
	tag := first.Header.Get("ETag")
	if first.StatusCode != http.StatusOK || tag == "" || given() != 1 {
		t.Fatalf("%s, tag %s, %d pages given", first.Status, tag, given())
	}
	for _, c := range []struct {
		tag           string
		status, given int
	}{{tag, http.StatusNotModified, 1}, {tag, http.StatusNotModified, 1}, {`"other"`, http.StatusOK, 2}, {"*", http.StatusOK, 3}} {
		resp := w.ask("GET", w.vars["c"]+"/objects/?limit=2", "reader", "If-None-Match: "+c.tag)
		if n := given(); resp.StatusCode != c.status || n != c.given {
			t.Errorf("holding %s: %s, %d pages given, want %d and %d", c.tag, resp.Status, n, c.status, c.given)
		}
	}
}
