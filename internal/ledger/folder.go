package ledger

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/durable"
)

// makeDir makes a folder, and durably where it was not there.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(dir))
}

// tilePath is the path of a tile or bundle as C2SP tlog-tiles has it. width 0 is a
// full one.
func tilePath(level int, n int64, width int) string {
	var b strings.Builder
	b.WriteString("tile/entries/")
	if level != bundleLevel {
		b.Reset()
		b.WriteString("tile/" + strconv.Itoa(level) + "/")
	}
	digits := fmt.Sprintf("%03d", n)
	for len(digits)%3 != 0 {
		digits = "0" + digits
	}
	for ; len(digits) > 3; digits = digits[3:] {
		b.WriteString("x" + digits[:3] + "/")
	}
	b.WriteString(digits)
	if width != 0 {
		b.WriteString(".p/" + strconv.Itoa(width))
	}
	return b.String()
}

// parseTilePath is the reverse. It takes no other spelling.
func parseTilePath(path string) (level int, n int64, width int, err error) {
	no := fmt.Errorf("%w: %.80q is no path of a tile", fs.ErrNotExist, path)
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > 80 {
		return 0, 0, 0, no
	}
	name, rest, _ := strings.Cut(rest, "/")
	level = bundleLevel
	if name != "entries" {
		if level, err = strconv.Atoi(name); err != nil || level < 0 || level > 63 {
			return 0, 0, 0, no
		}
	}
	rest, partial, cut := strings.Cut(rest, ".p/")
	if cut {
		if width, err = strconv.Atoi(partial); err != nil || width < 1 || width >= tileWidth {
			return 0, 0, 0, no
		}
	}
	digits := strings.ReplaceAll(strings.ReplaceAll(rest, "/", ""), "x", "")
	if n, err = strconv.ParseInt(digits, 10, 64); err != nil || n < 0 || tilePath(level, n, width) != path {
		return 0, 0, 0, no
	}
	return level, n, width, nil
}
