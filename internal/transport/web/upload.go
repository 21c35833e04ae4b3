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
	h.Statement = fields["statement"]
	for _, name := range split(fields["persons"]) {
		h.Persons = append(h.Persons, exchange.PersonID(name))
	}
	for _, o := range split(fields["organisations"]) {
		h.Organisations = append(h.Organisations, exchange.OrgID(o))
	}
	if in.Filename == "" {
		ps = append(ps, exchange.Problem{Path: "file", Message: "choose a file"})
	}
	if len(ps) > 0 {
		return in, exchange.InvalidWith("nothing was stored", ps)
	}
	return in, nil
}
