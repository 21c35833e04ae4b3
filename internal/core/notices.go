package core

import (
	"context"
	"strconv"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Notary signs texts of whole lines with the exchange's key. Key is the public
// key as text.
type Notary interface {
	Sign(text string) ([]byte, error)
	Key() string
}

// SignedNotice returns a notice to the actor's organisation as a signed note,
// which the organisation can show to others: who was told what, and when.
// Verifying it takes the exchange's public key alone (NoticeKey).
func (x *Exchange) SignedNotice(ctx context.Context, a exchange.Actor, id exchange.NoticeID) ([]byte, error) {
	n, err := x.Delivery.Notice(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return x.notary.Sign(noticeText(x.Name, n))
}

// NoticeKey is the public key that signs notices.
func (x *Exchange) NoticeKey() string { return x.notary.Key() }

// noticeText is what is signed: one fact on each line, its name first.
func noticeText(exchangeName string, n exchange.Notice) string {
	var b strings.Builder
	b.WriteString("forewarn notice v1\n")
	for _, l := range [][2]string{
		{"exchange", exchangeName},
		{"notice", string(n.ID)},
		{"to", string(n.Org)},
		{"at", n.At.UTC().Format(exchange.TimeFormat)},
		{"kind", string(n.Kind)},
		{"program", string(n.Program)},
		{"release", string(n.Release)},
		{"event", strconv.FormatInt(n.Event, 10)},
		{"text", n.Text},
	} {
		if l[1] != "" {
			b.WriteString(l[0] + ": " + oneLine(l[1]) + "\n")
		}
	}
	return b.String()
}

// oneLine keeps a value from looking like further lines.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0x85 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
