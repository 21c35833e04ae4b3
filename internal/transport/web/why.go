package web

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// asked are the addresses under which people ask why, and who.
func (s *site) asked() map[string]handler {
	return map[string]handler{
		"GET /programs/{program}/why":                          s.why,
		"GET /programs/{program}/objects/{object}/holders":     s.objectHolders,
		"GET /programs/{program}/objects/{object}/holders.csv": s.objectCopies,
		"GET /artifacts/{artifact}/holders":                    s.artifactHolders,
		"GET /artifacts/{artifact}/holders.csv":                s.artifactCopies,
		"GET /releases/{release}/as/{org}":                     s.releaseAs,
	}
}

var verdicts = map[string]struct {
	kind, words string
}{
	"ALLOW":          {page.Ok, "It is given the item."},
	"ALLOW_REDACTED": {page.Warn, "It is given the item without some parts."},
	"NOT_YET":        {page.Plain, "Its moment has not come."},
	"NEEDS_CONSENT":  {page.Warn, "It has to accept the agreement first."},
	"HOLD":           {page.Warn, "A steward has to look at the item first."},
	"DENY":           {page.Danger, "It is not given the item."},
}

func whyHref(p exchange.ProgramID, item string, org exchange.OrgID) string {
	return "/programs/" + string(p) + "/why?" + url.Values{"item": {item}, "for": {string(org)}}.Encode()
}

// why explains a decision: a form, and the answer below it.
func (s *site) why(v *visit) error {
	c, _, err := s.Programs.Charter(v.ctx(), v.a, exchange.ProgramID(v.path("program")))
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	p := &page.Why{
		Frame: v.frame("Why"), Action: "/programs/" + string(c.ID) + "/why",
		Item: strings.TrimSpace(q.Get("item")), For: strings.TrimSpace(q.Get("for")), AtText: strings.TrimSpace(q.Get("at")),
		Empty: page.Empty{Text: "The steps of the decision will be here."},
	}
	v.within(&p.Frame, c, "")
	if p.Item == "" || p.For == "" {
		if p.For == "" && !v.runs(c) {
			p.For = string(v.a.Org)
		}
		return v.show(p)
	}
	at, err := stamp(p.AtText)
	if err != nil {
		v.status, p.Trouble = http.StatusUnprocessableEntity, sentence(notAStamp)+"."
		return v.show(p)
	}
	got, err := s.Delivery.Why(v.ctx(), v.a, c.ID, p.Item, p.For, at)
	if exchange.KindOf(err) == exchange.NotFound {
		v.status, p.Trouble = http.StatusNotFound, "There is nothing here that you may ask about for this recipient."
		return v.show(p)
	}
	if err != nil {
		return err
	}
	p.Answer = v.answer(got)
	return v.show(p)
}

func (v *visit) answer(w delivery.Why) *page.Answer {
	d := w.Decision
	word := verdicts[d.Verdict.String()]
	a := &page.Answer{
		Verdict: page.State{Text: d.Verdict.String(), Kind: word.kind}, Words: word.words, Code: d.Code,
		Recipient: v.org(w.Recipient), Audience: w.Audience.String(), At: v.clock.At(w.At), Until: v.clock.At(d.Until), TLP: d.TLP,
		Class: string(w.Artifact.Class), Duties: d.Obligations, Withheld: d.Fields, Limited: w.Limited,
	}
	for _, st := range d.Steps {
		pass := page.State{Text: "passed", Kind: page.Ok}
		if !st.Pass {
			pass = page.State{Text: "failed", Kind: page.Danger}
		}
		a.Steps = append(a.Steps, page.Step{Rule: st.Rule, Pass: pass, Text: st.Text})
	}
	return a
}

const (
	copiesShown  = 20
	copiesOnPage = 200
	// unnamedMember stands for each hidden member, to an originator.
	unnamedMember = "a member that is not named"
)

// has is who has the item, for its page; nil where the visitor may not ask.
func (v *visit) has(program exchange.ProgramID, item, base string) (*page.Has, error) {
	h, err := v.site.Record.Holders(v.ctx(), v.a, program, item, record.Place{}, copiesShown)
	if exchange.KindOf(err) == exchange.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := v.hasOf(h)
	if out.WhyHref = whyHref(h.Program, item, v.a.Org); h.Named {
		out.WhyHref = whyHref(h.Program, item, "")
		out.AllHref, out.SpreadHref = base+"/holders", base+"/holders.csv"
	}
	return out, nil
}

