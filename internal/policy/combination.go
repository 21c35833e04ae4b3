package policy

import "github.com/forewarn-exchange/forewarn/internal/exchange"

// Combine is how two values of a dimension become one.
type Combine string

// The ways.
const (
	MostRestrictive Combine = "the most restrictive"
	EachList        Combine = "the recipient has to be on each list"
	Intersection    Combine = "what is on both lists; nothing, where nothing is"
	Union           Combine = "all of them; they override every permission"
	Latest          Combine = "the latest"
	Earliest        Combine = "the earliest"
	Carry           Combine = "all are carried, each once"
)

// Dimension is one line of the combination table: what a handling can say, and
// what holds when several handlings say it, none does, or what one says is not
// understood.
type Dimension struct {
	Name    string
	Values  []string // from the least to the most restrictive; nil: they have no order
	Combine Combine
	Besides string // what Combine does not say
	Absent  string
	Unknown string
}

// Combination is the table by which exchange.Handling.Join combines (formats
// §3.6). docs/guide/combination.md is made from it.
var Combination = []Dimension{
	{
		Name: "TLP", Values: labels(exchange.TLPClear, exchange.TLPRed), Combine: MostRestrictive,
		Absent: "the default of the program; never TLP:CLEAR", Unknown: "held",
	},
	{
		Name: "PAP", Values: labels(exchange.PAPClear, exchange.PAPRed), Combine: MostRestrictive,
		Absent: "the default of the program; in a marking PAP:CLEAR, before the public release PAP:AMBER", Unknown: "PAP:RED",
	},
	{
		Name: "recipients: organisations, groups, sectors", Combine: EachList,
		Besides: "one list is organisations, groups and sectors together: who is named in any of the three is on it",
		Absent:  "all to whom the label lets it go", Unknown: "held",
	},
	{
		Name: "persons of TLP:RED", Combine: Intersection,
		Absent: "nobody", Unknown: "nobody",
	},
	{
		Name: "purposes", Combine: Intersection,
		Absent: "any purpose", Unknown: "a purpose that nobody reads for",
	},
	{
		Name: "exclusions: organisations, cohorts, hats, jurisdictions", Combine: Union,
		Absent: "nobody is excluded", Unknown: "held",
	},
	{
		Name: "begins", Combine: Latest,
		Absent: "it holds from the beginning", Unknown: "held",
	},
	{
		Name: "expires", Combine: Earliest,
		Besides: "the end of an IEP policy is not one: what the policy says goes on holding",
		Absent:  "it does not expire", Unknown: "held",
	},
	{
		Name: "permitted actions (IEP)", Values: []string{
			"externally-visible-direct-actions", "externally-visible-indirect-actions",
			"internally-visible-actions", "contact-for-instruction", "none",
		},
		Combine: MostRestrictive,
		Besides: "what holds is the more restrictive of this and PAP: CLEAR and GREEN count as direct, AMBER as indirect, RED as internal",
		Absent:  "what PAP permits", Unknown: "none",
	},
	{
		Name: "encryption in transit (IEP)", Values: []string{"may", "must"}, Combine: MostRestrictive,
		Absent: "must, unless it is public and TLP:CLEAR", Unknown: "must",
	},
	{
		Name: "telling affected parties (IEP)", Values: []string{"may", "must-not"}, Combine: MostRestrictive,
		Absent: "may, once it is public", Unknown: "must-not",
	},
	{
		Name: "unmodified resale (IEP)", Values: []string{"may", "must-not"}, Combine: MostRestrictive,
		Absent: "must-not, unless it is public and TLP:CLEAR", Unknown: "must-not",
	},
	{
		Name: "naming the provider (IEP)", Values: []string{"may", "must", "must-not"}, Combine: MostRestrictive,
		Besides: "must and must-not contradict each other: held, and the originator is asked",
		Absent:  "must-not where no originator is known, unless it is public and TLP:CLEAR; else nothing is said", Unknown: "must-not",
	},
	{
		Name: "statements and references", Combine: Carry,
		Absent: "none", Unknown: "carried",
	},
}

func labels[T interface {
	~uint8
	String() string
}](from, to T) (out []string) {
	for l := from; l <= to; l++ {
		out = append(out, l.String())
	}
	return out
}
