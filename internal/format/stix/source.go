package stix

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// source feeds the decoder and stops it when one value gets too large, since the
// decoder itself would buffer a value of any size.
type source struct {
	r         io.Reader
	buf       []byte
	lo, hi    int
	delivered int64 // bytes given to the decoder so far
	allowed   int64 // offset at which the value being read is too large
	tooLarge  bool
	err       error // of r, other than io.EOF
	eof       bool
}

var errTooLarge = errors.New("value too large")

const sourceBuffer = 64 << 10

func (s *source) Read(p []byte) (int, error) {
	if s.delivered >= s.allowed {
		s.tooLarge = true
		return 0, errTooLarge
	}
	if s.lo == s.hi {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p[:min(int64(len(p)), s.allowed-s.delivered)], s.buf[s.lo:s.hi])
	s.lo += n
	s.delivered += int64(n)
	return n, nil
}

func (s *source) fill() error {
	if s.err != nil {
		return s.err
	}
	if s.eof {
		return io.EOF
	}
	for range 100 {
		n, err := s.r.Read(s.buf)
		s.lo, s.hi = 0, n
		s.eof = err == io.EOF
		if err != nil && err != io.EOF {
			s.err = err
		}
		switch {
		case n > 0:
			return nil // a later call returns the error
		case err != nil:
			return err
		}
	}
	s.err = io.ErrNoProgress
	return s.err
}

// position counts lines up to an offset of the input.
type position struct {
	offset    int64 // all bytes before it are counted
	line      int   // newlines before offset
	lineStart int64 // offset of the first byte of the line
}

func (p *position) advance(b []byte) {
	if n := bytes.Count(b, newline); n > 0 {
		p.line += n
		p.lineStart = p.offset + int64(bytes.LastIndexByte(b, '\n')) + 1
	}
	p.offset += int64(len(b))
}

var newline = []byte{'\n'}

// feed is a decoder over a source that knows where it stands.
type feed struct {
	src source
	dec *jsontext.Decoder
	pos position
	max int64
}

func (f *feed) init(r io.Reader, maxValue int) {
	f.src = source{r: r, buf: make([]byte, sourceBuffer)}
	f.max = int64(maxValue)
	f.dec = jsontext.NewDecoder(&f.src)
}

// peek is the kind of the next token and moves the position to it.
func (f *feed) peek() jsontext.Kind {
	f.src.allowed = f.dec.InputOffset() + f.max + 1
	k := f.dec.PeekKind()
	if k == 0 || k == jsontext.KindInvalid {
		return jsontext.KindInvalid
	}
	u := f.dec.UnreadBuffer()
	i := skipSpace(u, 0)
	if i < len(u) && (u[i] == ',' || u[i] == ':') {
		i = skipSpace(u, i+1)
	}
	if skip := f.dec.InputOffset() + int64(i) - f.pos.offset; skip > 0 {
		f.pos.advance(u[int64(i)-skip : i])
	}
	f.src.allowed = f.pos.offset + f.max + 1
	return k
}

// value reads the next value; its first byte stands at offset. The bytes are
// valid until the next call.
func (f *feed) value() (raw []byte, offset int64, err error) {
	f.peek()
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

// token reads one of the tokens {, }, [ and ].
func (f *feed) token() error {
	f.peek()
	if _, err := f.dec.ReadToken(); err != nil {
		return err
	}
	f.pos.offset = f.dec.InputOffset() // one byte, no newline
	return nil
}

// at is the line and the column, in bytes, both from 1, of an offset that the
// decoder has not read past.
func (f *feed) at(offset int64) (line int, column int64) {
	p := f.pos
	u := f.dec.UnreadBuffer()
	lo, hi := p.offset-f.dec.InputOffset(), offset-f.dec.InputOffset()
	lo = max(lo, 0)
	hi = min(hi, int64(len(u)))
	if lo < hi {
		p.advance(u[lo:hi])
	}
	return p.line + 1, max(offset-p.lineStart, 0) + 1
}
