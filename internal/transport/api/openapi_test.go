package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/core"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// TestOpenAPI keeps the committed description current: a change of the
// interface shows in the difference of openapi.json.
func TestOpenAPI(t *testing.T) {
	s := &server{Exchange: &core.Exchange{}}
	got := s.register(http.NewServeMux())
	if *update {
		if err := os.WriteFile("openapi.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("openapi.json is not what the code describes; run go test ./internal/transport/api -run TestOpenAPI -update and look at the difference")
	}
	var doc struct {
		OpenAPI string                               `json:"openapi"`
		Paths   map[string]map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(got, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi is %q, want 3.1.0", doc.OpenAPI)
	}
	seen := map[string]bool{}
	for path, item := range doc.Paths {
		for method, op := range item {
			id, _ := op["operationId"].(string)
			if id == "" || seen[id] || op["summary"] == "" {
				t.Errorf("%s %s: operation %q is unnamed, named twice or without a summary", method, path, id)
			}
			seen[id] = true
			for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				if !hasParam(op, m[1], "path") {
					t.Errorf("%s %s does not describe %s", method, path, m[1])
				}
			}
			if method == "post" && id != "lookup" && !hasParam(op, "Idempotency-Key", "header") {
				t.Errorf("post %s does not describe Idempotency-Key", path)
			}
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d operations are described", len(seen))
	}
}

func hasParam(op map[string]any, name, in string) bool {
	params, _ := op["parameters"].([]any)
	return slices.ContainsFunc(params, func(p any) bool {
		m, _ := p.(map[string]any)
		return m["name"] == name && m["in"] == in && m["required"] == true
	})
}
