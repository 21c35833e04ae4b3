package httpkit

import (
	"net/http"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/authn"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// challenges are the schemes of machines (RFC 7617, RFC 6750). Basic comes
// first: some TAXII clients read the first one alone.
var challenges = []string{`Basic realm="Forewarn", charset="UTF-8"`, `Bearer realm="Forewarn"`}

// Authenticate returns the actor of a request, or exchange.Unsigned. Pages
// take the session cookie and nothing else; machine interfaces take the header
// Authorization and never a cookie, so that no page elsewhere can act there in
// a reader's name.
func Authenticate(a *authn.Service, r *http.Request, channel exchange.Channel) (exchange.Actor, error) {
	if channel == exchange.ChannelWeb {
		if secret := SessionOf(r); secret != "" {
			return a.Session(r.Context(), secret)
		}
		return exchange.Actor{}, exchange.Fail(exchange.Unsigned, "sign in: no valid credentials were given")
	}
	c := machineCredentials(r)
	switch {
	case c.Bearer != "":
		return a.Bearer(r.Context(), c.Bearer, channel)
	case c.User != "" || c.Password != "":
		return a.Basic(r.Context(), c.User, c.Password, channel)
	}
	return exchange.Actor{}, exchange.Fail(exchange.Unsigned, "sign in: no valid credentials were given")
}

// credentials are what a machine's request brings, unproved.
type credentials struct {
	Bearer         string
	User, Password string
}

// machineCredentials reads the header Authorization. Schemes are compared
// without case (RFC 9110 §11.1; MISP sends "basic"). More than one header is
// none: proxies and servers would disagree on which counts.
func machineCredentials(r *http.Request) (c credentials) {
	header := r.Header["Authorization"]
	if len(header) != 1 {
		return c
	}
	scheme, rest, _ := strings.Cut(header[0], " ")
	switch {
	case strings.EqualFold(scheme, "bearer"), strings.EqualFold(scheme, "token"): // taxii2client's TokenAuth says Token
		c.Bearer = strings.TrimSpace(rest)
	case strings.EqualFold(scheme, "basic"):
		c.User, c.Password, _ = r.BasicAuth()
	}
	return c
}

// CookieName is the name of the session cookie: __Host- binds it to https, to
// this host and to the whole path. Over plain http, as on loopback, browsers
// refuse that prefix.
func CookieName(r *http.Request) string {
	if secure(r) {
		return "__Host-fw"
	}
	return "fw"
}

// SessionOf returns the secret in the session cookie, or "".
func SessionOf(r *http.Request) string {
	c, err := r.Cookie(CookieName(r))
	if err != nil {
		return ""
	}
	return c.Value
}

// SetSession gives the browser a session.
func SetSession(w http.ResponseWriter, r *http.Request, secret string, expires time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName(r), Value: secret, Path: "/", Expires: expires,
		Secure: secure(r), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// ClearSession takes the session from the browser.
func ClearSession(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName(r), Path: "/", MaxAge: -1,
		Secure: secure(r), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
