package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

const libraryPage = 100

// libraries leads to the library of the one program, or to the programs.
func (s *site) libraries(v *visit) error {
	all, err := v.stored()
	if err != nil {
		return err
	}
	if len(all) == 1 {
		return v.see("/programs/" + string(all[0].ID) + "/objects")
	}
	return v.see("/programs")
}

// stixTypes are the types that the filter offers.
var stixTypes = []string{
	"attack-pattern", "campaign", "course-of-action", "domain-name", "file", "grouping", "identity", "indicator", "infrastructure", "intrusion-set",
	"ipv4-addr", "malware", "note", "observed-data", "opinion", "relationship", "report", "sighting", "software", "threat-actor", "tool", "url", "vulnerability",
}

// library lists the objects that the reader may see. Names are content, so the
// page is a delivery and is recorded as one.
func (s *site) library(v *visit) error {
	c, _, err := s.Programs.Charter(v.ctx(), v.a, exchange.ProgramID(v.path("program")))
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	base := "/programs/" + string(c.ID) + "/objects"
	p := &page.Library{Frame: v.frame("Library"), Action: base, Query: strings.TrimSpace(q.Get("q"))}
	v.within(&p.Frame, c, "Library")
	p.Empty = page.Empty{Text: "Objects will be here from the moment at which they open to your cohort.", Action: "Releases", Href: "/programs/" + string(c.ID) + "/releases"}
	typ := q.Get("type")
	p.Types = []page.Option{{Value: "", Label: "every type", Selected: typ == ""}}
	for _, t := range stixTypes {
		p.Types = append(p.Types, page.Option{Value: t, Label: t, Selected: t == typ})
	}
	if p.TLP, err = v.strictest(c); err != nil {
		return err
	}
	switch {
	case p.Query != "":
		err = v.search(p, c)
	case v.runs(c):
		err = v.shelf(p, c)
	default:
		err = v.shelves(p, c, typ)
	}
	if err != nil {
		return err
	}
	return v.show(p)
}

// strictest is the strictest label among what the visitor may read of a program.
func (v *visit) strictest(c exchange.Charter) (exchange.TLP, error) {
	rs, err := v.site.Delivery.Releases(v.ctx(), v.a, c.ID)
	top := exchange.TLPUnset
	for _, r := range rs {
		top = max(top, r.TLP)
	}
	return top, noCollection(err)
}

func (v *visit) search(p *page.Library, c exchange.Charter) error {
	hits, err := v.site.Delivery.Search(v.ctx(), v.a, c.ID, p.Query, libraryPage)
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return err
	}
	for _, h := range hits {
		href := "/" + h.Kind + "s/" + h.ID
		if h.Kind == "object" {
			href = objectHref(c.ID, h.ID)
		}
		p.Hits = append(p.Hits, page.HitLine{Kind: h.Kind, Title: h.Title, ID: h.ID, Href: href})
	}
	p.Count = page.Plural(len(hits), "hit")
	p.Empty = page.Empty{Text: "Nothing that you may see has this in its title, and no object has it as its id.", Action: "Everything", Href: p.Action}
	return nil
}

// dropBox says so where the visitor's cohort writes and is given nothing.
func (v *visit) dropBox(p *page.Library, c exchange.Charter) error {
	m, err := v.site.Members.Member(v.ctx(), v.a, c.ID, v.a.Org)
	if err == nil && c.MayWrite(m.Audience.Cohort) && !c.MayRead(m.Audience.Cohort) {
		p.Empty = page.Empty{Text: "Your cohort writes into this program and reads nothing of it: it has a drop box.", Action: "Program", Href: "/programs/" + string(c.ID)}
	}
	return noCollection(err)
}

// shelves is a page of a reader's collection.
func (v *visit) shelves(p *page.Library, c exchange.Charter, typ string) error {
	after, _ := strconv.ParseInt(v.r.URL.Query().Get("after"), 10, 64)
	q := delivery.Query{After: after, Limit: libraryPage}
	if typ != "" {
		q.Types = []string{typ}
	}
	n, err := v.site.Delivery.Count(v.ctx(), v.a, c.ID)
	if exchange.KindOf(err) == exchange.NotFound {
		return v.dropBox(p, c) // no agreement, no cohort, or nothing to read: nothing is here
	}
	if err != nil {
		return err
	}
	p.Count = page.Plural(n, "object")
	if n >= delivery.Capped {
		p.Count = "more than 10,000 objects"
	}
	pg, err := v.site.Delivery.Page(v.ctx(), v.a, c.ID, q)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteByte('[')
	if err := pg.WriteObjects(&b); err != nil {
		return err
	}
	b.WriteByte(']')
	var named []named
	if err := json.Unmarshal(b.Bytes(), &named); err != nil {
		return fmt.Errorf("reading a page of objects: %w", err)
	}
	for i, o := range named {
		line := page.ObjectLine{ID: o.ID, Href: objectHref(c.ID, o.ID), Type: o.Type, Title: o.title()}
		if i < len(pg.Entries) {
			line.Added = v.clock.At(time.UnixMicro(pg.Entries[i].Added))
		}
		p.Lines = append(p.Lines, line)
	}
	if pg.More {
		p.Next = p.Action + "?" + url.Values{"after": {fmt.Sprint(pg.Entries[len(pg.Entries)-1].Added)}, "type": {typ}}.Encode()
	}
	if after > 0 {
		p.First = p.Action + "?" + url.Values{"type": {typ}}.Encode()
	}
	return nil
}

