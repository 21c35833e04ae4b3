package taxii

import (
	"strings"
	"testing"
)

func TestAcceptable(t *testing.T) {
	tests := []struct {
		accept string
		want   bool
	}{
		// §1.6.8, §3.1: defined for every endpoint, so never 406.
		{"application/taxii+json;version=2.1", true},
		{"application/taxii+json; version=2.1", true},
		{"application/taxii+json", true},
		{`application/taxii+json;version="2.1"`, true},
		{`application/taxii+json;version="2\.1"`, true},
		{"Application/TAXII+JSON;Version=2.1", true},
		{"application/taxii+json;version=2.1;charset=utf-8", true},
		{"application/taxii+json ; version=2.1 ; q=0.4", true},
		{"*/*", true},
		{"application/*", true},
		{"", true},
		{" , ", true},
		// Lists and weights (RFC 9110 §12.5.1).
		{"text/html, application/xhtml+xml, */*;q=0.8", true},
		{"application/json, application/taxii+json;version=2.1;q=0.1", true},
		{"application/taxii+json;version=2.0, application/taxii+json;version=2.1", true},
		{"application/taxii+json;version=2.1, */*;q=0", true},
		{`text/x;a="b,application/json;c=\",", application/taxii+json`, true},
		{"*/*;q=0", false},
		{"application/taxii+json;version=2.1;q=0", false},
		{"application/taxii+json;version=2.1;q=0, */*", false},
		{"application/taxii+json;q=0, application/*", false},
		{"application/taxii+json;q=0, application/taxii+json;version=2.1", true},
		// Not for us.
		{"application/taxii+json;version=2.0", false},
		{"application/taxii+json;version=3.0", false},
		{"application/vnd.oasis.taxii+json; version=2.0", false},
		{"application/json", false},
		{"application/stix+json;version=2.1", false},
		{"text/*", false},
		{"text/html", false},
		{"*", false},
		{"garbage", false},
		{"application/taxii+json;q=2", false},
		{"application/taxii+json;q=x", false},
		{"application/taxii+json;q=NaN", false},
		{`application/taxii+json;version="2.1`, false},
		{`text/x;a="application/taxii+json, */*`, false},
	}
	for _, test := range tests {
		if got := acceptable([]string{test.accept}, false); got != test.want {
			t.Errorf("Accept: %s: %v, want %v", test.accept, got, test.want)
		}
	}
	if !acceptable(nil, false) || !acceptable([]string{"text/html", "application/taxii+json"}, false) {
		t.Error("no header, or two")
	}
	// §5.3 lists STIX for the manifest.
	for _, accept := range []string{"application/stix+json;version=2.1", "application/stix+json"} {
		if !acceptable([]string{accept}, true) {
			t.Errorf("Accept: %s on the manifest", accept)
		}
	}
}

func FuzzAccept(f *testing.F) {
	for _, seed := range []string{
		"", "*/*", "application/taxii+json;version=2.1", `a/b;c="\",;q=1", */*;q=0.5`, "application/*;q=0,,;;=,\"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		once := acceptable([]string{accept}, false)
		if acceptable([]string{accept}, false) != once {
			t.Error("two answers")
		}
		// A range that names our answer exactly, at full weight and outside any
		// quoted string, is never refused.
		if strings.Count(accept, `"`) == 0 && !acceptable([]string{accept + ", application/taxii+json;version=2.1;q=1"}, false) {
			t.Errorf("refused: %q", accept)
		}
	})
}
