package server

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
	outbound "github.com/forewarn-exchange/forewarn/internal/outbound/mail"
)

// mailSender is what sends mail as the configuration has it; nil: nothing does.
func mailSender(c config.Mail) (mail.Sender, error) {
	if err := c.Check(); err != nil || c.Server == "" {
		return nil, err
	}
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	o := outbound.Options{Host: host, Port: n, From: c.From, Security: outbound.Security(c.Security), User: c.User}
	if c.PasswordFile != "" {
		b, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("reading the password of the mail server: %w", err)
		}
		o.Password = strings.TrimSpace(string(b))
	}
	return outbound.New(o), nil
}
