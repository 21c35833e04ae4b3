package lookup

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/observable"
	"github.com/forewarn-exchange/forewarn/internal/valueindex"
)

// Answer is what the exchange knows of the values asked for, as far as the asker
// may know it.
type Answer struct {
	Next     int     // values before this index were answered; the rest is for another look-up
	Known    []Known // by index
	Matches  int     // in all of Known
	Faults   []Fault // by index
	Complete bool    // else objects that came into being are not in the index yet
}

// Known is a value that is known.
type Known struct {
	Index   int // among the values asked for, from 0
	Value   observable.Value
	Matches []Match
	Capped  bool // there are more than are told
}

// Fault is a value that could not be looked up.
type Fault struct {
	Index   int
	Message string
}

// Match is one object that holds a value which matches.
type Match struct {
	How        valueindex.How
	Value      string // of the object
	Object     Seen
	Name       string
	ValidFrom  time.Time
	ValidUntil time.Time
	Revoked    bool
}

// candidate is objects under one handling class that match a value asked for.
type candidate struct {
	asked int // index
	match valueindex.Match
	group valueindex.Group
}

// What bounds the work of one look-up.
const (
	maxCandidates = 100_000 // groups of objects that are weighed; then the rest is for another look-up
	perValue      = 10_000  // of them for one value
	objectsOf     = 1024    // objects of one value that are looked at
	perShow       = 4096    // objects that are looked at together
)

// Ask looks values up for the actor. What it tells of objects is recorded as
// delivered. Values that stand in no object that the actor may see are not told
// apart from values that stand in none.
func (s *Service) Ask(ctx context.Context, a exchange.Actor, values []string) (*Answer, error) {
	if len(values) > MaxValues {
		return nil, exchange.Fail(exchange.Exhausted, "a look-up takes 100,000 values at most; nothing was looked up")
	}
	out := &Answer{Next: len(values)}
	var err error
	if out.Complete, err = s.Follow(ctx, perRound); err != nil {
		return nil, err
	}
	sight, err := s.c.Sight(ctx, a)
	if err != nil {
		return nil, err
	}
	q := &question{
		s: s, sight: sight, out: out, classes: map[int64]int64{}, cut: map[int]bool{}, parsed: map[int]observable.Value{},
		withheld: map[valueindex.Match]struct{}{}, last: valueindex.NoMatch,
	}
	for i, text := range values {
		if len(q.list) >= maxCandidates {
			out.Next = i
			break
		}
		q.value(i, text)
	}
	if err := q.weigh(ctx); err != nil {
		return nil, err
	}
	if err := q.tell(ctx); err != nil {
		return nil, err
	}
	out.Faults = slices.DeleteFunc(out.Faults, func(f Fault) bool { return f.Index >= out.Next })
	return out, nil
}

// question is a look-up under way.
type question struct {
	s       *Service
	sight   Sight
	out     *Answer
	found   []valueindex.Match // scratch
	objects []int64            // scratch
	list    []candidate
	classes map[int64]int64          // with their artifacts
	cut     map[int]bool             // values of which not everything was weighed
	parsed  map[int]observable.Value // those with candidates
	// withheld are matches of which the asker holds nothing: many values may have
	// the same one, and none should take longer for it.
	withheld map[valueindex.Match]struct{}
	last     valueindex.Match // one of them
	give     []Seen
	given    map[int64]int // where in give an object is
	left     left
}

// value finds where the i-th value may stand. Of what the asker does not hold
// nothing remains after this.
func (q *question) value(i int, text string) {
	v, err := observable.Parse(text)
	if err != nil {
		q.out.Faults = append(q.out.Faults, Fault{i, err.Error()})
		return
	}
	found, cut := q.s.index.Find(v, q.found[:0])
	q.found = found
	n := 0
	for _, m := range found {
		if m == q.last {
			continue
		}
		if _, none := q.withheld[m]; none {
			q.last = m
			continue
		}
		before := n
		q.s.index.Groups(m, func(g valueindex.Group) {
			if !q.sight.Holds(g.Artifact, q.s.program(g.Artifact)) {
				return
			}
			if n++; n > perValue {
				cut = true
				return
			}
			q.list = append(q.list, candidate{i, m, g})
			q.classes[g.Class] = g.Artifact
		})
		if n == before {
			q.withheld[m] = struct{}{}
		}
	}
	if n > 0 {
		q.parsed[i], q.cut[i] = v, cut
	}
}

