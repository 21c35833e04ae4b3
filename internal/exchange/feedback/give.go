package feedback

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Give records what the actor's organisation says about a release. The
// identifier, the organisation, the person and the time are set here. An
// acknowledgement and a "not affected" are said once: saying it again answers
// the first.
//
// Errors: exchange.NotFound when the actor holds nothing of the release, Denied,
// Conflict when the release is closed, Invalid with problems, Embargoed when a
// protection was live before the public release against the agreement; that
// refusal is recorded, too.
func (s *Service) Give(ctx context.Context, actor exchange.Actor, f exchange.Feedback) (exchange.Feedback, error) {
	if _, err := s.enter(ctx, actor, f.Release); err != nil {
		return exchange.Feedback{}, err
	}
	if actor.Anonymous() || actor.Org == "" || !actor.May(exchange.VerbFeedback) {
		return exchange.Feedback{}, exchange.Fail(exchange.Denied, "this credential may not give feedback")
	}
	var given exchange.Feedback
	var early error
	err := s.c.Store.Update(ctx, func(tx Tx) (err error) {
		early = nil
		given, err = give(tx, actor, f)
		if exchange.KindOf(err) == exchange.Embargoed {
			// The refusal is an act of its own: its record stays.
			early = err
			return refused(tx, actor, given)
		}
		return err
	})
	if err == nil {
		err = early
	}
	if err != nil {
		return exchange.Feedback{}, err
	}
	return given, nil
}

func give(tx Tx, actor exchange.Actor, f exchange.Feedback) (exchange.Feedback, error) {
	release, charter, err := find(tx, f.Release)
	if err != nil {
		return f, err
	}
	held, err := tx.GivenTo(release.ID, actor.Org)
	switch {
	case err != nil:
		return f, err
	case !held:
		return f, exchange.Fail(exchange.Denied, "only organisations to which the release was given answer it")
	case release.State == exchange.ReleaseClosed:
		return f, exchange.Fail(exchange.Conflict, "the release is closed: its outcome is final")
	}
	earlier, err := tx.FeedbackOf(release.ID)
	if err != nil {
		return f, err
	}
	earlier = slices.DeleteFunc(earlier, func(e exchange.Feedback) bool { return e.Org != actor.Org })
	f = trimmed(f)
	f.ID, f.Program, f.Org, f.Person, f.At = exchange.FeedbackID(exchange.RandomID("fb")), release.Program, actor.Org, actor.Person, tx.Now()
	if ps := check(f, earlier, tx.Now()); len(ps) > 0 {
		return f, exchange.InvalidWith("the feedback was not accepted; nothing was stored", ps)
	}
	if once(f.Kind) {
		if i := slices.IndexFunc(earlier, func(e exchange.Feedback) bool { return e.Kind == f.Kind }); i >= 0 {
			return earlier[i], nil
		}
	}
	premature := beforeRelease(f, release, tx.Now())
	if premature && release.PublicAt.IsZero() && charter.Agreement.Has(exchange.PublishNotBefore) {
		return f, exchange.Fail(exchange.Embargoed,
			"the agreement forbids protections that are live before the public release; register when it is ready, and when it is live once the release is public")
	}
	if err := tx.PutFeedback(f); err != nil {
		return f, err
	}
	seq, err := tx.Record(exchange.Event{
		Kind: exchange.EventFeedback, Actor: actor, Program: f.Program, Release: f.Release,
		Subject: []string{string(f.ID)}, Detail: detail(f, premature),
	})
	if err != nil || f.Kind != exchange.FeedbackAcknowledged {
		return f, err
	}
	return f, tx.Acknowledge(exchange.Exposure{
		Release: f.Release, Org: f.Org, Client: actor.Client(), Kind: exchange.ExposureAcknowledged,
		Channel: actor.Channel, At: f.At, Event: seq,
	})
}

func once(k exchange.FeedbackKind) bool {
	return k == exchange.FeedbackAcknowledged || k == exchange.FeedbackNotAffected
}

