package web

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// Ledger is the log of the exchange as the pages show it.
type Ledger interface {
	// Size is how many entries the log that is written now has. It runs no statement.
	Size() int64
	// Logs are all logs, the one that is written now first. There is always one.
	Logs(ctx context.Context, a exchange.Actor) ([]Log, error)
	// Root is the root that a log had at a size.
	Root(ctx context.Context, origin string, size int64) (tlog.Hash, error)
	// Doubts are what speaks against the log in the programs that the actor oversees;
	// with all, in those of which the actor may know.
	Doubts(ctx context.Context, a exchange.Actor, all bool) ([]Doubt, error)
}

// Log is one log as it stands now.
type Log struct {
	Origin    string
	Number    int
	Size      int64
	Root      tlog.Hash
	Keys      []string  // that count, the newest first: name+hash+base64 (C2SP signed-note)
	Newest    time.Time // of the newest entry; zero: the actor is not told
	Closed    bool
	Witnesses []Witness
}

// Witness is one witness of a log, and how far it has come.
type Witness struct {
	Name     string // empty: the actor is not told
	Key      string // name+hash+base64 (C2SP tlog-cosignature)
	Size     int64  // of the largest checkpoint that it signed; 0: none
	At       time.Time
	Standing witness.Standing
}

// Doubt is what speaks against the log for one program.
type Doubt struct {
	Program  exchange.ProgramID
	Title    string
	Open     []witness.Disagreement
	Held     bool   // nothing is released
	Lacking  string // why
	Oversees bool   // the actor does
	Settles  bool   // the actor may
}

func (l Log) witnessKeys() (keys []string) {
	for _, w := range l.Witnesses {
		keys = append(keys, w.Key)
	}
	return keys
}

// ledgerPages are the addresses of the ledger for people who signed in.
func (s *site) ledgerPages() map[string]handler {
	return map[string]handler{
		"POST /ledger/settle":        s.settle,
		"GET /ledger/evidence":       s.evidencePage,
		"POST /ledger/evidence":      s.evidence,
		"GET /ledger/{entry}":        s.entryPage,
		"GET /ledger/{entry}/object": s.objectProof,
		"GET /ledger/{entry}/proof":  s.receiptFile,
	}
}

// ledgerPage shows the log to everybody, and to people who signed in the entries
// that they may see.
func (s *site) ledgerPage(v *visit) error {
	logs, err := s.ledger.Logs(v.ctx(), v.a)
	if err != nil {
		return err
	}
	p := &page.Ledger{Frame: v.frame("Ledger"), Member: !v.a.Anonymous()}
	for i, l := range logs {
		if h := v.logHead(l); i == 0 {
			p.Head = h
		} else {
			p.Former = append(p.Former, h)
		}
	}
	if err := v.doubts(p, logs[0]); err != nil {
		return err
	}
	if p.Member {
		if err := v.entries(p); err != nil {
			return err
		}
	}
	return v.show(p)
}

// logHead is what a log's newest checkpoint says, and who signed it.
func (v *visit) logHead(l Log) page.LogHead {
	h := page.LogHead{
		Origin: l.Origin, Size: grouped(l.Size), Root: base64.StdEncoding.EncodeToString(l.Root[:]), Keys: l.Keys, Newest: v.clock.At(l.Newest),
		Closed: l.Closed, Command: v.site.verifyLog(l), Checkpoint: logPath(l) + "checkpoint", State: together(l),
	}
	for _, w := range l.Witnesses {
		if w.Name == "" {
			continue
		}
		line := page.WitnessLine{Label: w.Name, Key: w.Key, State: standings[w.Standing], At: v.clock.At(w.At)}
		if w.Size > 0 {
			line.Size = grouped(w.Size)
		}
		h.Witnesses = append(h.Witnesses, line)
	}
	return h
}

// logPath is where a log's public files are.
func logPath(l Log) string {
	if l.Closed {
		return fmt.Sprintf("/log/%d/", l.Number)
	}
	return "/log/"
}

