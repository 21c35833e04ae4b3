package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// visit is one request with the person behind it.
type visit struct {
	site   *site
	w      http.ResponseWriter
	r      *http.Request
	a      exchange.Actor // anonymous: nobody signed in
	now    time.Time
	clock  page.Clock
	status int          // of the page; 0: 200
	faults *page.Faults // of the form that was sent

	acts  *record.Acts      // what of this visit was recorded; nil: nobody signed in
	names map[string]string // of organisations and people, by id, as far as they are known
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// visit establishes who asks. An invalid session is no session.
func (s *site) visit(r *http.Request) (*visit, error) {
	v := &visit{site: s, r: r, now: s.Now(), names: map[string]string{}}
	a, err := httpkit.Authenticate(s.authn, r, exchange.ChannelWeb)
	if err != nil && exchange.KindOf(err) != exchange.Unsigned {
		return nil, fmt.Errorf("reading the session: %w", err)
	}
	if err == nil {
		v.a = a
		if r.Method == http.MethodHead {
			// What a page shows is recorded as given; HEAD gives nothing.
			return nil, httpkit.Fail(http.StatusMethodNotAllowed, "HEAD is not answered here")
		}
	}
	v.clock = page.Clock{Now: v.now, Zone: zoneOf(v.a.Zone)}
	return v, nil
}

func zoneOf(name string) *time.Location {
	if loc, err := time.LoadLocation(name); err == nil && name != "Local" {
		return loc
	}
	return time.UTC
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// path is a part of the address.
func (v *visit) path(name string) string { return v.r.PathValue(name) }

// form is a field of the form that was sent, without the space around it.
func (v *visit) form(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }

// list is a field that holds a list separated by commas.
func (v *visit) list(name string) []string { return split(v.form(name)) }

func split(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// number is a whole number of the form; 0 when it is not one.
func (v *visit) number(name string) int64 {
	n, _ := strconv.ParseInt(v.form(name), 10, 64)
	return n
}

const notAStamp = "write the time as YYYY-MM-DD HH:MM, in UTC"

// stamp reads an instant that somebody typed, in UTC; empty is the zero time.
func stamp(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, nil
	}
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(text, "UTC"), "Z"))
	for _, form := range []string{page.Stamp, "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, exchange.Fail(exchange.Invalid, notAStamp)
}

// stamps reads instants from fields; every field that holds none is a problem.
func (v *visit) stamps(fields map[string]*time.Time) []exchange.Problem {
	var ps []exchange.Problem
	for name, to := range fields {
		t, err := stamp(v.form(name))
		if err != nil {
			ps = append(ps, exchange.Problem{Path: name, Message: notAStamp})
		}
		*to = t
	}
	return ps
}

// wholes reads whole numbers from fields, a percent sign after them or not.
func (v *visit) wholes(fields map[string]*int64) []exchange.Problem {
	var ps []exchange.Problem
	for name, to := range fields {
		text := strings.TrimSpace(strings.TrimSuffix(v.form(name), "%"))
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			ps = append(ps, exchange.Problem{Path: name, Message: "write a whole number"})
		}
		*to = n
	}
	return ps
}

// frame is what stands around a page of this visitor.
func (v *visit) frame(title string) page.Frame {
	f := page.Frame{
		Title: title, Exchange: v.site.Name, Nonce: nonce(), Now: v.clock.At(v.now),
		Faults: v.faults, TLP: exchange.TLPUnset, LogSize: grouped(v.site.ledger.Size()),
	}
	if v.r != nil && v.faults == nil {
		f.Done, f.Acted = done[v.r.URL.Query().Get("done")], actedLinks(v.r.URL.Query().Get("entries"))
	}
	if v.a.Anonymous() {
		return f
	}
	v.warned(&f)
	f.Person, f.Zone = v.a.Name, v.clock.Zone.String()
	f.Acting = actsAs(v.a)
	f.Org, f.OrgHref = v.org(v.a.Org), "/organisations/"+string(v.a.Org)
	first := page.Link{Label: "Home", Href: "/", Key: "o"}
	if v.staff() {
		first.Label = "Outcomes"
	}
	f.Nav = []page.Link{first, {Label: "Programs", Href: "/programs", Key: "p"}, {Label: "Releases", Href: "/releases", Key: "r"}, {Label: "Library", Href: "/library", Key: "l"}, {Label: "Look up", Href: "/lookup", Key: "u"}}
	if v.staff() || v.a.Is(exchange.RoleAdmin) {
		f.Nav = append(f.Nav, page.Link{Label: "Members", Href: "/organisations", Key: "m"})
	}
	f.Nav = append(f.Nav, page.Link{Label: "Connections", Href: "/connections", Key: "c"})
	f.Nav = append(f.Nav, page.Link{Label: "Re-share", Href: "/reshares", Key: "s"})
	f.Nav = append(f.Nav, page.Link{Label: "Notices", Href: "/notices", Key: "n"})
	f.Nav = append(f.Nav, page.Link{Label: "Ledger", Href: "/ledger", Key: "e"})
	for i := range f.Nav {
		f.Nav[i].Current = f.Nav[i].Href == v.r.URL.Path
	}
	return f
}

