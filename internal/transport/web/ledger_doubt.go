package web

import (
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// standings are the words for how a witness stands to the log.
var standings = map[witness.Standing]page.State{
	witness.Agrees: {Text: "agrees", Kind: page.Ok}, witness.Behind: {Text: "behind", Kind: page.Warn},
	witness.Never: {Text: "has signed nothing", Kind: page.Plain}, witness.Disagrees: {Text: "disagrees", Kind: page.Danger},
}

// warned puts what the witnesses hold against the log on every page of those who run
// programs.
func (v *visit) warned(f *page.Frame) {
	if !v.staff() {
		return
	}
	all, err := v.site.ledger.Doubts(v.ctx(), v.a, false)
	if err != nil {
		if v.ctx().Err() == nil {
			v.site.log.ErrorContext(v.ctx(), "asking how the witnesses stand", "err", err.Error())
		}
		return
	}
	for _, d := range all {
		for _, a := range alarms(d) {
			a.Href, a.Settle = "/ledger", 0
			f.Alarms = append(f.Alarms, a)
		}
	}
}

// doubts puts what speaks against the log on the page of the ledger, for everybody:
// with the names of witnesses and programs for those who may know them.
func (v *visit) doubts(p *page.Ledger, l Log) error {
	all, err := v.site.ledger.Doubts(v.ctx(), v.a, true)
	if err != nil {
		return err
	}
	p.Alarms = nil
	for _, d := range all {
		p.Alarms = append(p.Alarms, alarms(d)...)
	}
	if s := together(l); s.Kind == page.Danger && len(p.Alarms) == 0 {
		p.Alarms = []page.Alarm{{
			Heading: "A witness was shown another history than this one", Text: "Of the log that this server shows, " + s.Text + ". Whoever runs the exchange has not settled it yet.", Todo: memberTodo,
		}}
	}
	return nil
}

var (
	memberTodo = []string{
		"Keep the receipts that you have, as files, outside of this exchange.",
		"Check them here or with forewarn verify receipt, and compare the checkpoint with other members by a way other than this site.",
		"Ask whoever runs the exchange what happened. Until it is settled, take nothing new from it as proved.",
	}
	operatorTodo = []string{
		"Change nothing yet: do not restore a backup, and do not repair the folder of the ledger. Take a copy of the data folder as it is.",
		"Ask the witness for the checkpoint that it keeps, and compare it with yours: forewarn verify split says whether both can be true.",
		"Find out how it came about: a restored backup, a second server with the same key, or somebody who has the key.",
		"Tell the members. Then settle it on the page of the ledger, with the reason, which is recorded.",
	}
	heldTodo = []string{
		"See below which witnesses are behind, and ask those who run them whether they can reach the log.",
		"A witness that is gone for good is replaced by a change of the charter. Releases go on by themselves when enough witnesses have signed.",
	}
)

// alarms say what speaks against the log, and what is to be done.
func alarms(d Doubt) (out []page.Alarm) {
	held := ""
	if d.Held {
		held = " Until it is settled, nothing further is released in the program " + d.Title + "."
	}
	todo := memberTodo
	if d.Oversees {
		todo = operatorTodo
	}
	for _, one := range d.Open {
		a := page.Alarm{Heading: "The ledger is doubted", Text: sentence(one.Words()) + "." + held, Todo: todo}
		if d.Settles {
			a.Settle, a.Program = one.ID, string(d.Program)
		}
		out = append(out, a)
	}
	if len(out) == 0 {
		todo = nil
		if d.Oversees {
			todo = heldTodo
		}
		out = append(out, page.Alarm{Heading: "Releases of " + d.Title + " are held", Text: sentence(d.Lacking) + ".", Todo: todo})
	}
	return out
}

// settle settles a disagreement with a reason.
func (s *site) settle(v *visit) error {
	_, err := s.Witnesses.Resolve(v.ctx(), v.a, exchange.ProgramID(v.form("program")), v.number("disagreement"), v.form("reason"))
	if err != nil {
		return v.again(err, func() error { return s.ledgerPage(v) })
	}
	return v.see("/ledger?done=settled")
}
