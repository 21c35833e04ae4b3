package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
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
