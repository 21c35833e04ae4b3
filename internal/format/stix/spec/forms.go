package spec

import (
	"bytes"
	"net/netip"
	"strings"
)

// Verdict is what Check says of a text.
type Verdict uint8

// The verdicts: Odd goes against a SHOULD, Wrong against a MUST.
const (
	Fine Verdict = iota
	Odd
	Wrong
)

// Check looks at the form of a text that stands where the form is asked for.
func (f Form) Check(b []byte) Verdict {
	switch f {
	case IPv4:
		return must(validAddr(b, true))
	case IPv6:
		return must(validAddr(b, false))
	case MAC:
		return must(validMAC(b))
	case Domain:
		return checkDomain(b)
	case Email:
		return must(validEmail(b))
	case URL:
		return must(ValidURL(b))
	case URLS:
		return should(ValidURL(b))
	case Registry:
		return must(!shortHive(b))
	case Phase, Product:
		return should(only(b, "abcdefghijklmnopqrstuvwxyz0123456789-.+"))
	case Country:
		return should(Countries[string(bytes.ToLower(b))])
	case Area:
		return should(validArea(b))
	case Relation:
		return must(len(b) > 0 && only(b, "abcdefghijklmnopqrstuvwxyz0123456789-"))
	case Priority:
		return should(bytes.HasSuffix(b, []byte("_CLASS")))
	case LowerCase:
		return should(!bytes.ContainsFunc(b, func(r rune) bool { return r >= 'A' && r <= 'Z' }))
	case PropertyName:
		return must(ValidProperty(b))
	case CPE:
		return must(validCPE(b))
	case Decoded:
		return must(!encodedWord(b))
	case Charset:
		return must(len(b) > 0 && len(b) <= 45 && only(b, alphanumeric+"-_.:+()"))
	case MIME:
		kind, sub, ok := bytes.Cut(b, []byte{'/'})
		return should(ok && len(kind) > 0 && len(sub) > 0 && only(kind, alphanumeric+mimeSigns) && only(sub, alphanumeric+mimeSigns))
	}
	return Fine
}

const (
	alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	mimeSigns    = "!#$&-^_.+" // RFC 6838 §4.2
)

func must(ok bool) Verdict {
	if ok {
		return Fine
	}
	return Wrong
}

func should(ok bool) Verdict {
	if ok {
		return Fine
	}
	return Odd
}

