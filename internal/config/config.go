// Package config is the configuration of a server: one struct, whose comment
// tags are its manual.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Config is forewarn.toml, in the data folder unless --config names another.
// Unknown keys are errors.
type Config struct {
	Name              string  `toml:"name" comment:"What the exchange is called on its pages and in TAXII discovery."`
	URL               string  `toml:"url" comment:"The address under which clients reach the server, without a trailing slash. Empty: http:// or https:// and the address it listens on."`
	Listen            string  `toml:"listen" comment:"The address to listen on."`
	Database          string  `toml:"database" comment:"Empty: SQLite in the data folder. Or postgres://user@host/database (the password belongs into ~/.pgpass or database_file)."`
	DatabaseFile      string  `toml:"database_file" comment:"A file that holds the database address, when that contains a secret."`
	Log               string  `toml:"log" comment:"debug, info, warn or error."`
	RequestsPerSecond float64 `toml:"requests_per_second" comment:"The limit of requests per second for each credential, with a burst of twice as many; 0 or less: none."`
	TLSCertificate    string  `toml:"tls_certificate" comment:"Certificate and key in PEM form. Empty: plain HTTP, for a proxy that ends TLS or for this machine alone."`
	TLSKey            string  `toml:"tls_key"`

	Webhooks Webhooks `toml:"webhooks" comment:"Messages to receivers outside; see docs/guide/push-and-stream.md."`
	Mail     Mail     `toml:"mail" comment:"Mail that says that a notice waits; see docs/guide/mail.md."`
	Ledger   Ledger   `toml:"ledger" comment:"Witnesses of the ledger; see docs/guide/witness.md."`
}

// Ledger is the section [ledger].
type Ledger struct {
	Interval string   `toml:"witness_interval" comment:"How often witnesses are shown what is new. Empty: 10s."`
	Allow    []string `toml:"witness_allow" comment:"Networks in which witnesses may be asked although they are private, such as [\"10.1.2.0/24\"]; in these also without TLS."`
}

// Every is how often witnesses are shown what is new; zero: as nobody said.
func (l Ledger) Every() (time.Duration, error) {
	if l.Interval == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(l.Interval)
	if err != nil || d < time.Second || d > time.Hour {
		return 0, fmt.Errorf("ledger.witness_interval: %q is no span of time between 1s and 1h", l.Interval)
	}
	return d, nil
}

// Networks are the networks of Allow.
func (l Ledger) Networks() ([]netip.Prefix, error) { return networks("ledger.witness_allow", l.Allow) }

// Mail is the section [mail].
type Mail struct {
	Server       string `toml:"server" comment:"Host and port of the mail server, such as \"smtp.example.org:587\". Empty: no mail is sent."`
	From         string `toml:"from" comment:"The address that mail comes from."`
	Security     string `toml:"security" comment:"starttls (the default), tls, or none for a server on this machine."`
	User         string `toml:"user" comment:"Empty: no sign-in."`
	PasswordFile string `toml:"password_file" comment:"A file that holds the password."`
}

// Check says what is wrong with the section.
func (m Mail) Check() error {
	if m.Server == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(m.Server)
	n, bad := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || bad != nil || n == 0 {
		return fmt.Errorf("mail.server: %q is not a host and a port; write it as smtp.example.org:587", m.Server)
	}
	if _, err := mail.ParseAddress(m.From); err != nil {
		return errors.New("mail.from: no mail address")
	}
	switch m.Security {
	case "", "starttls", "tls", "none":
	default:
		return fmt.Errorf("mail.security: %q is none of starttls, tls and none", m.Security)
	}
	if (m.User == "") != (m.PasswordFile == "") {
		return errors.New("mail.user and mail.password_file belong together")
	}
	return nil
}

// Webhooks is the section [webhooks].
type Webhooks struct {
	Allow []string `toml:"allow" comment:"Networks that webhooks may reach although they are private, such as [\"10.1.2.0/24\"]; to these also without TLS. Empty: the public internet alone, over https."`
}

// Networks are the networks of Allow.
func (w Webhooks) Networks() ([]netip.Prefix, error) { return networks("webhooks.allow", w.Allow) }

func networks(key string, texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() || p.Addr().Is4In6() {
			return nil, fmt.Errorf("%s: %q is no network; write it as 10.1.2.0/24 or fd00:1::/48", key, text)
		}
		out = append(out, p)
	}
	return out, nil
}

// Default is the configuration that a new data folder gets.
func Default() Config {
	return Config{Name: "Forewarn", Listen: "127.0.0.1:8080", Log: "info", RequestsPerSecond: 5000}
}

// FileName is the configuration's name in the data folder.
const FileName = "forewarn.toml"

// Load reads the file; a missing one is the default. What the file leaves out
// is the default as well.
func Load(path string) (Config, error) {
	c := Default()
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		var unknown *toml.StrictMissingError
		if errors.As(err, &unknown) {
			return c, fmt.Errorf("%s: unknown key:\n%s", path, unknown.String())
		}
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := c.Webhooks.Networks(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.Mail.Check(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := c.Ledger.Networks(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := c.Ledger.Every(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Write stores the configuration with its manual as comments. It does not
// overwrite.
func Write(path string, c Config) error {
	b, err := toml.Marshal(c)
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return f.Close()
}

// DatabaseURL is the address of the record for a data folder.
func (c Config) DatabaseURL(data string) (string, error) {
	if c.DatabaseFile != "" {
		b, err := os.ReadFile(c.DatabaseFile)
		if err != nil {
			return "", fmt.Errorf("reading the database address: %w", err)
		}
		return string(bytes.TrimSpace(b)), nil
	}
	if c.Database != "" {
		return c.Database, nil
	}
	return "sqlite:" + filepath.Join(data, "forewarn.db"), nil
}
