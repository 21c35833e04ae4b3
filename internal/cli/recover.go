package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/demo"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// How long recovered credentials are good.
const (
	recoveredLink  = 15 * time.Minute
	recoveredToken = 24 * time.Hour
)

// recovered is what recover says, once.
type recovered struct {
	Person       string         `json:"person"`
	Organisation exchange.OrgID `json:"organisation"`
	SignIn       string         `json:"sign_in"` // works once
	SignInUntil  time.Time      `json:"sign_in_until"`
	Token        string         `json:"token,omitempty"`
	TokenUntil   time.Time      `json:"token_until,omitzero"`
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
			done, err := letIn(cmd.Context(), s, login, token)
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

// letIn issues the credentials, as the exchange itself.
func letIn(ctx context.Context, s *server.Server, login string, token bool) (recovered, error) {
	m, by := s.Exchange.Members, exchange.System()
	p, err := m.PersonByLogin(ctx, by, login)
	if exchange.KindOf(err) == exchange.NotFound {
		return recovered{}, fmt.Errorf("nobody with the login %s is registered; nothing was issued", login)
	}
	if err != nil {
		return recovered{}, err
	}
	code, err := m.IssueLink(ctx, by, p.ID, false, recoveredLink)
	if err != nil {
		return recovered{}, err
	}
	done := recovered{
		Person: p.Login, Organisation: p.Org, SignIn: demo.SignIn(s.Exchange.URL, code),
		SignInUntil: s.Exchange.Now().Add(recoveredLink).Truncate(time.Second),
	}
	if !token {
		return done, nil
	}
	secret, t, err := m.IssueToken(ctx, by, membership.TokenRequest{
		Person: p.ID, Name: "recovered", Verbs: []exchange.Verb{exchange.VerbOperate}, TTL: recoveredToken,
	})
	done.Token, done.TokenUntil = secret, t.ExpiresAt.UTC().Truncate(time.Second)
	return done, err
}

func (r recovered) print(cmd *cobra.Command) error {
	out := cmd.OutOrStdout()
	if wantsJSON(cmd) {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	const form = "2006-01-02 15:04 UTC"
	_, err := fmt.Fprintf(out, "%s of %s signs in with this link. It works once, until %s:\n\n  %s\n",
		r.Person, r.Organisation, r.SignInUntil.Format(form), r.SignIn)
	if err == nil && r.Token != "" {
		_, err = fmt.Fprintf(out, "\nand calls the API with this token, until %s. It is shown only now:\n\n  %s\n", r.TokenUntil.Format(form), r.Token)
	}
	return err
}
