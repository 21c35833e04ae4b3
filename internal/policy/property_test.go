package policy_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

const rounds = 20_000

// source makes random facts. Values are drawn so that allowing is not rare.
type source struct{ *rand.Rand }

func (s source) one(of float64) bool { return s.Float64() < of }

// moment is the zero time, or an instant within six hours of now.
func (s source) moment(present float64) time.Time {
	if !s.one(present) {
		return time.Time{}
	}
	return now.Add(time.Duration(s.IntN(12*60)-6*60) * time.Minute)
}

func pick[T any](s source, of ...T) T { return of[s.IntN(len(of))] }

func (s source) recipient() policy.Recipient {
	r := member()
	r.Anonymous = s.one(0.05)
	r.Org = pick[exchange.OrgID](s, org, "av-a")
	r.Person = pick[exchange.PersonID](s, "", person, "per_named")
	r.Suspended = s.one(0.05)
	r.Owner = s.one(0.1)
	r.Member = s.one(0.95)
	r.Client = s.one(0.2)
	r.Audience = pick(s, exchange.Audience{Cohort: "early"}, exchange.Audience{Cohort: "early", Compelled: true}, r.Audience, r.Audience, exchange.Audience{})
	r.Accepted = pick(s, 0, 1, 1, 1, 2)
	r.Jurisdictions = pick(s, []string{"DE"}, []string{"XA"}, []string{"XA", "DE"}, nil)
	r.DeniedClasses = pick(s, nil, nil, []exchange.ContentClass{exchange.PoC})
	r.Program = pick[exchange.ProgramID](s, "", "", "early-warning", "another")
	r.Ceiling = pick[exchange.TLP](s, 0, 0, exchange.TLPGreen, exchange.TLPAmber, exchange.TLPRed)
	r.MayRead = s.one(0.95)
	r.Channel = pick(s, exchange.ChannelWeb, exchange.ChannelAPI, exchange.ChannelTAXII)
	if r.Anonymous {
		r = policy.Recipient{Anonymous: true, MayRead: true, Channel: exchange.ChannelPublic}
	}
	return r
}

func (s source) item() policy.Item {
	i := given()
	i.State = pick(s, exchange.ReleaseDraft, exchange.ReleaseReleasing, exchange.ReleasePublic, exchange.ReleaseContained, exchange.ReleaseClosed, exchange.ReleaseWithdrawn)
	i.Class = pick(s, exchange.PoC, exchange.DetectionGuidance, exchange.Summary)
	i.Handling.TLP = pick(s, exchange.TLPClear, exchange.TLPClear, exchange.TLPGreen, exchange.TLPAmber, exchange.TLPAmberStrict, exchange.TLPRed)
	i.Handling.Persons = pick(s, nil, []exchange.PersonID{"per_named"})
	i.Handling.Organisations = pick(s, nil, nil, nil, []exchange.OrgID{org})
	i.Handling.NotOrgs = pick(s, nil, nil, nil, []exchange.OrgID{org})
	i.Handling.NotIn = pick(s, nil, nil, nil, []string{"XA"})
	i.Handling.Expires = s.moment(0.2)
	i.Held = s.one(0.05)
	i.Removed = s.one(0.05)
	i.OpenedAt, i.OpensAt, i.PublicAt = s.moment(0.9), s.moment(0.5), s.moment(0.4)
	i.ReleasedAt = s.moment(0.4)
	return i
}