// together is the state of a log's witnesses in a word.
func together(l Log) page.State {
	if len(l.Witnesses) == 0 {
		return page.State{Text: "none watch this log yet", Kind: page.Plain}
	}
	agree, against := 0, 0
	for _, w := range l.Witnesses {
		switch {
		case w.Standing == witness.Agrees:
			agree++
		case w.Standing == witness.Disagrees:
			against++
		}
	}
	n := len(l.Witnesses)
	switch {
	case against > 0:
		return page.State{Text: fmt.Sprintf("%d of %s disagree", against, witnesses(n)), Kind: page.Danger}
	case agree < n:
		return page.State{Text: fmt.Sprintf("%d of %s agree; the others are behind", agree, witnesses(n)), Kind: page.Warn}
	}
	return page.State{Text: fmt.Sprintf("%d of %s agree", agree, witnesses(n)), Kind: page.Ok}
}

func witnesses(n int) string { return grouped(int64(n)) + " witnesses" }

// verifyLog is the command by which anybody verifies a log.
func (s *site) verifyLog(l Log) string {
	return "forewarn verify log " + s.URL + strings.TrimSuffix(logPath(l), "/") + keyFlag(l)
}

func keyFlag(l Log) string {
	if len(l.Keys) == 0 {
		return ""
	}
	return ` --key "` + l.Keys[0] + `"`
}

const ledgerLines = 100

// entries lists the entries that were asked for.
func (v *visit) entries(p *page.Ledger) error {
	q := v.r.URL.Query()
	all, err := v.stored()
	if err != nil {
		return err
	}
	chosen := q.Get("program")
	if i := slices.IndexFunc(all, func(st program.Stored) bool { return v.runs(st.Charter) }); !q.Has("program") && i >= 0 {
		chosen = string(all[i].ID) // without a program, overseers see no more than members
	}
	f := record.EntryFilter{
		Program: exchange.ProgramID(chosen), Release: exchange.ReleaseID(clean(q, "release")), Kinds: kindsOf(q.Get("kind")), Org: exchange.OrgID(clean(q, "org")), Person: exchange.PersonID(clean(q, "person")),
		Subject: clean(q, "subject"), Limit: ledgerLines + 1,
	}
	p.Filter = page.LedgerFilter{
		Programs: programOptions(all, chosen, "your organisation's part in every program"), Kinds: kindOptions(q.Get("kind")),
		Release: string(f.Release), Org: string(f.Org), Person: string(f.Person), Subject: f.Subject, From: clean(q, "from"), To: clean(q, "to"),
	}
	p.Filter.More = f.Org != "" || f.Person != "" || f.Release != "" || f.Subject != ""
	p.Filter.Set = f.Kinds != nil || q.Has("program") ||
		slices.ContainsFunc([]string{"release", "org", "person", "subject", "from", "to"}, func(n string) bool { return q.Get(n) != "" })
	if slices.ContainsFunc(all, func(st program.Stored) bool { return v.runs(st.Charter) }) {
		p.Evidence = "/ledger/evidence?" + url.Values{"program": {chosen}, "from": {p.Filter.From}, "to": {p.Filter.To}}.Encode()
	}
	p.Empty = page.Empty{Text: "What you do on this exchange, and what is given to you, will be here, each with the proof of it.", Action: "See the library", Href: "/library"}
	if p.Filter.Set {
		p.Empty = page.Empty{Text: "No entry that you may see is of this kind.", Action: "All entries", Href: "/ledger"}
	}
	var ps []exchange.Problem
	f.From, f.To, ps = span(p.Filter.From, p.Filter.To)
	if len(ps) > 0 {
		v.status, p.Faults = http.StatusUnprocessableEntity, faultsOf("the entries could not be listed", ps, len(ps))
		return nil
	}
	at := newTrail(q)
	f.Before = at.before
	es, err := v.site.Record.Entries(v.ctx(), v.a, f)
	if err != nil {
		return err
	}
	if len(es) > ledgerLines {
		es = es[:ledgerLines]
		p.Older = at.older(q, es[ledgerLines-1].Seq)
	}
	p.Newer = at.newer(q)
	for _, e := range es {
		p.Lines = append(p.Lines, v.entryLine(e))
	}
	return nil
}

