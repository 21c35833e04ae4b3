package core

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
)

// digest answers hashes of stored bytes, without which no proof can be made of an
// object that has no version. It gives nobody the bytes.
func (b delivered) digest(ctx context.Context, sha string, of []delivery.Range) ([][32]byte, error) {
	blob, err := b.Open(sha)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exchange.Missing()
	}
	if err != nil {
		return nil, fmt.Errorf("opening bytes to hash: %w", err)
	}
	defer blob.Close()
	out := make([][32]byte, len(of))
	h := sha256.New()
	for i, r := range of {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h.Reset()
		n, err := io.Copy(h, io.NewSectionReader(blob, r.Offset, r.Length))
		if err != nil {
			return nil, fmt.Errorf("hashing stored bytes: %w", err)
		}
		if n != r.Length {
			return nil, exchange.Missing()
		}
		h.Sum(out[i][:0])
	}
	return out, nil
}
