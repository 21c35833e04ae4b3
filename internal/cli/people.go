package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

var errFound = errors.New("found")

// person resolves a login to an identifier: in the caller's organisation
// first, then in every organisation that the caller may know.
func (a *app) person(ctx context.Context, name string) (id string, err error) {
	if exchange.HasIDPrefix(name, "per") {
		return name, nil
	}
	own, err := a.organisation(ctx, nil)
	if err != nil {
		return "", err
	}
	c, err := a.client()
	if err != nil {
		return "", err
	}
	in := func(org string) error {
		return c.Pages(ctx, "/organisations/"+seg(org)+"/people", nil, func(item json.RawMessage) error {
			p, err := decode(item)
			if err == nil && p["login"] == name {
				id, err = a.text(p["id"], false), errFound
			}
			return err
		})
	}
	err = in(own)
	if err == nil {
		err = c.Pages(ctx, "/organisations", nil, func(item json.RawMessage) error {
			o, err := decode(item)
			if err != nil || o["id"] == own {
				return err
			}
			return in(a.text(o["id"], false))
		})
	}
	switch {
	case errors.Is(err, errFound):
		return id, nil
	case err != nil:
		return "", err
	}
	return "", fmt.Errorf("nobody with the login %s was found", name)
}

func (a *app) personCommands() *cobra.Command {
	return noun("person", "People who sign in", a.personAdd(), a.personLink(), a.personAct("suspend"), a.personAct("resume"),
		&cobra.Command{
			Use: "list [ORGANISATION]", Short: "List the people of an organisation, your own when none is named", Args: cobra.MaximumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				org, err := a.organisation(cmd.Context(), args)
				if err != nil {
					return err
				}
				return a.list(cmd.Context(), "/organisations/"+seg(org)+"/people", nil, columns("id", "login", "name", "roles", "state", "time_zone"))
			},
		})
}

// organisation is the named one, or the caller's.
func (a *app) organisation(ctx context.Context, args []string) (string, error) {
	if len(args) > 0 && args[0] != "" {
		return args[0], nil
	}
	res, err := a.get(ctx, "/me", nil)
	if err != nil {
		return "", err
	}
	m, err := decode(res.Body)
	if err != nil {
		return "", err
	}
	org, _ := m["organisation"].(string)
	if org == "" {
		return "", usage("say which organisation")
	}
	return org, nil
}

func (a *app) personAdd() *cobra.Command {
	var org, name, email, zone string
	var roles []string
	cmd := &cobra.Command{
		Use: "add LOGIN --org ORGANISATION --role ROLE", Short: "Add a person", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			org, err := a.organisation(cmd.Context(), []string{org})
			if err != nil {
				return err
			}
			body := map[string]any{"login": args[0], "roles": roles, "name": cmp.Or(name, args[0])}
			for k, v := range map[string]string{"email": email, "time_zone": zone} {
				if v != "" {
					body[k] = v
				}
			}
			res, err := a.post(cmd.Context(), "/organisations/"+seg(org)+"/people", body)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{fields: []string{"id", "login", "organisation", "name", "roles", "time_zone"}})
		},
	}
	f := cmd.Flags()
	f.StringVar(&org, "org", "", "organisation; yours when absent")
	f.StringSliceVar(&roles, "role", []string{"analyst"}, "admin, operator, approver, signatory, analyst or auditor (may be given again)")
	f.StringVar(&name, "name", "", "name; the login when absent")
	f.StringVar(&email, "email", "", "mail address")
	f.StringVar(&zone, "zone", "", "IANA time zone")
	return cmd
}

func (a *app) personLink() *cobra.Command {
	var life time.Duration
	cmd := &cobra.Command{
		Use: "link PERSON", Short: "Issue a sign-in link; it is shown once and works once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := a.person(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			body := map[string]any{"valid_for_seconds": int64(life / time.Second)}
			res, err := a.post(cmd.Context(), "/people/"+seg(id)+"/links", body)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{id: "url", fields: []string{"url", "expires_at"}})
		},
	}
	cmd.Flags().DurationVar(&life, "for", 15*time.Minute, "how long it is good")
	return cmd
}

func (a *app) personAct(verb string) *cobra.Command {
	short := "Cut off a person in every channel"
	if verb == "resume" {
		short = "End a person's suspension"
	}
	return &cobra.Command{
		Use: verb + " PERSON", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := a.person(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if _, err := a.post(cmd.Context(), "/people/"+seg(id)+"/"+verb, nil); err != nil {
				return err
			}
			a.done("%s: %s", args[0], map[string]string{"suspend": "suspended", "resume": "active"}[verb])
			return nil
		},
	}
}

func (a *app) tokenCommands() *cobra.Command {
	return noun("token", "Machine credentials", a.tokenCreate(),
		&cobra.Command{
			Use: "list [ORGANISATION]", Short: "List tokens, of your organisation when none is named", Args: cobra.MaximumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				org, err := a.organisation(cmd.Context(), args)
				if err != nil {
					return err
				}
				return a.list(cmd.Context(), "/organisations/"+seg(org)+"/tokens", nil,
					columns("id", "name", "person", "verbs", "program", "tlp_ceiling", "state", "expires_at", "last_used_at"))
			},
		},
		&cobra.Command{
			Use: "revoke TOKEN", Short: "Revoke a token at once", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				_, err := a.call(cmd.Context(), http.MethodDelete, "/tokens/"+seg(args[0]), nil, nil)
				if err == nil {
					a.done("%s is revoked", args[0])
				}
				return err
			},
		})
}

