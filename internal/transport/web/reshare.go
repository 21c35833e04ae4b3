package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

func (s *site) reshareActs() map[string]handler {
	return map[string]handler{
		"GET /reshares":                     s.reshares,
		"POST /reshares":                    s.askReshare,
		"GET /reshares/new":                 s.askResharePage,
		"GET /reshares/{reshare}":           s.reshare,
		"POST /reshares/{reshare}/answer":   s.answerReshare,
		"POST /reshares/{reshare}/withdraw": s.onReshare("took-back", (*reshare.Service).Withdraw),
		"POST /reshares/{reshare}/revoke":   s.onReshare("revoked-grant", (*reshare.Service).Revoke),
		"GET /reshares/{reshare}/copy":      s.copyReshare,
	}
}

func resharePath(id reshare.ID) string { return "/reshares/" + string(id) }

func (v *visit) reshareID() reshare.ID { return reshare.ID(v.path("reshare")) }

// days is a span of time as people read it.
func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return page.Plural(int(d/(24*time.Hour)), "day")
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

// passing is what an item's page says about passing it on.
func (v *visit) passing(program exchange.ProgramID, item string) (*page.Passing, error) {
	p := &page.Passing{}
	about, err := v.site.Reshares.About(v.ctx(), v.a, program, item)
	switch exchange.KindOf(err) {
	case "":
		p.Ask = "/reshares/new?" + url.Values{"program": {string(about.Program)}, "item": {item}}.Encode()
	case exchange.Denied, exchange.NotFound:
	default:
		return nil, err
	}
	const looked = 500 // the newest requests
	all, _, err := v.site.Reshares.List(v.ctx(), v.a, reshare.Filter{Limit: looked})
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.Mine && r.InForce && r.Kind == reshare.Reshare && r.Program == program && r.Item() == item {
			p.Granted = append(p.Granted, r.Permission(v.org))
		}
	}
	return p, nil
}

// lineage is what an artifact's page says about what it was made from; nil:
// nothing that the visitor may know.
func (v *visit) lineage(id exchange.ArtifactID, program exchange.ProgramID) (*page.Lineage, error) {
	l, err := v.site.Reshares.Lineage(v.ctx(), v.a, id)
	if exchange.KindOf(err) == exchange.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if l.Relation == "" && len(l.Parents)+len(l.Children) == 0 {
		return nil, nil
	}
	p := &page.Lineage{Relation: l.Relation}
	for _, o := range l.Owners {
		p.Owners = append(p.Owners, v.org(o))
	}
	link := func(k reshare.Kin) page.Link {
		out := page.Link{Label: k.Title, Href: "/artifacts/" + k.ID}
		if strings.Contains(k.ID, "--") {
			out = page.Link{Label: k.ID, Href: objectHref(program, k.ID)}
		}
		if k.Recalled {
			out.Label += " (recalled)"
		}
		return out
	}
	for _, k := range l.Parents {
		p.Parents = append(p.Parents, link(k))
	}
	for _, k := range l.Children {
		p.Children = append(p.Children, link(k))
	}
	return p, nil
}

var dropWords = map[string]string{
	"organisations": "the list of organisations", "persons": "the named persons", "not_organisations": "excluded organisations",
	"not_cohorts": "excluded cohorts", "not_hats": "excluded hats", "not_in": "excluded jurisdictions", "purposes": "the purposes",
	"expires": "the day on which it expires", "statement": "the conditions",
}

func (s *site) askResharePage(v *visit) error {
	q := v.r.URL.Query()
	return s.askForm(v, exchange.ProgramID(q.Get("program")), q.Get("item"))
}

// askForm is the form, with what was typed before.
func (s *site) askForm(v *visit, program exchange.ProgramID, item string) error {
	about, err := s.Reshares.About(v.ctx(), v.a, program, item)
	if err != nil {
		return err
	}
	p := &page.AskReshare{
		Frame: v.frame("Ask to re-share"), Item: item, Program: string(about.Program), Title: about.Title, Whole: about.Whole,
		Within: days(about.Within), Longest: days(about.Longest),
	}
	p.TLP = about.TLP
	if v.r.Method == http.MethodPost {
		p.To, p.Outside, p.Why, p.Until = v.form("to"), v.form("outside"), v.form("why"), v.form("until")
	}
	p.TLPs, p.PAPs = []page.Option{{Label: "as it is"}}, []page.Option{{Label: "as it is"}}
	for t := exchange.TLPClear; t <= exchange.TLPRed; t++ {
		p.TLPs = append(p.TLPs, page.Option{Value: t.String(), Label: t.String()})
	}
	for l := exchange.PAPClear; l <= exchange.PAPRed; l++ {
		p.PAPs = append(p.PAPs, page.Option{Value: l.String(), Label: l.String()})
	}
	for _, d := range reshare.Droppable {
		if dropWords[d] != "" {
			p.Drops = append(p.Drops, page.Option{Value: d, Label: dropWords[d]})
		}
	}
	return v.show(p)
}

