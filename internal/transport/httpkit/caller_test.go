package httpkit_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

func TestCredentials(t *testing.T) {
	tests := map[string]struct {
		authorization []string
		want          httpkit.Credentials
	}{
		"none":                {},
		"bearer":              {authorization: []string{"Bearer fw_a"}, want: httpkit.Credentials{Bearer: "fw_a"}},
		"scheme without case": {authorization: []string{"bEARER  fw_a "}, want: httpkit.Credentials{Bearer: "fw_a"}},
		"taxii2client token":  {authorization: []string{"Token fw_a"}, want: httpkit.Credentials{Bearer: "fw_a"}},
		"basic":               {authorization: []string{"Basic dTpwOnE="}, want: httpkit.Credentials{User: "u", Password: "p:q"}},
		"basic of MISP":       {authorization: []string{"basic dTpw"}, want: httpkit.Credentials{User: "u", Password: "p"}},
		"basic, no base64":    {authorization: []string{"Basic %%%"}},
		"two headers":         {authorization: []string{"Bearer a", "Bearer b"}},
		"another scheme":      {authorization: []string{"Digest a"}},
		"scheme alone":        {authorization: []string{"Bearer"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["Authorization"] = test.authorization
			r.Header.Set("Cookie", "fw=s") // says nothing to machines
			if diff := cmp.Diff(test.want, httpkit.MachineCredentials(r)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSessionOf(t *testing.T) {
	for cookies, want := range map[string]string{"": "", "a=b; fw=s": "s", "__Host-fw=s": ""} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", cookies)
		if got := httpkit.SessionOf(r); got != want {
			t.Errorf("%q over http: session %q, want %q", cookies, got, want)
		}
	}
}

// Without credentials of the channel nobody is asked, so a nil service
// cannot be reached: pages take no Authorization, machines no cookie.
func TestChannelsDoNotMix(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer fw_a")
	if _, err := httpkit.Authenticate(nil, r, exchange.ChannelWeb); exchange.KindOf(err) != exchange.Unsigned {
		t.Errorf("a page with a bearer token: %v", err)
	}
	r = httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", "fw=s")
	for _, channel := range []exchange.Channel{exchange.ChannelAPI, exchange.ChannelTAXII} {
		if _, err := httpkit.Authenticate(nil, r, channel); exchange.KindOf(err) != exchange.Unsigned {
			t.Errorf("%s with a cookie: %v", channel, err)
		}
	}
}

func TestSessionCookie(t *testing.T) {
	for _, https := range []bool{false, true} {
		var read string
		h := httpkit.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/set" {
				httpkit.SetSession(w, r, "secret", time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
				return
			}
			read = httpkit.SessionOf(r)
			httpkit.ClearSession(w, r)
		}), httpkit.Options{Secure: https})

		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/set", nil))
		want := "fw=secret; Path=/; Expires=Wed, 02 Jan 2030 03:04:05 GMT; HttpOnly; SameSite=Lax"
		if https {
			want = "__Host-fw=secret; Path=/; Expires=Wed, 02 Jan 2030 03:04:05 GMT; HttpOnly; Secure; SameSite=Lax"
		}
		if got := w.Header().Get("Set-Cookie"); got != want {
			t.Errorf("https %v: %q, want %q", https, got, want)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(w.Result().Cookies()[0])
		w = httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if read != "secret" {
			t.Errorf("https %v: read %q", https, read)
		}
		if c := w.Result().Cookies()[0]; c.MaxAge != -1 || c.Value != "" || c.Name != httpkit.CookieName(r) && !https {
			t.Errorf("https %v: cleared with %v", https, c)
		}
	}
}
