package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
)

var ledgerView = view{
	id: "size", fields: []string{"origin", "log", "size", "root", "newest_at", "keys", "checkpoint"},
	parts: []part{{"witnesses", "witnesses", columns("program", "name", "standing", "size", "behind", "seen_at", "failure")}},
}

var entryColumns = columns("entry", "at", "actor", "organisation", "words", "release", "subjects", "whole")

func (a *app) ledgerCommands() *cobra.Command {
	own := []*cobra.Command{
		{
			Use: "show", Short: "Show the log that is written now: its size, root, newest checkpoint and witnesses", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				res, err := a.get(cmd.Context(), "/ledger", nil)
				if err != nil {
					return err
				}
				return a.show(res.Body, ledgerView)
			},
		},
		{
			Use: "key", Short: "Show the public keys of the log", Args: cobra.NoArgs,
			Long: `Show the public keys of the log, one on each line.

Receipts, evidence and the log itself are verified with them, without the exchange:
keep them where the exchange cannot change them, and compare them with those that
other members have.`,
			RunE: func(cmd *cobra.Command, _ []string) error {
				res, err := a.get(cmd.Context(), "/ledger", nil)
				if err != nil {
					return err
				}
				m, err := decode(res.Body)
				if err != nil {
					return err
				}
				keys, _ := m["keys"].([]any)
				for _, k := range keys {
					fmt.Fprintln(a.out, a.text(k, false))
				}
				return nil
			},
		},
		a.ledgerEntries(), a.ledgerEntry(), a.ledgerReceipt(), a.ledgerObject(), a.ledgerBundle(), a.ledgerErase(), a.ledgerWitness(),
	}
	return noun("ledger", "What proves who did what: entries, receipts, evidence, keys, witnesses", append(own, a.logbookCommands()...)...)
}

func (a *app) ledgerEntries() *cobra.Command {
	var program, release, org, person, subject, from, to string
	var kinds []string
	var limit int
	cmd := &cobra.Command{
		Use: "entries", Short: "List the entries to which you are a party, newest first", Args: cobra.NoArgs,
		Long: `List the entries of the ledger to which you are a party, newest first.

Who oversees a program is shown everything in it. Members are shown what their
organisation did and what was done to it, and, of what was given of their own
artifacts, that it was given and when, and to whom as far as they are told who has them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := moments(time.Now(), &from, &to); err != nil {
				return err
			}
			q := given("program", program, "release", release, "organisation", org, "person", person, "subject", subject, "from", from, "to", to)
			for _, k := range kinds {
				q.Add("kind", k)
			}
			if limit > 0 {
				q.Set("limit", strconv.Itoa(limit))
			}
			return a.list(cmd.Context(), "/ledger/entries", q, entryColumns)
		},
	}
	f := cmd.Flags()
	f.StringVar(&program, "program", "", "of this program")
	f.StringVar(&release, "release", "", "of this release")
	f.StringSliceVar(&kinds, "kind", nil, "of these kinds, such as release.approve")
	f.StringVar(&org, "org", "", "by or about this organisation")
	f.StringVar(&person, "person", "", "by this person, by id")
	f.StringVar(&subject, "subject", "", "that touched this, such as an artifact")
	f.StringVar(&from, "from", "", "at this moment or later")
	f.StringVar(&to, "to", "", "before this moment")
	f.IntVar(&limit, "limit", 100, "at most so many; 0: all")
	return cmd
}

func (a *app) ledgerEntry() *cobra.Command {
	return &cobra.Command{
		Use: "entry NUMBER", Short: "Show one entry, and where it stands in the log", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := entryPath(args[0])
			if err != nil {
				return err
			}
			res, err := a.get(cmd.Context(), path, nil)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{id: "entry", fields: []string{
				"entry", "origin", "log", "index", "at", "kind", "words", "actor", "organisation", "organisation_name", "actor_organisation",
				"program", "number", "release", "channel", "subjects", "whole", "erased",
			}})
		},
	}
}

// entryPath is the path of an entry by its number.
func entryPath(number string) (string, error) {
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 {
		return "", usage("%q is no number of an entry; see forewarn ledger entries", number)
	}
	return "/ledger/entries/" + strconv.FormatInt(n, 10), nil
}

func (a *app) ledgerReceipt() *cobra.Command {
	var file string
	var proof bool
	cmd := &cobra.Command{
		Use: "receipt NUMBER", Short: "Fetch what proves an entry, offline and for ever",
		Long: `Fetch the receipt of an entry: what happened, as far as you are a party to it, and the
proof that it is in the log. It verifies without the exchange:

  forewarn ledger key > exchange.vkey                  (once; keep it)
  forewarn ledger receipt 901 -o approval.receipt
  forewarn verify receipt approval.receipt --key "$(cat exchange.vkey)"

With --proof it is the same as text, a C2SP tlog-proof.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := entryPath(args[0])
			if err != nil {
				return err
			}
			q := url.Values{}
			if proof {
				q.Set("format", "proof")
			}
			res, err := a.get(cmd.Context(), path+"/receipt", q)
			if err != nil {
				return err
			}
			return a.write(file, res.Body)
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write; stdout when absent")
	cmd.Flags().BoolVar(&proof, "proof", false, "as text: a C2SP tlog-proof")
	return cmd
}

// write writes into a file, or to stdout where none is named.
func (a *app) write(file string, b []byte) error {
	if file == "" || file == "-" {
		_, err := a.out.Write(b)
		return err
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	return nil
}

func (a *app) ledgerObject() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "object NUMBER STIX-ID", Short: "Fetch what proves that a disclosure gave an object",
		Long: `Fetch the proof that a disclosure gave an object, and in which version. It is verified with
the receipt of the same entry:

  forewarn ledger object 901 indicator--… -o object.proof
  forewarn verify object object.proof --receipt given.receipt --key KEY`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := entryPath(args[0])
			if err != nil {
				return err
			}
			res, err := a.get(cmd.Context(), path+"/objects/"+seg(args[1]), nil)
			if err != nil {
				return err
			}
			return a.write(file, res.Body)
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write; stdout when absent")
	return cmd
}

func (a *app) ledgerBundle() *cobra.Command {
	var program, from, to, file string
	var log int
	cmd := &cobra.Command{
		Use: "bundle -o FILE", Short: "Fetch an evidence bundle of a program and a period, for auditors",
		Long: `Fetch an evidence bundle: every event of a program in a period, opened, with what proves
that it is in the log, and the charters that were in force. It verifies without the
exchange, and shows whether an event was left out:

  forewarn verify bundle evidence.tar --key KEY`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := moments(time.Now(), &from, &to); err != nil {
				return err
			}
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			q := given("from", from, "to", to)
			if log > 0 {
				q.Set("log", strconv.Itoa(log))
			}
			return a.download(cmd.Context(), "/programs/"+seg(p)+"/evidence", q, file)
		},
	}
	f := cmd.Flags()
	f.StringVar(&program, "program", "", "the program")
	f.StringVar(&from, "from", "", "from this moment on; absent: from the first event")
	f.StringVar(&to, "to", "", "before this moment; absent: to the last event")
	f.IntVar(&log, "log", 0, "number of the log, where the period reaches into several")
	f.StringVarP(&file, "output", "o", "", "file to write")
	_ = cmd.MarkFlagRequired("output")
	return cmd
}

