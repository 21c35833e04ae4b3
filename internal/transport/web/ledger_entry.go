package web

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
	"github.com/forewarn-exchange/forewarn/verify"
)

// seq is the number of the entry in the address.
func (v *visit) seq() (int64, error) {
	text := v.path("entry")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != text {
		return 0, exchange.Missing()
	}
	return n, nil
}

// entryPage shows one entry as far as the visitor is shown it, with its proof.
func (s *site) entryPage(v *visit) error {
	n, err := v.seq()
	if err != nil {
		return err
	}
	e, err := s.Record.ReadEntry(v.ctx(), v.a, n)
	if err != nil {
		return err
	}
	heading := "Entry " + strconv.FormatInt(n, 10)
	p := &page.Entry{Frame: v.frame(heading), Heading: heading, Seq: strconv.FormatInt(n, 10)}
	if e.Erased {
		p.State = page.State{Text: "opening erased", Kind: page.Plain}
		return v.show(p)
	}
	r, err := s.Record.Receipt(v.ctx(), v.a, n)
	if err != nil {
		return err
	}
	a, err := actOf(r.Opening)
	if err != nil {
		return err
	}
	a.actor = e.ActorName
	p.Told = v.tell(&a)
	p.Receipt = page.Link{Label: receiptName(n), Href: entryHref(n) + "/proof"}
	if err := v.proof(p, r); err != nil {
		return err
	}
	if err := v.givenBy(p, n); err != nil {
		return err
	}
	return v.show(p)
}

