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
		if !c.Valid() || c.rank() != i || !strings.HasSuffix(c.Definition(), ".") {
			t.Errorf("%s: rank %d, %q", c, c.rank(), c.Definition())
		}
		if c.NeedsTwoApprovals() {
			two = append(two, string(c))
		}
	}
	if got := strings.Join(two, " "); got != "repro-steps poc" {
		t.Errorf("two approvals: %s", got)
	}
	for _, c := range []ContentClass{"", "POC", "exploit"} {
		if c.Valid() || c.Definition() != "" {
			t.Errorf("%q is a class", c)
		}
	}
}
