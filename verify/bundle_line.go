package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// entryLine is one event as it is written: {"index":…,"seq":…,"opening":{…}}, and
// "path":[…] when the tile is not in the bundle.
type entryLine struct {
	Index   int64           `json:"index"`
	Seq     int64           `json:"seq"`
	Opening json.RawMessage `json:"opening"`
	Path    []string        `json:"path"`

	opening Opening
	path    []tlog.Hash
}

func (l *entryLine) append(b []byte) ([]byte, error) {
	opening, err := l.opening.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("place %d: %w", l.Index, err)
	}
	if len(opening) > MaxOpening {
		return nil, fmt.Errorf("place %d: the opening is larger than %d bytes", l.Index, MaxOpening)
	}
	b = fmt.Appendf(b, `{"index":%d,"seq":%d,"opening":`, l.Index, l.Seq)
	b = append(b, opening...)
	for i, h := range l.path {
		b = append(b, []string{`,"path":["`, `","`}[min(i, 1)]...)
		b = b64.AppendEncode(b, h[:])
	}
	if l.path != nil {
		b = append(b, `"]`...)
	}
	return append(b, "}\n"...), nil
}

// parseEntryLine reads a line as it was written, to the byte. The index is -1 when
// not even that can be read.
func parseEntryLine(text []byte) (entryLine, error) {
	if l, ok := scanLine(text); ok {
		return l, nil
	}
	l := entryLine{Index: -1}
	if err := json.Unmarshal(text, &l); err != nil {
		l.Index = indexOf(text)
		return l, fmt.Errorf("not a line of JSON: %w", err)
	}
	if err := l.opening.UnmarshalJSON(l.Opening); err != nil {
		return l, err
	}
	for i, p := range l.Path {
		var h tlog.Hash
		if err := unbase(h[:], p, fmt.Sprintf("path[%d]", i)); err != nil {
			return l, err
		}
		l.path = append(l.path, h)
	}
	again, err := l.append(nil)
	if err == nil && !bytes.Equal(again, text) {
		err = errors.New("it was written by another program, or changed")
	}
	return l, err
}

// indexOf is the index of a line that is no JSON, when it begins as lines do.
func indexOf(text []byte) int64 {
	rest, _ := bytes.CutPrefix(text, []byte(`{"index":`))
	digits, _, _ := bytes.Cut(rest, []byte(","))
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// facts are those members of an event that a bundle is checked for.
type facts struct {
	Number        int64
	Program, Kind string
	At            time.Time
	Charter       int64
	CharterDigest string
}

// factsOf reads them from what an opening shows.
func factsOf(o Opening) (f facts, err error) {
	if o.Event == nil {
		for _, p := range o.Parts {
			if err := f.take(p.Name, p.Value); err != nil {
				return facts{}, err
			}
		}
		return f, nil
	}
	event, err := Canonical(o.Event)
	if err != nil {
		return facts{}, err
	}
	scanObject(event, func(name []byte, index int, value []byte) {
		if index < 0 && err == nil {
			err = f.take(string(name), value)
		}
	})
	return f, err
}

func (f *facts) take(name string, value []byte) (err error) {
	var text string
	switch name {
	case "number":
		f.Number, err = strconv.ParseInt(string(value), 10, 64)
	case "d_charter":
		f.Charter, err = strconv.ParseInt(string(value), 10, 64)
	case "program":
		f.Program, err = unquote(value)
	case "kind":
		f.Kind, err = unquote(value)
	case "d_charter_digest":
		f.CharterDigest, err = unquote(value)
	case "at":
		if text, err = unquote(value); err == nil {
			f.At, err = time.Parse(timeForm, text)
		}
	}
	if err != nil {
		return fmt.Errorf("the member %s: %w", name, err)
	}
	return nil
}

// unquote is a canonical JSON string as it reads.
func unquote(value []byte) (s string, err error) {
	if len(value) >= 2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), nil
	}
	err = json.Unmarshal(value, &s)
	return s, err
}

// scanLine reads a line with a whole opening, which nearly all are, in the one form
// that it may have.
func scanLine(text []byte) (l entryLine, ok bool) {
	rest, ok := bytes.CutPrefix(text, []byte(`{"index":`))
	for _, x := range []struct {
		n    *int64
		then string
	}{{&l.Index, `,"seq":`}, {&l.Seq, `,"opening":{"salt":"`}} {
		end := scanInteger(rest, 0)
		if !ok || end < 0 {
			return l, false
		}
		var err error
		if *x.n, err = strconv.ParseInt(string(rest[:end]), 10, 64); err != nil {
			return l, false
		}
		rest, ok = bytes.CutPrefix(rest[end:], []byte(x.then))
	}
	salt := b64.EncodedLen(SaltSize)
	if !ok || len(rest) < salt || unbase(l.opening.Salt[:], string(rest[:salt]), "salt") != nil {
		return l, false
	}
	if rest, ok = bytes.CutPrefix(rest[salt:], []byte(`","event":`)); !ok {
		return l, false
	}
	end := scanValue(rest, 0, 0)
	if end < 0 || rest[0] != '{' {
		return l, false
	}
	l.opening.Event = rest[:end:end]
	if rest, ok = bytes.CutPrefix(rest[end:], []byte("}")); !ok {
		return l, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"path":["`)); ok {
		path, after, some := bytes.Cut(rest, []byte(`"]`))
		for p := range bytes.SplitSeq(path, []byte(`","`)) {
			var h tlog.Hash
			if unbase(h[:], string(p), "path") != nil {
				return l, false
			}
			l.path = append(l.path, h)
		}
		if rest = after; !some {
			return l, false
		}
	}
	return l, string(rest) == "}\n" && len(l.opening.Event) <= MaxOpening
}
