package webhook

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	room "github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/outbound/reach"
)

// Bounds of one attempt.
const (
	attemptTime = 20 * time.Second // Standard Webhooks asks for 15 to 30 seconds
	maxAnswer   = 16 << 10         // read, and thrown away, so that a connection can be used again
)

// Options of New. The zero value reaches the public internet over TLS.
type Options struct {
	// Allow is the networks that may be reached although they are private, also
	// without TLS.
	Allow  []netip.Prefix
	Lookup reach.Lookup   // nil: the machine's resolver
	Roots  *x509.CertPool // nil: the machine's
	Now    func() time.Time
}

// Sender sends messages. It is a room.Sender.
type Sender struct {
	secure, plain *http.Client
	now           func() time.Time
}

// New returns a sender.
func New(o Options) *Sender {
	if o.Now == nil {
		o.Now = time.Now
	}
	to := reach.Options{Allow: o.Allow, Lookup: o.Lookup, Roots: o.Roots, Time: attemptTime}
	return &Sender{secure: reach.Client(to, true), plain: reach.Client(to, false), now: o.Now}
}

// Send posts a message once. What the receiver writes is not kept: of its
// answer only the status and how long to wait.
func (s *Sender) Send(ctx context.Context, m room.Message) room.Attempt {
	req, client, err := s.request(ctx, m)
	if err != nil {
		return room.Attempt{Error: "setup"}
	}
	began := time.Now()
	res, err := client.Do(req)
	at := room.Attempt{Latency: time.Since(began)}
	if err != nil {
		at.Error = reach.Class(err)
		return at
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer))
	at.Status = res.StatusCode
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		at.Error = "redirect"
	case res.StatusCode < 200 || res.StatusCode >= 300:
		at.Error = "status"
	}
	at.RetryAfter = retryAfter(res.Header.Get("Retry-After"), s.now())
	return at
}

func (s *Sender) request(ctx context.Context, m room.Message) (*http.Request, *http.Client, error) {
	signature, err := Sign(m.Keys, m.ID, m.At, m.Body)
	if err != nil {
		return nil, nil, err
	}
	u, err := url.Parse(m.URL)
	if err != nil || u.User != nil || u.Hostname() == "" {
		return nil, nil, errors.New("not an address to send to")
	}
	client := s.secure
	switch u.Scheme {
	case "https":
	case "http":
		client = s.plain
	default:
		return nil, nil, fmt.Errorf("not a scheme to send over: %q", u.Scheme)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Forewarn-Webhooks/1")
	req.Header.Set(HeaderID, m.ID)
	req.Header.Set(HeaderTimestamp, strconv.FormatInt(m.At.Unix(), 10))
	req.Header.Set(HeaderSignature, signature)
	return req, client, nil
}

// retryAfter reads the header: seconds or a date (RFC 9110 §10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
