package httpkit

import "net/http"

// The values are shared between answers. Header.Add copies a full slice, so
// nobody can change them.
var (
	noSniff      = []string{"nosniff"}
	noReferrer   = []string{"no-referrer"}
	sameOrigin   = []string{"same-origin"}
	noStore      = []string{"no-store"}
	noFrame      = []string{"DENY"}
	nothingLoads = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}
	hsts         = []string{"max-age=31536000"}
	permissions  = []string{"accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(self), screen-wake-lock=(), usb=(), xr-spatial-tracking=()"}
)

// baseHeaders sets what every answer carries. An interface that serves more
// than data (pages, images, immutable files) replaces what it must.
func baseHeaders(h http.Header, https bool) {
	dataHeaders(h, https)
	h["Referrer-Policy"] = noReferrer // addresses name cases
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	h["Cross-Origin-Opener-Policy"] = sameOrigin
	h["X-Frame-Options"] = noFrame
}

// dataHeaders is what DataOnly leaves of them.
func dataHeaders(h http.Header, https bool) {
	h["X-Content-Type-Options"] = noSniff
	h["Cache-Control"] = noStore
	h["Content-Security-Policy"] = nothingLoads
	if https {
		h["Strict-Transport-Security"] = hsts
	}
}

// DataOnly takes from an answer what only documents and what browsers embed have a
// use for. It is for interfaces that answer nothing but data, to nobody without a
// header that no browser sends by itself: each header costs server and client about
// half a microsecond. X-Frame-Options says what the content security policy, which
// stays, says by frame-ancestors (CSP 3 §6.4.2: the older one is then ignored).
func DataOnly(h http.Header) {
	if h["Referrer-Policy"] == nil { // Wrap knew it
		return
	}
	delete(h, "Referrer-Policy")
	delete(h, "Cross-Origin-Resource-Policy")
	delete(h, "Cross-Origin-Opener-Policy")
	delete(h, "X-Frame-Options")
}

// PageHeaders sets what an HTML page needs beyond that: a policy under which
// styles, fonts and images come from this server and scripts run only with the
// nonce, which is to be fresh for every answer. Without a nonce no script runs.
//
// The referrer goes to this server alone. Under no-referrer browsers would send
// "Origin: null" with every form (Fetch §3.1), and over plain http away from
// loopback, where they send no Sec-Fetch-Site either, a form of ours could not be
// told from one of another site.
func PageHeaders(h http.Header, nonce string) {
	script := "'none'"
	if nonce != "" {
		script = "'nonce-" + nonce + "'"
	}
	h["Content-Security-Policy"] = []string{
		"default-src 'none'; script-src " + script + "; style-src 'self'; font-src 'self'; img-src 'self'; " +
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
			"require-trusted-types-for 'script'; trusted-types 'none'",
	}
	h["Permissions-Policy"] = permissions
	h["Referrer-Policy"] = sameOrigin
	h["Content-Type"] = []string{"text/html; charset=utf-8"}
}
