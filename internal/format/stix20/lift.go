// Package stix20 reads STIX 2.0 bundles and lifts them to STIX 2.1: object by
// object, in bounded memory, without losing anything, and with a list of what
// was changed. What STIX 2.1 renamed is renamed, what it requires is added, and
// the observables inside observed-data become objects of their own. What it
// dropped is kept as a custom property.
package stix20

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/jsonfeed"
)

// Options bound and complete a lift.
type Options struct {
	MaxObject  int64 // bytes of one object; default 16 MiB
	MaxChanges int   // how many changes are listed; default 1000
	// ID is the deterministic identifier of a cyber-observable object (STIX 2.1
	// §2.9), given as JSON without id; "" where it has none.
	ID func(raw []byte) string
}

// Report says what a lift did. Changes are exchange.Problem without fault: Path
// is where in the input, Message what was changed.
type Report struct {
	Objects     int // read
	Observables int // that were taken out of observed-data and became objects
	Changes     []exchange.Problem
	ChangeCount int // how many there were
}

// RuleLift is the Code of a change.
const RuleLift = "stix.lifted"

const (
	defaultMaxObject  = 16 << 20
	defaultMaxChanges = 1000
	maxMembers        = 256 // around the objects
)

// Lift reads a STIX 2.0 bundle and writes it as a STIX 2.1 bundle. Content that
// cannot be read is an exchange.Invalid error with the place; what was written
// until then is of no use.
func Lift(r io.Reader, w io.Writer, opt Options) (Report, error) {
	if opt.MaxObject <= 0 {
		opt.MaxObject = defaultMaxObject
	}
	if opt.MaxChanges <= 0 {
		opt.MaxChanges = defaultMaxChanges
	}
	l := &lifter{opt: opt, in: jsonfeed.New(r, opt.MaxObject), out: bufio.NewWriterSize(w, 64<<10), said: map[string]said{}}
	if err := l.bundle(); err != nil {
		return l.report, l.explain(err)
	}
	if err := l.out.Flush(); err != nil {
		return l.report, fmt.Errorf("writing a lifted bundle: %w", err)
	}
	return l.report, nil
}

type lifter struct {
	opt     Options
	in      *jsonfeed.Feed
	out     *bufio.Writer
	report  Report
	index   int // of the object that is being lifted
	written int // objects
	said    map[string]said
}

// changed notes a change in the object that is being lifted.
func (l *lifter) changed(at, format string, args ...any) { l.change(l.path()+at, format, args...) }

func (l *lifter) change(path, format string, args ...any) {
	l.report.ChangeCount++
	if len(l.report.Changes) < l.opt.MaxChanges {
		l.report.Changes = append(l.report.Changes, exchange.Problem{Path: path, Code: RuleLift, Message: fmt.Sprintf(format, args...)})
	}
}

// errBundle is content whose fault is told already.
type errBundle string

func (e errBundle) Error() string { return string(e) }

func (l *lifter) explain(err error) error {
	var told errBundle
	switch {
	case errors.As(err, &told):
		return l.invalid("$", string(told))
	case l.in.Err() != nil:
		return fmt.Errorf("reading a STIX bundle: %w", l.in.Err())
	case l.in.TooLarge():
		return l.invalid(l.path(), fmt.Sprintf("larger than the %d bytes that this exchange takes for one object, %s", l.opt.MaxObject, l.in.Place()))
	}
	return l.invalid(l.path(), l.in.Fault(err))
}

func (l *lifter) path() string { return "$.objects[" + strconv.Itoa(l.index) + "]" }

func (l *lifter) invalid(path, text string) error {
	return exchange.InvalidWith("the STIX 2.0 bundle could not be lifted to STIX 2.1", []exchange.Problem{{Path: path, Code: "stix.syntax", Message: text}})
}

