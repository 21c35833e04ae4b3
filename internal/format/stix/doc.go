// Package stix reads and validates STIX 2.1 content: bundles of any size in
// bounded memory, object by object, with each object's exact bytes. Nothing is
// re-marshalled. The rules are the tables of package spec; what goes against a
// MUST of the OASIS Standard of 10 June 2021 is a problem, what goes against a
// SHOULD is a warning.
//
// Not asked are: lang of every object with text (§3.2, its absence means
// English), lower case of dictionary keys (§2.3, most dictionaries keep the case
// of other standards), names in registries of others (protocols, media types,
// character sets, languages: only their form), and what needs objects that are
// not at hand. A few rules are milder than their letter, mostly because the text
// speaks against itself elsewhere: capitals in hexadecimal (§2.8, used by its
// own examples), names of hash algorithms (§6.7, the vocabulary is open), UUIDs
// that objects of two types share (§2.9, binds a producer), header fields that
// are no lists (§6.6, in its example), the source of a CVE or CAPEC id (§4.19,
// §4.1), underscores in domain names (§6.4), is_active left out (§6.12) and TLP
// labels that are younger than the standard (§7.2.1.4). These are warnings; the
// conformance corpus lists them as level must, expect warn.
package stix

import "github.com/forewarn-exchange/forewarn/internal/exchange"

// Object is what a scan reads of one STIX object. Between two calls of yield
// the struct, Raw, MarkingRefs and Granular are reused; the strings may be kept.
type Object struct {
	ID   string // type--UUID
	Type string
	// Name is the name property, or the relationship_type of a relationship, cut
	// to 256 bytes; empty where the object has none. ID and Name share memory.
	Name string

	// Version identifies the version of the object: modified, else created, in
	// Unix microseconds, finer digits cut off; 0 where it has neither.
	Version int64

	Offset int64  // where the object's first byte stands in the input
	Length int64  // the number of its bytes: input[Offset:Offset+Length] is Raw
	Raw    []byte // the exact bytes; valid until yield returns

	MarkingRefs []string // object_marking_refs, in order
	Granular    []string // the distinct marking_ref of granular_markings

	Index int // the position in the objects list
	// Duplicate says that the same id and version, byte by byte the same, stood
	// earlier in this input.
	Duplicate bool
	// DefinesTLP is the label that a marking-definition defines, by TLP 1's
	// definition or by the TLP 2.0 extension; TLPUnset for everything else.
	DefinesTLP exchange.TLP
}

// Options bound a scan. The zero value reads a bundle with the defaults.
type Options struct {
	MaxProblems int // how many problems are listed; default 1000
	MaxDepth    int // nesting within one object, itself the first level; default 64
	MaxObject   int // bytes of one object; default 16 MiB
	MaxWarnings int // how many warnings are listed, of each code at most 50; default 1000, below 0 none

	// Pattern checks the pattern of an indicator in the STIX Patterning language
	// (§9); its error's text goes into the problem, so it may not quote content.
	// Without it patterns are not looked into.
	Pattern func(pattern []byte) error
}

const (
	defaultMaxProblems = 1000
	maxWarningsOfCode  = 50
	defaultMaxDepth    = 64
	defaultMaxObject   = 16 << 20

	// maxMembers bounds the members of the bundle itself, since the decoder keeps
	// their names to refuse repeated ones.
	maxMembers = 256
	// maxTypes bounds Summary.Types; further types are counted under OtherTypes.
	maxTypes = 4096
	// maxUnresolved bounds Summary.UnresolvedMarkings.
	maxUnresolved = 10_000
	maxName       = 256
)

// OtherTypes is the key in Summary.Types for the types beyond the first 4,096.
const OtherTypes = "(other)"

func (o Options) withDefaults() Options {
	if o.MaxProblems <= 0 {
		o.MaxProblems = defaultMaxProblems
	}
	if o.MaxWarnings == 0 {
		o.MaxWarnings = defaultMaxProblems
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = defaultMaxDepth
	}
	if o.MaxObject <= 0 {
		o.MaxObject = defaultMaxObject
	}
	return o
}

// Summary is what a scan knows at its end. The input is acceptable only when
// ProblemCount is 0.
type Summary struct {
	Objects int            // elements of objects, faulty and repeated ones included
	Types   map[string]int // how many of each type

	Problems     []exchange.Problem // the first Options.MaxProblems
	ProblemCount int                // how many there were
	// Warnings are where the content goes against a SHOULD: the first
	// Options.MaxWarnings, of each code at most 50. They make nothing unacceptable.
	Warnings     []exchange.Problem
	WarningCount int
	WarningCodes map[string]int // how many of each code
	// Stopped says that the scan ended before the end of the input (a syntax
	// error, an object too large, a read error, or yield's error), so that more
	// problems may follow.
	Stopped bool

	// UnresolvedMarkings are the marking ids in use that are neither predefined
	// (TLP 1), nor well known (TLP 2.0), nor defined in this input, sorted, at
	// most 10,000. UnresolvedMore says that there may be others: refuse then.
	UnresolvedMarkings []string
	UnresolvedMore     bool

	// SelfContained says that the input has no problem and that every reference in
	// it (see Refs) leads to an object of it. It is false also where 100,000
	// references wait at once for an object that has not come.
	SelfContained bool
}
