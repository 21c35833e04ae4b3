package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

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
