// Package webhook sends messages to receivers outside: signed as Standard
// Webhooks has it (https://www.standardwebhooks.com), over TLS, never into
// networks that the operator did not permit, never along a redirect, and with
// bounds on time and on what is read of an answer.
package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	room "github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
)

// The headers of Standard Webhooks.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Versions of signatures: HMAC-SHA256, and Ed25519.
const (
	symmetric  = "v1"
	asymmetric = "v1a"
)

// signedContent is what is signed: the id, the seconds since 1970, and the body
// as it is sent, joined by full stops.
func signedContent(id string, at time.Time, body []byte) []byte {
	return append([]byte(id+"."+strconv.FormatInt(at.Unix(), 10)+"."), body...)
}

// Sign returns the value of webhook-signature: one signature for each key, with
// spaces between.
func Sign(keys []room.Key, id string, at time.Time, body []byte) (string, error) {
	if len(keys) == 0 || id == "" || strings.Contains(id, ".") {
		return "", errors.New("signing a webhook: no key, or an id that cannot be signed")
	}
	content := signedContent(id, at, body)
	var out []string
	for _, k := range keys {
		version, sum, err := signature(k.Secret, content)
		if err != nil {
			return "", err
		}
		out = append(out, version+","+base64.StdEncoding.EncodeToString(sum))
	}
	return strings.Join(out, " "), nil
}

func signature(secret string, content []byte) (version string, sum []byte, err error) {
	if text, ok := strings.CutPrefix(secret, room.PrivatePrefix); ok {
		key, err := base64.StdEncoding.DecodeString(text)
		switch {
		case err == nil && len(key) == ed25519.SeedSize:
			return asymmetric, ed25519.Sign(ed25519.NewKeyFromSeed(key), content), nil
		case err == nil && len(key) == ed25519.PrivateKeySize:
			return asymmetric, ed25519.Sign(key, content), nil
		}
		return "", nil, errors.New("signing a webhook: whsk_ holds no Ed25519 key")
	}
	key, err := shared(secret)
	if err != nil {
		return "", nil, err
	}
	return symmetric, mac(key, content), nil
}

// shared reads a shared secret: 24 to 64 bytes, with or without its prefix.
func shared(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, room.SecretPrefix))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("a shared secret of a webhook is base64 of 24 to 64 bytes")
	}
	return key, nil
}

func mac(key, content []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(content)
	return h.Sum(nil)
}

// Tolerance is how far the clocks of sender and receiver may be apart.
const Tolerance = 5 * time.Minute

// ErrUnverified is the answer of Verify to a message that is not from us, was
// changed, or is too old or too new.
var ErrUnverified = errors.New("the webhook is not verified")

// Verify is what a receiver does: it checks the three headers against the body
// as it came, with the keys it was given (whsec_… or whpk_…). One signature by
// one of the keys suffices.
func Verify(h http.Header, body []byte, keys []string, now time.Time) error {
	id, stamp := h.Get(HeaderID), h.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || id == "" {
		return fmt.Errorf("%w: its id or its time is missing", ErrUnverified)
	}
	at := time.Unix(seconds, 0)
	if d := now.Sub(at); d > Tolerance || d < -Tolerance {
		return fmt.Errorf("%w: its time is too far from ours", ErrUnverified)
	}
	content := signedContent(id, at, body)
	for _, one := range strings.Fields(h.Get(HeaderSignature)) {
		version, text, _ := strings.Cut(one, ",")
		sum, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		for _, key := range keys {
			if verifies(version, key, content, sum) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: no signature is by a known key", ErrUnverified)
}

func verifies(version, key string, content, sum []byte) bool {
	if text, ok := strings.CutPrefix(key, room.PublicPrefix); ok {
		public, err := base64.StdEncoding.DecodeString(text)
		return version == asymmetric && err == nil && len(public) == ed25519.PublicKeySize && ed25519.Verify(public, content, sum)
	}
	secret, err := shared(key)
	return version == symmetric && err == nil && hmac.Equal(mac(secret, content), sum)
}