// restrictions each take something away from the recipient or from the item.
var restrictions = map[string]func(*policy.Recipient, *policy.Item){
	"suspend":                func(r *policy.Recipient, _ *policy.Item) { r.Suspended = true },
	"no owner":               func(r *policy.Recipient, _ *policy.Item) { r.Owner = false },
	"no member":              func(r *policy.Recipient, _ *policy.Item) { r.Member = false },
	"make a client":          func(r *policy.Recipient, _ *policy.Item) { r.Client = true },
	"make a machine":         func(r *policy.Recipient, _ *policy.Item) { r.Person = "" },
	"take out of the cohort": func(r *policy.Recipient, _ *policy.Item) { r.Audience = exchange.Audience{} },
	"older agreement":        func(r *policy.Recipient, _ *policy.Item) { r.Accepted-- },
	"another jurisdiction": func(r *policy.Recipient, _ *policy.Item) {
		r.Jurisdictions = append(slices.Clone(r.Jurisdictions), "XA")
	},
	"deny the class": func(r *policy.Recipient, i *policy.Item) {
		r.DeniedClasses = append(slices.Clone(r.DeniedClasses), i.Class)
	},
	"bind to a program": func(r *policy.Recipient, _ *policy.Item) { r.Program = "another" },
	"lower the ceiling": func(r *policy.Recipient, _ *policy.Item) {
		if r.Ceiling == 0 || r.Ceiling > exchange.TLPGreen {
			r.Ceiling = exchange.TLPGreen
		}
	},
	"no read": func(r *policy.Recipient, _ *policy.Item) { r.MayRead = false },
	"machine's channel": func(r *policy.Recipient, _ *policy.Item) {
		if !r.Anonymous {
			r.Channel = exchange.ChannelTAXII
		}
	},
	"stricter label": func(_ *policy.Recipient, i *policy.Item) { i.Handling.TLP = min(i.Handling.TLP+1, exchange.TLPRed) },
	"exclude": func(r *policy.Recipient, i *policy.Item) {
		i.Handling.NotOrgs = append(slices.Clone(i.Handling.NotOrgs), r.Org)
	},
	"exclude a country": func(_ *policy.Recipient, i *policy.Item) {
		i.Handling.NotIn = append(slices.Clone(i.Handling.NotIn), "DE")
	},
	"limit to others": func(_ *policy.Recipient, i *policy.Item) {
		i.Handling.Organisations = []exchange.OrgID{"somebody-else"}
	},
	"name nobody": func(_ *policy.Recipient, i *policy.Item) { i.Handling.Persons = nil },
	"expire": func(_ *policy.Recipient, i *policy.Item) {
		if i.Handling.Expires.IsZero() || i.Handling.Expires.After(now) {
			i.Handling.Expires = now
		}
	},
	"hold":           func(_ *policy.Recipient, i *policy.Item) { i.Held = true },
	"remove":         func(_ *policy.Recipient, i *policy.Item) { i.Removed = true },
	"withdraw":       func(_ *policy.Recipient, i *policy.Item) { i.State = exchange.ReleaseWithdrawn },
	"require newer":  func(_ *policy.Recipient, i *policy.Item) { i.Required++ },
	"not opened":     func(_ *policy.Recipient, i *policy.Item) { i.OpenedAt = time.Time{} },
	"not public":     func(_ *policy.Recipient, i *policy.Item) { i.PublicAt = time.Time{} },
	"not released":   func(_ *policy.Recipient, i *policy.Item) { i.ReleasedAt = time.Time{} },
	"released later": func(_ *policy.Recipient, i *policy.Item) { i.ReleasedAt = now.Add(time.Hour) },
}

// A further restriction never turns a refusal into a permission, and never
// shows a lower label than before.
func TestRestrictionNeverWidens(t *testing.T) {
	s := source{rand.New(rand.NewPCG(3, 7))}
	allowed, narrowed := 0, map[string]int{}
	for range rounds {
		r, i := s.recipient(), s.item()
		before := policy.Decide(r, i, now)
		if before.Allowed() {
			allowed++
		}
		for name, apply := range restrictions {
			r2, i2 := r, i
			apply(&r2, &i2)
			after := policy.Decide(r2, i2, now)
			if after.Allowed() && !before.Allowed() {
				t.Fatalf("%s: %v %s became ALLOW\nrecipient %+v\nitem %+v", name, before.Verdict, before.Code, r, i)
			}
			if after.TLP < before.TLP {
				t.Fatalf("%s: label %s became %s\nitem %+v", name, before.TLP, after.TLP, i)
			}
			if before.Allowed() && !after.Allowed() {
				narrowed[name]++
			}
		}
	}
	if allowed < rounds/20 || allowed > rounds*19/20 {
		t.Errorf("%d of %d random facts are allowed: the test hardly tells", allowed, rounds)
	}
	for name := range restrictions {
		if narrowed[name] == 0 {
			t.Errorf("%q never made a difference", name)
		}
	}
}

// The same facts at the same instant give the same answer, with and without
// its explanation.
func TestDecisionIsDeterministic(t *testing.T) {
	s := source{rand.New(rand.NewPCG(5, 11))}
	for range rounds {
		r, i := s.recipient(), s.item()
		first, again, told := policy.Decide(r, i, now), policy.Decide(r, i, now), policy.Explain(r, i, now)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatal(diff)
		}
		told.Steps, told.Obligations = nil, nil
		if diff := cmp.Diff(first, told); diff != "" {
			t.Fatalf("explained (-plain +explained):\n%s", diff)
		}
	}
}

// Until Until nothing changes; and where it says never, nothing ever does.
func TestDecisionHoldsUntilUntil(t *testing.T) {
	s := source{rand.New(rand.NewPCG(13, 17))}
	changed := 0
	for range rounds {
		r, i := s.recipient(), s.item()
		at := now
		for range 8 { // along the clock, from one Until to the next
			d := policy.Decide(r, i, at)
			end := d.Until
			if end.IsZero() {
				end = at.Add(1000 * time.Hour)
			} else if !end.After(at) {
				t.Fatalf("until %v is not after %v", end, at)
			}
			span := end.Sub(at)
			for _, later := range []time.Time{at.Add(time.Duration(s.Int64N(int64(span)))), end.Add(-time.Nanosecond)} {
				e := policy.Decide(r, i, later)
				if e.Verdict != d.Verdict || e.Code != d.Code || e.TLP != d.TLP {
					t.Fatalf("%v %s %s at %v, until %v; but %v %s %s at %v\nrecipient %+v\nitem %+v",
						d.Verdict, d.Code, d.TLP, at, d.Until, e.Verdict, e.Code, e.TLP, later, r, i)
				}
			}
			if d.Until.IsZero() {
				break
			}
			if policy.Decide(r, i, end).Verdict != d.Verdict {
				changed++
			}
			at = end
		}
	}
	if changed == 0 {
		t.Error("the clock never changed a verdict: the test tells nothing")
	}
}