func (s *site) askReshare(v *visit) error {
	q := reshare.Question{
		Program: exchange.ProgramID(v.form("program")), Item: v.form("item"), Kind: reshare.Kind(v.form("kind")), Why: v.form("why"),
	}
	for _, o := range v.list("to") {
		q.To = append(q.To, exchange.OrgID(o))
	}
	for line := range strings.Lines(v.form("outside")) {
		if line = strings.TrimSpace(line); line != "" {
			q.Outside = append(q.Outside, line)
		}
	}
	ps := v.stamps(map[string]*time.Time{"until": &q.Until})
	var err error
	if q.Change.TLP, err = exchange.ParseTLP(v.form("tlp")); err != nil {
		ps = append(ps, exchange.Problem{Path: "tlp", Message: "not one of the choices"})
	}
	if q.Change.PAP, err = exchange.ParsePAP(v.form("pap")); err != nil {
		ps = append(ps, exchange.Problem{Path: "pap", Message: "not one of the choices"})
	}
	q.Change.Drop = slices.Clone(v.r.PostForm["drop"])
	var r reshare.View
	if err = nil; len(ps) > 0 {
		err = exchange.InvalidWith("nothing was asked", ps)
	} else {
		r, err = s.Reshares.Ask(v.ctx(), v.a, q)
	}
	if err != nil {
		return v.again(err, func() error { return s.askForm(v, q.Program, q.Item) })
	}
	return v.see(resharePath(r.ID) + "?done=asked")
}

// reshares lists the requests of the visitor's organisation, or, for those who
// run it, of a program.
func (s *site) reshares(v *visit) error {
	q := v.r.URL.Query()
	f := reshare.Filter{Program: exchange.ProgramID(q.Get("program")), Before: reshare.ID(q.Get("before")), Limit: 100}
	all, next, err := s.Reshares.List(v.ctx(), v.a, f)
	if err != nil {
		return err
	}
	p := &page.Reshares{Frame: v.frame("Re-share")}
	for _, r := range all {
		line := page.ReshareLine{
			Href: resharePath(r.ID), What: askedWord(r), Title: itemTitle(r), By: v.named(r, r.By), State: reshareState(r),
			Asked: v.clock.At(r.AskedAt), AnswerBy: v.clock.At(r.AnswerBy),
		}
		if r.Answer {
			p.Waiting = append(p.Waiting, line)
		} else {
			p.Lines = append(p.Lines, line)
		}
		p.TLP = max(p.TLP, r.TLP)
	}
	if next != "" {
		p.Older = "/reshares?" + url.Values{"program": {string(f.Program)}, "before": {string(next)}}.Encode()
	}
	if f.Program != "" {
		t, err := s.Reshares.AnswerTimes(v.ctx(), v.a, f.Program)
		if err != nil {
			return err
		}
		p.Times = fmt.Sprintf("No answer has been given yet; %s lapsed.", page.Plural(t.Lapsed, "request"))
		if t.Answers > 0 {
			p.Times = fmt.Sprintf("Originators answered %s; median %s, 90 %% within %s; %s lapsed.",
				page.Plural(t.Answers, "time"), days(t.Median), days(t.P90), page.Plural(t.Lapsed, "request"))
		}
	}
	return v.show(p)
}

func askedWord(r reshare.View) string {
	if r.Kind == reshare.Loosen {
		return "looser handling"
	}
	return "passing on"
}

func itemTitle(r reshare.View) string {
	if r.Object.ID != "" {
		return r.Object.ID
	}
	return r.Title
}

// named is an organisation's name as the request gives it.
func (v *visit) named(r reshare.View, id exchange.OrgID) string {
	if n := r.Names[id]; n != "" {
		return n
	}
	return v.org(id)
}

