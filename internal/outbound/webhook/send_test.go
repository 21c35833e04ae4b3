package webhook_test

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	room "github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/outbound/reach"
	"github.com/forewarn-exchange/forewarn/internal/outbound/webhook"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func message(address string) room.Message {
	return room.Message{ID: "msg_a", URL: address, At: time.Unix(1811836800, 0), Body: []byte(`{"type":"webhook.test"}`), Keys: []room.Key{room.NewKey(room.HMAC)}}
}

// names is a resolver that knows what the test gives it.
func names(known map[string][]string) reach.Lookup {
	return func(_ context.Context, _, host string) ([]netip.Addr, error) {
		var out []netip.Addr
		for _, a := range known[host] {
			out = append(out, netip.MustParseAddr(a))
		}
		if out == nil {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return out, nil
	}
}

// Nothing inside is reached, however it is written and whatever a name answers.
func TestNothingInsideIsReached(t *testing.T) {
	var hits atomic.Int64
	in := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer in.Close()
	_, port, _ := net.SplitHostPort(in.Listener.Addr().String())
	roots := x509.NewCertPool()
	roots.AddCert(in.Certificate())
	addresses := []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "100.100.100.200",
		"169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1",
		"192.168.0.1", "198.18.0.1", "198.51.100.7", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
		"64:ff9b:1::a00:1", "fe80::1", "fe80::a9fe:a9fe", "fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "2002:7f00:1::", "2002:a00:1::1",
		"2001::1", "2001:db8::1", "3fff::1", "100::1", "fec0::1", "5f00::1",
	}
	known := map[string][]string{}
	var urls []string
	for i, a := range addresses {
		name := "host" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + ".example"
		known[name] = []string{a}
		urls = append(urls, "https://"+net.JoinHostPort(a, port)+"/in", "https://"+name+":"+port+"/in")
	}
	known["many.example"] = addresses
	urls = append(
		urls, "https://many.example:"+port+"/",
		"http://8.8.8.8/in", // without TLS only where it is permitted
	)
	s := webhook.New(webhook.Options{Lookup: names(known), Roots: roots})
	for _, u := range urls {
		if at := s.Send(t.Context(), message(u)); at.Error != "address" || at.Status != 0 {
			t.Errorf("%s: %+v", u, at)
		}
	}
	for _, u := range []string{
		"https://2130706433:" + port + "/", "https://0x7f.1:" + port + "/", "https://localhost:" + port + "/", "https://127.1:" + port + "/", // names that nobody answers
		"https://unknown.example/",
	} {
		if at := s.Send(t.Context(), message(u)); at.Error != "dns" {
			t.Errorf("%s: %+v", u, at)
		}
	}
	for _, u := range []string{"https://user:pw@127.0.0.1/", "gopher://127.0.0.1/", "file:///etc/hosts", "https://", "%"} {
		if at := s.Send(t.Context(), message(u)); at.Error != "setup" {
			t.Errorf("%s: %+v", u, at)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("a receiver inside was reached %d times", hits.Load())
	}
	// The same receiver, permitted: the test can tell.
	s = webhook.New(webhook.Options{Lookup: names(map[string][]string{"example.com": {"10.9.9.9", "::ffff:127.0.0.1"}}), Roots: roots, Allow: loopback})
	if at := s.Send(t.Context(), message("https://example.com:"+port+"/in")); at.Error != "" || at.Status != 200 || hits.Load() != 1 {
		t.Errorf("permitted: %+v, %d hits", at, hits.Load())
	}
}

// A name that answers one address to be checked and another to be used gains
// nothing: what is dialled is what was checked.
func TestRebinding(t *testing.T) {
	var hits, asked atomic.Int64
	in := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer in.Close()
	_, port, _ := net.SplitHostPort(in.Listener.Addr().String())
	s := webhook.New(webhook.Options{Lookup: func(context.Context, string, string) ([]netip.Addr, error) {
		if asked.Add(1)%2 == 1 {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}})
	for range 6 {
		if at := s.Send(t.Context(), message("https://rebind.example:"+port+"/")); at.Error != "address" {
			t.Errorf("%+v", at)
		}
	}
	if hits.Load() != 0 {
		t.Error("reached")
	}
}

func TestAnswers(t *testing.T) {
	var hits atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer inside.Close()
	in := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
		case "/busy":
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/flood":
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
					return
				}
			}
		case "/headers":
			for range 64 {
				w.Header().Add("X-Flood", strings.Repeat("y", 1<<10))
			}
		case "/cut":
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	defer in.Close()
	t.Setenv("HTTP_PROXY", inside.URL)
	t.Setenv("HTTPS_PROXY", inside.URL)
	s := webhook.New(webhook.Options{Allow: loopback})
	for path, want := range map[string]room.Attempt{
		"/":         {Status: 202},
		"/redirect": {Status: 307, Error: "redirect"},
		"/busy":     {Status: 503, Error: "status", RetryAfter: 2 * time.Minute},
		"/gone":     {Status: 410, Error: "status"},
		"/flood":    {Status: 200},
		"/headers":  {Error: "answer"},
		"/cut":      {Error: "answer"},
	} {
		got := s.Send(t.Context(), message(in.URL+path))
		if got.Latency <= 0 {
			t.Errorf("%s: took %s", path, got.Latency)
		}
		got.Latency = 0
		if got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("a redirect or a proxy was followed %d times", hits.Load())
	}
}

func TestUnknownCertificate(t *testing.T) {
	in := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached") }))
	defer in.Close()
	in.Config.ErrorLog = nil
	s := webhook.New(webhook.Options{Allow: loopback})
	if at := s.Send(t.Context(), message(in.URL)); at.Error != "tls" {
		t.Errorf("%+v", at)
	}
}
