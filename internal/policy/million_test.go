package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// seed makes the same combinations in every run.
const seed = 20270712

// handling is what one marking says: a little, of anything.
func (s source) marking() (h exchange.Handling) {
	h.TLP = pick(s, 0, 0, exchange.TLPClear, exchange.TLPGreen, exchange.TLPAmber, exchange.TLPAmberStrict, exchange.TLPRed)
	switch s.IntN(12) {
	case 0:
		h.Organisations = pick(s, []exchange.OrgID{org}, []exchange.OrgID{"somebody-else"}, []exchange.OrgID{org, "somebody-else"})
	case 1:
		h.Sectors, h.Groups = pick(s, nil, []string{"energy"}), pick(s, []exchange.GroupID{"responders"}, []exchange.GroupID{"others"})
	case 2:
		h.Persons = pick(s, []exchange.PersonID{"per_named"}, []exchange.PersonID{"per_named", person}, []exchange.PersonID{exchange.Nobody})
	case 3:
		h.Purposes = pick(s, []string{"defence"}, []string{"research", "defence"})
	case 4:
		h.NotOrgs = pick(s, []exchange.OrgID{org}, []exchange.OrgID{"provider-a"}, []exchange.OrgID{"somebody-else"})
	case 5:
		h.NotCohorts = pick(s, []exchange.CohortID{"early"}, []exchange.CohortID{"late"})
	case 6:
		h.NotHats = pick(s, []string{"regulator"}, []string{"csirt"})
	case 7:
		h.NotIn = pick(s, []string{"XA"}, []string{"XB"})
	case 8:
		h.From = s.moment(1)
	case 9:
		h.Expires = s.moment(1)
	case 10:
		h.Attribution = pick(s, exchange.AttributionMay, exchange.AttributionMust, exchange.AttributionMustNot)
	default:
		h.PAP, h.Actions, h.Encrypt = pick(s, exchange.PAPGreen, exchange.PAPRed), pick(s, exchange.ActionsInternal, exchange.ActionsNone), exchange.DutyMay
	}
	return h
}

func (s source) field() exchange.FieldHandling {
	return exchange.FieldHandling{
		Selectors: pick(s, []string{"description"}, []string{"name"}, []string{"labels.[0]", "labels.[1]"}, []string{"description", "name"}, []string{"labels"}),
		Handling:  s.marking(), Held: s.one(0.02),
	}
}

// reader is an active member under the current agreement.
func (s source) reader() policy.Recipient {
	r := member()
	r.Person, r.Channel = pick[exchange.PersonID](s, "", person, "per_named", "per_named"), pick(s, exchange.ChannelWeb, exchange.ChannelTAXII)
	r.Client, r.Owner = s.one(0.1), s.one(0.05)
	r.Groups, r.Attributes.Sectors = []exchange.GroupID{"responders"}, pick(s, nil, []string{"energy"})
	r.Attributes.Hats, r.Purpose = pick(s, nil, []string{"csirt"}), pick(s, "", "defence", "defence")
	return r
}

// same reports whether two decisions are, and why not.
func same(a, b policy.Decision) string {
	if a.Verdict == b.Verdict && a.Code == b.Code && a.TLP == b.TLP && a.Until.Equal(b.Until) && slices.Equal(a.Fields, b.Fields) {
		return ""
	}
	return cmp.Diff(a, b)
}

// marked is an item under markings in this order: of its object, as one class,
// and of parts of it.
func marked(i policy.Item, whole []exchange.Handling, parts []exchange.FieldHandling) policy.Item {
	h := exchange.HandlingClass{Held: i.Held, Fields: parts}
	for _, m := range whole {
		h.Handling = h.Handling.Join(m)
	}
	h.TLP = h.Handling.TLP
	return i.Under(h)
}

// fate is what one combination showed.
type fate struct {
	verdict  policy.Verdict
	narrowed bool // by the marking that was added
	changes  bool // at some instant
	wrong    string
}