// beforeRelease reports whether the protection was live before the public
// release, or is while there has been none.
func beforeRelease(f exchange.Feedback, r exchange.Release, now time.Time) bool {
	if f.Kind != exchange.FeedbackProtection || f.LiveAt.IsZero() {
		return false
	}
	if !r.PublicAt.IsZero() {
		return f.LiveAt.Before(r.PublicAt)
	}
	// While the public wave is held, its planned moment passes without a release.
	return f.LiveAt.Before(r.Plan.T0) || !f.LiveAt.After(now)
}

func refused(tx Tx, actor exchange.Actor, f exchange.Feedback) error {
	_, err := tx.Record(exchange.Event{
		Kind: exchange.EventFeedbackRefused, Actor: actor, Program: f.Program, Release: f.Release,
		Detail: exchange.Detail{"kind": string(f.Kind), "obligation": string(exchange.PublishNotBefore), "live_at": f.LiveAt},
	})
	return err
}

// detail is what the event says: enough to compute the outcome from events, and
// no free text.
func detail(f exchange.Feedback, premature bool) exchange.Detail {
	d := exchange.Detail{
		"kind": string(f.Kind), "object": f.Object, "artifact": string(f.About), "amends": string(f.Amends),
		"ready_at": f.ReadyAt, "live_at": f.LiveAt, "first_seen": f.FirstSeen, "last_seen": f.LastSeen,
	}
	if f.Kind == exchange.FeedbackProtection {
		d["type"], d["share"], d["evidenced"], d["before_release"] = f.Type, int64(f.Share), f.Evidence != "", premature
	}
	if f.Kind == exchange.FeedbackSighting {
		d["count"] = f.Count
	}
	return d
}

const (
	maxText    = 4000 // characters
	maxLine    = 200
	maxRegions = 100
	farAhead   = 366 * 24 * time.Hour // for when something will be ready or live
	clockSkew  = 5 * time.Minute      // between the reader's clock and ours
)

// stixID is a STIX 2.1 §2.9 identifier.
var stixID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,248}[a-z0-9]--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

type faults []exchange.Problem

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, exchange.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// check lists what is wrong; earlier is the feedback of the same organisation
// on the same release.
func check(f exchange.Feedback, earlier []exchange.Feedback, now time.Time) []exchange.Problem {
	var ps faults
	if !slices.Contains(exchange.AllFeedbackKinds, f.Kind) {
		ps.add("kind", "choose one of protection, sighting, false-positive, question, not-affected, acknowledged")
	}
	for _, l := range [][2]string{
		{"product", f.Product}, {"type", f.Type}, {"format", f.Format}, {"sector", f.Sector}, {"region", f.Region}, {"evidence", f.Evidence},
	} {
		ps.line(l[0], l[1])
	}
	if !exchange.Storable(f.Text) || utf8.RuneCountInString(f.Text) > maxText {
		ps.add("text", "at most %d characters of UTF-8, none of them NUL", maxText)
	}
	if f.Object != "" && !stixID.MatchString(f.Object) {
		ps.add("object", "a STIX identifier has the form type--UUID")
	}
	if f.About != "" && !exchange.HasIDPrefix(string(f.About), "art") {
		ps.add("artifact", "an artifact's identifier has the form art_…")
	}
	if f.Text == "" && (f.Kind == exchange.FeedbackQuestion || f.Kind == exchange.FeedbackFalsePositive) {
		ps.add("text", "missing: what is asked, or why it is false")
	}
	if f.Kind == exchange.FeedbackProtection {
		ps.protection(f, earlier, now)
	}
	if f.Kind == exchange.FeedbackSighting {
		ps.sighting(f, now)
	}
	ps.foreign(f)
	return ps
}

func (ps *faults) line(path, s string) {
	if !exchange.Plain(s) || utf8.RuneCountInString(s) > maxLine {
		ps.add(path, "one line of at most %d characters", maxLine)
	}
}

