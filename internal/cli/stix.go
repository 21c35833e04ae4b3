package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/pattern"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/format/stix20"
)

// stixCommands work on files here; no exchange is asked.
func (a *app) stixCommands() *cobra.Command {
	cmd := noun("stix", "Check, convert and match STIX content, without an exchange", a.stixValidateCommand(), a.stixLiftCommand(), stixPatternCommand())
	cmd.PersistentPreRunE = func(*cobra.Command, []string) error { return nil }
	return cmd
}

func (a *app) stixLiftCommand() *cobra.Command {
	return &cobra.Command{
		Use: "lift FILE", Short: "Turn a STIX 2.0 bundle into STIX 2.1", Args: cobra.ExactArgs(1),
		Long: `Turn a STIX 2.0 bundle into STIX 2.1, on standard output, with what was changed
on standard error. Nothing is lost: what STIX 2.1 no longer has stays as custom
properties that begin with x_stix20_. FILE may be - for standard input.`,
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := a.content(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			report, err := stix20.Lift(f, a.out, lifting())
			if err != nil {
				return &about{err: err, file: args[0]}
			}
			for _, c := range report.Changes {
				fmt.Fprintf(a.err, "%s: %s\n", c.Path, c.Message)
			}
			if more := report.ChangeCount - len(report.Changes); more > 0 {
				fmt.Fprintf(a.err, "and %d further changes\n", more)
			}
			return nil
		},
	}
}

func lifting() stix20.Options {
	return stix20.Options{ID: stix.NewChecker(stix.Options{}).ObservableID}
}

// stixReport is what was found in one file.
type stixReport struct {
	File     string         `json:"file"`
	Objects  int            `json:"objects"`
	Types    map[string]int `json:"types"`
	Lifted   []stixFinding  `json:"lifted,omitempty"` // what turned STIX 2.0 into STIX 2.1
	Errors   []stixFinding  `json:"errors"`
	Warnings []stixFinding  `json:"warnings"`
	// Counts are exact; the lists hold the first thousand.
	ErrorCount   int  `json:"error_count"`
	WarningCount int  `json:"warning_count"`
	Stopped      bool `json:"stopped,omitempty"` // the file could not be read to its end
}

type stixFinding struct {
	Path    string `json:"path"`
	Object  string `json:"object,omitempty"`
	Rule    string `json:"rule"`
	Section string `json:"section,omitempty"`
	Message string `json:"message"`
}

func stixFindings(ps []exchange.Problem) []stixFinding {
	out := make([]stixFinding, len(ps))
	for i, p := range ps {
		out[i] = stixFinding{Path: p.Path, Object: p.Object, Rule: p.Code, Section: p.Section, Message: p.Message}
	}
	return out
}

func (a *app) stixValidateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate FILE...", Short: "Check STIX bundles against STIX 2.1", Args: cobra.MinimumNArgs(1),
		Long: `Check STIX bundles of any size against STIX 2.1, by the rules by which an
exchange checks what is handed in. What the standard says MUST is an error, what
it says SHOULD a warning, each with its JSON path and section. A STIX 2.0 bundle
is lifted to STIX 2.1 first; what that changed is listed. FILE may be - for
standard input. With errors the exit code is 1.`,
		RunE: func(_ *cobra.Command, args []string) error {
			reports := make([]stixReport, 0, len(args))
			bad := 0
			for _, file := range args {
				r, err := a.validate(file)
				if err != nil {
					return &about{err: err, file: file}
				}
				reports = append(reports, r)
				if r.ErrorCount > 0 {
					bad++
				}
			}
			if err := a.showReports(reports); err != nil {
				return err
			}
			if bad > 0 {
				return fmt.Errorf("%d of %d files are not valid STIX 2.1", bad, len(reports))
			}
			return nil
		},
	}
}

func (a *app) showReports(reports []stixReport) error {
	if a.json {
		return a.printJSON(reports)
	}
	rows := []map[string]any{}
	for _, r := range reports {
		for _, l := range []struct {
			level string
			found []stixFinding
		}{{"changed", r.Lifted}, {"error", r.Errors}, {"warning", r.Warnings}} {
			for _, f := range l.found {
				rows = append(rows, map[string]any{
					"level": l.level, "file": r.File, "path": f.Path, "rule": f.Rule, "section": f.Section, "message": f.Message,
				})
			}
		}
	}
	if err := a.table(rows, columns("level", "file", "path", "rule", "section", "message")); err != nil {
		return err
	}
	for _, r := range reports {
		fmt.Fprintf(a.err, "%s: %d objects, %d errors, %d warnings\n", r.File, r.Objects, r.ErrorCount, r.WarningCount)
	}
	return nil
}

// validate checks one file, in memory that does not grow with it.
func (a *app) validate(file string) (stixReport, error) {
	f, err := a.content(file)
	if err != nil {
		return stixReport{}, err
	}
	defer f.Close()
	r := stixReport{File: file, Errors: []stixFinding{}, Warnings: []stixFinding{}}
	old := stix20.Is20(f)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return r, err
	}
	if !old {
		return r, r.scan(f)
	}
	in, out := io.Pipe()
	var report stix20.Report
	done := make(chan error, 1)
	go func() {
		var err error
		report, err = stix20.Lift(f, out, lifting())
		_ = out.CloseWithError(err)
		done <- err
	}()
	err = r.scan(in)
	_ = in.Close() // ends the lift where the scan ended early
	failed := <-done
	r.Lifted = stixFindings(report.Changes)
	var e *exchange.Error
	if errors.As(failed, &e) {
		r.Errors, r.ErrorCount, r.Stopped = stixFindings(e.Problems), len(e.Problems), true
		return r, nil
	}
	return r, err
}

func (r *stixReport) scan(in io.Reader) error {
	sum, err := stix.Scan(in, stix.Options{Pattern: pattern.Check}, nil)
	r.Objects, r.Types, r.Stopped = sum.Objects, sum.Types, sum.Stopped
	r.Errors, r.ErrorCount = stixFindings(sum.Problems), sum.ProblemCount
	r.Warnings, r.WarningCount = stixFindings(sum.Warnings), sum.WarningCount
	return err
}

// content opens a file, or what comes on standard input, so that it can be read
// twice.
func (a *app) content(file string) (*os.File, error) {
	if file != "-" {
		return os.Open(file)
	}
	f, err := os.CreateTemp("", "forewarn-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // it stays as long as it is open
	if _, err = io.Copy(f, a.in); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	return f, nil
}
