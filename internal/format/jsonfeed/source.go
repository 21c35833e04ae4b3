package jsonfeed

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// source feeds the decoder and stops it when one value gets too large, since the
// decoder itself would buffer a value of any size.
type source struct {
	r         *bufio.Reader
	delivered int64 // bytes given to the decoder so far
	allowed   int64 // offset at which the value being read is too large
	tooLarge  bool
	err       error // of r, other than io.EOF
}

var errTooLarge = errors.New("value too large")

const sourceBuffer = 64 << 10

func (s *source) Read(p []byte) (int, error) {
	if s.delivered >= s.allowed {
		s.tooLarge = true
		return 0, errTooLarge
	}
	if _, err := s.r.Peek(1); err != nil { // unlike Read, it gives up on a reader that never gives anything
		if err != io.EOF {
			s.err = err
		}
		return 0, err
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.allowed-s.delivered)])
	s.delivered += int64(n)
	return n, err
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