// weigh keeps the candidates whose handling class the asker may see.
func (q *question) weigh(ctx context.Context) error {
	may, err := q.sight.Allows(ctx, q.classes)
	if err != nil {
		return err
	}
	q.list = slices.DeleteFunc(q.list, func(c candidate) bool { return !may[c.group.Class] })
	return nil
}

// hit is one object behind one value.
type hit struct {
	match  valueindex.Match
	object int64
}

// asked is a value with what may be told of it.
type asked struct {
	index int
	hits  []hit
}

// tell fills in the answer from what remained, a stretch of values at a time.
func (q *question) tell(ctx context.Context) error {
	q.given = map[int64]int{}
	for len(q.list) > 0 && q.list[0].asked < q.out.Next {
		var stretch []asked
		numbers := map[int64]struct{}{}
		for len(q.list) > 0 && len(numbers) < perShow {
			one := q.first()
			for _, h := range one.hits {
				numbers[h.object] = struct{}{}
			}
			stretch = append(stretch, one)
		}
		shown, err := q.sight.Show(ctx, slices.Sorted(maps.Keys(numbers)))
		if err != nil {
			return err
		}
		may := make(map[int64]Seen, len(shown))
		for _, o := range shown {
			may[o.Number] = o
		}
		for _, one := range stretch {
			if q.out.Matches+MaxMatches > MaxAnswer {
				q.out.Next = one.index
				break
			}
			q.known(one, may)
		}
	}
	if err := q.sight.Give(ctx, q.give); err != nil {
		return err
	}
	for i := range q.out.Known {
		for j := range q.out.Known[i].Matches {
			m := &q.out.Known[i].Matches[j]
			m.Object = q.give[q.given[m.Object.Number]]
			m.describe()
		}
	}
	return nil
}

// first takes the candidates of the first value off the list.
func (q *question) first() asked {
	one := asked{index: q.list[0].asked}
	n := 0
	for n < len(q.list) && q.list[n].asked == one.index {
		c := q.list[n]
		n++
		if len(one.hits) >= objectsOf {
			q.cut[one.index] = true
			continue
		}
		q.objects = q.s.index.Objects(c.group, q.objects[:0])
		if len(q.objects) >= valueindex.Kept-1 {
			q.cut[one.index] = true
		}
		for _, o := range q.objects {
			one.hits = append(one.hits, hit{c.match, o})
		}
	}
	q.list = q.list[n:]
	one.hits = inOrder(one.hits)
	return one
}

// known adds what may be told of a value to the answer.
func (q *question) known(one asked, may map[int64]Seen) {
	k := Known{Index: one.index, Value: q.parsed[one.index], Capped: q.cut[one.index]}
	for _, h := range one.hits {
		o, ok := may[h.object]
		if !ok || o.Copy != nil && !q.left.holds(o, q.s.index.Text(h.match)) {
			continue
		}
		if len(k.Matches) >= MaxMatches {
			k.Capped = true
			break
		}
		if _, again := q.given[h.object]; !again {
			q.given[h.object] = len(q.give)
			q.give = append(q.give, o)
		}
		k.Matches = append(k.Matches, Match{How: h.match.How, Value: q.s.index.Text(h.match), Object: o})
	}
	if len(k.Matches) > 0 {
		q.out.Matches += len(k.Matches)
		q.out.Known = append(q.out.Known, k)
	}
}

// inOrder puts the closest matches first, and of those the newest objects. An
// object that matches in several ways counts for the closest.
func inOrder(hs []hit) []hit {
	slices.SortFunc(hs, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.match.How, b.match.How), cmp.Compare(b.object, a.object))
	})
	seen := map[int64]bool{}
	return slices.DeleteFunc(hs, func(h hit) bool {
		again := seen[h.object]
		seen[h.object] = true
		return again
	})
}

// describe reads what is told of an object. Objects were checked when they came
// in: what does not read so is left out.
func (m *Match) describe() {
	var o struct {
		Name       string    `json:"name"`
		ValidFrom  time.Time `json:"valid_from"`
		ValidUntil time.Time `json:"valid_until"`
		Revoked    bool      `json:"revoked"`
	}
	_ = json.Unmarshal(m.Object.Raw, &o)
	m.Name, m.ValidFrom, m.ValidUntil, m.Revoked = o.Name, o.ValidFrom, o.ValidUntil, o.Revoked
}