// download streams an answer into a file, which is there only when it is whole.
func (a *app) download(ctx context.Context, path string, q url.Values, file string) (err error) {
	c, err := a.client()
	if err != nil {
		return err
	}
	res, err := c.Stream(ctx, client.Request{Method: http.MethodGet, Path: path, Query: q})
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // only read from
	f, err := os.CreateTemp(filepath.Dir(file), ".forewarn-*")
	if err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	n, err := io.Copy(f, res.Body)
	if err != nil {
		return errors.Join(&client.Unreachable{Err: fmt.Errorf("reading the answer: %w", err)}, f.Close())
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	a.done("%s: %d bytes", file, n)
	return nil
}

func (a *app) ledgerErase() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "erase NUMBER --reason TEXT", Short: "Erase what opens an entry; the entry stays in the ledger",
		Long: `Erase an event and what opens its entry, such as after a request for erasure. What stays
is that something of this kind happened in the program at that time. The log verifies
as before, and receipts that were given earlier do, too: they cannot be taken back.
That it was erased, by whom and why, is recorded.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := entryPath(args[0])
			if err != nil {
				return err
			}
			if err := a.confirm("This erases what entry "+args[0]+" stands for, for good", args[0]); err != nil {
				return err
			}
			if _, err := a.post(cmd.Context(), path+"/erase", map[string]any{"reason": reason}); err != nil {
				return err
			}
			a.done("the opening of entry %s is erased", args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; recorded")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

// mostReceipts is how many receipts one command keeps.
const mostReceipts = 100

// keepReceipts tells which entries of the ledger the command made, and keeps their
// receipts where that is asked for: the first in the file that was named, the others
// beside it, with their numbers.
func (a *app) keepReceipts(ctx context.Context) error {
	if a.cache == nil || a.receipt == "" {
		if a.cache != nil && len(a.acts) > 0 && isTerminal(a.err) {
			a.done("%s in the ledger", entriesText(a.acts))
		}
		return nil
	}
	numbers := append(a.acts, a.given...)
	if len(numbers) == 0 {
		return errors.New("no receipt was written: the command made no entry in the ledger")
	}
	if len(numbers) > mostReceipts {
		return fmt.Errorf("no receipt was written: the command made %d entries; fetch those that you want with forewarn ledger receipt", len(numbers))
	}
	ext := filepath.Ext(a.receipt)
	for i, n := range numbers {
		res, err := a.get(ctx, "/ledger/entries/"+n+"/receipt", nil)
		if err != nil {
			return &about{err: err, file: "entry " + n, remedy: "What was asked for is done. Fetch the receipt with forewarn ledger receipt " + n + "."}
		}
		file := a.receipt
		if i > 0 {
			file = strings.TrimSuffix(file, ext) + "-" + n + ext
		}
		if err := a.write(file, res.Body); err != nil {
			return err
		}
	}
	a.done("%s in the ledger; receipt in %s", entriesText(numbers), a.receipt)
	return nil
}

func entriesText(numbers []string) string {
	if len(numbers) == 1 {
		return "entry " + numbers[0]
	}
	return "entries " + strings.Join(numbers, ", ")
}

// entered notes the entries that an answer names: of acts, and of what was given.
func (a *app) entered(method, numbers string) {
	for n := range strings.SplitSeq(numbers, ",") {
		n = strings.TrimSpace(n)
		if _, err := strconv.ParseInt(n, 10, 64); err != nil {
			continue
		}
		if method == http.MethodGet {
			a.given = append(a.given, n)
		} else {
			a.acts = append(a.acts, n)
		}
	}
}
