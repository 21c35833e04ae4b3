package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

const receipt = "That you opened this page is recorded, with the time; the operator of the program sees it."

// read is a release as a reader sees it: what the reader holds, no more.
func (s *site) read(v *visit, id exchange.ReleaseID) error {
	r, err := s.Delivery.Release(v.ctx(), v.a, id)
	if err != nil {
		return err
	}
	c, _, err := s.Programs.Charter(v.ctx(), v.a, r.Program)
	if err != nil {
		return err
	}
	p := v.readPage(r, c)
	p.Receipt, p.Ledger = receipt, about(r.Program, r.ID, "")
	if err := v.objectsOf(p, r); err != nil {
		return err
	}
	l, err := s.Feedback.List(v.ctx(), v.a, id)
	if err != nil {
		return err
	}
	for _, e := range l.Entries {
		if !e.Replaced {
			p.Mine = append(p.Mine, v.feedbackLine(e, "", "", false))
		}
	}
	p.Others, p.OthersNote = others(l, c)
	if r.State != "closed" && v.a.May(exchange.VerbFeedback) {
		p.Feedback = v.feedbackForms(r.ID, c, r.PublicAt)
	}
	return v.show(p)
}

// readPage is the page without what only the reader's own visit brings.
func (v *visit) readPage(r delivery.MemberRelease, c exchange.Charter) *page.Read {
	p := &page.Read{
		Frame: v.frame(r.Title), Heading: r.Title, State: readerState(r), Embargoed: r.PublicAt.IsZero(),
		T0: v.clock.At(r.T0), Prose: page.Markdown(r.Message),
	}
	p.TLP = r.TLP
	if !r.NotCovering.IsZero() {
		p.NotCovering = v.clock.At(r.NotCovering)
	}
	if !r.PublicAt.IsZero() {
		p.T0 = v.clock.At(r.PublicAt)
	}
	v.within(&p.Frame, c, "Releases")
	p.StateText = map[string]string{
		"embargoed": "Given to your cohort before the public release.", "public": "The public release has passed.",
		"closed": "The outcome is final; feedback has ended.", "contained": "A leak is suspected. Share it with nobody further.",
	}[r.State]
	for _, i := range r.Items {
		p.Items = append(p.Items, v.item(i))
	}
	p.May = may(r)
	p.MayNot = mayNot(r.TLP, c.Agreement, p.Embargoed)
	if r.Incomplete != "" {
		p.FixOf = &page.Link{Label: string(r.Incomplete), Href: "/releases/" + string(r.Incomplete)}
	}
	if r.Superseded != "" {
		p.FollowedBy = &page.Link{Label: string(r.Superseded), Href: "/releases/" + string(r.Superseded)}
	}
	return p
}

func (v *visit) item(i delivery.Item) page.ItemLine {
	href := "/artifacts/" + string(i.Artifact.ID)
	return page.ItemLine{
		Title: i.Artifact.Title, Href: href, Content: href + "/content", Class: string(i.Artifact.Class), Definition: i.Artifact.Class.Definition(),
		Kind: string(i.Artifact.Kind), TLP: i.TLP, PAP: i.Artifact.Handling.PAP.String(), Size: i.Artifact.Size, SHA256: i.Artifact.SHA256,
		Objects: i.Artifact.Objects, Opened: v.clock.At(i.OpenedAt), Superseded: i.Superseded, Partial: i.Partial,
	}
}

