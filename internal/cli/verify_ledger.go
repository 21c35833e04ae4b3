package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/verify"
)

// notProven is what to do when something of the ledger does not hold. Who runs the
// exchange is the last to be asked.
const notProven = "Keep the file. Show it to the other members and to the auditor: with the same key they find the same."

// trust is whom a verification believes.
type trust struct {
	keys, witnesses []string
	quorum          int
}

func (t *trust) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&t.keys, "key", nil, "public key of the log: name+hash+base64, or a file that holds it; may be repeated")
	f.StringArrayVar(&t.witnesses, "witness", nil, "public key of a witness, or a file that holds it; may be repeated")
	f.IntVar(&t.quorum, "quorum", 0, "how many of the witnesses must have signed (all that are given)")
	_ = cmd.MarkFlagRequired("key")
}

// load reads the keys that were given as files.
func (t *trust) load(cmd *cobra.Command) error {
	for _, list := range []*[]string{&t.keys, &t.witnesses} {
		var all []string
		for _, k := range *list {
			keys, err := keysIn(k)
			if err != nil {
				return err
			}
			all = append(all, keys...)
		}
		*list = all
	}
	if !cmd.Flags().Changed("quorum") {
		t.quorum = len(t.witnesses)
	}
	if t.quorum < 0 || t.quorum > len(t.witnesses) {
		return usage("--quorum is at most the number of witnesses that are given")
	}
	return nil
}

// keysIn are the keys that an argument names: itself, or the lines of a file.
func keysIn(arg string) ([]string, error) {
	if strings.Count(arg, "+") >= 2 {
		return []string{arg}, nil
	}
	b, err := os.ReadFile(arg)
	if err != nil {
		return nil, usage("%q is neither a key (name+hash+base64) nor a file that can be read", arg)
	}
	return strings.Fields(string(b)), nil
}

// unverified reports what does not hold: exit code 7. Other errors stay as they are.
func (a *app) unverified(file string, err error) error {
	var f *verify.Failure
	if !errors.As(err, &f) {
		if err != nil {
			return &about{err: err, file: file}
		}
		return nil
	}
	if a.json {
		out := map[string]any{"valid": false, "what": err.Error()}
		if f.Index >= 0 {
			out["first_bad_index"] = f.Index
		}
		if err := a.printJSON(out); err != nil {
			return err
		}
	}
	return &about{err: &client.Unverified{Text: clean(file) + ": NOT VALID: " + clean(err.Error())}, remedy: notProven}
}

// ledgerVerifyCommands need no exchange and no account.
func (a *app) ledgerVerifyCommands() []*cobra.Command {
	return []*cobra.Command{a.verifyLog(), a.verifyReceipt(), a.verifyObject(), a.verifyBundle(), a.verifySplit()}
}

func (a *app) verifyReceipt() *cobra.Command {
	var t trust
	var statements string
	cmd := &cobra.Command{
		Use: "receipt FILE --key KEY", Short: "Check a receipt: who got what when, proven by the ledger",
		Long: `Check a receipt of the exchange's ledger, and say in plain words what it proves.

It is checked on this machine alone: nothing is sent, no account is needed, and it
holds for ever. The key is the public key of the log; take it from a place that you
trust, such as the agreement, and not with the receipt. With --witness the receipt
must also carry the witnesses' signatures.

When the log has changed its key since, --statements names a file with what the log
says of its keys (GET /log/statements), and an older key is enough.

Exit code 7: what the receipt says is not proven.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.load(cmd); err != nil {
				return err
			}
			b, err := a.read(args[0])
			if err != nil {
				return err
			}
			r, s, err := t.receipt(b, statements)
			if err != nil {
				return a.unverified(args[0], err)
			}
			return a.showReceipt(r, s)
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVar(&statements, "statements", "", "file with the statements of the log")
	return cmd
}

// receipt reads and verifies one.
func (t *trust) receipt(b []byte, statements string) (verify.Receipt, verify.Signed, error) {
	r, err := verify.ParseReceipt(b)
	if err != nil {
		return r, verify.Signed{}, err
	}
	keys, err := t.keysFor(r.Checkpoint, statements)
	if err != nil {
		return r, verify.Signed{}, err
	}
	s, err := r.Verify(keys, t.witnesses)
	if err == nil {
		err = s.Quorum(t.quorum)
	}
	return r, s, err
}

// keysFor are the keys that count beneath a checkpoint, by the statements of the log.
func (t *trust) keysFor(signed []byte, file string) ([]string, error) {
	if file == "" {
		return t.keys, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the statements: %w", err)
	}
	var list struct {
		Statements []string `json:"statements"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("reading the statements in %s: %w", file, err)
	}
	var all [][]byte
	for _, s := range list.Statements {
		all = append(all, []byte(s))
	}
	return verify.KeysBeneath(signed, t.keys, all)
}

