package observable

import "strings"

// fanged undoes the ways in which a dot, a colon and the sign "at" are written so
// that nobody follows a link by mistake.
var fanged = strings.NewReplacer(
	"[.]", ".", "(.)", ".", "{.}", ".", "[.", ".", ".]", ".", "\\.", ".",
	"[dot]", ".", "(dot)", ".", "{dot}", ".", "[DOT]", ".", "(DOT)", ".", "{DOT}", ".", "[d]", ".",
	"[:]", ":", "(:)", ":", "{:}", ":", "[://]", "://", "[:/]", ":/", "[:", ":",
	"[/]", "/", "[@]", "@", "(@)", "@", "{@}", "@",
	"[at]", "@", "(at)", "@", "{at}", "@", "[AT]", "@", "(AT)", "@", "{AT}", "@",
)

// refang undoes what was done to a value so that nobody follows it by mistake.
// An IPv6 address keeps its brackets.
func refang(s string) string {
	if !bracketed(s) {
		s = fanged.Replace(s)
	}
	if len(s) > 4 && strings.EqualFold(s[:4], "hxxp") {
		s = "http" + s[4:]
	} else if len(s) > 4 && strings.EqualFold(s[:4], "fxp:") {
		s = "ftp:" + s[4:]
	}
	return s
}

// bracketed reports whether s begins with an IPv6 address in brackets.
func bracketed(s string) bool {
	end := strings.IndexByte(s, ']')
	return s[0] == '[' && end > 3 && strings.Count(s[:end], ":") > 1
}
