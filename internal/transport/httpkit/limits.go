package httpkit

import (
	"hash/maphash"
	"math"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// signIns is how many failed sign-ins one address has per minute.
const signIns = 10

// Limits counts what clients ask for. Nil counts nothing.
type Limits struct {
	requests family
	signIns  family
	seed     maphash.Seed
	now      func() time.Time
}

// NewLimits returns limits with so many requests per second for one credential,
// or one address without credentials, in bursts of twice as many; 0 or less is
// no limit. now is time.Now outside tests.
func NewLimits(perSecond float64, now func() time.Time) *Limits {
	return &Limits{
		requests: newFamily(perSecond, int(2*perSecond)),
		signIns:  newFamily(signIns/60., signIns),
		seed:     maphash.MakeSeed(),
		now:      now,
	}
}

// Handler refuses what exceeds the rate of its client: 429 with Retry-After,
// in the form of the interface. It does so before the credential is looked at.
func (l *Limits) Handler(next http.Handler, write FailureWriter) http.Handler {
	if l == nil {
		return next
	}
	return l.limited(next, write, l.client)
}

// Address is Handler for what nobody needs a credential for: an address is one
// client there, whatever it shows.
func (l *Limits) Address(next http.Handler, write FailureWriter) http.Handler {
	if l == nil {
		return next
	}
	return l.limited(next, write, l.address)
}

func (l *Limits) limited(next http.Handler, write FailureWriter, client func(*http.Request) uint64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait := l.requests.take(client(r), l.now())
		if wait == 0 {
			next.ServeHTTP(w, r)
			return
		}
		f := FailureOf(tooMany(wait))
		f.RequestID = RequestID(r.Context())
		write(w, r, f)
	})
}

func tooMany(wait time.Duration) error {
	return &StatusError{
		Status: http.StatusTooManyRequests, RetryAfter: wait,
		Public: "too many requests; wait as long as Retry-After says",
	}
}

// SignIn says whether the caller's address may try to sign in; when it may not
// the error is a 429. Only failures are counted: a team behind one address
// signs in as often as it likes.
func (l *Limits) SignIn(r *http.Request) error {
	if l == nil {
		return nil
	}
	if wait := l.signIns.ask(l.address(r), l.now()); wait > 0 {
		return tooMany(wait)
	}
	return nil
}

// SignInFailed counts a failed sign-in of the caller's address.
func (l *Limits) SignInFailed(r *http.Request) {
	if l != nil {
		l.signIns.take(l.address(r), l.now())
	}
}

// client tells one credential from another without keeping it: a hash with a
// seed of this process.
func (l *Limits) client(r *http.Request) uint64 {
	if header := r.Header["Authorization"]; len(header) > 0 {
		return maphash.String(l.seed, header[0])
	}
	if cookie := SessionOf(r); cookie != "" {
		return maphash.String(l.seed, cookie)
	}
	return l.address(r)
}

// address is the caller's IPv4 address, or its IPv6 network of 64 bits, which
// is what one household or one machine is given.
func (l *Limits) address(r *http.Request) uint64 {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() && !addr.Is4In6() {
		if net64, err := addr.WithZone("").Prefix(64); err == nil {
			host = net64.String()
		}
	}
	return maphash.String(l.seed, host)
}

// maxClients bounds the memory of one family of buckets.
const maxClients = 1 << 14

// family is one bucket for each client.
type family struct {
	every rate.Limit
	burst int
	mu    sync.Mutex
	known map[uint64]*bucket
}

type bucket struct {
	*rate.Limiter
	used time.Time
}

func newFamily(perSecond float64, burst int) family {
	return family{every: rate.Limit(perSecond), burst: max(1, burst), known: map[uint64]*bucket{}}
}

// take draws one and returns 0, or how long to wait for one.
func (f *family) take(client uint64, now time.Time) time.Duration {
	if f.every <= 0 {
		return 0
	}
	b := f.bucket(client, now)
	if b.AllowN(now, 1) {
		return 0
	}
	return f.wait(b, now)
}

// ask is take without drawing.
func (f *family) ask(client uint64, now time.Time) time.Duration {
	b := f.bucket(client, now)
	if b.TokensAt(now) >= 1 {
		return 0
	}
	return f.wait(b, now)
}

func (f *family) wait(b *bucket, now time.Time) time.Duration {
	missing := math.Max(0, 1-b.TokensAt(now))
	return max(time.Millisecond, time.Duration(missing/float64(f.every)*float64(time.Second)))
}

func (f *family) bucket(client uint64, now time.Time) *bucket {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.known[client]
	if b == nil {
		if len(f.known) >= maxClients {
			f.forget(now)
		}
		b = &bucket{Limiter: rate.NewLimiter(f.every, f.burst)}
		f.known[client] = b
	}
	b.used = now
	return b
}

// forget drops the buckets that are full again, which lose nothing by it, and
// half of the rest when that is not enough.
func (f *family) forget(now time.Time) {
	full := time.Duration(float64(f.burst) / float64(f.every) * float64(time.Second))
	for client, b := range f.known {
		if now.Sub(b.used) > full {
			delete(f.known, client)
		}
	}
	for client := range f.known {
		if len(f.known) <= maxClients/2 {
			return
		}
		delete(f.known, client)
	}
}
