package witness_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	room "github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/outbound/reach"
	"github.com/forewarn-exchange/forewarn/internal/outbound/witness"
)

// What each answer of a witness means. What is no answer of the protocol means
// nothing, and nothing of it is repeated.
func TestAnswers(t *testing.T) {
	open := reach.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   room.Answer
	}{
		{"signed", 200, "— w AAAA\n", room.Answer{Outcome: room.Signed, Body: []byte("— w AAAA\n")}},
		{"another size", 409, "17\n", room.Answer{Outcome: room.OtherSize, Size: 17}},
		{"no size at all", 409, "secret\n", room.Answer{Failure: "answer"}},
		{"a size without an end", 409, "17", room.Answer{Failure: "answer"}},
		{"a size with a sign", 409, "+17\n", room.Answer{Failure: "answer"}},
		{"a negative size", 409, "-17\n", room.Answer{Failure: "answer"}},
		{"a contradiction", 422, "", room.Answer{Outcome: room.Contradicts}},
		{"another key", 403, "", room.Answer{Outcome: room.UnknownKey}},
		{"another log", 404, "", room.Answer{Outcome: room.UnknownLog}},
		{"a fault", 500, "secret", room.Answer{Failure: "status"}},
		{"a redirect", 307, "", room.Answer{Failure: "status"}},
		{"too much", 200, strings.Repeat("x", 64<<10+1), room.Answer{Failure: "answer"}},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if b, err := io.ReadAll(r.Body); err != nil || string(b) != "the body" || r.URL.Path != "/w/add-checkpoint" || r.Method != http.MethodPost {
				t.Errorf("%s %s with %q, %v", r.Method, r.URL, b, err)
			}
			if c.status == 307 {
				w.Header().Set("Location", "http://127.0.0.1:1/")
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		if d := cmp.Diff(c.want, witness.New(open).AddCheckpoint(t.Context(), srv.URL+"/w/", []byte("the body"))); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		srv.Close()
	}
}

// Charters name addresses, and whoever writes one must not reach into the network
// of the exchange.
func TestStaysOutside(t *testing.T) {
	asked := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer srv.Close()
	for address, want := range map[string]string{
		srv.URL: "address", strings.Replace(srv.URL, "http:", "https:", 1): "address", "http://169.254.169.254": "address",
		"https://user:pw@witness.example": "setup", "://": "setup",
	} {
		if got := witness.New(reach.Options{}).AddCheckpoint(t.Context(), address, nil); got.Failure != want || got.Outcome != room.Failed {
			t.Errorf("%s: %+v, want %s", address, got, want)
		}
	}
	if asked {
		t.Error("the exchange reached an address in its own network")
	}
}
