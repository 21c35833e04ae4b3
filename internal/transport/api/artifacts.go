package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// inArtifact is a submission: what it is stands in the query, its bytes are the
// body, of any size. They are read as they arrive and never held in memory.
type inArtifact struct {
	InRelease
	Class    string `query:"class" required:"true" maxLength:"64" doc:"content class" example:"detection-guidance"`
	Filename string `query:"filename" required:"true" minLength:"1" maxLength:"255"`
	Kind     string `query:"kind" enum:"stix,csaf,markdown,file" doc:"absent: recognised from the content and the name"`
	Title    string `query:"title" maxLength:"300"`
	Policy
	Supersedes string   `query:"supersedes" maxLength:"64"`
	Derived    []string `query:"derived_from" maxItems:"200" doc:"what it was made from: artifacts and STIX objects of the program"`
	Relation   string   `query:"relation" enum:"summary,tear-line,report" doc:"how it was made from that"`
	MediaType  string   `header:"Content-Type" maxLength:"255"`
	Digest     string   `header:"Content-Digest" maxLength:"512" doc:"sha-256=:…: (RFC 9530); when given, bytes that differ are refused"`

	r *http.Request
	w http.ResponseWriter
}

// Resolve takes hold of the body, which huma leaves alone for want of a field
// Body.
func (in *inArtifact) Resolve(ctx huma.Context) []error {
	in.r, in.w = humago.Unwrap(ctx)
	return nil
}

func octets(op *huma.Operation) {
	op.RequestBody = &huma.RequestBody{
		Required: true, Description: "the bytes of the artifact, of any size",
		Content: map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
		},
	}
	op.Errors = append(op.Errors, http.StatusRequestEntityTooLarge)
	created(op)
}

type receipt struct {
	Artifact  artifact        `json:"artifact"`
	Duplicate bool            `json:"duplicate" doc:"the same submission was here before; nothing was stored"`
	Types     map[string]int  `json:"types,omitempty" doc:"STIX objects by type"`
	Held      int             `json:"held,omitempty" doc:"objects held because a marking could not be resolved"`
	Warnings  []httpkit.Fault `json:"warnings"`
	Bases     []shareBasis    `json:"legal_basis,omitempty" doc:"how the program's legal bases stand for this share, as known now"`
	Release   release         `json:"release"`
}

type outReceipt struct {
	Status   int
	Location string `header:"Location"`
	ETag     string `header:"ETag" doc:"of the release"`
	Body     receipt
}

func (s *server) submitArtifact(ctx context.Context, a exchange.Actor, in *inArtifact) (*outReceipt, error) {
	h, err := in.handling("nothing was stored")
	if err != nil {
		return nil, err
	}
	body, err := checked(in.r.Body, in.Digest)
	if err != nil {
		return nil, err
	}
	httpkit.Stream(in.w)
	got, err := s.Submissions.Submit(ctx, a, submission.Input{
		Release: exchange.ReleaseID(in.Release), Class: exchange.ContentClass(in.Class), Kind: exchange.ArtifactKind(in.Kind),
		Title: in.Title, Filename: in.Filename, MediaType: in.MediaType, Handling: h, Supersedes: exchange.ArtifactID(in.Supersedes),
		DerivedFrom: in.Derived, Relation: in.Relation,
	}, body)
	if err != nil {
		return nil, err
	}
	out := &outReceipt{
		Status: http.StatusCreated, Location: prefix + "/artifacts/" + string(got.Artifact.ID), ETag: etag(got.Release.Version),
		Body: receipt{
			Artifact: wireArtifact(got.Artifact), Duplicate: got.Duplicate, Types: got.Types, Held: got.Held,
			Warnings: httpkit.Faults(got.Warnings), Release: wireRelease(got.Release),
		},
	}
	out.Body.Bases = s.grounds(ctx, a, got.Artifact.ID)
	if got.Duplicate {
		out.Status = http.StatusOK
	}
	return out, nil
}

// digestReader fails at the end of the bytes when they are not those that the
// sender described, so that nothing of them is stored.
type digestReader struct {
	io.Reader
	sum  hash.Hash
	want []byte
}

func checked(body io.Reader, header string) (io.Reader, error) {
	if header == "" {
		return body, nil
	}
	for member := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(member), "=")
		if !strings.EqualFold(name, "sha-256") {
			continue
		}
		want, err := base64.StdEncoding.DecodeString(strings.Trim(value, ":"))
		if err != nil || len(want) != sha256.Size {
			return nil, httpkit.Fail(http.StatusBadRequest, "Content-Digest is not sha-256=:base64: (RFC 9530 §2); nothing was stored")
		}
		sum := sha256.New()
		return &digestReader{io.TeeReader(body, sum), sum, want}, nil
	}
	return body, nil
}

func (d *digestReader) Read(b []byte) (int, error) {
	n, err := d.Reader.Read(b)
	if err == io.EOF && subtle.ConstantTimeCompare(d.sum.Sum(nil), d.want) != 1 {
		return n, exchange.InvalidWith("the bytes are not those that Content-Digest describes; nothing was stored", []exchange.Problem{
			{Path: "header.Content-Digest", Message: "does not hold for the body", Section: "RFC 9530 §2"},
		})
	}
	return n, err
}

// listArtifacts are the parts of a release that the caller may know.
func (s *server) listArtifacts(ctx context.Context, a exchange.Actor, in *InRelease) (*answer[list[artifact]], error) {
	out, err := s.readRelease(ctx, a, &inReadRelease{InRelease: *in})
	if err != nil {
		return nil, err
	}
	return reply(list[artifact]{append([]artifact{}, out.Body.Artifacts...)}), nil
}

type inArtifactID struct {
	Artifact string `path:"artifact" maxLength:"64"`
}

func (s *server) readArtifact(ctx context.Context, a exchange.Actor, in *inArtifactID) (*answer[artifact], error) {
	item, err := s.Delivery.Artifact(ctx, a, exchange.ArtifactID(in.Artifact))
	if err != nil {
		return nil, err
	}
	return reply(wireItem(item)), nil
}

// removeArtifact takes an artifact out of a release before anybody was given
// it; the answer is the release, whose revision grew.
func (s *server) removeArtifact(ctx context.Context, a exchange.Actor, in *inArtifactID) (*answer[release], error) {
	r, err := s.Submissions.Remove(ctx, a, exchange.ArtifactID(in.Artifact))
	if err != nil {
		return nil, err
	}
	return replyRelease(r), nil
}

// readContent gives the bytes of an artifact as they were submitted, whole or a
// range of them (RFC 9110 §14). The ETag is their SHA-256.
func (s *server) readContent(ctx context.Context, a exchange.Actor, in *inArtifactID) (*huma.StreamResponse, error) {
	c, err := s.Delivery.Content(ctx, a, exchange.ArtifactID(in.Artifact))
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		httpkit.ServeContent(w, r, c)
	}}, nil
}

func bytesAnswer(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{
		"200": {Description: "the bytes", Content: map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
		}},
		"206": {Description: "the range asked for"},
		"304": {Description: "the caller holds these bytes"},
	}
	op.Errors = append(op.Errors, http.StatusRequestedRangeNotSatisfiable)
}