func (l *lifter) bundle() error {
	if k := l.in.Peek(); k != jsontext.KindBeginObject && k != jsontext.KindInvalid {
		return errBundle("the input has to be one JSON object, a STIX bundle")
	}
	if _, err := l.in.Token(); err != nil {
		return err
	}
	_ = l.out.WriteByte('{') // errors of a bufio.Writer come at Flush
	first := true
	for n := 0; l.in.Peek() != jsontext.KindEndObject; n++ {
		if n == maxMembers {
			return errBundle("more than " + strconv.Itoa(maxMembers) + " members around the objects")
		}
		name, _, err := l.in.Value()
		if err != nil {
			return err
		}
		quoted := string(name)
		if quoted == `"spec_version"` {
			if err := l.in.Skip(); err != nil {
				return err
			}
			l.change("$.spec_version", "taken out: in STIX 2.1 each object has its own")
			continue
		}
		if !first {
			_ = l.out.WriteByte(',')
		}
		first = false
		_, _ = l.out.WriteString(quoted + ":")
		if quoted == `"objects"` && l.in.Peek() == jsontext.KindBeginArray {
			err = l.objects()
		} else if name, _, err = l.in.Value(); err == nil {
			_, _ = l.out.Write(name)
		}
		if err != nil {
			return err
		}
	}
	if _, err := l.in.Token(); err != nil {
		return err
	}
	_, _ = l.out.WriteString("}\n")
	rest, err := l.in.End()
	if rest != "" {
		return errBundle("something follows the end of the input, near " + rest)
	}
	return err
}

func (l *lifter) objects() error {
	if _, err := l.in.Token(); err != nil {
		return err
	}
	_ = l.out.WriteByte('[')
	for l.in.Peek() != jsontext.KindEndArray {
		raw, _, err := l.in.Value()
		if err != nil {
			return err
		}
		l.index = l.report.Objects
		l.report.Objects++
		o, ok := parse(raw)
		if !ok { // not an object: what is wrong with it is for the check to say
			l.write(raw)
			continue
		}
		l.object(o)
	}
	_ = l.out.WriteByte(']')
	_, err := l.in.Token()
	return err
}

func (l *lifter) write(raw []byte) {
	if l.written > 0 {
		_, _ = l.out.WriteString(",\n")
	}
	l.written++
	_, _ = l.out.Write(raw)
}

// Is20 reports whether r holds a STIX 2.0 bundle: it says so, or an object of a
// type that needs a spec_version in STIX 2.1 has none. It reads no further than
// it must; what cannot be read is not one.
func Is20(r io.Reader) bool {
	in := jsonfeed.New(r, defaultMaxObject)
	if in.Peek() != jsontext.KindBeginObject {
		return false
	}
	if _, err := in.Token(); err != nil {
		return false
	}
	for n := 0; n < maxMembers && in.Peek() == jsontext.KindString; n++ {
		quoted, _, err := in.Value()
		if err != nil {
			return false
		}
		switch name := string(quoted); {
		case name == `"spec_version"`:
			v, _, err := in.Value()
			return err == nil && string(v) == `"2.0"`
		case name == `"objects"` && in.Peek() == jsontext.KindBeginArray:
			if found, sure := versionOf(in); sure {
				return found
			}
		default:
			if in.Skip() != nil {
				return false
			}
		}
	}
	return false
}

// versionOf looks at the objects of a bundle until one tells.
func versionOf(in *jsonfeed.Feed) (is20, sure bool) {
	if _, err := in.Token(); err != nil {
		return false, true
	}
	for in.Peek() != jsontext.KindEndArray {
		raw, _, err := in.Value()
		if err != nil {
			return false, true
		}
		o, ok := parse(raw)
		if !ok {
			return false, true
		}
		if v, ok := o.text("spec_version"); ok {
			return v == "2.0", true
		}
		if typ, _ := o.text("type"); needsVersion[typ] {
			return true, true
		}
	}
	_, err := in.Token()
	return false, err != nil
}
