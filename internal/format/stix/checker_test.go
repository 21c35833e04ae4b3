package stix_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// fullObjects are the accepted objects of the conformance corpus.
func fullObjects(tb testing.TB) map[string]bool {
	tb.Helper()
	files, err := filepath.Glob("testdata/conformance/*.jsonl")
	if err != nil || len(files) == 0 {
		tb.Fatal(files, err)
	}
	objects := make(map[string]bool)
	for _, file := range files {
		for _, line := range linesOf(tb, file) {
			var c conformanceCase
			if err := json.Unmarshal(line, &c); err != nil {
				tb.Fatal(err)
			}
			if c.Object != nil && c.Expect == "accept" {
				objects[string(c.Object)] = true
			}
		}
	}
	return objects
}

// One checker gives for each object what a new one gives, whatever it read
// before, and what a bundle of the object gives.
func TestCheckerIsReusable(t *testing.T) {
	k := stix.NewChecker(stix.Options{})
	inputs := []string{`{"type":"x`, `[]`, "", sdo("identity", ""), sco("url", `"value":"x"`), `{"a":1,"a":2}`, sdo("identity", named) + " x"}
	for o := range fullObjects(t) {
		inputs = append(inputs, o)
	}
	for range 2 {
		for _, in := range inputs {
			want := stix.NewChecker(stix.Options{}).Check([]byte(in))
			got := k.Check([]byte(in))
			if diff := cmp.Diff(listOf(want), listOf(got)); diff != "" || want.Object.ID != got.Object.ID {
				t.Fatalf("%s\n%s", in, diff)
			}
		}
	}
	for in := range fullObjects(t) {
		_, sum := scan(t, []byte(bundle(in)), stix.Options{})
		if r := k.Check([]byte(in)); sum.ProblemCount+sum.WarningCount > 0 || r.ProblemCount+r.WarningCount > 0 {
			t.Errorf("%s\n%v %v %v", in, sum.Problems, sum.Warnings, r.Warnings)
		}
	}
}

// listOf is all that a report tells, in one list.
func listOf(r stix.Report) []exchange.Problem {
	return append(append([]exchange.Problem(nil), r.Problems...), r.Warnings...)
}

func TestWarningsAreBounded(t *testing.T) {
	many := make([]string, 300)
	for i := range many {
		many[i] = strings.Replace(sdo("identity", named+`,"other":1`), uuid[:8], strings.Repeat("a", 5)+string(rune('0'+i/100))+string(rune('0'+i/10%10))+string(rune('0'+i%10)), 1)
	}
	objects, sum := scan(t, []byte(bundle(many...)), stix.Options{})
	if len(objects) != 300 || sum.ProblemCount > 0 || sum.WarningCount != 600 || len(sum.Warnings) != 50 || sum.WarningCodes[stix.RuleCustom] != 600 {
		t.Errorf("%d objects, %d warnings, %d listed, %v", len(objects), sum.WarningCount, len(sum.Warnings), sum.WarningCodes)
	}
	want := exchange.Problem{
		Path: "$.objects[0].other", Code: stix.RuleCustom, Section: "STIX 2.1 §11.1.1",
		Message: "the names of custom properties should start with x_", Object: "identity--aaaaa000" + uuid[8:],
	}
	if diff := cmp.Diff(want, sum.Warnings[1]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	_, sum = scan(t, []byte(bundle(many...)), stix.Options{MaxWarnings: 7})
	if len(sum.Warnings) != 7 || sum.WarningCount != 600 {
		t.Errorf("%d of %d warnings listed", len(sum.Warnings), sum.WarningCount)
	}
	_, sum = scan(t, []byte(bundle(many...)), stix.Options{MaxWarnings: -1})
	if len(sum.Warnings) != 0 || sum.WarningCount != 600 {
		t.Errorf("%d of %d warnings listed", len(sum.Warnings), sum.WarningCount)
	}
}

func TestPatternSeam(t *testing.T) {
	const times = `,"valid_from":"2026-01-01T00:00:00Z","name":"n","description":"d"`
	var asked []string
	k := stix.NewChecker(stix.Options{Pattern: func(p []byte) error {
		asked = append(asked, string(p))
		if len(p) > 3 {
			return errors.New("no pattern at 4")
		}
		return nil
	}})
	for _, c := range []struct{ members, want string }{
		{`"pattern":"\u005ba]","pattern_type":"stix"`, ""},
		{`"pattern":"[a:b]","pattern_type":"stix"`, "stix.pattern $.pattern no pattern at 4"},
		{`"pattern":"alert tcp","pattern_type":"snort"`, ""},
		{`"pattern":7,"pattern_type":"stix"`, "stix.property-type $.pattern pattern has to be a string"},
	} {
		var got []string
		for _, p := range k.Check([]byte(sdo("indicator", c.members+times))).Problems {
			got = append(got, p.Code+" "+p.Path+" "+p.Message)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", c.members, got, c.want)
		}
	}
	if diff := cmp.Diff([]string{"[a]", "[a:b]"}, asked); diff != "" {
		t.Errorf("patterns asked for (-want +got)\n%s", diff)
	}
}

// A sound object without warnings costs one allocation: its id and name.
func TestCheckerAllocations(t *testing.T) {
	k := stix.NewChecker(stix.Options{})
	in := []byte(sdo("malware", `"is_family":true,"name":"a","malware_types":["trojan"],"kill_chain_phases":[{"kill_chain_name":"a","phase_name":"b"}]`))
	k.Check(in)
	if n := testing.AllocsPerRun(100, func() { k.Check(in) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
