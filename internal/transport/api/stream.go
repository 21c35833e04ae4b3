package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/sse"
)

type inStream struct {
	InProgram
	AddedAfter time.Time `query:"added_after" doc:"Only what enters the caller's view after this instant; absent: from now on."`
	LastID     string    `header:"Last-Event-ID" maxLength:"64" doc:"The id of the last event that was received; it wins over added_after."`
	Objects    bool      `query:"objects" doc:"Events carry the objects, as a TAXII page does, and not only that they are there."`
}

// streamMargin is how much earlier "from now on" begins: what a transaction
// adds has the date of its beginning, and is seen at its end.
const streamMargin = 10 * time.Second

func (in *inStream) cursor(now time.Time) (int64, error) {
	switch {
	case in.LastID != "":
		at, err := time.Parse(time.RFC3339Nano, in.LastID)
		if err != nil || at.Year() < 1970 || at.Year() > 9999 {
			return 0, exchange.InvalidWith("the stream was not opened", []exchange.Problem{
				{Path: "header.Last-Event-ID", Message: "no id of an event of this stream"},
			})
		}
		return at.UnixMicro(), nil
	case !in.AddedAfter.IsZero():
		return in.AddedAfter.UnixMicro(), nil
	}
	return now.Add(-streamMargin).UnixMicro(), nil
}

// openStream answers with events until the client goes or its credential ends.
func (s *server) openStream(ctx context.Context, a exchange.Actor, in *inStream) (*huma.StreamResponse, error) {
	c, err := s.Delivery.Collection(ctx, a, in.Program)
	if err != nil {
		return nil, err
	}
	if !c.CanRead {
		return nil, exchange.Fail(exchange.Denied, "this collection cannot be read with these credentials")
	}
	after, err := in.cursor(s.Now())
	if err != nil {
		return nil, err
	}
	if !s.slots.Take(a.Client()) {
		return nil, &httpkit.StatusError{
			Status: http.StatusTooManyRequests, RetryAfter: sse.Heartbeat,
			Public: "too many streams are open with this credential, or in all; end one first",
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer s.slots.Give(a.Client())
		r, w := humago.Unwrap(hc)
		t := sse.Stream{
			Reads: s.Delivery, Pulse: s.Pulse, Collection: c, After: after, Objects: in.Objects,
			Caller: func() (exchange.Actor, error) { return s.whoCalls(r) },
		}
		if err := t.Serve(ctx, w); err != nil {
			s.log.ErrorContext(ctx, "a stream ended", "req", httpkit.RequestID(ctx), "err", err)
		}
	}}, nil
}
