package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

var waveColumns = columns("audience", "at", "state", "opened_at", "late_seconds", "classes", "objects")

var releaseView = view{
	fields: []string{
		"id", "title", "program", "state", "t0", "public_at", "tlp", "revision", "version", "author", "author_login", "approvals_needed",
		"incomplete_fix_of", "superseded_by", "not_covering_since", "created_at", "closed_at", "reason", "message",
	},
	parts: []part{
		{"artifacts", "artifacts", columns("id", "class", "kind", "filename", "tlp", "objects", "size", "opened_at")},
		{"waves", "waves", waveColumns},
		{"approvals", "approvals", columns("person", "login", "revision", "at", "valid")},
		{"rules", "rules", columns("class", "cohort", "at")},
	},
}

func (a *app) releaseCommands() *cobra.Command {
	return noun("release", "Who gets what when",
		a.releaseCreate(), a.releaseEdit(), a.releaseList(), a.releaseShow(),
		a.releasePreview(), a.releaseSend(), a.releaseApprove(), a.releaseMove(),
		a.releaseWaves("hold", "Keep waves from opening"), a.releaseWaves("resume", "Put held waves back on the clock"),
		a.releaseWaves("kill", "Take waves out of the plan"), a.releaseWaves("push", "Open approved waves now"),
		a.releasePlan("withdraw", "Take a release back: nobody receives it any more"),
		a.releasePlan("contain", "Freeze a release in which a leak is suspected"),
		a.releasePlan("close", "Make the outcome final"), a.releaseRearm(),
		a.releaseTable("waves", "List the waves", waveColumns),
		a.releaseTable("holders", "List who already holds what", columns("organisation", "name", "audience", "since", "fetched", "artifacts")),
		a.releaseExposure(), a.releaseSuspects())
}

// parseRules reads rules of the form class:cohort:offset.
func parseRules(in []string) ([]map[string]string, error) {
	var out []map[string]string
	for _, s := range in {
		parts := strings.SplitN(s, ":", 3)
		if len(parts) != 3 {
			return nil, usage("%q is no rule; write class:cohort:offset, such as summary:early:T0-5bd@18:00", s)
		}
		out = append(out, map[string]string{"class": parts[0], "cohort": parts[1], "at": parts[2]})
	}
	return out, nil
}

// draft are the flags of a release's text and plan.
type draft struct {
	title, message, messageFile, t0 string
	rules                           []string
}

func (d *draft) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&d.title, "title", "", "title")
	f.StringVar(&d.message, "message", "", "message to the members who hold it, Markdown")
	f.StringVar(&d.messageFile, "message-file", "", "file with the message; - reads stdin")
	f.StringVar(&d.t0, "t0", "", "the public release: 2026-12-08T18:00:00Z, or a span from now such as +14d")
	f.StringArrayVar(&d.rules, "rule", nil, "class:cohort:offset, such as poc:validate:T0-14d (may be given again)")
}

func (a *app) draftBody(cmd *cobra.Command, d draft) (map[string]any, error) {
	body := map[string]any{}
	if cmd.Flags().Changed("title") {
		body["title"] = d.title
	}
	if cmd.Flags().Changed("message") {
		body["message"] = d.message
	}
	if d.messageFile != "" {
		text, err := a.read(d.messageFile)
		if err != nil {
			return nil, err
		}
		body["message"] = string(text)
	}
	if d.t0 != "" {
		if err := moments(time.Now(), &d.t0); err != nil {
			return nil, err
		}
		body["t0"] = d.t0
	}
	if len(d.rules) > 0 {
		rules, err := parseRules(d.rules)
		if err != nil {
			return nil, err
		}
		body["rules"] = rules
	}
	return body, nil
}

func (a *app) releaseCreate() *cobra.Command {
	var d draft
	var program string
	cmd := &cobra.Command{
		Use: "create --title TITLE --t0 TIME", Short: "Begin a release", Args: cobra.NoArgs,
		Long: "Begin a release. Without --rule it takes the plan of the program's charter.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			body, err := a.draftBody(cmd, d)
			if err != nil {
				return err
			}
			res, err := a.post(cmd.Context(), "/programs/"+seg(p)+"/releases", body)
			if err != nil {
				return err
			}
			return a.show(res.Body, releaseView)
		},
	}
	d.flags(cmd)
	programFlag(cmd, &program)
	_ = cmd.MarkFlagRequired("title")
	return cmd
}

func (a *app) releaseEdit() *cobra.Command {
	var d draft
	cmd := &cobra.Command{
		Use: "edit RELEASE", Short: "Edit a release; approvals lapse", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := a.draftBody(cmd, d)
			if err != nil {
				return err
			}
			if len(body) == 0 {
				return usage(nothingGiven)
			}
			tag, err := a.tagOf(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			res, err := a.call(cmd.Context(), http.MethodPatch, "/releases/"+seg(args[0]), nil, body, "If-Match", tag)
			if err != nil {
				return err
			}
			return a.show(res.Body, releaseView)
		},
	}
	d.flags(cmd)
	return cmd
}

