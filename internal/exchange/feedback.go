package exchange

import "time"

// FeedbackKind is what a recipient says about a release.
type FeedbackKind string

// The kinds.
const (
	FeedbackProtection    FeedbackKind = "protection"
	FeedbackSighting      FeedbackKind = "sighting"
	FeedbackFalsePositive FeedbackKind = "false-positive"
	FeedbackQuestion      FeedbackKind = "question"
	FeedbackNotAffected   FeedbackKind = "not-affected"
	FeedbackAcknowledged  FeedbackKind = "acknowledged"
)

// AllFeedbackKinds lists every kind.
var AllFeedbackKinds = []FeedbackKind{
	FeedbackProtection, FeedbackSighting, FeedbackFalsePositive,
	FeedbackQuestion, FeedbackNotAffected, FeedbackAcknowledged,
}

// Feedback is what one organisation says about one release. Fields beyond the
// first block belong to the kind that needs them.
type Feedback struct {
	ID      FeedbackID
	Program ProgramID
	Release ReleaseID
	Org     OrgID
	Person  PersonID
	Kind    FeedbackKind
	At      time.Time
	Object  string     // STIX id it concerns; optional
	About   ArtifactID // artifact it concerns; optional
	Text    string     // question, reason of a false positive, note

	// Protection (MAPP-16).
	Product  string
	Type     string // such as ids-signature, av-signature, edr-rule, waf-rule, patch
	Format   string // such as snort, yara, sigma
	ReadyAt  time.Time
	LiveAt   time.Time
	Regions  []string
	Share    int // share of customers covered, percent; 0: not said
	Evidence string
	Amends   FeedbackID // an earlier protection that this one replaces

	// Sighting.
	Count     int64
	FirstSeen time.Time
	LastSeen  time.Time
	Sector    string
	Region    string
}
