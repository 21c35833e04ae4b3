package exchange

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// someOf draws some of the values; often none, sometimes twice the same.
func someOf[T any](r *rand.Rand, values ...T) (out []T) {
	for range max(0, r.IntN(6)-2) {
		out = append(out, values[r.IntN(len(values))])
	}
	return out
}

func randomHandling(r *rand.Rand) Handling {
	instant := func() time.Time {
		if r.IntN(3) > 0 {
			return time.Time{}
		}
		return time.Unix(int64(r.IntN(4)), 0).UTC()
	}
	h := Handling{
		TLP: TLP(r.IntN(6)), PAP: PAP(r.IntN(5)),
		Organisations: someOf[OrgID](r, "a", "b", "c"), Groups: someOf[GroupID](r, "g", "h"), Sectors: someOf(r, "energy", "water"),
		Persons: someOf[PersonID](r, "p", "q", Nobody), Purposes: someOf(r, "defence", "research", NoPurpose),
		NotOrgs: someOf[OrgID](r, "a", "d"), NotCohorts: someOf[CohortID](r, "early", "late"), NotHats: someOf(r, "csirt", "regulator"),
		NotIn: someOf(r, "DE", "FR"), From: instant(), Expires: instant(),
		Statement: []string{"", "", " ", "One.", "Two.\nOne.", "Zwei.\n Three."}[r.IntN(6)],
		Actions:   Actions(r.IntN(6)), Encrypt: Duty(r.IntN(3)), Notify: Duty(r.IntN(3)), Resale: Duty(r.IntN(3)),
		Attribution: Attribution(r.IntN(5)), References: someOf(r, "iep--1", "iep--2"),
	}
	for range max(0, r.IntN(4)-2) {
		h.Also = append(h.Also, AllowList{someOf[OrgID](r, "a", "b"), someOf[GroupID](r, "g"), someOf(r, "energy")})
	}
	return h
}

// canonical is h as Join writes what it joins.
func canonical(h Handling) Handling { return h.Join(h) }

// Join is commutative, associative and idempotent, and a handling that says
// nothing changes nothing.
func TestJoinIsASemilattice(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 23))
	silent := Handling{}
	for range 15_000 {
		a, b, c := randomHandling(r), randomHandling(r), randomHandling(r)
		for law, pair := range map[string][2]Handling{
			"a ⊔ b = b ⊔ a":             {a.Join(b), b.Join(a)},
			"(a ⊔ b) ⊔ c = a ⊔ (b ⊔ c)": {a.Join(b).Join(c), a.Join(b.Join(c))},
			"a ⊔ a = a":                 {canonical(a).Join(canonical(a)), canonical(a)},
			"a ⊔ (a ⊔ b) = a ⊔ b":       {a.Join(a.Join(b)), a.Join(b)},
			"a ⊔ nothing = a":           {a.Join(silent), canonical(a)},
		} {
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
				t.Fatalf("%s does not hold for\na = %+v\nb = %+v\nc = %+v\n%s", law, a, b, c, diff)
			}
		}
	}
}

// What a join forbids is at least what each of the two forbids.
func TestJoinNeverLoosens(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 31))
	for range 15_000 {
		a, b := randomHandling(r), randomHandling(r)
		j := a.Join(b)
		for _, h := range []Handling{a, b} {
			for what, ok := range map[string]bool{
				"a level": j.TLP >= h.TLP && j.PAP >= h.PAP && j.Actions >= h.Actions,
				"a duty":  j.Encrypt >= h.Encrypt && j.Notify >= h.Notify && j.Resale >= h.Resale && j.Attribution >= h.Attribution,
				"an exclusion": contains(j.NotOrgs, h.NotOrgs) && contains(j.NotCohorts, h.NotCohorts) &&
					contains(j.NotHats, h.NotHats) && contains(j.NotIn, h.NotIn),
				"a person":  within(j.Persons, h.Persons, Nobody),
				"a purpose": within(j.Purposes, h.Purposes, NoPurpose),
				"an instant": !j.From.Before(h.From) &&
					(h.Expires.IsZero() || !j.Expires.IsZero() && !j.Expires.After(h.Expires)),
			} {
				if !ok {
					t.Fatalf("%s is lost\na = %+v\nb = %+v\njoin = %+v", what, a, b, j)
				}
			}
			for _, l := range h.AllowLists() {
				if !slices.ContainsFunc(j.AllowLists(), func(o AllowList) bool { return o.compare(l) == 0 }) {
					t.Fatalf("list %+v is lost\na = %+v\nb = %+v\njoin = %+v", l, a, b, j)
				}
			}
		}
	}
}

func contains[T comparable](all, some []T) bool {
	return !slices.ContainsFunc(some, func(v T) bool { return !slices.Contains(all, v) })
}

// within reports whether everything that is on the narrower list is on the wider
// one, where that is a list at all.
func within[T comparable](narrow, wide []T, none T) bool {
	if len(wide) == 0 {
		return true
	}
	return len(narrow) > 0 && !slices.ContainsFunc(narrow, func(v T) bool { return v != none && !slices.Contains(wide, v) })
}

// A list that nobody is on stays one, whatever is joined with it.
func TestJoinKeepsAnEmptyList(t *testing.T) {
	nobody := Handling{Also: []AllowList{{}}}
	for name, h := range map[string]Handling{
		"alone": {}, "itself": nobody, "another list": {Organisations: []OrgID{"a"}}, "two": {Sectors: []string{"energy"}, Also: []AllowList{{}, {Groups: []GroupID{"g"}}}},
	} {
		if got := nobody.Join(h).AllowLists(); !slices.ContainsFunc(got, func(l AllowList) bool { return l.compare(AllowList{}) == 0 }) {
			t.Errorf("with %s: %+v", name, got)
		}
	}
}