// may is what the strictest labels of a release allow, and every condition. Labels
// that others overrule are left out: read together they would contradict.
func may(r delivery.MemberRelease) []string {
	pap := exchange.PAPUnset
	for _, i := range r.Items {
		pap = max(pap, i.Artifact.Handling.PAP)
	}
	var out []string
	for _, i := range r.Items {
		for _, o := range i.Obligations {
			overruled := strings.HasPrefix(o, "TLP:") && !strings.HasPrefix(o, r.TLP.String()+": ") ||
				strings.HasPrefix(o, "PAP:") && !strings.HasPrefix(o, pap.String()+": ")
			if !overruled && !slices.Contains(out, o) {
				out = append(out, o)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return compareLabels(a, b) })
	return out
}

// compareLabels puts TLP before PAP before everything else.
func compareLabels(a, b string) int {
	rank := func(s string) int {
		switch {
		case strings.HasPrefix(s, "TLP:"):
			return 0
		case strings.HasPrefix(s, "PAP:"):
			return 1
		}
		return 2
	}
	return rank(a) - rank(b)
}

// mayNot is what the label and the agreement forbid, in words.
func mayNot(tlp exchange.TLP, a exchange.Agreement, embargoed bool) []string {
	var out []string
	if embargoed {
		out = append(out, "publish it, or anything that gives it away, before T0")
	}
	switch tlp {
	case exchange.TLPRed:
		out = append(out, "pass it to anybody else, not even in your own organisation")
	case exchange.TLPAmberStrict:
		out = append(out, "give it to clients or anybody outside your organisation")
	case exchange.TLPAmber:
		out = append(out, "give it to anybody but your organisation and its clients who need it")
	case exchange.TLPGreen:
		out = append(out, "put it where the public can read it")
	}
	words := []struct {
		o    exchange.Obligation
		text string
	}{
		{exchange.PublishNotBefore, "have a protection live before T0"},
		{exchange.NoVerbatimReuse, "reuse the text word for word"},
		{exchange.InHouseOnly, "use it outside your own house"},
		{exchange.NamingConsent, "name those involved without their consent"},
		{exchange.NoOffensiveUse, "use it to attack"},
	}
	for _, w := range words {
		if a.Has(w.o) && (embargoed || w.o != exchange.PublishNotBefore) {
			out = append(out, w.text)
		}
	}
	return out
}

const objectsShown = 50

// objectsOf lists the STIX objects of the release, up to a cap.
func (v *visit) objectsOf(p *page.Read, r delivery.MemberRelease) error {
	for _, i := range r.Items {
		left := objectsShown - len(p.Objects)
		if i.Artifact.Objects == 0 || left <= 0 {
			continue
		}
		objs, err := v.site.Delivery.Objects(v.ctx(), v.a, i.Artifact.ID, -1, left)
		if err != nil {
			return err
		}
		for _, o := range objs {
			p.Objects = append(p.Objects, page.ObjectLine{
				ID: o.ID, Href: objectHref(r.Program, o.ID), Type: o.Type, Added: v.clock.At(i.OpenedAt),
			})
		}
	}
	p.ObjectsAll = "/programs/" + string(r.Program) + "/objects"
	p.ObjectCount = page.Plural(len(p.Objects), "object")
	if len(p.Objects) == objectsShown {
		p.ObjectCount = fmt.Sprintf("The first %d objects", objectsShown)
	}
	return nil
}

func objectHref(p exchange.ProgramID, id string) string {
	return "/programs/" + string(p) + "/objects/" + id
}

// others is what a reader sees of the other members' answers.
func others(l feedback.Listing, c exchange.Charter) (counts []string, note string) {
	if c.Visibility.MembersSee == exchange.SeeNothing {
		return nil, "In this program members see nothing of each other's answers."
	}
	for _, o := range l.Others {
		counts = append(counts, fmt.Sprintf("%s: %s", feedbackWords[o.Kind], page.Plural(o.Organisations, "other organisation")))
	}
	return counts, fmt.Sprintf("Members see counts of each other's answers, never names; what is not listed was said by fewer than %d.", l.Floor)
}

var feedbackWords = map[exchange.FeedbackKind]string{
	exchange.FeedbackProtection: "We protect", exchange.FeedbackSighting: "Seen", exchange.FeedbackFalsePositive: "False positive",
	exchange.FeedbackQuestion: "Question", exchange.FeedbackNotAffected: "Not affected", exchange.FeedbackAcknowledged: "Acknowledged",
}

func (v *visit) feedbackLine(e feedback.Entry, release, href string, named bool) page.FeedbackLine {
	l := page.FeedbackLine{Kind: feedbackWords[e.Kind], Release: release, Href: href, At: v.clock.At(e.At), Text: e.Text}
	if named {
		l.Org = e.OrgName
	}
	switch e.Kind {
	case exchange.FeedbackProtection:
		if e.NotCovering {
			l.Kind = "We protect (may not cover: the fix was incomplete)"
		}
		parts := []string{strings.TrimSpace(e.Product + " " + e.Type + " " + e.Format)}
		if !e.ReadyAt.IsZero() {
			parts = append(parts, "ready "+instant(e.ReadyAt)+" UTC")
		}
		if !e.LiveAt.IsZero() {
			parts = append(parts, "live "+instant(e.LiveAt)+" UTC")
		}
		if e.Share > 0 {
			parts = append(parts, fmt.Sprintf("%d %% of customers", e.Share))
		}
		l.Text = strings.Join(slices.DeleteFunc(append(parts, e.Text), func(s string) bool { return s == "" }), ", ")
	case exchange.FeedbackSighting:
		l.Text = strings.TrimSpace(page.Plural(e.Count, "time") + " " + e.Text)
	}
	return l
}

var protectionTypes = []string{"ids-signature", "av-signature", "edr-rule", "waf-rule", "patch", "configuration", "hunting-query"}

func (v *visit) feedbackForms(id exchange.ReleaseID, c exchange.Charter, public time.Time) *page.FeedbackForms {
	f := &page.FeedbackForms{Action: "/releases/" + string(id) + "/feedback", Types: protectionTypes, Now: v.now.UTC().Format(page.Stamp)}
	if public.IsZero() && c.Agreement.Has(exchange.PublishNotBefore) {
		f.Early = "The agreement forbids protections that are live before T0: say when it is ready, and when it is live once the release is public."
	}
	return f
}

// feedback takes an answer on a release or on one of its objects.
func (s *site) feedback(v *visit) error {
	f := exchange.Feedback{
		Release: v.releaseID(), Kind: exchange.FeedbackKind(v.form("kind")), Object: v.form("object"),
		Text: v.form("text"), Product: v.form("product"), Type: v.form("type"), Format: v.form("format"), Regions: v.list("regions"), Evidence: v.form("evidence"),
	}
	ps := v.stamps(map[string]*time.Time{"ready": &f.ReadyAt, "live": &f.LiveAt, "first": &f.FirstSeen, "last": &f.LastSeen})
	var share int64
	ps = append(ps, v.wholes(map[string]*int64{"share": &share, "count": &f.Count})...)
	f.Share = int(share)
	f = readyFirst(f, v.now)
	err := error(nil)
	if len(ps) > 0 {
		err = exchange.InvalidWith("the feedback was not accepted; nothing was stored", ps)
	} else {
		_, err = s.Feedback.Give(v.ctx(), v.a, f)
	}
	if back := v.form("back"); err == nil && strings.HasPrefix(back, "/programs/") {
		return v.see(back + "?done=feedback")
	}
	return s.onRelease(v, err, "feedback#feedback")
}

// readyFirst fills in what one key and Enter leave open: a protection without a
// time is ready now, and seen is seen once.
func readyFirst(f exchange.Feedback, now time.Time) exchange.Feedback {
	if f.Kind == exchange.FeedbackProtection && f.ReadyAt.IsZero() && f.LiveAt.IsZero() {
		f.ReadyAt = now
	}
	if f.Kind == exchange.FeedbackSighting && f.Count == 0 {
		f.Count = 1
	}
	return f
}

// releaseAs shows those who run the program what one member will see.
func (s *site) releaseAs(v *visit) error {
	id := v.releaseID()
	view, err := s.Releases.Read(v.ctx(), v.a, id)
	if err != nil {
		return err
	}
	org := exchange.OrgID(v.path("org"))
	if org == "" { // of the form
		org = exchange.OrgID(v.r.URL.Query().Get("org"))
	}
	r, err := s.Delivery.PreviewAs(v.ctx(), v.a, id, org)
	if err != nil {
		return err
	}
	p := v.readPage(r.MemberRelease, view.Charter)
	p.Preview = v.org(org)
	v.leftOut(p, r)
	p.StateText = "Once everything that is planned for it has opened."
	return v.show(p)
}