// entryLine is one entry in the list.
func (v *visit) entryLine(e record.LedgerEntry) page.EntryLine {
	l := page.EntryLine{
		Seq: strconv.FormatInt(e.Seq, 10), Href: entryHref(e.Seq), At: v.clock.At(e.At), Exact: e.At.UTC().Format("2006-01-02 15:04:05.000"),
		Text: wordsOf(e), Program: string(e.Program), Proof: page.Link{Label: "receipt", Href: entryHref(e.Seq) + "/proof"},
	}
	if e.Erased {
		l.Proof = page.Link{Label: "erased"}
	}
	l.Who, l.Of = v.doer(&act{person: e.Person, token: e.Token, of: e.ActorOrg, channel: string(e.Channel), actor: e.ActorName})
	if l.Who == l.Of {
		l.Of = ""
	}
	if e.Org != "" && e.Org != e.ActorOrg {
		l.About = e.OrgName
	}
	if e.Release != "" {
		l.Release = page.Link{Label: string(e.Release), Href: "/releases/" + string(e.Release)}
	}
	return l
}

func entryHref(seq int64) string { return "/ledger/" + strconv.FormatInt(seq, 10) }

// programOptions are the programs that the visitor may know, with what was chosen.
func programOptions(all []program.Stored, chosen, every string) (out []page.Option) {
	if every != "" {
		out = append(out, page.Option{Label: every})
	}
	for _, st := range all {
		out = append(out, page.Option{Value: string(st.ID), Label: st.Charter.Title, Selected: string(st.ID) == chosen})
	}
	return out
}

// clean is a field of a query, without the space around it.
func clean(q url.Values, name string) string { return strings.TrimSpace(q.Get(name)) }

// span reads two instants, or days, that somebody typed.
func span(from, to string) (a, b time.Time, ps []exchange.Problem) {
	for _, f := range []struct {
		name, text string
		to         *time.Time
	}{{"ledger_from", from, &a}, {"ledger_to", to, &b}} {
		var err error
		if *f.to, err = time.Parse(time.DateOnly, f.text); err == nil {
			continue
		}
		if *f.to, err = stamp(f.text); err != nil {
			ps = append(ps, exchange.Problem{Path: f.name, Message: notAStamp})
		}
	}
	return a, b, ps
}

// trail is the way from the newest entries to a page of older ones: where each page
// on it begins. The entries come newest first, so the way back is remembered.
type trail struct {
	before int64
	back   []string
}

// maxTrail is how many pages of the way back are remembered.
const maxTrail = 40

func newTrail(q url.Values) (t trail) {
	t.before, _ = strconv.ParseInt(q.Get("before"), 10, 64)
	t.before = max(t.before, 0)
	for part := range strings.SplitSeq(q.Get("back"), ".") {
		if _, err := strconv.ParseInt(part, 10, 64); err == nil && len(t.back) < maxTrail {
			t.back = append(t.back, part)
		}
	}
	return t
}

// older is the address of the entries below one.
func (t trail) older(q url.Values, seq int64) string {
	back := append(slices.Clone(t.back), strconv.FormatInt(t.before, 10))
	return ledgerHref(q, seq, back[max(0, len(back)-maxTrail):])
}

// newer is the address of the page before this one; empty: this is the first.
func (t trail) newer(q url.Values) string {
	if t.before == 0 {
		return ""
	}
	if len(t.back) == 0 {
		return ledgerHref(q, 0, nil)
	}
	last := len(t.back) - 1
	before, _ := strconv.ParseInt(t.back[last], 10, 64)
	return ledgerHref(q, before, t.back[:last])
}

func ledgerHref(q url.Values, before int64, back []string) string {
	to := url.Values{}
	for _, name := range []string{"program", "kind", "release", "org", "person", "subject", "from", "to"} {
		if q.Has(name) {
			to.Set(name, q.Get(name))
		}
	}
	if before > 0 {
		to.Set("before", strconv.FormatInt(before, 10))
	}
	if len(back) > 0 {
		to.Set("back", strings.Join(back, "."))
	}
	href := "/ledger"
	if len(to) > 0 {
		href += "?" + to.Encode()
	}
	return href + "#entries"
}
