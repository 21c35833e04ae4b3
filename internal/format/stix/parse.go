package stix

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/jsonfeed"
)

// Checker reads objects that stand alone, one after the other, with buffers that
// it keeps: a sound object costs one allocation. It is not safe for concurrent
// use; its zero value is not usable, see NewChecker.
type Checker struct {
	opt        Options
	check      checker
	out, warns collector
}

// Report is what a Checker found. The struct, Object's Raw and lists, and the
// lists are valid until the next call of Check.
type Report struct {
	Object       *Object            // its fields are as far filled as the problems permit
	Problems     []exchange.Problem // the first Options.MaxProblems violations of a MUST
	ProblemCount int
	Warnings     []exchange.Problem // the first Options.MaxWarnings violations of a SHOULD, of each code at most 50
	WarningCount int
}

// NewChecker is a Checker with the options.
func NewChecker(opt Options) *Checker {
	k := &Checker{opt: opt.withDefaults()}
	k.check.init(k.opt, &k.out, &k.warns)
	k.check.single = true
	return k
}

// Check reads one object by the rules of Scan. Paths start at $. White space
// around the object is allowed; Offset and Length say where the object stands in
// raw, and Raw points into it.
func (k *Checker) Check(raw []byte) Report {
	codes := k.warns.codes
	clear(codes)
	k.out = collector{list: k.out.list[:0], max: k.opt.MaxProblems}
	k.warns = collector{list: k.warns.list[:0], max: k.opt.MaxWarnings, maxEach: maxWarningsOfCode, codes: codes}
	v := bytes.TrimLeft(raw, " \n\r\t")
	offset := int64(len(raw) - len(v))
	v = bytes.TrimRight(v, " \n\r\t")
	if len(v) > 0 && len(v) <= k.opt.MaxObject && jsontext.Value(v).IsValid() {
		k.check.object(v, offset, 0)
	} else {
		k.slow(raw)
	}
	return Report{&k.check.obj, k.out.list, k.out.count, k.warns.list, k.warns.count}
}

// slow reads what is not valid JSON or too large, to say where.
func (k *Checker) slow(raw []byte) {
	o := &k.check.obj
	*o = Object{MarkingRefs: o.MarkingRefs[:0], Granular: o.Granular[:0], Granules: o.Granules[:0]}
	s := scanner{opt: k.opt, at: "$"}
	s.out.max = k.opt.MaxProblems
	s.in = jsonfeed.New(bytes.NewReader(raw), int64(k.opt.MaxObject))
	v, offset, err := s.in.Value()
	if err == nil {
		// The decoder's buffer is its own; the caller's bytes are the same.
		k.check.object(raw[offset:offset+int64(len(v))], offset, 0)
		err = s.end()
	}
	if err != nil {
		_ = s.explain(err) // a bytes.Reader has no error of its own
	}
	for _, p := range s.out.list {
		k.out.add(p)
	}
}

// ParseObject reads one object that stands alone, by the rules of Scan with the
// default options; see Checker, which is cheaper for many. Paths start at $.
// White space around the object is allowed; Offset and Length say where the
// object stands in raw, and Raw points into it. The object's fields are as far
// filled as the problems permit.
func ParseObject(raw []byte) (Object, []exchange.Problem) {
	r := NewChecker(Options{}).Check(raw)
	o := *r.Object
	o.Type = strings.Clone(o.Type)
	return o, r.Problems
}
