package stix_test

// The conformance corpus: testdata/conformance/*.jsonl, one case a line, written
// from the text of the STIX 2.1 OASIS Standard of 10 June 2021. A case is an
// object of
//
//	section      paragraph of the standard, without the sign: "4.7", "6.12.2"
//	level        "must" or "should", as the standard has it
//	expect       "accept": no problem and no warning
//	             "warn":   no problem, and a warning of this code
//	             "refuse": a problem of this code, and none of another
//	requirement  what the standard asks for, in other words than its own
//	code         the code expected (not with accept)
//	at           the JSON path expected of one with that code; may be left out
//	also         further codes that may come with it; may be left out
//	object       the object, or
//	bundle       the bundle, or
//	text         the input of a bundle that is not one, as a string
//
// A case with level must and expect warn is a rule that is milder here than the
// letter of the standard; the requirement says why, or the package comment does.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

type conformanceCase struct {
	Section     string          `json:"section"`
	Level       string          `json:"level"`
	Expect      string          `json:"expect"`
	Requirement string          `json:"requirement"`
	Code        string          `json:"code"`
	At          string          `json:"at"`
	Also        []string        `json:"also"`
	Object      json.RawMessage `json:"object"`
	Bundle      json.RawMessage `json:"bundle"`
	Text        string          `json:"text"`
}

func TestConformance(t *testing.T) {
	files, err := filepath.Glob("testdata/conformance/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	checker := stix.NewChecker(stix.Options{})
	total, codes := make(map[string]int), make(map[string]bool)
	for _, file := range files {
		counts := make(map[string]int)
		for n, line := range linesOf(t, file) {
			var c conformanceCase
			dec := json.NewDecoder(bytes.NewReader(line))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&c); err != nil || c.Section == "" || c.Requirement == "" || c.Level != "must" && c.Level != "should" {
				t.Fatalf("%s:%d: %v", file, n+1, err)
			}
			counts[c.Level+" "+c.Expect]++
			total[c.Level+" "+c.Expect]++
			codes[c.Code] = true
			problems, warnings := c.run(t, checker)
			if fault := c.judge(problems, warnings); fault != "" {
				t.Errorf("%s:%d: §%s, %s: %s\n\tproblems %v\n\twarnings %v\n\t%.300s", filepath.Base(file), n+1, c.Section, c.Requirement, fault,
					problems, warnings, line)
			}
		}
		t.Logf("%-26s %v", filepath.Base(file), counts)
	}
	t.Logf("%-26s %v", "all", total)
	for _, code := range []string{
		stix.RuleSyntax, stix.RuleBundle, stix.RuleTrailing, stix.RuleObject, stix.RuleType, stix.RuleID, stix.RuleIDVersion, stix.RuleIDContent,
		stix.RuleIDReuse, stix.RuleSpecVersion, stix.RuleRequired, stix.RuleRecommended, stix.RuleExclusive, stix.RulePropertyType,
		stix.RulePropertyName, stix.RuleReserved, stix.RuleRange, stix.RuleTimestamp, stix.RuleTimeOrder, stix.RuleVocabulary, stix.RuleForm,
		stix.RuleHash, stix.RuleHex, stix.RuleBinary, stix.RuleLang, stix.RuleDictionary, stix.RuleURL, stix.RuleReference, stix.RuleRef,
		stix.RuleRefType, stix.RuleRelationship, stix.RuleCondition, stix.RuleNotApplicable, stix.RuleDeprecated, stix.RuleCustom,
		stix.RuleExtension, stix.RuleMarking, stix.RuleSelector, stix.RuleTLP, stix.RuleDuplicate, stix.RuleVersioning,
	} {
		if !codes[code] {
			t.Errorf("no case expects %s", code)
		}
	}
}

func (c conformanceCase) run(t *testing.T, k *stix.Checker) (problems, warnings []exchange.Problem) {
	if c.Object != nil {
		r := k.Check(c.Object)
		return r.Problems, r.Warnings
	}
	in := []byte(c.Bundle)
	if c.Bundle == nil {
		in = []byte(c.Text)
	}
	_, sum := scan(t, in, stix.Options{})
	return sum.Problems, sum.Warnings
}

// judge says what is not as expected.
func (c conformanceCase) judge(problems, warnings []exchange.Problem) string {
	list := problems
	switch c.Expect {
	case "accept":
		switch {
		case len(problems) > 0:
			return "it is refused"
		case len(warnings) > 0:
			return "it is warned of"
		}
		return ""
	case "warn":
		if len(problems) > 0 {
			return "it is refused"
		}
		list = warnings
	case "refuse":
	default:
		return "expect is " + c.Expect
	}
	found, placed := false, c.At == ""
	for _, p := range list {
		switch {
		case p.Code == c.Code:
			found = true
			placed = placed || p.Path == c.At
		case !slices.Contains(c.Also, p.Code):
			return "unexpected " + p.Code
		}
		if p.Message == "" || !strings.HasPrefix(p.Path, "$") || p.Section == "" {
			return "it lacks message, path or section"
		}
	}
	switch {
	case !found:
		return "there is no " + c.Code
	case !placed:
		return "no " + c.Code + " is at " + c.At
	}
	return ""
}

func linesOf(t testing.TB, file string) (lines [][]byte) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		lines = append(lines, bytes.Clone(s.Bytes()))
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return lines
}
