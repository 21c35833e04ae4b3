package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// ledgerRoutes are the operations of the ledger, as its parties read it. The log
// itself is public, under /log/.
func (s *server) ledgerRoutes() registration {
	all := []registration{
		on("GET /ledger", "read-ledger", "The log that is written now: its size, root and newest checkpoint", s.readLedger),
		on("GET /ledger/entries", "list-entries", "The entries to which the caller is a party, newest first", s.listEntries),
		on("GET /ledger/entries/{entry}", "read-entry", "One entry", s.readEntry),
		on("GET /ledger/entries/{entry}/receipt", "read-receipt", "What proves an entry, offline and for ever", s.readReceipt, receiptAnswer),
		on("GET /ledger/entries/{entry}/objects/{object}", "read-object-proof", "What proves that an object was given", s.readObjectProof, objectProofAnswer),
		on("POST /ledger/entries/{entry}/erase", "erase-opening", "Erase what opens an entry; the entry stays in the ledger", s.eraseOpening),
		on("GET /programs/{program}/evidence", "read-evidence", "An evidence bundle of a program and a period", s.readEvidence, bundleAnswer),
	}
	return func(s *server, api huma.API) {
		for _, add := range all {
			add(s, api)
		}
	}
}

type (
	ledger struct {
		Origin     string    `json:"origin" doc:"name of the log"`
		Log        int       `json:"log" doc:"its number, from 1"`
		Keys       []string  `json:"keys" doc:"that sign it now: name+hash+base64, as C2SP signed-note has it"`
		Size       int64     `json:"size"`
		Root       string    `json:"root" doc:"hash of the root, hexadecimal"`
		NewestAt   time.Time `json:"newest_at,omitzero" doc:"when the newest event in it was recorded"`
		Checkpoint string    `json:"checkpoint" doc:"the newest, signed (C2SP tlog-checkpoint)"`
		Witnesses  []watcher `json:"witnesses,omitempty" doc:"of the caller's programs, and how they stand to the log"`
	}
	watcher struct {
		Program string `json:"program"`
		WitnessOne
	}
	LedgerEntry struct {
		Entry        int64     `json:"entry" doc:"number of the entry"`
		Number       int64     `json:"number,omitempty" doc:"among the events of its program"`
		At           time.Time `json:"at"`
		Kind         string    `json:"kind"`
		Words        string    `json:"words" doc:"the kind in plain words"`
		Program      string    `json:"program,omitempty"`
		Release      string    `json:"release,omitempty"`
		Organisation string    `json:"organisation,omitempty" doc:"the one concerned, else the one that acted; absent where it is not shown"`
		Name         string    `json:"organisation_name,omitempty"`
		ActorOrg     string    `json:"actor_organisation,omitempty"`
		Person       string    `json:"person,omitempty"`
		Token        string    `json:"token,omitempty"`
		Actor        string    `json:"actor,omitempty" doc:"login of the person, or name of the token"`
		Channel      string    `json:"channel,omitempty"`
		Subjects     []string  `json:"subjects,omitempty" doc:"identifiers of what it touched, as far as they are shown"`
		Whole        bool      `json:"whole" doc:"false: the caller, an originator, is shown what concerns its own artifacts"`
		Erased       bool      `json:"erased,omitempty" doc:"what opens it was erased"`
	}
	placedEntry struct {
		LedgerEntry
		Origin string `json:"origin" doc:"name of the log in which it stands"`
		Log    int    `json:"log" doc:"number of that log"`
		Index  int64  `json:"index" doc:"its place there, from 0"`
	}
	inLedger struct {
		NoneMatching
	}
	inEntries struct {
		Paging
		Program string    `query:"program" maxLength:"63"`
		Release string    `query:"release" maxLength:"64"`
		Kinds   []string  `query:"kind" maxItems:"32" example:"wave.open"`
		Org     string    `query:"organisation" maxLength:"63" doc:"that acted, or that is concerned"`
		Person  string    `query:"person" maxLength:"64"`
		Subject string    `query:"subject" maxLength:"256" doc:"identifier of what the act touched, such as an artifact"`
		From    time.Time `query:"from" doc:"at or after this instant"`
		To      time.Time `query:"to" doc:"before this instant"`
	}
	InEntry struct {
		Entry int64 `path:"entry" minimum:"1" doc:"number of the entry, as the header Forewarn-Entry gives it"`
	}
)