func reshareState(r reshare.View) page.State {
	switch r.State {
	case reshare.Open:
		return page.State{Text: "open", Kind: page.Warn}
	case reshare.Granted, reshare.Conditional:
		if !r.InForce {
			return page.State{Text: "ended", Kind: page.Plain}
		}
		return page.State{Text: string(r.State), Kind: page.Ok}
	case reshare.Refused, reshare.Revoked:
		return page.State{Text: string(r.State), Kind: page.Danger}
	}
	return page.State{Text: string(r.State), Kind: page.Plain}
}

func (s *site) reshare(v *visit) error {
	r, err := s.Reshares.Read(v.ctx(), v.a, v.reshareID())
	if err != nil {
		return err
	}
	p := &page.Reshare{
		Frame: v.frame("Re-share"), Heading: "Request: " + askedWord(r), Base: resharePath(r.ID), State: reshareState(r), By: v.named(r, r.By),
		Why: r.Why, Label: r.TLP, Asked: v.clock.At(r.AskedAt), AnswerBy: v.clock.At(r.AnswerBy), Until: v.clock.At(r.Until),
		Waiting: r.Waiting, Answer: r.Answer, Timed: r.Kind == reshare.Reshare, Withdraw: r.Withdraw, Revoke: r.Revoke,
		Item: page.Link{Label: itemTitle(r)}, Condition: v.form("condition"), Earlier: v.form("until"),
	}
	p.TLP, p.Ledger = r.TLP, about(r.Program, "", string(r.ID))
	if r.State != reshare.Open {
		p.Waiting = 0
	}
	if r.Mine { // an originator may not hold the item; who asks does, or did
		p.Item.Href = "/artifacts/" + string(r.Artifact)
		if r.Object.ID != "" {
			p.Item.Href = objectHref(r.Program, r.Object.ID)
		}
	}
	for _, o := range r.To {
		p.Whom = append(p.Whom, v.org(o))
	}
	p.Whom = append(p.Whom, r.Outside...)
	if r.Kind == reshare.Loosen {
		p.Wanted = handlingWords(r.Wanted)
	} else if !r.End.Equal(r.Until) {
		p.End = v.clock.At(r.End)
	}
	for _, a := range r.Answers {
		who := "an originator"
		if a.Org != "" {
			who = v.named(r, a.Org)
		}
		p.Answers = append(p.Answers, page.ReshareAnswer{Who: who, Yes: a.Yes, Condition: a.Condition, Until: v.clock.At(a.Until), At: v.clock.At(a.At)})
	}
	if r.CanCopy {
		p.Content = p.Base + "/copy"
	}
	return v.show(p)
}

func (s *site) answerReshare(v *visit) error {
	in := reshare.Reply{Yes: v.form("answer") == "yes", Condition: v.form("condition")}
	ps := v.stamps(map[string]*time.Time{"until": &in.Until})
	if word := v.form("answer"); word != "yes" && word != "no" {
		ps = append(ps, exchange.Problem{Path: "answer", Message: "say yes or no"})
	}
	if !in.Yes { // what was typed for a yes is no reason to refuse the no
		in.Condition, in.Until = "", time.Time{}
	}
	err := error(nil)
	if len(ps) > 0 {
		err = exchange.InvalidWith("the answer was not understood; nothing was changed", ps)
	} else {
		_, err = s.Reshares.Answer(v.ctx(), v.a, v.reshareID(), in)
	}
	if err != nil {
		return v.again(err, func() error { return s.reshare(v) })
	}
	return v.see(resharePath(v.reshareID()) + "?done=answered")
}

func (s *site) onReshare(word string, act func(*reshare.Service, context.Context, exchange.Actor, reshare.ID) (reshare.View, error)) handler {
	return func(v *visit) error {
		if _, err := act(s.Reshares, v.ctx(), v.a, v.reshareID()); err != nil {
			return v.again(err, func() error { return s.reshare(v) })
		}
		return v.see(resharePath(v.reshareID()) + "?done=" + word)
	}
}

// copyReshare gives what was granted, with the permission on it.
func (s *site) copyReshare(v *visit) error {
	c, err := s.Reshares.Copy(v.ctx(), v.a, v.reshareID())
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", c.MediaType)
	h.Set("Content-Disposition", `attachment; filename="`+c.Filename+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = v.w.Write(c.Body) // who has gone gets no more
	return nil
}
