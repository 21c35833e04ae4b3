package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
)

// said are the flags of feedback.
type said struct {
	Object    string   `json:"object,omitempty"`
	Artifact  string   `json:"artifact,omitempty"`
	Text      string   `json:"text,omitempty"`
	Product   string   `json:"product,omitempty"`
	Type      string   `json:"type,omitempty"`
	Format    string   `json:"format,omitempty"`
	ReadyAt   string   `json:"ready_at,omitempty"`
	LiveAt    string   `json:"live_at,omitempty"`
	Regions   []string `json:"regions,omitempty"`
	Share     int      `json:"share,omitempty"`
	Evidence  string   `json:"evidence,omitempty"`
	Amends    string   `json:"amends,omitempty"`
	Count     int64    `json:"count,omitempty"`
	FirstSeen string   `json:"first_seen,omitempty"`
	LastSeen  string   `json:"last_seen,omitempty"`
	Sector    string   `json:"sector,omitempty"`
	Region    string   `json:"region,omitempty"`
	Kind      string   `json:"kind"`
}

func (a *app) feedbackCommands() *cobra.Command {
	list := &cobra.Command{
		Use: "list RELEASE", Short: "List what was said about a release", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.list(cmd.Context(), "/releases/"+seg(args[0])+"/feedback", nil,
				columns("id", "at", "organisation", "kind", "product", "ready_at", "live_at", "share", "count", "text", "replaced"))
		},
	}
	return noun("feedback", "Say what came of a release",
		a.say("protect RELEASE --product PRODUCT --type TYPE", "Register a protection", "protection", protects, "product", "type"),
		a.say("seen RELEASE", "Report a sighting", "sighting", sees),
		a.say("false-positive RELEASE --text REASON", "Say that something is wrong", "false-positive", nil, "text"),
		a.say("question RELEASE --text QUESTION", "Ask the originator", "question", nil, "text"),
		a.say("not-affected RELEASE", "Say that it does not concern you", "not-affected", nil),
		a.say("ack RELEASE", "Say that you have read it", "acknowledged", nil),
		list)
}

// say gives feedback of one kind, and shows it as recorded. flags, which may be
// nil, adds those of the kind.
func (a *app) say(use, short, kind string, flags func(*cobra.Command, *said), required ...string) *cobra.Command {
	f := said{Kind: kind}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := moments(time.Now(), &f.ReadyAt, &f.LiveAt, &f.FirstSeen, &f.LastSeen); err != nil {
				return err
			}
			res, err := a.post(cmd.Context(), "/releases/"+seg(args[0])+"/feedback", f)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{fields: []string{
				"id", "kind", "at", "product", "type", "format", "ready_at", "live_at", "regions", "share", "evidence", "count",
				"first_seen", "last_seen", "text",
			}})
		},
	}
	p := cmd.Flags()
	p.StringVar(&f.Object, "object", "", "STIX object that it concerns")
	p.StringVar(&f.Artifact, "artifact", "", "artifact that it concerns")
	p.StringVar(&f.Text, "text", "", "question, reason or note")
	if flags != nil {
		flags(cmd, &f)
	}
	for _, name := range required {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

func protects(cmd *cobra.Command, f *said) {
	p := cmd.Flags()
	p.StringVar(&f.Product, "product", "", "product that protects")
	p.StringVar(&f.Type, "type", "", "such as ids-signature, av-signature, edr-rule, waf-rule, patch")
	p.StringVar(&f.Format, "format", "", "such as snort, yara, sigma")
	p.StringVar(&f.ReadyAt, "ready", "", "when it was ready")
	p.StringVar(&f.LiveAt, "live", "", "when it was live at customers; not before the release where the agreement says so")
	p.StringSliceVar(&f.Regions, "region", nil, "where it is live")
	p.IntVar(&f.Share, "share", 0, "share of customers covered, percent")
	p.StringVar(&f.Evidence, "evidence", "", "what shows it, such as the address of a release note")
	p.StringVar(&f.Amends, "amends", "", "an earlier protection that this one replaces")
}

func sees(cmd *cobra.Command, f *said) {
	p := cmd.Flags()
	p.Int64Var(&f.Count, "count", 1, "how often")
	p.StringVar(&f.FirstSeen, "first", "", "first seen")
	p.StringVar(&f.LastSeen, "last", "", "last seen")
	p.StringVar(&f.Sector, "sector", "", "sector of whom it hit")
	p.StringVar(&f.Region, "region", "", "region")
}

func (a *app) outcomeCommands() *cobra.Command {
	var program, release, from, to string
	show := &cobra.Command{
		Use: "show [--program PROGRAM | --release RELEASE]", Short: "Show what came of it: each measure with target, denominator and basis", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := moments(time.Now(), &from, &to); err != nil {
				return err
			}
			path := "/releases/" + seg(release) + "/outcome"
			if release == "" {
				p, err := a.program(cmd.Context(), program)
				if err != nil {
					return err
				}
				path = "/programs/" + seg(p) + "/outcome"
			}
			res, err := a.get(cmd.Context(), path, given("from", from, "to", to))
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(json.RawMessage(res.Body))
			}
			return a.outcome(res.Body)
		},
	}
	f := show.Flags()
	f.StringVar(&program, "program", "", "the program")
	f.StringVar(&release, "release", "", "one release")
	f.StringVar(&from, "from", "", "only releases public from this moment on")
	f.StringVar(&to, "to", "", "only releases public before this moment")
	show.MarkFlagsMutuallyExclusive("program", "release")
	return noun("outcome", "What came of a program, computed from recorded events", show)
}

