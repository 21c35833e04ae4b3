package connection

import (
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
	"time"
	"unicode"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Client is a product that can be connected. Its settings are a template in the
// folder clients, named by its id.
type Client struct {
	ID     string
	Name   string
	Format string        // of its block: yaml, sh or python
	Where  string        // where the block goes
	Every  time.Duration // how often to poll
	Writes bool          // it can hand objects in
}

// Clients lists every product.
var Clients = []Client{
	{"opencti", "OpenCTI", "yaml", "Integrations > Available > Built-in ingestion > TAXII Feed (in older versions: Data > Ingestion > TAXII feeds), one feed for each collection", 5 * time.Minute, false},
	{"misp", "MISP", "yaml", "Sync Actions > TAXII Servers > Add TAXII Server connection, one for each collection", time.Hour, true},
	{"sentinel", "Microsoft Sentinel", "yaml", "Data connectors > Threat Intelligence - TAXII > Open connector page, once for each collection", time.Hour, false},
	{"splunk", "Splunk Enterprise Security", "yaml", "Configure > Data Enrichment > Threat Intelligence Management > New (release 8.2 or later), one source for each collection", time.Hour, true},
	{"elastic", "Elastic", "yaml", "Kibana > Integrations > Custom Threat Intelligence, one integration policy for each collection", 5 * time.Minute, false},
	{"curl", "curl", "sh", "a file such as /usr/local/bin/forewarn-poll, of mode 0700, run by cron or a systemd timer", 5 * time.Minute, false},
	{"taxii2client", "Python taxii2client", "python", "a file of mode 0600, run by a timer; it needs the package taxii2-client", 5 * time.Minute, false},
}

// ClientByID returns the client with the id.
func ClientByID(id string) (Client, bool) {
	for _, c := range Clients {
		if c.ID == id {
			return c, true
		}
	}
	return Client{}, false
}

func clientIDs() string {
	var ids []string
	for _, c := range Clients {
		ids = append(ids, c.ID)
	}
	return strings.Join(ids, ", ")
}

// Block is the settings of one client, ready to be pasted. It holds the secret.
type Block struct {
	Client Client
	Text   string
}

// setup is what a template is filled from.
type setup struct {
	Client      Client
	Connection  ID
	Name        string
	Exchange    string // its address
	Discovery   string
	APIRoot     string
	User        string
	Secret      string
	Expires     string // a date
	Collections []setupCollection
}

type setupCollection struct {
	Program string
	ID      string
	Title   string
	URL     string // of the collection, with a slash at its end
}

//go:embed clients/*.tmpl
var templates embed.FS

var blocks = template.Must(template.New("").Option("missingkey=error").Funcs(template.FuncMap{
	"quote": quote, "sh": shell, "line": line, "span": about, "basic": basic,
}).ParseFS(templates, "clients/*.tmpl"))

// block makes the settings of a client for a new connection.
func (s *Service) block(client Client, c Connection, t exchange.Token, secret string, programs []scope) (Block, error) {
	base := s.c.URL()
	in := setup{
		Client: client, Connection: c.ID, Name: t.Name, Exchange: base, Discovery: base + "/taxii2/", APIRoot: base + "/taxii2/api/",
		User: string(t.ID), Secret: secret, Expires: t.ExpiresAt.UTC().Format(time.DateOnly),
	}
	for _, p := range programs {
		id := s.c.Objects.CollectionID(p.id)
		in.Collections = append(in.Collections, setupCollection{string(p.id), id, p.title, in.APIRoot + "collections/" + id + "/"})
	}
	return render(in)
}

func render(in setup) (Block, error) {
	var b strings.Builder
	if err := blocks.ExecuteTemplate(&b, in.Client.ID+".tmpl", in); err != nil {
		return Block{}, fmt.Errorf("writing the settings of %s: %w", in.Client.ID, err)
	}
	return Block{in.Client, b.String()}, nil
}

// quote is text as a JSON string, which YAML (1.2 §7.3.1) and Python read alike.
func quote(s string) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(line(s)); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// shell is text as one word of a POSIX shell (2.2.2 Single-Quotes).
func shell(s string) string { return "'" + strings.ReplaceAll(line(s), "'", `'\''`) + "'" }

// line is text without what would end a line or steer a terminal.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// basic is user and password as the header Authorization carries them (RFC 7617 §2).
func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}