func (a *app) tokenCreate() *cobra.Command {
	var person, name, program, tlp, file, hat, purpose string
	var verbs []string
	var days int
	var machine bool
	cmd := &cobra.Command{
		Use: "create --person PERSON --name NAME", Short: "Issue a token; it is shown once", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := a.person(cmd.Context(), person)
			if err != nil {
				return err
			}
			body := map[string]any{"person": id, "name": name, "verbs": verbs, "valid_for_days": days, "machine": machine}
			if program != "" {
				body["program"] = program
			}
			if tlp != "" {
				body["tlp_ceiling"] = tlp
			}
			if hat != "" {
				body["hat"] = hat
			}
			if purpose != "" {
				body["purpose"] = purpose
			}
			res, err := a.post(cmd.Context(), "/tokens", body)
			if err != nil {
				return err
			}
			if file == "" {
				return a.show(res.Body, view{id: "secret", fields: []string{"secret", "token.id", "token.name", "token.verbs", "token.expires_at"}})
			}
			return a.keepToken(file, res.Body)
		},
	}
	f := cmd.Flags()
	f.StringVar(&person, "person", "", "login or identifier of the person that the token acts for")
	f.StringVar(&name, "name", "", "name, such as siem-prod")
	f.StringSliceVar(&verbs, "verb", []string{"read"}, "read, feedback, submit or operate (may be given again)")
	f.StringVar(&program, "program", "", "good for this program only")
	f.StringVar(&tlp, "tlp", "", "nothing above this label is given to it")
	f.IntVar(&days, "days", 90, "how long it is good")
	f.StringVar(&hat, "hat", "", "of the organisation's hats, in which it acts; all when absent")
	f.StringVar(&purpose, "purpose", "", "for which it reads, such as assist")
	f.BoolVar(&machine, "machine", false, "a service account: no named individual reads with it")
	f.StringVarP(&file, "output", "o", "", "write the token to a file (mode 0600) and not to the terminal")
	_, _ = cmd.MarkFlagRequired("person"), cmd.MarkFlagRequired("name")
	return cmd
}

// keepToken writes the secret to a file that only its owner reads.
func (a *app) keepToken(file string, body []byte) error {
	var out struct {
		Secret string `json:"secret"`
		Token  struct {
			ID string `json:"id"`
		} `json:"token"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if err := writeSecret(file, out.Secret+"\n"); err != nil {
		return fmt.Errorf("writing the token (it is lost; revoke %s): %w", out.Token.ID, err)
	}
	_, err := fmt.Fprintln(a.out, out.Token.ID)
	return err
}

// writeSecret writes a file that only its owner reads, also when it was there
// before with other rights: those are narrowed before anything is written.
func writeSecret(file, secret string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if info, statErr := f.Stat(); statErr == nil && info.Mode().IsRegular() {
		err = f.Chmod(0o600)
	}
	if err == nil {
		_, err = f.WriteString(secret)
	}
	return errors.Join(err, f.Close())
}

var memberColumns = columns("organisation", "program", "state", "cohort", "compelled", "accepted_version", "joined_at", "since")

func (a *app) memberCommands() *cobra.Command {
	cmd := noun("member", "Which organisation belongs to which program",
		a.memberAct("join", "Make an organisation a member"),
		a.memberAct("show", "Show one membership"),
		a.memberAct("suspend", "Cut off a member in every channel"),
		a.memberAct("resume", "End a member's suspension"),
		a.memberAct("hide", "Keep a membership from the other members"),
		a.memberAct("unhide", "Let the other members know of a membership again"),
		a.memberAct("leave", "End a membership"))
	var program string
	list := &cobra.Command{
		Use: "list", Short: "List the members of a program", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			return a.list(cmd.Context(), "/programs/"+seg(p)+"/members", nil, memberColumns)
		},
	}
	programFlag(list, &program)
	cmd.AddCommand(list)
	return cmd
}

func (a *app) memberAct(verb, short string) *cobra.Command {
	var program, reason string
	var hidden bool
	cmd := &cobra.Command{
		Use: verb + " ORGANISATION", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			path := "/programs/" + seg(p) + "/members/" + seg(args[0])
			method, body, query := http.MethodPost, any(nil), url.Values(nil)
			switch verb {
			case "join":
				method = http.MethodPut
				if hidden {
					query = url.Values{"hidden": {"true"}}
				}
			case "show":
				method = http.MethodGet
			case "resume", "hide", "unhide":
				path += "/" + verb
			default:
				if err := a.confirm("This takes "+args[0]+" out of "+p, args[0]); err != nil {
					return err
				}
				path, body = path+"/"+verb, map[string]any{"reason": reason}
			}
			res, err := a.call(cmd.Context(), method, path, query, body)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{id: "organisation", fields: []string{
				"program", "organisation", "state", "cohort", "compelled", "joined_at", "since", "reason", "accepted_version", "accepted_at", "hidden",
			}})
		},
	}
	programFlag(cmd, &program)
	if verb == "join" {
		cmd.Flags().BoolVar(&hidden, "hidden", false, "other members never learn that it takes part")
	}
	if verb == "suspend" || verb == "leave" {
		reasonFlag(cmd, &reason)
	}
	return cmd
}
