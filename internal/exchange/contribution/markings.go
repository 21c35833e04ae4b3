package contribution

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/marking"
)

// Markings is what markings are held against, and where it is kept what nobody
// understood.
type Markings interface {
	Person(id exchange.PersonID) (exchange.Person, error) // exchange.NotFound
	PersonByLogin(login string) (exchange.Person, error)
	Resolutions(program exchange.ProgramID) ([]exchange.MarkingResolution, error)
	// HoldMarkings notes what holds objects, or counts more of them, and answers
	// the markings that held nothing in the program before.
	HoldMarkings(program exchange.ProgramID, open []exchange.HeldMarking) (fresh []string, err error)
	// Notify tells each organisation once of the event.
	Notify(orgs []exchange.OrgID, n exchange.Notice) error
}

// understand takes up what those who run the program have said of markings, and
// holds the names in those that are in use against what the program knows.
func understand(tx Tx, j *job, c exchange.Charter, used []string) error {
	said, err := tx.Resolutions(c.ID)
	if err != nil {
		return err
	}
	for _, r := range said {
		j.env.words.Resolve(r.Ref, r.Handling)
	}
	return j.env.words.Settle(marking.Names{
		Charter: c,
		Organisation: func(id exchange.OrgID) (bool, error) {
			_, err := tx.Organisation(id)
			return registered(err)
		},
		Person: func(name string) (exchange.PersonID, bool, error) {
			p, err := tx.Person(exchange.PersonID(name))
			ok, failed := registered(err)
			if !ok && failed == nil && !exchange.HasIDPrefix(name, "per") {
				p, err = tx.PersonByLogin(strings.ToLower(name))
				ok, failed = registered(err)
			}
			return p.ID, ok, failed
		},
	}, used)
}

// registered reports whether a read found its noun.
func registered(err error) (bool, error) {
	if exchange.KindOf(err) == exchange.NotFound {
		return false, nil
	}
	return err == nil, err
}

// combo is one handling class of a journal, which may have no number yet.
type combo struct {
	exchange.HandlingClass
	fresh int // which of those without a number, from 1; 0: it has one
	used  bool
	open  []marking.Open
}

func (c combo) id(first int64) int64 {
	if c.fresh == 0 {
		return c.ID
	}
	return first + int64(c.fresh) - 1
}

// comboKey is the same for two classes when they ask the same, and only then.
func comboKey(h exchange.HandlingClass) string {
	plain := fmt.Sprintf("%d %t %s", h.TLP, h.Held, h.Markings)
	if len(h.Fields) == 0 && reflect.ValueOf(h.Handling).IsZero() {
		return plain
	}
	b, err := json.Marshal([]any{h.Handling, h.Fields})
	if err != nil { // both are plain data
		return plain + "?"
	}
	return plain + string(b)
}

const (
	maxClasses    = 4096     // different handlings in one journal
	maxClassBytes = 32 << 20 // of the references and selectors in one part
)

// intern finds the handling class of each object that is to be stored, those
// that the journal lacks included. As everywhere, a class says what the markings
// say; what the journal asks is joined when it is decided on. A marking that is
// not understood holds its
// objects, or their parts, until a steward has looked.
func (f *facts) intern(j *job, p *part) {
	if f.byKey == nil {
		f.byKey = map[string]int{}
	}
	for _, h := range f.classes {
		f.byKey[comboKey(h)] = len(f.combos)
		f.combos = append(f.combos, combo{HandlingClass: h})
	}
	f.held = 0
	plain, marked := map[exchange.TLP]int{}, map[string]int{}
	var key []byte
	bytes := 0
	for i := range p.objs {
		o := &p.objs[i]
		if o.fate != stored {
			continue
		}
		var k int
		var ok bool
		if o.marks == nil {
			if k, ok = plain[o.tlp]; !ok {
				if k, ok = f.combo(exchange.HandlingClass{TLP: o.tlp}, nil); ok {
					plain[o.tlp] = k
				}
			}
		} else {
			key = o.marks.AppendKey(key[:0])
			if k, ok = marked[string(key)]; !ok && bytes < maxClassBytes {
				bytes += len(key)
				h, open := o.marks.Class(j.env.words.Of)
				if k, ok = f.combo(h, open); ok {
					marked[string(key)] = k
				}
			}
		}
		if !ok {
			o.refuse("there are too many different markings in one request; send fewer objects at once")
			continue
		}
		f.combos[k].used = true
		o.class = k
		switch c := f.combos[k]; {
		case c.Held:
			f.held++
			o.note = "held: a marking that it refers to is not understood; those who run the program have to look at it"
		case len(c.open) > 0:
			o.note = "parts of it are withheld: a granular marking is not understood; those who run the program have to look at it"
		}
	}
}

// combo is the place of a class among combos, where it may be new; false: there
// are too many.
func (f *facts) combo(h exchange.HandlingClass, open []marking.Open) (k int, ok bool) {
	key := comboKey(h)
	k, ok = f.byKey[key]
	if !ok {
		fresh := f.fresh()
		if fresh == maxClasses {
			return 0, false
		}
		k = len(f.combos)
		f.combos = append(f.combos, combo{HandlingClass: h, fresh: fresh + 1})
		f.byKey[key] = k
	}
	f.combos[k].open = open
	return k, true
}

// hold notes what the markings of the objects hold, classes being their places
// in combos, and answers the markings that hold something for the first time.
// What was said of one since it was judged is not lost: the request comes again.
func (f *facts) hold(tx Tx, j *job, classes []int) (fresh []string, err error) {
	count := map[int]int64{}
	for _, k := range classes {
		if len(f.combos[k].open) > 0 {
			count[k]++
		}
	}
	if len(count) == 0 {
		return nil, nil
	}
	said, err := tx.Resolutions(j.program)
	if err != nil {
		return nil, err
	}
	var open []exchange.HeldMarking
	for k, n := range count {
		for _, o := range f.combos[k].open {
			if slices.ContainsFunc(said, func(r exchange.MarkingResolution) bool { return r.Ref == o.Ref }) {
				return nil, exchange.Fail(exchange.Conflict, "it was said meanwhile what a marking asks; not all was stored, send it again")
			}
			open = append(open, exchange.HeldMarking{Ref: o.Ref, Class: f.combos[k].id(f.first), Whole: o.Whole, Objects: n})
		}
	}
	return tx.HoldMarkings(j.program, open)
}

// tell tells the program's owner of markings that nobody understands.
func tell(tx Tx, j *job, c exchange.Charter, fresh []string, seq int64) error {
	if len(fresh) == 0 {
		return nil
	}
	return tx.Notify([]exchange.OrgID{c.Owner}, exchange.Notice{
		Program: j.program, Kind: exchange.EventContributed, Event: seq,
		Text: fmt.Sprintf("Markings that nobody understands (%d) hold what a member wrote. Say what they ask.", len(fresh)),
	})
}
