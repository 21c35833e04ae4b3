package pattern

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
)

// foreign are the parts of PCRE that have no counterpart in RE2, which matches
// in linear time.
var foreign = []struct{ text, name string }{
	{"(?=", "a look-ahead"},
	{"(?!", "a negative look-ahead"},
	{"(?<=", "a look-behind"},
	{"(?<!", "a negative look-behind"},
	{"(?>", "an atomic group"},
	{"(?|", "a branch reset"},
	{"(?#", "a comment"},
	{"(?(", "a condition"},
	{"(?R", "a recursion"},
	{"(?&", "a recursion"},
	{"(?P>", "a recursion"},
	{"(?P=", "a back reference"},
	{"(?'", "a group named in quotes"},
	{"(*", "a control verb"},
}

// foreignEscapes are its escapes.
var foreignEscapes = map[byte]string{
	'k': "a back reference", 'g': "a back reference", 'G': `\G`, 'K': `\K`, 'R': `\R`, 'X': `\X`, 'h': `\h`, 'H': `\H`, 'N': `\N`,
	'V': `\V`, 'Z': `\Z`, 'e': `\e`, 'c': "a control character", 'o': `\o`, 'u': `\u`, 'l': `\l`, 'L': `\L`, 'U': `\U`, 'E': "", 'Q': "",
}

// checkRegexp checks the expression of MATCHES. It stands at offset in the
// source, in the escaped form raw.
func (p *parser) checkRegexp(offset int, raw, expr string) error {
	if len(expr) > p.opt.MaxRegexp {
		return p.limit(offset, "the regular expression has %d bytes; at most %d are read", len(expr), p.opt.MaxRegexp)
	}
	if p.opt.unread {
		return nil
	}
	if i, what := findForeign(expr); i >= 0 {
		return p.wrong(offset+rawOffset(raw, i), "9.6.1", "the regular expression has %s, which is not supported: expressions are matched in linear time (RE2)", what)
	}
	// Reading an expression costs time too: for each "[:" its rest is searched.
	reading := len(expr)/2 + strings.Count(expr, "[:")*len(expr)/64
	p.program += reading
	if p.program > p.opt.MaxProgram {
		return p.tooLarge(offset)
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		i, reason := 0, "the regular expression is not valid"
		var e *syntax.Error
		if errors.As(err, &e) {
			i = max(strings.LastIndex(expr, e.Expr), 0)
			reason = fmt.Sprintf("the regular expression is not valid: %s: %s", e.Code, excerpt(e.Expr))
		}
		return p.wrong(offset+rawOffset(raw, i), "9.6.1", "%s", reason)
	}
	p.program += max(0, programSize(tree, p.opt.MaxProgram+1)-reading)
	if p.program > p.opt.MaxProgram {
		return p.tooLarge(offset)
	}
	return nil
}

func (p *parser) tooLarge(offset int) error {
	return p.limit(offset, "the regular expressions of the pattern unroll to more than %d instructions", p.opt.MaxProgram)
}

// findForeign finds the first part that RE2 lacks, outside of classes and \Q…\E.
func findForeign(expr string) (int, string) {
	quantified := false // a quantifier was just read
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		was := quantified
		quantified = false
		switch c {
		case '\\':
			if i+1 >= len(expr) {
				return -1, ""
			}
			e := expr[i+1]
			if e == 'Q' {
				end := strings.Index(expr[i:], `\E`)
				if end < 0 {
					return -1, ""
				}
				i += end + 1
				continue
			}
			if e >= '1' && e <= '9' {
				return i, "a back reference"
			}
			if what := foreignEscapes[e]; what != "" {
				return i, what
			}
			i++
		case '[':
			i = classEnd(expr, i)
		case '(':
			for _, f := range foreign {
				if strings.HasPrefix(expr[i:], f.text) {
					return i, f.name
				}
			}
		case '+':
			if was {
				return i, "a possessive quantifier"
			}
			quantified = true
		case '*', '?', '}':
			quantified = c != '?' || !was
		}
	}
	return -1, ""
}

// classEnd is where the class that begins at i ends, or the end of expr.
func classEnd(expr string, i int) int {
	i++
	if i < len(expr) && expr[i] == '^' {
		i++
	}
	named := true // whether there may still be the end of a named class
	for first := true; i < len(expr); i++ {
		switch {
		case expr[i] == '\\':
			i++
		case named && strings.HasPrefix(expr[i:], "[:"):
			end := strings.Index(expr[i:], ":]")
			if named = end > 0; named {
				i += end + 1
			}
		case expr[i] == ']' && !first:
			return i
		}
		first = false
	}
	return len(expr)
}

// rawOffset is where byte i of a string stands in its escaped form.
func rawOffset(raw string, i int) int {
	at := 0
	for ; i > 0 && at < len(raw); i-- {
		if raw[at] == '\\' {
			at++
		}
		at++
	}
	return min(at, len(raw))
}

// programSize estimates the instructions of a compiled expression, at most most.
// The parser of the standard library bounds the depth of the tree.
func programSize(tree *syntax.Regexp, most int) int {
	size := 1
	switch tree.Op {
	case syntax.OpLiteral:
		size = len(tree.Rune)
	case syntax.OpCharClass:
		size = 1 + len(tree.Rune)/4
	}
	for _, sub := range tree.Sub {
		size = min(size+programSize(sub, most), most)
	}
	if tree.Op == syntax.OpRepeat {
		times := max(tree.Min, tree.Max, 1)
		if size > most/times {
			return most
		}
		size *= times
	}
	return min(size+1, most)
}
