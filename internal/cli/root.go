// Package cli is the command forewarn: `forewarn <noun> <verb>`. Most commands
// call the HTTP API of an exchange; serve, init, recover and demo run one.
//
// Data goes to stdout, everything else to stderr. On a terminal lists are
// tables; in a pipe they are tab-separated values without a header; with
// --json they are what the API gave, with its names.
package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Version is set by the linker.
var Version = "dev"

// Exit codes.
const (
	exitOK           = 0
	exitFailed       = 1
	exitUsage        = 2
	exitSignIn       = 4
	exitDenied       = 5
	exitConflict     = 6
	exitUnverified   = 7
	exitUnwell       = 8
	exitTryLater     = 75
	exitInterrupted  = 130
	exitCodesExplain = `Exit codes:
  0    done
  1    failed, or not found
  2    the command was not understood
  4    sign-in required: no token, or one that is wrong, expired, revoked or suspended
  5    not permitted
  6    conflict: the present state does not permit it, or it changed meanwhile
  7    verification failed: what came is not what was described
  8    forewarn doctor found something that does not hold
  75   try again later
  130  interrupted`
)

// Main runs the command with these arguments, without the program's name, and
// returns the exit code.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := newApp(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = errors.Join(a.flush(), a.keepReceipts(ctx))
	}
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "interrupted")
		return exitInterrupted
	}
	return a.report(err)
}

// usageError says that the command was not understood.
type usageError struct{ text string }

func (u usageError) Error() string { return u.text }

func usage(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// about is an error with the file that it concerns, or with what to do next.
type about struct {
	err          error
	file, remedy string
}

func (e *about) Error() string {
	if e.file == "" {
		return e.err.Error()
	}
	return e.file + ": " + e.err.Error()
}

func (e *about) Unwrap() error { return e.err }

// root assembles the command from one table: every noun stands here.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "forewarn", Short: "Exchange cybersecurity information: the right part, to the right defenders, at the right time",
		Long: `forewarn runs an exchange for cybersecurity information, and talks to one.

The exchange and the credential come from, in this order: flags, the environment
(FOREWARN_URL, FOREWARN_TOKEN, FOREWARN_PROFILE), and the profile in
~/.config/forewarn/config.toml:

  default = "psirt"

  [profile.psirt]
  url = "https://exchange.example"
  token_file = "/home/me/.config/forewarn/psirt.token"
  program = "early-warning"

` + exitCodesExplain,
		Version: Version, SilenceUsage: true, SilenceErrors: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.prepare() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage("%s; see %s --help", err, cmd.CommandPath()) })
	root.CompletionOptions.HiddenDefaultCmd = false
	a.flags(root)
	nouns := []*cobra.Command{
		a.programCommands(), a.agreementCommands(), a.organisationCommands(), a.jurisdictionCommands(), a.basisCommands(),
		a.personCommands(), a.tokenCommands(), a.connectionCommands(), a.memberCommands(), a.releaseCommands(),
		a.submitCommand(), a.artifactCommands(), a.pullCommand(), a.objectCommands(),
		a.searchCommand(), a.lookupCommand(), a.whyCommand(), a.holdersCommand(), a.feedbackCommands(), a.outcomeCommands(),
		a.eventsCommands(), a.ledgerCommands(), a.noticesCommands(), a.verifyCommands(), a.recallCommands(), a.webhookCommands(), a.meCommand(), a.configCommands(), a.versionCommand(), a.manCommand(),
		a.stixCommands(), a.markingCommands(), a.reshareCommands(),
	}
	root.AddCommand(nouns...)
	for _, cmd := range localCommands() {
		// A server must not fail for the configuration of a client.
		cmd.PersistentPreRunE = func(*cobra.Command, []string) error { return nil }
		root.AddCommand(cmd)
	}
	strict(root)
	return root
}

// noun is a command that only holds verbs.
func noun(use, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			_ = cmd.Help() // to stdout, as --help does
			return usage("say which of the verbs above")
		},
	}
	cmd.AddCommand(verbs...)
	return cmd
}

func unknownCommand(cmd *cobra.Command, name string) error {
	hint := ""
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage("%s has no command %q%s", cmd.CommandPath(), name, hint)
}

