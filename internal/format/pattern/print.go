package pattern

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
)

// String writes the pattern in canonical text: one space between words, keys in
// quotes only where needed, no needless parentheses, = and != in one form.
// Parsed again it gives the same text.
func (p *Pattern) String() string {
	var b strings.Builder
	writeObservation(&b, p.root)
	return b.String()
}

// binding is how strong a connective binds: an operand that binds weaker than
// its surroundings stands in parentheses (§9.5.3).
func (c connective) binding() int {
	switch c {
	case followedBy:
		return 1
	case or:
		return 2
	case and:
		return 3
	}
	return 4
}

func writeObservation(b *strings.Builder, o *observation) {
	switch {
	case o.op == single:
		b.WriteByte('[')
		writeCondition(b, o.test)
		b.WriteByte(']')
	case o.op == group:
		b.WriteByte('(')
		writeObservation(b, o.kids[0])
		b.WriteByte(')')
	default:
		if len(o.qual) > 0 {
			b.WriteByte('(')
		}
		for i, k := range o.kids {
			if i > 0 {
				b.WriteString(" " + o.op.String() + " ")
			}
			weaker := k.op.binding() <= o.op.binding() && len(k.qual) == 0
			if weaker {
				b.WriteByte('(')
			}
			writeObservation(b, k)
			if weaker {
				b.WriteByte(')')
			}
		}
		if len(o.qual) > 0 {
			b.WriteByte(')')
		}
	}
	for _, q := range o.qual {
		writeQualifier(b, q)
	}
}

func writeQualifier(b *strings.Builder, q qualifier) {
	switch q.kind {
	case within:
		b.WriteString(" WITHIN " + strconv.FormatFloat(q.seconds, 'f', -1, 64) + " SECONDS")
	case repeats:
		b.WriteString(" REPEATS " + strconv.FormatInt(q.times, 10) + " TIMES")
	case startStop:
		b.WriteString(" START t'" + q.start.String() + "' STOP t'" + q.stop.String() + "'")
	}
}

func writeCondition(b *strings.Builder, c *condition) {
	if c.op == single {
		writeComparison(b, c.test)
		return
	}
	for i, k := range c.kids {
		if i > 0 {
			b.WriteString(" " + c.op.String() + " ")
		}
		weaker := k.op.binding() <= c.op.binding()
		if weaker {
			b.WriteByte('(')
		}
		writeCondition(b, k)
		if weaker {
			b.WriteByte(')')
		}
	}
}

func writeComparison(b *strings.Builder, c *comparison) {
	if c.op == opExists {
		if c.negated {
			b.WriteString("NOT ")
		}
		b.WriteString("EXISTS ")
		writePath(b, c)
		return
	}
	writePath(b, c)
	if c.negated {
		b.WriteString(" NOT")
	}
	b.WriteString(" " + c.op.String() + " ")
	if c.op != opIn {
		writeConstant(b, c.value)
		return
	}
	b.WriteByte('(')
	for i, v := range c.set {
		if i > 0 {
			b.WriteString(", ")
		}
		writeConstant(b, v)
	}
	b.WriteByte(')')
}

func writePath(b *strings.Builder, c *comparison) {
	b.WriteString(c.typ)
	b.WriteByte(':')
	writeSteps(b, c.path)
}

func writeSteps(b *strings.Builder, path []step) {
	for i, s := range path {
		switch {
		case s.isKey:
			if i > 0 {
				b.WriteByte('.')
			}
			if isPlainKey(s.key) {
				b.WriteString(s.key)
			} else {
				writeString(b, s.key)
			}
		case s.index < 0:
			b.WriteString("[*]")
		default:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		}
	}
}

// isPlainKey reports whether a key may stand without quotes.
func isPlainKey(key string) bool {
	if key == "" || !isLetter(key[0]) || keywords[key] {
		return false
	}
	for i := range len(key) {
		if !isLetter(key[i]) && !isDigit(key[i]) {
			return false
		}
	}
	return true
}

var escaper = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

func writeString(b *strings.Builder, s string) {
	b.WriteByte('\'')
	_, _ = escaper.WriteString(b, s)
	b.WriteByte('\'')
}

func writeConstant(b *strings.Builder, c constant) {
	switch c.kind {
	case kindString:
		writeString(b, c.str)
	case kindInteger:
		b.WriteString(strconv.FormatInt(c.i, 10))
	case kindFloat:
		s := strconv.FormatFloat(c.f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		b.WriteString(s)
	case kindBool:
		b.WriteString(strconv.FormatBool(c.yes))
	case kindBinary:
		if c.b64 {
			b.WriteString("b'" + base64.StdEncoding.EncodeToString([]byte(c.str)) + "'")
		} else {
			b.WriteString("h'" + hex.EncodeToString([]byte(c.str)) + "'")
		}
	case kindTimestamp:
		b.WriteString("t'" + c.at.String() + "'")
	}
}