func (s *server) readLedger(ctx context.Context, a exchange.Actor, in *inLedger) (*answer[ledger], error) {
	h, err := s.Record.Head(ctx)
	if err != nil {
		return nil, err
	}
	standings, err := s.Witnesses.Standings(ctx, a)
	if err != nil {
		return nil, err
	}
	l := ledger{
		Origin: h.Origin, Log: h.Number, Keys: h.Keys, Size: h.Size, Root: hex.EncodeToString(h.Root[:]),
		NewestAt: utc(h.NewestAt), Checkpoint: string(h.Checkpoint),
	}
	for _, of := range standings {
		for _, w := range of.Witnesses {
			l.Witnesses = append(l.Witnesses, watcher{string(of.Program), wireWitness(w)})
		}
	}
	text, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("writing the state of the ledger: %w", err)
	}
	out := reply(l)
	out.ETag = tagFor(text)
	return out, in.unless(out.ETag)
}

// tagFor is the ETag of bytes.
func tagFor(b []byte) string {
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

func (s *server) listEntries(ctx context.Context, a exchange.Actor, in *inEntries) (*answer[list[LedgerEntry]], error) {
	before, err := in.number()
	if err != nil {
		return nil, err
	}
	items, err := s.Record.Entries(ctx, a, room.EntryFilter{
		Program: exchange.ProgramID(in.Program), Release: exchange.ReleaseID(in.Release), Kinds: as[exchange.EventKind](in.Kinds),
		Org: exchange.OrgID(in.Org), Person: exchange.PersonID(in.Person), Subject: in.Subject, From: in.From, To: in.To,
		Before: before, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	filters := url.Values{
		"program": {in.Program}, "release": {in.Release}, "organisation": {in.Org}, "person": {in.Person}, "subject": {in.Subject},
	}
	if len(in.Kinds) > 0 {
		filters["kind"] = in.Kinds
	}
	for name, at := range map[string]time.Time{"from": in.From, "to": in.To} {
		if !at.IsZero() {
			filters.Set(name, at.UTC().Format(exchange.TimeFormat))
		}
	}
	return replyPage(items, in.Paging, "/ledger/entries", filters,
		func(e room.LedgerEntry) string { return strconv.FormatInt(e.Seq, 10) }, wireEntry), nil
}

func wireEntry(e room.LedgerEntry) LedgerEntry {
	return LedgerEntry{
		Entry: e.Seq, Number: e.Number, At: utc(e.At), Kind: string(e.Kind), Words: e.Words, Program: string(e.Program),
		Release: string(e.Release), Organisation: string(e.Org), Name: e.OrgName, ActorOrg: string(e.ActorOrg),
		Person: string(e.Person), Token: string(e.Token), Actor: e.ActorName, Channel: string(e.Channel),
		Subjects: e.Subjects, Whole: e.Whole, Erased: e.Erased,
	}
}

func (s *server) readEntry(ctx context.Context, a exchange.Actor, in *InEntry) (*answer[placedEntry], error) {
	e, err := s.Record.ReadEntry(ctx, a, in.Entry)
	if err != nil {
		return nil, err
	}
	p, err := s.Record.Where(ctx, a, in.Entry)
	if err != nil {
		return nil, err
	}
	return reply(placedEntry{wireEntry(e), p.Origin, p.Number, p.Index}), nil
}

// outProof is a receipt as bytes: what is proved are bytes.
type outProof struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	ETag        string `header:"ETag"`
	Body        []byte
}

const (
	receiptType = "application/octet-stream"
	proofType   = "text/plain; charset=utf-8"
)

type inReceipt struct {
	InEntry
	NoneMatching
	Format string `query:"format" enum:"receipt,proof" doc:"proof: the same as text, a C2SP tlog-proof; absent: a receipt"`
}

func receiptAnswer(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{
		"200": {Description: "the receipt, or with format=proof a C2SP tlog-proof", Content: map[string]*huma.MediaType{
			receiptType: {Schema: &huma.Schema{Type: "string", Format: "binary"}},
			proofType:   {Schema: &huma.Schema{Type: "string"}},
		}},
		"304": {Description: "the caller holds this receipt"},
	}
}

func (s *server) readReceipt(ctx context.Context, a exchange.Actor, in *inReceipt) (*outProof, error) {
	r, err := s.Record.Receipt(ctx, a, in.Entry)
	if err != nil {
		return nil, err
	}
	name := "entry-" + strconv.FormatInt(in.Entry, 10)
	out := &outProof{ContentType: receiptType, Disposition: `attachment; filename="` + name + `.receipt"`}
	if in.Format == "proof" {
		out.ContentType, out.Disposition = proofType, `attachment; filename="`+name+`.tlog-proof"`
		out.Body, err = r.MarshalText()
	} else {
		out.Body, err = r.MarshalBinary()
	}
	if err != nil {
		return nil, err
	}
	out.ETag = tagFor(out.Body)
	return out, in.unless(out.ETag)
}

type inObjectProof struct {
	InEntry
	Object string `path:"object" maxLength:"256" doc:"STIX identifier under which it was given"`
}

func objectProofAnswer(op *huma.Operation) {
	content("application/json", "the proof, to be verified with the receipt of the entry", &huma.Schema{Type: "object", AdditionalProperties: true})(op)
}

func (s *server) readObjectProof(ctx context.Context, a exchange.Actor, in *inObjectProof) (*outProof, error) {
	p, err := s.Record.ObjectProof(ctx, a, in.Entry, in.Object)
	if err != nil {
		return nil, err
	}
	body, err := p.MarshalJSON()
	return &outProof{ContentType: "application/json", Body: append(body, '\n')}, err
}

type (
	inErase struct {
		InEntry
		Body struct {
			Reason string `json:"reason" minLength:"1" maxLength:"2000" doc:"why it has to go; recorded"`
		}
	}
)

func (s *server) eraseOpening(ctx context.Context, a exchange.Actor, in *inErase) (*none, error) {
	return nil, s.Record.EraseOpening(ctx, a, in.Entry, in.Body.Reason)
}

type inEvidence struct {
	InProgram
	From time.Time `query:"from" doc:"events at or after this instant; absent: from the first"`
	To   time.Time `query:"to" doc:"events before this instant; absent: to the last"`
	Log  int       `query:"log" minimum:"0" doc:"number of the log, where the period reaches into several; absent: the newest"`
}

const bundleType = "application/x-tar"

func bundleAnswer(op *huma.Operation) {
	content(bundleType, "an evidence bundle: events, openings, proofs, charters", &huma.Schema{Type: "string", Format: "binary"})(op)
	op.Errors = append(op.Errors, http.StatusConflict)
}

// readEvidence writes the bundle as it is made. What goes wrong after its beginning
// cuts the connection: the reader sees that it is not whole.
func (s *server) readEvidence(ctx context.Context, a exchange.Actor, in *inEvidence) (*huma.StreamResponse, error) {
	write, err := s.Record.Evidence(ctx, a, room.BundleRequest{
		Program: exchange.ProgramID(in.Program), From: in.From, To: in.To, Log: in.Log,
	})
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		httpkit.Stream(w)
		httpkit.Attach(w.Header(), "evidence-"+in.Program+".tar", bundleType)
		if err := write(w); err != nil {
			httpkit.Failed(ctx, s.log, err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}
