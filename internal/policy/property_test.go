package policy_test

import (
	"fmt"
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
	r.Attributes.Hats, r.Hat = pick(s, nil, nil, []string{"csirt"}, []string{"csirt", "regulator"}), pick(s, "", "", "", "csirt", "regulator")
	r.Attributes.Sectors, r.Groups = pick(s, nil, []string{"energy"}), pick(s, nil, []exchange.GroupID{"responders"})
	r.Purpose = pick(s, "", "", "defence", "research")
	r.Provider = pick[exchange.OrgID](s, "", "provider-a")
	r.Rules = pick[policy.Rules](s, nil, nil, nil, program(true), program(true), program(false))
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
	i.Handling.From = s.moment(0.1)
	i.Handling.Groups = pick(s, nil, nil, nil, []exchange.GroupID{"responders"})
	i.Handling.Purposes = pick(s, nil, nil, nil, nil, []string{"defence", "research"})
	i.Handling.NotHats = pick(s, nil, nil, nil, []string{"regulator"})
	i.Handling.Attribution = pick[exchange.Attribution](s, 0, 0, 0, exchange.AttributionMay, exchange.AttributionMust, exchange.AttributionMustNot)
	i.Originators = pick(s, nil, []exchange.OrgID{"acme"}, []exchange.OrgID{"acme"}, []exchange.OrgID{"acme", org})
	i.GrantedAt, i.GrantedUntil = s.moment(0.2), s.moment(0.5)
	i.Recalled = s.one(0.05)
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
	"recall":     func(_ *policy.Recipient, i *policy.Item) { i.Recalled = true },
	"not before": func(_ *policy.Recipient, i *policy.Item) { i.Handling.From = now.Add(time.Hour) },
	"exclude the cohort": func(r *policy.Recipient, i *policy.Item) {
		i.Handling.NotCohorts = []exchange.CohortID{r.Audience.Cohort, exchange.PublicCohort}
	},
	"exclude a hat": func(_ *policy.Recipient, i *policy.Item) {
		i.Handling.NotHats = append(slices.Clone(i.Handling.NotHats), "csirt")
	},
	"another hat": func(r *policy.Recipient, _ *policy.Item) {
		if r.Hat == "" {
			r.Attributes.Hats = append(slices.Clone(r.Attributes.Hats), "regulator")
		}
	},
	"for a purpose":  func(_ *policy.Recipient, i *policy.Item) { under(i, exchange.Handling{Purposes: []string{"defence"}}) },
	"name none":      func(r *policy.Recipient, _ *policy.Item) { r.Purpose = "" },
	"limit further":  func(_ *policy.Recipient, i *policy.Item) { under(i, exchange.Handling{Sectors: []string{"energy"}}) },
	"leave groups":   func(r *policy.Recipient, _ *policy.Item) { r.Groups, r.Attributes.Sectors = nil, nil },
	"forbid by rule": func(r *policy.Recipient, _ *policy.Item) { r.Rules = program(false) },
	"end the grant": func(_ *policy.Recipient, i *policy.Item) {
		i.GrantedUntil = now
	},
	"take the grant":  func(_ *policy.Recipient, i *policy.Item) { i.GrantedAt = time.Time{} },
	"somebody else's": func(_ *policy.Recipient, i *policy.Item) { i.Originators = []exchange.OrgID{"acme"} },
	"unnamed": func(_ *policy.Recipient, i *policy.Item) {
		under(i, exchange.Handling{Attribution: exchange.AttributionMustNot})
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

// rank orders verdicts by how much they give.
func rank(d policy.Decision) int {
	switch d.Verdict {
	case policy.Allow:
		return 2
	case policy.AllowRedacted:
		return 1
	}
	return 0
}

// wider says in which way after gives more than before; "": in none.
func wider(before, after policy.Decision) string {
	switch {
	case rank(after) > rank(before):
		return fmt.Sprintf("%v %s became %v", before.Verdict, before.Code, after.Verdict)
	case rank(after) == 0:
		return ""
	case slices.ContainsFunc(before.Fields, func(f string) bool { return !slices.Contains(after.Fields, f) }):
		return fmt.Sprintf("of %v withheld only %v still are", before.Fields, after.Fields)
	case slices.Equal(before.Fields, after.Fields) && after.TLP < before.TLP:
		return fmt.Sprintf("label %s became %s", before.TLP, after.TLP)
	}
	return ""
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
			if why := wider(before, after); why != "" {
				t.Fatalf("%s: %s\nrecipient %+v\nitem %+v", name, why, r, i)
			}
			if rank(after) < rank(before) {
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
		if rank(told) > 0 && len(told.Obligations) == 0 || len(told.Steps) == 0 {
			t.Fatalf("explained without steps or obligations: %+v", told)
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
				if e.Verdict != d.Verdict || e.Code != d.Code || e.TLP != d.TLP || !slices.Equal(e.Fields, d.Fields) {
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
