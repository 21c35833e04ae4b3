// Package client speaks the HTTP API of an exchange: requests with retries
// that are safe, problems as errors, pages, and the pull of a program into a
// folder. It knows the names in the JSON, not the nouns.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

const (
	prefix  = "/api/v1"
	maxBody = 64 << 20 // of an answer that is read whole
	tries   = 4
	maxWait = 30 * time.Second
)

// Client calls one exchange with one credential.
type Client struct {
	URL   string // base, without a slash at the end
	Token string // empty: only what needs no sign-in
	HTTP  *http.Client
	Agent string
	// Entered, where it is set, is told which entries of the ledger an answer names.
	Entered func(method, numbers string)
	// Wait waits before another try; nil: the clock. Tests replace it.
	Wait func(ctx context.Context, d time.Duration) error
}

// Request is one call.
type Request struct {
	Method string
	Path   string // below /api/v1, or an absolute path of a Link
	Query  url.Values
	Header http.Header
	JSON   any                           // encoded as the body, or
	Open   func() (io.ReadCloser, error) // opened anew for each try
	Size   int64                         // of what Open gives; -1: unknown
	Type   string                        // of what Open gives
}

// Response is an answer of success, read whole.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// ETag is the version that the answer carries, for If-Match.
func (r *Response) ETag() string { return r.Header.Get("ETag") }

// Problem is an answer that is not a success (RFC 9457).
type Problem struct {
	Type     string  `json:"type"`
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail"`
	Instance string  `json:"instance"`
	Errors   []Fault `json:"errors"`
	Total    int     `json:"total"`

	Retry time.Duration   `json:"-"` // what Retry-After says
	Raw   json.RawMessage `json:"-"` // the whole problem as it came; empty when what came was none
}

// Fault is one fault of an input.
type Fault struct {
	Path    string `json:"path"`
	Code    string `json:"code"`
	Section string `json:"section"`
	Message string `json:"message"`
}

func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}

// Unreachable says that no answer came.
type Unreachable struct{ Err error }

func (u *Unreachable) Error() string { return "the exchange cannot be reached: " + u.Err.Error() }
func (u *Unreachable) Unwrap() error { return u.Err }

// Do calls and reads the whole answer. POST carries an Idempotency-Key, the
// same in each try, so a repetition is answered and not done twice.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	res, err := c.Stream(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // only read from
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, &Unreachable{fmt.Errorf("reading the answer: %w", err)}
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxBody)
	}
	return &Response{res.StatusCode, res.Header, body}, nil
}

// Stream calls and returns the answer with its body still to be read. The
// caller closes it. Every status from 400 on is a *Problem.
func (c *Client) Stream(ctx context.Context, r Request) (*http.Response, error) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if r.Method == http.MethodPost && r.Header.Get("Idempotency-Key") == "" {
		r.Header.Set("Idempotency-Key", exchange.RandomSecret())
	}
	var last error
	for try := range tries {
		if try > 0 {
			if err := c.wait(ctx, pause(last, try)); err != nil {
				return nil, err
			}
		}
		res, err := c.once(ctx, r)
		if err == nil {
			return res, nil
		}
		last = err
		if !again(ctx, r.Method, err) {
			break
		}
	}
	return nil, last
}

// again reports whether to repeat is safe and may help: methods that HTTP
// calls idempotent, and POST for its key.
func again(ctx context.Context, method string, err error) bool {
	if ctx.Err() != nil || method == http.MethodPatch {
		return false
	}
	var p *Problem
	if errors.As(err, &p) {
		return p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable
	}
	var refused *net.OpError
	if errors.As(err, &refused) && refused.Op == "dial" {
		return false // nobody listens there: say so at once
	}
	var u *Unreachable
	return errors.As(err, &u)
}

func pause(err error, try int) time.Duration {
	var p *Problem
	if errors.As(err, &p) && p.Retry > 0 {
		return min(p.Retry, maxWait)
	}
	return min(maxWait, 250*time.Millisecond<<try)
}

func (c *Client) wait(ctx context.Context, d time.Duration) error {
	if c.Wait != nil {
		return c.Wait(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (c *Client) once(ctx context.Context, r Request) (*http.Response, error) {
	req, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	res, err := h.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // its text would name the whole address
		}
		return nil, &Unreachable{err}
	}
	if numbers := res.Header.Get("Forewarn-Entry"); numbers != "" && c.Entered != nil {
		c.Entered(r.Method, numbers)
	}
	if res.StatusCode < 400 {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	return nil, problemOf(res)
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	path := r.Path
	if !strings.HasPrefix(path, prefix+"/") {
		path = prefix + path
	}
	if len(r.Query) > 0 {
		path += "?" + r.Query.Encode()
	}
	var body io.Reader
	size := int64(0)
	switch {
	case r.Open != nil:
		b, err := r.Open()
		if err != nil {
			return nil, err
		}
		body, size = b, r.Size
	case r.JSON != nil:
		b, err := json.Marshal(r.JSON)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		body, size = bytes.NewReader(b), int64(len(b))
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, c.URL+path, body)
	if err != nil {
		return nil, fmt.Errorf("the address of the exchange cannot be used: %w", err)
	}
	req.ContentLength = size
	for k, v := range r.Header {
		req.Header[k] = v
	}
	if r.JSON != nil {
		req.Header.Set("Content-Type", "application/json")
	} else if r.Type != "" {
		req.Header.Set("Content-Type", r.Type)
	}
	if r.Open != nil && (size < 0 || size > 1<<20) {
		req.Header.Set("Expect", "100-continue") // a refusal comes before the bytes, not among them
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if c.Agent != "" {
		req.Header.Set("User-Agent", c.Agent)
	}
	return req, nil
}

func problemOf(res *http.Response) *Problem {
	p := &Problem{}
	b, _ := io.ReadAll(io.LimitReader(res.Body, 4<<20)) // what could be read of it is what there is to say
	if json.Unmarshal(b, p) != nil || p.Title == "" {
		p.Title = res.Status
	} else {
		p.Raw = bytes.TrimSpace(b)
	}
	p.Status = res.StatusCode
	if p.Instance == "" {
		p.Instance = res.Header.Get("X-Request-Id")
	}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		p.Retry = time.Duration(s) * time.Second
	}
	return p
}

// Pages calls each for every item of a list, page by page. A request with a
// limit in its query stops after the first page.
func (c *Client) Pages(ctx context.Context, path string, query url.Values, each func(item json.RawMessage) error) error {
	one := query.Has("limit")
	for path != "" {
		res, err := c.Do(ctx, Request{Method: http.MethodGet, Path: path, Query: query})
		if err != nil {
			return err
		}
		var page struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(res.Body, &page); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		for _, item := range page.Items {
			if err := each(item); err != nil {
				return err
			}
		}
		path, query = Next(res.Header), nil
		if one {
			return nil
		}
	}
	return nil
}

// Next is the target of the Link with rel=next (RFC 8288), or "".
func Next(h http.Header) string {
	for _, link := range h.Values("Link") {
		target, params, ok := strings.Cut(link, ">")
		if ok && strings.Contains(params, `rel="next"`) {
			return strings.TrimPrefix(strings.TrimSpace(target), "<")
		}
	}
	return ""
}