// staff reports whether the visitor has a role in running programs. Which ones
// is for the rooms to say.
func (v *visit) staff() bool {
	return v.a.Is(exchange.RoleOperator) || v.a.Is(exchange.RoleApprover) || v.a.Is(exchange.RoleAuditor)
}

// runs reports whether the visitor oversees a program.
func (v *visit) runs(c exchange.Charter) bool { return v.a.Oversees(c.Owner) }

// within adds the navigation of a program.
func (v *visit) within(f *page.Frame, c exchange.Charter, current string) {
	base := "/programs/" + string(c.ID)
	f.Program = c.Title
	f.Sub = []page.Link{
		{Label: "Program", Href: base},
		{Label: "Releases", Href: base + "/releases"},
		{Label: "Library", Href: base + "/objects"},
		{Label: "Outcome", Href: base + "/outcome"},
	}
	for i := range f.Sub {
		f.Sub[i].Current = f.Sub[i].Label == current
	}
}

// org is an organisation's name, its id where the visitor may not know it.
func (v *visit) org(id exchange.OrgID) string {
	return v.name(string(id), func() (string, error) {
		o, err := v.site.Members.Organisation(v.ctx(), v.a, id)
		return o.Name, err
	})
}

// person is a person's name, the id where the visitor may not know it.
func (v *visit) person(id exchange.PersonID) string {
	if id == v.a.Person {
		return v.a.Name
	}
	return v.name(string(id), func() (string, error) {
		p, err := v.site.Members.Person(v.ctx(), v.a, id)
		return p.Name, err
	})
}

// name looks a name up once.
func (v *visit) name(id string, look func() (string, error)) string {
	name, known := v.names[id]
	if known || id == "" {
		return name
	}
	name, err := look()
	if err != nil {
		name = id
	}
	v.names[id] = name
	return name
}

// nameAll gathers the names of organisations where a page lists many.
func (v *visit) nameAll() ([]exchange.Organisation, error) {
	all, err := v.site.Members.ListOrganisations(v.ctx(), v.a, "", 1000)
	for _, o := range all {
		v.names[string(o.ID)] = o.Name
	}
	return all, err
}

// stored lists the programs that the visitor may know.
func (v *visit) stored() ([]program.Stored, error) { return v.site.Programs.List(v.ctx(), v.a) }

func nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	// Of the URL alphabet: html/template would write a + as an entity, and answers that
	// must not differ would differ in length.
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// show writes a page.
func (v *visit) show(p page.Page) error {
	httpkit.PageHeaders(v.w.Header(), p.Around().Nonce)
	p.Around().Recorded = entryLinks(v.acts.Seqs())
	status := v.status
	if status == 0 {
		status = http.StatusOK
	}
	return v.site.pages.Render(&begin{w: v.w, status: status}, p)
}

// begin writes the status with the first byte, so that a page whose template
// fails is still answered as a fault.
type begin struct {
	w      http.ResponseWriter
	status int
}

func (b *begin) Write(p []byte) (int, error) {
	if b.status != 0 {
		b.w.WriteHeader(b.status)
		b.status = 0
	}
	return b.w.Write(p)
}

// see sends the browser to another page after an act, so that reloading does not
// repeat it.
func (v *visit) see(path string) error {
	http.Redirect(v.w, v.r, acted(path, v.acts.Seqs()), http.StatusSeeOther)
	return nil
}

