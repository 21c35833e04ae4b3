package web

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// kindWords are the acts in words.
var kindWords = map[recall.Kind]string{
	recall.Recalled: "recalled", recall.Superseded: "corrected", recall.Narrowed: "narrowed", recall.Expired: "expires",
}

// recallPages are the addresses of what was taken back.
func (s *site) recallPages() map[string]handler {
	return map[string]handler{
		"GET /recalls":                       s.recalls,
		"POST /recalls":                      s.takeBack,
		"GET /recalls/new":                   s.recallForm,
		"GET /recalls/{recall}":              s.recall,
		"POST /recalls/{recall}/acknowledge": s.answerRecall,
		"POST /recalls/{recall}/remind":      s.remindRecall,
	}
}

const recallPage = 50

// recalls lists what was taken back and concerns the visitor.
func (s *site) recalls(v *visit) error {
	f := recall.Filter{Limit: recallPage}
	if before, err := strconv.ParseInt(v.r.URL.Query().Get("before"), 10, 64); err == nil && before > 0 {
		f.Before = time.UnixMicro(before)
	}
	all, err := s.Recalls.List(v.ctx(), v.a, f)
	if err != nil {
		return err
	}
	p := &page.Recalls{Frame: v.frame("Taken back")}
	for _, r := range all {
		p.TLP = max(p.TLP, r.TLP)
		p.Lines = append(p.Lines, page.RecallLine{
			ID: string(r.ID), Href: r.Path(), What: r.Title, Kind: kindWords[r.Kind], Program: string(r.Program), At: v.clock.At(r.At), State: recallState(r),
		})
	}
	if len(all) == recallPage {
		p.Next = "/recalls?before=" + strconv.FormatInt(all[len(all)-1].At.UnixMicro(), 10)
	}
	return v.show(p)
}

func recallState(r recall.View) page.State {
	if r.Mine != nil {
		switch {
		case r.Mine.Asked():
			return page.State{Text: "you are asked", Kind: page.Warn}
		case r.Mine.Loses:
			return page.State{Text: "you answered", Kind: page.Ok}
		}
		return page.State{Text: "you keep it", Kind: page.Plain}
	}
	answered := 0
	for _, h := range r.Holders {
		if h.Loses && h.Answer != "" {
			answered++
		}
	}
	st := page.State{Text: fmt.Sprintf("%d of %d answered", answered, r.Losing()), Kind: page.Warn}
	if answered == r.Losing() {
		st.Kind = page.Ok
	}
	return st
}

// recallAct reads the act of a form, from its fields or from the address.
func (v *visit) recallAct() (recall.Act, error) {
	var at time.Time
	ps := v.stamps(map[string]*time.Time{"at": &at})
	h := exchange.Handling{
		Organisations: as[exchange.OrgID](v.list("organisations")), NotOrgs: as[exchange.OrgID](v.list("not")), NotIn: v.list("not_in"),
		Statement: v.form("statement"),
	}
	var err error
	if h.TLP, err = exchange.ParseTLP(v.form("tlp")); err != nil {
		ps = append(ps, exchange.Problem{Path: "tlp", Message: "no label"})
	}
	if h.PAP, err = exchange.ParsePAP(v.form("pap")); err != nil {
		ps = append(ps, exchange.Problem{Path: "pap", Message: "no level"})
	}
	act := recall.Act{
		Kind: recall.Kind(v.form("kind")), Artifact: exchange.ArtifactID(v.form("artifact")), Program: exchange.ProgramID(v.form("program")),
		Object: v.form("object"), Replacement: exchange.ArtifactID(v.form("replacement")), At: at, Reason: v.form("reason"), Message: v.form("message"),
	}
	if act.Kind == recall.Narrowed { // what else stands in the form is of the other acts
		act.Handling, act.Persons = h, v.list("persons")
		act.Handling.Expires = at
	}
	if act.Kind != recall.Superseded {
		act.Replacement = ""
	}
	if act.Kind != recall.Expired {
		act.At = time.Time{}
	}
	if len(ps) > 0 {
		return act, exchange.InvalidWith("nothing was changed", ps)
	}
	return act, nil
}

func as[T ~string](in []string) []T {
	var out []T
	for _, s := range in {
		out = append(out, T(s))
	}
	return out
}

// recallForm shows the form of an act on what the address names.
func (s *site) recallForm(v *visit) error {
	q := v.r.URL.Query()
	act := recall.Act{Kind: recall.Recalled, Artifact: exchange.ArtifactID(q.Get("artifact")), Program: exchange.ProgramID(q.Get("program")), Object: q.Get("object"), Reason: "?"}
	plan, err := s.Recalls.Plan(v.ctx(), v.a, act) // who may not do it is not shown the form
	if err != nil {
		return err
	}
	return v.show(v.formOf(act, plan))
}