// showReceipt says what was proven.
func (a *app) showReceipt(r verify.Receipt, s verify.Signed) error {
	if a.json {
		return a.printJSON(receiptJSON{
			Valid: true, Origin: s.Origin, Index: r.Index, Size: s.Size, Words: wordsOf(r.Opening),
			Opening: r.Opening, Witnesses: cosignersJSON(s.Witness),
		})
	}
	if a.quiet {
		_, err := fmt.Fprintln(a.out, r.Index)
		return err
	}
	tty := a.onTerminal()
	lines := [][2]string{{"what", a.sentence(r.Opening, tty)}}
	for _, f := range []struct{ name, part string }{
		{"program", "program"},
		{"release", "release"},
		{"person", "actor_person"},
		{"token", "actor_token"},
		{"channel", "channel"},
		{"concerned", "org"},
		{"objects", "d_objects"},
		{"objects root", "d_objects_root"},
		{"charter", "d_charter"},
	} {
		if text := shown(r.Opening, f.part); text != "" {
			lines = append(lines, [2]string{f.name, clean(text)})
		}
	}
	if all := subjects(r.Opening); all != "" {
		lines = append(lines, [2]string{"subjects", clean(all)})
	}
	if n := len(r.Opening.Hidden); n > 0 {
		lines = append(lines, [2]string{"not shown", "parts of the event that concern others"})
	}
	lines = append(lines, [2]string{"place", fmt.Sprintf("%d in the log %s, among %d", r.Index, clean(s.Origin), s.Size)})
	for _, w := range s.Witness {
		lines = append(lines, [2]string{"witness", clean(w.Name) + ", " + a.moment(w.At, tty)})
	}
	for _, l := range lines {
		if err := a.field(l[0], l[1], tty); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(a.out, "VALID")
	return err
}

type receiptJSON struct {
	Valid     bool           `json:"valid"`
	Origin    string         `json:"origin"`
	Index     int64          `json:"index"`
	Size      int64          `json:"size"`
	Words     string         `json:"words"`
	Opening   verify.Opening `json:"opening"`
	Witnesses []cosignerJSON `json:"witnesses"`
}

type cosignerJSON struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

func cosignersJSON(all []verify.Cosignature) []cosignerJSON {
	out := make([]cosignerJSON, 0, len(all))
	for _, w := range all {
		out = append(out, cosignerJSON{w.Name, w.At})
	}
	return out
}

// shown is a part of an event as text; empty when it is not shown.
func shown(o verify.Opening, name string) string {
	value := o.Member(name)
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// subjects are the identifiers that the event names, as far as they are shown.
func subjects(o verify.Opening) string {
	const most = 20
	var all []string
	for i := range 1 << 20 {
		text := shown(o, fmt.Sprintf("subject[%d]", i))
		if text == "" && (o.Event != nil || i > most) {
			break
		}
		if len(all) == most {
			return strings.Join(all, ", ") + ", and more"
		}
		if text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, ", ")
}

// wordsOf is the kind of an event in plain words.
func wordsOf(o verify.Opening) string {
	return record.Words(exchange.EventKind(shown(o, "kind")))
}

// sentence says who did what when.
func (a *app) sentence(o verify.Opening, tty bool) string {
	who := cmp.Or(shown(o, "actor_org"), shown(o, "actor_person"), "somebody")
	if o.Member("channel") != nil && o.Member("actor_org") == nil && shown(o, "channel") == string(exchange.ChannelSystem) {
		who = "the exchange itself"
	}
	at := shown(o, "at")
	if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
		at = a.moment(t, tty)
	}
	return clean(fmt.Sprintf("%s %s, %s", who, wordsOf(o), cmp.Or(at, "at a time that is not shown")))
}

func (a *app) verifySplit() *cobra.Command {
	var keys []string
	var log string
	cmd := &cobra.Command{
		Use: "split CHECKPOINT CHECKPOINT --key KEY", Short: "Check whether two signed checkpoints of a log can both be true",
		Long: `Check whether two checkpoints that a log signed can both be true, such as yours and
that of another member.

Two of the same size that differ cannot. Of two different sizes the tiles of the log
decide: --log is its address or its folder.

Exit code 7: they cannot both be true. The exchange showed two histories, and the two
files prove it to anybody who has its key.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			t := trust{keys: keys}
			if err := t.load(cmd); err != nil {
				return err
			}
			var both [2][]byte
			for i, file := range args {
				b, err := a.read(file)
				if err != nil {
					return err
				}
				both[i] = b
			}
			var fetch verify.Fetch
			if log != "" {
				var err error
				if fetch, err = fetcher(log); err != nil {
					return err
				}
			}
			err := verify.Split(cmd.Context(), both[0], both[1], t.keys, fetch)
			if errors.Is(err, verify.ErrUndecided) {
				return &about{err: err, remedy: "Give the address of the log with --log."}
			}
			if err != nil {
				return a.unverified(args[0]+", "+args[1], err)
			}
			if a.json {
				return a.printJSON(map[string]any{"valid": true})
			}
			_, err = fmt.Fprintln(a.out, "both can be true: the log of the one goes on to the other")
			return err
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "public key of the log, or a file that holds it; may be repeated")
	cmd.Flags().StringVar(&log, "log", "", "address or folder of the log")
	_ = cmd.MarkFlagRequired("key")
	return cmd
}

func (a *app) verifyLog() *cobra.Command {
	var t trust
	var w watchLog
	cmd := &cobra.Command{
		Use: "log URL --key KEY", Short: "Check that a log goes on from what it showed before, and changed nothing",
		Long: `Look at a log: its newest checkpoint must be signed, and its entries must be those
that it showed the last time with others after them. Run it now and then, best from
cron: a log that shrank, that shows an old checkpoint again, or that shows you another
history than before is then found out, whoever runs it.

The address is that of the exchange's log, https://exchange.example/log; a folder with
its files is read as well. No account is needed. What was seen is kept in a file of its
own for each log; the first run can compare with nothing, and says so. With --full every
entry is read and compared with the tree. With --checkpoint the log must also agree with
a checkpoint that somebody else was shown: that is how a split view is found.

Exit code 7: something does not hold; the first bad entry is named. The file of what
was seen then stays as it was, and both checkpoints are kept beside it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.load(cmd); err != nil {
				return err
			}
			w.app, w.trust, w.address = a, &t, args[0]
			return w.run(cmd.Context())
		},
	}
	t.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&w.state, "state", "", "file for what was seen ($XDG_STATE_HOME/forewarn/logs/…)")
	f.BoolVar(&w.full, "full", false, "read every entry, too")
	f.StringVar(&w.other, "checkpoint", "", "file with a signed checkpoint that the log must agree with")
	return cmd
}

// opened opens a file, or standard input.
func (a *app) opened(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(a.in), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the file: %w", err)
	}
	return f, nil
}
