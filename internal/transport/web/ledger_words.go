package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
	"github.com/forewarn-exchange/forewarn/verify"
)

// kindGroups are the kinds of events, under what people look for.
var kindGroups = []struct {
	label string
	kinds []exchange.EventKind
}{
	{"Disclosures", record.Disclosures()},
	{"Releases", []exchange.EventKind{
		exchange.EventReleaseCreated, exchange.EventReleaseEdited, exchange.EventArtifactSubmitted, exchange.EventArtifactRemoved,
		exchange.EventReleaseSent, exchange.EventReleaseApproved, exchange.EventReleaseMoved, exchange.EventReleaseOffered,
		exchange.EventWaveHeld, exchange.EventWaveResumed, exchange.EventWavePushed, exchange.EventWaveKilled, exchange.EventWaveOpened,
		exchange.EventReleaseWithdrawn, exchange.EventReleaseContained, exchange.EventReleaseRearmed, exchange.EventReleaseClosed,
	}},
	{"Recalls and re-share", []exchange.EventKind{
		exchange.EventRecalled, exchange.EventParentRecalled, exchange.EventRecallAcknowledged, exchange.EventRecallReminded,
		exchange.EventReshareAsked, exchange.EventReshareAnswered, exchange.EventReshareLapsed, exchange.EventReshareGranted,
		exchange.EventReshareWithdrawn, exchange.EventReshareRevoked, exchange.EventHandlingChanged, exchange.EventMarkingResolved,
	}},
	{"Feedback and contributions", []exchange.EventKind{
		exchange.EventFeedback, exchange.EventFeedbackRefused, exchange.EventContributed, exchange.EventContributionGone,
	}},
	{"Programs and members", []exchange.EventKind{
		exchange.EventProgramApplied, exchange.EventMemberJoined, exchange.EventMemberLeft, exchange.EventMemberSuspended, exchange.EventMemberResumed,
		exchange.EventMemberMoved, exchange.EventMemberHidden, exchange.EventMemberShown, exchange.EventAgreementAccepted, exchange.EventAgreementRefused,
		exchange.EventOrgAdded, exchange.EventOrgChanged, exchange.EventOrgSuspended, exchange.EventOrgResumed, exchange.EventJurisdictionSet, exchange.EventBasisAdded,
	}},
	{"People and machines", []exchange.EventKind{
		exchange.EventPersonAdded, exchange.EventPersonChanged, exchange.EventPersonSuspended, exchange.EventPersonResumed, exchange.EventSignedIn,
		exchange.EventSignedOut, exchange.EventHatChosen, exchange.EventLinkIssued, exchange.EventTokenIssued, exchange.EventTokenRevoked,
		exchange.EventConnectionAdded, exchange.EventConnectionTested, exchange.EventConnectionRemoved, exchange.EventWebhookAdded,
		exchange.EventWebhookChanged, exchange.EventWebhookDisabled, exchange.EventWebhookRemoved, exchange.EventSourceNamed,
	}},
	{"The ledger itself", []exchange.EventKind{
		exchange.EventWitnessAgreed, exchange.EventWitnessDisagreed, exchange.EventWitnessResolved, exchange.EventOpeningErased,
		exchange.EventLedgerRotated, exchange.EventLedgerKeyRetired, exchange.EventLedgerClosed, exchange.EventLedgerOpened, exchange.EventLedgerRolledBack,
	}},
}

const everyDisclosure = "disclosures"

// kindOptions are the choices of the filter, with what was chosen.
func kindOptions(chosen string) []page.OptionGroup {
	out := []page.OptionGroup{{Options: []page.Option{
		{Label: "everything"}, {Value: everyDisclosure, Label: "every disclosure", Selected: chosen == everyDisclosure},
	}}}
	for _, g := range kindGroups {
		group := page.OptionGroup{Label: g.label}
		for _, k := range g.kinds {
			group.Options = append(group.Options, page.Option{Value: string(k), Label: record.Words(k), Selected: string(k) == chosen})
		}
		out = append(out, group)
	}
	return out
}

// kindsOf are the kinds that were chosen; nil: every one.
func kindsOf(chosen string) []exchange.EventKind {
	switch chosen {
	case "":
		return nil
	case everyDisclosure:
		return record.Disclosures()
	}
	return []exchange.EventKind{exchange.EventKind(chosen)}
}

// act is what an opening tells. Members that it keeps back are empty.
type act struct {
	at      time.Time
	kind    exchange.EventKind
	program exchange.ProgramID
	release exchange.ReleaseID
	org     exchange.OrgID // concerned, when it is not the actor's
	person  exchange.PersonID
	token   exchange.TokenID
	of      exchange.OrgID // the actor's
	channel string
	actor   string // login of the person or name of the token, where it is known
	parts   []told // in the order of the event
	hidden  int    // sealed places
}

// told is one part of an event: its name, and its value as people read it.
type told struct{ name, value string }

// actOf reads an opening.
func actOf(o verify.Opening) (act, error) {
	parts := o.Parts
	if o.Event != nil {
		var err error
		if parts, err = verify.Parts(o.Event, o.Salt); err != nil {
			return act{}, err
		}
	}
	a := act{hidden: len(o.Hidden)}
	for _, p := range parts {
		var value any
		if err := json.Unmarshal(p.Value, &value); err != nil {
			return act{}, fmt.Errorf("reading the part %.40q: %w", p.Name, err)
		}
		text, isText := value.(string)
		if !isText {
			text = string(p.Value)
		}
		a.set(p.Name, text)
	}
	return a, nil
}

