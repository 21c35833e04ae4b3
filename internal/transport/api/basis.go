package api

import (
	"cmp"
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/basis"
)

type (
	inBasis struct {
		Basis string `path:"basis" maxLength:"63"`
	}
	inBasisLine struct {
		Body struct {
			ID           string    `json:"id" minLength:"1" maxLength:"63" doc:"short name of the basis; a known one gets a further line"`
			Jurisdiction string    `json:"jurisdiction,omitempty" maxLength:"2" doc:"ISO 3166-1 alpha-2, or EU; absent: as in the first line of the basis"`
			Instrument   string    `json:"instrument,omitempty" maxLength:"200" doc:"as it is cited; absent: as in the first line of the basis"`
			NotInForce   bool      `json:"not_in_force,omitempty" doc:"the line says that the basis is not in force in the period"`
			ValidFrom    time.Time `json:"valid_from"`
			ValidTo      time.Time `json:"valid_to,omitzero" doc:"the first instant that is not covered; absent: open"`
			KnownFrom    time.Time `json:"known_from,omitzero" doc:"since when this can be known; absent: now"`
			Conditions   string    `json:"conditions,omitempty" maxLength:"2000"`
			Source       string    `json:"source" minLength:"1" maxLength:"200" doc:"where this can be read"`
		}
	}
	basisLine struct {
		Line         int64     `json:"line" doc:"number in the register"`
		Basis        string    `json:"basis"`
		Jurisdiction string    `json:"jurisdiction"`
		Instrument   string    `json:"instrument"`
		InForce      bool      `json:"in_force" doc:"what the line says of its period"`
		ValidFrom    time.Time `json:"valid_from"`
		ValidTo      time.Time `json:"valid_to,omitzero" doc:"absent: open"`
		KnownFrom    time.Time `json:"known_from"`
		EnteredAt    time.Time `json:"entered_at"`
		Conditions   string    `json:"conditions,omitempty"`
		Source       string    `json:"source"`
	}
	standing struct {
		Basis   string     `json:"basis"`
		At      time.Time  `json:"at"`
		InForce bool       `json:"in_force" doc:"as known at that instant"`
		Line    *basisLine `json:"line,omitempty" doc:"the line that decides, else the nearest one"`
		Warning string     `json:"warning,omitempty" doc:"present where the basis was not in force"`
	}
	shareBasis struct {
		Event        int64       `json:"event"`
		Artifact     string      `json:"artifact"`
		Organisation string      `json:"organisation"`
		Kept         standing    `json:"kept" doc:"as known when it was shared; never changed"`
		Later        []basisLine `json:"later" nullable:"false" doc:"what became known later about that instant"`
	}
	// AfterEvent pages through shares.
	AfterEvent struct {
		After int64 `query:"after" minimum:"0" doc:"shares after this event"`
		Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	inShares struct {
		Artifact string `path:"artifact" maxLength:"64"`
		AfterEvent
	}
	inSharesBy struct {
		InProgram
		Organisation string `query:"organisation" maxLength:"63" doc:"who shared; absent: the caller's"`
		AfterEvent
	}
)

func wireLine(l basis.Line) basisLine {
	return basisLine{
		Line: l.Number, Basis: string(l.Basis), Jurisdiction: l.Jurisdiction, Instrument: l.Instrument, InForce: l.InForce,
		ValidFrom: utc(l.From), ValidTo: utc(l.To), KnownFrom: utc(l.KnownFrom), EnteredAt: utc(l.EnteredAt),
		Conditions: l.Conditions, Source: l.Source,
	}
}

func wireStanding(s basis.Standing) standing {
	out := standing{Basis: string(s.Basis), At: utc(s.At), InForce: s.InForce, Warning: s.Warning()}
	if s.Line.Number != 0 {
		l := wireLine(s.Line)
		out.Line = &l
	}
	return out
}

func (s *server) listBases(ctx context.Context, a exchange.Actor, _ *none) (*answer[list[basisLine]], error) {
	lines, err := s.Bases.Lines(ctx, a, "")
	if err != nil {
		return nil, err
	}
	return replyList(lines, wireLine), nil
}

func (s *server) readBasis(ctx context.Context, a exchange.Actor, in *inBasis) (*answer[list[basisLine]], error) {
	lines, err := s.Bases.Lines(ctx, a, exchange.BasisID(in.Basis))
	if err != nil {
		return nil, err
	}
	return replyList(lines, wireLine), nil
}

func (s *server) addBasis(ctx context.Context, a exchange.Actor, in *inBasisLine) (*answer[basisLine], error) {
	b := in.Body
	l, err := s.Bases.Add(ctx, a, basis.Line{
		Basis: exchange.BasisID(b.ID), Jurisdiction: b.Jurisdiction, Instrument: b.Instrument, InForce: !b.NotInForce,
		From: b.ValidFrom, To: b.ValidTo, KnownFrom: b.KnownFrom, Conditions: b.Conditions, Source: b.Source,
	})
	if err != nil {
		return nil, err
	}
	return reply(wireLine(l)), nil
}

func (s *server) checkBasis(ctx context.Context, a exchange.Actor, in *InProgram) (*answer[list[standing]], error) {
	all, err := s.Bases.Check(ctx, a, exchange.ProgramID(in.Program))
	if err != nil {
		return nil, err
	}
	return replyList(all, wireStanding), nil
}

func (s *server) basisOf(ctx context.Context, a exchange.Actor, in *inShares) (*answer[list[shareBasis]], error) {
	all, err := s.Bases.SharesOf(ctx, a, exchange.ArtifactID(in.Artifact), in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	return replyList(all, wireShare), nil
}

func (s *server) basisBy(ctx context.Context, a exchange.Actor, in *inSharesBy) (*answer[list[shareBasis]], error) {
	org := exchange.OrgID(cmp.Or(in.Organisation, string(a.Org)))
	all, err := s.Bases.Shares(ctx, a, exchange.ProgramID(in.Program), org, in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	return replyList(all, wireShare), nil
}

func wireShare(s basis.Share) shareBasis {
	return shareBasis{
		Event: s.Event, Artifact: string(s.Artifact), Organisation: string(s.Org), Kept: wireStanding(s.Standing), Later: wires(s.Later, wireLine),
	}
}

// grounds are the lines of a submission's receipt. They are kept already, so a
// failure to read them is no failure of the submission.
func (s *server) grounds(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) []shareBasis {
	all, err := s.Bases.SharesOf(ctx, a, id, 0, 1)
	if err != nil {
		return nil
	}
	return wires(all, wireShare)
}

// bases are the operations on legal bases.
func (s *server) bases() registration {
	all := []registration{
		on("GET /legal-bases", "list-legal-bases", "The register of legal bases, in its order", s.listBases),
		on("POST /legal-bases", "add-legal-basis", "Add a line to the register; lines are never changed", s.addBasis, created),
		on("GET /legal-bases/{basis}", "read-legal-basis", "The lines of one legal basis", s.readBasis),
		on("GET /programs/{program}/legal-bases", "check-legal-basis", "How the bases of a program stand now, as known now", s.checkBasis),
		on("GET /programs/{program}/legal-bases/shares", "shares-legal-bases", "How the bases stood for what an organisation shared, and what became known later", s.basisBy),
		on("GET /artifacts/{artifact}/legal-bases", "artifact-legal-basis", "How the bases stood when an artifact was shared, and what became known later", s.basisOf),
	}
	return func(s *server, api huma.API) {
		for _, add := range all {
			add(s, api)
		}
	}
}
