package pattern

import (
	"net"
	"strings"
)

// Observable is a value that a pattern looks for.
type Observable struct {
	ObjectType string // as "file"
	Path       string // after the colon, in canonical form, as "hashes.'SHA-256'"
	// Value is the constant as it stands in the pattern, unescaped; of an address
	// with a prefix length that says nothing (/32, /128) without that length.
	// Numbers are in decimal, binary constants in hexadecimal.
	Value string
	// Kind is what the value is: ipv4-addr, ipv6-addr, cidr, domain-name, url,
	// email-addr, mac-addr, hash:ALGORITHM (in the spelling of STIX 2.1 §10.6),
	// file-name, directory-path, windows-registry-key, mutex-name, command-line,
	// account-login, as-number, certificate-serial; "" where it is none of these.
	Kind string
}

// Observables lists the values that a pattern looks for, each once, in the order
// of the text: constants of =, of IN, of LIKE without a wildcard, and the
// networks of ISSUBSET and ISSUPERSET. Comparisons with NOT and other operators
// name nothing to look for and are left out.
func (p *Pattern) Observables() []Observable {
	var out []Observable
	seen := map[Observable]bool{}
	add := func(c *comparison, path string, v constant) {
		o := Observable{ObjectType: c.typ, Path: path, Value: plainText(v)}
		o.Kind = kindOf(c, o.Value)
		if n, ok := parseNetwork(o.Value); ok && (o.Kind == "ipv4-addr" || o.Kind == "ipv6-addr") {
			o.Value = strings.TrimSuffix(o.Value, "/32")
			if n.Addr().Is6() {
				o.Value = strings.TrimSuffix(o.Value, "/128")
			}
		}
		if !seen[o] {
			seen[o] = true
			out = append(out, o)
		}
	}
	p.root.each(func(in *condition) {
		in.each(func(c *comparison) {
			if c.negated && c.op != opNotEqual || !c.negated && c.op == opNotEqual {
				return
			}
			var b strings.Builder
			writeSteps(&b, c.path)
			switch c.op {
			case opEqual, opNotEqual, opSubset, opSuperset:
				add(c, b.String(), c.value)
			case opLike:
				if !strings.ContainsAny(c.value.str, "%_") {
					add(c, b.String(), c.value)
				}
			case opIn:
				for _, v := range c.set {
					add(c, b.String(), v)
				}
			}
		})
	})
	return out
}

// plainText is a constant without its quotes.
func plainText(c constant) string {
	if c.kind == kindString {
		return c.str
	}
	c.b64 = false
	var b strings.Builder
	writeConstant(&b, c)
	s := b.String()
	if c.kind == kindBinary || c.kind == kindTimestamp {
		s = s[2 : len(s)-1]
	}
	return s
}

// kindOf says what a value at the end of a path is.
func kindOf(c *comparison, value string) string {
	keys := make([]string, 0, len(c.path))
	for _, s := range c.path {
		if s.isKey {
			keys = append(keys, s.key)
		}
	}
	last := keys[len(keys)-1]
	if !c.path[len(c.path)-1].isKey {
		return ""
	}
	if len(keys) > 1 && keys[len(keys)-2] == "hashes" {
		return "hash:" + algorithm(last)
	}
	typ := c.typ
	if len(keys) > 1 { // through a reference, to the type that it leads to
		typ = referred(keys[len(keys)-2])
	}
	switch typ + ":" + last {
	case "ipv4-addr:value", "ipv6-addr:value":
		return addressKind(value)
	case "domain-name:value", "url:value", "email-addr:value", "mac-addr:value":
		return typ
	case "endpoint:value":
		if k := addressKind(value); k != "" {
			return k
		}
		if _, err := net.ParseMAC(value); err == nil {
			return "mac-addr"
		}
		if strings.Contains(value, ".") && !strings.ContainsAny(value, " /:") {
			return "domain-name"
		}
		return ""
	case "file:name":
		return "file-name"
	case "directory:path":
		return "directory-path"
	case "windows-registry-key:key":
		return "windows-registry-key"
	case "mutex:name":
		return "mutex-name"
	case "process:command_line":
		return "command-line"
	case "user-account:account_login":
		return "account-login"
	case "autonomous-system:number":
		return "as-number"
	case "x509-certificate:serial_number":
		return "certificate-serial"
	}
	return ""
}

// addressKind tells addresses from networks.
func addressKind(value string) string {
	n, ok := parseNetwork(value)
	switch {
	case !ok:
		return ""
	case n.Bits() < n.Addr().BitLen():
		return "cidr"
	case n.Addr().Is4():
		return "ipv4-addr"
	}
	return "ipv6-addr"
}

// referred is the type of object that a reference property leads to (STIX 2.1
// §6); "endpoint" is an address or a domain name.
func referred(property string) string {
	switch property {
	case "src_ref", "dst_ref", "resolves_to_refs":
		return "endpoint"
	case "from_ref", "sender_ref", "to_refs", "cc_refs", "bcc_refs":
		return "email-addr"
	case "parent_directory_ref":
		return "directory"
	case "content_ref", "body_raw_ref", "image_ref", "raw_email_ref", "contains_refs", "src_payload_ref", "dst_payload_ref", "binary_ref":
		return "file"
	case "belongs_to_ref", "creator_user_ref":
		return "user-account"
	case "belongs_to_refs":
		return "autonomous-system"
	}
	return ""
}

// algorithms are the names of hashing algorithms (STIX 2.1 §10.6) by their
// letters and digits alone.
var algorithms = map[string]string{
	"MD5": "MD5", "SHA1": "SHA-1", "SHA224": "SHA-224", "SHA256": "SHA-256", "SHA384": "SHA-384", "SHA512": "SHA-512",
	"SHA3224": "SHA3-224", "SHA3256": "SHA3-256", "SHA3384": "SHA3-384", "SHA3512": "SHA3-512", "SSDEEP": "SSDEEP", "TLSH": "TLSH",
}

// algorithm is the name of a hashing algorithm in the spelling of the standard;
// an unknown one stays as it is.
func algorithm(name string) string {
	key := strings.ToUpper(strings.NewReplacer("-", "", "_", "").Replace(name))
	if known, ok := algorithms[key]; ok {
		return known
	}
	return name
}
