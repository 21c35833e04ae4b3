package verify

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
)

// A bundle is a tar archive of which every byte is given: POSIX ustar, regular
// files of mode 0644 that belong to nobody and are of the year 1970. So a bundle
// of the same things is the same bytes, and a changed byte is seen.

const (
	blockSize = 512
	maxFile   = 64 << 20
)

var zeros [blockSize]byte

// fileHeader is the header of one file.
func fileHeader(name string, size int64) ([blockSize]byte, error) {
	var h [blockSize]byte
	if name == "" || len(name) >= 100 || size < 0 || size > maxFile {
		return h, fmt.Errorf("%.120q of %d bytes does not fit into a bundle", name, size)
	}
	copy(h[0:], name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00", size))
	copy(h[148:], "        0")
	copy(h[257:], "ustar\x0000")
	copy(h[329:], "0000000\x000000000\x00")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h, nil
}

func padding(size int64) []byte { return zeros[:(blockSize-size%blockSize)%blockSize] }

func writeFile(w io.Writer, name string, body []byte) error {
	h, err := fileHeader(name, int64(len(body)))
	if err != nil {
		return err
	}
	for _, b := range [][]byte{h[:], body, padding(int64(len(body)))} {
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

// archive reads the files of a bundle one after the other.
type archive struct {
	r      *bufio.Reader
	sum    hash.Hash         // of all that was read
	before [sha256.Size]byte // the sum of what stands before the present file
	left   int64             // bytes of the present file
	pad    int64
	name   string
}

func newArchive(r io.Reader) archive {
	return archive{r: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}
}

// next is the next file. It returns io.EOF after the last, when nothing follows.
func (a *archive) next() (name string, size int64, err error) {
	if _, err := io.CopyN(io.Discard, a, a.left); err != nil {
		return "", 0, err
	}
	if err := a.padded(); err != nil {
		return "", 0, err
	}
	a.sum.Sum(a.before[:0])
	var h [blockSize]byte
	if err := a.block(&h); err != nil {
		return "", 0, err
	}
	if h == zeros {
		if err := a.block(&h); err != nil {
			return "", 0, err
		}
		if _, err := a.r.ReadByte(); h != zeros || err == nil {
			return "", 0, failure("something follows the end of the bundle")
		} else if err != io.EOF {
			return "", 0, fmt.Errorf("reading the bundle: %w", err)
		}
		return "", 0, io.EOF
	}
	name, _, _ = strings.Cut(string(h[:100]), "\x00")
	size, err = strconv.ParseInt(string(h[124:135]), 8, 64)
	want, bad := fileHeader(name, size)
	if err != nil || bad != nil || want != h {
		return "", 0, failure("the file after %s is not one of a bundle: it was changed, or packed by another program", a.after())
	}
	a.name, a.left, a.pad = name, size, int64(len(padding(size)))
	return name, size, nil
}

func (a *archive) after() string {
	if a.name == "" {
		return "the beginning"
	}
	return a.name
}

func (a *archive) padded() error {
	var pad [blockSize]byte
	if err := a.full(pad[:a.pad]); err != nil {
		return err
	}
	if !bytes.Equal(pad[:a.pad], zeros[:a.pad]) {
		return failure("something stands between the end of %s and the next file", a.name)
	}
	a.pad = 0
	return nil
}

func (a *archive) block(b *[blockSize]byte) error { return a.full(b[:]) }

func (a *archive) full(b []byte) error {
	n, err := io.ReadFull(a.r, b)
	a.sum.Write(b[:n])
	return a.cut(err)
}

func (a *archive) cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return failure("the bundle is cut off in or after %s", a.after())
	}
	if err != nil {
		return fmt.Errorf("reading the bundle: %w", err)
	}
	return nil
}

// Read reads from the present file.
func (a *archive) Read(b []byte) (int, error) {
	if a.left == 0 {
		return 0, io.EOF
	}
	n, err := a.r.Read(b[:min(int64(len(b)), a.left)])
	a.left -= int64(n)
	a.sum.Write(b[:n])
	return n, a.cut(err)
}

// body is the whole of the present file.
func (a *archive) body(most int64) ([]byte, error) {
	if a.left > most {
		return nil, failure("%s is larger than %d bytes", a.name, most)
	}
	b := make([]byte, a.left)
	if err := a.full(b); err != nil {
		return nil, err
	}
	a.left = 0
	return b, nil
}
