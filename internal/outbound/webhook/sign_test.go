package webhook_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	room "github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/outbound/webhook"
)

type vector struct {
	Note, Key, Public, ID, Body, Signature string
	Timestamp                              int64
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(b, &all); err != nil || len(all) < 5 {
		t.Fatalf("%d vectors: %v", len(all), err)
	}
	return all
}

func (v vector) shown() string {
	if v.Public != "" {
		return v.Public
	}
	return v.Key
}

func (v vector) header() http.Header {
	return http.Header{
		"Webhook-Id": {v.ID}, "Webhook-Timestamp": {strconv.FormatInt(v.Timestamp, 10)}, "Webhook-Signature": {v.Signature},
	}
}

func TestSignatureVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Note, func(t *testing.T) {
			at := time.Unix(v.Timestamp, 0)
			got, err := webhook.Sign([]room.Key{{Secret: v.Key}}, v.ID, at, []byte(v.Body))
			if err != nil || got != v.Signature {
				t.Errorf("signed %s (%v), want %s", got, err, v.Signature)
			}
			if err := webhook.Verify(v.header(), []byte(v.Body), []string{v.shown()}, at); err != nil {
				t.Error(err)
			}
			if err := webhook.Verify(v.header(), []byte(v.Body), []string{"whsec_AAAA", v.shown()}, at.Add(webhook.Tolerance)); err != nil {
				t.Errorf("with two keys, at the edge: %v", err)
			}
			for what, spoil := range map[string]func(h http.Header, body *string, now *time.Time, key *string){
				"another body": func(_ http.Header, body *string, _ *time.Time, _ *string) { *body += " " },
				"another id":   func(h http.Header, _ *string, _ *time.Time, _ *string) { h.Set("webhook-id", "msg_x") },
				"no id":        func(h http.Header, _ *string, _ *time.Time, _ *string) { h.Del("webhook-id") },
				"another time": func(h http.Header, _ *string, _ *time.Time, _ *string) {
					h.Set("webhook-timestamp", strconv.FormatInt(v.Timestamp+1, 10))
				},
				"a time that is none": func(h http.Header, _ *string, _ *time.Time, _ *string) { h.Set("webhook-timestamp", "now") },
				"too late": func(_ http.Header, _ *string, now *time.Time, _ *string) {
					*now = now.Add(webhook.Tolerance + time.Second)
				},
				"too early": func(_ http.Header, _ *string, now *time.Time, _ *string) {
					*now = now.Add(-webhook.Tolerance - time.Second)
				},
				"no signature": func(h http.Header, _ *string, _ *time.Time, _ *string) { h.Del("webhook-signature") },
				"a cut signature": func(h http.Header, _ *string, _ *time.Time, _ *string) {
					h.Set("webhook-signature", v.Signature[:len(v.Signature)-4])
				},
				"an unknown version": func(h http.Header, _ *string, _ *time.Time, _ *string) {
					h.Set("webhook-signature", "v2"+v.Signature[2:])
				},
				"another key":    func(_ http.Header, _ *string, _ *time.Time, key *string) { *key = room.NewKey(room.Ed25519).Public },
				"another secret": func(_ http.Header, _ *string, _ *time.Time, key *string) { *key = room.NewKey(room.HMAC).Secret },
			} {
				h, body, now, key := v.header(), v.Body, at, v.shown()
				spoil(h, &body, &now, &key)
				if err := webhook.Verify(h, []byte(body), []string{key}, now); err == nil {
					t.Errorf("%s: verified", what)
				}
			}
		})
	}
}

func TestSeveralSignatures(t *testing.T) {
	keys := []room.Key{room.NewKey(room.HMAC), room.NewKey(room.HMAC), room.NewKey(room.Ed25519)}
	at, body := time.Unix(1811836800, 0), []byte("{}")
	s, err := webhook.Sign(keys, "msg_a", at, body)
	if err != nil || len(strings.Fields(s)) != 3 {
		t.Fatalf("%q %v", s, err)
	}
	h := http.Header{"Webhook-Id": {"msg_a"}, "Webhook-Timestamp": {"1811836800"}, "Webhook-Signature": {s}}
	for i, k := range keys {
		if err := webhook.Verify(h, body, []string{k.Shown()}, at); err != nil {
			t.Errorf("key %d: %v", i, err)
		}
	}
	for _, bad := range [][]room.Key{nil, {{Secret: "whsec_AAAA"}}, {{Secret: "whsk_AAAA"}}, {{Secret: "whsec_!"}}} {
		if s, err := webhook.Sign(bad, "msg_a", at, body); err == nil || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("signed with %v: %q %v", bad, s, err)
		}
	}
	if _, err := webhook.Sign(keys, "a.b", at, body); err == nil {
		t.Error("signed an id with a full stop, which could be read in two ways")
	}
}

func FuzzVerify(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.ID, strconv.FormatInt(v.Timestamp, 10), v.Signature, v.shown(), []byte(v.Body))
	}
	f.Fuzz(func(t *testing.T, id, stamp, signature, key string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {signature}}
		own := room.NewKey(room.HMAC) // nobody has signed with it
		if webhook.Verify(h, body, []string{own.Secret}, time.Unix(1614265330, 0)) == nil {
			t.Error("verified without the key")
		}
		_ = webhook.Verify(h, body, []string{key}, time.Unix(1614265330, 0))
	})
}
