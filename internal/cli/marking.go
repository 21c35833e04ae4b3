package cli

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/iep"
)

// finer are the flags of a handling beyond a label and names.
type finer struct {
	groups, sectors, purposes, notCohorts, notHats      []string
	from, actions, encrypt, notify, resale, attribution string

	policy     string // a file
	references []string
}

func (h *finer) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&h.groups, "only-group", nil, "organisations of these groups of the charter; those of --only and --only-sector, too")
	f.StringSliceVar(&h.sectors, "only-sector", nil, "organisations of these sectors; those of --only and --only-group, too")
	f.StringSliceVar(&h.purposes, "purpose", nil, "read for these purposes alone")
	f.StringSliceVar(&h.notCohorts, "not-cohort", nil, "never to members of these cohorts")
	f.StringSliceVar(&h.notHats, "not-hat", nil, "never to who acts in these roles, such as regulator")
	f.StringVar(&h.from, "from", "", "not before this moment, whatever the plan says")
	f.StringVar(&h.actions, "actions", "", "IEP permitted actions, such as internally-visible-actions or none")
	f.StringVar(&h.encrypt, "encrypt", "", "IEP encrypt in transit: may or must")
	f.StringVar(&h.notify, "notify", "", "IEP affected party notifications: may or must-not")
	f.StringVar(&h.resale, "resale", "", "IEP unmodified resale: may or must-not")
	f.StringVar(&h.attribution, "attribution", "", "IEP attribution: may, must or must-not")
	f.StringVar(&h.policy, "iep", "", "file with one policy of FIRST IEP 2.0; where a flag says something too, the stricter holds")
}

func (h finer) query(q url.Values) url.Values {
	for name, values := range given("group", strings.Join(h.groups, ","), "sector", strings.Join(h.sectors, ","),
		"purpose", strings.Join(h.purposes, ","), "not_cohort", strings.Join(h.notCohorts, ","), "not_hat", strings.Join(h.notHats, ","),
		"from", h.from, "permitted_actions", h.actions, "encrypt_in_transit", h.encrypt, "reference", strings.Join(h.references, ","),
		"affected_party_notifications", h.notify, "unmodified_resale", h.resale, "attribution", h.attribution) {
		q[name] = values
	}
	return q
}

// join takes the policy of the file into the flags.
func (h *finer) join(tlp *string, now time.Time) error {
	if h.policy == "" {
		return nil
	}
	raw, err := os.ReadFile(h.policy)
	if err != nil {
		return usage("the policy cannot be read: %s", err)
	}
	d, err := iep.Parse(raw)
	if err != nil {
		return usage("%s: %s", h.policy, err)
	}
	if len(d.Policies) != 1 || len(d.References) > 0 {
		return usage("%s holds %d policies and %d references; a handling takes one policy", h.policy, len(d.Policies), len(d.References))
	}
	p, ok := d.Policies[0].Handling(now)
	if !ok {
		return usage("%s names a TLP label that is none", h.policy)
	}
	var said exchange.Handling
	var errs [6]error
	said.TLP, errs[0] = exchange.ParseTLP(*tlp)
	said.Actions, errs[1] = exchange.ParseActions(h.actions)
	said.Encrypt, errs[2] = exchange.ParseDuty(h.encrypt, exchange.MustEncrypt)
	said.Notify, errs[3] = exchange.ParseDuty(h.notify, exchange.MustNotNotify)
	said.Resale, errs[4] = exchange.ParseDuty(h.resale, exchange.MustNotResell)
	said.Attribution, errs[5] = exchange.ParseAttribution(h.attribution)
	for _, err := range errs {
		if err != nil {
			return usage("%s", err)
		}
	}
	both := said.Join(p)
	if both.Attribution == exchange.AttributionConflict {
		return usage("--attribution and the policy contradict each other")
	}
	*tlp, h.actions, h.attribution = both.TLP.String(), both.Actions.String(), both.Attribution.String()
	h.encrypt, h.notify, h.resale = both.Encrypt.Word(exchange.MustEncrypt), both.Notify.Word(exchange.MustNotNotify), both.Resale.Word(exchange.MustNotResell)
	h.references = both.References
	return nil
}

var (
	heldColumns     = columns("ref", "objects", "parts", "artifact", "title", "since")
	resolvedColumns = columns("ref", "handling.tlp", "handling.pap", "reason", "at")
	resolvedView    = view{id: "ref", fields: []string{"ref", "objects"}}
)

func (a *app) markingCommands() *cobra.Command {
	var resolved bool
	held := &cobra.Command{
		Use: "held [PROGRAM]", Short: "List what is held because nobody understands a marking of it", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.held(cmd.Context(), args, resolved) },
	}
	held.Flags().BoolVar(&resolved, "resolved", false, "list what was said of markings instead")
	return noun("marking", "Markings that nobody understands, and what they ask", held, a.markingResolve())
}

func (a *app) held(ctx context.Context, args []string, resolved bool) error {
	p, err := a.program(ctx, strings.Join(args, ""))
	if err != nil {
		return err
	}
	res, err := a.call(ctx, http.MethodGet, "/programs/"+seg(p)+"/held", nil, nil)
	if err != nil {
		return err
	}
	m, err := decode(res.Body)
	if err != nil {
		return err
	}
	if resolved {
		return a.table(itemsOf(m["resolved"]), resolvedColumns)
	}
	return a.table(itemsOf(m["held"]), heldColumns)
}

func (a *app) markingResolve() *cobra.Command {
	var program, tlp, pap, statement, reason string
	cmd := &cobra.Command{
		Use: "resolve MARKING --tlp LABEL --reason TEXT", Short: "Say what a marking asks that nobody understands", Args: cobra.ExactArgs(1),
		Long: `Says which label a marking stands for that nobody understands. What it held is
released under that label, joined with what the artifact and the other markings
ask, so nothing becomes wider than its originator allowed; what bears the marking
later is taken so, too. It can be said once.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			body := map[string]any{"ref": args[0], "tlp": tlp, "reason": reason}
			if pap != "" {
				body["pap"] = pap
			}
			if statement != "" {
				body["statement"] = statement
			}
			res, err := a.post(cmd.Context(), "/programs/"+seg(p)+"/markings", body)
			if err != nil {
				return err
			}
			return a.show(res.Body, resolvedView)
		},
	}
	f := cmd.Flags()
	f.StringVar(&program, "program", "", "program; the only one when absent")
	f.StringVar(&tlp, "tlp", "", "TLP label that it stands for")
	f.StringVar(&pap, "pap", "", "PAP level that it stands for")
	f.StringVar(&statement, "statement", "", "further conditions, shown with the item")
	f.StringVar(&reason, "reason", "", "how it is known what the marking asks")
	_, _ = cmd.MarkFlagRequired("tlp"), cmd.MarkFlagRequired("reason")
	return cmd
}
