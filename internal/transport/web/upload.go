package web

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
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
	for _, t := range []exchange.TLP{exchange.TLPClear, exchange.TLPGreen, exchange.TLPAmber, exchange.TLPAmberStrict, exchange.TLPRed} {
		u.TLPs = append(u.TLPs, page.Option{Value: t.String(), Label: t.String()})
	}
	u.PAPs = []page.Option{{Value: "", Label: "program's default"}}
	for _, p := range []exchange.PAP{exchange.PAPClear, exchange.PAPGreen, exchange.PAPAmber, exchange.PAPRed} {
		u.PAPs = append(u.PAPs, page.Option{Value: p.String(), Label: p.String()})
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
		in.Handling.Persons, err = v.persons(id, split(fields["persons"]))
	}
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
		Filename: file.FileName(), MediaType: mediaType(file.Header.Get("Content-Type")),
	}
	var ps []exchange.Problem
	note := func(path string, err error) {
		if err != nil {
			ps = append(ps, exchange.Problem{Path: path, Message: "not one of the choices"})
		}
	}
	var err error
	in.Handling.TLP, err = exchange.ParseTLP(fields["tlp"])
	note("tlp", err)
	in.Handling.PAP, err = exchange.ParsePAP(fields["pap"])
	note("pap", err)
	in.Handling.Statement = fields["statement"]
	for _, o := range split(fields["organisations"]) {
		in.Handling.Organisations = append(in.Handling.Organisations, exchange.OrgID(o))
	}
	if in.Filename == "" {
		ps = append(ps, exchange.Problem{Path: "file", Message: "choose a file"})
	}
	if len(ps) > 0 {
		return in, exchange.InvalidWith("nothing was stored", ps)
	}
	return in, nil
}

// persons finds the people behind logins among the members of the release's program.
func (v *visit) persons(id exchange.ReleaseID, logins []string) ([]exchange.PersonID, error) {
	if len(logins) == 0 {
		return nil, nil
	}
	r, err := v.site.Releases.Read(v.ctx(), v.a, id)
	if err != nil {
		return nil, err
	}
	members, err := v.site.Members.Members(v.ctx(), v.a, r.Program, "", 1000)
	if err != nil {
		return nil, err
	}
	found := map[string]exchange.PersonID{}
	for _, m := range members {
		people, err := v.site.Members.People(v.ctx(), v.a, m.Org)
		if err != nil && exchange.KindOf(err) != exchange.NotFound {
			return nil, err
		}
		for _, p := range people {
			found[p.Login] = p.ID
		}
	}
	var out []exchange.PersonID
	var ps []exchange.Problem
	for _, login := range logins {
		if found[login] == "" {
			ps = append(ps, exchange.Problem{Path: "persons", Message: "nobody of the program's members has one of these logins"})
		}
		out = append(out, found[login])
	}
	if len(ps) > 0 {
		return nil, exchange.InvalidWith("nothing was stored", ps[:1])
	}
	return out, nil
}

// mediaType leaves out what browsers send when they do not know.
func mediaType(s string) string {
	if s == "application/octet-stream" {
		return ""
	}
	return s
}
