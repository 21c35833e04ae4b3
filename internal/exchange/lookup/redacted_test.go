package lookup_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// A value that is withheld of an object leads nobody to it from whom it is
// withheld; one that is left leads to the copy.
func TestValuesOfCopies(t *testing.T) {
	w := servertest.New(t)
	t0 := w.Clock.Now().Add(20 * 24 * time.Hour)
	file := servertest.Thing{
		ID: stixtest.ID("file", 700, 1), Grains: map[exchange.TLP][]string{exchange.TLPRed: {"name"}},
		More: `"name":"canary.exe","hashes":{"SHA-256":"` + strings.Repeat("ab", 32) + `"},"x_value":1,"x_more":{"value":"no"}`,
	}
	pattern := servertest.Thing{
		ID: stixtest.ID("indicator", 700, 2), Grains: map[exchange.TLP][]string{exchange.TLPRed: {"pattern"}},
		More: `"pattern":"[domain-name:value = 'canary.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"`,
	}
	sighted := servertest.Thing{
		ID:   stixtest.ID("malware", 700, 3),
		More: fmt.Sprintf(`"name":"Canary family","is_family":true,"sample_refs":[%q]`, file.ID),
	}
	held := servertest.Thing{ID: stixtest.ID("indicator", 700, 4), More: `"pattern":"[domain-name:value = 'held.example']","pattern_type":"stix",` +
		`"valid_from":"2026-01-01T00:00:00Z","granular_markings":[{"marking_ref":"` + servertest.Unresolved + `","selectors":["pattern"]}]`}
	things := []servertest.Thing{file, pattern, sighted, held}
	r := w.Draft("Values", t0)
	w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Graph(9, things...), servertest.Label(exchange.TLPAmber), func(in *submission.Input) {
		in.Handling.Persons = []exchange.PersonID{w.Reader(servertest.EarlyB).Person}
	})
	w.Arm(r.ID)
	w.Clock.Set(t0)
	values := []string{"canary.exe", strings.Repeat("AB", 32), "canary.example", "canary family", "held.example"}
	told := func(a exchange.Actor) (out []string) {
		for _, k := range ask(t, w, a, values...).Known {
			for _, m := range k.Matches {
				out = append(out, fmt.Sprint(k.Index, " ", m.Object.ID))
				if text := string(m.Object.Raw); a.Org == servertest.EarlyA && (strings.Contains(text, "canary.exe") || strings.Contains(text, file.ID)) {
					t.Errorf("%s", text)
				}
			}
		}
		return out
	}
	all := told(w.Reader(servertest.EarlyB))
	if want := []string{"0 " + file.ID, "1 " + file.ID, "2 " + pattern.ID, "3 " + sighted.ID}; fmt.Sprint(all) != fmt.Sprint(want) {
		t.Errorf("who may have all is told %q, want %q", all, want)
	}
	some := told(w.Machine(servertest.EarlyA))
	if len(some) != 2 || !strings.HasPrefix(some[0], "1 file--") || !strings.HasPrefix(some[1], "3 malware--") {
		t.Fatalf("the others are told %q", some)
	}
	if some[0] == all[1] || some[1] == all[3] {
		t.Errorf("a copy bears the identifier of the original: %q", some)
	}

	// What a marking holds that nobody understands is found by those alone who run
	// the program, until they have said what it asks.
	last := func(a exchange.Actor) string {
		all := told(a)
		return all[len(all)-1]
	}
	found := "4 " + held.ID
	if got := last(w.Operator); got != found {
		t.Errorf("who runs the program is told %q last, want %q", got, found)
	}
	if _, err := w.X.Submissions.ResolveMarking(t.Context(), w.Operator, testkit.Program, servertest.Unresolved, exchange.Handling{TLP: exchange.TLPGreen}, "known"); err != nil {
		t.Fatal(err)
	}
	for who, a := range map[string]exchange.Actor{"who may have all": w.Reader(servertest.EarlyB), "a machine": w.Machine(servertest.EarlyA)} {
		if got := last(a); got != found {
			t.Errorf("%s is then told %q last, want %q", who, got, found)
		}
	}
}
