package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

var (
	recallColumns = columns("id", "kind", "title", "at", "side", "asked", "losing", "acknowledged")
	holderColumns = columns("organisation", "near", "loses", "read_at", "pushed_at", "taken_at", "polled_at", "answer", "answered_at", "note")
	recallView    = view{
		id: "id",
		fields: []string{
			"id", "kind", "side", "program", "artifact", "object", "title", "tlp", "by", "at", "effective_at", "reason", "message", "replacement",
			"objects", "losing", "held", "offered", "acknowledged", "asked", "mine.near", "mine.loses", "mine.answer", "mine.note", "mine.answered_at",
		},
		parts: []part{{"holders (copies outside the exchange cannot be reached)", "holders", holderColumns}},
	}
)

func (a *app) recallCommands() *cobra.Command {
	return noun("recall", "Take back what was shared, correct it, narrow it, let it expire; and answer who did",
		a.recallAct("issue", "recall", "Recall an artifact or a STIX object: nobody has it any more"),
		a.recallAct("supersede", "supersede", "Have another artifact take its place"),
		a.recallAct("narrow", "narrow", "Make an artifact's handling stricter"),
		a.recallAct("expire", "expire", "Let an artifact expire, now or at a moment"),
		&cobra.Command{
			Use: "list", Short: "List what was taken back and concerns you, newest first", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.list(cmd.Context(), "/recalls", nil, recallColumns)
			},
		},
		&cobra.Command{
			Use: "show RECALL", Short: "Show what is asked, or who holds it and what they did", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				res, err := a.get(cmd.Context(), "/recalls/"+seg(args[0]), nil)
				if err != nil {
					return err
				}
				return a.show(res.Body, recallView)
			},
		},
		a.recallAck(),
		&cobra.Command{
			Use: "remind RECALL", Short: "Tell the holders that are silent once more", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				res, err := a.post(cmd.Context(), "/recalls/"+seg(args[0])+"/remind", nil)
				if err != nil {
					return err
				}
				return a.show(res.Body, view{id: "reminded", fields: []string{"reminded"}})
			},
		})
}

// taking are the flags of an act.
type taking struct {
	program, by, reason, message, at string
	tlp, pap, statement              string
	only, not, notIn, persons        []string
	dry                              bool
}

// body is the act as the API takes it. A STIX identifier names an object, and
// anything else an artifact.
func (t *taking) body(ctx context.Context, a *app, kind, target string) (map[string]any, error) {
	out := map[string]any{"kind": kind, "reason": t.reason, "message": t.message}
	if strings.Contains(target, "--") {
		p, err := a.program(ctx, t.program)
		if err != nil {
			return nil, err
		}
		out["program"], out["object"] = p, target
	} else {
		out["artifact"] = target
	}
	if t.by != "" {
		out["replacement"] = t.by
	}
	if t.at != "" {
		if err := moments(time.Now(), &t.at); err != nil {
			return nil, err
		}
	}
	switch {
	case kind == "expire" && t.at != "":
		out["at"] = t.at
	case kind == "narrow":
		h := map[string]any{}
		for name, v := range map[string]string{"tlp": t.tlp, "pap": t.pap, "statement": t.statement, "expires_at": t.at} {
			if v != "" {
				h[name] = v
			}
		}
		for name, v := range map[string][]string{"organisations": t.only, "not_organisations": t.not, "not_in": t.notIn, "persons": t.persons} {
			if len(v) > 0 {
				h[name] = v
			}
		}
		out["handling"] = h
	}
	return out, nil
}

