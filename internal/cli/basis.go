package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

var basisColumns = []column{
	{"LINE", "line"},
	{"BASIS", "basis"},
	{"JURISDICTION", "jurisdiction"},
	{"INSTRUMENT", "instrument"},
	{"IN FORCE", "in_force"},
	{"VALID FROM", "valid_from"},
	{"VALID TO", "valid_to"},
	{"KNOWN FROM", "known_from"},
	{"SOURCE", "source"},
}

func (a *app) basisCommands() *cobra.Command {
	return noun("basis", "The register of legal bases: what covers sharing, from when, until when, as known since when",
		a.basisAdd(), a.basisList(), a.basisShow(), a.basisCheck(), a.basisOf())
}

func (a *app) basisAdd() *cobra.Command {
	var jurisdiction, instrument, from, to, known, conditions, source string
	var not bool
	cmd := &cobra.Command{
		Use: "add ID --from TIME --source TEXT", Short: "Add a line to the register", Args: cobra.ExactArgs(1),
		Long: `Add a line to the register: of a new basis, or what became known of one that is
there. Lines are never changed: an extension, a lapse or a correction is a further
line. Where periods overlap, the line that is known last holds.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := moments(time.Now(), &from, &to, &known); err != nil {
				return err
			}
			body := map[string]any{"id": args[0], "valid_from": from, "source": source}
			for name, value := range map[string]string{
				"jurisdiction": jurisdiction, "instrument": instrument, "valid_to": to, "known_from": known, "conditions": conditions,
			} {
				if value != "" {
					body[name] = value
				}
			}
			if not {
				body["not_in_force"] = true
			}
			res, err := a.post(cmd.Context(), "/legal-bases", body)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{id: "basis", fields: []string{
				"line", "basis", "jurisdiction", "instrument", "in_force", "valid_from", "valid_to", "known_from", "conditions", "source",
			}})
		},
	}
	f := cmd.Flags()
	f.StringVar(&jurisdiction, "jurisdiction", "", "country code, or EU; as in the first line of the basis when absent")
	f.StringVar(&instrument, "instrument", "", "the law, order or agreement, as it is cited; as in the first line when absent")
	f.StringVar(&from, "from", "", "when the period begins")
	f.StringVar(&to, "to", "", "the first moment that is not covered; open when absent")
	f.StringVar(&known, "known-from", "", "since when this can be known; now when absent")
	f.BoolVar(&not, "not-in-force", false, "the line says that the basis is not in force in the period")
	f.StringVar(&conditions, "conditions", "", "what it is tied to")
	f.StringVar(&source, "source", "", "where this can be read")
	_, _ = cmd.MarkFlagRequired("from"), cmd.MarkFlagRequired("source")
	return cmd
}

func (a *app) basisList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the register", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.list(cmd.Context(), "/legal-bases", nil, basisColumns)
		},
	}
}

func (a *app) basisShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show the lines of one basis", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.list(cmd.Context(), "/legal-bases/"+seg(args[0]), nil, basisColumns)
		},
	}
}

func (a *app) basisCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check PROGRAM", Short: "How a program's bases stand now: ask before you share", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.list(cmd.Context(), "/programs/"+seg(args[0])+"/legal-bases", nil, []column{
				{"BASIS", "basis"},
				{"IN FORCE", "in_force"},
				{"LINE", "line.line"},
				{"VALID FROM", "line.valid_from"},
				{"VALID TO", "line.valid_to"},
				{"KNOWN FROM", "line.known_from"},
				{"WARNING", "warning"},
			})
		},
	}
}

func (a *app) basisOf() *cobra.Command {
	return &cobra.Command{
		Use: "of ARTIFACT", Short: "How the bases stood when an artifact was shared, and what became known later", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.get(cmd.Context(), "/artifacts/"+seg(args[0])+"/legal-bases", nil)
			if err != nil {
				return err
			}
			var got struct {
				Items []map[string]any `json:"items"`
			}
			if err := json.Unmarshal(res.Body, &got); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			if a.json {
				return a.table(got.Items, basisColumns)
			}
			return a.table(basisRows(got.Items), append([]column{{"SHARE", "share"}, {"AS OF", "as_of"}}, basisColumns[1:]...))
		},
	}
}

// basisRows is one row for each line: the one that was kept, then later ones.
func basisRows(shares []map[string]any) []map[string]any {
	rows := []map[string]any{}
	for _, s := range shares {
		kept, _ := s["kept"].(map[string]any)
		row := map[string]any{}
		if line, ok := kept["line"].(map[string]any); ok {
			row = line
		}
		row["basis"], row["in_force"], row["share"], row["as_of"] = kept["basis"], kept["in_force"], s["event"], kept["at"]
		rows = append(rows, row)
		later, _ := s["later"].([]any)
		for _, l := range later {
			if line, ok := l.(map[string]any); ok {
				line["share"], line["as_of"] = s["event"], line["known_from"]
				rows = append(rows, line)
			}
		}
	}
	return rows
}

// warnBasis tells, beside the receipt, of bases that are not in force.
func (a *app) warnBasis(file string, receipt map[string]any) {
	shares, _ := receipt["legal_basis"].([]any)
	for _, s := range shares {
		share, _ := s.(map[string]any)
		kept, _ := share["kept"].(map[string]any)
		if w, _ := kept["warning"].(string); w != "" {
			a.done("%s: %s", file, cleanText(w))
		}
	}
}
