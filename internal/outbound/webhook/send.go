package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	room "github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
)

// Bounds of one attempt.
const (
	attemptTime = 20 * time.Second // Standard Webhooks asks for 15 to 30 seconds
	dialTime    = 5 * time.Second
	maxAnswer   = 16 << 10 // read, and thrown away, so that a connection can be used again
	maxHeaders  = 16 << 10
)

// Options of New. The zero value reaches the public internet over TLS.
type Options struct {
	// Allow is the networks that may be reached although they are private, also
	// without TLS.
	Allow  []netip.Prefix
	Lookup Lookup         // nil: the machine's resolver
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
	if o.Lookup == nil {
		o.Lookup = net.DefaultResolver.LookupNetIP
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	g := guard{o.Allow}
	return &Sender{secure: client(o, g, true), plain: client(o, g, false), now: o.Now}
}

// client makes the client of one scheme. Proxies of the environment are not
// used: they would resolve names themselves, past the guard.
func client(o Options, g guard, secure bool) *http.Client {
	d := dialer{g, o.Lookup, secure}
	return &http.Client{
		Timeout: attemptTime,
		Transport: &http.Transport{
			Proxy: nil, DialContext: d.dial,
			TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    dialTime,
			ResponseHeaderTimeout:  attemptTime,
			MaxResponseHeaderBytes: maxHeaders,
			MaxIdleConnsPerHost:    2, MaxIdleConns: 64, IdleConnTimeout: 30 * time.Second,
			ForceAttemptHTTP2: true, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
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
		at.Error = classOf(err)
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

// classOf names what went wrong without repeating anything: the text of an
// error may hold what the receiver sent.
func classOf(err error) string {
	var dns *net.DNSError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.Is(err, errAddress):
		return "address"
	case errors.As(err, &verification), errors.As(err, &record), errors.As(err, &alert):
		return "tls"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &dns):
		return "dns"
	case errors.As(err, &op) && op.Op == "dial":
		return "connect"
	}
	return "answer"
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
