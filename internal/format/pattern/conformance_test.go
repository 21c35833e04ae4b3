package pattern_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/format/pattern"
)

// vector is a line of a file of testdata: where it stands, the section of STIX
// 2.1, and the rest.
type vector struct {
	name, section, rest string
}

// vectors reads a file of testdata and logs how many cases of which sections it has.
func vectors(t testing.TB, file string) []vector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var out []vector
	counts := map[string]int{}
	var sections []string
	for i, line := range strings.Split(string(raw), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		section, rest, _ := strings.Cut(line, " ")
		out = append(out, vector{file + ":" + strconv.Itoa(i+1), section, rest})
		if counts[section]++; counts[section] == 1 {
			sections = append(sections, section)
		}
	}
	slices.Sort(sections)
	var told []string
	for _, s := range sections {
		told = append(told, "§"+s+" "+strconv.Itoa(counts[s]))
	}
	t.Logf("%s: %d cases: %s", file, len(out), strings.Join(told, ", "))
	return out
}

var unprintable = strings.NewReplacer("⏎", "\n", "⇥", "\t")

func TestGrammarVectors(t *testing.T) {
	accepted, refused := 0, 0
	for _, v := range vectors(t, "grammar.txt") {
		verdict, text, _ := strings.Cut(v.rest, " ")
		text = unprintable.Replace(text)
		fault := strings.Index(text, "¦")
		text = strings.Replace(text, "¦", "", 1)
		p, err := pattern.Parse(text, pattern.Options{})
		switch verdict {
		case "ok":
			accepted++
			if err != nil {
				t.Errorf("%s: %s: %v", v.name, text, err)
				continue
			}
			stable(t, p)
		case "no":
			refused++
			var e *pattern.SyntaxError
			if !errors.As(err, &e) {
				t.Errorf("%s: %s: accepted", v.name, text)
				continue
			}
			if e.Offset != fault {
				t.Errorf("%s: %s: the fault is told at %d, not at %d: %v", v.name, text, e.Offset, fault, err)
			}
		default:
			t.Errorf("%s: neither ok nor no", v.name)
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
}

// stable checks that canonical text is canonical, and that the normal form is
// its own normal form.
func stable(t testing.TB, p *pattern.Pattern) {
	t.Helper()
	text := p.String()
	again, err := pattern.Parse(text, pattern.Options{MaxNodes: 1 << 30, MaxBytes: 1 << 30, MaxDepth: 1000, MixedTypes: true})
	if err != nil {
		t.Fatalf("the canonical text is refused: %s: %v", text, err)
	}
	if got := again.String(); got != text {
		t.Fatalf("canonical text changes:\n%s\n%s", text, got)
	}
	n, err := p.Normalise()
	if errors.Is(err, pattern.ErrLimit) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	// Its normal form may need more terms than the pattern itself.
	twice, err := pattern.Parse(n.String(), pattern.Options{MaxNodes: 1 << 30, MaxBytes: 1 << 30, MaxDepth: 1000, MaxTerms: 1 << 30, MixedTypes: true})
	if err != nil {
		t.Fatalf("the normal form is refused: %s: %v", n, err)
	}
	second, err := twice.Normalise()
	if err != nil {
		t.Fatal(err)
	}
	if n.String() != second.String() {
		t.Fatalf("%s: the normal form changes:\n%s\n%s", text, n, second)
	}
}

func TestEquivalenceVectors(t *testing.T) {
	for _, v := range vectors(t, "equivalence.txt") {
		verdict, rest, _ := strings.Cut(v.rest, " ")
		left, right, _ := strings.Cut(rest, " <=> ")
		a, b := parse(t, left), parse(t, right)
		same, err := pattern.Equivalent(a, b)
		if err != nil || same != (verdict == "same") {
			x, _ := a.Normalise()
			y, _ := b.Normalise()
			t.Errorf("%s: %s: equivalent %v, %v\n%s\n%s", v.name, rest, same, err, x, y)
		}
	}
}

func parse(t testing.TB, text string) *pattern.Pattern {
	t.Helper()
	p, err := pattern.Parse(text, pattern.Options{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func observed(t testing.TB, name string) *pattern.Observed {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "observed", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := pattern.ObservationsIn(raw, pattern.MatchOptions{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	in, err := pattern.ReadObservations(list, pattern.MatchOptions{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return in
}

func TestMatchingVectors(t *testing.T) {
	data := map[string]*pattern.Observed{}
	matched, unmatched := 0, 0
	for _, v := range vectors(t, "matching.txt") {
		parts := strings.SplitN(v.rest, " ", 3)
		name, verdict, text := parts[0], parts[1], parts[2]
		if data[name] == nil {
			data[name] = observed(t, name)
		}
		want := pattern.Result{Matched: verdict != "no"}
		if want.Matched {
			matched++
			for s := range strings.SplitSeq(strings.TrimPrefix(verdict, "yes="), ",") {
				n, err := strconv.Atoi(s)
				if err != nil {
					t.Fatalf("%s: %v", v.name, err)
				}
				want.Observations = append(want.Observations, n)
			}
		} else {
			unmatched++
		}
		// The normal form matches what the pattern matches.
		p := parse(t, text)
		n, err := p.Normalise()
		if err != nil {
			t.Fatal(err)
		}
		for i, form := range []*pattern.Pattern{p, n} {
			m, err := pattern.Compile(form)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Match(data[name])
			got.IDs = nil
			if i == 1 && got.Matched && want.Matched {
				continue // by other observations, perhaps
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: %s: %v %s", v.name, form, err, diff)
			}
		}
	}
	t.Logf("%d match, %d do not", matched, unmatched)
}
