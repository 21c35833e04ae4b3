package api

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/witness"
)

type (
	inSettle struct {
		InProgram
		Disagreement int64 `path:"disagreement" minimum:"1"`
		Body         struct {
			Reason string `json:"reason" minLength:"1" maxLength:"2000" doc:"what happened, and why releases may go on; it is recorded"`
		}
	}
	WitnessOne struct {
		Name     string    `json:"name"`
		Key      string    `json:"key" doc:"name+hash+base64, as C2SP signed-note has it"`
		Standing string    `json:"standing" enum:"agrees,behind,never,disagrees" doc:"behind: it lacks what is older than the grace; never: it has cosigned nothing"`
		Size     int64     `json:"size" doc:"entries that it cosigned"`
		Behind   int64     `json:"behind" doc:"entries that it lacks"`
		SeenAt   time.Time `json:"seen_at,omitzero" doc:"when its newest signature came"`
		Failure  string    `json:"failure,omitempty" doc:"why it gave nothing the last time; to those who oversee the program"`
		FailedAt time.Time `json:"failed_at,omitzero"`
	}
	disagreement struct {
		ID         int64     `json:"id"`
		Witness    string    `json:"witness,omitempty" doc:"absent: somebody showed a checkpoint that the log signed"`
		Kind       string    `json:"kind" enum:"fork,ahead,refused"`
		Words      string    `json:"words"`
		Size       int64     `json:"size" doc:"entries at which they differ"`
		Ours       string    `json:"ours" doc:"signed checkpoint of the ledger, when it was noticed"`
		Theirs     string    `json:"theirs,omitempty" doc:"signed checkpoint that was shown; absent: there is the witness's word alone"`
		At         time.Time `json:"at"`
		ResolvedAt time.Time `json:"resolved_at,omitzero"`
		ResolvedBy string    `json:"resolved_by,omitempty"`
		Reason     string    `json:"reason,omitempty"`
	}
	witnessing struct {
		Program       string         `json:"program"`
		Origin        string         `json:"origin" doc:"of the log"`
		Size          int64          `json:"size" doc:"entries of the log"`
		Cosigned      int64          `json:"cosigned" doc:"entries that a quorum cosigned"`
		Quorum        int            `json:"quorum" doc:"0: the charter names no witnesses"`
		GraceMinutes  int64          `json:"grace_minutes" doc:"how long a quorum has for an entry"`
		Stop          bool           `json:"stop" doc:"nothing is released while a quorum does not agree"`
		Held          bool           `json:"held" doc:"nothing is released now"`
		Lacking       string         `json:"lacking,omitempty" doc:"in words; absent: a quorum agrees"`
		Witnesses     []WitnessOne   `json:"witnesses" nullable:"false"`
		Disagreements []disagreement `json:"disagreements" nullable:"false" doc:"the newest first"`
	}
)

func wireWitness(o room.One) WitnessOne {
	return WitnessOne{
		Name: o.Name, Key: o.Key, Standing: string(o.Standing), Size: o.Size, Behind: o.Behind, SeenAt: utc(o.Seen),
		Failure: o.Failure, FailedAt: utc(o.FailedAt),
	}
}

func wireDisagreement(d room.Disagreement) disagreement {
	return disagreement{
		ID: d.ID, Witness: d.Name, Kind: string(d.Kind), Words: d.Words(), Size: d.Size, Ours: string(d.Ours), Theirs: string(d.Theirs),
		At: utc(d.At), ResolvedAt: utc(d.ResolvedAt), ResolvedBy: string(d.ResolvedBy), Reason: d.Reason,
	}
}

func (s *server) readWitnesses(ctx context.Context, a exchange.Actor, in *InProgram) (*answer[witnessing], error) {
	st, err := s.Witnesses.Status(ctx, a, exchange.ProgramID(in.Program))
	if err != nil {
		return nil, err
	}
	return reply(witnessing{
		Program: string(st.Program), Origin: st.Origin, Size: st.Size, Cosigned: st.Cosigned, Quorum: st.Quorum,
		GraceMinutes: int64(st.Grace / time.Minute), Stop: st.Stop, Held: st.Held, Lacking: st.Lacking,
		Witnesses: wires(st.Witnesses, wireWitness), Disagreements: wires(st.Disagreements, wireDisagreement),
	}), nil
}

func (s *server) resolveDisagreement(ctx context.Context, a exchange.Actor, in *inSettle) (*answer[disagreement], error) {
	d, err := s.Witnesses.Resolve(ctx, a, exchange.ProgramID(in.Program), in.Disagreement, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return reply(wireDisagreement(d)), nil
}
