// Package pattern reads, writes, compares and evaluates patterns of the STIX
// 2.1 patterning language (STIX 2.1 OASIS Standard §9).
//
// Parse checks the grammar and the rules of types; every error says where and
// what was expected. Normalise and Equivalent compare patterns by a normal form,
// Observables lists the values a pattern looks for, and Compile and Match
// evaluate it on observed data. All of them are bounded: a hostile pattern ends
// in an error, not in unbounded time or memory.
package pattern

// Options bound Parse and Normalise. The zero value takes the defaults.
type Options struct {
	MaxBytes  int // bytes of the pattern; default 10 MiB
	MaxDepth  int // parentheses inside each other; default 100, at most 1000
	MaxNodes  int // comparisons, members of sets, steps of paths and qualifiers; default 2,000,000
	MaxRegexp int // bytes of one regular expression; default 32 KiB
	// MaxProgram bounds what all regular expressions of a pattern compile to, in
	// instructions; default 1,000,000. A repetition counts for its unrolled form.
	MaxProgram int
	// MaxTerms bounds the normal form: the comparisons in it and the observation
	// expressions in it; default 500,000.
	MaxTerms int
	// MixedTypes accepts AND between comparisons of different object types in
	// one observation expression. Such a pattern cannot match, as AND is about
	// one object; without MixedTypes it is refused.
	MixedTypes bool

	unread bool // regular expressions are taken as they are
}

// Check reports what is wrong with a pattern by the standard alone: what the
// standard permits and this package does not match, such as the look-ahead of
// PCRE in a regular expression, is no fault.
func Check(src []byte) error {
	_, err := Parse(string(src), Options{unread: true})
	return err
}

const (
	defaultMaxBytes   = 10 << 20
	defaultMaxDepth   = 100
	highestMaxDepth   = 1000
	defaultMaxNodes   = 2_000_000
	defaultMaxRegexp  = 32 << 10
	defaultMaxProgram = 1_000_000
	defaultMaxTerms   = 500_000
)

func (o Options) withDefaults() Options {
	set := func(p *int, to int) {
		if *p <= 0 {
			*p = to
		}
	}
	set(&o.MaxBytes, defaultMaxBytes)
	set(&o.MaxDepth, defaultMaxDepth)
	set(&o.MaxNodes, defaultMaxNodes)
	set(&o.MaxRegexp, defaultMaxRegexp)
	set(&o.MaxProgram, defaultMaxProgram)
	set(&o.MaxTerms, defaultMaxTerms)
	o.MaxDepth = min(o.MaxDepth, highestMaxDepth)
	return o
}
