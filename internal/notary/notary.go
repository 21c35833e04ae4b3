// Package notary signs what the exchange says to one party, so that the party
// can show it to others: notices of recalls and grants. A signed text is a note
// as C2SP signed-note has it: the text, a blank line, and a line with the name of
// the key and an Ed25519 signature. It is verified with the exchange's public
// key alone, without an account and without the exchange.
package notary

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Tx is where the key is kept. SigningKey answers exchange.NotFound before the
// first PutSigningKey.
type Tx interface {
	SigningKey() (private, public string, err error)
	PutSigningKey(private, public string) error
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Notary signs with the key of one exchange.
type Notary struct {
	signer note.Signer
	public string
}

// Open reads the exchange's key, and makes one where there is none. name is that
// of a new key, of which KeyName keeps what may stand there.
func Open(ctx context.Context, s Store, name string) (*Notary, error) {
	n := &Notary{}
	read := func(tx Tx) error {
		private, public, err := tx.SigningKey()
		if err != nil {
			return err
		}
		n.public = public
		n.signer, err = note.NewSigner(private)
		return err
	}
	err := s.View(ctx, read)
	if exchange.KindOf(err) != exchange.NotFound {
		return n, err
	}
	return n, s.Update(ctx, func(tx Tx) error {
		err := read(tx) // another node may have been quicker
		if exchange.KindOf(err) != exchange.NotFound {
			return err
		}
		private, public, err := note.GenerateKey(rand.Reader, KeyName(name))
		if err != nil {
			return fmt.Errorf("making the key of notices: %w", err)
		}
		if err := tx.PutSigningKey(private, public); err != nil {
			return err
		}
		return read(tx)
	})
}

// KeyName makes a name for a key: neither white space nor a plus sign stands in
// one (C2SP signed-note).
func KeyName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-', r == ':':
			return r
		}
		return '-'
	}, s)
	if s = strings.Trim(s, "-"); s == "" {
		return "forewarn"
	}
	return s
}

// Key is the public key as text: the name, its hash, and the key in base 64
// (C2SP signed-note, "vkey").
func (n *Notary) Key() string { return n.public }

// Sign returns the signed note of a text of whole lines.
func (n *Notary) Sign(text string) ([]byte, error) {
	b, err := note.Sign(&note.Note{Text: text}, n.signer)
	if err != nil {
		return nil, fmt.Errorf("signing a notice: %w", err)
	}
	return b, nil
}

// MaxNote is the largest signed note that is read, in bytes.
const MaxNote = 1 << 20

var (
	errNotSigned = errors.New("the text carries no signature of this key, or was changed after it was signed")
	errNoKey     = errors.New("the key is no public key of the form name+hash+base64")
	errTooLarge  = fmt.Errorf("larger than %d bytes: not a signed notice", MaxNote)
)

// Verify returns the text of a signed note, and the name of the key, if the key
// signed it as it stands.
func Verify(signed []byte, key string) (text, name string, err error) {
	v, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return "", "", errNoKey
	}
	if len(signed) > MaxNote {
		return "", "", errTooLarge
	}
	signed = bytes.ReplaceAll(signed, []byte("\r\n"), []byte("\n")) // as mail and editors may leave it
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return "", "", errNotSigned
	}
	return n.Text, n.Sigs[0].Name, nil
}
