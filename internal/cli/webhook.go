package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

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
