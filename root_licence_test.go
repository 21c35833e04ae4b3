package forewarn_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// licences are the kinds that a dependency may have, each with words that stand
// in its text. The first that matches names it.
var licences = []struct {
	kind  string
	words []string // all of them, in lower case, with single spaces
}{
	// MPL-2.0 first: its text names the GPL as a secondary licence.
	{"MPL-2.0", []string{"mozilla public license version 2.0"}},
	{"MPL-2.0", []string{"mozilla public license, version 2.0"}},
	{"refused", []string{"gnu general public license"}},
	{"refused", []string{"gnu lesser general public license"}},
	{"refused", []string{"gnu affero general public license"}},
	{"refused", []string{"server side public license"}},
	{"refused", []string{"business source license"}},
	{"refused", []string{"commons clause"}},
	{"refused", []string{"elastic license"}},
	{"refused", []string{"redistribution and use in source and binary forms", "all advertising materials mentioning"}},
	{"Apache-2.0", []string{"apache license", "version 2.0"}},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "endorse or promote products"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}},
	{"ISC", []string{"permission to use, copy, modify, and", "distribute this software", "above copyright notice"}},
	{"0BSD", []string{"permission to use, copy, modify, and", "distribute this software for any purpose"}},
	{"Unlicense", []string{"this is free and unencumbered software released into the public domain"}},
	{"public domain", []string{"dedicated to the public domain"}},
	{"public domain", []string{"are in the public domain"}},
	{"public domain", []string{"disclaims copyright to this source code"}},
}

// npmLicences are the kinds that a package in package-lock.json may have. Fonts
// are embedded as they are; axe is used by tests only.
var npmLicences = []string{"MIT", "ISC", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "MPL-2.0", "OFL-1.1"}

// TestLicences reads the licence files of every module that the program or its
// tests are built from.
func TestLicences(t *testing.T) {
	format := "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}"
	out, err := exec.Command("go", "list", "-e", "-deps", "-test", "-f", format, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dirs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if path, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			dirs[path] = dir
		}
	}
	for _, path := range slices.Sorted(maps.Keys(dirs)) {
		texts, err := licenceTexts(dirs[path])
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		report(t, checkLicence(path, texts))
	}
}

var licenceFile = regexp.MustCompile(`(?i)^(.+[-_.])?(licen[sc]e|copying|unlicense)([-_.].*)?$`)

// licenceTexts returns the licence files at the top of a module by name.
func licenceTexts(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading its folder in the module cache: %w", err)
	}
	texts := map[string]string{}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !licenceFile.MatchString(entry.Name()) || filepath.Ext(entry.Name()) == ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		texts[entry.Name()] = string(text)
	}
	return texts, nil
}

// checkLicence asks for at least one licence of an allowed kind and none that is
// refused. Further files (of parts, of the Go project) may be of a kind unknown.
func checkLicence(module string, texts map[string]string) []string {
	if len(texts) == 0 {
		return []string{module + " has no licence file"}
	}
	var kinds, findings []string
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		kind := licenceKind(texts[name])
		if kind == "refused" {
			findings = append(findings, fmt.Sprintf("%s: the licence in %s is not allowed here", module, name))
		}
		if kind != "" {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		findings = append(findings, fmt.Sprintf("%s: unknown licence in %q", module, slices.Sorted(maps.Keys(texts))))
	}
	return findings
}

func licenceKind(text string) string {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
	for _, licence := range licences {
		missing := func(word string) bool { return !strings.Contains(text, word) }
		if !slices.ContainsFunc(licence.words, missing) {
			return licence.kind
		}
	}
	return ""
}

// TestPackageLock holds npm's packages to their licences, and the lock file to
// hashes without the address of a registry, so that any mirror serves it.
func TestPackageLock(t *testing.T) {
	report(t, checkPackageLock(read(t, "package-lock.json")))
}

func checkPackageLock(text string) []string {
	var lock struct {
		Packages map[string]struct{ License, Integrity, Resolved string }
	}
	if err := json.Unmarshal([]byte(text), &lock); err != nil {
		return []string{"package-lock.json: " + err.Error()}
	}
	var findings []string
	for _, name := range slices.Sorted(maps.Keys(lock.Packages)) {
		p := lock.Packages[name]
		if name == "" {
			continue // the project itself
		}
		if !slices.Contains(npmLicences, p.License) {
			findings = append(findings, fmt.Sprintf("package-lock.json: %s: the licence %q is not allowed here", name, p.License))
		}
		if p.Integrity == "" {
			findings = append(findings, fmt.Sprintf("package-lock.json: %s has no hash", name))
		}
		if p.Resolved != "" {
			findings = append(findings, fmt.Sprintf("package-lock.json: %s names a registry; .npmrc should keep it out", name))
		}
	}
	return findings
}
