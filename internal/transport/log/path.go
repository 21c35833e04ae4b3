package log

import (
	"strconv"
	"strings"
)

// numbered takes the number of the log from the front of a path below /log/. The
// first log's paths carry none. ok is false for a number that is not written as
// this package writes it.
func numbered(path string) (number int, rest string, ok bool) {
	if path == "" || path[0] < '0' || path[0] > '9' {
		return 1, path, true
	}
	first, rest, found := strings.Cut(path, "/")
	n, digits := decimal(first, maxNumber)
	return int(n), rest, found && digits && n > 0
}

// maxNumber is far more logs than an exchange ever opens.
const maxNumber = 1 << 20

// decimal reads digits without leading zeros, up to most.
func decimal(s string, most int64) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && n <= most && strconv.FormatInt(n, 10) == s
}

// isTile reports whether a path is one of tlog-tiles, written exactly as the
// standard has it (C2SP tlog-tiles, "Merkle Tree" and "Log entries").
func isTile(path string) bool {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok {
		return false
	}
	level, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return false
	}
	if level != "entries" {
		if _, ok := decimal(level, 63); !ok {
			return false
		}
	}
	if index, width, partial := strings.Cut(rest, ".p/"); partial {
		if n, ok := decimal(width, 255); !ok || n == 0 {
			return false
		}
		rest = index
	}
	return isIndex(rest)
}

// isIndex reports whether s is an index in groups of three digits, all but the last
// beginning with an x, without empty leading groups.
func isIndex(s string) bool {
	const most = 6 // groups: 10^18 tiles
	groups := strings.Split(s, "/")
	if len(groups) > most {
		return false
	}
	for i, g := range groups {
		if i < len(groups)-1 {
			var ok bool
			if g, ok = strings.CutPrefix(g, "x"); !ok {
				return false
			}
		}
		if len(g) != 3 || strings.Trim(g, "0123456789") != "" || i == 0 && g == "000" && len(groups) > 1 {
			return false
		}
	}
	return true
}
