// Package mail hands messages to the mail server of the exchange's operator.
package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	smtp "github.com/wneessen/go-mail"

	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
)

// Security is how the connection to the mail server is protected.
type Security string

// The ways. STARTTLS and TLS verify the server's certificate; without one of
// them nothing is sent over them. None is for a server on the same machine.
const (
	STARTTLS Security = "starttls"
	TLS      Security = "tls"
	None     Security = "none"
)

// Options say which mail server, and as whom.
type Options struct {
	Host     string
	Port     int
	From     string // the address of the sender
	Security Security
	User     string // empty: no sign-in
	Password string
}

// Sender sends by SMTP (RFC 5321).
type Sender struct{ o Options }

// New returns a sender.
func New(o Options) *Sender { return &Sender{o} }

const patience = 30 * time.Second

// Send hands one message to the server. It answers mail.ErrRefused where the
// server refuses the address for good (5xx).
func (s *Sender) Send(ctx context.Context, m mail.Message) error {
	msg := smtp.NewMsg()
	if err := msg.From(s.o.From); err != nil {
		return errors.New("the sender's address of the configuration is no mail address")
	}
	if err := msg.To(m.To); err != nil {
		return mail.ErrRefused
	}
	msg.Subject(m.Subject)
	msg.SetBodyString(smtp.TypeTextPlain, m.Text)
	msg.SetMessageID()
	msg.SetDate()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5
	var conn net.Conn                                    // the library leaves it open where the server offers no STARTTLS
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	options := s.options()
	if s.o.Security != TLS {
		options = append(options, smtp.WithDialContextFunc(func(ctx context.Context, network, addr string) (_ net.Conn, err error) {
			conn, err = (&net.Dialer{Timeout: patience}).DialContext(ctx, network, addr)
			return conn, err
		}))
	}
	c, err := smtp.NewClient(s.o.Host, options...)
	if err != nil {
		return fmt.Errorf("the mail server: %w", err)
	}
	err = c.DialAndSendWithContext(ctx, msg)
	var refused *smtp.SendError
	if errors.As(err, &refused) {
		// What the server says may name the person: it is not passed on.
		if !refused.IsTemp() && refused.Reason == smtp.ErrSMTPRcptTo {
			return mail.ErrRefused
		}
		return fmt.Errorf("the mail server does not take the message: step %s", refused.Reason)
	}
	if err != nil {
		return errors.New("the mail server cannot be reached, or its certificate or the sign-in does not hold")
	}
	return nil
}

func (s *Sender) options() []smtp.Option {
	out := []smtp.Option{smtp.WithPort(s.o.Port), smtp.WithTimeout(patience)}
	switch s.o.Security {
	case TLS:
		out = append(out, smtp.WithSSL())
	case None:
		out = append(out, smtp.WithTLSPolicy(smtp.NoTLS))
	default:
		out = append(out, smtp.WithTLSPolicy(smtp.TLSMandatory))
	}
	if s.o.User != "" {
		out = append(out, smtp.WithSMTPAuth(smtp.SMTPAuthAutoDiscover), smtp.WithUsername(s.o.User), smtp.WithPassword(s.o.Password))
	}
	return out
}
