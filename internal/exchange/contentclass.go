package exchange

import "slices"

// ContentClass says what kind of knowledge an artifact carries. A release
// opens each class to each cohort at its own moment, so that a note that
// something is coming can be wide and early while the means to attack stay
// narrow and late.
type ContentClass string

// The content classes, from the least to the most telling where an order
// exists. A charter names those that its program uses.
const (
	AdvanceNote       ContentClass = "advance-note"
	Summary           ContentClass = "summary"
	AffectedVersions  ContentClass = "affected-versions"
	DetectionGuidance ContentClass = "detection-guidance"
	RootCause         ContentClass = "root-cause"
	ReproSteps        ContentClass = "repro-steps"
	PoC               ContentClass = "poc"
	Samples           ContentClass = "samples"
	FixBinary         ContentClass = "fix-binary"
	Workaround        ContentClass = "workaround"
	Telemetry         ContentClass = "telemetry"
)

// AllContentClasses lists every class in the order in which lists, previews
// and matrices show them.
var AllContentClasses = []ContentClass{
	AdvanceNote, Summary, AffectedVersions, DetectionGuidance, RootCause,
	ReproSteps, PoC, Samples, FixBinary, Workaround, Telemetry,
}

var contentClassText = map[ContentClass]string{
	AdvanceNote:       "Content-free notice that something is coming: how many cases, which products, which day.",
	Summary:           "What the weakness is and what it lets an attacker do, without how.",
	AffectedVersions:  "Products and version ranges that are affected, not affected or fixed.",
	DetectionGuidance: "How to recognise an attack: signatures, indicators, log patterns, conditions.",
	RootCause:         "Where in the code or design the weakness lies and why it exists.",
	ReproSteps:        "Steps that trigger the weakness. Two different people approve its release.",
	PoC:               "Working proof-of-concept code. Two different people approve its release.",
	Samples:           "Malware or attack samples, as captured.",
	FixBinary:         "The fix itself, as a build, before it is public.",
	Workaround:        "What to change or switch off until the fix is installed.",
	Telemetry:         "Aggregated counts of attacks seen, without customer data.",
}

// Valid reports whether c is one of AllContentClasses.
func (c ContentClass) Valid() bool { return slices.Contains(AllContentClasses, c) }

// NeedsTwoApprovals reports whether a release of this class is approved by
// two different people in every program, whatever its charter says.
func (c ContentClass) NeedsTwoApprovals() bool { return c == PoC || c == ReproSteps }

// Definition is one plain sentence that says what belongs into the class,
// empty for an unknown class.
func (c ContentClass) Definition() string { return contentClassText[c] }

// rank is the position in AllContentClasses; unknown classes sort last.
func (c ContentClass) rank() int {
	if i := slices.Index(AllContentClasses, c); i >= 0 {
		return i
	}
	return len(AllContentClasses)
}
