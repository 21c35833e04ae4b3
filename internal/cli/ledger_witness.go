package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
)

var (
	disagreementColumns = columns("id", "witness", "kind", "size", "at", "resolved_at", "resolved_by", "reason")
	witnessesView       = view{
		id:     "cosigned",
		fields: []string{"origin", "size", "cosigned", "quorum", "grace_minutes", "stop", "held", "lacking"},
		parts: []part{
			{"witnesses", "witnesses", columns("name", "standing", "size", "behind", "seen_at", "failure", "key")},
			{"disagreements", "disagreements", disagreementColumns},
		},
	}
	disagreementView = view{id: "id", fields: []string{"id", "witness", "kind", "words", "size", "at", "resolved_at", "resolved_by", "reason"}}
)

// ledgerWitness is what the exchange knows of its witnesses; witnessCommands run
// one.
func (a *app) ledgerWitness() *cobra.Command {
	return noun("witness", "How those who watch over the ledger stand to it", a.witnessesStatus(), a.resolveDisagreement())
}

func (a *app) witnessesStatus() *cobra.Command {
	var program string
	cmd := &cobra.Command{
		Use: "status", Short: "Show whether the witnesses of a program agree with the exchange", Args: cobra.NoArgs,
		Long: `Shows of each witness what it cosigned and when, and what speaks against the ledger.

Exit code 7: a witness saw another history, and nobody has resolved it.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			res, err := a.get(cmd.Context(), "/programs/"+seg(p)+"/witnesses", nil)
			if err != nil {
				return err
			}
			if err := a.show(res.Body, witnessesView); err != nil {
				return err
			}
			var got struct {
				Disagreements []struct {
					Words    string
					Resolved string `json:"resolved_at"`
				}
			}
			if err := json.Unmarshal(res.Body, &got); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			for _, d := range got.Disagreements {
				if d.Resolved == "" {
					return &client.Unverified{Text: d.Words}
				}
			}
			return nil
		},
	}
	programFlag(cmd, &program)
	return cmd
}

func (a *app) resolveDisagreement() *cobra.Command {
	var program, reason string
	cmd := &cobra.Command{
		Use: "resolve DISAGREEMENT --reason TEXT", Short: "Settle what a witness said against the ledger", Args: cobra.ExactArgs(1),
		Long: `Settles a disagreement, with a reason that is recorded for ever. Releases go on when
nothing else holds them. What was signed stays: both checkpoints can be read by the
members of the program.

Find out first what happened: a ledger that was restored from an old copy, a witness
that was set up anew, a key that somebody else has.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			res, err := a.post(cmd.Context(), "/programs/"+seg(p)+"/witnesses/disagreements/"+seg(args[0])+"/resolve", map[string]any{"reason": reason})
			if err != nil {
				return err
			}
			return a.show(res.Body, disagreementView)
		},
	}
	programFlag(cmd, &program)
	cmd.Flags().StringVar(&reason, "reason", "", "what happened, and why releases may go on")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}
