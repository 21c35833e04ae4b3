package contribution

import (
	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// tip is where an organisation's journal ended after a request none of whose ids
// was known. Most often the next is such a request too: it is then stored without
// looking at anything, and the index of ids says whether that was right. If it
// was not, nothing of it is left but bytes behind the journal's end.
type tip struct {
	journal Journal
	classes []exchange.HandlingClass
}

const maxTips = 1024 // of one program

// keep notes where the journal ends that facts were just written to.
func (l *lane) keep(org exchange.OrgID, f *facts) {
	if len(l.tips) >= maxTips {
		clear(l.tips)
	}
	t := tip{journal: f.journal, classes: make([]exchange.HandlingClass, len(f.combos))}
	for i, c := range f.combos {
		t.classes[i] = c.HandlingClass
		t.classes[i].ID = c.id(f.first)
	}
	l.tips[org] = t
}

// presume is what is known of a part whose ids are all new, or nil where that is
// not to be expected or other objects, or the register, have to be looked at.
func (l *lane) presume(j *job, p *part) *facts {
	t, ok := l.tips[j.actor.Org]
	if !ok || len(p.objs) == 0 || j.w.charter.ID == "" || t.journal.Terms != terms(j.w.charter) || len(p.markings()) > 0 {
		return nil
	}
	return &facts{w: j.w, journal: t.journal, classes: t.classes, unknown: true}
}

// forget undoes what was presumed.
func (p *part) forget() {
	for i := range p.objs {
		o := &p.objs[i]
		o.class, o.fate, o.note = 0, stored, ""
	}
}