func (a *act) set(name, value string) {
	a.parts = append(a.parts, told{name, value})
	switch name {
	case "at":
		a.at, _ = time.Parse(exchange.TimeFormat, value)
	case "kind":
		a.kind = exchange.EventKind(value)
	case "program":
		a.program = exchange.ProgramID(value)
	case "release":
		a.release = exchange.ReleaseID(value)
	case "org":
		a.org = exchange.OrgID(value)
	case "actor_person":
		a.person = exchange.PersonID(value)
	case "actor_token":
		a.token = exchange.TokenID(value)
	case "actor_org":
		a.of = exchange.OrgID(value)
	case "channel":
		a.channel = value
	}
}

// detail is a further fact of the event; empty: it has none, or keeps it back.
func (a *act) detail(name string) string {
	for _, p := range a.parts {
		if p.name == "d_"+name {
			return p.value
		}
	}
	return ""
}

// wordsOf are what an entry of the list says was done.
func wordsOf(e record.LedgerEntry) string {
	a := act{kind: e.Kind}
	if e.Body != nil {
		if whole, err := actOf(verify.Opening{Event: e.Body}); err == nil {
			a = whole
		}
	}
	return a.words()
}

// words are what was done.
func (a *act) words() string {
	if a.kind == "" {
		return "did something that is kept back"
	}
	text := record.Words(a.kind)
	var more string
	switch a.kind {
	case exchange.EventReleaseApproved:
		if n, of := a.detail("approval"), a.detail("of"); n != "" && of != "" {
			more = n + " of " + of
		}
	case exchange.EventWaveOpened, exchange.EventWaveHeld, exchange.EventWaveResumed, exchange.EventWavePushed, exchange.EventWaveKilled:
		more = a.detail("audience")
	case exchange.EventPageServed, exchange.EventContributed, exchange.EventConnectionTested:
		if n, err := strconv.Atoi(a.detail("objects")); err == nil {
			more = page.Plural(grouped(int64(n)), "object")
		}
	case exchange.EventFeedback, exchange.EventFeedbackRefused, exchange.EventRecalled:
		more = a.detail("kind")
	case exchange.EventRecallAcknowledged:
		more = a.detail("answer")
	case exchange.EventReshareAnswered:
		more = map[string]string{"true": "yes", "false": "no"}[a.detail("yes")]
	case exchange.EventWebhookChanged:
		more = a.detail("change")
	}
	if more != "" {
		text += " (" + more + ")"
	}
	return text
}

// doer is who did it, and the name of their organisation where it says more.
func (v *visit) doer(a *act) (who, of string) {
	of = v.org(a.of)
	switch {
	case a.actor != "" && a.channel != string(exchange.ChannelSystem):
		return a.actor, of
	case a.person != "" && a.channel != string(exchange.ChannelSystem):
		return v.person(a.person), of
	case a.token != "":
		return "Token " + string(a.token), of
	case a.channel == string(exchange.ChannelSystem):
		return "The exchange", ""
	case of != "":
		return of, ""
	}
	return "Somebody", ""
}

// partNames are the parts of every event, in the order and the words in which
// they are shown. The time stands beside them.
var partNames = []told{
	{"kind", "Kind"},
	{"actor_person", "Who"},
	{"actor_token", "With the token"},
	{"actor_org", "Of"},
	{"actor_hat", "In the hat"},
	{"actor_purpose", "To"},
	{"channel", "By way of"},
	{"program", "Program"},
	{"number", "Number in the program"},
	{"release", "Release"},
	{"org", "Organisation concerned"},
	{"subject", "About"},
}

// fact is a part of an event in words, and its place among them; below 0: it is
// not shown here.
func (v *visit) fact(p told) (f page.Fact, place int) {
	member, _, _ := strings.Cut(p.name, "[")
	if rest, further := strings.CutPrefix(member, "d_"); further {
		return page.Fact{Name: sentence(strings.ReplaceAll(rest, "_", " ")), Value: p.value}, len(partNames)
	}
	place = slices.IndexFunc(partNames, func(n told) bool { return n.name == member })
	if place < 0 {
		return f, place
	}
	f = page.Fact{Name: partNames[place].value, Value: p.value}
	switch member {
	case "org", "actor_org":
		f.Value = withID(v.org(exchange.OrgID(p.value)), p.value)
	case "actor_person":
		f.Value = withID(v.person(exchange.PersonID(p.value)), p.value)
	}
	return f, place
}

// tell is what an opening says, for people.
func (v *visit) tell(a *act) page.Told {
	who, of := v.doer(a)
	t := page.Told{Text: who + " " + a.words(), At: v.clock.At(a.at), Hidden: a.hidden, Whole: a.hidden == 0}
	if of != "" && of != who {
		t.Text = who + ", " + of + ", " + a.words()
	}
	if a.release != "" {
		t.Text += ": " + string(a.release)
	}
	t.Text += "."
	if !a.at.IsZero() {
		t.Exact = a.at.Format("2006-01-02 15:04:05.000000")
	}
	facts := make([][]page.Fact, len(partNames)+1)
	for _, p := range a.parts {
		if f, place := v.fact(p); place >= 0 {
			facts[place] = append(facts[place], f)
		}
	}
	t.Facts = slices.Concat(facts...)
	return t
}

// withID is a name with the identifier that stands in the event.
func withID(name, id string) string {
	if name == id || name == "" {
		return id
	}
	return name + " (" + id + ")"
}
