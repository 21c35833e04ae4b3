package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/verify"
)

// Remote is a log under an address, such as https://exchange.example/log.
type Remote struct {
	url  string
	http *http.Client
}

// NewRemote returns the log under an http or https address.
func NewRemote(address string) (*Remote, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%.200q is not the address of a log, such as https://exchange.example/log", address)
	}
	return &Remote{strings.TrimRight(address, "/"), &http.Client{Timeout: 20 * time.Second}}, nil
}

// maxResource is the largest checkpoint or tile that is read.
const maxResource = verify.MaxCheckpoint

// Fetch is a Fetch.
func (r *Remote) Fetch(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // only read from
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, fmt.Errorf("%s/%s: %w", r.url, path, fs.ErrNotExist)
	default:
		return nil, fmt.Errorf("%s/%s: status %d", r.url, path, res.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxResource+1))
	if err == nil && len(b) > maxResource {
		err = fmt.Errorf("%s/%s is larger than %d bytes", r.url, path, maxResource)
	}
	return b, err
}

// Tell posts a checkpoint that the witness signed to the log's server.
func (r *Remote) Tell(ctx context.Context, signed []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/cosignatures", bytes.NewReader(signed))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := r.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // only read from
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if res.StatusCode/100 != 2 {
		return errors.Join(err, fmt.Errorf("the server does not take the cosignature: status %d: %.300q", res.StatusCode, b))
	}
	return err
}

// refresh is how often a cosignature is told again while the log stands still, so
// that the server knows that the witness is there.
const refresh = time.Minute

// Round is one round of a witness that follows a log from behind a firewall: it
// fetches, checks and cosigns the newest checkpoint, and tells the server. told is
// what it told last, and when; Round answers that anew. Of a history that differs
// it tells the server, too, with the checkpoint that proves it.
func (w *Witness) Round(ctx context.Context, origin string, r *Remote, told Seen) (Seen, error) {
	s, err := w.Follow(ctx, origin, r.Fetch)
	var split *Split
	if errors.As(err, &split) {
		if telling := r.Tell(ctx, split.Newest); telling != nil {
			w.o.Log.Warn("telling the server of the disagreement", "origin", origin, "err", telling)
		}
		return told, split
	}
	if err != nil {
		return told, err
	}
	if s.Size == told.Size && s.Root == told.Root && s.At.Sub(told.At) < refresh {
		return told, nil
	}
	if err := r.Tell(ctx, s.Signed); err != nil {
		return told, err
	}
	return s, nil
}