// again shows the page of a form that was refused, with what is wrong on top.
// Errors that are not about the form are returned.
func (v *visit) again(err error, show func() error) error {
	f := httpkit.FailureOf(err)
	switch exchange.KindOf(err) {
	case exchange.Invalid, exchange.Conflict, exchange.Embargoed, exchange.Precondition, exchange.Denied, exchange.Exhausted:
	default:
		return err
	}
	v.status, v.faults = f.Status, faultsOf(f.Detail, f.Errors, f.Total)
	return show()
}

// fields are the form fields for the paths in problems.
var fields = map[string]string{
	"t0": "t0", "title": "title", "message": "message", "count": "count", "first": "seen-first", "last": "seen-last",
	"first_seen": "seen-first", "last_seen": "seen-last", "product": "product", "type": "ptype", "format": "format",
	"ready": "ready", "ready_at": "ready", "live": "live", "live_at": "live", "share": "share", "evidence": "evidence", "regions": "regions",
	"persons": "persons", "organisations": "organisations", "expires": "expires", "statement": "statement", "tlp": "tlp", "pap": "pap",
	"groups": "groups", "sectors": "sectors", "not_organisations": "not-organisations", "not_cohorts": "not-cohorts", "not_in": "not-in", "attribution": "attribution",
	"login": "login", "id": "org-id", "name": "org-name", "url": "hook-url", "since": "since", "kind": "org-kind", "hat": "hat", "purpose": "purpose",
	"reason": "reason", "replacement": "replacement", "at": "at", "confirm": "confirm", "note": "note", "answer": "answer",
	"ledger_from": "from", "ledger_to": "to",
	"derived_from": "derived", "relation": "relation",
	"to": "ask-to", "outside": "ask-outside", "why": "ask-why", "until": "ask-until", "condition": "ask-condition",
}

// field is the form field for the path in a problem; empty: none.
func field(path string) string {
	path, _, _ = strings.Cut(strings.TrimPrefix(path, "handling."), "[")
	return fields[path]
}

func faultsOf(text string, ps []exchange.Problem, total int) *page.Faults {
	f := &page.Faults{Text: sentence(text), More: max(0, total-len(ps))}
	for _, p := range ps {
		f.Problems = append(f.Problems, page.Problem{Field: field(p.Path), Path: p.Path, Section: p.Section, Message: sentence(p.Message)})
	}
	return f
}

// sentence begins with a capital letter.
func sentence(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// done are the words for what the act before a page did.
var done = map[string]string{
	"asked": "The originators were asked.", "answered": "Your answer was recorded.", "took-back": "The request was taken back.",
	"revoked-grant": "What was granted has ended.",
	"signed-in":     "You are signed in.", "saved": "Saved and checked.", "created": "The draft was created.", "sent": "Sent to the approvers.",
	"approved": "Your approval was recorded.", "armed": "Your approval was recorded. The release is on the clock.",
	"added": "The artifact was added.", "same": "The same artifact was here before; nothing was stored.", "removed": "The artifact was removed.",
	"moved": "T0 was moved and everyone concerned was told.", "held": "The wave is held until somebody resumes it.", "resumed": "The wave is back on the clock.",
	"killed": "The wave will never open.", "pushed": "The wave was opened.", "withdrawn": "The release was withdrawn.", "contained": "The release is contained: nothing further opens.",
	"closed": "The release is closed. Its outcome is final.", "rearmed": "The new case was made.", "feedback": "Thank you. Your feedback was recorded.",
	"accepted": "The agreement was accepted.", "joined": "The member was added.", "org": "The organisation was added.", "person": "The person was added.",
	"suspended": "Suspended. Every channel is cut.", "org-resumed": "Resumed.", "revoked": "The token was revoked.", "disconnected": "The connection was removed. Its credential is dead.",
	"marking":   "It was said what the marking asks; what it held is released under that.",
	"hook-test": "The test message is on its way.", "hook-again": "The message is on its way again.", "hook-replay": "What came since is announced anew.",
	"hook-paused": "Nothing is sent until you resume it.", "hook-resumed": "It goes on where it stopped.", "hook-removed": "The webhook was removed.",
	"read": "Marked as read.", "basis": "The line was added to the register.", "hidden": "What other members see was changed.",
	"settled":  "The disagreement is settled, with your reason on record.",
	"acting":   "You act like this from now on.",
	"recalled": "It was taken back. Those who hold it are told.", "reminded": "Those who are silent were told once more.",
}
