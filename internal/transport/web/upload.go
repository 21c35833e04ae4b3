package web

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

func uploadForm(r release.View, v *visit) *page.Upload {
	u := &page.Upload{Action: "/releases/" + string(r.ID) + "/artifacts", Default: strings.Join(handlingWords(r.Charter.Handling), ", ")}
	for _, c := range r.Charter.ContentClasses {
		u.Classes = append(u.Classes, page.Option{Value: string(c), Label: string(c)})
	}
	u.TLPs = []page.Option{{Value: "", Label: "program's default"}}
	u.TLPs = append(u.TLPs, labels()...)
	u.PAPs = append([]page.Option{{Value: "", Label: "program's default"}}, actionLevels()...)
	u.Attributions = []page.Option{{Value: "", Label: "program's default"}, {Value: "may", Label: "may be named"}, {Value: "must", Label: "has to be named"}, {Value: "must-not", Label: "is not named"}}
	u.Actions = []page.Option{{Value: "", Label: "program's default"}}
	for a := exchange.ActionsDirect; a <= exchange.ActionsNone; a++ {
		u.Actions = append(u.Actions, page.Option{Value: a.String(), Label: a.String()})
	}
	for _, g := range r.Charter.Groups {
		u.Groups = append(u.Groups, string(g.ID))
	}
	u.Kinds = []page.Option{
		{Value: "", Label: "recognise it"},
		{Value: string(exchange.ArtifactSTIX), Label: "STIX 2.1 bundle"},
		{Value: string(exchange.ArtifactCSAF), Label: "CSAF advisory"},
		{Value: string(exchange.ArtifactMarkdown), Label: "Markdown"},
		{Value: string(exchange.ArtifactFile), Label: "plain file"},
	}
	return u
}

const (
	maxPart  = 8 << 10 // of one field of the upload form
	maxParts = 32
)

// upload takes a form of fields and then one file, part by part: the file goes
// straight into the submission, whatever its size.
func (s *site) upload(v *visit) error {
	id := v.releaseID()
	// Whoever may not add to the release learns it before the file travels.
	if _, err := s.Releases.Read(v.ctx(), v.a, id); err != nil {
		return err
	}
	httpkit.Stream(v.w)
	parts, err := v.r.MultipartReader()
	if err != nil {
		return httpkit.Fail(http.StatusBadRequest, "the form cannot be read; nothing was stored")
	}
	fields := map[string]string{}
	for range maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return s.onRelease(v, exchange.Fail(exchange.Invalid, "choose a file; nothing was stored"), "")
		}
		if err != nil {
			return httpkit.Fail(http.StatusBadRequest, "the form broke off; nothing was stored")
		}
		if part.FormName() == "file" {
			return s.submit(v, id, fields, part)
		}
		b, err := io.ReadAll(io.LimitReader(part, maxPart+1))
		if err != nil || len(b) > maxPart || !utf8.Valid(b) {
			return httpkit.Fail(http.StatusBadRequest, "a field of the form cannot be read; nothing was stored")
		}
		fields[part.FormName()] = strings.TrimSpace(string(b))
	}
	return httpkit.Fail(http.StatusBadRequest, "the form has too many parts; nothing was stored")
}

func (s *site) submit(v *visit, id exchange.ReleaseID, fields map[string]string, file *multipart.Part) error {
	in, err := input(id, fields, file)
	if err == nil {
		var r submission.Receipt
		r, err = s.Submissions.Submit(v.ctx(), v.a, in, file)
		if err == nil && r.Duplicate {
			return s.onRelease(v, nil, "same")
		}
	}
	if err != nil {
		// What is left of the file is read, so that the browser shows the answer and
		// not a broken connection; not for ever.
		_, _ = io.Copy(io.Discard, io.LimitReader(file, 64<<20))
	}
	return s.onRelease(v, err, "added")
}

