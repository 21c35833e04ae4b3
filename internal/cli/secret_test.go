package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWriteSecret writes over a file that others may read.
func TestWriteSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("an older and longer content\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil { // whatever the umask took away
		t.Fatal(err)
	}
	if err := writeSecret(file, "fw_x\n"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "fw_x\n" || info.Mode().Perm() != 0o600 {
		t.Errorf("it holds %q with mode %v (%v), want the secret alone and 0600", b, info.Mode(), err)
	}
}
