package forewarn_test

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// forbiddenTexts may stand in no file of the project: folders of one machine. They
// are written in two halves so that this list is not a finding itself.
var forbiddenTexts = []string{"/wo" + "rk/", "/ro" + "ot/", "/tmp/" + "bash_jobs", "/tmp/" + "brief"}

// TestForbiddenTexts looks through every file that is text, tracked or new.
func TestForbiddenTexts(t *testing.T) {
	for _, name := range filesWith(t) {
		report(t, checkForbiddenTexts(name, read(t, name)))
	}
}

// checkForbiddenTexts takes a text only where it begins a path: "net/work/" and
// an API root "taxii2/root/" are none.
func checkForbiddenTexts(name, text string) []string {
	if strings.Contains(text, "\x00") {
		return nil
	}
	var findings []string
	for i, line := range strings.Split(text, "\n") {
		for _, forbidden := range forbiddenTexts {
			before, _, found := strings.Cut(line, forbidden)
			if found && !regexp.MustCompile(`[\w}]$`).MatchString(before) {
				findings = append(findings, fmt.Sprintf("%s:%d: holds %q, a place on one machine", name, i+1, forbidden))
			}
		}
	}
	return findings
}

// pageRules are what the content security policy of the pages would refuse, or
// what would make a page call another server.
var pageRules = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"srcdoc", regexp.MustCompile(`(?i)\bsrcdoc\b`)},
	{"an inline style", regexp.MustCompile(`(?i)<[a-z][^>]*\sstyle\s*=`)},
	{"an inline handler", regexp.MustCompile(`(?i)<[a-z][^>]*\son[a-z]+\s*=`)},
	{"an asset of another server", regexp.MustCompile(
		`(?i)<(?:link|script|img|iframe|source|video|audio|object|embed|use|base)\b[^>]*\s(?:href|src|srcset|data|poster)\s*=\s*["']?\s*(?:https?:)?//`)},
	{"an asset of another server", regexp.MustCompile(`(?i)(?:url\(|@import)\s*["']?\s*(?:https?:)?//`)},
}

var action = regexp.MustCompile(`(?s)\{\{.*?\}\}`)

// TestPages reads the templates and style sheets of the web pages.
func TestPages(t *testing.T) {
	all := filesWith(t)
	for _, name := range all {
		if slices.Contains([]string{".html", ".gohtml", ".tmpl", ".css"}, path.Ext(name)) && !inTestdata(name) {
			report(t, checkPage(name, read(t, name)))
		}
	}
}

func checkPage(name, text string) []string {
	// Template actions may hold ">" and quotes; only their line breaks are kept.
	text = action.ReplaceAllStringFunc(text, func(a string) string {
		return "x" + strings.Repeat("\n", strings.Count(a, "\n"))
	})
	var findings []string
	for _, rule := range pageRules {
		for _, at := range rule.pattern.FindAllStringIndex(text, -1) {
			line := 1 + strings.Count(text[:at[1]], "\n")
			findings = append(findings, fmt.Sprintf("%s:%d: %s: %.60q", name, line, rule.name, text[at[0]:at[1]]))
		}
	}
	return findings
}

// TestDocumentLinks follows the relative links of every Markdown file.
func TestDocumentLinks(t *testing.T) {
	for _, name := range filesWith(t, ".md") {
		if inTestdata(name) {
			continue
		}
		report(t, checkLinks(name, read(t, name), func(target string) bool {
			_, err := os.Stat(filepath.FromSlash(target))
			return err == nil
		}))
	}
}

var (
	fence      = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	codeSpan   = regexp.MustCompile("`[^`\n]*`")
	inlineLink = regexp.MustCompile(`\]\(<?([^()\s>]+)>?(?:\s+"[^"]*")?\)`)
	linkTarget = regexp.MustCompile(`(?m)^\[[^\]]+\]:\s+<?([^\s>]+)>?`)
	scheme     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
)

func checkLinks(name, text string, exists func(target string) bool) []string {
	text = codeSpan.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
	links := append(inlineLink.FindAllStringSubmatch(text, -1), linkTarget.FindAllStringSubmatch(text, -1)...)
	var findings []string
	for _, link := range links {
		target, _, _ := strings.Cut(link[1], "#")
		if target == "" || scheme.MatchString(target) {
			continue
		}
		resolved := path.Join(path.Dir(name), target)
		if path.IsAbs(target) || resolved == ".." || strings.HasPrefix(resolved, "../") {
			findings = append(findings, fmt.Sprintf("%s: the link %s leads out of the project", name, link[1]))
		} else if !exists(resolved) {
			findings = append(findings, fmt.Sprintf("%s: the link %s leads nowhere", name, link[1]))
		}
	}
	return findings
}

// TestGlossaryNamesCode asks of every name in the glossary's code column that the
// code knows it: types, fields, functions, constants, packages and tables.
func TestGlossaryNamesCode(t *testing.T) {
	known := map[string]bool{}
	for _, s := range goSources(t) {
		if isTest(s.name) {
			continue
		}
		known[strings.TrimPrefix(path.Dir(s.name), "internal/")] = true
		ast.Inspect(s.file, func(n ast.Node) bool {
			if id, is := n.(*ast.Ident); is {
				known[id.Name] = true
			}
			return true
		})
	}
	for _, name := range filesWith(t, ".sql") {
		for _, m := range regexp.MustCompile(`CREATE TABLE (\w+)`).FindAllStringSubmatch(read(t, name), -1) {
			known[m[1]] = true
		}
	}
	report(t, checkGlossary(read(t, "docs/GLOSSARY.md"), known))
}

// checkGlossary looks up each part of the names in the last column.
func checkGlossary(text string, known map[string]bool) (findings []string) {
	for _, row := range regexp.MustCompile("(?m)^\\| .* \\| ([^|]*`[^|]*) \\|$").FindAllStringSubmatch(text, -1) {
		for _, name := range codeSpan.FindAllString(row[1], -1) {
			for _, part := range strings.Split(strings.Trim(name, "`"), ".") {
				if !known[part] {
					findings = append(findings, fmt.Sprintf("docs/GLOSSARY.md: %s: the code knows no %s", name, part))
				}
			}
		}
	}
	return findings
}

// TestDependenciesAreDecided asks of every direct dependency that a decision
// record names it.
func TestDependenciesAreDecided(t *testing.T) {
	var records strings.Builder
	for _, name := range filesWith(t, ".md") {
		if strings.HasPrefix(name, "docs/adr/") {
			records.WriteString(read(t, name))
		}
	}
	report(t, checkDependencies(read(t, "go.mod"), records.String()))
}

var (
	required     = regexp.MustCompile(`(?m)^(?:require)?\s+([^\s()]+) v\S+[ \t]*(//.*)?$`)
	majorVersion = regexp.MustCompile(`/v\d+$`)
)

// checkDependencies takes a dependency as named when its path stands in the
// records, with or without its host "github.com/" and its major version.
func checkDependencies(goMod, records string) []string {
	var findings []string
	for _, m := range required.FindAllStringSubmatch(goMod, -1) {
		if strings.Contains(m[2], "indirect") {
			continue
		}
		short := majorVersion.ReplaceAllString(strings.TrimPrefix(m[1], "github.com/"), "")
		if !strings.Contains(records, short) {
			findings = append(findings, fmt.Sprintf("go.mod needs %s, which no record in docs/adr names: say there why", m[1]))
		}
	}
	return findings
}