func (ps *faults) protection(f exchange.Feedback, earlier []exchange.Feedback, now time.Time) {
	if f.Product == "" {
		ps.add("product", "missing: the product that protects")
	}
	if f.Type == "" {
		ps.add("type", "missing: such as ids-signature, av-signature, edr-rule, waf-rule, patch")
	}
	switch {
	case f.ReadyAt.IsZero() && f.LiveAt.IsZero():
		ps.add("ready_at", "missing: when the protection was ready, or live_at when it was live")
	case !f.ReadyAt.IsZero() && !f.LiveAt.IsZero() && f.LiveAt.Before(f.ReadyAt):
		ps.add("live_at", "live before it was ready")
	}
	ps.notAfter("ready_at", f.ReadyAt, now.Add(farAhead), "more than a year ahead")
	ps.notAfter("live_at", f.LiveAt, now.Add(farAhead), "more than a year ahead")
	if f.Share < 0 || f.Share > 100 {
		ps.add("share", "a share of customers in percent, 0 to 100")
	}
	if len(f.Regions) > maxRegions {
		ps.add("regions", "at most %d regions", maxRegions)
	}
	for i, r := range f.Regions {
		path := fmt.Sprintf("regions[%d]", i)
		if ps.line(path, r); r == "" {
			ps.add(path, "empty")
		}
	}
	if f.Amends == "" {
		return
	}
	i := slices.IndexFunc(earlier, func(e exchange.Feedback) bool {
		return e.ID == f.Amends && e.Kind == exchange.FeedbackProtection
	})
	if i < 0 {
		ps.add("amends", "your organisation has registered no such protection for this release")
		return
	}
	if slices.ContainsFunc(earlier, func(e exchange.Feedback) bool { return e.Amends == f.Amends }) {
		ps.add("amends", "that protection has been replaced already; amend the newest one")
	}
}

func (ps *faults) sighting(f exchange.Feedback, now time.Time) {
	if f.Count < 1 {
		ps.add("count", "how often it was seen, at least 1")
	}
	if f.FirstSeen.IsZero() && f.LastSeen.IsZero() {
		ps.add("first_seen", "missing: when it was seen first, or last_seen")
	}
	if !f.FirstSeen.IsZero() && !f.LastSeen.IsZero() && f.LastSeen.Before(f.FirstSeen) {
		ps.add("last_seen", "before first_seen")
	}
	ps.notAfter("first_seen", f.FirstSeen, now.Add(clockSkew), "in the future")
	ps.notAfter("last_seen", f.LastSeen, now.Add(clockSkew), "in the future")
}

func (ps *faults) notAfter(path string, t, limit time.Time, what string) {
	if t.After(limit) {
		ps.add(path, "%s", what)
	}
}

// foreign refuses fields of another kind: what is not stored must not look as
// if it were.
func (ps *faults) foreign(f exchange.Feedback) {
	isProtection, isSighting := f.Kind == exchange.FeedbackProtection, f.Kind == exchange.FeedbackSighting
	fields := []struct {
		path    string
		given   bool
		allowed bool
	}{
		{"product", f.Product != "", isProtection},
		{"type", f.Type != "", isProtection},
		{"format", f.Format != "", isProtection},
		{"ready_at", !f.ReadyAt.IsZero(), isProtection},
		{"live_at", !f.LiveAt.IsZero(), isProtection},
		{"regions", len(f.Regions) > 0, isProtection},
		{"share", f.Share != 0, isProtection},
		{"evidence", f.Evidence != "", isProtection},
		{"amends", f.Amends != "", isProtection},
		{"count", f.Count != 0, isSighting},
		{"first_seen", !f.FirstSeen.IsZero(), isSighting},
		{"last_seen", !f.LastSeen.IsZero(), isSighting},
		{"sector", f.Sector != "", isSighting},
		{"region", f.Region != "", isSighting},
	}
	for _, field := range fields {
		if field.given && !field.allowed {
			ps.add(field.path, "does not belong to feedback of this kind")
		}
	}
}

// trimmed is f without white space around its texts, and with times as the
// store keeps them.
func trimmed(f exchange.Feedback) exchange.Feedback {
	for _, s := range []*string{&f.Object, &f.Text, &f.Product, &f.Type, &f.Format, &f.Evidence, &f.Sector, &f.Region} {
		*s = strings.TrimSpace(*s)
	}
	for _, t := range []*time.Time{&f.ReadyAt, &f.LiveAt, &f.FirstSeen, &f.LastSeen} {
		if !t.IsZero() {
			*t = t.UTC().Truncate(time.Microsecond)
		}
	}
	return f
}
