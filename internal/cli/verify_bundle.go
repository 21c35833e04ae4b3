package cli

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/verify"
)

func (a *app) verifyBundle() *cobra.Command {
	var t trust
	cmd := &cobra.Command{
		Use: "bundle FILE --key KEY", Short: "Check an evidence bundle: every event of a program in a period, none left out",
		Long: `Check an evidence bundle of a program and a period, on this machine alone.

Each event must stand in the log at its place, under a checkpoint that the log's key
signed; the numbers of the program's events must follow one another without a gap; and
the versions of the charter must be those that the events name. The table says what the
bundle shows, and whether its first and last events are shown to be the first and the
last of the period.

Exit code 7: something does not hold, or events are missing; the first bad entry is named.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.load(cmd); err != nil {
				return err
			}
			f, err := a.opened(args[0])
			if err != nil {
				return err
			}
			defer func() { _ = f.Close() }() // only read from
			r, err := verify.VerifyBundle(f, t.keys, t.witnesses)
			if err == nil {
				err = r.Checkpoint.Quorum(t.quorum)
			}
			if err != nil && r.Manifest.Program != "" && !a.json {
				if err := a.showBundle(r, false); err != nil {
					return err
				}
			}
			if err != nil {
				return a.unverified(args[0], err)
			}
			return a.showBundle(r, true)
		},
	}
	t.flags(cmd)
	return cmd
}

type bundleJSON struct {
	Valid     bool             `json:"valid"`
	Program   string           `json:"program"`
	From      time.Time        `json:"from,omitzero"`
	To        time.Time        `json:"to,omitzero"`
	Origin    string           `json:"origin"`
	Size      int64            `json:"size"`
	Entries   int64            `json:"entries"`
	Kinds     map[string]int64 `json:"kinds"`
	First     *placeJSON       `json:"first,omitempty"`
	Last      *placeJSON       `json:"last,omitempty"`
	Before    bool             `json:"nothing_before_missing"`
	After     bool             `json:"nothing_after_missing"`
	Charters  []charterJSON    `json:"charters"`
	Witnesses []cosignerJSON   `json:"witnesses"`
}

type placeJSON struct {
	Index  int64     `json:"index"`
	Number int64     `json:"number"`
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`
}

type charterJSON struct {
	Version int64  `json:"version"`
	Digest  string `json:"sha256,omitempty"`
	Events  int64  `json:"events"`
}

func place(e *verify.BundleEvent) *placeJSON {
	if e == nil {
		return nil
	}
	return &placeJSON{e.Index, e.Number, e.At, e.Kind}
}

// showBundle prints what was verified; valid: all of it.
func (a *app) showBundle(r verify.BundleReport, valid bool) error {
	m := r.Manifest
	if a.json {
		out := bundleJSON{
			Valid: valid, Program: m.Program, From: m.From, To: m.To, Origin: m.Origin, Size: m.Size, Entries: r.Entries, Kinds: r.Kinds,
			First: place(r.First), Last: place(r.Last), Before: r.Before, After: r.After,
			Charters: []charterJSON{}, Witnesses: cosignersJSON(r.Checkpoint.Witness),
		}
		for _, c := range r.Charters {
			out.Charters = append(out.Charters, charterJSON(c))
		}
		return a.printJSON(out)
	}
	if a.quiet {
		_, err := fmt.Fprintln(a.out, r.Entries)
		return err
	}
	for _, l := range a.bundleLines(r) {
		if err := a.field(l[0], clean(l[1]), a.onTerminal()); err != nil {
			return err
		}
	}
	var kinds, charters []map[string]any
	for _, k := range slices.Sorted(maps.Keys(r.Kinds)) {
		kinds = append(kinds, map[string]any{"kind": k, "events": r.Kinds[k], "what": record.Words(exchange.EventKind(k))})
	}
	for _, c := range r.Charters {
		charters = append(charters, map[string]any{"version": c.Version, "events": c.Events, "sha256": c.Digest})
	}
	for _, t := range []struct {
		title string
		rows  []map[string]any
		cols  []column
	}{{"events", kinds, columns("kind", "events", "what")}, {"charter", charters, columns("version", "events", "sha256")}} {
		if len(t.rows) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(a.out, "\n%s\n", t.title); err != nil {
			return err
		}
		if err := a.table(t.rows, t.cols); err != nil {
			return err
		}
	}
	if valid {
		_, err := fmt.Fprintln(a.out, "\nVALID")
		return err
	}
	return nil
}

func (a *app) bundleLines(r verify.BundleReport) [][2]string {
	m, tty := r.Manifest, a.onTerminal()
	moment := func(t time.Time, none string) string {
		if t.IsZero() {
			return none
		}
		return a.moment(t, tty)
	}
	lines := [][2]string{
		{"program", m.Program},
		{"period", moment(m.From, "from the beginning") + " to " + moment(m.To, "the newest")},
		{"log", fmt.Sprintf("%s, %d entries", m.Origin, m.Size)},
		{"events", fmt.Sprint(r.Entries)},
	}
	for _, e := range []struct {
		name   string
		event  *verify.BundleEvent
		proven bool
		open   string
	}{
		{"first", r.First, r.Before, "; that nothing came before it in the period is not shown"},
		{"last", r.Last, r.After, "; that nothing came after it in the period is not shown"},
	} {
		if e.event == nil {
			continue
		}
		text := fmt.Sprintf("number %d, place %d, %s", e.event.Number, e.event.Index, a.moment(e.event.At, tty))
		if !e.proven {
			text += e.open
		}
		lines = append(lines, [2]string{e.name, text})
	}
	for _, w := range r.Checkpoint.Witness {
		lines = append(lines, [2]string{"witness", w.Name + ", " + a.moment(w.At, tty)})
	}
	for i, g := range r.Gaps {
		if i == 10 {
			lines = append(lines, [2]string{"missing", "and more"})
			break
		}
		lines = append(lines, [2]string{"missing", fmt.Sprintf("numbers %d to %d, before place %d", g.From, g.To, g.Index)})
	}
	return lines
}

func (a *app) verifyObject() *cobra.Command {
	var t trust
	var receipt, content, statements string
	cmd := &cobra.Command{
		Use: "object PROOF --receipt RECEIPT --key KEY", Short: "Check that a disclosure gave an object in this version",
		Long: `Check that one object, in one version, was among those that a disclosure gave.

PROOF is what the exchange gives for one object of one disclosure, RECEIPT the receipt
of that disclosure. With --object the object itself is compared as well: its identifier
and its version.

Exit code 7: it is not proven.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.load(cmd); err != nil {
				return err
			}
			b, err := a.read(receipt)
			if err != nil {
				return err
			}
			r, s, err := t.receipt(b, statements)
			if err != nil {
				return a.unverified(receipt, err)
			}
			if b, err = a.read(args[0]); err != nil {
				return err
			}
			var p verify.ObjectProof
			if err := json.Unmarshal(b, &p); err != nil {
				return &about{err: err, file: args[0]}
			}
			if err := proves(p, r.Opening, content); err != nil {
				return a.unverified(args[0], err)
			}
			return a.showObject(p, r, s)
		},
	}
	t.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&receipt, "receipt", "", "receipt of the disclosure")
	f.StringVar(&content, "object", "", "file with the object, to be compared")
	f.StringVar(&statements, "statements", "", "file with the statements of the log")
	_ = cmd.MarkFlagRequired("receipt")
	return cmd
}

// proves checks a proof against the root that the event states, and the object.
func proves(p verify.ObjectProof, o verify.Opening, file string) error {
	root, err := base64.RawStdEncoding.Strict().DecodeString(shown(o, "d_objects_root"))
	if err != nil || len(root) != tlog.HashSize {
		return &verify.Failure{What: "the receipt is not of a disclosure of objects: it states no root over them", Index: -1}
	}
	if n := shown(o, "d_objects"); n != "" && n != fmt.Sprint(p.Count) {
		return &verify.Failure{What: fmt.Sprintf("the disclosure gave %s objects, and the proof is of %d", n, p.Count), Index: -1}
	}
	if err := p.Verify(tlog.Hash(root)); err != nil || file == "" {
		return err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the object: %w", err)
	}
	v, err := verify.VersionOf(b)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if v.ID != p.ID || v.Version != p.Version {
		return &verify.Failure{What: fmt.Sprintf("%s is %.80q in version %.80q, and not what was given", file, v.ID, v.Version), Index: -1}
	}
	return nil
}

func (a *app) showObject(p verify.ObjectProof, r verify.Receipt, s verify.Signed) error {
	tty := a.onTerminal()
	if a.json {
		return a.printJSON(map[string]any{
			"valid": true, "object": p.ID, "version": p.Version, "number": p.Index + 1, "objects": p.Count,
			"entry": r.Index, "origin": s.Origin, "words": wordsOf(r.Opening), "witnesses": cosignersJSON(s.Witness),
		})
	}
	for _, l := range [][2]string{
		{"object", p.ID},
		{"version", p.Version},
		{"given as", fmt.Sprintf("object %d of %d", p.Index+1, p.Count)},
		{"what", a.sentence(r.Opening, tty)},
		{"place", fmt.Sprintf("%d in the log %s, among %d", r.Index, s.Origin, s.Size)},
	} {
		if err := a.field(l[0], clean(l[1]), tty); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(a.out, "VALID")
	return err
}
