package verify_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestNeedsNothingOfTheServer: who verifies needs this package, the standard library
// and two packages of golang.org/x/mod, and nothing among them that opens a connection
// or a database. Files are read and written by whoever calls: os comes in with fmt
// alone, and is not imported here.
func TestNeedsNothingOfTheServer(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{.ImportPath}} {{.Standard}}", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const own = "github.com/forewarn-exchange/forewarn/verify"
	allowed := []string{own, "golang.org/x/mod/sumdb/note", "golang.org/x/mod/sumdb/tlog", "golang.org/x/mod/internal/lazyregexp"}
	never := []string{"net", "net/http", "crypto/tls", "database/sql", "os/exec", "os/user", "plugin", "testing", "log/slog"}
	seen := 0
	for l := range strings.Lines(string(out)) {
		path, standard, _ := strings.Cut(strings.TrimSpace(l), " ")
		seen++
		if standard != "true" && !slices.Contains(allowed, path) {
			t.Errorf("needs %s", path)
		}
		if slices.Contains(never, path) {
			t.Errorf("needs %s", path)
		}
	}
	if seen < 20 {
		t.Errorf("only %d packages listed", seen)
	}
	out, err = exec.CommandContext(t.Context(), "go", "list", "-f", `{{join .Imports "\n"}}`, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, path := range strings.Fields(string(out)) {
		if slices.Contains([]string{"os", "syscall", "unsafe", "path/filepath", "reflect", "time/tzdata"}, path) {
			t.Errorf("imports %s", path)
		}
	}
}
