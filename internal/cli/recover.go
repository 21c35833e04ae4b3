package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// How long recovered credentials are good.
const (
	recoveredLink  = 15 * time.Minute
	recoveredToken = 24 * time.Hour
)

// letIn is what somebody signs in with; it is shown once.
type letIn struct {
	Person       string         `json:"person"`
	Organisation exchange.OrgID `json:"organisation"`
	SignIn       string         `json:"sign_in"` // works once
	SignInUntil  time.Time      `json:"sign_in_until"`
	Token        string         `json:"token,omitempty"`
	TokenUntil   time.Time      `json:"token_until,omitzero"`
}

// link issues a sign-in link, as the exchange itself.
func (l *letIn) link(ctx context.Context, x *core.Exchange, p exchange.Person, life time.Duration) error {
	code, err := x.Members.IssueLink(ctx, exchange.System(), p.ID, false, life)
	l.Person, l.Organisation = p.Login, p.Org
	l.SignIn, l.SignInUntil = x.SignInURL(code), x.Now().Add(life).Truncate(time.Second)
	return err
}

// token issues a token for everything that the person may do, as the exchange
// itself.
func (l *letIn) token(ctx context.Context, x *core.Exchange, p exchange.Person, name string, life time.Duration) error {
	secret, t, err := x.Members.IssueToken(ctx, exchange.System(), membership.TokenRequest{
		Person: p.ID, Name: name, Verbs: []exchange.Verb{exchange.VerbOperate}, TTL: life,
	})
	l.Token, l.TokenUntil = secret, t.ExpiresAt.UTC().Truncate(time.Second)
	return err
}

func recoverCommand() *cobra.Command {
	var data, file, login string
	var token bool
	cmd := &cobra.Command{
		Use: "recover --data DIR --person LOGIN", Short: "Let somebody sign in again who has lost every credential", Args: cobra.NoArgs,
		Long: `Issues a sign-in link for somebody who is registered. It works once, within 15
minutes, so start the server right after it. With --token it issues an API token
as well, good for a day and for everything that the person may do. It works on
the exchange's own machine, while the server is stopped; both acts are recorded.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case data == "":
				return usage("say with --data which folder holds the exchange")
			case login == "":
				return usage("say with --person who is to sign in")
			}
			c, err := serveConfig(data, file)
			if err != nil {
				return err
			}
			s, err := server.Open(cmd.Context(), server.Options{Data: data, Config: c})
			if err != nil {
				return err
			}
			s.SetURL(address(c, c.Listen))
			done, err := restore(cmd.Context(), s.Exchange, login, token)
			if err = errors.Join(err, s.Close()); err != nil {
				return err
			}
			return done.print(cmd)
		},
	}
	cmd.Flags().StringVar(&data, "data", os.Getenv("FOREWARN_DATA"), "data folder (FOREWARN_DATA)")
	cmd.Flags().StringVar(&file, "config", "", "configuration file (default: "+config.FileName+" in the data folder)")
	cmd.Flags().StringVar(&login, "person", "", "login of the person")
	cmd.Flags().BoolVar(&token, "token", false, "issue a token for a day as well")
	return cmd
}

// restore issues the credentials of recover.
func restore(ctx context.Context, x *core.Exchange, login string, token bool) (done letIn, err error) {
	p, err := x.Members.PersonByLogin(ctx, exchange.System(), login)
	if exchange.KindOf(err) == exchange.NotFound {
		return done, fmt.Errorf("nobody with the login %s is registered; nothing was issued", login)
	}
	if err == nil {
		err = done.link(ctx, x, p, recoveredLink)
	}
	if err == nil && token {
		err = done.token(ctx, x, p, "recovered", recoveredToken)
	}
	return done, err
}

func (l letIn) print(cmd *cobra.Command) error {
	out := cmd.OutOrStdout()
	if wantsJSON(cmd) {
		return writeJSON(out, l)
	}
	const form = "2006-01-02 15:04 UTC"
	_, err := fmt.Fprintf(out, "%s of %s signs in with this link. It works once, until %s:\n\n  %s\n",
		l.Person, l.Organisation, l.SignInUntil.Format(form), l.SignIn)
	if err == nil && l.Token != "" {
		_, err = fmt.Fprintf(out, "\nand calls the API with this token, until %s. It is shown only now:\n\n  %s\n", l.TokenUntil.Format(form), l.Token)
	}
	return err
}
