package reach

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"
)

const (
	dialTime   = 5 * time.Second
	maxHeaders = 16 << 10
)

// Options of Client. The zero value reaches the public internet over TLS.
type Options struct {
	// Allow is the networks that may be reached although they are private, also
	// without TLS.
	Allow  []netip.Prefix
	Lookup Lookup         // nil: the machine's resolver
	Roots  *x509.CertPool // nil: the machine's
	Time   time.Duration  // that one request may take, with its answer
}

// Client makes the client of one scheme: with TLS, or without it, which leads only into
// networks that the operator named. It follows no redirects. Proxies of the environment are not
// used: they would resolve names themselves, past the guard.
func Client(o Options, secure bool) *http.Client {
	if o.Lookup == nil {
		o.Lookup = net.DefaultResolver.LookupNetIP
	}
	d := dialer{guard{o.Allow}, o.Lookup, secure}
	return &http.Client{
		Timeout: o.Time,
		Transport: &http.Transport{
			Proxy: nil, DialContext: d.dial,
			TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    dialTime,
			ResponseHeaderTimeout:  o.Time,
			MaxResponseHeaderBytes: maxHeaders,
			MaxIdleConnsPerHost:    2, MaxIdleConns: 64, IdleConnTimeout: 30 * time.Second,
			ForceAttemptHTTP2: true, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Class names what went wrong in short, without repeating anything: the text of an
// error may hold what the receiver sent.
func Class(err error) string {
	var dns *net.DNSError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.Is(err, ErrAddress):
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
