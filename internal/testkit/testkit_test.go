package testkit_test

import (
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// Every test that opens a program stands on this charter.
func TestCharterIsComplete(t *testing.T) {
	c := testkit.Charter()
	for _, p := range c.Check(testkit.Start) {
		t.Error(p)
	}
	if c.ID != testkit.Program || c.Owner != testkit.Owner || len(c.Cohorts) != 4 {
		t.Errorf("charter %s of %s with %d cohorts", c.ID, c.Owner, len(c.Cohorts))
	}
	if again := exchange.Diff(c, testkit.Charter()); len(again) > 0 {
		t.Errorf("two copies differ: %v", again)
	}
}
