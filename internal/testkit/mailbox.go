package testkit

import (
	"bufio"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// Mailbox is a mail server (SMTP, RFC 5321) that keeps what it is given, for one
// test. It refuses every address that begins with "refused".
type Mailbox struct {
	Addr string // host:port

	mu   sync.Mutex
	mail []Mail
	down bool
}

// Mail is one message that a mailbox was given.
type Mail struct{ To, Data string }

// NewMailbox starts a mailbox on this machine.
func NewMailbox(t testing.TB) *Mailbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &Mailbox{Addr: l.Addr().String()}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { m.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	return m
}

// Down makes the server turn every sender away for now, or no longer.
func (m *Mailbox) Down(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// Take returns what came since the last call.
func (m *Mailbox) Take() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.mail
	m.mail = nil
	return out
}

func (m *Mailbox) serve(c net.Conn) {
	defer c.Close()
	in, to := bufio.NewReader(c), ""
	say := func(line string) { _, _ = c.Write([]byte(line + "\r\n")) }
	m.mu.Lock()
	down := m.down
	m.mu.Unlock()
	if down {
		say("421 not now")
		return
	}
	say("220 mailbox")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb := strings.ToUpper(strings.TrimSpace(line))
		switch {
		case strings.HasPrefix(verb, "EHLO"), strings.HasPrefix(verb, "HELO"):
			say("250 mailbox")
		case strings.HasPrefix(verb, "RCPT TO:<REFUSED"):
			say("550 no such mailbox")
		case strings.HasPrefix(verb, "RCPT"):
			_, to, _ = strings.Cut(strings.TrimSpace(line), ":")
			say("250 ok")
		case verb == "DATA":
			say("354 go on")
			data, err := textproto.NewReader(in).ReadDotBytes()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.mail = append(m.mail, Mail{strings.Trim(to, "<> "), string(data)})
			m.mu.Unlock()
			say("250 taken")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}
