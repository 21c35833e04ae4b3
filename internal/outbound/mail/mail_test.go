package mail_test

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	room "github.com/forewarn-exchange/forewarn/internal/exchange/mail"
	"github.com/forewarn-exchange/forewarn/internal/outbound/mail"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func TestSend(t *testing.T) {
	box := testkit.NewMailbox(t)
	host, port, _ := net.SplitHostPort(box.Addr)
	n, _ := strconv.Atoi(port)
	o := mail.Options{Host: host, Port: n, From: "exchange@psirt.example", Security: mail.None}
	m := room.Message{To: "analyst@edr-a.example", Subject: "[Exchange] A notice waits — für Sie", Text: "Read it.\n"}
	if err := mail.New(o).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := box.Take()
	if len(got) != 1 || got[0].To != m.To || !strings.Contains(got[0].Data, "Read it.") || !strings.Contains(got[0].Data, "exchange@psirt.example") {
		t.Fatalf("%+v", got)
	}
	for name, c := range map[string]struct {
		change  func(*mail.Options, *room.Message)
		refused bool
	}{
		"an address that the server refuses": {func(_ *mail.Options, m *room.Message) { m.To = "refused@edr-a.example" }, true},
		"what is no address":                 {func(_ *mail.Options, m *room.Message) { m.To = "nobody" }, true},
		"a sender that is no address":        {func(o *mail.Options, _ *room.Message) { o.From = "nobody" }, false},
		"a server without STARTTLS":          {func(o *mail.Options, _ *room.Message) { o.Security = mail.STARTTLS }, false},
		"a server that does not speak TLS":   {func(o *mail.Options, _ *room.Message) { o.Security = mail.TLS }, false},
		"a server that is not there":         {func(o *mail.Options, _ *room.Message) { o.Port = 1 }, false},
		"a server that turns everybody away": {func(*mail.Options, *room.Message) { box.Down(true) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			defer box.Down(false)
			o, m := o, m
			c.change(&o, &m)
			err := mail.New(o).Send(t.Context(), m)
			if err == nil || errors.Is(err, room.ErrRefused) != c.refused {
				t.Errorf("answer: %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "edr-a") {
				t.Errorf("the error names the person: %v", err)
			}
			if len(box.Take()) != 0 {
				t.Error("something was sent")
			}
		})
	}
}