// named is what a list shows of an object.
type named struct {
	ID, Type, Name, Value, Abstract, Pattern string
	RelationshipType                         string `json:"relationship_type"`
}

func (n named) title() string {
	for _, t := range []string{n.Name, n.Value, n.Abstract, n.RelationshipType, n.Pattern} {
		if t != "" {
			if r := []rune(t); len(r) > 160 {
				return string(r[:160]) + "…"
			}
			return t
		}
	}
	return ""
}

// shelf is for those who run the program, who have no collection of their own: the
// artifacts, or the objects of one.
func (v *visit) shelf(p *page.Library, c exchange.Charter) error {
	p.Types = nil
	id := exchange.ArtifactID(v.r.URL.Query().Get("artifact"))
	if id == "" {
		rs, err := v.site.Delivery.Releases(v.ctx(), v.a, c.ID)
		for _, r := range rs {
			for _, i := range r.Items {
				p.Hits = append(p.Hits, page.HitLine{
					Kind: string(i.Artifact.Class), Title: i.Artifact.Title, ID: string(i.Artifact.ID), Href: artifactOrObjects(p.Action, i.Artifact),
				})
			}
		}
		p.Count = page.Plural(len(p.Hits), "artifact")
		p.Empty.Text = "Artifacts of your releases will be here."
		return noCollection(err)
	}
	after, err := strconv.ParseInt(v.r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		after = -1
	}
	objs, err := v.site.Delivery.Objects(v.ctx(), v.a, id, after, libraryPage)
	if err != nil {
		return err
	}
	for _, o := range objs {
		p.Lines = append(p.Lines, page.ObjectLine{ID: o.ID, Href: objectHref(c.ID, o.ID), Type: o.Type})
	}
	if len(objs) == libraryPage {
		p.Next = p.Action + "?" + url.Values{"artifact": {string(id)}, "after": {fmt.Sprint(objs[len(objs)-1].Seq)}}.Encode()
	}
	return nil
}

func artifactOrObjects(base string, a exchange.Artifact) string {
	if a.Objects > 0 {
		return base + "?artifact=" + string(a.ID)
	}
	return "/artifacts/" + string(a.ID)
}

// noCollection turns the answer for an auditor, who reads no content, into an
// empty library.
func noCollection(err error) error {
	if exchange.KindOf(err) == exchange.NotFound {
		return nil
	}
	return err
}

const shownBytes = 256 << 10