// formOf is the form of an act, with what was typed.
func (v *visit) formOf(act recall.Act, plan recall.Plan) *page.RecallForm {
	p := &page.RecallForm{
		Frame: v.frame("Take back"), Heading: plan.Title, Target: cmp.Or(act.Object, string(act.Artifact)), Object: act.Object != "",
		Replacement: v.form("replacement"), Reason: v.form("reason"), Message: v.form("message"), At: v.form("at"), Only: v.form("organisations"),
		Not: v.form("not"), NotIn: v.form("not_in"), Persons: v.form("persons"), Statement: v.form("statement"), Back: "/recalls",
	}
	p.TLP = plan.TLP
	for name, value := range map[string]string{"artifact": string(act.Artifact), "program": string(act.Program), "object": act.Object} {
		if value != "" {
			p.Fields = append(p.Fields, page.Hidden{Field: name, Value: value})
		}
	}
	kinds := []page.Option{{Value: "recall", Label: "Recall it: nobody has it any more"}, {Value: "supersede", Label: "Correct it: another artifact takes its place"}}
	if act.Object == "" {
		kinds = append(kinds, page.Option{Value: "narrow", Label: "Narrow it: make its handling stricter"}, page.Option{Value: "expire", Label: "Let it expire"})
	}
	p.Kinds = chosen(kinds, string(act.Kind))
	p.TLPs, p.PAPs = []page.Option{{Label: "as it is"}}, []page.Option{{Label: "as it is"}}
	for t := exchange.TLPClear; t <= exchange.TLPRed; t++ {
		p.TLPs = append(p.TLPs, page.Option{Value: t.String(), Label: t.String()})
	}
	for t := exchange.PAPClear; t <= exchange.PAPRed; t++ {
		p.PAPs = append(p.PAPs, page.Option{Value: t.String(), Label: t.String()})
	}
	chosen(p.TLPs, v.form("tlp"))
	chosen(p.PAPs, v.form("pap"))
	return p
}

func chosen(all []page.Option, value string) []page.Option {
	for i := range all {
		all[i].Selected = all[i].Value == value
	}
	return all
}

// formFields are those of the form that the plan hands on.
var formFields = []string{
	"kind", "reason", "message", "replacement", "at", "tlp", "pap", "organisations", "not", "not_in", "persons", "statement",
}

// takeBack shows what an act would do, and does it once its target was typed.
func (s *site) takeBack(v *visit) error {
	act, err := v.recallAct()
	if err != nil {
		return s.recallAgain(v, act, err)
	}
	plan, err := s.Recalls.Plan(v.ctx(), v.a, act)
	if err != nil {
		return s.recallAgain(v, act, err)
	}
	target := cmp.Or(act.Object, string(act.Artifact))
	if typed := v.form("confirm"); typed == target {
		done, err := s.Recalls.Issue(v.ctx(), v.a, act)
		if err != nil {
			return s.recallAgain(v, act, err)
		}
		return v.see(done.Path() + "?done=recalled")
	} else if v.r.PostForm.Has("confirm") {
		f := exchange.InvalidWith("nothing was changed", []exchange.Problem{{Path: "confirm", Message: "what you typed is not what is taken back"}})
		return v.again(f, func() error { return s.recallPlan(v, act, plan) })
	}
	return s.recallPlan(v, act, plan)
}

func (s *site) recallPlan(v *visit, act recall.Act, plan recall.Plan) error {
	p := v.formOf(act, plan)
	of := &page.RecallPlan{Says: recallSays(recall.View{Plan: plan}), Offered: len(plan.Holders) - plan.Held(), Objects: plan.Objects}
	for _, h := range plan.Holders {
		switch {
		case !h.Holds():
		case h.Loses:
			of.Lose = append(of.Lose, h.Name)
		default:
			of.Keep = append(of.Keep, h.Name)
		}
	}
	for _, name := range formFields {
		if value := v.form(name); value != "" {
			of.Again = append(of.Again, page.Hidden{Field: name, Value: value})
		}
	}
	p.Plan = of
	return v.show(p)
}

// recallAgain shows the form with what is wrong. What it is about was found
// before: else the answer is that there is no such thing.
func (s *site) recallAgain(v *visit, act recall.Act, err error) error {
	return v.again(err, func() error {
		plan, failed := s.Recalls.Plan(v.ctx(), v.a, recall.Act{
			Kind: recall.Recalled, Artifact: act.Artifact, Program: act.Program, Object: act.Object, Reason: "?",
		})
		if failed != nil {
			return err
		}
		return v.show(v.formOf(act, plan))
	})
}

// recallSays is an act in one sentence.
func recallSays(r recall.View) string {
	switch r.Kind {
	case recall.Superseded:
		return "It was corrected: another artifact takes its place, and nobody is given the old one any more."
	case recall.Narrowed:
		return "Its handling is stricter. Who may not have it any more is asked to delete it; the others are told."
	case recall.Expired:
		if r.Effective.After(r.At) {
			return "It expires at " + r.Effective.UTC().Format("2006-01-02 15:04 UTC") + "; from then on nobody is given it, and those who hold it are asked to delete it."
		}
		return "It has expired: nobody is given it any more, and those who hold it are asked to delete it."
	}
	return "It was recalled: nobody is given it any more, and those who hold it are asked to delete it."
}

