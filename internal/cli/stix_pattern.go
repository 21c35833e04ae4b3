package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/format/pattern"
)

// stixPatternCommand is `stix pattern`: it reads one pattern, from its argument or a
// file.
func stixPatternCommand() *cobra.Command {
	var file string
	var ask patternQuestion
	cmd := &cobra.Command{
		Use: "pattern [PATTERN]", Short: "Check a STIX pattern, show its values, and match it against observed data",
		Long: `Check a pattern of the STIX 2.1 patterning language (STIX 2.1 §9), and show its
canonical form and the values that it looks for. An error says where it is, and
what was expected there.

With --match FILE the pattern is evaluated on the observed-data of a bundle; the
answer is yes, with the observed-data that satisfy it together, or no.

With --compare PATTERN both patterns are brought into their normal form. When
those are the same, the patterns match the same observations.

The exit code is 1 when a pattern, or the bundle, is not valid. What the answer
is does not change it.`,
		Example: `  forewarn stix pattern "[domain-name:value = 'example.com']"
  forewarn stix pattern -f pattern.txt --match observed.json --json
  forewarn stix pattern "[a:b IN (1, 2)]" --compare "[a:b = 2 OR a:b = 1]"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 || (len(args) == 1) == (file != "") {
				return errors.New("give one pattern, or a file with one with -f")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			text := ""
			if len(args) == 1 {
				text = args[0]
			} else {
				raw, err := contentOf(cmd, file, 64<<20)
				if err != nil {
					return err
				}
				text = strings.TrimRight(string(raw), "\r\n")
			}
			return showPattern(cmd, text, ask)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "read the pattern from `FILE`; - is standard input")
	cmd.Flags().StringVar(&ask.match, "match", "", "evaluate it on the observed-data of the bundle in `FILE`; - is standard input")
	cmd.Flags().StringVar(&ask.compare, "compare", "", "say whether it is equivalent to this `PATTERN`")
	return cmd
}

// contentOf reads a file, or standard input, of at most most bytes.
func contentOf(cmd *cobra.Command, file string, most int64) ([]byte, error) {
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("reading the file: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	if int64(len(raw)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes; nothing of it was read", file, most)
	}
	return raw, nil
}

// patternQuestion is what is asked of a pattern: the file to match it against,
// and the pattern to compare it with.
type patternQuestion struct{ match, compare string }

// patternAnswer is what --json prints.
type patternAnswer struct {
	Valid       bool                `json:"valid"`
	Canonical   string              `json:"canonical,omitempty"`
	Observables []patternObservable `json:"observables,omitempty"`
	Error       *patternFault       `json:"error,omitempty"`
	Match       *patternMatch       `json:"match,omitempty"`
	Compared    *patternCompared    `json:"compared,omitempty"`
}

type patternObservable struct {
	Type  string `json:"type"`
	Path  string `json:"path"`
	Kind  string `json:"kind,omitempty"`
	Value string `json:"value"`
}

type patternFault struct {
	Offset  int    `json:"offset"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

type patternMatch struct {
	Matched  bool     `json:"matched"`
	Observed []string `json:"observed_data"`
	Searched int      `json:"searched"`
}

type patternCompared struct {
	Equivalent bool   `json:"equivalent"`
	Normal     string `json:"normal"`
	Other      string `json:"other_normal"`
}

func showPattern(cmd *cobra.Command, text string, ask patternQuestion) error {
	p, err := pattern.Parse(text, pattern.Options{})
	if err != nil {
		return patternError(cmd, text, err)
	}
	answer := patternAnswer{Valid: true, Canonical: p.String()}
	for _, o := range p.Observables() {
		answer.Observables = append(answer.Observables, patternObservable{o.ObjectType, o.Path, o.Kind, o.Value})
	}
	if ask.match != "" {
		if answer.Match, err = matchPattern(cmd, p, ask.match); err != nil {
			return fmt.Errorf("whether the pattern matches is not known: %s: %w", ask.match, err)
		}
	}
	if ask.compare != "" {
		if answer.Compared, err = comparePattern(p, ask.compare); err != nil {
			return fmt.Errorf("whether the patterns are equivalent is not known: %w", err)
		}
	}
	out := cmd.OutOrStdout()
	if wantsJSON(cmd) {
		return writeJSON(out, answer)
	}
	return printPattern(out, answer)
}

func printPattern(out io.Writer, answer patternAnswer) error {
	fmt.Fprintln(out, line(answer.Canonical))
	for _, o := range answer.Observables {
		kind := o.Kind
		if kind == "" {
			kind = "-"
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", kind, line(o.Value), line(o.Type+":"+o.Path))
	}
	if m := answer.Match; m != nil && !m.Matched {
		fmt.Fprintf(out, "no match in %d observed-data\n", m.Searched)
	} else if m != nil {
		fmt.Fprintf(out, "match in %d of %d observed-data\n", len(m.Observed), m.Searched)
		for _, id := range m.Observed {
			fmt.Fprintln(out, line(id))
		}
	}
	if c := answer.Compared; c != nil && c.Equivalent {
		fmt.Fprintf(out, "equivalent; normal form: %s\n", line(c.Normal))
	} else if c != nil {
		fmt.Fprintf(out, "not equivalent; normal forms: %s and %s\n", line(c.Normal), line(c.Other))
	}
	return nil
}

func comparePattern(p *pattern.Pattern, text string) (*patternCompared, error) {
	other, err := pattern.Parse(text, pattern.Options{})
	if err != nil {
		return nil, err
	}
	same, err := pattern.Equivalent(p, other)
	if err != nil {
		return nil, err
	}
	c := &patternCompared{Equivalent: same}
	for _, of := range []struct {
		p    *pattern.Pattern
		form *string
	}{{p, &c.Normal}, {other, &c.Other}} {
		n, err := of.p.Normalise()
		if err != nil {
			return nil, err
		}
		*of.form = n.String()
	}
	return c, nil
}

// line makes one space of every character that would move the cursor or hide
// text, so that foreign content stays in its place.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func matchPattern(cmd *cobra.Command, p *pattern.Pattern, file string) (*patternMatch, error) {
	raw, err := contentOf(cmd, file, 1<<30)
	if err != nil {
		return nil, err
	}
	list, err := pattern.ObservationsIn(raw, pattern.MatchOptions{})
	if err != nil {
		return nil, err
	}
	res, err := pattern.Match(p, list, pattern.MatchOptions{})
	if err != nil {
		return nil, err
	}
	return &patternMatch{Matched: res.Matched, Observed: append([]string{}, res.IDs...), Searched: len(list)}, nil
}

// patternError tells a syntax error: with --json as data, else with the line of
// the pattern and a caret below the fault.
func patternError(cmd *cobra.Command, text string, err error) error {
	var e *pattern.SyntaxError
	if !errors.As(err, &e) {
		return err
	}
	if wantsJSON(cmd) {
		fault := &patternFault{e.Offset, e.Line, e.Column, e.Error()}
		if err := writeJSON(cmd.OutOrStdout(), patternAnswer{Error: fault}); err != nil {
			return err
		}
		return e
	}
	return fmt.Errorf("%w\n%s", e, caret(text, e.Offset))
}

// caret is the part of the line around an offset, with a caret below it.
func caret(text string, offset int) string {
	const before, after = 60, 20
	begin := strings.LastIndexByte(text[:offset], '\n') + 1
	end := len(text)
	if n := strings.IndexByte(text[offset:], '\n'); n >= 0 {
		end = offset + n
	}
	left, right := text[begin:offset], text[offset:end]
	if r := []rune(tail(left, 4*before)); len(r) > before {
		left = "…" + string(r[len(r)-before:])
	}
	if r := []rune(right[:min(len(right), 4*after)]); len(r) > after {
		right = string(r[:after]) + "…"
	}
	left, right = line(left), line(right)
	return "  " + left + right + "\n  " + strings.Repeat(" ", utf8.RuneCountInString(left)) + "^"
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
