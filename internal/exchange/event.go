package exchange

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// EventKind names an act, as <noun>.<verb>.
type EventKind string

// The acts that are recorded. Every one is written in the transaction of the
// act itself.
const (
	EventProgramApplied     EventKind = "program.apply"
	EventOrgAdded           EventKind = "organisation.add"
	EventOrgChanged         EventKind = "organisation.change"
	EventOrgSuspended       EventKind = "organisation.suspend"
	EventOrgResumed         EventKind = "organisation.resume"
	EventJurisdictionSet    EventKind = "jurisdiction.set"
	EventPersonAdded        EventKind = "person.add"
	EventPersonChanged      EventKind = "person.change"
	EventPersonSuspended    EventKind = "person.suspend"
	EventPersonResumed      EventKind = "person.resume"
	EventTokenIssued        EventKind = "token.issue"
	EventTokenRevoked       EventKind = "token.revoke"
	EventConnectionAdded    EventKind = "connection.add"
	EventConnectionTested   EventKind = "connection.test"
	EventConnectionRemoved  EventKind = "connection.remove"
	EventLinkIssued         EventKind = "link.issue"
	EventSignedIn           EventKind = "session.open"
	EventSignedOut          EventKind = "session.close"
	EventMemberJoined       EventKind = "member.join"
	EventMemberLeft         EventKind = "member.leave"
	EventMemberSuspended    EventKind = "member.suspend"
	EventMemberResumed      EventKind = "member.resume"
	EventMemberMoved        EventKind = "member.move"
	EventMemberHidden       EventKind = "member.hide"
	EventMemberShown        EventKind = "member.unhide"
	EventAgreementAccepted  EventKind = "agreement.accept"
	EventAgreementRefused   EventKind = "agreement.refuse" // an acceptance that did not count, such as of a superseded version
	EventReleaseCreated     EventKind = "release.create"
	EventReleaseEdited      EventKind = "release.edit"
	EventArtifactSubmitted  EventKind = "artifact.submit"
	EventArtifactRemoved    EventKind = "artifact.remove"
	EventReleaseSent        EventKind = "release.send"
	EventReleaseApproved    EventKind = "release.approve"
	EventReleaseMoved       EventKind = "release.move"
	EventReleaseOffered     EventKind = "release.offer"
	EventWaveHeld           EventKind = "wave.hold"
	EventWaveResumed        EventKind = "wave.resume"
	EventWavePushed         EventKind = "wave.push"
	EventWaveKilled         EventKind = "wave.kill"
	EventWaveOpened         EventKind = "wave.open"
	EventReleaseWithdrawn   EventKind = "release.withdraw"
	EventReleaseContained   EventKind = "release.contain"
	EventReleaseRearmed     EventKind = "release.rearm"
	EventReleaseClosed      EventKind = "release.close"
	EventPageServed         EventKind = "page.serve"
	EventObjectServed       EventKind = "object.serve"
	EventArtifactDownloaded EventKind = "artifact.download"
	EventArtifactOpened     EventKind = "artifact.open"
	EventReleaseOpened      EventKind = "release.open"
	EventFeedback           EventKind = "feedback.give"
	EventFeedbackRefused    EventKind = "feedback.refuse"
	EventContributed        EventKind = "contribution.add"
	EventContributionGone   EventKind = "contribution.remove"
	EventWebhookAdded       EventKind = "webhook.add"
	EventWebhookChanged     EventKind = "webhook.change" // paused, resumed, replayed, or given a new key
	EventWebhookDisabled    EventKind = "webhook.disable"
	EventWebhookRemoved     EventKind = "webhook.remove"
	EventRecalled           EventKind = "recall.issue"   // recalled, superseded, narrowed or expired
	EventParentRecalled     EventKind = "recall.derived" // of what something was made from
	EventRecallAcknowledged EventKind = "recall.acknowledge"
	EventRecallReminded     EventKind = "recall.remind"
	EventReshareAsked       EventKind = "reshare.ask"
	EventReshareAnswered    EventKind = "reshare.answer"
	EventReshareLapsed      EventKind = "reshare.lapse"    // nobody answered in time: no
	EventReshareGranted     EventKind = "reshare.grant"    // every originator said yes
	EventReshareWithdrawn   EventKind = "reshare.withdraw" // by who asked
	EventReshareRevoked     EventKind = "reshare.revoke"   // by an originator: what was granted ends
	EventHandlingChanged    EventKind = "handling.change"
	EventMarkingResolved    EventKind = "marking.resolve"
	EventBasisAdded         EventKind = "basis.add"
	EventHatChosen          EventKind = "session.hat"
	EventSourceNamed        EventKind = "source.name" // an operator asked who stands behind a name
	EventOpeningErased      EventKind = "opening.erase"
	EventWitnessDisagreed   EventKind = "witness.disagree" // it saw another history of the ledger
	EventWitnessAgreed      EventKind = "witness.agree"    // its first cosignature, or the first after its word against the ledger
	EventWitnessResolved    EventKind = "witness.resolve"  // an operator settled a disagreement
	EventLedgerRotated      EventKind = "ledger.rotate"
	EventLedgerKeyRetired   EventKind = "ledger.key_retired"
	EventLedgerClosed       EventKind = "ledger.close"
	EventLedgerOpened       EventKind = "ledger.open"     // after one that was closed
	EventLedgerRolledBack   EventKind = "ledger.rollback" // after one that the store no longer knows all of
)

