package api

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/release"
)

// planChanged is what a change of plan did.
type planChanged struct {
	Release release  `json:"release"`
	Waves   []wave   `json:"waves"`
	Holders []holder `json:"holders" doc:"who already holds what: a recall cannot reach copies"`
	Told    []string `json:"told" doc:"the organisations that were told"`
}

func replyChanged(c room.Changed) *answer[planChanged] {
	out := reply(planChanged{
		Release: wireRelease(c.Release), Waves: wires(c.Waves, wireWave),
		Holders: wires(c.Holders, wireHolder), Told: texts(c.Told),
	})
	out.ETag = etag(c.Release.Version)
	return out
}

type inSend struct {
	InRelease
	Matching
}

func (s *server) sendRelease(ctx context.Context, a exchange.Actor, in *inSend) (*answer[release], error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	id := exchange.ReleaseID(in.Release)
	r, err := s.Releases.Send(ctx, a, id, version)
	if err != nil {
		return nil, s.stale(ctx, a, id, err)
	}
	return replyRelease(r), nil
}

type inApprove struct {
	InRelease
	Body struct {
		Revision int64 `json:"revision" minimum:"1" doc:"the revision that was looked at; an edit makes another one"`
	}
}

func (s *server) approveRelease(ctx context.Context, a exchange.Actor, in *inApprove) (*answer[release], error) {
	r, err := s.Releases.Approve(ctx, a, exchange.ReleaseID(in.Release), in.Body.Revision)
	if err != nil {
		return nil, err
	}
	return replyRelease(r), nil
}

type inMove struct {
	InRelease
	Matching
	Body struct {
		Explained
		T0 time.Time `json:"t0" doc:"the new moment of the public release"`
	}
}

func (s *server) moveRelease(ctx context.Context, a exchange.Actor, in *inMove) (*answer[planChanged], error) {
	return s.replan(ctx, a, in.InRelease, in.Matching, in.Body.Reason, func(id exchange.ReleaseID, c room.Change) (room.Changed, error) {
		return s.Releases.Move(ctx, a, id, in.Body.T0, c)
	})
}

// replan is the form of every change of plan: a version, a reason, the act.
func (s *server) replan(ctx context.Context, a exchange.Actor, in InRelease, match Matching, why string,
	act func(exchange.ReleaseID, room.Change) (room.Changed, error),
) (*answer[planChanged], error) {
	version, err := match.version()
	if err != nil {
		return nil, err
	}
	id := exchange.ReleaseID(in.Release)
	c, err := act(id, room.Change{Reason: why, Version: version})
	if err != nil {
		return nil, s.stale(ctx, a, id, err)
	}
	return replyChanged(c), nil
}

type inWaves struct {
	InRelease
	Matching
	Body struct {
		Explained
		Audience string    `json:"audience" minLength:"1" maxLength:"80" doc:"a cohort (with its members under a duty), or cohort!compelled for those alone" example:"validate"`
		At       time.Time `json:"at,omitzero" doc:"the planned instant of one wave; absent: every wave of the audience that is not open"`
	}
}

// onWaves is the four acts on waves; which is one of the room's methods.
func (s *server) onWaves(which func(*room.Service, context.Context, exchange.Actor, exchange.ReleaseID, exchange.Audience, time.Time, room.Change) (room.Changed, error),
) func(context.Context, exchange.Actor, *inWaves) (*answer[planChanged], error) {
	return func(ctx context.Context, a exchange.Actor, in *inWaves) (*answer[planChanged], error) {
		to, err := exchange.ParseAudience(in.Body.Audience)
		if err != nil {
			return nil, err
		}
		return s.replan(ctx, a, in.InRelease, in.Matching, in.Body.Reason, func(id exchange.ReleaseID, c room.Change) (room.Changed, error) {
			return which(s.Releases, ctx, a, id, to, in.Body.At, c)
		})
	}
}

type inPlanReason struct {
	InRelease
	Matching
	Body Explained
}

func (s *server) withdrawRelease(ctx context.Context, a exchange.Actor, in *inPlanReason) (*answer[planChanged], error) {
	return s.replan(ctx, a, in.InRelease, in.Matching, in.Body.Reason, func(id exchange.ReleaseID, c room.Change) (room.Changed, error) {
		return s.Releases.Withdraw(ctx, a, id, c)
	})
}

func (s *server) containRelease(ctx context.Context, a exchange.Actor, in *inPlanReason) (*answer[planChanged], error) {
	return s.replan(ctx, a, in.InRelease, in.Matching, in.Body.Reason, func(id exchange.ReleaseID, c room.Change) (room.Changed, error) {
		return s.Releases.Contain(ctx, a, id, c)
	})
}

func (s *server) closeRelease(ctx context.Context, a exchange.Actor, in *inPlanReason) (*answer[release], error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	id := exchange.ReleaseID(in.Release)
	r, err := s.Releases.Close(ctx, a, id, room.Change{Reason: in.Body.Reason, Version: version})
	if err != nil {
		return nil, s.stale(ctx, a, id, err)
	}
	return replyRelease(r), nil
}

type inRearm struct {
	InRelease
	Body struct {
		Explained
		Title   string    `json:"title,omitempty" maxLength:"300"`
		Message string    `json:"message,omitempty" maxLength:"100000"`
		T0      time.Time `json:"t0"`
		Drop    []string  `json:"drop,omitempty" maxItems:"100" doc:"cohorts of the old case that the new one leaves out"`
	}
}

// rearmRelease opens the case that follows an incomplete fix.
func (s *server) rearmRelease(ctx context.Context, a exchange.Actor, in *inRearm) (*answer[release], error) {
	r, err := s.Releases.Rearm(ctx, a, exchange.ReleaseID(in.Release), room.Rearm{
		Title: in.Body.Title, Message: in.Body.Message, T0: in.Body.T0,
		Drop: as[exchange.CohortID](in.Body.Drop), Reason: in.Body.Reason,
	})
	if err != nil {
		return nil, err
	}
	out := replyRelease(r)
	out.Location = prefix + "/releases/" + string(r.ID)
	return out, nil
}