func (s *site) object(v *visit) error {
	c, _, err := s.Programs.Charter(v.ctx(), v.a, exchange.ProgramID(v.path("program")))
	if err != nil {
		return err
	}
	o, err := s.Delivery.Object(v.ctx(), v.a, c.ID, v.path("object"))
	if err != nil {
		return err
	}
	var n named
	_ = json.Unmarshal(o.Raw, &n) // what was stored is valid; a name is a convenience
	title := n.title()
	if title == "" {
		title = o.Object.Type
	}
	a := o.Artifact
	p := &page.Object{
		Frame: v.frame(title), ID: o.Object.ID, Type: o.Object.Type, Heading: title, Embargoed: o.PublicAt.IsZero(), T0: v.clock.At(o.T0),
		May: o.Decision.Obligations, MayNot: mayNot(o.TLP, c.Agreement, o.PublicAt.IsZero()), JSON: pretty(o.Raw), Size: int64(len(o.Raw)),
		RawHref: objectHref(c.ID, o.Object.ID) + "/bytes", Release: page.Link{Label: o.Title, Href: "/releases/" + string(o.Release)},
		Artifact: page.Link{Label: a.Title, Href: "/artifacts/" + string(a.ID)}, Class: string(a.Class), PAP: papOf(o.Decision.Obligations),
		Originator: v.org(a.Originator), Owner: v.org(c.Owner), Statement: a.Handling.Statement, Expires: v.clock.At(a.Handling.Expires),
		Submitted: v.clock.At(a.SubmittedAt), Receipt: receipt,
	}
	p.Ledger = about(c.ID, "", string(a.ID))
	p.TLP, p.Redacted, p.CopyAsked = o.TLP, o.Redacted, o.CopyAsked
	v.within(&p.Frame, c, "Library")
	if o.Added != 0 {
		p.Added = v.clock.At(time.UnixMicro(o.Added))
	}
	if o.Object.Version != 0 {
		p.Modified = time.UnixMicro(o.Object.Version).UTC().Format("2006-01-02 15:04:05.000 UTC")
	}
	for _, st := range o.Decision.Steps {
		p.Explanation = append(p.Explanation, page.StepLine{Rule: st.Rule, Text: st.Text})
	}
	if o.Source != "" {
		p.Originator += ", shown to others as " + string(o.Source)
	}
	if err := v.relations(p, o, c); err != nil {
		return err
	}
	if p.Has, err = v.has(c.ID, o.Object.ID, objectHref(c.ID, o.Object.ID)); err != nil {
		return err
	}
	if v.runs(c) {
		es, err := s.Record.Exposure(v.ctx(), v.a, record.ExposureFilter{Release: o.Release, Artifact: a.ID})
		if err != nil {
			return err
		}
		if _, err := v.nameAll(); err != nil {
			return err
		}
		p.Exposure = v.memberStates(es, nil, nil)
	} else if v.a.May(exchange.VerbFeedback) {
		p.Feedback = v.feedbackForms(o.Release, c, o.PublicAt)
		p.Feedback.Object, p.Feedback.Back, p.Feedback.Only = o.Object.ID, objectHref(c.ID, o.Object.ID), true
	}
	if v.a.Operates(c.Owner) || slices.Contains(a.Owners(), v.a.Org) {
		p.TakeBack = "/recalls/new?program=" + string(c.ID) + "&object=" + o.Object.ID
	}
	if a.Kind == exchange.ArtifactJournal || a.Relation == reshare.RelationCopy { // a member wrote it: there is no release to look at or to answer
		p.Release.Href, p.Artifact.Href, p.Feedback = "", "", nil
	}
	if p.Passing, err = v.passing(c.ID, o.Object.ID); err != nil {
		return err
	}
	return v.show(p)
}

func pretty(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw[:min(len(raw), shownBytes)])
	}
	if b.Len() > shownBytes {
		return string(bytes.ToValidUTF8(b.Bytes()[:shownBytes], nil)) + "\n… (download it to read the rest)"
	}
	return b.String()
}

