package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// logbookCommands are the verbs of the ledger that concern its life: the keys, the
// end of a log, and what to do after a loss.
func (a *app) logbookCommands() []*cobra.Command {
	return []*cobra.Command{a.listLogs(), a.rotateKey(), a.retireKey(), a.closeLog(), acceptRollback(), rebuildLedger()}
}

func (a *app) listLogs() *cobra.Command {
	return &cobra.Command{
		Use: "logs", Short: "List the logs of the exchange, closed ones too", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.list(cmd.Context(), "/ledger/logs", nil, columns("log", "origin", "base", "size", "opened_at", "closed_at"))
		},
	}
}

var logKeyView = view{id: "key", fields: []string{"key", "from"}}

func (a *app) rotateKey() *cobra.Command {
	var reason string
	var overlap time.Duration
	cmd := &cobra.Command{
		Use: "rotate --reason TEXT", Short: "Give the log a new key; both sign until the overlap has passed", Args: cobra.NoArgs,
		Long: `Give the log a new key. The old and the new one sign every checkpoint until the
overlap has passed; then the old one ends and is destroyed. Both acts are recorded
in the log, and published as statements, signed by both keys, so that whoever
trusts the old key comes to the new one without asking anybody.

Only an administrator does this. It prints the new key.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if overlap < time.Hour || overlap%time.Hour != 0 {
				return usage("--overlap is a number of whole hours, such as 720h")
			}
			got, err := a.post(cmd.Context(), "/ledger/rotate", map[string]any{"reason": reason, "overlap_hours": int(overlap / time.Hour)})
			if err != nil {
				return err
			}
			return a.show(got.Body, logKeyView)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is recorded")
	cmd.Flags().DurationVar(&overlap, "overlap", 720*time.Hour, "for as long both keys sign")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func (a *app) retireKey() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "retire-key --reason TEXT", Short: "Give the log a new key and end the present one at once", Args: cobra.NoArgs,
		Long: `Give the log a new key, and end and destroy the present one at once: for a key that
others may know. Receipts from before stay good; what the old key signs from now on
does not count for whoever has read the statements of the log.

Only an administrator does this. It prints the new key.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			got, err := a.post(cmd.Context(), "/ledger/retire-key", map[string]any{"reason": reason})
			if err != nil {
				return err
			}
			return a.show(got.Body, logKeyView)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is recorded")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func (a *app) closeLog() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "close --reason TEXT", Short: "Close the log and open the one that follows it", Args: cobra.NoArgs,
		Long: `Close the log and open the one that follows it. The event of the end is the last
entry of the closed log; the first of the new one names its last checkpoint. The
closed log stays where it is and is served as before: its receipts hold for ever.
A statement, signed by the keys of both, names the successor and the reason, which
anybody can read.

Only an administrator does this. It prints the new log.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			got, err := a.post(cmd.Context(), "/ledger/close", map[string]any{"reason": reason})
			if err != nil {
				return err
			}
			return a.show(got.Body, view{id: "origin", fields: []string{"log", "origin", "base", "opened_at"}, parts: []part{{"keys", "keys", columns("key", "from")}}})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is recorded and published")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

// stopped are the flags of a command that works on a folder on which no server runs.
type stopped struct{ data, file string }

func (s *stopped) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.data, "data", os.Getenv("FOREWARN_DATA"), "data folder (FOREWARN_DATA)")
	cmd.Flags().StringVar(&s.file, "config", "", "configuration file (default: "+config.FileName+" in the data folder)")
	// A server must not fail for the configuration of a client.
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error { return nil }
}

func (s *stopped) options() (server.Options, error) {
	if s.data == "" {
		return server.Options{}, usage("say with --data which folder holds the exchange")
	}
	c, err := serveConfig(s.data, s.file)
	return server.Options{Data: s.data, Config: c}, err
}

func acceptRollback() *cobra.Command {
	var on stopped
	var reason, witnessed string
	cmd := &cobra.Command{
		Use: "accept-rollback --data DIR --reason TEXT", Short: "Go on in a new log after the store was put back to an older copy", Args: cobra.NoArgs,
		Long: `After the store was put back to an older copy, the log holds entries of events that
the store no longer knows. Going on in that log would be a second history, against
what members and witnesses hold; so the server refuses to start.

This command ends that log as it is and opens the one that follows it. The first
event after it names the last checkpoint of the ended log, how many entries have
no event any more, and the reason, which is also published. It works while the
server is stopped. First look for a newer copy of the store: nothing of this is
undone.

Where the whole folder was put back, store and log fit together and only others
know of more. Then give the newest checkpoint that anybody has with --witnessed:
from a receipt, a witness, or a member's "forewarn verify log".`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := on.options()
			if err != nil {
				return err
			}
			var seen []byte
			if witnessed != "" {
				if seen, err = os.ReadFile(witnessed); err != nil {
					return fmt.Errorf("reading the checkpoint: %w", err)
				}
			}
			done, err := server.AcceptRollback(cmd.Context(), o, seen, reason)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return writeJSON(cmd.OutOrStdout(), done)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(),
				"The log %s ends with %d entries, of which %d have no event any more.\nThe exchange goes on in the log %s. Tell the members, and its witnesses, its key:\n\n  %s\n",
				done.Former, done.FormerSize, done.WithoutEvent, done.Origin, done.Key)
			return err
		},
	}
	on.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "what happened; it is recorded and published")
	cmd.Flags().StringVar(&witnessed, "witnessed", "", "file with a checkpoint of the log that is not in this folder")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func rebuildLedger() *cobra.Command {
	var on stopped
	var newest string
	cmd := &cobra.Command{
		Use: "rebuild --data DIR", Short: "Make the files of the log again from the store", Args: cobra.NoArgs,
		Long: `Make the folder of the log again from the entries in the store, when its files are
lost or damaged. The result must be the log that others know: its root is compared
with the newest checkpoint that can be found, in the damaged folder, in the store,
or in the file given with --checkpoint. Where it differs, or none is found, nothing
is changed. The damaged folder is kept beside the new one.

It works while the server is stopped.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := on.options()
			if err != nil {
				return err
			}
			var known []byte
			if newest != "" {
				if known, err = os.ReadFile(newest); err != nil {
					return fmt.Errorf("reading the checkpoint: %w", err)
				}
			}
			done, err := server.RebuildLedger(cmd.Context(), o, known)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return writeJSON(cmd.OutOrStdout(), done)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The log %s was made again: %d entries, as under the checkpoint of %d (%s).\n", done.Origin, done.Size, done.Against, done.From)
			if err == nil && done.Kept != "" {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "What was there before is in %s.\n", done.Kept)
			}
			return err
		},
	}
	on.flags(cmd)
	cmd.Flags().StringVar(&newest, "checkpoint", "", "file with the newest signed checkpoint that is known")
	return cmd
}
