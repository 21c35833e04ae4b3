// Package jsonfeed reads JSON of any size piece by piece. It bounds the memory
// for one value and knows the line and column of what it reads.
package jsonfeed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Feed is a JSON decoder over a reader. It refuses names that stand twice in
// one object and text that is not UTF-8. Once a method has returned an error,
// Err, TooLarge and Fault say what ended the reading.
type Feed struct {
	src source
	dec *jsontext.Decoder
	pos position
	max int64
}

// New is a feed over r in which one value may have at most maxValue bytes.
func New(r io.Reader, maxValue int64) *Feed {
	f := &Feed{src: source{r: bufio.NewReaderSize(r, sourceBuffer)}, max: maxValue}
	f.dec = jsontext.NewDecoder(&f.src)
	return f
}

// Err is the error of the reader, other than io.EOF; nil while there is none.
func (f *Feed) Err() error { return f.src.err }

// TooLarge reports whether a value was larger than the feed takes.
func (f *Feed) TooLarge() bool { return f.src.tooLarge }

// Peek is the kind of the next token and moves the position to it;
// jsontext.KindInvalid where there is none.
func (f *Feed) Peek() jsontext.Kind {
	f.src.allowed = f.dec.InputOffset() + f.max + 1
	k := f.dec.PeekKind()
	if k == 0 || k == jsontext.KindInvalid {
		return jsontext.KindInvalid
	}
	u := f.dec.UnreadBuffer()
	i := spaces(u)
	if i < len(u) && (u[i] == ',' || u[i] == ':') {
		i++
		i += spaces(u[i:])
	}
	if skip := f.dec.InputOffset() + int64(i) - f.pos.offset; skip > 0 {
		f.pos.advance(u[int64(i)-skip : i])
	}
	f.src.allowed = f.pos.offset + f.max + 1
	return k
}

// Value reads the next value; its first byte stands at offset. The bytes are
// valid until the next call.
func (f *Feed) Value() (raw []byte, offset int64, err error) {
	f.Peek()
	raw, err = f.dec.ReadValue()
	if err != nil {
		return nil, 0, err
	}
	if int64(len(raw)) > f.max {
		f.src.tooLarge = true
		return nil, 0, errTooLarge
	}
	offset = f.dec.InputOffset() - int64(len(raw))
	f.pos.advance(raw)
	return raw, offset, nil
}

// Token reads the next token, which is valid until the next call.
func (f *Feed) Token() (jsontext.Token, error) {
	f.Peek()
	tok, err := f.dec.ReadToken()
	if err == nil {
		f.pos.offset = f.dec.InputOffset() // no newline stands inside a token
	}
	return tok, err
}

// Skip passes over the next value, token by token, so that its size is no matter.
func (f *Feed) Skip() error {
	depth := f.dec.StackDepth()
	for {
		if _, err := f.Token(); err != nil || f.dec.StackDepth() <= depth {
			return err
		}
	}
}

// End reads to the end of the input, where only white space may follow, and
// returns the place of anything else. The error is that of the reader.
func (f *Feed) End() (rest string, err error) {
	f.Peek()
	rest = f.at(f.dec.InputOffset() + int64(spaces(f.dec.UnreadBuffer())))
	_, err = f.dec.ReadToken()
	switch {
	case err == io.EOF:
		return "", nil
	case f.src.err != nil:
		return "", err
	}
	return rest, nil
}

// Place is where the value starts that was peeked at last, for a message:
// "line = 3 column = 14", both from 1, the column in bytes.
func (f *Feed) Place() string { return f.at(f.pos.offset) }

// at is the place of an offset that the decoder has not read past.
func (f *Feed) at(offset int64) string {
	p := f.pos
	u := f.dec.UnreadBuffer()
	lo, hi := p.offset-f.dec.InputOffset(), offset-f.dec.InputOffset()
	lo = max(lo, 0)
	hi = min(hi, int64(len(u)))
	if lo < hi {
		p.advance(u[lo:hi])
	}
	return fmt.Sprintf("line = %d column = %d", p.line+1, max(offset-p.lineStart, 0)+1)
}

// Fault says what is wrong with the JSON where err ended the reading, and
// where, without the decoder's own text, which quotes bytes of the content.
func (f *Feed) Fault(err error) string {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) || syntax.Err == nil {
		return fault(err)
	}
	s := fault(syntax.Err) + ", " + f.at(syntax.ByteOffset)
	if syntax.ByteOffset == 0 && bytes.HasPrefix(f.dec.UnreadBuffer(), []byte{0xEF}) {
		s += "; the input starts with a byte order mark, which JSON does not allow"
	}
	return s
}

func fault(err error) string {
	text := err.Error()
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "a name stands twice in one object"
	case errors.Is(err, jsontext.ErrNonStringName):
		return "a name in an object has to be a string"
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return "the input ends before the JSON is complete"
	case strings.Contains(text, "invalid UTF-8"):
		return "the text is not UTF-8"
	case strings.Contains(text, "escape sequence"), strings.Contains(text, "surrogate"):
		return "an escape sequence in a string is wrong"
	case strings.Contains(text, "within string"), strings.Contains(text, "in string"):
		return "a string holds a character that has to be escaped"
	case strings.Contains(text, "maximum nesting"), strings.Contains(text, "max depth"):
		return "nested too deeply"
	default:
		return "this is not JSON"
	}
}

// spaces is how many bytes of white space b starts with.
func spaces(b []byte) int { return len(b) - len(bytes.TrimLeft(b, " \n\r\t")) }
