package webhook

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"time"
)

// Algorithm is how messages are signed.
type Algorithm string

// The algorithms of Standard Webhooks: v1 is a shared secret, v1a a key pair of
// which the receiver has the public half.
const (
	HMAC    Algorithm = "hmac-sha256"
	Ed25519 Algorithm = "ed25519"
)

// Prefixes of keys in text (Standard Webhooks, "Signature scheme"); the rest is
// base64.
const (
	SecretPrefix  = "whsec_"
	PrivatePrefix = "whsk_"
	PublicPrefix  = "whpk_"
)

// Key signs messages. Secret never leaves the exchange, except that of HMAC in
// the answer to its making.
type Key struct {
	Algorithm Algorithm
	Secret    string    // whsec_ with 32 random bytes, or whsk_ with an Ed25519 private key (RFC 8032: seed and public key)
	Public    string    // whpk_; empty for HMAC
	Until     time.Time // after this it signs no more; zero: it is the current one
}

// NewKey makes a key.
func NewKey(a Algorithm) Key {
	if a == Ed25519 {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil { // crypto/rand does not fail
			panic(err)
		}
		return Key{
			Algorithm: a, Secret: PrivatePrefix + base64.StdEncoding.EncodeToString(private),
			Public: PublicPrefix + base64.StdEncoding.EncodeToString(public),
		}
	}
	var b [32]byte
	_, _ = rand.Read(b[:]) // it aborts the program instead of failing
	return Key{Algorithm: HMAC, Secret: SecretPrefix + base64.StdEncoding.EncodeToString(b[:])}
}

// Shown is what the receiver needs of the key: the shared secret, or the public
// half.
func (k Key) Shown() string {
	if k.Public != "" {
		return k.Public
	}
	return k.Secret
}

// overlap is for how long the old key signs beside the new one.
const overlap = 24 * time.Hour

// rotated puts a new key of the same algorithm in front.
func rotated(keys []Key, now time.Time) []Key {
	out := []Key{NewKey(keys[0].Algorithm)}
	for i, k := range signing(keys, now) {
		if i == 0 {
			k.Until = now.Add(overlap)
		}
		if i < 2 { // at most three at once
			out = append(out, k)
		}
	}
	return out
}

// signing are the keys that sign at now.
func signing(keys []Key, now time.Time) []Key {
	var out []Key
	for _, k := range keys {
		if k.Until.IsZero() || now.Before(k.Until) {
			out = append(out, k)
		}
	}
	return out
}