// strict makes wrong arguments and missing flags usage errors everywhere.
func strict(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage("%s; usage: %s", err, c.UseLine())
			}
			return nil
		}
	}
	if cmd.PreRunE == nil {
		cmd.PreRunE = func(c *cobra.Command, _ []string) error {
			err := c.ValidateRequiredFlags()
			if err == nil {
				err = c.ValidateFlagGroups()
			}
			if err != nil {
				return usage("%s; see %s --help", err, c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// report writes what went wrong (the cause, the remedy, the request id) to
// stderr, and returns the exit code.
func (a *app) report(err error) int {
	line := func(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }
	var with about
	if e := (*about)(nil); errors.As(err, &e) {
		with = *e
	}
	file := ""
	if with.file != "" {
		file = with.file + ": "
	}
	var u usageError
	var ill unwell
	var p *client.Problem
	var v *client.Unverified
	var off *client.Unreachable
	var local *exchange.Error
	switch {
	case errors.As(err, &u):
		line("forewarn: %s", u.text)
		return exitUsage
	case errors.As(err, &ill):
		line("forewarn: %s", ill.text)
		return exitUnwell
	case errors.As(err, &p):
		return a.reportProblem(p, with)
	case errors.As(err, &v):
		line("forewarn: %s%s", file, v.Text)
		line("%s", cmp.Or(with.remedy, "Fetch it again; when it happens twice, tell the operator of the exchange."))
		return exitUnverified
	case errors.As(err, &off):
		line("forewarn: %s%s", file, off.Error())
		line("Check --url and that the exchange runs.")
		if with.remedy != "" {
			line("%s", with.remedy)
		}
		return exitTryLater
	case errors.As(err, &local):
		line("forewarn: %s%s", file, local.Public)
		for _, f := range local.Problems {
			line("  %s", f.String())
		}
		if local.Kind == exchange.Denied {
			return exitDenied
		}
		return exitFailed
	}
	line("forewarn: %s", err)
	if with.remedy != "" {
		line("%s", with.remedy)
	}
	return exitFailed
}

// reportProblem writes what the API refused: with --json its own words, else
// for people.
func (a *app) reportProblem(p *client.Problem, with about) int {
	line := func(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }
	code, remedy := outcomeOf(p.Status)
	if raw, ok := problemJSON(p, with.file); a.json && ok {
		line("%s", raw)
		return code
	}
	text := p.Error()
	if with.file != "" { // one of several, of which others may be stored
		text = with.file + ": " + strings.Replace(text, "; nothing was stored", "; nothing of it was stored", 1)
	}
	line("forewarn: %s", text)
	for _, f := range p.Errors {
		section := ""
		if f.Section != "" {
			section = " (" + f.Section + ")"
		}
		line("  %s: %s%s", f.Path, f.Message, section)
	}
	if p.Total > len(p.Errors) {
		line("  and %d more", p.Total-len(p.Errors))
	}
	for _, next := range []string{remedy, with.remedy} {
		if next != "" {
			line("%s", next)
		}
	}
	if p.Instance != "" {
		line("request %s", p.Instance)
	}
	return code
}

// problemJSON is a problem as the API gave it, with the file that it concerns
// as a member of its own (RFC 9457 §3.2).
func problemJSON(p *client.Problem, file string) ([]byte, bool) {
	if len(p.Raw) == 0 || file == "" {
		return p.Raw, len(p.Raw) > 0
	}
	m, err := decode(p.Raw)
	if err != nil {
		return nil, false
	}
	m["file"] = file
	raw, err := json.Marshal(m)
	return raw, err == nil
}

// outcomeOf is the table from HTTP statuses to exit codes.
func outcomeOf(status int) (code int, remedy string) {
	switch status {
	case 401:
		return exitSignIn, "Sign in: give a valid token with --token-file or FOREWARN_TOKEN."
	case 403:
		return exitDenied, ""
	case 409, 412, 428:
		return exitConflict, "Look at its present state and decide again."
	case 429, 502, 503, 504:
		return exitTryLater, "Try again later."
	}
	return exitFailed, ""
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]string{"version": Version, "go": runtime.Version()})
			}
			_, err := fmt.Fprintln(a.out, Version)
			return err
		},
	}
}

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages into a folder", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("making the folder: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			header := &doc.GenManHeader{Section: "1", Source: "Forewarn " + Version, Manual: "Forewarn"}
			return doc.GenManTree(root, header, args[0])
		},
	}
}

// flush writes out what is buffered.
func (a *app) flush() error {
	if f, ok := a.out.(interface{ Flush() error }); ok {
		return f.Flush()
	}
	return nil
}
