package exchange

import (
	"strings"
	"testing"
)

func TestContentClasses(t *testing.T) {
	if len(AllContentClasses) != 11 {
		t.Errorf("%d classes", len(AllContentClasses))
	}
	var two []string
	for i, c := range AllContentClasses {
		got, err := ParseContentClass(string(c))
		if err != nil || got != c || c.rank() != i || !strings.HasSuffix(c.Definition(), ".") {
			t.Errorf("%s: %s, %v, rank %d, %q", c, got, err, c.rank(), c.Definition())
		}
		if c.NeedsTwoApprovals() {
			two = append(two, string(c))
		}
	}
	if got := strings.Join(two, " "); got != "repro-steps poc" {
		t.Errorf("two approvals: %s", got)
	}
	refused := map[string]string{"": "choose from advance-note", "POC": `did you mean "poc"`, "root-casue": `did you mean "root-cause"`, "exploit": "choose from"}
	for in, want := range refused {
		if _, err := ParseContentClass(in); KindOf(err) != Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}
