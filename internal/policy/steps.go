package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// A step that composes its text does so only where it is asked to explain.

func pass(text string) result { return result{end: passed, text: text} }

func refuse(v Verdict, code, text string) result { return result{failed, v, code, text} }

func (t *trial) marking() result {
	switch {
	case t.held:
		return refuse(Hold, "E_MARKING", "a marking of the object could not be resolved; a steward must look")
	case t.h.TLP == exchange.TLPUnset:
		return refuse(Hold, "E_MARKING", "the item carries no label")
	case t.h.Attribution == exchange.AttributionConflict:
		return refuse(Hold, "E_ATTRIBUTION", "one marking says that the provider must be named and another that it must not; its originator must be asked")
	}
	return pass("every marking is understood")
}

func (t *trial) active() result {
	var text string
	switch {
	case !t.i.State.Readable():
		return refuse(Deny, "E_REVOKED", "the release was withdrawn")
	case t.i.Removed:
		return refuse(Deny, "E_REVOKED", "the artifact was taken out of the release")
	case t.i.Recalled:
		return refuse(Deny, "E_RECALLED", "it was recalled")
	case !t.h.Expires.IsZero() && !t.now.Before(t.h.Expires):
		if t.explain {
			text = "its handling expired at " + stamp(t.h.Expires)
		}
		return refuse(Deny, "E_EXPIRED", text)
	case t.r.Suspended:
		return refuse(Deny, "E_SUSPENDED", "the recipient is suspended")
	case t.h.From.After(t.now):
		if t.explain {
			text = "its handling begins at " + stamp(t.h.From)
		}
		return refuse(NotYet, "E_TIME", text)
	}
	return pass("item and recipient are active")
}

func (t *trial) credential() result {
	switch {
	case t.r.Anonymous:
		return pass("no sign-in")
	case !t.r.MayRead:
		return refuse(Deny, "E_SCOPE", "the token may not read")
	case t.r.Program != "" && t.r.Program != t.i.Program:
		return refuse(Deny, "E_SCOPE", "the token is for another program")
	case t.r.Ceiling != exchange.TLPUnset && t.tlp > t.r.Ceiling:
		var text string
		if t.explain {
			text = fmt.Sprintf("%s is above the token's ceiling %s", t.tlp, t.r.Ceiling)
		}
		return refuse(Deny, "E_CEILING", text)
	}
	return pass("the credential covers it")
}

func (t *trial) exclusion() result {
	h, r := t.h, t.r
	cohort := r.Audience.Cohort
	if r.Anonymous {
		cohort = exchange.PublicCohort
	}
	switch {
	case slices.Contains(h.NotOrgs, r.Org), shared(h.NotIn, r.Jurisdictions),
		r.Client && slices.Contains(h.NotOrgs, r.Provider): // a client has only what reaches it through its provider
		return refuse(Deny, "E_EXCLUDED", "the originator excludes this organisation, its jurisdiction or its provider")
	case cohort != "" && slices.Contains(h.NotCohorts, cohort):
		return refuse(Deny, "E_EXCLUDED", "the originator excludes this cohort")
	case len(h.NotHats) > 0 && t.wears(h.NotHats):
		return refuse(Deny, "E_EXCLUDED", "the originator excludes who acts in this hat")
	case slices.Contains(r.DeniedClasses, t.i.Class):
		var text string
		if t.explain {
			text = fmt.Sprintf("the charter never gives %s to members with a compelled-disclosure duty", t.i.Class)
		}
		return refuse(Deny, "E_EXCLUDED", text)
	}
	return pass("not excluded")
}

// wears reports whether the recipient acts in one of the hats: in the one that
// it chose, else in all that it has.
func (t *trial) wears(hats []string) bool {
	if t.r.Hat != "" {
		return among(hats, t.r.Hat)
	}
	for _, own := range t.r.Attributes.Hats {
		if among(hats, own) {
			return true
		}
	}
	return false
}

// purpose does not ask those who run the program, who handle what they hold.
func (t *trial) purpose() result {
	named := t.r.Purpose != "" && t.r.Purpose != exchange.NoPurpose
	switch {
	case len(t.h.Purposes) == 0:
		return pass("for any purpose")
	case t.r.Owner:
		return pass("runs the program")
	case !named:
		return refuse(Deny, "E_PURPOSE", "it may be read for some purposes only, and none was named")
	case !among(t.h.Purposes, t.r.Purpose):
		return refuse(Deny, "E_PURPOSE", "it may not be read for the purpose that was named")
	}
	return pass("the purpose is one of those for which it may be read")
}

// public settles what everyone may read, signed in or not.
func (t *trial) public() result {
	if !t.r.Anonymous {
		return pass("signed in")
	}
	given := !t.i.PublicAt.IsZero() && !t.i.PublicAt.After(t.now)
	switch {
	case !given || t.tlp != exchange.TLPClear:
		return refuse(Deny, "E_AUDIENCE", "not public")
	case limited(t.h):
		return refuse(Deny, "E_AUDIENCE", "the originator names its recipients")
	}
	return result{end: settled, text: "public and TLP:CLEAR"}
}