func (v *visit) hasOf(h record.Holders) *page.Has {
	out := &page.Has{Note: holdersNote(h)}
	of := map[exchange.ArtifactID]string{}
	for i, ver := range h.Versions {
		of[ver.Artifact] = fmt.Sprintf("%d of %d: %s", i+1, len(h.Versions), ver.Title)
		out.Journal = out.Journal || ver.Journal
	}
	for _, c := range slices.Concat(h.Unnamed, h.Copies) {
		line := page.CopyLine{
			Org: c.OrgName, Client: c.ClientName, Of: "token", Version: of[c.Artifact],
			Offered: v.clock.At(c.Offered), Delivered: v.clock.At(c.Delivered), Downloaded: v.clock.At(c.Downloaded),
			Opened: v.clock.At(c.Opened), Replied: v.clock.At(c.Acknowledged),
		}
		if line.Org == "" {
			line.Org = cmp.Or(string(c.Org), unnamedMember)
		}
		if c.Person {
			line.Of = "person"
		}
		if line.Client == "" {
			line.Client = c.Client
		}
		out.Copies = append(out.Copies, line)
	}
	if !h.Named && h.Count != "" {
		noun := " other organisations have it"
		if h.Count == "1" {
			noun = " other organisation has it"
		}
		out.Others = sentence(h.Count + noun)
		for _, o := range h.Orgs {
			out.Orgs = append(out.Orgs, v.org(o))
		}
	}
	return out
}

// holdersNote says what is shown to whom.
func holdersNote(h record.Holders) string {
	members := map[string]string{
		exchange.SeeNothing: "nothing of who has it", exchange.SeeCounts: "how many have it", exchange.SeeNames: "the names of those who have it",
	}[h.See]
	if len(h.Unnamed) > 0 {
		return "A member that is not named takes part without the others knowing of it: you are told that it has your item and when, and not who it is. It comes first, out of the order of time. " +
			"Who runs the program sees its name. Other members see " + members + ", as the program says, and nothing of it."
	}
	if h.Named {
		return "Who handed it in and who runs the program see each copy. Other members see " + members + ", as the program says."
	}
	return "In this program members see " + members + ". Who handed it in and who runs the program see each copy."
}

func (s *site) artifactHolders(v *visit) error {
	return s.holders(v, "", v.path("artifact"), "/artifacts/"+v.path("artifact"))
}

func (s *site) objectHolders(v *visit) error {
	return s.holders(v, exchange.ProgramID(v.path("program")), v.path("object"), objectHref(exchange.ProgramID(v.path("program")), v.path("object")))
}

// holders is every copy of an item, page by page.
func (s *site) holders(v *visit, program exchange.ProgramID, item, base string) error {
	h, err := s.Record.Holders(v.ctx(), v.a, program, item, placeOf(v.r.URL.Query()), copiesOnPage)
	if err != nil {
		return err
	}
	c, _, err := s.Programs.Charter(v.ctx(), v.a, h.Program)
	if err != nil {
		return err
	}
	p := &page.Holders{Frame: v.frame("Who has it"), Back: page.Link{Label: item, Href: base}, Has: v.hasOf(h)}
	v.within(&p.Frame, c, "Library")
	for _, ver := range h.Versions {
		p.Versions = append(p.Versions, page.VersionLine{
			Title: ver.Title, ID: string(ver.Artifact), SHA256: ver.SHA256, Supersedes: string(ver.Supersedes), At: v.clock.At(ver.At),
		})
	}
	if h.Named {
		p.Has.SpreadHref = base + "/holders.csv"
		if len(h.Copies)+len(h.Unnamed) == 0 {
			p.Empty = page.Empty{Text: "Those who are offered it, and those who take it, will be here.", Action: "The item", Href: base}
		}
	}
	p.Has.WhyHref = whyHref(h.Program, item, v.a.Org)
	if n := len(h.Copies); n == copiesOnPage {
		at := record.PlaceOf(h.Copies[n-1])
		p.Next = base + "/holders?" + url.Values{
			"last": {strconv.FormatInt(at.Last.UnixMicro(), 10)}, "n": {strconv.FormatInt(at.Number, 10)}, "org": {string(at.Org)}, "client": {at.Client},
		}.Encode()
	}
	if v.r.URL.RawQuery != "" {
		p.First = base + "/holders"
	}
	return v.show(p)
}

