package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
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
	var person, name, program, tlp, file string
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
	cmd := &cobra.Command{
		Use: verb + " ORGANISATION", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			path := "/programs/" + seg(p) + "/members/" + seg(args[0])
			method, body := http.MethodPost, any(nil)
			switch verb {
			case "join":
				method = http.MethodPut
			case "show":
				method = http.MethodGet
			case "resume":
				path += "/resume"
			default:
				if err := a.confirm("This takes "+args[0]+" out of "+p, args[0]); err != nil {
					return err
				}
				path, body = path+"/"+verb, map[string]any{"reason": reason}
			}
			res, err := a.call(cmd.Context(), method, path, nil, body)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{id: "organisation", fields: []string{
				"program", "organisation", "state", "cohort", "compelled", "joined_at", "since", "reason", "accepted_version", "accepted_at",
			}})
		},
	}
	programFlag(cmd, &program)
	if verb == "suspend" || verb == "leave" {
		reasonFlag(cmd, &reason)
	}
	return cmd
}

var connectionColumns = columns("id", "name", "client", "program", "state", "last_poll_at", "cursor", "objects", "expires_at", "warnings.kind")

func (a *app) connectionCommands() *cobra.Command {
	return noun("connection", "Connect machines that poll, and watch over them", a.connectionAdd(), a.connectionShow(), a.connectionTest(),
		&cobra.Command{
			Use: "list [ORGANISATION]", Short: "List connections, of your organisation when none is named", Args: cobra.MaximumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				org := ""
				if len(args) > 0 {
					org = args[0]
				}
				return a.list(cmd.Context(), "/connections", given("organisation", org), connectionColumns)
			},
		},
		&cobra.Command{
			Use: "remove CONNECTION", Short: "End a connection and its token at once", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				if err := a.confirm("This cuts the machine off", args[0]); err != nil {
					return err
				}
				_, err := a.call(cmd.Context(), http.MethodDelete, "/connections/"+seg(args[0]), nil, nil)
				if err == nil {
					a.done("%s is removed; its token is revoked", args[0])
				}
				return err
			},
		})
}

func (a *app) connectionAdd() *cobra.Command {
	var client, name, person, program, tlp, expires, file string
	var write bool
	cmd := &cobra.Command{
		Use: "add --client CLIENT", Short: "Connect a machine: issues its token and prints the settings of its client, once", Args: cobra.NoArgs,
		Long: `Connect a machine: issues its token and prints the settings of its client, once.

The settings hold the token, the address and the collections, in the terms of the
product, with the place where they go. With -o they are written to a file that
only you can read.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			days, err := daysOf(expires)
			if err != nil {
				return err
			}
			body := map[string]any{"client": client, "write": write, "valid_for_days": days}
			if person != "" {
				if person, err = a.person(cmd.Context(), person); err != nil {
					return err
				}
			}
			for k, v := range map[string]string{"name": name, "person": person, "program": cmp.Or(program, a.set.Program), "tlp_ceiling": tlp} {
				if v != "" {
					body[k] = v
				}
			}
			res, err := a.post(cmd.Context(), "/connections", body)
			if err != nil {
				return err
			}
			return a.connected(file, res.Body)
		},
	}
	f := cmd.Flags()
	f.StringVar(&client, "client", "", "opencti, misp, sentinel, splunk, elastic, curl or taxii2client")
	f.StringVar(&name, "name", "", "name, such as siem-prod; the client when absent")
	f.StringVar(&person, "person", "", "login or identifier of the person whose token it is; yours when absent")
	f.StringVar(&program, "program", "", "good for this program only")
	f.StringVar(&tlp, "tlp", "", "nothing above this label is given to it")
	f.StringVar(&expires, "expires", "90d", "how long it is good, in days")
	f.BoolVar(&write, "write", false, "it may hand in objects as well")
	f.StringVarP(&file, "output", "o", "", "write the settings to a file (mode 0600) and not to the terminal")
	_ = cmd.MarkFlagRequired("client")
	return cmd
}

// daysOf reads a number of days, such as 90d or 90.
func daysOf(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(s, "d"))
	if err != nil || n < 1 || n > 365 {
		return 0, usage("--expires is 1d to 365d")
	}
	return n, nil
}

// connected prints the settings of a new connection, or keeps them in a file.
func (a *app) connected(file string, body []byte) error {
	var out struct {
		Connection struct {
			ID string `json:"id"`
		} `json:"connection"`
		Configuration struct {
			Name  string `json:"name"`
			Where string `json:"where"`
			Text  string `json:"text"`
		} `json:"configuration"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	id := out.Connection.ID
	switch {
	case file != "":
		if err := writeSecret(file, out.Configuration.Text); err != nil {
			return fmt.Errorf("writing the settings (they are lost; remove %s): %w", id, err)
		}
		if _, err := fmt.Fprintln(a.out, id); err != nil {
			return err
		}
	case a.json:
		return a.printJSON(json.RawMessage(body))
	default:
		if _, err := fmt.Fprint(a.out, cleanText(strings.ReplaceAll(out.Configuration.Text, "\t", "    "))); err != nil {
			return err
		}
	}
	a.done("%s is connected as %s. Its settings are shown only now.", clean(out.Configuration.Name), id)
	a.done("They go into: %s", clean(out.Configuration.Where))
	a.done("Try it: forewarn connection test %s", id)
	return nil
}

func (a *app) connectionShow() *cobra.Command {
	return &cobra.Command{
		Use: "show CONNECTION", Short: "Show a connection: its polls, errors and warnings", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.get(cmd.Context(), "/connections/"+seg(args[0]), nil)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{
				fields: []string{
					"id", "name", "client", "token", "organisation", "program", "verbs", "tlp_ceiling", "state", "created_at", "expires_at",
					"polls", "objects", "last_poll_at", "last_status", "last_objects", "asked_after", "cursor", "usual_interval_seconds",
				},
				parts: []part{
					{"warnings", "warnings", columns("kind", "text")},
					{"errors", "errors", columns("at", "status", "request_id", "problem")},
				},
			})
		},
	}
}

func (a *app) connectionTest() *cobra.Command {
	return &cobra.Command{
		Use: "test CONNECTION", Short: "Poll as the connection does: the first objects, or why there are none", Args: cobra.ExactArgs(1),
		Long: `Poll as the connection does: shows the first three objects of each collection and
the cursor, or why there is nothing. What it shows is recorded as given to the
connection.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.post(cmd.Context(), "/connections/"+seg(args[0])+"/test", nil)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(json.RawMessage(res.Body))
			}
			m, err := decode(res.Body)
			if err != nil {
				return err
			}
			tty := a.onTerminal()
			if why := a.text(m["why"], tty); why != "" {
				return a.field("nothing", why, tty)
			}
			for _, c := range itemsOf(m["collections"]) {
				if err := a.collected(c, tty); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// collected prints what a test poll got of one collection.
func (a *app) collected(c map[string]any, tty bool) error {
	if err := a.field("collection", a.text(c["id"], tty)+" "+a.text(c["title"], tty), tty); err != nil {
		return err
	}
	if why := a.text(c["why"], tty); why != "" {
		return a.field("nothing", why, tty)
	}
	if err := a.table(itemsOf(c["objects"]), columns("type", "id", "name", "tlp", "date_added")); err != nil {
		return err
	}
	for _, f := range []string{"cursor", "more"} {
		if err := a.field(f, a.text(c[f], tty), tty); err != nil {
			return err
		}
	}
	return nil
}