func input(id exchange.ReleaseID, fields map[string]string, file *multipart.Part) (submission.Input, error) {
	in := submission.Input{
		Release: id, Class: exchange.ContentClass(fields["class"]), Kind: exchange.ArtifactKind(fields["kind"]), Title: fields["title"],
		Filename: file.FileName(), MediaType: file.Header.Get("Content-Type"),
		DerivedFrom: split(fields["derived_from"]), Relation: fields["relation"],
	}
	var ps []exchange.Problem
	note := func(path, message string, err error) {
		if err != nil {
			ps = append(ps, exchange.Problem{Path: path, Message: message})
		}
	}
	h := &in.Handling
	var err error
	h.TLP, err = exchange.ParseTLP(fields["tlp"])
	note("tlp", "not one of the choices", err)
	h.PAP, err = exchange.ParsePAP(fields["pap"])
	note("pap", "not one of the choices", err)
	h.Expires, err = stamp(fields["expires"])
	note("expires", notAStamp, err)
	h.From, err = stamp(fields["from"])
	note("from", notAStamp, err)
	h.Actions, err = exchange.ParseActions(fields["actions"])
	note("actions", "not one of the choices", err)
	h.Purposes, h.NotHats = split(fields["purposes"]), split(fields["not_hats"])
	h.Statement = fields["statement"]
	h.Persons = names[exchange.PersonID](fields["persons"])
	h.Organisations, h.NotOrgs = names[exchange.OrgID](fields["organisations"]), names[exchange.OrgID](fields["not_organisations"])
	h.Groups, h.NotCohorts = names[exchange.GroupID](fields["groups"]), names[exchange.CohortID](fields["not_cohorts"])
	h.Sectors, h.NotIn = split(fields["sectors"]), split(fields["not_in"])
	h.Attribution, err = exchange.ParseAttribution(fields["attribution"])
	note("attribution", "not one of the choices", err)
	if in.Filename == "" {
		ps = append(ps, exchange.Problem{Path: "file", Message: "choose a file"})
	}
	if len(ps) > 0 {
		return in, exchange.InvalidWith("nothing was stored", ps)
	}
	return in, nil
}

// names reads names separated by commas.
func names[T ~string](text string) (out []T) {
	for _, n := range split(text) {
		out = append(out, T(n))
	}
	return out
}

func labels() (out []page.Option) {
	for _, t := range []exchange.TLP{exchange.TLPClear, exchange.TLPGreen, exchange.TLPAmber, exchange.TLPAmberStrict, exchange.TLPRed} {
		out = append(out, page.Option{Value: t.String(), Label: t.String()})
	}
	return out
}

func actionLevels() (out []page.Option) {
	for _, p := range []exchange.PAP{exchange.PAPClear, exchange.PAPGreen, exchange.PAPAmber, exchange.PAPRed} {
		out = append(out, page.Option{Value: p.String(), Label: p.String()})
	}
	return out
}

// held shows those who run a program what waits because nobody understands a
// marking.
func (s *site) held(v *visit) error {
	id := exchange.ProgramID(v.path("program"))
	q, err := s.Submissions.Held(v.ctx(), v.a, id)
	if err != nil {
		return err
	}
	c, _, err := s.Programs.Charter(v.ctx(), v.a, id)
	if err != nil {
		return err
	}
	p := &page.Held{
		Frame: v.frame("Held by markings"), Heading: "Held by markings", Base: "/programs/" + string(id) + "/held", May: v.a.Operates(c.Owner),
		TLPs: labels(), PAPs: append([]page.Option{{Value: "", Label: "nothing more"}}, actionLevels()...),
	}
	slices.Reverse(p.TLPs) // what nobody chose is the strictest
	v.within(&p.Frame, c, "")
	if v.faults != nil {
		p.Ref, p.Reason = v.form("ref"), v.form("reason")
	}
	for _, h := range q.Held {
		if n := len(p.Marks); n == 0 || p.Marks[n-1].Ref != h.Ref {
			p.Marks = append(p.Marks, page.HeldMark{Ref: h.Ref, Refused: h.Ref == p.Ref})
		}
		l := page.HeldLine{Title: h.Title, Objects: h.Objects, Parts: h.Parts, Since: v.clock.At(h.Since)}
		if h.Release != "" {
			l.Href = "/releases/" + string(h.Release)
		}
		m := &p.Marks[len(p.Marks)-1]
		m.Lines = append(m.Lines, l)
	}
	for _, r := range q.Resolved {
		p.Said = append(p.Said, page.SaidMark{
			Ref: r.Ref, Asks: strings.Join(handlingWords(r.Handling), ", "), Reason: r.Reason, Person: v.person(r.By), At: v.clock.At(r.At),
		})
	}
	return v.show(p)
}

// resolveMarking takes what is said of a marking.
func (s *site) resolveMarking(v *visit) error {
	var h exchange.Handling
	tlp, err := exchange.ParseTLP(v.form("tlp"))
	if err == nil {
		h.TLP = tlp
		h.PAP, err = exchange.ParsePAP(v.form("pap"))
	}
	if err == nil {
		_, err = s.Submissions.ResolveMarking(v.ctx(), v.a, exchange.ProgramID(v.path("program")), v.form("ref"), h, v.form("reason"))
	}
	if err != nil {
		return v.again(err, func() error { return s.held(v) })
	}
	return v.see("/programs/" + v.path("program") + "/held?done=marking")
}