// Event is one act: who did what to what, when. Events are numbered in commit
// order without gaps. The ledger holds a commitment to their canonical bytes.
type Event struct {
	Seq     int64
	At      time.Time
	Kind    EventKind
	Actor   Actor // Person, Token, Org, Channel, Hat and Purpose are recorded
	Program ProgramID
	Release ReleaseID
	Org     OrgID    // the organisation concerned, when it is not the actor's
	Subject []string // identifiers of what the act touched, in the act's order
	Detail  Detail

	Number  int64  // among the events of its program, from 1 without gaps; given when it is recorded
	Covered []byte // which objects a disclosure gave; kept beside the event, not part of it
}

// Detail holds the further facts of an event. Values are string, bool, int64,
// int, time.Time, []string.
type Detail map[string]any

// Canonical returns the event as canonical JSON (RFC 8785): keys sorted by
// UTF-16 code units (all keys are ASCII here), no white space, integers only,
// times in UTC with six fraction digits. Seq is left out: the position in the
// log is not part of what happened. Empty members are left out.
func (e Event) Canonical() []byte {
	m := Detail{
		"v": int64(1), "at": e.At, "kind": string(e.Kind),
		"program": string(e.Program), "release": string(e.Release), "org": string(e.Org),
		"actor_person": string(e.Actor.Person), "actor_token": string(e.Actor.Token),
		"actor_org": string(e.Actor.Org), "channel": string(e.Actor.Channel), "actor_hat": e.Actor.Hat, "actor_purpose": e.Actor.Purpose,
		"subject": e.Subject,
	}
	if e.Number > 0 {
		m["number"] = e.Number
	}
	for k, v := range e.Detail {
		m["d_"+k] = v
	}
	return appendDetail(make([]byte, 0, 256), m)
}

func appendDetail(b []byte, m Detail) []byte {
	keys := make([]string, 0, len(m))
	for k, v := range m {
		if !emptyValue(v) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendCanonicalString(b, k)
		b = append(b, ':')
		b = appendValue(b, m[k])
	}
	return append(b, '}')
}

func emptyValue(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []string:
		return len(v) == 0
	case time.Time:
		return v.IsZero()
	}
	return false
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return AppendCanonicalString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case time.Time:
		b = append(b, '"')
		b = v.UTC().AppendFormat(b, TimeFormat)
		return append(b, '"')
	case []string:
		b = append(b, '[')
		for i, s := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendCanonicalString(b, s)
		}
		return append(b, ']')
	default:
		panic("exchange: event detail of an unsupported type")
	}
}

// TimeFormat is how the product writes instants: RFC 3339, UTC, microseconds.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// AppendCanonicalString appends s as an RFC 8785 string: only ", \ and control
// characters are escaped; invalid UTF-8 becomes U+FFFD.
func AppendCanonicalString(b []byte, s string) []byte {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\b':
			b = append(b, '\\', 'b')
		case c == '\f':
			b = append(b, '\\', 'f')
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20:
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// ExposureKind is how near something came to a reader. The states are kept
// apart: silence after "delivered" is not "not affected".
type ExposureKind string

// The kinds, from far to near.
const (
	ExposureOffered      ExposureKind = "offered"      // a wave opened for the reader's audience
	ExposureServed       ExposureKind = "delivered"    // it was in a page or an object that was given
	ExposureDownloaded   ExposureKind = "downloaded"   // the artifact's bytes were given
	ExposureOpened       ExposureKind = "opened"       // a person opened its page
	ExposureAcknowledged ExposureKind = "acknowledged" // the reader said so
)

// Exposure is one line of "who had which artifact when" (MAPP-13): the first
// time of its kind for this client.
type Exposure struct {
	Artifact ArtifactID
	Number   int64 // Artifact.Number
	Release  ReleaseID
	Org      OrgID
	Client   string // token or person; empty for offered
	Kind     ExposureKind
	Channel  Channel
	At       time.Time
	Event    int64
}

// Notice tells one organisation once of one act.
type Notice struct {
	ID      NoticeID
	Org     OrgID
	Program ProgramID
	Release ReleaseID
	Kind    EventKind
	At      time.Time
	Event   int64
	Text    string
	ReadAt  time.Time
}
