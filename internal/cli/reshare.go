package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
)

// question is what reshare ask sends.
type question struct {
	Program  string   `json:"program,omitempty"`
	Item     string   `json:"item"`
	Kind     string   `json:"kind"`
	To       []string `json:"to,omitempty"`
	Outside  []string `json:"outside,omitempty"`
	Why      string   `json:"why"`
	Until    string   `json:"until,omitempty"`
	Handling *looser  `json:"handling,omitempty"`
}

type looser struct {
	TLP           string   `json:"tlp,omitempty"`
	PAP           string   `json:"pap,omitempty"`
	Organisations []string `json:"organisations,omitempty"`
	Drop          []string `json:"drop,omitempty"`
}

var (
	reshareColumns = columns("id", "asked_at", "state", "kind", "item", "organisation", "to", "outside", "answer_by", "end", "waiting", "title")
	reshareFields  = []string{
		"id", "state", "kind", "item", "title", "tlp", "organisation", "person", "to", "outside", "handling.tlp", "why", "asked_at", "answer_by",
		"decided_at", "revoked_at", "until", "end", "in_force", "conditions", "originators", "waiting", "may_answer",
	}
)

func (a *app) reshareCommands() *cobra.Command {
	var program string
	var open bool
	list := &cobra.Command{
		Use: "list", Short: "List the requests that your organisation takes part in, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := given("program", program)
			if open {
				q.Set("open", "true")
			}
			return a.list(cmd.Context(), "/reshares", q, reshareColumns)
		},
	}
	list.Flags().StringVar(&program, "all-of", "", "all requests of a program that you run")
	list.Flags().BoolVar(&open, "open", false, "only those that wait for an answer")
	var file string
	take := &cobra.Command{
		Use: "copy REQUEST", Short: "Fetch what was granted, with the permission on it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.copyReshare(cmd.Context(), args[0], file) },
	}
	take.Flags().StringVarP(&file, "output", "o", "", "file to write; - for standard output; the request's id when absent")
	return noun("reshare", "Ask originators to pass something on, or to loosen its handling; answer them",
		a.askReshare(), list,
		&cobra.Command{
			Use: "show REQUEST", Short: "Show a request and its answers", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				res, err := a.get(cmd.Context(), "/reshares/"+seg(args[0]), nil)
				if err != nil {
					return err
				}
				return a.show(res.Body, view{fields: reshareFields})
			},
		},
		a.answerReshare(),
		a.onReshare("withdraw REQUEST", "Take back a request that waits for answers", "withdraw"),
		a.onReshare("revoke REQUEST", "End at once what you granted as an originator", "revoke"),
		take, a.reshareTimes(), a.lineageCommand())
}

func (a *app) askReshare() *cobra.Command {
	q := question{Kind: "reshare"}
	var loosen bool
	var h looser
	cmd := &cobra.Command{
		Use: "ask ITEM --why WHY (--to ORGANISATION | --outside TEXT | --loosen ...)", Short: "Ask the originators of an artifact or a STIX object",
		Long: `Ask the originators of an item that you hold: to pass it on to others, or, with
--loosen, to put the artifact under a looser handling. Every originator has to say
yes; without an answer in time it is a no.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Item = args[0]
			if err := moments(time.Now(), &q.Until); err != nil {
				return err
			}
			if strings.Contains(q.Item, "--") {
				p, err := a.program(cmd.Context(), q.Program)
				if err != nil {
					return err
				}
				q.Program = p
			}
			if loosen {
				q.Kind, q.Handling = "loosen", &h
			}
			res, err := a.post(cmd.Context(), "/reshares", q)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{fields: reshareFields})
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.Program, "program", "", "the program of a STIX object")
	f.StringSliceVar(&q.To, "to", nil, "organisation that the exchange knows, by its short name")
	f.StringArrayVar(&q.Outside, "outside", nil, "whom the exchange does not know, in words")
	f.StringVar(&q.Why, "why", "", "what it is for; the originators decide on it")
	f.StringVar(&q.Until, "until", "", "end of the permission; as long as the charter permits when absent")
	f.BoolVar(&loosen, "loosen", false, "ask for a looser handling of the artifact instead")
	f.StringVar(&h.TLP, "tlp", "", "with --loosen: the label")
	f.StringVar(&h.PAP, "pap", "", "with --loosen: the level")
	f.StringSliceVar(&h.Organisations, "only", nil, "with --loosen: these organisations alone, in place of every list")
	f.StringSliceVar(&h.Drop, "drop", nil, "with --loosen: a restriction to take away, such as not_in or organisations")
	_ = cmd.MarkFlagRequired("why")
	return cmd
}

func (a *app) answerReshare() *cobra.Command {
	var yes, no bool
	body := struct {
		Yes       bool   `json:"yes"`
		Condition string `json:"condition,omitempty"`
		Until     string `json:"until,omitempty"`
	}{}
	cmd := &cobra.Command{
		Use: "answer REQUEST (--yes | --no)", Short: "Answer as an originator: yes, no, or yes with a condition", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := moments(time.Now(), &body.Until); err != nil {
				return err
			}
			body.Yes = yes
			res, err := a.post(cmd.Context(), "/reshares/"+seg(args[0])+"/answer", body)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{fields: reshareFields})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&yes, "yes", false, "permit it")
	f.BoolVar(&no, "no", false, "refuse it")
	f.StringVar(&body.Condition, "condition", "", "with --yes: under which it is permitted")
	f.StringVar(&body.Until, "until", "", "with --yes: an earlier end")
	cmd.MarkFlagsMutuallyExclusive("yes", "no")
	cmd.MarkFlagsOneRequired("yes", "no")
	return cmd
}

func (a *app) onReshare(use, short, act string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.post(cmd.Context(), "/reshares/"+seg(args[0])+"/"+act, nil)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{fields: reshareFields})
		},
	}
}

func (a *app) reshareTimes() *cobra.Command {
	var program string
	cmd := &cobra.Command{
		Use: "times", Short: "Show how long originators take to answer, in a program that you run", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			res, err := a.get(cmd.Context(), "/programs/"+seg(p)+"/reshares/times", nil)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{fields: []string{"answers", "lapsed", "median_seconds", "p90_seconds"}})
		},
	}
	cmd.Flags().StringVar(&program, "program", "", "the program")
	return cmd
}

func (a *app) lineageCommand() *cobra.Command {
	return &cobra.Command{
		Use: "lineage ARTIFACT", Short: "Show what an artifact was made from, and what was made from it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.get(cmd.Context(), "/artifacts/"+seg(args[0])+"/lineage", nil)
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
			var rows []map[string]any
			for _, side := range []string{"parents", "children"} {
				for _, k := range itemsOf(m[side]) {
					k["side"] = strings.TrimSuffix(strings.TrimSuffix(side, "ren"), "s")
					rows = append(rows, k)
				}
			}
			return a.table(rows, columns("id", "side", "relation", "title", "recalled"))
		},
	}
}

// copyReshare writes the copy into a file that is not there yet.
func (a *app) copyReshare(ctx context.Context, id, file string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	res, err := c.Do(ctx, client.Request{Method: http.MethodGet, Path: "/reshares/" + seg(id) + "/copy"})
	if err != nil {
		return err
	}
	if file == "-" {
		_, err := a.out.Write(res.Body)
		return err
	}
	if file == "" {
		file = filepath.Base(id) + ".json"
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing the copy: %w", err)
	}
	if _, err := f.Write(res.Body); err != nil {
		_ = f.Close()
		return fmt.Errorf("writing the copy: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("writing the copy: %w", err)
	}
	a.done("%s written", file)
	return nil
}