// recall shows one act.
func (s *site) recall(v *visit) error {
	r, err := s.Recalls.Read(v.ctx(), v.a, recall.ID(v.path("recall")))
	if err != nil {
		return err
	}
	p := &page.Recall{
		Frame: v.frame("Taken back"), Heading: r.Title, Base: r.Path(), Says: recallSays(r), At: v.clock.At(r.At), From: v.clock.At(r.Effective),
		Reason: r.Reason, Message: r.Message, Hidden: r.Hidden, Reminded: v.clock.At(r.RemindedAt),
	}
	p.TLP, p.Ledger = r.TLP, about(r.Program, "", string(r.ID))
	p.Facts = []page.Fact{
		{Name: "Id", Value: string(r.ID)},
		{Name: "Act", Value: kindWords[r.Kind]},
		{Name: "Program", Value: string(r.Program)},
		{Name: "Artifact", Value: string(r.Artifact)},
		{Name: "STIX object", Value: r.Object},
		{Name: "What takes its place", Value: string(r.Replacement)},
	}
	if r.Kind == recall.Narrowed {
		p.Facts = append(p.Facts, page.Fact{Name: "Label", Value: r.Handling.TLP.String() + " " + r.Handling.PAP.String()}, page.Fact{Name: "Conditions", Value: r.Handling.Statement})
	}
	if m := r.Mine; m != nil {
		p.Mine = &page.HolderAnswer{Asks: m.Loses, Answer: answerWords[m.Answer], Note: m.Note, At: v.clock.At(m.At)}
		if m.Notice != "" {
			p.Mine.Signed = signedPath(m.Notice)
		}
		for _, a := range []recall.Answer{recall.Deleted, recall.Never, recall.Kept} {
			p.Mine.Options = append(p.Mine.Options, page.Option{Value: string(a), Label: answerWords[a], Selected: a == m.Answer})
		}
		return v.show(p)
	}
	asked := 0
	for i, h := range r.Holders {
		if h.Asked() {
			asked++
		}
		line, err := s.recallHolder(v, h)
		if err != nil {
			return err
		}
		line.Name = cmp.Or(line.Name, fmt.Sprintf("Member %d", i+1))
		p.Holders = append(p.Holders, line)
	}
	p.Remind = asked > 0 && !v.a.Is(exchange.RoleAuditor)
	p.Summary = fmt.Sprintf("%s given it, of which %d lose it and %d have not answered. %s offered it and fetched nothing.",
		were(r.Held()), r.Losing(), asked, were(len(r.Holders)-r.Held()))
	return v.show(p)
}

func were(n int) string {
	if n == 1 {
		return "1 organisation was"
	}
	return fmt.Sprintf("%d organisations were", n)
}

var answerWords = map[recall.Answer]string{
	recall.Deleted: "we deleted it", recall.Never: "we never took it in", recall.Kept: "we keep it for a legal reason (say which)",
}

func (s *site) recallHolder(v *visit, h recall.Holder) (page.RecallHolder, error) {
	line := page.RecallHolder{
		Name: h.Name, Near: string(h.Near), Since: v.clock.At(h.Since), Polled: v.clock.At(h.PolledAt), Answered: v.clock.At(h.At), Note: h.Note,
		State: page.State{Text: "silent", Kind: page.Warn},
	}
	mailed, err := s.mailed(v, h.Notice)
	if err != nil {
		return line, err
	}
	var told []string
	for _, w := range []struct {
		at   time.Time
		text string
	}{{h.ReadAt, "page"}, {h.PushedAt, "webhook"}, {mailed, "mail"}, {h.TakenAt, "TAXII"}} {
		if !w.at.IsZero() {
			told = append(told, w.text)
		}
	}
	line.Told = cmp.Or(strings.Join(told, ", "), "a notice, not read yet")
	switch {
	case !h.Holds():
		line.State, line.Told = page.State{Text: "nothing fetched", Kind: page.Plain}, "not told"
	case h.Answer != "":
		line.State = page.State{Text: string(h.Answer), Kind: page.Ok}
	case !h.Loses:
		line.State = page.State{Text: "keeps it", Kind: page.Plain}
	}
	return line, nil
}

func (s *site) answerRecall(v *visit) error {
	_, err := s.Recalls.Acknowledge(v.ctx(), v.a, recall.ID(v.path("recall")), recall.Answer(v.form("answer")), v.form("note"))
	if err != nil {
		return v.again(err, func() error { return s.recall(v) })
	}
	return v.see("/recalls/" + v.path("recall") + "?done=answered")
}

func (s *site) remindRecall(v *visit) error {
	if _, err := s.Recalls.Remind(v.ctx(), v.a, recall.ID(v.path("recall"))); err != nil {
		return v.again(err, func() error { return s.recall(v) })
	}
	return v.see("/recalls/" + v.path("recall") + "?done=reminded")
}

var recallPath = regexp.MustCompile(`/recalls/rcl_[a-z2-7]{16}`)

// recallOf is the page of the act that a notice tells of.
func recallOf(n exchange.Notice) string {
	if n.Kind != exchange.EventRecalled && n.Kind != exchange.EventRecallReminded {
		return ""
	}
	return recallPath.FindString(n.Text)
}
