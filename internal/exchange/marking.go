package exchange

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Nobody stands for an intersection of lists of persons that leaves none.
const Nobody PersonID = "-"

// NoPurpose stands for an intersection of lists of purposes that leaves none.
const NoPurpose = "-"

// AllowList is one list of who may have something: an organisation is on it when
// it is named, in a named group, or in a named sector.
type AllowList struct {
	Organisations []OrgID
	Groups        []GroupID
	Sectors       []string
}

// Actions is what a recipient may do with information (IEP 2.0,
// permitted_actions), from least to most restrictive.
type Actions uint8

// The levels.
const (
	ActionsUnset Actions = iota
	ActionsDirect
	ActionsIndirect
	ActionsInternal
	ActionsContact
	ActionsNone
)

// Duty is an IEP 2.0 dimension with two values, from less to more restrictive:
// "may" and, as the dimension has it, "must" or "must-not".
type Duty uint8

// The values.
const (
	DutyUnset Duty = iota
	DutyMay
	DutyStrict
)

// Attribution says whether recipients may name the provider (IEP 2.0,
// attribution; provider_attribution in STIX).
type Attribution uint8

// The values. must and must-not cannot be compared: together they are a
// conflict, which holds the item until its originator has been asked.
const (
	AttributionUnset Attribution = iota
	AttributionMay
	AttributionMust
	AttributionMustNot
	AttributionConflict
)

// The words of IEP 2.0, by level; [Duty.Word] has those of duties.
var (
	actionWords = [...]string{
		"", "externally-visible-direct-actions", "externally-visible-indirect-actions",
		"internally-visible-actions", "contact-for-instruction", "none",
	}
	attributionWords = [...]string{"", "may", "must", "must-not", "conflict"}
)

// The stricter words of the dimensions that are a [Duty].
const (
	MustEncrypt   = "must"     // encrypt_in_transit
	MustNotNotify = "must-not" // affected_party_notifications
	MustNotResell = "must-not" // unmodified_resale
)

func (a Actions) String() string { return wordAt(actionWords[:], int(a)) }

func (a Attribution) String() string { return wordAt(attributionWords[:], int(a)) }

// Word is the duty as its dimension has it: may, or the stricter word.
func (d Duty) Word(strict string) string { return wordAt([]string{"", "may", strict}, int(d)) }

func wordAt(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return "unknown"
}

// ParseActions reads a level of IEP 2.0; an empty text is ActionsUnset.
func ParseActions(s string) (Actions, error) {
	i, err := wordOf(s, actionWords[:])
	return Actions(i), err
}

// ParseDuty reads may or the stricter word; an empty text is DutyUnset.
func ParseDuty(s, strict string) (Duty, error) {
	i, err := wordOf(s, []string{"", "may", strict})
	return Duty(i), err
}

// ParseAttribution reads may, must or must-not; an empty text is AttributionUnset.
func ParseAttribution(s string) (Attribution, error) {
	i, err := wordOf(s, attributionWords[:AttributionConflict])
	return Attribution(i), err
}

// wordOf is the place of s among words, in any case; the first is empty.
func wordOf(s string, words []string) (int, error) {
	i := slices.Index(words, strings.ToLower(strings.TrimSpace(s)))
	if i < 0 {
		return 0, Fail(Invalid, "%q is none of %s", clip(s), strings.Join(words[1:], ", "))
	}
	return i, nil
}

// FieldHandling is a granular marking (STIX 2.1 §7.2.3): the handling of the
// parts of an object that the selectors name.
type FieldHandling struct {
	Selectors []string // sorted, such as "description" or "labels.[0]"
	Handling  Handling
	Held      bool // the marking could not be resolved: the parts are withheld
}

// HeldMarking is a marking that nobody understands, and the handling class whose
// objects it holds.
type HeldMarking struct {
	Ref     string
	Class   int64
	Whole   bool // it holds the objects; else only parts of them
	Objects int64
}

