package pattern

// Pattern is a parsed pattern. It is not changed after Parse, and may be used
// by several goroutines.
type Pattern struct {
	root *observation
	opt  Options
}

// connective joins expressions; none is an expression by itself.
type connective uint8

const (
	single     connective = iota // one comparison, or one observation expression
	and                          // AND
	or                           // OR
	followedBy                   // FOLLOWEDBY
	group                        // one expression in parentheses, for its own qualifiers
)

func (c connective) String() string { return [...]string{"", "AND", "OR", "FOLLOWEDBY", ""}[c] }

// observation is an observation expression (§9.5).
type observation struct {
	op   connective
	test *condition     // of single
	kids []*observation // of the others
	qual []qualifier    // in order: each is about what stands before it
}

type qualifierKind uint8

const (
	within qualifierKind = iota
	repeats
	startStop
)

func (k qualifierKind) String() string { return [...]string{"WITHIN", "REPEATS", "START"}[k] }

// qualifier is a qualifier of an observation expression (§9.5.1).
type qualifier struct {
	kind        qualifierKind
	seconds     float64 // WITHIN: more than 0
	times       int64   // REPEATS: more than 0
	start, stop instant // START … STOP …: start is before stop
}

// condition is what stands in brackets: comparisons and their connectives (§9.6).
type condition struct {
	op   connective // single, and, or
	test *comparison
	kids []*condition
}

// operator is a comparison operator (§9.6.1).
type operator uint8

const (
	opEqual operator = iota
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opIn
	opLike
	opMatches
	opSubset
	opSuperset
	opExists
)

func (o operator) String() string {
	return [...]string{"=", "!=", "<", "<=", ">", ">=", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET", "EXISTS"}[o]
}

// comparison is one comparison expression: a path, an operator and constants.
type comparison struct {
	typ     string // the object type
	path    []step // at least one, the first with a key
	negated bool   // NOT
	op      operator
	value   constant
	set     []constant // of opIn
}

// step is one step of an object path (§9.7): a key, an index, or [*].
type step struct {
	key   string
	index int // -1 is [*]; only without key
	isKey bool
}

// each calls f for every comparison of the condition.
func (c *condition) each(f func(*comparison)) {
	if c.op == single {
		f(c.test)
		return
	}
	for _, k := range c.kids {
		k.each(f)
	}
}

// each calls f for every bracketed condition.
func (o *observation) each(f func(*condition)) {
	if o.op == single {
		f(o.test)
		return
	}
	for _, k := range o.kids {
		k.each(f)
	}
}
