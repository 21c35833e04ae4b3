package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

func (a *app) programCommands() *cobra.Command {
	return noun("program", "Programs: why information is shared, with whom, by which rules",
		a.programList(), a.programApply(), a.programExport(), a.programShow(), a.programCheckRules(), a.programSource())
}

func (a *app) programList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the programs that you may know", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.list(cmd.Context(), "/programs", nil, columns("id", "title", "owner", "sunset_date", "read_only", "revision"))
		},
	}
}

func (a *app) programApply() *cobra.Command {
	var file string
	var dry bool
	cmd := &cobra.Command{
		Use: "apply -f FILE", Short: "Open a program from its charter, or change it", Args: cobra.NoArgs,
		Long: "Open a program from its charter, or change it. With --dry-run nothing is changed:\nthe difference, the members that would change cohort, and who would gain and lose\nwhat are shown.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := a.read(file)
			if err != nil {
				return err
			}
			return a.apply(cmd.Context(), text, dry)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the charter, TOML; - reads stdin")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would change")
	_ = cmd.MarkFlagRequired("file")
	return cmd
}

// read returns the content of a file, or of stdin for "-".
func (a *app) read(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(a.in, 4<<20))
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the file: %w", err)
	}
	return b, nil
}

func (a *app) apply(ctx context.Context, text []byte, dry bool) error {
	var head struct {
		ID string `toml:"id"`
	}
	// The server checks the charter; only the address is needed of it here.
	// Without one nothing can be sent, so what is wrong is found here.
	if err := toml.Unmarshal(text, &head); err != nil || !exchange.ValidSlug(head.ID) {
		if err := checkCharter(text); err != nil {
			return err
		}
	}
	path := "/programs/" + seg(head.ID) + "/charter"
	h := http.Header{}
	if !dry {
		now, err := a.get(ctx, path, nil)
		var p *client.Problem
		switch {
		case err == nil:
			h.Set("If-Match", now.ETag())
		case !errors.As(err, &p) || p.Status != http.StatusNotFound:
			return err
		}
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	res, err := c.Do(ctx, client.Request{
		Method: http.MethodPut, Path: path, Query: url.Values{"dry_run": {strconv.FormatBool(dry)}}, Header: h,
		Open: opener(text), Size: int64(len(text)), Type: "application/toml",
	})
	if err != nil {
		return err
	}
	if a.json || a.quiet {
		return a.show(res.Body, view{id: "program"})
	}
	var out struct {
		Program  string `json:"program"`
		Created  bool   `json:"created"`
		Revision int64  `json:"revision"`
		Changes  []any  `json:"changes"`
	}
	if err := json.Unmarshal(res.Body, &out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch {
	case dry:
		a.done("%s: %d differences; nothing was changed", out.Program, len(out.Changes))
	case out.Created:
		a.done("%s is open", out.Program)
	default:
		a.done("%s: %d differences applied, revision %d", out.Program, len(out.Changes), out.Revision)
	}
	effect := simulationView("simulation.")
	return a.show(res.Body, view{fields: effect.fields, parts: append([]part{
		{"changes", "changes", columns("path", "old", "new")},
		{"members that change cohort", "moves", columns("organisation", "from", "to")},
		testColumns,
	}, effect.parts...)})
}

func (a *app) programSource() *cobra.Command {
	var program string
	cmd := &cobra.Command{
		Use: "source NAME", Short: "Say who is shown as source-…; that it was asked is recorded", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			res, err := a.get(cmd.Context(), "/programs/"+seg(p)+"/sources/"+seg(args[0]), nil)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{id: "organisation", fields: []string{"source", "organisation"}})
		},
	}
	programFlag(cmd, &program)
	return cmd
}

// checkCharter lists every fault of a charter, as the server does.
func checkCharter(text []byte) error {
	c, err := exchange.ParseCharter(text)
	if err != nil {
		return err
	}
	if problems := c.Check(time.Now()); len(problems) > 0 {
		return exchange.InvalidWith("the charter was not accepted; nothing was changed", problems)
	}
	return nil
}