func (a *app) recallAct(verb, kind, short string) *cobra.Command {
	var t taking
	target, extra := "(ARTIFACT | STIX-ID)", ""
	switch kind {
	case "supersede":
		extra = " --by ARTIFACT"
	case "narrow", "expire":
		target = "ARTIFACT"
	}
	cmd := &cobra.Command{
		Use: verb + " " + target + extra + " --reason TEXT", Short: short, Args: cobra.ExactArgs(1),
		Long: short + `.

With --dry-run nothing is changed: who would lose it is shown. On a terminal the
same is shown before the act, which is done once you have typed its target; --yes
leaves that out. Those who hold it are told and asked to delete it. Copies that
left the exchange, and tools that ignore what is revoked, cannot be reached.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := t.body(cmd.Context(), a, kind, args[0])
			if err != nil {
				return err
			}
			if t.dry {
				return a.recallPlan(cmd.Context(), body)
			}
			if err := a.confirmRecall(cmd.Context(), args[0], body); err != nil {
				return err
			}
			res, err := a.post(cmd.Context(), "/recalls", body)
			if err != nil {
				return err
			}
			return a.show(res.Body, recallView)
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.reason, "reason", "", "why; told to those who hold it")
	f.StringVar(&t.message, "message", "", "further words to those who hold it")
	f.BoolVar(&t.dry, "dry-run", false, "show what would happen, and change nothing")
	_ = cmd.MarkFlagRequired("reason")
	switch kind {
	case "recall", "supersede":
		programFlag(cmd, &t.program)
	case "expire":
		f.StringVar(&t.at, "at", "", "when: 2026-12-08T18:00:00Z, or a span from now such as +14d (default: now)")
	case "narrow":
		f.StringVar(&t.tlp, "tlp", "", "a stricter label")
		f.StringVar(&t.pap, "pap", "", "a stricter level")
		f.StringVar(&t.statement, "statement", "", "a further condition")
		f.StringVar(&t.at, "expires", "", "an earlier expiry")
		f.StringArrayVar(&t.only, "organisation", nil, "of those who may have it, these alone (may be given again)")
		f.StringArrayVar(&t.not, "not-organisation", nil, "an organisation that is excluded (may be given again)")
		f.StringArrayVar(&t.notIn, "not-in", nil, "a jurisdiction that is excluded (may be given again)")
		f.StringArrayVar(&t.persons, "person", nil, "of the named persons, these alone, by login (may be given again)")
	}
	if kind == "supersede" {
		f.StringVar(&t.by, "by", "", "the artifact that takes its place")
		_ = cmd.MarkFlagRequired("by")
	}
	return cmd
}

// planRecall asks what an act would do.
func (a *app) planRecall(ctx context.Context, body map[string]any) ([]byte, error) {
	res, err := a.call(ctx, http.MethodPost, "/recalls", url.Values{"dry_run": {"true"}}, body)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

func (a *app) recallPlan(ctx context.Context, body map[string]any) error {
	b, err := a.planRecall(ctx, body)
	if err != nil {
		return err
	}
	return a.show(b, recallView)
}

// confirmRecall shows what an act would do, and has its target typed.
func (a *app) confirmRecall(ctx context.Context, target string, body map[string]any) error {
	if !a.asks() {
		return nil
	}
	b, err := a.planRecall(ctx, body)
	if err != nil {
		return err
	}
	m, err := decode(b)
	if err != nil {
		return err
	}
	said := fmt.Sprintf("This takes back %v (%v). %v organisations lose it and are asked to delete it, of %v that hold it",
		cmp.Or[any](m["title"], target), m["kind"], m["losing"], m["held"])
	return a.confirm(said, target)
}

func (a *app) recallAck() *cobra.Command {
	var answer, note string
	cmd := &cobra.Command{
		Use: "ack RECALL --did (deleted | never-imported | kept)", Short: "Say what your organisation did", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.post(cmd.Context(), "/recalls/"+seg(args[0])+"/acknowledge", map[string]any{"answer": answer, "note": note})
			if err != nil {
				return err
			}
			return a.show(res.Body, recallView)
		},
	}
	f := cmd.Flags()
	f.StringVar(&answer, "did", "", "deleted, never-imported, or kept (for a legal reason, which --note gives)")
	f.StringVar(&note, "note", "", "further words to its originator")
	_ = cmd.MarkFlagRequired("did")
	return cmd
}
