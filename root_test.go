// The root tests are the rules of the house, written as tests. What they read of
// ARCHITECTURE.md is its table "Who may import whom"; the other rules are lists
// at the top of these files. Each rule is a function from text to findings, and
// root_self_test.go shows for each one an example that it must report.
package forewarn_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/forewarn-exchange/forewarn"

// listed is the part of `go list -json` that the rules read. Paths are relative
// to the module; "." is its root.
type listed struct {
	ImportPath string
	Dir        string
	Imports    []string // of non-test files only
}

var goList = sync.OnceValues(func() ([]listed, error) {
	// -e: a package that does not compile yet is still judged by what it imports.
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Imports", "./...").Output()
	if err != nil {
		return nil, err
	}
	var pkgs []listed
	for in := json.NewDecoder(bytes.NewReader(out)); in.More(); {
		var p listed
		if err := in.Decode(&p); err != nil {
			return nil, err
		}
		p.ImportPath = inside(p.ImportPath)
		for i, imported := range p.Imports {
			p.Imports[i] = inside(imported)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
})

// inside makes an import path of this module relative to it ("internal/core",
// "." for the root) and leaves any other as it is.
func inside(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

// projectFiles lists the files of the project by slash paths relative to the
// module root: tracked ones, and new ones that are not ignored.
var projectFiles = sync.OnceValues(func() ([]string, error) {
	out, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return walkFiles() // a source archive without git
	}
	names := strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(name string) bool {
		info, err := os.Lstat(name)
		return err != nil || !info.Mode().IsRegular()
	}), nil
})

func walkFiles() ([]string, error) {
	var names []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", ".bin", "bin", "data", "node_modules"}, name) {
			return fs.SkipDir
		}
		if d.Type().IsRegular() {
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	return names, err
}

// filesWith lists the project's files that have one of the extensions; none
// given means all of them.
func filesWith(t *testing.T, extensions ...string) []string {
	t.Helper()
	all, err := projectFiles()
	if err != nil {
		t.Fatalf("listing the project's files: %v", err)
	}
	var names []string
	for _, name := range all {
		if len(extensions) == 0 || slices.Contains(extensions, path.Ext(name)) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatalf("found no file with any of %q: the list of files is wrong", extensions)
	}
	return names
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.go") }

func inTestdata(name string) bool {
	return strings.HasPrefix(name, "testdata/") || strings.Contains(name, "/testdata/")
}

// report makes each finding an error of its own.
func report(t *testing.T, findings []string) {
	t.Helper()
	for _, finding := range findings {
		t.Error(finding)
	}
}