// tagOf is the ETag of a release now. A member's view has none; the server
// then refuses as for what does not exist.
func (a *app) tagOf(ctx context.Context, release string) (string, error) {
	res, err := a.get(ctx, "/releases/"+seg(release), nil)
	if err != nil {
		return "", err
	}
	if tag := res.ETag(); tag != "" {
		return tag, nil
	}
	return "*", nil
}

func (a *app) releaseList() *cobra.Command {
	var program string
	cmd := &cobra.Command{
		Use: "list", Short: "List the releases that you run, or hold something of", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			return a.list(cmd.Context(), "/programs/"+seg(p)+"/releases", nil, columns("id", "state", "t0", "title", "tlp", "public_at", "revision"))
		},
	}
	programFlag(cmd, &program)
	return cmd
}

func (a *app) releaseShow() *cobra.Command {
	return &cobra.Command{
		Use: "show RELEASE", Short: "Show a release as you see it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.get(cmd.Context(), "/releases/"+seg(args[0]), nil)
			if err != nil {
				return err
			}
			return a.show(res.Body, releaseView)
		},
	}
}

func (a *app) releaseTable(verb, short string, cols []column) *cobra.Command {
	return &cobra.Command{
		Use: verb + " RELEASE", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.list(cmd.Context(), "/releases/"+seg(args[0])+"/"+verb, nil, cols)
		},
	}
}

func (a *app) releasePreview() *cobra.Command {
	var as string
	cmd := &cobra.Command{
		Use: "preview RELEASE", Short: "Show who gets what when, what is unusual, and what blocks it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/releases/" + seg(args[0]) + "/preview"
			if as != "" {
				res, err := a.get(cmd.Context(), path+"-as/"+seg(as), nil)
				if err != nil {
					return err
				}
				v := releaseView
				v.fields = append(slices.Clone(v.fields), "objects.whole", "objects.redacted", "objects.withheld", "objects.artifacts_withheld")
				v.parts = append(slices.Clone(v.parts), part{"objects", "object_list", columns("id", "type", "verdict", "code", "fields")})
				return a.show(res.Body, v)
			}
			res, err := a.get(cmd.Context(), path, nil)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{
				id: "release.id", fields: []string{"release.id", "release.title", "release.state", "release.t0", "release.revision", "approvals_needed"},
				parts: []part{
					{"who gets what when", "waves", []column{
						{"AUDIENCE", "audience"}, {"AT", "at"}, {"STATE", "state"}, {"CLASSES", "classes"}, {"RECIPIENTS", "recipients.#"}, {"BY NAME", "recipients.name"},
					}},
					{"unusual", "warnings", columns("code", "audience", "at", "text")},
					{"blocks", "blocks", columns("path", "message")},
					{"approved by", "approvals", columns("person", "login", "at")},
					{"already given to", "holders", columns("organisation", "audience", "since", "fetched")},
				},
			})
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "show the release as this member will see it")
	return cmd
}

func (a *app) releaseSend() *cobra.Command {
	return &cobra.Command{
		Use: "send RELEASE", Short: "Send a release to its approvers", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			tag, err := a.tagOf(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			res, err := a.post(cmd.Context(), "/releases/"+seg(args[0])+"/send", nil, "If-Match", tag)
			if err != nil {
				return err
			}
			return a.show(res.Body, releaseView)
		},
	}
}

func (a *app) releaseApprove() *cobra.Command {
	var revision int64
	cmd := &cobra.Command{
		Use: "approve RELEASE", Short: "Approve the revision that you looked at", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if revision == 0 {
				res, err := a.get(cmd.Context(), "/releases/"+seg(args[0]), nil)
				if err != nil {
					return err
				}
				var r struct {
					Revision int64 `json:"revision"`
				}
				if err := json.Unmarshal(res.Body, &r); err != nil {
					return fmt.Errorf("reading the answer: %w", err)
				}
				revision = max(r.Revision, 1)
			}
			res, err := a.post(cmd.Context(), "/releases/"+seg(args[0])+"/approve", map[string]any{"revision": revision})
			if err != nil {
				return err
			}
			return a.show(res.Body, releaseView)
		},
	}
	cmd.Flags().Int64Var(&revision, "revision", 0, "the revision that you looked at; the present one when absent")
	return cmd
}

// replan posts a change of plan and shows what it did.
func (a *app) replan(ctx context.Context, release, verb string, body map[string]any) error {
	tag, err := a.tagOf(ctx, release)
	if err != nil {
		return err
	}
	res, err := a.post(ctx, "/releases/"+seg(release)+"/"+verb, body, "If-Match", tag)
	if err != nil {
		return err
	}
	if verb == "close" {
		return a.show(res.Body, releaseView)
	}
	return a.show(res.Body, view{
		id: "release.id", fields: []string{"release.id", "release.title", "release.state", "release.t0", "release.reason", "told"},
		parts: []part{
			{"waves", "waves", columns("audience", "at", "state", "opened_at", "classes")},
			{"already given to (a recall cannot reach copies)", "holders", columns("organisation", "audience", "since", "fetched", "artifacts")},
		},
	})
}