// relations lists the references inside the object to objects that the reader may
// see, and only those: a reference to a hidden object would tell that it exists.
func (v *visit) relations(p *page.Object, o delivery.ObjectView, c exchange.Charter) error {
	var m map[string]json.RawMessage
	if json.Unmarshal(o.Raw, &m) != nil {
		return nil
	}
	property := map[string]string{}
	var ids []string
	for name, raw := range m {
		var one string
		var many []string
		switch {
		case strings.HasSuffix(name, "_ref") && json.Unmarshal(raw, &one) == nil:
			many = []string{one}
		case strings.HasSuffix(name, "_refs"):
			_ = json.Unmarshal(raw, &many)
		}
		for _, id := range many {
			if _, known := property[id]; !known && !strings.HasPrefix(id, "marking-definition--") && len(ids) < libraryPage {
				property[id] = name
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	es, _, err := v.site.Delivery.Manifest(v.ctx(), v.a, c.ID, delivery.Query{IDs: ids, Limit: libraryPage})
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return err
	}
	for _, e := range es {
		p.Relations = append(p.Relations, page.Relation{Property: property[e.ID], Type: e.Type, Other: page.Link{Label: e.ID, Href: objectHref(c.ID, e.ID)}})
	}
	slices.SortFunc(p.Relations, func(a, b page.Relation) int {
		return strings.Compare(a.Property+a.Other.Label, b.Property+b.Other.Label)
	})
	return nil
}

func (s *site) objectBytes(v *visit) error {
	o, err := s.Delivery.Object(v.ctx(), v.a, exchange.ProgramID(v.path("program")), v.path("object"))
	if err != nil {
		return err
	}
	httpkit.Attach(v.w.Header(), o.Object.ID+".json", "application/json")
	_, _ = v.w.Write(o.Raw)
	return nil
}

func (s *site) artifact(v *visit) error {
	i, err := s.Delivery.Artifact(v.ctx(), v.a, exchange.ArtifactID(v.path("artifact")))
	if err != nil {
		return err
	}
	a := i.Artifact
	c, _, err := s.Programs.Charter(v.ctx(), v.a, a.Program)
	if err != nil {
		return err
	}
	release := page.Link{Label: string(a.Release), Href: "/releases/" + string(a.Release)}
	p := &page.Artifact{
		Frame: v.frame(a.Title), Heading: a.Title, Item: v.item(i), Filename: a.Filename, MediaType: a.MediaType, Release: release,
		May: i.Obligations, Submitted: v.clock.At(a.SubmittedAt), Receipt: receipt,
	}
	p.TLP, p.Ledger = i.TLP, about(c.ID, "", string(a.ID))
	v.within(&p.Frame, c, "Library")
	rs, err := s.Delivery.Releases(v.ctx(), v.a, a.Program)
	if err != nil {
		return err
	}
	for _, r := range rs {
		if r.ID == a.Release {
			p.Release.Label, p.T0, p.Embargoed = r.Title, v.clock.At(r.T0), r.PublicAt.IsZero()
		}
	}
	p.MayNot = mayNot(i.TLP, c.Agreement, p.Embargoed)
	if p.Shared, err = v.shared(a.ID); err != nil {
		return err
	}
	if p.Passing, err = v.passing(c.ID, string(a.ID)); err != nil {
		return err
	}
	if p.Lineage, err = v.lineage(a.ID, c.ID); err != nil {
		return err
	}
	if p.From = v.org(a.Originator); i.Source != "" {
		p.From += ", shown to others as " + string(i.Source)
	}
	if p.Has, err = v.has("", string(a.ID), "/artifacts/"+string(a.ID)); err != nil {
		return err
	}
	if p.Prose, err = prose(a, func() (*delivery.Content, error) { return s.Delivery.Content(v.ctx(), v.a, a.ID) }); err != nil {
		return err
	}
	return v.show(p)
}

// proseBytes is the largest Markdown that a page shows.
const proseBytes = 256 << 10

// prose is the text of a Markdown artifact. Showing it gives it: it is recorded as
// every other giving of the bytes.
func prose(a exchange.Artifact, open func() (*delivery.Content, error)) (template.HTML, error) {
	if a.Kind != exchange.ArtifactMarkdown || a.Size > proseBytes {
		return "", nil
	}
	c, err := open()
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	if err != nil {
		return "", fmt.Errorf("reading an artifact: %w", err)
	}
	return page.Markdown(string(b)), nil
}

func (s *site) content(v *visit) error {
	c, err := s.Delivery.Content(v.ctx(), v.a, exchange.ArtifactID(v.path("artifact")))
	if err != nil {
		return err
	}
	httpkit.ServeContent(v.w, v.r, c)
	return nil
}

// cached lets what is public be kept for a minute, for those who are not signed in.
func (v *visit) cached() {
	if v.a.Anonymous() {
		v.w.Header().Set("Cache-Control", "public, max-age=60")
		v.w.Header().Set("Vary", "Cookie")
	}
}

func (s *site) public(v *visit) error {
	rs, err := s.Delivery.PublicReleases(v.ctx())
	if err != nil {
		return err
	}
	p := &page.Public{Frame: v.frame("Public releases")}
	for _, r := range rs {
		p.Lines = append(p.Lines, page.ReleaseLine{
			Title: r.Title, Href: "/public/releases/" + string(r.ID), Program: string(r.Program), T0: v.clock.At(r.PublicAt), Items: len(r.Items),
		})
	}
	v.cached()
	return v.show(p)
}

func (s *site) publicRelease(v *visit) error {
	r, err := s.Delivery.Release(v.ctx(), exchange.Public(), exchange.ReleaseID(v.path("release")))
	if err != nil {
		return err
	}
	p := &page.PublicRelease{
		Frame: v.frame(r.Title), Heading: r.Title, Program: string(r.Program), Since: v.clock.At(r.PublicAt), Prose: page.Markdown(r.Message),
	}
	p.TLP = r.TLP
	for _, i := range r.Items {
		line := v.item(i)
		line.Content = "/public/artifacts/" + string(i.Artifact.ID)
		line.Prose, err = prose(i.Artifact, func() (*delivery.Content, error) {
			return s.Delivery.Content(v.ctx(), exchange.Public(), i.Artifact.ID)
		})
		if err != nil {
			return err
		}
		p.Items = append(p.Items, line)
	}
	v.cached()
	return v.show(p)
}

func (s *site) publicContent(v *visit) error {
	c, err := s.Delivery.Content(v.ctx(), exchange.Public(), exchange.ArtifactID(v.path("artifact")))
	if err != nil {
		return err
	}
	v.cached()
	httpkit.ServeContent(v.w, v.r, c)
	return nil
}
