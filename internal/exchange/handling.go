package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// TLP is a Traffic Light Protocol 2.0 label (FIRST, August 2022), ordered from
// least to most restrictive. The zero value means that no label was given; it
// never means CLEAR.
type TLP uint8

// The labels, in order.
const (
	TLPUnset TLP = iota
	TLPClear
	TLPGreen
	TLPAmber
	TLPAmberStrict
	TLPRed
)

var tlpNames = [...]string{"", "TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"}

// String returns the label as FIRST writes it: capitals, no space.
func (t TLP) String() string {
	if int(t) < len(tlpNames) {
		return tlpNames[t]
	}
	return fmt.Sprintf("TLP(%d)", uint8(t))
}

// ParseTLP reads a label in any case, with or without "TLP:". TLP 1's WHITE is
// CLEAR; an empty text is TLPUnset.
func ParseTLP(s string) (TLP, error) {
	i, ok := level(s, tlpNames[:])
	if !ok {
		return TLPUnset, Fail(Invalid, "%q is no TLP 2.0 label; use TLP:CLEAR, TLP:GREEN, TLP:AMBER, TLP:AMBER+STRICT or TLP:RED", clip(s))
	}
	return TLP(i), nil
}

// level finds s among the names of a protocol whose version 1 had WHITE for
// CLEAR, in any case, with or without the protocol's prefix. The empty text is
// the first, empty name.
func level(s string, names []string) (int, bool) {
	prefix, _, _ := strings.Cut(names[1], ":")
	s = strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(s)), prefix+":")
	switch s {
	case "":
		return 0, true
	case "WHITE":
		s = "CLEAR"
	}
	i := slices.Index(names, prefix+":"+s)
	return i, i > 0
}

// PAP is a Permissible Actions Protocol level: what a recipient may do with
// the information, as TLP says whom it may tell.
type PAP uint8

// The levels, from least to most restrictive.
const (
	PAPUnset PAP = iota
	PAPClear
	PAPGreen
	PAPAmber
	PAPRed
)

var papNames = [...]string{"", "PAP:CLEAR", "PAP:GREEN", "PAP:AMBER", "PAP:RED"}

func (p PAP) String() string {
	if int(p) < len(papNames) {
		return papNames[p]
	}
	return fmt.Sprintf("PAP(%d)", uint8(p))
}

// ParsePAP reads a level in any case, with or without "PAP:". WHITE is CLEAR;
// an empty text is PAPUnset.
func ParsePAP(s string) (PAP, error) {
	i, ok := level(s, papNames[:])
	if !ok {
		return PAPUnset, Fail(Invalid, "%q is no PAP level; use PAP:CLEAR, PAP:GREEN, PAP:AMBER or PAP:RED", clip(s))
	}
	return PAP(i), nil
}

// Handling is the policy that travels with an artifact, or that a marking puts
// on a STIX object or a part of one: the TLP label for people, and what a label
// alone does not say. A label without policy is refused at ingest; the program's
// default fills what the originator left out. How several combine is said by
// Join.
type Handling struct {
	TLP TLP
	PAP PAP

	// The allow-list: when one of the three is not empty, only the organisations
	// that are named, in a named group of the charter, or in a named sector.
	Organisations []OrgID
	Groups        []GroupID
	Sectors       []string
	Also          []AllowList // further lists that the organisation has to be on, too
	Persons       []PersonID  // the named persons of TLP:RED; [Nobody]: none is left
	Purposes      []string    // when not empty: the purposes for which it may be read; [NoPurpose]: none is left

	// Exclusions override every permission.
	NotOrgs    []OrgID
	NotCohorts []CohortID
	NotHats    []string
	NotIn      []string // jurisdictions (ISO 3166-1 alpha-2)

	From      time.Time // zero: from the beginning
	Expires   time.Time // zero: no expiry
	Statement string    // further conditions, shown with the item; several are lines

	// The dimensions of FIRST IEP 2.0. Unset: the house rule for what is absent.
	Actions     Actions
	Encrypt     Duty // encrypt_in_transit: may < must
	Notify      Duty // affected_party_notifications: may < must-not
	Resale      Duty // unmodified_resale: may < must-not
	Attribution Attribution
	References  []string // the policies behind it, such as IEP ids and URLs
}