func (a *app) releaseMove() *cobra.Command {
	var t0, reason string
	cmd := &cobra.Command{
		Use: "move RELEASE --t0 TIME --reason TEXT", Short: "Move the public release", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := moments(time.Now(), &t0); err != nil {
				return err
			}
			return a.replan(cmd.Context(), args[0], "move", map[string]any{"t0": t0, "reason": reason})
		},
	}
	cmd.Flags().StringVar(&t0, "t0", "", "the new moment, or a span from now")
	_ = cmd.MarkFlagRequired("t0")
	reasonFlag(cmd, &reason)
	return cmd
}

func (a *app) releaseWaves(verb, short string) *cobra.Command {
	var audience, at, reason string
	cmd := &cobra.Command{
		Use: verb + " RELEASE --audience COHORT --reason TEXT", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if verb == "kill" {
				if err := a.confirm("This takes the waves to "+audience+" out of the plan for good", args[0]); err != nil {
					return err
				}
			}
			if err := moments(time.Now(), &at); err != nil {
				return err
			}
			body := map[string]any{"audience": audience, "reason": reason}
			if at != "" {
				body["at"] = at
			}
			return a.replan(cmd.Context(), args[0], verb, body)
		},
	}
	cmd.Flags().StringVar(&audience, "audience", "", "a cohort, or cohort!compelled for its members under a duty alone")
	cmd.Flags().StringVar(&at, "at", "", "one wave, by its planned moment; every wave that is not open when absent")
	_ = cmd.MarkFlagRequired("audience")
	reasonFlag(cmd, &reason)
	return cmd
}

func (a *app) releasePlan(verb, short string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: verb + " RELEASE --reason TEXT", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if verb == "withdraw" {
				if err := a.confirm("This takes the release back from everybody", args[0]); err != nil {
					return err
				}
			}
			return a.replan(cmd.Context(), args[0], verb, map[string]any{"reason": reason})
		},
	}
	reasonFlag(cmd, &reason)
	return cmd
}

func (a *app) releaseRearm() *cobra.Command {
	var d draft
	var reason string
	var drop []string
	cmd := &cobra.Command{
		Use: "rearm RELEASE --t0 TIME --reason TEXT", Short: "Open the case that follows an incomplete fix", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := a.draftBody(cmd, d)
			if err != nil {
				return err
			}
			delete(body, "rules")
			body["reason"] = reason
			if len(drop) > 0 {
				body["drop"] = drop
			}
			res, err := a.post(cmd.Context(), "/releases/"+seg(args[0])+"/rearm", body)
			if err != nil {
				return err
			}
			return a.show(res.Body, releaseView)
		},
	}
	d.flags(cmd)
	_ = cmd.Flags().MarkHidden("rule")
	_ = cmd.MarkFlagRequired("t0")
	cmd.Flags().StringSliceVar(&drop, "drop", nil, "cohorts of the old case that the new one leaves out")
	reasonFlag(cmd, &reason)
	return cmd
}

func (a *app) releaseExposure() *cobra.Command {
	var at, artifact, org, kind string
	cmd := &cobra.Command{
		Use: "exposure RELEASE", Short: "Show who had which artifact when", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := moments(time.Now(), &at); err != nil {
				return err
			}
			return a.list(cmd.Context(), "/releases/"+seg(args[0])+"/exposure",
				given("at", at, "artifact", artifact, "organisation", org, "kind", kind),
				columns("organisation", "artifact", "kind", "at", "client", "channel", "event"))
		},
	}
	f := cmd.Flags()
	f.StringVar(&at, "at", "", "who had it at this moment")
	f.StringVar(&artifact, "artifact", "", "this artifact alone")
	f.StringVar(&org, "org", "", "this organisation alone")
	f.StringVar(&kind, "kind", "", "offered, delivered, downloaded, opened or acknowledged")
	return cmd
}

func (a *app) releaseSuspects() *cobra.Command {
	var before string
	var artifacts []string
	var offered bool
	cmd := &cobra.Command{
		Use: "suspects RELEASE --artifact ID --before TIME", Short: "List who had everything that leaked; leads, not verdicts", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := moments(time.Now(), &before); err != nil {
				return err
			}
			q := url.Values{"artifact": {strings.Join(artifacts, ",")}, "before": {before}}
			if offered {
				q.Set("offered", "true")
			}
			return a.list(cmd.Context(), "/releases/"+seg(args[0])+"/suspects", q, columns("organisation", "clients", "first"))
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&artifacts, "artifact", nil, "what was found outside (may be given again)")
	f.StringVar(&before, "before", "", "when it was first seen outside")
	f.BoolVar(&offered, "offered", false, "also who could have fetched it and, as far as is recorded, did not")
	_, _ = cmd.MarkFlagRequired("artifact"), cmd.MarkFlagRequired("before")
	return cmd
}
