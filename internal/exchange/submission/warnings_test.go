package submission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
)

// What goes against a SHOULD is told, a few of each kind, and refuses nothing.
func TestBundleWarnings(t *testing.T) {
	h := newHouse(t)
	var objects []string
	for i := range 40 {
		objects = append(objects, object(fmt.Sprintf("0000%04x", i), `,"acme_score":1`))
	}
	r := h.mustSubmit(submission.Input{}, bundle(objects...))
	if r.Artifact.Objects != 40 {
		t.Errorf("%d objects stored", r.Artifact.Objects)
	}
	custom, last := 0, ""
	for _, w := range r.Warnings {
		if w.Code != "stix.custom" {
			continue
		}
		custom++
		last = w.Message
		if w.Path == "" || w.Section == "" || w.Object == "" {
			t.Errorf("a warning without path, section or object: %+v", w)
		}
	}
	// Two for each object: a custom property, and its name.
	if custom != 3 || !strings.HasSuffix(last, "; 77 more like this") {
		t.Errorf("%d told: %+v", custom, r.Warnings)
	}
	clean := h.mustSubmit(submission.Input{Filename: "clean"}, bundle(object("0000ffff", `,"name":"n","description":"d"`)))
	if len(clean.Warnings) > 0 {
		t.Errorf("a clean bundle: %+v", clean.Warnings)
	}
}