func (a *app) outcome(body []byte) error {
	m, err := decode(body)
	if err != nil {
		return err
	}
	if !a.quiet {
		for _, k := range []string{"title", "outcome", "at"} {
			if err := a.field(k, a.text(m[k], a.onTerminal()), a.onTerminal()); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(a.out); err != nil {
			return err
		}
	}
	items := itemsOf(m["measures"])
	for _, item := range items {
		item["value"] = figureText(item)
		item["data"] = hidden
		if item["of"] != nil {
			item["data"] = a.text(item["n"], false) + " of " + a.text(item["of"], false)
		}
	}
	if err := a.table(items, columns("id", "value", "target", "by", "state", "data", "definition")); err != nil || a.quiet {
		return err
	}
	if _, err := fmt.Fprintln(a.out); err != nil {
		return err
	}
	states := itemsOf(m["reached"])
	for _, s := range states {
		if s["hidden"] == true {
			s["count"] = hidden
		}
	}
	return a.table(states, columns("state", "count"))
}

// hidden stands for a figure that too few stand behind for this reader to see:
// never shown as 0.
const hidden = "hidden"

// figureText is a figure as people read it: no data is said, never shown as 0.
func figureText(m map[string]any) string {
	switch {
	case m["hidden"] == true:
		return hidden
	case m["no_data"] == true:
		return "no data"
	}
	if share, ok := lookup(m, "figure.share").(json.Number); ok {
		f, err := share.Float64()
		if err != nil {
			return ""
		}
		return strconv.FormatFloat(f*100, 'f', 1, 64) + "% (" + fmt.Sprint(lookup(m, "figure.part")) + " of " + fmt.Sprint(lookup(m, "figure.whole")) + ")"
	}
	if median, ok := lookup(m, "figure.median_seconds").(json.Number); ok {
		s, err := median.Float64()
		if err != nil {
			return ""
		}
		return spanText(time.Duration(s * float64(time.Second)))
	}
	return "no data"
}

// spanText is a span of time as people read it: 36h5m, 14m20s, -3s.
func spanText(d time.Duration) string {
	d = d.Round(time.Second)
	text := d.String()
	if d%time.Minute == 0 && d != 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}

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
