package forewarn_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// rowsHeading is the section of ARCHITECTURE.md whose table is the rule.
const rowsHeading = "## Who may import whom"

// row is one line of the table. A pattern is a path in the module: exact
// ("internal/core"), its children ("internal/exchange/*"), or it and everything
// beneath ("internal/format/..."). The most specific row governs a package.
type row struct {
	pattern   string
	may       []string // patterns inside the module
	refused   []string // packages outside it
	testsOnly bool     // only tests may import it
}

func (r row) String() string {
	only := ""
	if r.testsOnly {
		only = "tests"
	}
	cell := func(list []string) string { return strings.Join(list, ", ") }
	return fmt.Sprintf("| %s | %s | %s | %s |", r.pattern, cell(r.may), cell(r.refused), only)
}

// TestImports holds every package to its row: what it imports of this module,
// which packages it must not import, and which ones only tests may import.
func TestImports(t *testing.T) {
	rows, err := parseRows(read(t, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	pkgs, err := goList()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	report(t, checkImports(rows, pkgs))
}

func parseRows(text string) ([]row, error) {
	_, section, found := strings.Cut(text, rowsHeading+"\n")
	if !found {
		return nil, fmt.Errorf("ARCHITECTURE.md has no section %q", rowsHeading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var rows []row
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") || strings.HasPrefix(line, "| package ") {
			continue
		}
		if len(cells) != 6 {
			return nil, fmt.Errorf("a row of the import table has four cells: %s", strings.TrimSpace(line))
		}
		only := cellItems(cells[4])
		if len(only) > 0 && !slices.Equal(only, []string{"tests"}) {
			return nil, fmt.Errorf("the last cell is empty or \"tests\": %s", strings.TrimSpace(line))
		}
		rows = append(rows, row{
			pattern:   strings.Join(cellItems(cells[1]), ""),
			may:       cellItems(cells[2]),
			refused:   cellItems(cells[3]),
			testsOnly: len(only) > 0,
		})
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("the section %q holds no table", rowsHeading)
	}
	return rows, nil
}

// cellItems splits a cell at its commas; backquotes, "-" and "–" mean nothing.
func cellItems(cell string) []string {
	var items []string
	for item := range strings.SplitSeq(cell, ",") {
		item = strings.Trim(item, " `")
		if item != "" && item != "-" && item != "–" {
			items = append(items, item)
		}
	}
	return items
}

func matches(pattern, pkg string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	if base, ok := strings.CutSuffix(pattern, "/*"); ok {
		rest, ok := strings.CutPrefix(pkg, base+"/")
		return ok && !strings.Contains(rest, "/")
	}
	return pattern == pkg
}

// weight orders patterns that match the same package: the longer path first,
// then exact before children before everything beneath.
func weight(pattern string) int {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return 3 * len(base)
	}
	if base, ok := strings.CutSuffix(pattern, "/*"); ok {
		return 3*len(base) + 1
	}
	return 3*len(pattern) + 2
}

// governing returns the index of the row that holds for a package, or -1.
func governing(rows []row, pkg string) int {
	best := -1
	for i, r := range rows {
		if matches(r.pattern, pkg) && (best < 0 || weight(r.pattern) > weight(rows[best].pattern)) {
			best = i
		}
	}
	return best
}

func checkImports(rows []row, pkgs []listed) []string {
	var findings []string
	used := make([]map[string]bool, len(rows)) // the patterns that an import needs; nil without a package
	for _, p := range pkgs {
		i := governing(rows, p.ImportPath)
		if i < 0 {
			findings = append(findings, missingRow(p))
			continue
		}
		if used[i] == nil {
			used[i] = map[string]bool{}
		}
		for _, imported := range p.Imports {
			for _, pattern := range rows[i].may {
				if matches(pattern, imported) {
					used[i][pattern] = true
				}
			}
			if breach := judge(rows, rows[i], p.ImportPath, imported); breach != "" {
				findings = append(findings, fmt.Sprintf("%s %s\n\tits row in ARCHITECTURE.md: %s", p.ImportPath, breach, rows[i]))
			}
		}
	}
	for i, r := range rows {
		if used[i] == nil {
			findings = append(findings, fmt.Sprintf("no package is governed by this row of ARCHITECTURE.md; take it out:\n\t%s", r))
			continue
		}
		for _, pattern := range r.may {
			if !used[i][pattern] {
				findings = append(findings, fmt.Sprintf("ARCHITECTURE.md: nothing under %s imports %s; take it out", r.pattern, pattern))
			}
		}
	}
	return findings
}

// judge says what is wrong with one import, or nothing.
func judge(rows []row, r row, pkg, imported string) string {
	if slices.Contains(r.refused, imported) {
		return "imports " + imported + ", which is refused to it"
	}
	if !isInside(imported) {
		return ""
	}
	if !slices.ContainsFunc(r.may, func(pattern string) bool { return matches(pattern, imported) }) {
		return "imports " + imported + ", which it may not"
	}
	if target := governing(rows, imported); target >= 0 && rows[target].testsOnly && !r.testsOnly {
		return "imports " + imported + ", which is for tests only"
	}
	return ""
}

// isInside reports whether a path that went through inside names a package of
// this module. The module's top folders with code are cmd and internal.
func isInside(importPath string) bool {
	return importPath == "." || strings.HasPrefix(importPath, "cmd/") || strings.HasPrefix(importPath, "internal/")
}

// missingRow says which line to add for a package without a row, with what it
// imports today.
func missingRow(p listed) string {
	want := row{pattern: p.ImportPath}
	for _, imported := range p.Imports {
		if isInside(imported) {
			want.may = append(want.may, imported)
		}
	}
	return fmt.Sprintf("%s has no row in ARCHITECTURE.md; add, with no more than it needs:\n\t%s", p.ImportPath, want)
}