func (a *app) programExport() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "export PROGRAM", Short: "Write the charter back as TOML", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.json {
				return usage("a charter is TOML and is written as it is; leave --json out, or use program show --json")
			}
			res, err := a.get(cmd.Context(), "/programs/"+seg(args[0])+"/charter", nil)
			if err != nil {
				return err
			}
			if file == "" {
				_, err := a.out.Write(res.Body)
				return err
			}
			return os.WriteFile(file, res.Body, 0o644)
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write; stdout when absent")
	return cmd
}

func (a *app) programShow() *cobra.Command {
	return &cobra.Command{
		Use: "show PROGRAM", Short: "Show a program", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.get(cmd.Context(), "/programs/"+seg(args[0]), nil)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{
				fields: []string{
					"id", "title", "outcome", "owner", "beneficiaries", "information_types", "review_date", "sunset_date",
					"read_only", "time_zone", "content_classes", "members_see", "count_floor", "legal_basis",
					"contributions.from", "contributions.to", "revision", "updated_at",
				},
				parts: []part{
					{"lead measures and others", "measures", columns("id", "target", "by", "lead")},
					{"cohorts", "cohorts", columns("id", "title", "rule", "max_members")},
					{"default plan", "rules", columns("class", "cohort", "at")},
				},
			})
		},
	}
}

func (a *app) programCheckRules() *cobra.Command {
	return &cobra.Command{
		Use: "check-rules FILE", Short: "Check a charter's policies and run their tests, without a server", Args: cobra.ExactArgs(1),
		Long: "Check a charter, its policies and the tests of these, without a server: FILE is the charter\n(TOML), - reads stdin. Whether the organisations and programs exist that the policies name\nis found by program apply --dry-run.",
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := a.read(args[0])
			if err != nil {
				return err
			}
			c, err := exchange.ParseCharter(text)
			if err != nil {
				return err
			}
			results, problems := policy.CheckRules(c)
			if problems = append(c.Check(time.Now()), problems...); len(problems) > 0 {
				return exchange.InvalidWith("the charter would not be accepted", problems)
			}
			return a.showTests(string(c.ID), results)
		},
	}
}

func (a *app) showTests(program string, results []policy.TestResult) error {
	type line struct {
		Name   string `json:"name"`
		Action string `json:"action"`
		Expect string `json:"expect"`
		Why    string `json:"why"`
	}
	out := struct {
		Program string `json:"program"`
		Tests   []line `json:"tests"`
	}{program, []line{}}
	for _, r := range results {
		out.Tests = append(out.Tests, line{r.Name, r.Action, r.Expect, r.Why})
	}
	body, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	if !a.json && !a.quiet {
		a.done("%s: the policies are understood, %d tests passed", program, len(results))
	}
	return a.show(body, view{id: "program", parts: []part{testColumns}})
}

// testColumns are the tests of a charter's policies, as they are shown.
var testColumns = part{"tests of the policies, all passed", "tests", columns("name", "action", "expect", "why")}

func (a *app) agreementCommands() *cobra.Command {
	var version int
	accept := &cobra.Command{
		Use: "accept PROGRAM --version N", Short: "Accept a version of the agreement for your organisation", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.post(cmd.Context(), "/programs/"+seg(args[0])+"/agreement/acceptances", map[string]any{"version": version})
			if err != nil {
				return err
			}
			a.done("version %d of the agreement of %s is accepted", version, args[0])
			return a.show(res.Body, view{id: "program", fields: []string{"program", "organisation", "version", "at"}})
		},
	}
	accept.Flags().IntVar(&version, "version", 0, "the version that you have read")
	_ = accept.MarkFlagRequired("version")
	return noun("agreement", "What a signatory accepts before anything is given", accept, &cobra.Command{
		Use: "show PROGRAM", Short: "Show the agreement in force", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.get(cmd.Context(), "/programs/"+seg(args[0])+"/agreement", nil)
			if err != nil {
				return err
			}
			if err := a.show(res.Body, view{id: "version", fields: []string{"version", "title", "effective", "obligations", "accepted_version"}}); err != nil || a.json || a.quiet {
				return err
			}
			m, err := decode(res.Body)
			if err != nil {
				return err
			}
			text, _ := m["text"].(string)
			_, err = fmt.Fprintf(a.out, "\n%s\n", cleanText(text))
			return err
		},
	})
}