func only(b []byte, chars string) bool {
	for _, c := range b {
		if strings.IndexByte(chars, c) < 0 {
			return false
		}
	}
	return true
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' }
func digit(c byte) bool { return c >= '0' && c <= '9' }
func alpha(c byte) bool { return lower(c | 0x20) }

// ValidProperty reports whether b may be the name of a property: 3 to 250 of
// a–z, 0–9 and underscore, the first a letter (§3.1, §11.1.1, §11.2.1). The
// standard itself has id, which no table asks this of.
func ValidProperty(b []byte) bool {
	if len(b) < 3 || len(b) > 250 || !lower(b[0]) {
		return false
	}
	for _, c := range b {
		if !lower(c) && !digit(c) && c != '_' {
			return false
		}
	}
	return true
}

// ValidKey reports whether b may be the key of a dictionary (§2.3) and, with
// least 3, of hashes (§2.7).
func ValidKey(b []byte, least int) bool {
	if len(b) < least || len(b) > 250 {
		return false
	}
	for _, c := range b {
		if !alpha(c) && !digit(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// ValidExtensionName reports whether b may name a custom extension (§11.3.1).
func ValidExtensionName(b []byte) bool {
	return len(b) >= 3 && len(b) <= 250 && only(b, "abcdefghijklmnopqrstuvwxyz0123456789-") && bytes.HasSuffix(b, []byte("-ext"))
}

func validAddr(b []byte, v4 bool) bool {
	addr, bits, block := bytes.Cut(b, []byte{'/'})
	most := 32
	if v4 {
		if !validIPv4(addr) {
			return false
		}
	} else {
		most = 128
		if a, err := netip.ParseAddr(string(addr)); err != nil || !a.Is6() || a.Zone() != "" {
			return false
		}
	}
	if !block {
		return true
	}
	n, ok := number(bits)
	return ok && n <= most
}

func validIPv4(b []byte) bool {
	for i := range 4 {
		part, rest, more := bytes.Cut(b, []byte{'.'})
		if n, ok := number(part); !ok || n > 255 || more == (i == 3) {
			return false
		}
		b = rest
	}
	return true
}

func number(b []byte) (n int, ok bool) {
	if len(b) == 0 || len(b) > 5 || len(b) > 1 && b[0] == '0' {
		return 0, false
	}
	for _, c := range b {
		if !digit(c) {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func validMAC(b []byte) bool {
	if len(b) != 17 {
		return false
	}
	for i, c := range b {
		if i%3 == 2 {
			if c != ':' {
				return false
			}
		} else if !digit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// checkDomain reads names by RFC 1034 §3.5 and RFC 5890 §2.3: labels of at most
// 63 characters of letters, digits and hyphens, or Unicode. Underscores stand in
// names of services, so they are only odd.
func checkDomain(b []byte) Verdict {
	b = bytes.TrimSuffix(b, []byte{'.'})
	if len(b) == 0 || len(b) > 253 {
		return Wrong
	}
	v := Fine
	for label := range bytes.SplitSeq(b, []byte{'.'}) {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return Wrong
		}
		for _, c := range label {
			switch {
			case alpha(c), digit(c), c == '-', c >= 0x80:
			case c == '_':
				v = Odd
			default:
				return Wrong
			}
		}
	}
	return v
}

// validEmail is a quick look at RFC 5322's addr-spec: something, @, something,
// and nothing of a display name around it.
func validEmail(b []byte) bool {
	at := bytes.LastIndexByte(b, '@')
	if at < 1 || at == len(b)-1 {
		return false
	}
	if b[0] == '"' && b[at-1] == '"' {
		return !bytes.ContainsAny(b[at:], " <>\"")
	}
	return !bytes.ContainsAny(b, " <>\",;:\\\t\r\n") || bytes.HasPrefix(b[at+1:], []byte("[")) && !bytes.ContainsAny(b, " <>")
}

// urlByte is 1 for what a URI is written with (RFC 3986 §2).
var urlByte = func() (t [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#[]@!$&'()*+,;=%") {
		t[c] = true
	}
	return t
}()

// ValidURL reports whether b is a URI with a scheme and something behind it.
func ValidURL(b []byte) bool {
	colon := bytes.IndexByte(b, ':')
	if colon < 1 || colon == len(b)-1 || !alpha(b[0]) {
		return false
	}
	for _, c := range b[:colon] {
		if !alpha(c) && !digit(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	for i := colon + 1; i < len(b); i++ {
		if !urlByte[b[i]] {
			return false
		}
		if b[i] == '%' && (i+2 >= len(b) || !hexDigit(b[i+1]) || !hexDigit(b[i+2])) {
			return false
		}
	}
	return true
}

func hexDigit(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// shortHive reports whether a registry key starts with a hive's short name.
func shortHive(b []byte) bool {
	hive, _, _ := bytes.Cut(b, []byte{'\\'})
	if len(hive) > 4 {
		return false
	}
	switch string(bytes.ToUpper(hive)) {
	case "HKLM", "HKCU", "HKCR", "HKU", "HKCC", "HKPD":
		return true
	}
	return false
}

// validArea reports whether b has the form of ISO 3166-2: a country, a hyphen
// and one to three letters or digits.
func validArea(b []byte) bool {
	if len(b) < 4 || len(b) > 6 || b[2] != '-' || !Countries[string(bytes.ToLower(b[:2]))] {
		return false
	}
	for _, c := range b[3:] {
		if !alpha(c) && !digit(c) {
			return false
		}
	}
	return true
}

// validCPE reports whether b is a formatted string of CPE 2.3: eleven parts
// behind the prefix, of which the first says what it is.
func validCPE(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, []byte("cpe:2.3:"))
	if !ok || len(rest) < 2 || !strings.ContainsRune("aoh*-", rune(rest[0])) || rest[1] != ':' {
		return false
	}
	colons := 0
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case ':':
			colons++
		}
	}
	return colons == 10
}

// encodedWord reports whether b starts with an encoded word of RFC 2047.
func encodedWord(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, []byte("=?"))
	if !ok {
		return false
	}
	_, rest, ok = bytes.Cut(rest, []byte{'?'})
	return ok && len(rest) > 3 && strings.ContainsRune("qQbB", rune(rest[0])) && rest[1] == '?' && bytes.Contains(rest, []byte("?="))
}

// ValidHash reports whether b has the form of a hash by the algorithm: the
// right number of hexadecimal digits, and the forms of SSDEEP and TLSH. known
// says whether the algorithm is in the vocabulary.
func ValidHash(algorithm, b []byte) (valid, known bool) {
	n := 0
	switch string(algorithm) {
	case "MD5":
		n = 32
	case "SHA-1":
		n = 40
	case "SHA-256", "SHA3-256":
		n = 64
	case "SHA-512", "SHA3-512":
		n = 128
	case "SSDEEP":
		return validSSDEEP(b), true
	case "TLSH":
		if len(b) == 72 && b[0] == 'T' && digit(b[1]) {
			b = b[2:]
		}
		n = 70
	default:
		return true, false
	}
	return len(b) == n && allHex(b), true
}

func allHex(b []byte) bool {
	for _, c := range b {
		if !hexDigit(c) {
			return false
		}
	}
	return true
}

// validSSDEEP reads "block size:hash:hash".
func validSSDEEP(b []byte) bool {
	size, rest, ok := bytes.Cut(b, []byte{':'})
	first, second, ok2 := bytes.Cut(rest, []byte{':'})
	if !ok || !ok2 || len(size) == 0 || len(size) > 12 || len(first) > 64 || len(second) > 64 {
		return false
	}
	for _, c := range size {
		if !digit(c) {
			return false
		}
	}
	for _, part := range [2][]byte{first, second} {
		for _, c := range part {
			if !alpha(c) && !digit(c) && c != '+' && c != '/' {
				return false
			}
		}
	}
	return true
}

// CheckHex looks at a value of the type hex: Odd for capitals, which the text
// does not allow and its own examples use (§2.8, §6.6).
func CheckHex(b []byte) Verdict {
	if len(b)%2 != 0 || !allHex(b) {
		return Wrong
	}
	for _, c := range b {
		if c >= 'A' && c <= 'F' {
			return Odd
		}
	}
	return Fine
}

// ValidBase64 reports whether b is base64 by RFC 4648 §4.
func ValidBase64(b []byte) bool {
	if len(b)%4 != 0 {
		return false
	}
	n := len(b)
	for range 2 {
		if n > 0 && b[n-1] == '=' {
			n--
		}
	}
	for _, c := range b[:n] {
		if !alpha(c) && !digit(c) && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

// ValidCVE and ValidCAPEC are the identifiers of §4.19 and §4.1.
func ValidCVE(b []byte) bool {
	return len(b) >= 13 && len(b) <= 24 && string(b[:4]) == "CVE-" && allDigits(b[4:8]) && b[8] == '-' && allDigits(b[9:])
}

// ValidCAPEC reports whether b is CAPEC-n.
func ValidCAPEC(b []byte) bool {
	return len(b) > 6 && len(b) <= 16 && string(b[:6]) == "CAPEC-" && allDigits(b[6:])
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if !digit(c) {
			return false
		}
	}
	return true
}