// Fill returns h with what it leaves open taken from def.
func (h Handling) Fill(def Handling) Handling {
	if h.TLP == TLPUnset {
		h.TLP = def.TLP
	}
	if h.PAP == PAPUnset {
		h.PAP = def.PAP
	}
	if !h.lists() {
		h.Organisations, h.Groups, h.Sectors = def.Organisations, def.Groups, def.Sectors
	}
	fill(&h.NotOrgs, def.NotOrgs)
	fill(&h.NotCohorts, def.NotCohorts)
	fill(&h.NotHats, def.NotHats)
	fill(&h.NotIn, def.NotIn)
	fill(&h.Purposes, def.Purposes)
	h.Statement = cmp.Or(h.Statement, def.Statement)
	h.Actions, h.Attribution = cmp.Or(h.Actions, def.Actions), cmp.Or(h.Attribution, def.Attribution)
	h.Encrypt, h.Notify, h.Resale = cmp.Or(h.Encrypt, def.Encrypt), cmp.Or(h.Notify, def.Notify), cmp.Or(h.Resale, def.Resale)
	return h
}

func fill[T any](list *[]T, def []T) {
	if len(*list) == 0 {
		*list = def
	}
}

// lists reports whether h has an allow-list.
func (h Handling) lists() bool {
	return len(h.Organisations)+len(h.Groups)+len(h.Sectors) > 0
}

// Check lists what makes h unfit to be stored: above all a missing label or
// action level (AT-06: no ingest without a policy).
func (h Handling) Check(path string) []Problem {
	var ps []Problem
	add := func(field, msg string) { ps = append(ps, Problem{Path: path + "." + field, Message: msg}) }
	if h.TLP == TLPUnset {
		add("tlp", "no TLP label was given and the program has no default")
	}
	if h.PAP == PAPUnset {
		add("pap", "no PAP level was given and the program has no default; a label without a policy is refused")
	}
	if h.TLP == TLPClear && (len(h.AllowLists()) > 0 || len(h.Persons) > 0) {
		add("tlp", "TLP:CLEAR may not be limited to named recipients; choose a stricter label")
	}
	if h.TLP == TLPClear && len(h.Purposes) > 0 {
		add("tlp", "TLP:CLEAR may not be limited to purposes; choose a stricter label")
	}
	if !h.From.IsZero() && !h.Expires.IsZero() && !h.From.Before(h.Expires) {
		add("from", "not before it expires: nobody would receive it")
	}
	if h.Attribution == AttributionConflict {
		add("attribution", "to name the provider cannot be both a must and a must-not")
	}
	if h.TLP == TLPRed && len(h.Persons) == 0 {
		add("persons", "TLP:RED is for named persons; list them")
	}
	return ps
}

// Restricts reports whether org or a jurisdiction it sits in is excluded, or
// is missing from an allow-list.
func (h Handling) Restricts(org OrgID, jurisdictions []string) (excluded, notListed bool) {
	excluded = slices.Contains(h.NotOrgs, org)
	for _, j := range jurisdictions {
		excluded = excluded || slices.Contains(h.NotIn, j)
	}
	return excluded, len(h.Organisations) > 0 && !slices.Contains(h.Organisations, org)
}

// ValidCountry reports whether s has the form of a country code: two capital
// letters (ISO 3166-1 alpha-2).
func ValidCountry(s string) bool {
	return len(s) == 2 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// capitals is how country codes are kept: compared as they are, "de" would
// exclude nobody.
func capitals(codes []string) []string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = strings.ToUpper(strings.TrimSpace(c))
	}
	return out
}
