package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// founding is what a new exchange begins with.
type founding struct {
	data                           string
	name, url, listen              string
	database, databaseFile         string
	organisation, organisationName string
	person, personName, email      string
}

// founded is what init says, once.
type founded struct {
	Data   string `json:"data"`
	Config string `json:"config"`
	URL    string `json:"url"`
	letIn
}

func initCommand() *cobra.Command {
	var f founding
	cmd := &cobra.Command{
		Use: "init --data DIR", Short: "Make an empty exchange with its first organisation and person", Args: cobra.NoArgs,
		Long: `Makes a data folder with a configuration (forewarn.toml), an empty store, the
first organisation, and its first person, who is administrator, operator and
signatory. Prints, once, a sign-in link that works once within 72 hours, and an
API token of that person. A folder that holds an exchange is left as it is.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.data == "" {
				return usage("say with --data which folder to make")
			}
			done, err := f.found(cmd.Context())
			if err != nil {
				return err
			}
			return done.print(cmd)
		},
	}
	v := cmd.Flags()
	v.StringVar(&f.data, "data", os.Getenv("FOREWARN_DATA"), "data folder to make (FOREWARN_DATA)")
	v.StringVar(&f.name, "name", "", "what the exchange is called")
	v.StringVar(&f.url, "url", "", "address under which clients will reach it (default: http:// and the address it listens on)")
	v.StringVar(&f.listen, "listen", "", "address to listen on (default: "+config.Default().Listen+")")
	v.StringVar(&f.database, "database", "", "postgres://user@host/database (default: SQLite in the data folder)")
	v.StringVar(&f.databaseFile, "database-file", "", "file that holds the database address, when that contains a secret")
	v.StringVar(&f.organisation, "organisation", "home", "short name of the first organisation")
	v.StringVar(&f.organisationName, "organisation-name", "", "its name for people (default: the short name)")
	v.StringVar(&f.person, "person", "", "login of the first person (default: admin@ and the organisation)")
	v.StringVar(&f.personName, "person-name", "", "that person's name (default: the login)")
	v.StringVar(&f.email, "email", "", "that person's e-mail address")
	return cmd
}

// config is the new exchange's configuration.
func (f founding) config() (config.Config, error) {
	c := config.Default()
	c.Name, c.Listen = cmp.Or(f.name, c.Name), cmp.Or(f.listen, c.Listen)
	c.URL, c.Database, c.DatabaseFile = strings.TrimRight(f.url, "/"), f.database, f.databaseFile
	if f.databaseFile != "" { // serve may run in another folder
		var err error
		if c.DatabaseFile, err = filepath.Abs(f.databaseFile); err != nil {
			return c, fmt.Errorf("finding the database file: %w", err)
		}
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return c, usage("--url is an address such as https://exchange.example")
		}
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return c, usage("--listen is an address such as 127.0.0.1:8080")
	}
	return c, nil
}

// found makes the exchange, or nothing.
func (f founding) found(ctx context.Context) (done founded, err error) {
	c, err := f.config()
	if err != nil {
		return founded{}, err
	}
	switch there, err := holdsExchange(f.data); {
	case err != nil:
		return founded{}, err
	case there:
		return founded{}, fmt.Errorf("%s holds an exchange already; nothing was changed", f.data)
	}
	made, err := makeFolder(f.data)
	if err != nil {
		return founded{}, err
	}
	file := filepath.Join(f.data, config.FileName)
	if err := config.Write(file, c); err != nil { // the claim on the folder: it never overwrites
		return founded{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(f.data, made))
		}
	}()
	s, err := server.Open(ctx, server.Options{Data: f.data, Config: c})
	if err != nil {
		return founded{}, err
	}
	s.SetURL(address(c, c.Listen))
	done = founded{Data: f.data, Config: file, URL: s.Exchange.URL}
	done.letIn, err = f.people(ctx, s.Exchange)
	return done, errors.Join(err, s.Close())
}

// people makes the first organisation, the first person, and their credentials.
func (f founding) people(ctx context.Context, x *core.Exchange) (done letIn, err error) {
	o, err := x.Members.AddOrganisation(ctx, exchange.System(), exchange.Organisation{
		ID: exchange.OrgID(f.organisation), Name: cmp.Or(f.organisationName, f.organisation), Kind: "originator",
	})
	if err != nil {
		return done, err
	}
	login := cmp.Or(f.person, "admin@"+f.organisation)
	p, err := x.Members.AddPerson(ctx, exchange.System(), exchange.Person{
		Org: o.ID, Login: login, Name: cmp.Or(f.personName, login), Email: f.email,
		Roles: []exchange.Role{exchange.RoleAdmin, exchange.RoleOperator, exchange.RoleSignatory},
	})
	if err == nil {
		err = done.link(ctx, x, p, membership.MaxLinkTTL)
	}
	if err == nil {
		err = done.token(ctx, x, p, "first token", membership.MaxTokenTTL)
	}
	return done, err
}

func (d founded) print(cmd *cobra.Command) error {
	out := cmd.OutOrStdout()
	if wantsJSON(cmd) {
		return writeJSON(out, d)
	}
	_, err := fmt.Fprintf(out, `The exchange is in %s. Run it with:

  forewarn serve --data %s

%s of %s signs in with this link. It works once, until %s:

  %s

and calls the API with this token, until %s. It is shown only now:

  %s

Approvals need a second person: forewarn person add LOGIN --org %s --role approver
`, d.Data, shell(d.Data), d.Person, d.Organisation, d.SignInUntil.Format("2006-01-02 15:04 UTC"), d.SignIn,
		d.TokenUntil.Format("2006-01-02"), d.Token, d.Organisation)
	return err
}

// shell quotes a word for a POSIX shell where that is needed.
func shell(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@%+=,"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
