package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// What one request of a look-up carries at most, less than the API takes.
const (
	lookupValues = 50_000
	lookupBytes  = 4 << 20
)

func (a *app) lookupCommand() *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use: "lookup VALUE…", Short: "Say which values the exchange knows, and the objects behind them",
		Long: `Say which of the values stand in STIX objects that you may see, and in which.

A value is an address, a network, a domain name, a URL, a hash, an e-mail address
or a name, defanged or not. A value matches the same value (exact), a network in
which it lies (network), what lies in it if it is a network (within), a domain
above it (parent), and for a URL its host (host).

Values come from the arguments, from files with one value on each line (-f), and
from standard input (-). Empty lines and lines that begin with # are passed over.

Exit code 0: something is known. 1: nothing is.`,
		Example: "  forewarn lookup 198.51.100.7 hxxp://evil[.]example/a\n  forewarn lookup -f indicators.txt\n  cut -f5 conn.log | sort -u | forewarn lookup --json -",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && len(files) == 0 {
				return usage("name a value, a file with -f, or - for standard input")
			}
			l := &lookingUp{a: a, complete: true}
			return l.all(cmd.Context(), args, files)
		},
	}
	cmd.Flags().StringArrayVarP(&files, "file", "f", nil, "read values from this file, one on each line; - is standard input")
	return cmd
}

// lookingUp is a look-up of any number of values, in several requests.
type lookingUp struct {
	a        *app
	client   *client.Client
	waiting  []string
	size     int
	base     int // values before those that are waiting
	known    int
	complete bool
	results  []any
	faults   []any
}

func (l *lookingUp) all(ctx context.Context, args, files []string) (err error) {
	if l.client, err = l.a.client(); err != nil {
		return err
	}
	for _, v := range args {
		if v == "-" {
			err = l.lines(ctx, l.a.in)
		} else if strings.ContainsAny(v, "\r\n") {
			return usage("a value is one line")
		} else {
			err = l.add(ctx, v)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range files {
		if err := l.file(ctx, name); err != nil {
			return err
		}
	}
	if err := l.send(ctx); err != nil {
		return err
	}
	return l.print()
}

func (l *lookingUp) file(ctx context.Context, name string) error {
	if name == "-" {
		return l.lines(ctx, l.a.in)
	}
	f, err := os.Open(name)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return &about{err: exchange.Fail(exchange.Invalid, "it cannot be read: %s", err), file: name}
	}
	defer func() { _ = f.Close() }() // only read from
	return l.lines(ctx, f)
}

func (l *lookingUp) lines(ctx context.Context, r io.Reader) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), 1<<20)
	for s.Scan() {
		line := strings.TrimSpace(s.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := l.add(ctx, line); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("reading values: %w", err)
	}
	return nil
}

func (l *lookingUp) add(ctx context.Context, v string) error {
	l.waiting = append(l.waiting, v)
	if l.size += len(v) + 1; len(l.waiting) < lookupValues && l.size < lookupBytes {
		return nil
	}
	return l.send(ctx)
}

// send looks up what is waiting. What one answer does not hold is asked again.
func (l *lookingUp) send(ctx context.Context) error {
	for len(l.waiting) > 0 {
		body := strings.Join(l.waiting, "\n") + "\n"
		res, err := l.client.Do(ctx, client.Request{
			Method: http.MethodPost, Path: "/lookup", Type: "text/plain; charset=utf-8",
			Open: opener([]byte(body)), Size: int64(len(body)),
		})
		if err != nil {
			return err
		}
		m, err := decode(res.Body)
		if err != nil {
			return err
		}
		done := len(l.waiting)
		if n := number(m["next"]); n > 0 && n < done {
			done = n
		}
		l.results = append(l.results, l.shifted(m["results"])...)
		l.faults = append(l.faults, l.shifted(m["errors"])...)
		l.known += number(m["known"])
		if complete, _ := m["complete"].(bool); !complete {
			l.complete = false
		}
		l.waiting, l.base = l.waiting[done:], l.base+done
	}
	l.waiting, l.size = l.waiting[:0], 0
	return nil
}

// shifted is a list of the answer with indexes among all values.
func (l *lookingUp) shifted(list any) []any {
	items := itemsOf(list)
	out := make([]any, len(items))
	for i, m := range items {
		m["index"] = json.Number(strconv.Itoa(number(m["index"]) + l.base))
		out[i] = m
	}
	return out
}

func number(v any) int {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return int(i)
}

func (l *lookingUp) print() error {
	a := l.a
	for _, m := range itemsOf(l.faults) {
		if !a.json {
			fmt.Fprintf(a.err, "value %d: %s\n", number(m["index"])+1, clean(a.text(m["message"], false)))
		}
	}
	if !l.complete {
		fmt.Fprintln(a.err, "Objects that were submitted are still being indexed: more may be known soon.")
	}
	if a.json {
		if l.results == nil {
			l.results = []any{}
		}
		out := map[string]any{
			"asked": l.base, "known": l.known, "unknown": l.base - l.known - len(l.faults), "complete": l.complete, "results": l.results,
		}
		if len(l.faults) > 0 {
			out["errors"] = l.faults
		}
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else if err := a.table(l.rows(), columns("value", "how", "matched", "object", "type", "name", "tlp", "valid_until", "program", "release")); err != nil {
		return err
	}
	if l.known == 0 {
		return exchange.Fail(exchange.NotFound, "nothing that you may see holds %s", unknownWords(l.base))
	}
	return nil
}

func unknownWords(n int) string {
	if n == 1 {
		return "this value"
	}
	return fmt.Sprintf("one of these %d values", n)
}

// rows is one row for each match.
func (l *lookingUp) rows() []map[string]any {
	var rows []map[string]any
	for _, r := range itemsOf(l.results) {
		for _, m := range itemsOf(r["matches"]) {
			m["matched"], m["value"] = m["value"], r["value"]
			rows = append(rows, m)
		}
		if capped, _ := r["capped"].(bool); capped {
			fmt.Fprintf(l.a.err, "%s: there may be more matches than these\n", clean(l.a.text(r["value"], false)))
		}
	}
	return rows
}
