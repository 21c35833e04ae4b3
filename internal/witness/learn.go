package witness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/forewarn-exchange/forewarn/verify"
)

// Learn reads what a log says of its keys and its end: further keys, signed by an
// older one, and keys that no longer count (verify.Follow, from the keys that the
// witness was opened with). A log that says nothing is left as it is. It answers
// the log that follows, if this one was closed.
func (w *Witness) Learn(ctx context.Context, origin string, fetch Fetch) (*verify.Successor, error) {
	h := w.logs[origin]
	if h == nil {
		return nil, fmt.Errorf("this witness does not know the log %.80q", origin)
	}
	b, err := fetch(ctx, "statements")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fetching the log's statements: %w", err)
	}
	var said struct {
		Statements []string `json:"statements"`
	}
	if err := json.Unmarshal(b, &said); err != nil {
		return nil, fmt.Errorf("reading the log's statements: %w", err)
	}
	var statements [][]byte
	for _, s := range said.Statements {
		statements = append(statements, []byte(s))
	}
	keys, next, err := verify.Follow(origin, h.given, statements)
	if err != nil {
		return nil, fmt.Errorf("following the log's keys: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(keys) > 0 {
		h.keys = keys
	}
	return next, nil
}