// combine draws a recipient, an item, its markings and an instant, and tries
// what has to hold of the decision.
func (s source) combine() fate {
	r, i, at := s.recipient(), s.item(), now.Add(time.Duration(s.IntN(120)-60)*time.Minute)
	if s.one(0.6) { // nothing but the markings stands in the way
		r, i = s.reader(), given()
		i.Handling.Persons, i.OpenedAt = []exchange.PersonID{"per_named"}, now.Add(-2*time.Hour)
	}
	var whole []exchange.Handling
	var parts []exchange.FieldHandling
	for range s.IntN(3) {
		whole = append(whole, s.marking())
	}
	for range s.IntN(3) {
		parts = append(parts, s.field())
	}
	item := marked(i, whole, parts)
	d := policy.Decide(r, item, at)
	out := fate{verdict: d.Verdict, changes: !d.Until.IsZero()}
	facts := func() string {
		return fmt.Sprintf("\nrecipient %+v\nitem %+v\nmarkings %+v\nparts %+v\nat %v", r, i, whole, parts, at)
	}

	// The order of the markings makes no difference.
	other, otherParts := slices.Clone(whole), slices.Clone(parts)
	slices.Reverse(other)
	slices.Reverse(otherParts)
	if diff := same(d, policy.Decide(r, marked(i, other, otherParts), at)); diff != "" {
		out.wrong = "another order of the markings: " + diff + facts()
		return out
	}

	// One more marking never widens: on the object, and on a part of it.
	more := s.marking()
	if len(item.Handling.Persons) == 0 {
		more.Persons = nil // to name persons is what TLP:RED asks for, not a restriction, until some are named
	}
	if len(whole) == 0 && s.one(0.5) || s.one(0.3) {
		parts = append(slices.Clone(parts), exchange.FieldHandling{Selectors: []string{"pattern"}, Handling: more})
	} else {
		whole = append(slices.Clone(whole), more)
	}
	after := policy.Decide(r, marked(i, whole, parts), at)
	if why := wider(d, after); why != "" {
		out.wrong = "one more marking widens: " + why + facts()
		return out
	}
	out.narrowed = rank(after) < rank(d)

	// The decision holds until the instant that it names.
	end := d.Until
	if end.IsZero() {
		end = at.Add(1000 * time.Hour)
	}
	for _, later := range [...]time.Time{at.Add(time.Duration(s.Int64N(int64(end.Sub(at))))), end.Add(-time.Nanosecond)} {
		if e := policy.Decide(r, item, later); e.Verdict != d.Verdict || e.Code != d.Code || e.TLP != d.TLP || !slices.Equal(e.Fields, d.Fields) {
			out.wrong = fmt.Sprintf("%v %s %v until %v, but %v %s %v at %v%s", d.Verdict, d.Code, d.Fields, d.Until, e.Verdict, e.Code, e.Fields, later, facts())
			return out
		}
	}
	return out
}

// A million random combinations of markings, recipients and instants: the
// decision is the same whatever the order of the markings, a marking that is
// added never widens it, and it holds until the instant that it names.
func TestMillionCombinations(t *testing.T) {
	combinations, workers := 1_000_000, uint64(4)
	if testing.Short() {
		combinations = 20_000
	}
	t.Logf("seed %d, %d combinations", seed, combinations)
	var mu sync.Mutex
	var wg sync.WaitGroup
	verdicts, narrowed, changes := map[policy.Verdict]int{}, 0, 0
	for w := range workers {
		wg.Go(func() {
			s := source{rand.New(rand.NewPCG(seed, w))}
			seen, less, clock := map[policy.Verdict]int{}, 0, 0
			for range combinations / int(workers) {
				f := s.combine()
				if f.wrong != "" {
					t.Error(f.wrong)
					return
				}
				seen[f.verdict]++
				if f.narrowed {
					less++
				}
				if f.changes {
					clock++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for v, n := range seen {
				verdicts[v] += n
			}
			narrowed, changes = narrowed+less, changes+clock
		})
	}
	wg.Wait()
	t.Logf("%v; %d narrowed by one marking more, %d that change by the clock", verdicts, narrowed, changes)
	for v := policy.Deny; v <= policy.AllowRedacted; v++ {
		if verdicts[v] < combinations/1000 {
			t.Errorf("%v came up %d times: the test hardly tells", v, verdicts[v])
		}
	}
	if narrowed < combinations/1000 || changes < combinations/10 {
		t.Errorf("%d narrowed, %d change by the clock: the test hardly tells", narrowed, changes)
	}
}