func placeOf(q url.Values) record.Place {
	last, err := strconv.ParseInt(q.Get("last"), 10, 64)
	if err != nil || last <= 0 {
		return record.Place{}
	}
	n, _ := strconv.ParseInt(q.Get("n"), 10, 64)
	return record.Place{Last: time.UnixMicro(last), Number: n, Org: exchange.OrgID(q.Get("org")), Client: q.Get("client")}
}

func (s *site) artifactCopies(v *visit) error { return s.copies(v, "", v.path("artifact")) }

func (s *site) objectCopies(v *visit) error {
	return s.copies(v, exchange.ProgramID(v.path("program")), v.path("object"))
}

// copies writes every copy of an item as comma-separated values (RFC 4180), a
// thousand at a time.
func (s *site) copies(v *visit, program exchange.ProgramID, item string) error {
	var w *csv.Writer
	for after := (record.Place{}); ; {
		h, err := s.Record.Holders(v.ctx(), v.a, program, item, after, delivery.MaxLimit)
		if err == nil && !h.Named {
			err = exchange.Missing()
		}
		if err != nil {
			return err
		}
		if w == nil {
			httpkit.Attach(v.w.Header(), "copies.csv", "text/csv")
			w = csv.NewWriter(v.w)
			_ = w.Write([]string{"organisation", "name", "client", "client_name", "artifact", "offered_at", "delivered_at", "downloaded_at", "opened_at", "acknowledged_at"})
		}
		for _, c := range slices.Concat(h.Unnamed, h.Copies) {
			if c.Org == "" {
				c.OrgName = unnamedMember
			}
			row := []string{string(c.Org), c.OrgName, c.Client, c.ClientName, string(c.Artifact)}
			for _, t := range []time.Time{c.Offered, c.Delivered, c.Downloaded, c.Opened, c.Acknowledged} {
				text := ""
				if !t.IsZero() {
					text = t.UTC().Format(exchange.TimeFormat)
				}
				row = append(row, text)
			}
			for i := range row { // a spreadsheet would take it for a formula
				if strings.IndexAny(row[i], "=+-@\t\r") == 0 {
					row[i] = "'" + row[i]
				}
			}
			_ = w.Write(row)
		}
		w.Flush()
		n := len(h.Copies)
		if n < delivery.MaxLimit || w.Error() != nil {
			return nil
		}
		after = record.PlaceOf(h.Copies[n-1])
	}
}

// leftOut is what a preview shows beside the member's own page, and its objects.
func (v *visit) leftOut(p *page.Read, m delivery.MemberPreview) {
	out := &page.LeftOut{Counts: []string{
		page.Plural(m.Whole, "object") + " whole", page.Plural(m.Redacted, "object") + " without some parts",
		page.Plural(m.Withheld, "object") + " of its items left out", page.Plural(m.Absent, "item") + " of the release not given",
	}}
	for _, o := range m.Objects {
		if o.As != "" && len(p.Objects) < objectsShown {
			p.Objects = append(p.Objects, page.ObjectLine{ID: o.ID, Href: objectHref(m.Program, o.ID), Type: o.Type})
		}
		if o.Verdict.String() == "ALLOW" {
			continue
		}
		if o.Verdict.String() == "ALLOW_REDACTED" && len(o.Fields) == 0 {
			o.Fields = []string{"references"}
		}
		if len(out.Lines) < libraryPage {
			out.Lines = append(out.Lines, page.LeftLine{ID: o.ID, Type: o.Type, Verdict: strings.TrimSpace(o.Verdict.String() + " " + o.Code), Parts: o.Fields})
		}
	}
	p.LeftOut = out
	p.ObjectsAll = "/programs/" + string(m.Program) + "/objects"
	p.ObjectCount = page.Plural(len(p.Objects), "object")
}