// HeldIn is what one marking holds in one artifact.
type HeldIn struct {
	Ref      string
	Artifact ArtifactID
	Title    string
	Release  ReleaseID // "" where members wrote it
	Objects  int64     // held
	Parts    int64     // objects of which parts are withheld
	Since    time.Time // when the artifact was handed in
}

// MarkingResolution is what those who run a program say that a marking asks,
// which nobody else understood.
type MarkingResolution struct {
	Ref      string
	Handling Handling
	Reason   string
	By       PersonID
	At       time.Time
}

// Join combines two handlings by the published table (docs/guide/combination.md):
// the most restrictive wins, allow-lists intersect, exclusions unite. It is
// commutative, associative and idempotent, and its result never permits what
// one of the two forbids. Lists of the result are sorted.
func (h Handling) Join(o Handling) Handling {
	out := Handling{
		TLP: max(h.TLP, o.TLP), PAP: max(h.PAP, o.PAP),
		NotOrgs: union(h.NotOrgs, o.NotOrgs), NotCohorts: union(h.NotCohorts, o.NotCohorts),
		NotHats: union(h.NotHats, o.NotHats), NotIn: union(h.NotIn, o.NotIn),
		Persons: intersect(h.Persons, o.Persons, Nobody), Purposes: intersect(h.Purposes, o.Purposes, NoPurpose),
		From: Later(h.From, o.From), Expires: earliest(h.Expires, o.Expires),
		Statement: uniteLines(h.Statement, o.Statement),
		Actions:   max(h.Actions, o.Actions), Encrypt: max(h.Encrypt, o.Encrypt), Notify: max(h.Notify, o.Notify),
		Resale: max(h.Resale, o.Resale), Attribution: h.Attribution.join(o.Attribution),
		References: union(h.References, o.References),
	}
	all := slices.Concat(h.AllowLists(), o.AllowLists())
	slices.SortFunc(all, AllowList.compare)
	all = slices.CompactFunc(all, func(a, b AllowList) bool { return a.compare(b) == 0 })
	if len(all) > 0 && all[0].compare(AllowList{}) != 0 {
		out.Organisations, out.Groups, out.Sectors, all = all[0].Organisations, all[0].Groups, all[0].Sectors, all[1:]
	} // else: a list that nobody is on, which only Also can hold
	out.Also = some(all)
	return out
}

// AllowLists are all lists that an organisation has to be on, each sorted.
func (h Handling) AllowLists() []AllowList {
	var out []AllowList
	if h.lists() {
		out = append(out, AllowList{h.Organisations, h.Groups, h.Sectors})
	}
	out = append(out, h.Also...)
	for i, l := range out {
		out[i] = AllowList{union(l.Organisations, nil), union(l.Groups, nil), union(l.Sectors, nil)}
	}
	return out
}

func (a AllowList) compare(b AllowList) int {
	return cmp.Or(slices.Compare(a.Organisations, b.Organisations), slices.Compare(a.Groups, b.Groups), slices.Compare(a.Sectors, b.Sectors))
}

func (a Attribution) join(b Attribution) Attribution {
	if min(a, b) == AttributionMust && max(a, b) == AttributionMustNot {
		return AttributionConflict
	}
	return max(a, b)
}

func union[T cmp.Ordered](a, b []T) []T {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return some(slices.Compact(out))
}

// intersect treats an empty list as no list; none stands for what is left empty.
func intersect[T cmp.Ordered](a, b []T, none T) []T {
	if len(a) == 0 && len(b) == 0 {
		return nil
	}
	var out []T
	for _, v := range slices.Concat(a, b) {
		if v != none && (len(a) == 0 || slices.Contains(a, v)) && (len(b) == 0 || slices.Contains(b, v)) {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		return []T{none}
	}
	return union(out, nil)
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// uniteLines keeps a text as it is while nothing else is said; several are one
// list of lines.
func uniteLines(a, b string) string {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	}
	var all []string
	for _, s := range [2]string{a, b} {
		for l := range strings.SplitSeq(s, "\n") {
			if l = strings.TrimSpace(l); l != "" {
				all = append(all, l)
			}
		}
	}
	return strings.Join(union(all, nil), "\n")
}