// proof says where the entry stands, and whether its receipt holds.
func (v *visit) proof(p *page.Entry, r verify.Receipt) error {
	b, err := r.MarshalBinary()
	if err != nil {
		return err
	}
	c, err := v.checked(b)
	if err != nil {
		return err
	}
	p.State, p.Broken = c.State, c.Broken
	if c.Broken == nil {
		p.State.Text = "in the log"
	}
	p.Log, p.Index, p.Size, p.Proof = c.Log, c.Index, c.Size, plural(len(r.Proof), "hash", "hashes")
	p.Command = "forewarn verify receipt " + p.Receipt.Label
	logs, err := v.site.ledger.Logs(v.ctx(), v.a)
	for _, l := range logs {
		if l.Origin == c.Log {
			p.Command += keyFlag(l)
		}
	}
	return err
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func receiptName(seq int64) string { return fmt.Sprintf("receipt-%d.forewarn", seq) }

// receiptFile gives the receipt of an entry as a file.
func (s *site) receiptFile(v *visit) error {
	n, err := v.seq()
	if err != nil {
		return err
	}
	r, err := s.Record.Receipt(v.ctx(), v.a, n)
	if err != nil {
		return err
	}
	b, err := r.MarshalBinary()
	if err != nil {
		return err
	}
	httpkit.Attach(v.w.Header(), receiptName(n), "application/octet-stream")
	_, _ = v.w.Write(b) // who has gone gets no more
	return nil
}

// objectsOnPage is how many objects of an entry one page lists.
const objectsOnPage = 50

// givenBy lists what a disclosure gave, each with its proof.
func (v *visit) givenBy(p *page.Entry, seq int64) error {
	from, _ := strconv.Atoi(v.r.URL.Query().Get("objects"))
	from = max(from, 0)
	ids, total, err := v.site.Record.Objects(v.ctx(), v.a, seq, from, objectsOnPage)
	if err != nil || total == 0 {
		return err
	}
	p.Covers = fmt.Sprintf("%s. With the receipt, the proof of one shows that it was given without showing the others.", page.Plural(grouped(int64(total)), "object"))
	for _, id := range ids {
		p.Objects = append(p.Objects, page.ObjectProofLine{Object: id, Href: entryHref(seq) + "/object?" + url.Values{"id": {id}}.Encode()})
	}
	if from+len(ids) < total && len(ids) > 0 {
		p.MoreHref = fmt.Sprintf("%s?objects=%d#objects", entryHref(seq), from+len(ids))
	}
	return nil
}

// objectProof proves that a disclosure gave one object.
func (s *site) objectProof(v *visit) error {
	n, err := v.seq()
	if err != nil {
		return err
	}
	id := v.r.URL.Query().Get("id")
	proof, err := s.Record.ObjectProof(v.ctx(), v.a, n, id)
	if err != nil {
		return err
	}
	b, err := proof.MarshalJSON()
	if err != nil {
		return err
	}
	httpkit.Attach(v.w.Header(), fmt.Sprintf("object-%d-%d.json", n, proof.Index), "application/json")
	_, _ = v.w.Write(b)
	return nil
}

// evidencePage is the form for an evidence bundle, which is for those who oversee a
// program.
func (s *site) evidencePage(v *visit) error {
	q := v.r.URL.Query()
	chosen, from, to := q.Get("program"), clean(q, "from"), clean(q, "to")
	if v.faults != nil {
		chosen, from, to = v.form("program"), v.form("from"), v.form("to")
	}
	mine, err := v.overseen()
	if err != nil {
		return err
	}
	if len(mine) == 0 {
		return exchange.Missing()
	}
	logs, err := s.ledger.Logs(v.ctx(), v.a)
	if err != nil {
		return err
	}
	p := &page.Evidence{
		Frame: v.frame("Evidence bundle"), Programs: programOptions(mine, chosen, ""), From: from, To: to,
		Command: "forewarn verify bundle evidence.tar" + keyFlag(logs[0]),
	}
	return v.show(p)
}

// overseen are the programs that the visitor oversees.
func (v *visit) overseen() ([]program.Stored, error) {
	all, err := v.stored()
	return slices.DeleteFunc(all, func(st program.Stored) bool { return !v.runs(st.Charter) }), err
}

// evidence gives an evidence bundle.
func (s *site) evidence(v *visit) error {
	r := record.BundleRequest{Program: exchange.ProgramID(v.form("program"))}
	var ps []exchange.Problem
	r.From, r.To, ps = span(v.form("from"), v.form("to"))
	if len(ps) > 0 {
		return v.again(exchange.InvalidWith("the bundle was not made", ps), func() error { return s.evidencePage(v) })
	}
	write, err := s.Record.Evidence(v.ctx(), v.a, r)
	if err != nil {
		return v.again(err, func() error { return s.evidencePage(v) })
	}
	httpkit.Attach(v.w.Header(), "evidence-"+string(r.Program)+".tar", "application/x-tar")
	return write(v.w)
}

// mostLinks is how many entries of one act are named on a page.
const mostLinks = 3

// entryLinks lead to entries of the ledger.
func entryLinks(seqs []int64) (out []page.Link) {
	for _, n := range seqs[:min(len(seqs), mostLinks)] {
		out = append(out, page.Link{Label: "entry " + strconv.FormatInt(n, 10), Href: entryHref(n)})
	}
	return out
}

// acted adds the entries of an act to the address of the page that follows it.
func acted(path string, seqs []int64) string {
	to, err := url.Parse(path)
	if err != nil || len(seqs) == 0 || !to.Query().Has("done") {
		return path
	}
	var text []string
	for _, n := range seqs[:min(len(seqs), mostLinks)] {
		text = append(text, strconv.FormatInt(n, 10))
	}
	to.RawQuery += "&entries=" + strings.Join(text, ".")
	return to.String()
}

// actedLinks reads what acted wrote. Whoever writes another address gets links to
// entries that they may see, or to nothing.
func actedLinks(text string) []page.Link {
	var seqs []int64
	for part := range strings.SplitSeq(text, ".") {
		if n, err := strconv.ParseInt(part, 10, 64); err == nil && n > 0 {
			seqs = append(seqs, n)
		}
	}
	return entryLinks(seqs)
}

// about is the address of the entries about a release, or about a subject such as an
// artifact.
func about(program exchange.ProgramID, release exchange.ReleaseID, subject string) string {
	q := url.Values{"program": {string(program)}}
	if release != "" {
		q.Set("release", string(release))
	}
	if subject != "" {
		q.Set("subject", subject)
	}
	return "/ledger?" + q.Encode() + "#entries"
}

// entryIfShown leads to an entry of the ledger that the visitor is shown; else nowhere.
func entryIfShown(shown map[int64]bool, seq int64) page.Link {
	if !shown[seq] {
		return page.Link{}
	}
	return entryLinks([]int64{seq})[0]
}

// approvedIn are the entries of a release's approvals, as far as the visitor is shown
// them.
func (v *visit) approvedIn(r exchange.Release) (func(exchange.Approval) page.Link, error) {
	all, err := v.site.Record.Entries(v.ctx(), v.a, record.EntryFilter{
		Release: r.ID, Kinds: []exchange.EventKind{exchange.EventReleaseApproved}, Limit: 50,
	})
	if exchange.KindOf(err) == exchange.NotFound {
		all, err = nil, nil
	}
	return func(a exchange.Approval) page.Link {
		for _, e := range all {
			if e.Person == a.Person && e.At.Equal(a.At) {
				return entryLinks([]int64{e.Seq})[0]
			}
		}
		return page.Link{}
	}, err
}
