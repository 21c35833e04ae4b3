package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// Data is the path of a file or folder of the real public data, whose folder
// FOREWARN_TEST_DATA names; without it that is ../shared/data beside the module.
// The test is skipped where the data is absent.
func Data(tb testing.TB, elem ...string) string {
	tb.Helper()
	path := filepath.Join(append([]string{DataFolder()}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skip("the test data is absent; set FOREWARN_TEST_DATA to its folder")
	}
	return path
}

// DataFolder is the folder of Data, whether it exists or not.
func DataFolder() string {
	if dir := os.Getenv("FOREWARN_TEST_DATA"); dir != "" {
		return dir
	}
	root := "."
	for range 10 {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		root = filepath.Join(root, "..")
	}
	dir, _ := filepath.Abs(filepath.Join(root, "..", "shared", "data"))
	return dir
}
