package contribution_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// edge is a relationship between two indicators.
func edge(n, from, to int) string {
	return fmt.Sprintf(`{"type":"relationship","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",`+
		`"relationship_type":"related-to","source_ref":%q,"target_ref":%q}`, stixtest.ID("relationship", 99, n), id(from), id(to))
}

func marked(l exchange.TLP) string { return `,"object_marking_refs":["` + stixtest.MarkingID(l) + `"]` }

// A relationship stands in the view of who sees both of its ends. What a member
// wrote itself it keeps, so that nobody finds out by writing what the program
// holds; and what a reader was given before its end came stays as it was.
func TestEdgesOfMembers(t *testing.T) {
	w := newWorld(t, []exchange.CohortID{early}, []exchange.CohortID{early, standard})
	a, b, c := w.writer(servertest.EarlyA), w.writer(servertest.EarlyB), w.writer(servertest.Standard)
	sees := func(what string, who exchange.Actor, want ...string) {
		t.Helper()
		same(t, what, w.read(who), want...)
	}
	one, two := indicator(1, v(1), ""), indicator(2, v(1), "")
	red := indicator(3, v(1), marked(exchange.TLPRed))
	plain, early := edge(1, 1, 2), edge(2, 1, 4)
	w.must(a, 4, 0, plain, one, two, early) // object 4 is not there
	sees("both ends are there", b, plain, one, two, early)

	// In one request the relationship may stand before its end.
	toRed := edge(3, 1, 3)
	w.must(a, 2, 0, toRed, red)
	sees("an end is red", b, plain, one, two, early)
	sees("an end is red, to another cohort", c, plain, one, two, early)
	sees("its writer", a, plain, one, two, early, toRed)

	// Object 4 comes, and is red: what was given before tells nothing of it.
	four := indicator(4, v(1), marked(exchange.TLPRed))
	w.must(a, 1, 0, four)
	later := edge(4, 4, 2)
	w.must(a, 1, 0, later)
	sees("what was given before stays", b, plain, one, two, early)
	sees("its writer again", a, plain, one, two, early, toRed, later)

	// Who guesses what the program holds does not find out.
	guess, wrong := edge(5, 2, 3), edge(6, 2, 77)
	w.must(b, 2, 0, guess, wrong)
	sees("who guesses", b, plain, one, two, early, guess, wrong)
	sees("the others", c, plain, one, two, early, wrong)

	// The end becomes visible in another version, and leaves again.
	open := indicator(3, v(2), "")
	w.must(a, 1, 0, open)
	sees("the end opens", c, plain, one, two, early, toRed, guess, wrong, open)
	if err := w.X.Contributions.Remove(t.Context(), a, testkit.Program, id(1), nil); err != nil {
		t.Fatal(err)
	}
	sees("an end is taken out", c, two, guess, wrong, open)
	for _, raw := range w.read(c) {
		if strings.Contains(raw, id(1)) {
			t.Errorf("%s", raw)
		}
	}
}
