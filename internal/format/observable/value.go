// Package observable reads values as people and tools write them (addresses,
// networks, domain names, URLs, hashes, e-mail addresses, names) and brings
// each into the one form in which it is compared. It also finds such values in
// STIX objects and in STIX patterns.
package observable

import (
	"errors"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Kind says what a value is.
type Kind uint8

// The kinds. A hash is told by its length.
const (
	Text Kind = iota // anything else, such as a file name
	IPv4
	IPv6
	Network // addresses by prefix; one of a single address is that address
	Domain
	URL
	Email
	MAC
	MD5
	SHA1
	SHA224
	SHA256
	SHA384
	SHA512
)

var kindNames = [...]string{
	"text", "ipv4", "ipv6", "network", "domain", "url", "email", "mac", "md5", "sha-1", "sha-224", "sha-256", "sha-384", "sha-512",
}

func (k Kind) String() string { return kindNames[k] }

// Address reports whether the kind is a single address.
func (k Kind) Address() bool { return k == IPv4 || k == IPv6 }

// MaxLength is the longest value in bytes, before and after it is brought into
// its form.
const MaxLength = 4096

// What a value cannot be.
var (
	ErrEmpty    = errors.New("the value is empty")
	ErrTooLong  = errors.New("the value is longer than 4096 bytes")
	ErrEncoding = errors.New("the value is not UTF-8 text")
)

// Value is a value in the form in which it is compared: two spellings of the
// same thing have the same Text.
type Value struct {
	Kind Kind
	Text string
}

// Addr is the address of a value of a kind that is one.
func (v Value) Addr() netip.Addr {
	if v.Kind == IPv4 {
		a, _ := quad(v.Text)
		return netip.AddrFrom4(a)
	}
	a, _ := netip.ParseAddr(v.Text)
	return a
}

// Prefix is the network of a value of kind Network.
func (v Value) Prefix() netip.Prefix {
	p, _ := netip.ParsePrefix(v.Text)
	return p
}

// Parse reads one value: without the white space and the quotation marks around
// it, defanged or not. The form of a hash, a domain name, an e-mail address and
// of other text is lower case, of a URL lower case in scheme and host; names of
// other scripts become ASCII (RFC 5891); a network loses its host bits. What
// already has its form is returned without a copy.
func Parse(s string) (Value, error) {
	s = strip(s)
	switch {
	case s == "":
		return Value{}, ErrEmpty
	case len(s) > MaxLength:
		return Value{}, ErrTooLong
	}
	f := look(s)
	if f.wide && !utf8.ValidString(s) {
		return Value{}, ErrEncoding
	}
	if f.marked || len(s) > 3 && (s[0]|0x20) == 'h' && (s[1]|0x20) == 'x' {
		if r := refang(s); r != s {
			s = strip(r)
			if s == "" {
				return Value{}, ErrEmpty
			}
			f = look(s)
		}
	}
	v := classify(s, f)
	if len(v.Text) > MaxLength {
		return Value{}, ErrTooLong
	}
	return v, nil
}

// strip takes off white space, and one pair of quotation marks or angle brackets.
func strip(s string) string {
	s = strings.TrimSpace(s)
	if n := len(s); n > 1 {
		switch c := s[0]; {
		case (c == '"' || c == '\'' || c == '`') && s[n-1] == c, c == '<' && s[n-1] == '>':
			return strings.TrimSpace(s[1 : n-1])
		}
	}
	return s
}

// form is what one pass over a value tells.
type form struct {
	upper, wide, marked       bool // a letter in upper case, a byte beyond ASCII, a mark of defanging
	dots, colons, slashes, at int
	other                     bool // a byte that stands in no domain name
	hex, numeric              bool // all hexadecimal digits; digits and dots only
}

const (
	isHex = 1 << iota
	isNumeric
	isLetter // of a domain name, '-' and '_' too
	isUpper
	isMark
	isWide
)

// bytesAre says of each byte what it can be part of.
var bytesAre = func() (t [256]byte) {
	for c := byte('a'); c <= 'z'; c++ {
		t[c], t[c-32] = isLetter, isLetter|isUpper
	}
	for c := byte('a'); c <= 'f'; c++ {
		t[c] |= isHex
		t[c-32] |= isHex
	}
	for c := byte('0'); c <= '9'; c++ {
		t[c] = isLetter | isHex | isNumeric
	}
	t['-'], t['_'], t['.'] = isLetter, isLetter, isNumeric
	t['['], t['('], t['{'], t['\\'] = isMark, isMark, isMark, isMark
	for c := utf8.RuneSelf; c < len(t); c++ {
		t[c] = isWide
	}
	return t
}()

func look(s string) form {
	var f form
	any, all := byte(0), byte(isHex|isNumeric)
	for i := range len(s) {
		c := s[i]
		k := bytesAre[c]
		any |= k
		all &= k
		if k&(isLetter|isWide) != 0 {
			continue
		}
		switch c {
		case '.':
			f.dots++
			continue
		case ':':
			f.colons++
		case '/':
			f.slashes++
		case '@':
			f.at++
		}
		f.other = true
	}
	f.upper, f.wide, f.marked = any&isUpper != 0, any&isWide != 0, any&isMark != 0
	f.hex, f.numeric = all&isHex != 0, all&isNumeric != 0
	return f
}

// hashes are the kinds by the number of hexadecimal digits.
var hashes = [129]Kind{32: MD5, 40: SHA1, 56: SHA224, 64: SHA256, 96: SHA384, 128: SHA512}

func classify(s string, f form) Value {
	if f.hex && len(s) < len(hashes) && hashes[len(s)] != Text {
		return Value{hashes[len(s)], lower(s, f)}
	}
	switch {
	case f.numeric && f.dots == 3 && len(s) <= 15:
		if _, ok := quad(s); ok {
			return Value{IPv4, s}
		}
	case f.slashes == 1 && (f.dots == 3 || f.colons > 1):
		if v, ok := network(s); ok {
			return v
		}
	case f.colons > 0 && f.slashes == 0:
		if v, ok := address(s, f); ok {
			return v
		}
	}
	if f.slashes > 1 {
		if v, ok := location(s); ok {
			return v
		}
	}
	if f.at == 1 && f.slashes == 0 && f.colons == 0 {
		if v, ok := mailbox(s); ok {
			return v
		}
	}
	if f.dots == 2 && f.hexDots(s) {
		if v, ok := hardware(s); ok {
			return v
		}
	}
	if d, ok := domain(s, f); ok {
		return Value{Domain, d}
	}
	if f.dots == 0 && len(s) == 17 {
		if v, ok := hardware(s); ok {
			return v
		}
	}
	return Value{Text, lower(s, f)}
}

// quad reads an IPv4 address in its one canonical spelling, as netip.ParseAddr
// does, of what holds digits and three dots.
func quad(s string) (a [4]byte, ok bool) {
	part, digits, n := 0, 0, 0
	for i := range len(s) {
		c := s[i]
		if c == '.' {
			if digits == 0 || part == 3 {
				return a, false
			}
			a[part] = byte(n)
			part, digits, n = part+1, 0, 0
			continue
		}
		if digits > 0 && n == 0 {
			return a, false
		}
		digits++
		if n = n*10 + int(c-'0'); n > 255 {
			return a, false
		}
	}
	a[3] = byte(n)
	return a, part == 3 && digits > 0
}

func (f form) hexDots(s string) bool { return len(s) == 14 && s[4] == '.' && s[9] == '.' }

// lower is s in lower case.
func lower(s string, f form) string {
	if f.upper || f.wide {
		return strings.ToLower(s)
	}
	return s
}

// network is a network, or the address if it holds a single one.
func network(s string) (Value, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return Value{}, false
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return Value{}, false
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if p.IsSingleIP() {
		return addressValue(p.Addr()), true
	}
	return Value{Network, p.Masked().String()}, true
}

func addressValue(a netip.Addr) Value {
	if a = a.Unmap(); a.Is4() {
		return Value{IPv4, a.String()}
	}
	return Value{IPv6, a.String()}
}

// address reads what has a colon: an IPv6 address, in brackets or not, an
// address or a name with a port, a hardware address.
func address(s string, f form) (Value, bool) {
	if f.colons > 1 {
		if v, ok := hardware(s); ok {
			return v, true
		}
		bare := s
		if s[0] == '[' {
			end := strings.IndexByte(s, ']')
			if end < 0 || end != len(s)-1 && !port(s[end+1:]) {
				return Value{}, false
			}
			bare = s[1:end]
		}
		a, err := netip.ParseAddr(bare)
		if err != nil || a.Zone() != "" {
			return Value{}, false
		}
		return addressValue(a), true
	}
	host, _, _ := strings.Cut(s, ":")
	if !port(s[len(host):]) {
		return Value{}, false
	}
	if v := classify(host, look(host)); v.Kind == IPv4 || v.Kind == Domain {
		return v, true
	}
	return Value{}, false
}

// port reports whether s is a colon and a port.
func port(s string) bool {
	if len(s) < 2 || len(s) > 6 || s[0] != ':' {
		return false
	}
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// hardware is a MAC address: six pairs by colons or hyphens, or three groups of
// four by dots. Its form is that of STIX 2.1 §6.8.
func hardware(s string) (Value, bool) {
	step := 0
	switch {
	case len(s) == 17 && (s[2] == ':' || s[2] == '-'):
		step = 2
	case len(s) == 14 && s[4] == '.':
		step = 4
	default:
		return Value{}, false
	}
	out := make([]byte, 0, 17)
	for i := range len(s) {
		if i%(step+1) == step {
			if s[i] != s[step] {
				return Value{}, false
			}
			continue
		}
		c := s[i]
		if bytesAre[c]&isHex == 0 {
			return Value{}, false
		}
		if len(out)%3 == 2 {
			out = append(out, ':')
		}
		if c > '9' {
			c |= 0x20
		}
		out = append(out, c)
	}
	return Value{MAC, string(out)}, true
}

// location is a URL. Path, query and fragment stay as they are.
func location(s string) (Value, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme == "" || rest == "" || len(scheme) > 32 {
		return Value{}, false
	}
	for i := range len(scheme) {
		if c := scheme[i]; bytesAre[c]&isLetter == 0 && c != '+' && c != '.' {
			return Value{}, false
		}
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	user, host := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, host = authority[:i+1], authority[i+1:]
	}
	scheme = strings.ToLower(scheme)
	host = hostForm(host, scheme)
	if tail == "" {
		tail = "/"
	} else if tail[0] != '/' {
		tail = "/" + tail
	}
	if n := len(scheme) + 3 + len(user) + len(host) + len(tail); n == len(s) {
		// Usually nothing changed.
		if s[:len(scheme)] == scheme && strings.HasSuffix(s[:len(s)-len(tail)], host) && strings.HasSuffix(s, tail) {
			return Value{URL, s}, true
		}
	}
	return Value{URL, scheme + "://" + user + host + tail}, true
}

// hostForm is the host of a URL in its form, with the port where that is not
// the one that the scheme means.
func hostForm(host, scheme string) string {
	p := ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") && port(host[i:]) {
		host, p = host[:i], host[i:]
	}
	if scheme == "http" && p == ":80" || scheme == "https" && p == ":443" || scheme == "ftp" && p == ":21" {
		p = ""
	}
	f := look(host)
	if d, ok := domain(host, f); ok {
		return d + p
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		if a, err := netip.ParseAddr(host[1 : len(host)-1]); err == nil {
			return "[" + a.String() + "]" + p
		}
	}
	return lower(host, f) + p
}

// Host is the host of a URL: an address or a domain name.
func (v Value) Host() (Value, bool) {
	if v.Kind != URL {
		return Value{}, false
	}
	_, rest, _ := strings.Cut(v.Text, "://")
	end := strings.IndexByte(rest, '/')
	if end < 0 {
		return Value{}, false
	}
	host := rest[:end]
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if host == "" {
		return Value{}, false
	}
	h := classify(host, look(host))
	return h, h.Kind.Address() || h.Kind == Domain
}

func mailbox(s string) (Value, bool) {
	at := strings.IndexByte(s, '@')
	local, host := s[:at], s[at+1:]
	if local == "" || len(local) > 64 || strings.ContainsAny(local, " \t<>\"") {
		return Value{}, false
	}
	d, ok := domain(host, look(host))
	if !ok {
		return Value{}, false
	}
	if l := strings.ToLower(local); l != local || d != host {
		return Value{Email, l + "@" + d}, true
	}
	return Value{Email, s}, true
}

var names = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// domain is a domain name of at least two labels in lower case and ASCII,
// without a dot at the end (RFC 1035 §2.3.1, with the underscores of DNS).
func domain(s string, f form) (string, bool) {
	if f.other || f.dots == 0 && !f.wide || f.numeric {
		return "", false
	}
	if f.wide {
		a, err := names.ToASCII(s)
		if err != nil {
			return "", false
		}
		if s, f = a, look(a); f.wide || f.other || f.dots == 0 || f.numeric {
			return "", false
		}
	}
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return "", false
	}
	label, labels, digits := 0, 0, true
	for i := range len(s) {
		c := s[i]
		if c == '.' {
			if label == 0 {
				return "", false
			}
			label, digits = 0, true
			labels++
			continue
		}
		if label++; label > 63 {
			return "", false
		}
		digits = digits && c >= '0' && c <= '9'
	}
	if label == 0 || labels == 0 || digits {
		return "", false
	}
	return lower(s, f), true
}

// Parents calls fn with each name above a domain name that has at least two
// labels, the nearest first, until fn answers false.
func Parents(name string, fn func(parent string) bool) {
	for {
		i := strings.IndexByte(name, '.')
		if i < 0 {
			return
		}
		name = name[i+1:]
		if strings.IndexByte(name, '.') < 0 || !fn(name) {
			return
		}
	}
}
