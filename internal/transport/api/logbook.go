package api

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/logbook"
)

type (
	inReason struct {
		Body struct {
			Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"one line; it is recorded"`
		}
	}
	inRotate struct {
		Body struct {
			Reason       string `json:"reason" minLength:"1" maxLength:"1000" doc:"one line; it is recorded"`
			OverlapHours int    `json:"overlap_hours,omitempty" minimum:"0" maximum:"9600" doc:"for as long both keys sign; absent: 720"`
		}
	}
	inClose struct {
		Body struct {
			Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"one line; it is recorded and published"`
		}
	}
	logKey struct {
		Key    string    `json:"key" doc:"name+hash+base64, as C2SP signed-note has it"`
		From   int64     `json:"from" doc:"size of the log from which on it signs"`
		Until  *int64    `json:"until,omitempty" doc:"size up to which it counts; absent: it signs"`
		EndsAt time.Time `json:"ends_at,omitzero" doc:"when it is to end"`
	}
	ledgerLog struct {
		Log      int       `json:"log" doc:"number, from 1"`
		Origin   string    `json:"origin"`
		Base     int64     `json:"base" doc:"events before it: its entry 0 is the one after them"`
		OpenedAt time.Time `json:"opened_at"`
		ClosedAt time.Time `json:"closed_at,omitzero" doc:"absent: it goes on"`
		Size     *int64    `json:"size,omitempty" doc:"of a closed log"`
		Root     string    `json:"root,omitempty" doc:"of a closed log, in base 64"`
		Keys     []logKey  `json:"keys" nullable:"false" doc:"the oldest first"`
	}
)

func wireLogKey(k logbook.Key) logKey {
	out := logKey{Key: k.Public, From: k.Since, EndsAt: utc(k.EndsAt)}
	if !k.Signs() {
		out.Until, out.EndsAt = &k.Until, time.Time{}
	}
	return out
}

func wireLog(l logbook.State) ledgerLog {
	out := ledgerLog{
		Log: l.Number, Origin: l.Origin, Base: l.Base, OpenedAt: utc(l.OpenedAt), ClosedAt: utc(l.ClosedAt), Keys: wires(l.Keys, wireLogKey),
	}
	if !l.ClosedAt.IsZero() {
		out.Size, out.Root = &l.Size, base64.StdEncoding.EncodeToString(l.Root[:])
	}
	return out
}

func (s *server) listLogs(ctx context.Context, _ exchange.Actor, _ *none) (*answer[list[ledgerLog]], error) {
	all, err := s.Logbook.Logs(ctx)
	if err != nil {
		return nil, err
	}
	return replyList(all, wireLog), nil
}

func (s *server) rotateKey(ctx context.Context, a exchange.Actor, in *inRotate) (*answer[logKey], error) {
	overlap := time.Duration(in.Body.OverlapHours) * time.Hour
	if overlap == 0 {
		overlap = logbook.DefaultOverlap
	}
	k, err := s.Logbook.Rotate(ctx, a, overlap, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return reply(wireLogKey(k)), nil
}

func (s *server) retireKey(ctx context.Context, a exchange.Actor, in *inReason) (*answer[logKey], error) {
	k, err := s.Logbook.RetireKey(ctx, a, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return reply(wireLogKey(k)), nil
}

func (s *server) closeLog(ctx context.Context, a exchange.Actor, in *inClose) (*answer[ledgerLog], error) {
	next, err := s.Logbook.Close(ctx, a, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	all, err := s.Logbook.Logs(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		if l.Number == next.Number {
			return reply(wireLog(l)), nil
		}
	}
	return reply(wireLog(logbook.State{Log: next})), nil
}

// logbook are the operations on the life of the log.
func (s *server) logbook() registration {
	all := []registration{
		on("GET /ledger/logs", "list-logs", "The logs of the ledger and their keys, the oldest first", s.listLogs),
		on("POST /ledger/rotate", "rotate-log-key", "Give the log a further key; both sign until the overlap has passed", s.rotateKey, created),
		on("POST /ledger/retire-key", "retire-log-key", "Give the log a new key and end the present one at once", s.retireKey, created),
		on("POST /ledger/close", "close-log", "Close the log and open the one that follows it", s.closeLog, created),
	}
	return func(s *server, api huma.API) {
		for _, add := range all {
			add(s, api)
		}
	}
}
