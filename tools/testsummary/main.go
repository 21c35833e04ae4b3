// Command testsummary reads `go test -json` on standard input and prints what a
// person wants of it: the output of each failed test, go's own closing line for
// each package, and at the end which tests were skipped and why.
//
// It ends with status 1 when a test or package failed, when no package reported
// at all, or when a reason for skipping matches the regular expression given
// with -forbid.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// event is one line of test2json; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

type key struct{ pkg, test string }

type skip struct {
	key
	reason string
}

type summary struct {
	w       io.Writer
	output  map[key]*strings.Builder // of tests that have not ended
	skips   []skip
	passed  int
	failed  int             // tests, and packages that failed without one
	blamed  map[string]bool // packages with a failed test
	reports int
}

func main() {
	forbid := flag.String("forbid", "", "fail when a reason for skipping matches this `regexp` (letter case is ignored)")
	flag.Parse()
	var forbidden *regexp.Regexp
	if *forbid != "" {
		forbidden = regexp.MustCompile("(?i)" + *forbid)
	}
	s := newSummary(os.Stdout)
	if err := s.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
	if !s.close(forbidden) {
		os.Exit(1)
	}
}

func newSummary(w io.Writer) *summary {
	return &summary{w: w, output: map[key]*strings.Builder{}, blamed: map[string]bool{}}
}

func (s *summary) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				fmt.Fprintf(s.w, "%s", line) // what go itself says, such as a bad flag
			} else {
				s.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the test output: %w", err)
		}
	}
}

func (s *summary) take(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.w, e.Output)
	case "output":
		if e.Test == "" {
			s.packageOutput(e.Output)
			return
		}
		b := s.output[k]
		if b == nil {
			b = &strings.Builder{}
			s.output[k] = b
		}
		b.WriteString(e.Output)
	case "pass", "fail", "skip":
		s.end(e.Action, k)
	}
}

// packageOutput prints go's closing lines and what stands outside any test
// (a panic, a data race), but not the bare PASS above a closing line.
func (s *summary) packageOutput(text string) {
	if text == "PASS\n" || strings.Contains(text, "[no test files]") {
		return
	}
	fmt.Fprint(s.w, text)
}

func (s *summary) end(action string, k key) {
	if k.test == "" {
		s.reports++
		if action == "fail" {
			if !s.blamed[k.pkg] {
				s.failed++
			}
			s.interrupted(k.pkg)
		}
		return
	}
	text := ""
	if b := s.output[k]; b != nil {
		text = b.String()
		delete(s.output, k)
	}
	switch action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		s.blamed[k.pkg] = true
		fmt.Fprint(s.w, text)
	case "skip":
		s.skips = append(s.skips, skip{k, reason(text)})
	}
}

// interrupted prints the output of tests that were still running when their
// package ended: a panic or a timeout is in there.
func (s *summary) interrupted(pkg string) {
	for k, b := range s.output {
		if k.pkg == pkg {
			fmt.Fprint(s.w, b.String())
			delete(s.output, k)
		}
	}
}

var place = regexp.MustCompile(`^[^ ]+\.go:\d+: `)

// reason takes the message out of a skipped test's output: the last line that is
// not one of the framework's own.
func reason(text string) string {
	last := "no reason given"
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "===") || strings.HasPrefix(line, "---") {
			continue
		}
		last = place.ReplaceAllString(line, "")
	}
	return last
}

// close prints the skipped tests by reason and one line of totals, and reports
// whether the run counts as passed.
func (s *summary) close(forbidden *regexp.Regexp) bool {
	slices.SortFunc(s.skips, func(a, b skip) int {
		return cmp.Or(cmp.Compare(a.reason, b.reason), cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.test, b.test))
	})
	refused := 0
	for i, k := range s.skips {
		if i == 0 || s.skips[i-1].reason != k.reason {
			fmt.Fprintf(s.w, "skipped: %s\n", k.reason)
		}
		fmt.Fprintf(s.w, "    %s %s\n", k.pkg, k.test)
		if forbidden != nil && forbidden.MatchString(k.reason) {
			refused++
		}
	}
	fmt.Fprintf(s.w, "tests: %d passed, %d failed, %d skipped", s.passed, s.failed, len(s.skips))
	if refused > 0 {
		fmt.Fprintf(s.w, " (%d for a reason that is not accepted here)", refused)
	}
	if s.reports == 0 {
		fmt.Fprint(s.w, "; no package reported")
	}
	fmt.Fprintln(s.w)
	return s.failed == 0 && refused == 0 && s.reports > 0
}