// owner settles for those who run the program. For members whose own item it
// is, too, under the agreement in force, but not where TLP:RED wants a person.
func (t *trial) owner() result {
	if t.r.Owner {
		return result{end: entire, text: "runs the program"}
	}
	eyes := t.tlp != exchange.TLPRed || t.r.Channel == exchange.ChannelWeb && slices.Contains(t.h.Persons, t.r.Person)
	if t.originates() && !t.r.House && t.r.Member && t.r.Accepted >= t.i.Required && eyes {
		return result{end: entire, text: "it is the organisation's own"}
	}
	return pass("not the recipient's own")
}

func (t *trial) membership() result {
	var text string
	switch {
	case !t.r.Member:
		return refuse(Deny, "E_AUDIENCE", "not a member of the program")
	case t.r.Audience.Cohort == "":
		return refuse(Deny, "E_AUDIENCE", "no cohort's rule matches the organisation")
	case t.explain:
		text = "member, cohort " + t.r.Audience.String()
	}
	return pass(text)
}

func (t *trial) agreement() result {
	var text string
	if t.r.Accepted < t.i.Required {
		if t.explain {
			text = fmt.Sprintf("agreement version %d is required, version %d was accepted", t.i.Required, t.r.Accepted)
		}
		return refuse(NeedsConsent, "E_AGREEMENT", text)
	}
	if t.explain {
		text = fmt.Sprintf("agreement version %d accepted", t.r.Accepted)
	}
	return pass(text)
}

func (t *trial) time() result {
	var text string
	switch {
	case !t.i.OpenedAt.IsZero() && !t.i.OpenedAt.After(t.now):
		if t.explain {
			text = "given to this cohort at " + stamp(t.i.OpenedAt)
		}
	case t.granted():
		if t.explain {
			text = "given to this organisation by its originators at " + stamp(t.i.GrantedAt)
		}
	case t.i.OpensAt.IsZero():
		return refuse(NotYet, "E_TIME", "no wave gives it to this cohort")
	default:
		if t.explain {
			text = "its wave for this cohort opens at " + stamp(t.i.OpensAt)
		}
		return refuse(NotYet, "E_TIME", text)
	}
	return pass(text)
}

// audience leaves TLP:RED on machines to the step of the channel.
func (t *trial) audience() result {
	var text string
	granted := t.granted()
	switch {
	case !granted && !listed(t.h, t.r):
		return refuse(Deny, "E_AUDIENCE", "the originator names its recipients and this organisation is not among them")
	case t.tlp == exchange.TLPRed && t.r.Person != "" && !slices.Contains(t.h.Persons, t.r.Person):
		return refuse(Deny, "E_AUDIENCE", "TLP:RED is for named persons only")
	case t.r.Client && !granted && t.tlp >= exchange.TLPAmberStrict:
		if t.explain {
			text = fmt.Sprintf("%s stays inside the member's own organisation; this is a client of it", t.tlp)
		}
		return refuse(Deny, "E_AUDIENCE", text)
	case t.explain && granted:
		text = "its originators gave it to this organisation"
	case t.explain:
		text = t.tlp.String() + " permits this recipient"
	}
	return pass(text)
}

func (t *trial) rules() result {
	if t.r.Rules == nil {
		return pass("the program has no rules of its own")
	}
	r, i := *t.r, *t.i // so that only recipients under rules cost memory
	allowed, why := t.r.Rules.Read(&r, &i)
	if !allowed {
		return refuse(Deny, "E_RULE", why)
	}
	return pass(why)
}

func (t *trial) channel() result {
	var text string
	switch {
	case t.tlp == exchange.TLPRed && (t.r.Channel != exchange.ChannelWeb || t.r.Person == ""):
		return refuse(Deny, "E_CHANNEL", "TLP:RED is read by the person, in the browser only")
	case t.explain:
		text = fmt.Sprintf("%s permits the channel %s", t.tlp, t.r.Channel)
	}
	return pass(text)
}

// limited reports whether the handling has an allow-list.
func limited(h *exchange.Handling) bool {
	return len(h.Organisations)+len(h.Groups)+len(h.Sectors)+len(h.Also) > 0
}

// listed reports whether the recipient is on every allow-list.
func listed(h *exchange.Handling, r *Recipient) bool {
	if len(h.Organisations)+len(h.Groups)+len(h.Sectors) > 0 && !names(h.Organisations, h.Groups, h.Sectors, r) {
		return false
	}
	for n := range h.Also {
		if l := &h.Also[n]; !names(l.Organisations, l.Groups, l.Sectors, r) {
			return false
		}
	}
	return true
}

func names(orgs []exchange.OrgID, groups []exchange.GroupID, sectors []string, r *Recipient) bool {
	if slices.Contains(orgs, r.Org) || shared(groups, r.Groups) {
		return true
	}
	for _, s := range r.Attributes.Sectors {
		if among(sectors, s) {
			return true
		}
	}
	return false
}

func shared[T comparable](a, b []T) bool {
	for _, v := range b {
		if slices.Contains(a, v) {
			return true
		}
	}
	return false
}

// among compares words that people write, as the rules of cohorts do.
func among(words []string, w string) bool {
	for _, v := range words {
		if v != "" && strings.EqualFold(v, w) {
			return true
		}
	}
	return false
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }
