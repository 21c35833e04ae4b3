package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

func (a *app) objectCommands() *cobra.Command {
	var program string
	var raw bool
	show := &cobra.Command{
		Use: "show OBJECT", Short: "Show one STIX object", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			res, err := a.get(cmd.Context(), "/programs/"+seg(p)+"/objects/"+seg(args[0]), nil)
			if err != nil {
				return err
			}
			var o struct {
				Object json.RawMessage `json:"object"`
			}
			if err := json.Unmarshal(res.Body, &o); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			if raw {
				_, err := a.out.Write(append(o.Object, '\n'))
				return err
			}
			fields := []string{"id", "type", "version", "date_added", "tlp", "release", "title", "artifact", "t0", "public_at", "obligations"}
			if err := a.show(res.Body, view{fields: fields}); err != nil || a.json || a.quiet {
				return err
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, o.Object, "", "  "); err != nil {
				return fmt.Errorf("reading the object: %w", err)
			}
			_, err = fmt.Fprintf(a.out, "\n%s\n", cleanText(pretty.String()))
			return err
		},
	}
	programFlag(show, &program)
	show.Flags().BoolVar(&raw, "raw", false, "print the object alone, byte for byte as submitted")
	return noun("object", "STIX objects in your view of a program", show)
}

func (a *app) searchCommand() *cobra.Command {
	var program string
	cmd := &cobra.Command{
		Use: "search TEXT", Short: "Find objects, artifacts and releases", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			return a.list(cmd.Context(), "/programs/"+seg(p)+"/search", given("q", args[0]), columns("id", "kind", "title", "release"))
		},
	}
	programFlag(cmd, &program)
	return cmd
}

func (a *app) whyCommand() *cobra.Command {
	var program, recipient, at, hat, purpose string
	cmd := &cobra.Command{
		Use: "why OBJECT --for MEMBER", Short: "Explain why a member is or is not given an item", Args: cobra.ExactArgs(1),
		Long: `Explain why a member is or is not given an item, now or at another moment: each step
of the decision, in its order. OBJECT is a STIX identifier or an artifact's.

Those who run the program ask about everyone. Who handed the item in asks about those
that were offered or given it, and is told what depends on the item ("limited yes").
Everybody else asks for their own organisation, about what they may see.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			if err := moments(time.Now(), &at); err != nil {
				return err
			}
			res, err := a.get(cmd.Context(), "/programs/"+seg(p)+"/why", given("object", args[0], "for", recipient, "at", at, "hat", hat, "purpose", purpose))
			if err != nil {
				return err
			}
			return a.show(res.Body, view{
				id:     "verdict",
				fields: []string{"verdict", "code", "item", "class", "organisation", "audience", "at", "tlp", "until", "fields", "obligations", "limited"},
				parts:  []part{{"steps", "steps", columns("rule", "pass", "text")}},
			})
		},
	}
	programFlag(cmd, &program)
	cmd.Flags().StringVar(&recipient, "for", "", "organisation, or login of a person")
	cmd.Flags().StringVar(&at, "at", "", "another moment than now")
	cmd.Flags().StringVar(&hat, "hat", "", "as if it acted in this hat; in all of its own when absent")
	cmd.Flags().StringVar(&purpose, "purpose", "", "as if it read for this purpose")
	_ = cmd.MarkFlagRequired("for")
	return cmd
}

// simulationView is who would gain and who would lose by a change, below path.
func simulationView(path string) view {
	var fields []string
	for _, f := range []string{"gained", "lost", "refused_otherwise", "unchanged", "more", "unnamed", "not_looked_at"} {
		fields = append(fields, path+f)
	}
	return view{id: path + "gained", fields: fields, parts: []part{{"who would gain, who would lose", path + "rows", columns(
		"effect", "organisation", "from", "to", "before", "after", "before_machine", "after_machine", "artifact", "title")}}}
}

func (a *app) artifactSimulate() *cobra.Command {
	var h handed
	cmd := &cobra.Command{
		Use: "simulate ARTIFACT", Short: "Show who would gain and who would lose by another handling", Args: cobra.ExactArgs(1),
		Long: "Show who would gain and who would lose by another handling of an artifact. What is not\ngiven stays as it is. Nothing is changed, and nothing is recorded.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := moments(time.Now(), &h.expires, &h.finer.from); err != nil {
				return err
			}
			if err := h.finer.join(&h.tlp, time.Now()); err != nil {
				return err
			}
			q := h.query("")
			if len(q) == 0 {
				return usage(nothingGiven)
			}
			res, err := a.get(cmd.Context(), "/artifacts/"+seg(args[0])+"/simulate", q)
			if err != nil {
				return err
			}
			return a.show(res.Body, simulationView(""))
		},
	}
	h.policy(cmd)
	return cmd
}

// copyColumns are the copies of an item.
var copyColumns = columns("organisation", "client", "client_name", "artifact", "offered_at", "delivered_at", "downloaded_at", "opened_at", "acknowledged_at")

func (a *app) holdersCommand() *cobra.Command {
	var program string
	var spread bool
	cmd := &cobra.Command{
		Use: "holders ITEM", Short: "Show who has an artifact or a STIX object", Args: cobra.ExactArgs(1),
		Long: `Show who has an artifact or a STIX object: each organisation and client, and when it was
first offered, delivered, downloaded, opened and acknowledged, newest first.

Who handed the item in and who runs the program see each copy. Other members see what
the program lets them see of each other: names, counts, or nothing.

What is recorded is which artifact came to which client. Objects that a member wrote one
by one share an artifact: a client that has a copy has some of it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/artifacts/" + seg(args[0]) + "/holders"
			if strings.Contains(args[0], "--") {
				p, err := a.program(cmd.Context(), program)
				if err != nil {
					return err
				}
				path = "/programs/" + seg(p) + "/objects/" + seg(args[0]) + "/holders"
			}
			return a.holders(cmd.Context(), path, spread)
		},
	}
	programFlag(cmd, &program)
	cmd.Flags().BoolVar(&spread, "csv", false, "print the copies as comma-separated values with a header")
	return cmd
}

// holders prints who has an item, of as many pages as there are.
func (a *app) holders(ctx context.Context, path string, spread bool) error {
	if spread && a.json {
		return usage("choose --csv or --json")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	var whole map[string]any
	items := []any{}
	for q := (url.Values{"limit": {"1000"}}); path != ""; q = nil {
		res, err := c.Do(ctx, client.Request{Method: http.MethodGet, Path: path, Query: q})
		if err != nil {
			return err
		}
		m, err := decode(res.Body)
		if err != nil {
			return err
		}
		some, _ := m["items"].([]any)
		items = append(items, some...)
		if whole == nil {
			whole = m
		}
		path = client.Next(res.Header)
	}
	if spread {
		unnamed, _ := whole["unnamed"].([]any)
		return a.spread(append(unnamed, items...))
	}
	whole["items"] = items
	b, err := json.Marshal(whole)
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return a.show(b, view{
		id: "program", fields: []string{"program", "named", "members_see", "others", "organisations"},
		parts: []part{
			{"versions", "versions", columns("artifact", "title", "sha256", "supersedes", "submitted_at", "journal")},
			{"who has it", "items", copyColumns},
			{"members that are not named and have it", "unnamed", copyColumns[1:]},
		},
	})
}

// spread prints copies as comma-separated values (RFC 4180). A text that a
// spreadsheet would take for a formula is kept from being one.
func (a *app) spread(items []any) error {
	w := csv.NewWriter(a.out)
	row := make([]string, len(copyColumns))
	for i, col := range copyColumns {
		row[i] = col.path
	}
	if err := w.Write(row); err != nil {
		return fmt.Errorf("writing the values: %w", err)
	}
	for _, m := range itemsOf(items) {
		for i, col := range copyColumns {
			row[i] = a.text(m[col.path], false)
			if strings.IndexAny(row[i], "=+-@") == 0 {
				row[i] = "'" + row[i]
			}
		}
		if err := w.Write(row); err != nil {
			return fmt.Errorf("writing the values: %w", err)
		}
	}
	w.Flush()
	return w.Error()
}

func (a *app) eventsCommands() *cobra.Command {
	var program, release, kind, org string
	var after int64
	var all bool
	list := &cobra.Command{
		Use: "list", Short: "List events in the order in which they were committed", Args: cobra.NoArgs,
		Long: "List events in the order in which they were committed. Those who run a program see all\nof it, everybody else what their organisation did or what was done to it. With --json each line is one\nevent, not an array: its number, and its canonical bytes exactly as they were recorded.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var u usageError
			p, err := a.program(cmd.Context(), program)
			switch {
			case all || errors.As(err, &u) || exchange.KindOf(err) == exchange.Denied: // none, or more than one: what is seen of all
			case err != nil:
				return err
			default:
				program = p
			}
			q := given("program", program, "release", release, "kind", kind, "organisation", org)
			q.Set("limit", "1000")
			c, err := a.client()
			if err != nil {
				return err
			}
			path := "/events"
			for path != "" {
				res, err := c.Do(cmd.Context(), client.Request{Method: http.MethodGet, Path: path, Query: q})
				if err != nil {
					return err
				}
				if err := a.printEvents(res.Body, after); err != nil {
					return err
				}
				path, q = client.Next(res.Header), nil
			}
			return nil
		},
	}
	f := list.Flags()
	f.StringVar(&program, "program", "", "this program; the only one that you have when absent")
	f.BoolVar(&all, "all", false, "of every program and outside of all, such as sign-ins")
	f.StringVar(&release, "release", "", "this release alone")
	f.StringVar(&kind, "kind", "", "this kind alone, such as wave.open")
	f.StringVar(&org, "org", "", "this organisation alone")
	f.Int64Var(&after, "after", 0, "only events after this number")
	list.MarkFlagsMutuallyExclusive("program", "all")
	return noun("events", "What happened", list)
}

