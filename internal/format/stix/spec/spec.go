// Package spec is the STIX 2.1 OASIS Standard (10 June 2021) as data: a table
// for each type of object, for what is embedded in objects and for the
// predefined extensions (chapters 3 to 7), the vocabularies (chapter 10) and
// the relationship types. It knows nothing of JSON; package stix checks by it.
package spec

// Kind is the form of one value (chapter 2).
type Kind uint8

// The kinds, each with its paragraph in Sections.
const (
	Any Kind = iota // not looked into
	String
	Bool
	Integer
	Float
	Time
	Hex
	Binary
	ID         // the object's own id
	Ref        // identifier of another object
	Enum       // a closed vocabulary
	Open       // an open vocabulary
	Lang       // a string that is an RFC 5646 tag
	Dictionary // keys of §2.3
	Hashes
	Embedded   // an object by the table Sub
	Extensions // §3.2, §7.3
	Markings   // object_marking_refs, §7.2.2
	Granular   // granular_markings, §7.2.3
	Container  // the deprecated observable container, §2.13
	Contents   // the translations of language-content, §7.1
	Reserved   // §3.8: may not be there
)

// Sections are the paragraphs that define the kinds.
var Sections = [...]string{
	Any: "§2", String: "§2.15", Bool: "§2.2", Integer: "§2.10", Float: "§2.6", Time: "§2.16", Hex: "§2.8", Binary: "§2.1", ID: "§2.9", Ref: "§2.9",
	Enum: "§2.4", Open: "§2.14", Lang: "§3.2", Dictionary: "§2.3", Hashes: "§2.7", Embedded: "§2", Extensions: "§3.2", Markings: "§7.2.2",
	Granular: "§7.2.3", Container: "§2.13", Contents: "§7.1", Reserved: "§3.8",
}

// Class is a family of types. It is a bit, so that sets of classes are sums.
type Class uint8

// The classes of chapters 4 to 7; Custom is every type that the standard does
// not define (§11.2, §7.3).
const (
	SDO Class = 1 << iota
	SRO
	SCO
	Meta
	Custom
)

// Form is what a string has to look like beyond being one.
type Form uint8

// The forms. A name with a capital S behind it is a SHOULD in the standard.
const (
	NoForm       Form = iota
	IPv4              // address or CIDR block, §6.8
	IPv6              // §6.9
	MAC               // §6.10
	Domain            // §6.4
	Email             // addr-spec, §6.5
	URL               // RFC 3986, §6.15
	URLS              // §2.5
	Registry          // hive not abbreviated, §6.17
	Phase             // lower case, hyphens: §2.11
	Product           // lower case, dashes: §4.12
	Country           // ISO 3166-1 alpha-2, §4.10
	Area              // ISO 3166-2, §4.10
	Relation          // a-z, 0-9, hyphen: §5.1
	Priority          // ends in _CLASS, §6.13
	WholeSecond       // a timestamp without fraction, §6.7.6
	Millis            // a timestamp with at least three digits, §3.2
	LowerCase         // §6.12.2
	PropertyName      // §7.3
	CPE               // a CPE 2.3 name, §6.14
	Charset           // the name of a character set, §3.9.1
	MIME              // type/subtype, §6.1
	Decoded           // no RFC 2047 encoding left, §6.6
)

// Prop is one row of a table of properties.
type Prop struct {
	Name       string
	Kind       Kind
	List       bool // list of that kind, not empty (§2.12)
	Required   bool
	Should     bool // absence is a warning
	Deprecated bool // presence is a warning

	Bounded  bool // Min and Max hold
	Min, Max int64

	Vocab   *Vocab   // of Enum and Open
	Types   []string // of Ref: the types allowed
	Classes Class    // of Ref: the classes allowed besides
	Soft    bool     // of Ref and Values: the restriction is not a MUST
	Sub     *Table   // of Embedded
	Values  []Kind   // of Dictionary: what the values may be; empty for anything
	ValList bool     // of Dictionary: the values are lists
	Form    Form
}

// Order says that the time To may not be before From, or, where Strict, has to
// be later.
type Order struct {
	From, To int
	Strict   bool
}

// Table is what the standard says of one type.
type Table struct {
	Name    string
	Section string // with the paragraph sign
	Class   Class
	Props   []Prop

	Required      uint64      // all of these
	Should        uint64      // SHOULD be there
	NotApplicable uint64      // common properties not in use for the type
	Own           uint64      // what the type adds to the common properties
	Any           []uint64    // at least one whole set of these
	AnyOwn        bool        // at least one of Own, or an extension
	AnyBut        uint64      // at least one property besides these
	Exclude       [][2]int    // not both
	Needs         [][2]int    // the first requires the second
	Orders        []Order     // of times
	Extensions    []*Table    // predefined, by name
	IDProps       [][]int     // ID contributing properties, in the order of Props; further ones are what known tools use
	Number        int         // place in All; -1 for embedded ones
	buckets       [64][]uint8 // of Find
}

// Vocab is a vocabulary of chapter 10.
type Vocab struct {
	Name    string
	Section string
	Closed  bool
	terms   map[string]struct{}
}

// Has reports whether a term belongs to the vocabulary.
func (v *Vocab) Has(term []byte) bool {
	_, ok := v.terms[string(term)]
	return ok
}

// Find is the place of a property in Props; -1 where the table has none.
func (t *Table) Find(name []byte) int {
	if len(name) == 0 {
		return -1
	}
	for _, i := range t.buckets[hash(name)] {
		if t.Props[i].Name == string(name) {
			return int(i)
		}
	}
	return -1
}

func hash(b []byte) uint8 {
	n := len(b)
	return (uint8(n)*31 + b[0]*7 + b[n-1]*3 + b[n/2]) & 63
}

// Extension is the predefined extension of the type with this name; nil where
// the standard defines none.
func (t *Table) Extension(name []byte) *Table {
	for _, e := range t.Extensions {
		if e.Name == string(name) {
			return e
		}
	}
	return nil
}

// Type is the table of a type of chapters 4 to 7; nil for others.
func Type(name []byte) *Table { return byType[string(name)] }

// ClassOf is the class of a type, Custom where the standard does not define it.
func ClassOf(name []byte) Class {
	if t := byType[string(name)]; t != nil {
		return t.Class
	}
	return Custom
}

// Allows reports whether a reference may point to objects of the type.
func (p *Prop) Allows(name []byte) bool {
	if p.Classes != 0 && p.Classes&ClassOf(name) != 0 {
		return true
	}
	for _, t := range p.Types {
		if t == string(name) {
			return true
		}
	}
	return false
}
