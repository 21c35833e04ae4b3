package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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

var (
	hookColumns = columns("id", "program", "url", "state", "silent", "waiting", "algorithm", "added_after", "expires_at")
	hookView    = view{id: "id", fields: []string{
		"id", "program", "url", "state", "reason", "silent", "waiting", "notices", "algorithm", "public_key", "person", "token",
		"tlp_ceiling", "added_after", "created_at", "expires_at", "failing_since",
	}}
	newHookView = view{id: "webhook.id", fields: []string{
		"secret", "webhook.id", "webhook.program", "webhook.url", "webhook.algorithm", "webhook.public_key", "webhook.expires_at",
	}}
	sendingColumns = columns("id", "type", "state", "queued_at", "attempts", "sent_at", "status", "latency_ms", "error", "next_at")
	sendingView    = view{id: "id", fields: []string{"id", "type", "state", "queued_at", "attempts", "next_at"}}
)

func (a *app) webhookCommands() *cobra.Command {
	return noun("webhook", "Signed messages to a machine of yours: that something waits, and where",
		a.webhookAdd(),
		&cobra.Command{
			Use: "list", Short: "List the webhooks that you may know of", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.list(cmd.Context(), "/webhooks", nil, hookColumns)
			},
		},
		a.webhookAct("show", "Show a webhook, and why it is silent"),
		&cobra.Command{
			Use: "deliveries WEBHOOK", Short: "List what was sent, newest first", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return a.list(cmd.Context(), "/webhooks/"+seg(args[0])+"/deliveries", nil, sendingColumns)
			},
		},
		a.webhookAct("test", "Send a test message"),
		a.webhookReplay(),
		a.webhookAct("pause", "Send nothing until it is resumed"),
		a.webhookAct("resume", "Send again, from where it stopped"),
		a.webhookRotate(),
		&cobra.Command{
			Use: "remove WEBHOOK", Short: "Remove a webhook and what is known of its deliveries", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				if err := a.confirm("This removes "+args[0], args[0]); err != nil {
					return err
				}
				_, err := a.call(cmd.Context(), http.MethodDelete, "/webhooks/"+seg(args[0]), nil, nil)
				if err == nil {
					a.done("%s is removed", args[0])
				}
				return err
			},
		})
}

func (a *app) webhookAdd() *cobra.Command {
	var program, since, file string
	var pair, notices bool
	cmd := &cobra.Command{
		Use: "add URL --program PROGRAM", Short: "Add a webhook; a shared secret is shown once", Args: cobra.ExactArgs(1),
		Long: `Adds a webhook: the exchange sends a signed message (Standard Webhooks) to the
address when something new is in your view of the program. A message says that
something waits and where, never what it is. The webhook acts as the credential
of this command, and ends with it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			if err := moments(time.Now(), &since); err != nil {
				return err
			}
			body := map[string]any{"program": p, "url": args[0], "notices": notices}
			if pair {
				body["algorithm"] = "ed25519"
			}
			if since != "" {
				body["since"] = since
			}
			res, err := a.post(cmd.Context(), "/webhooks", body)
			if err != nil {
				return err
			}
			return a.showKey(file, res.Body)
		},
	}
	programFlag(cmd, &program)
	f := cmd.Flags()
	f.BoolVar(&pair, "ed25519", false, "sign with a key pair, of which the receiver has the public half")
	f.BoolVar(&notices, "notices", false, "announce notices of the program, too")
	f.StringVar(&since, "since", "", "announce what entered the view after this moment (default: from now on)")
	f.StringVarP(&file, "output", "o", "", "write the secret to a file (mode 0600) and not to the terminal")
	return cmd
}

// showKey prints a new webhook or key, or writes what its receiver needs to a
// file.
func (a *app) showKey(file string, body []byte) error {
	if file == "" {
		return a.show(body, newHookView)
	}
	var out struct {
		Secret  string `json:"secret"`
		Webhook struct {
			ID     string `json:"id"`
			Public string `json:"public_key"`
		} `json:"webhook"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	key := out.Secret
	if key == "" {
		key = out.Webhook.Public
	}
	if err := writeSecret(file, key+"\n"); err != nil {
		return fmt.Errorf("writing the secret (it is lost; rotate %s): %w", out.Webhook.ID, err)
	}
	_, err := fmt.Fprintln(a.out, out.Webhook.ID)
	return err
}

func (a *app) webhookRotate() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "rotate WEBHOOK", Short: "Make a new key; the old one signs beside it for a day", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.post(cmd.Context(), "/webhooks/"+seg(args[0])+"/rotate", nil)
			if err != nil {
				return err
			}
			return a.showKey(file, res.Body)
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "write the secret to a file (mode 0600) and not to the terminal")
	return cmd
}

func (a *app) webhookReplay() *cobra.Command {
	var since, delivery string
	cmd := &cobra.Command{
		Use: "replay WEBHOOK (--since MOMENT | --delivery ID)", Short: "Announce anew what came since a moment, or send one message again", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/webhooks/" + seg(args[0])
			if delivery != "" {
				res, err := a.post(cmd.Context(), path+"/deliveries/"+seg(delivery)+"/send", nil)
				if err != nil {
					return err
				}
				return a.show(res.Body, sendingView)
			}
			if err := moments(time.Now(), &since); err != nil {
				return err
			}
			res, err := a.post(cmd.Context(), path+"/replay", map[string]any{"since": since})
			if err != nil {
				return err
			}
			return a.show(res.Body, hookView)
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "announce anew what entered the view after this moment")
	cmd.Flags().StringVar(&delivery, "delivery", "", "send this message again, under the same id")
	cmd.MarkFlagsOneRequired("since", "delivery")
	cmd.MarkFlagsMutuallyExclusive("since", "delivery")
	return cmd
}

func (a *app) webhookAct(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " WEBHOOK", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			method, path, v := http.MethodPost, "/webhooks/"+seg(args[0]), hookView
			switch verb {
			case "show":
				method = http.MethodGet
			case "test":
				path, v = path+"/test", sendingView
			default:
				path += "/" + verb
			}
			res, err := a.call(cmd.Context(), method, path, nil, nil)
			if err != nil {
				return err
			}
			return a.show(res.Body, v)
		},
	}
}
