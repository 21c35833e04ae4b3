package stix

import (
	"bytes"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/jsonfeed"
)

// ParseObject reads one object that stands alone, by the rules of Scan with the
// default options. Paths start at $. White space around the object is allowed;
// Offset and Length say where the object stands in raw, and Raw points into it.
// The object's fields are as far filled as the problems permit.
func ParseObject(raw []byte) (Object, []exchange.Problem) {
	opt := Options{}.withDefaults()
	s := scanner{opt: opt, at: "$"}
	s.out.max = opt.MaxProblems
	s.check.init(opt, &s.out)
	s.check.single = true
	s.in = jsonfeed.New(bytes.NewReader(raw), int64(opt.MaxObject))

	v, offset, err := s.in.Value()
	if err == nil {
		// The decoder's buffer is its own; the caller's bytes are the same.
		v = raw[offset : offset+int64(len(v))]
		s.check.object(v, offset, 0)
		err = s.end()
	}
	if err != nil {
		_ = s.explain(err) // a bytes.Reader has no error of its own
	}
	o := s.check.obj
	o.Type = strings.Clone(o.Type)
	return o, s.out.list
}
