package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

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
