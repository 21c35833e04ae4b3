package contribution

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/jsonfeed"
	"github.com/forewarn-exchange/forewarn/internal/format/marking"
	"github.com/forewarn-exchange/forewarn/internal/format/pattern"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// element is one sound object of a request.
type element struct {
	index   int
	id, typ string
	version int64
	offset  int64 // of its bytes in part.raw
	length  int64
	tlp     exchange.TLP   // that the well-known markings of the whole say
	marks   *marking.Marks // all its markings; nil: tlp is all there is
	class   int            // in facts.combos, of one to be stored
	fate    fate
	note    string
}

// fate is what becomes of an object.
type fate uint8

const (
	stored  fate = iota // it is new
	known               // it was there before
	refused             // note says why
)

// part is some objects with their bytes, each followed by a comma and a new
// line: so they stand in a journal, where neighbours are read in one piece.
type part struct {
	objs []element
	raw  []byte
}

const between = ",\n"

// envelope is what a scan found around and among the objects.
type envelope struct {
	total  int
	faulty []int // elements that are no valid objects
	why    map[int]string
	words  marking.Dictionary // what marking definitions in it say, and those of the program that were looked up
	again  []Detail           // elements that repeat an earlier one
	copies int
}

// emptyList is the section by which a bundle's list may not be empty; that of an
// envelope may.
const emptyList = "STIX 2.1 §2.12"

const maxProblems = 20_000

// scan reads a request to its end and calls take for each sound object that it
// has not seen before. What is no envelope (TAXII 2.1 §3.7), no bundle, or no
// JSON is Invalid. The envelope's own members beside objects are ignored. now is
// the instant at which its markings are understood.
func scan(ctx context.Context, now time.Time, r io.Reader, take func(*stix.Object) error) (*envelope, error) {
	e := &envelope{why: map[int]string{}}
	next := 0
	sum, err := stix.Scan(&patient{ctx, r}, stix.Options{MaxProblems: maxProblems, MaxWarnings: -1, Pattern: pattern.Check}, func(o *stix.Object) error {
		for ; next < o.Index; next++ {
			e.faulty = append(e.faulty, next)
		}
		next = o.Index + 1
		if o.Type == "marking-definition" && !o.Duplicate {
			e.words.Define(o.ID, o.Raw, now) // what finds no room is held
		}
		if o.Duplicate {
			if e.copies++; len(e.again) < MaxDetails {
				e.again = append(e.again, Detail{ID: o.ID, Version: o.Version, Message: "the same object stands in the envelope before"})
			}
			return nil
		}
		if take == nil {
			return nil
		}
		return take(o)
	})
	if err != nil {
		return nil, err
	}
	for ; next < sum.Objects; next++ {
		e.faulty = append(e.faulty, next)
	}
	e.total = sum.Objects
	for _, p := range sum.Problems {
		i, inside := place(p.Path)
		switch {
		case inside && !sum.Stopped:
			if len(e.why[i]) < 400 {
				e.why[i] = join(e.why[i], p.String())
			}
		case p.Path == "$.objects" && p.Section != emptyList:
			return nil, exchange.InvalidWith("this is neither a TAXII 2.1 envelope nor a STIX bundle; nothing was stored", []exchange.Problem{p})
		}
	}
	if sum.Stopped {
		var last []exchange.Problem
		if n := len(sum.Problems); n > 0 && n < maxProblems {
			last = sum.Problems[n-1:]
		}
		return nil, exchange.InvalidWith("the body could not be read to its end; nothing was stored", last)
	}
	return e, nil
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// place is the index in a path such as $.objects[3].pattern.
func place(path string) (int, bool) {
	rest, ok := strings.CutPrefix(path, "$.objects[")
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, "]")
	i, err := strconv.Atoi(digits)
	return i, ok && err == nil
}

// kindOf reports whether a request without objects is an envelope or a bundle,
// and not something else that happens to be an object.
func kindOf(r io.Reader) (ok bool) {
	f := jsonfeed.New(r, 1<<20)
	if _, err := f.Token(); err != nil {
		return false
	}
	for f.Peek() == jsontext.KindString {
		name, err := f.Token()
		if err != nil {
			return false
		}
		switch name.String() {
		case "objects":
			return true
		case "type":
			v, err := f.Token()
			return err == nil && v.Kind() == jsontext.KindString && v.String() == "bundle"
		}
		if f.Skip() != nil {
			return false
		}
	}
	return true
}

// failures says what is wrong with the faulty elements, at most MaxDetails of
// them. Their ids stand in the body, which is read again.
func (e *envelope) failures(ctx context.Context, body io.Reader) ([]Detail, error) {
	if len(e.faulty) == 0 {
		return nil, nil
	}
	f := jsonfeed.New(&patient{ctx, body}, 16<<20)
	if _, err := f.Token(); err != nil {
		return nil, err
	}
	for {
		name, err := f.Token()
		if err != nil {
			return nil, err
		}
		if name.Kind() == jsontext.KindString && name.String() == "objects" {
			break
		}
		if err := f.Skip(); err != nil {
			return nil, err
		}
	}
	if _, err := f.Token(); err != nil {
		return nil, err
	}
	var out []Detail
	k := stix.NewChecker(stix.Options{MaxProblems: 1, MaxWarnings: -1, Pattern: pattern.Check})
	for i := 0; len(out) < min(len(e.faulty), MaxDetails); i++ {
		raw, _, err := f.Value()
		if err != nil {
			return nil, err
		}
		if i != e.faulty[len(out)] {
			continue
		}
		d := Detail{Message: e.why[i]}
		report := k.Check(raw)
		d.ID, d.Version = report.Object.ID, report.Object.Version
		if d.ID == "" {
			d.ID, d.Version = "objects["+strconv.Itoa(i)+"]", 0
		}
		if d.Message == "" && len(report.Problems) > 0 {
			d.Message = report.Problems[0].String()
		}
		if d.Message == "" {
			d.Message = "this is not a valid STIX 2.1 object"
		}
		out = append(out, d)
	}
	return out, nil
}

// add takes one object into the part.
func (p *part) add(o *stix.Object) {
	e := element{
		index: o.Index, id: o.ID, typ: o.Type, version: o.Version, offset: int64(len(p.raw)), length: o.Length,
	}
	if len(o.MarkingRefs)+len(o.Granules) > 0 {
		var m marking.Marks
		m.Read(o)
		if e.tlp = m.TLP; !m.Plain() {
			e.marks = &m
		}
	}
	p.raw = append(append(p.raw, o.Raw...), between...)
	p.objs = append(p.objs, e)
}

// patient ends the reading of a long body when its caller goes.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.r.Read(b)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("reading a request: %w", err)
	}
	return n, err
}
