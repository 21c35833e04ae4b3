package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/doctor"
)

// unwell says that the doctor found what does not hold.
type unwell struct{ text string }

func (u unwell) Error() string { return u.text }

func doctorCommand() *cobra.Command {
	var data, file string
	var full bool
	cmd := &cobra.Command{
		Use: "doctor --data DIR", Short: "Check everything that an exchange keeps, and say what to do", Args: cobra.NoArgs,
		Long: `Checks configuration, folder, database, clock, contents and the ledger, one line
for each: ok, WARN (it works, and will not for ever) or FAIL, with what to do. It
changes nothing. The server may run; run it as the server's user.

Without --full it looks at what was written last and at a sample of the rest.

Exit code 8: something fails.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if data == "" {
				return usage("say with --data which folder holds the exchange")
			}
			c, err := serveConfig(data, file)
			if err != nil {
				return err
			}
			found := doctor.Examine(cmd.Context(), doctor.Options{
				Data: data, Config: c, ConfigFile: cmp.Or(file, filepath.Join(data, config.FileName)), Now: time.Now(), Full: full,
			})
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return tell(cmd, found)
		},
	}
	cmd.Flags().StringVar(&data, "data", os.Getenv("FOREWARN_DATA"), "data folder (FOREWARN_DATA)")
	cmd.Flags().StringVar(&file, "config", "", "configuration file (default: "+config.FileName+" in the data folder)")
	cmd.Flags().BoolVar(&full, "full", false, "look at every byte")
	return cmd
}

// tell prints what was found, and counts what is not well.
func tell(cmd *cobra.Command, found []doctor.Finding) error {
	out := cmd.OutOrStdout()
	count := map[doctor.State]int{}
	for _, f := range found {
		count[f.State]++
	}
	if wantsJSON(cmd) {
		err := writeJSON(out, map[string]any{"findings": found, "warnings": count[doctor.Warn], "failures": count[doctor.Fail]})
		if err != nil {
			return err
		}
	} else {
		for _, f := range found {
			label := map[doctor.State]string{doctor.OK: "ok  ", doctor.Warn: "WARN", doctor.Fail: "FAIL"}[f.State]
			line := fmt.Sprintf("%s  %-10s  %s", label, f.Name, f.Text)
			if f.Do != "" {
				line += "\n" + strings.Repeat(" ", 18) + "→ " + f.Do
			}
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
	}
	warn, fail := count[doctor.Warn], count[doctor.Fail]
	text := fmt.Sprintf("%d problem(s): %d to watch, %d to mend", warn+fail, warn, fail)
	if fail > 0 {
		return unwell{text}
	}
	if !wantsJSON(cmd) && warn > 0 {
		_, err := fmt.Fprintln(cmd.ErrOrStderr(), text)
		return err
	}
	return nil
}