// printEvents prints a page of events as it came, or as a table.
func (a *app) printEvents(lines []byte, after int64) error {
	var items []map[string]any
	for line := range bytes.Lines(lines) {
		m, err := decode(line)
		if err != nil {
			return err
		}
		seq, err := strconv.ParseInt(a.text(m["seq"], false), 10, 64)
		if err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		if seq <= after {
			continue
		}
		if a.json {
			if _, err := a.out.Write(line); err != nil {
				return err
			}
			continue
		}
		if e, ok := m["event"].(map[string]any); ok {
			e["subject"] = shortened(a.text(e["subject"], false))
		}
		items = append(items, m)
	}
	if a.json || len(items) == 0 {
		return nil
	}
	return a.table(items, []column{
		{"SEQ", "seq"},
		{"AT", "event.at"},
		{"KIND", "event.kind"},
		{"PROGRAM", "event.program"},
		{"RELEASE", "event.release"},
		{"BY", "event.actor_org"},
		{"PERSON", "event.actor_person"},
		{"CHANNEL", "event.channel"},
		{"ON", "event.org"},
		{"SUBJECT", "event.subject"},
	})
}

// shortened cuts a text to what a table can hold; --json gives it whole.
func shortened(s string) string {
	const most = 120
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

func (a *app) noticesCommands() *cobra.Command {
	cmd := noun("notices", "What your organisation was told", &cobra.Command{
		Use: "list", Short: "List notices, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.list(cmd.Context(), "/notices", nil, columns("id", "at", "kind", "release", "text", "read_at"))
		},
	}, a.signedNotice(), a.noticeKey(), &cobra.Command{
		Use: "read NOTICE", Short: "Mark a notice as read", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := a.post(cmd.Context(), "/notices/"+seg(args[0])+"/read", nil)
			return err
		},
	})
	return cmd
}
