package record

import (
	"maps"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Words is an act in plain words, such as "approved a release".
func Words(k exchange.EventKind) string {
	if w, ok := words[k]; ok {
		return w
	}
	return strings.ReplaceAll(string(k), ".", ": ")
}

// Kinds are the acts that there are, by name.
func Kinds() []exchange.EventKind { return slices.Sorted(maps.Keys(words)) }

var words = map[exchange.EventKind]string{
	exchange.EventProgramApplied:     "put a charter in force",
	exchange.EventOrgAdded:           "added an organisation",
	exchange.EventOrgChanged:         "changed an organisation",
	exchange.EventOrgSuspended:       "suspended an organisation",
	exchange.EventOrgResumed:         "let an organisation in again",
	exchange.EventJurisdictionSet:    "set a line of the register of jurisdictions",
	exchange.EventPersonAdded:        "added a person",
	exchange.EventPersonChanged:      "changed a person",
	exchange.EventPersonSuspended:    "suspended a person",
	exchange.EventPersonResumed:      "let a person in again",
	exchange.EventTokenIssued:        "issued a token",
	exchange.EventTokenRevoked:       "revoked a token",
	exchange.EventConnectionAdded:    "connected a machine",
	exchange.EventConnectionTested:   "tested a connection",
	exchange.EventConnectionRemoved:  "removed a connection",
	exchange.EventLinkIssued:         "issued a sign-in link",
	exchange.EventSignedIn:           "signed in",
	exchange.EventSignedOut:          "signed out",
	exchange.EventMemberJoined:       "made an organisation a member",
	exchange.EventMemberLeft:         "ended a membership",
	exchange.EventMemberSuspended:    "suspended a member",
	exchange.EventMemberResumed:      "let a member in again",
	exchange.EventMemberMoved:        "moved a member to another audience",
	exchange.EventMemberHidden:       "kept a membership from the other members",
	exchange.EventMemberShown:        "let the other members know of a membership",
	exchange.EventAgreementAccepted:  "accepted the agreement",
	exchange.EventAgreementRefused:   "accepted an agreement, which did not count",
	exchange.EventReleaseCreated:     "began a release",
	exchange.EventReleaseEdited:      "edited a release",
	exchange.EventArtifactSubmitted:  "handed in an artifact",
	exchange.EventArtifactRemoved:    "took an artifact out",
	exchange.EventReleaseSent:        "sent a release to the approvers",
	exchange.EventReleaseApproved:    "approved a release",
	exchange.EventReleaseMoved:       "moved the public release",
	exchange.EventReleaseOffered:     "offered a release to who is entitled now",
	exchange.EventWaveHeld:           "held waves",
	exchange.EventWaveResumed:        "put held waves back on the clock",
	exchange.EventWavePushed:         "opened waves early",
	exchange.EventWaveKilled:         "took waves out of the plan",
	exchange.EventWaveOpened:         "opened a wave",
	exchange.EventReleaseWithdrawn:   "took a release back",
	exchange.EventReleaseContained:   "froze a release for a suspected leak",
	exchange.EventReleaseRearmed:     "opened the case that follows an incomplete fix",
	exchange.EventReleaseClosed:      "closed a release",
	exchange.EventPageServed:         "was given pages of objects",
	exchange.EventObjectServed:       "was given an object",
	exchange.EventArtifactDownloaded: "downloaded an artifact",
	exchange.EventArtifactOpened:     "opened an artifact",
	exchange.EventReleaseOpened:      "opened a release",
	exchange.EventFeedback:           "gave feedback",
	exchange.EventFeedbackRefused:    "gave feedback, which was refused",
	exchange.EventContributed:        "wrote objects into the collection",
	exchange.EventContributionGone:   "took objects out of the collection",
	exchange.EventWebhookAdded:       "added a webhook",
	exchange.EventWebhookChanged:     "changed a webhook",
	exchange.EventWebhookDisabled:    "stopped a webhook that failed",
	exchange.EventWebhookRemoved:     "removed a webhook",
	exchange.EventRecalled:           "took back what was shared",
	exchange.EventParentRecalled:     "was warned that something it was made from was taken back",
	exchange.EventRecallAcknowledged: "said what it did about a recall",
	exchange.EventRecallReminded:     "reminded the holders of a recall",
	exchange.EventReshareAsked:       "asked to pass something on",
	exchange.EventReshareAnswered:    "answered a request to pass something on",
	exchange.EventReshareLapsed:      "let a request lapse without an answer",
	exchange.EventReshareGranted:     "granted a request to pass something on",
	exchange.EventReshareWithdrawn:   "took back a request to pass something on",
	exchange.EventReshareRevoked:     "ended a permission to pass something on",
	exchange.EventHandlingChanged:    "changed the handling of an artifact",
	exchange.EventMarkingResolved:    "said what a marking asks",
	exchange.EventBasisAdded:         "added a line to the register of legal bases",
	exchange.EventHatChosen:          "chose a hat to act in",
	exchange.EventSourceNamed:        "asked who stands behind a name",
	exchange.EventOpeningErased:      "erased the opening of an entry",
	exchange.EventWitnessAgreed:      "heard a witness agree with the ledger",
	exchange.EventWitnessDisagreed:   "heard a witness contradict the ledger",
	exchange.EventWitnessResolved:    "settled what a witness held against the ledger",
	exchange.EventLedgerRotated:      "gave the ledger a further key",
	exchange.EventLedgerKeyRetired:   "retired a key of the ledger",
	exchange.EventLedgerClosed:       "closed a log of the ledger",
	exchange.EventLedgerOpened:       "opened the log that follows",
	exchange.EventLedgerRolledBack:   "opened a log after the store was put back",
}
