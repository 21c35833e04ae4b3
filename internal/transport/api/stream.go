package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// Bounds of streams.
const (
	streamsEach = 8                // of one credential
	streamsAll  = 4096             // of the process
	streamRetry = "3000"           // milliseconds, for the client
	heartbeat   = 15 * time.Second // a comment, and a look at the credential
	streamWrite = 30 * time.Second // for one event to go out
	streamPage  = 100              // objects in one event
	// What a transaction adds has the date of its beginning, and is seen at its
	// end: "from now on" begins a little earlier.
	streamMargin = 10 * time.Second
	streamWindow = 32 << 10 // bytes gathered before they are written
)

// streamSlots counts open streams.
type streamSlots struct {
	mu   sync.Mutex
	all  int
	each map[string]int
}

func (s *streamSlots) take(client string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= streamsAll || s.each[client] >= streamsEach {
		return false
	}
	if s.each == nil {
		s.each = map[string]int{}
	}
	s.all++
	s.each[client]++
	return true
}

func (s *streamSlots) give(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.each[client]--; s.each[client] <= 0 {
		delete(s.each, client)
	}
}

type inStream struct {
	InProgram
	AddedAfter time.Time `query:"added_after" doc:"Only what enters the caller's view after this instant; absent: from now on."`
	LastID     string    `header:"Last-Event-ID" maxLength:"64" doc:"The id of the last event that was received; it wins over added_after."`
	Objects    bool      `query:"objects" doc:"Events carry the objects, as a TAXII page does, and not only that they are there."`
}

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

// openStream answers with server-sent events (HTML §9.2) until the client goes,
// the credential ends or the server does. What is new is asked of the same view
// as pages are, with a cursor that is the event's id: a client that comes back
// with it misses nothing and is given nothing twice.
func (s *server) openStream(ctx context.Context, a exchange.Actor, in *inStream) (*huma.StreamResponse, error) {
	c, err := s.Delivery.Collection(ctx, a, in.Program)
	if err != nil {
		return nil, err
	}
	after, err := in.cursor(s.Now())
	if err != nil {
		return nil, err
	}
	if !s.slots.take(a.Client()) {
		return nil, &httpkit.StatusError{
			Status: http.StatusTooManyRequests, RetryAfter: heartbeat,
			Public: "too many streams are open with this credential, or in all; end one first",
		}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer s.slots.give(a.Client())
		r, w := humago.Unwrap(hc)
		httpkit.Stream(w)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
		t := &stream{server: s, r: r, w: w, out: bufio.NewWriterSize(w, streamWindow), c: c, after: after, objects: in.Objects}
		if err := t.run(ctx); err != nil && ctx.Err() == nil && exchange.KindOf(err) == "" && !errors.Is(err, errWrite) {
			s.log.ErrorContext(ctx, "a stream ended", "req", httpkit.RequestID(ctx), "err", err)
		}
	}}, nil
}

// errWrite says that the client does not take what is sent.
var errWrite = errors.New("writing to a stream")

// stream is one open stream.
type stream struct {
	server  *server
	r       *http.Request
	w       http.ResponseWriter
	out     *bufio.Writer
	c       delivery.Collection
	after   int64
	objects bool
}

func (t *stream) run(ctx context.Context) error {
	// An id without data is remembered and is no event: who comes back before
	// the first event begins where this stream did.
	if err := t.send("retry: " + streamRetry + "\nid: " + micro(t.after) + "\n\n"); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		next := t.server.Pulse.Next() // before looking: what comes meanwhile wakes again
		// The credential may have ended, or been narrowed, since the last look.
		a, err := t.server.whoCalls(t.r)
		if err != nil {
			return err
		}
		if err := t.forward(ctx, a); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.server.Pulse.Ended():
			return nil
		case <-next:
		case <-beat.C:
			if err := t.send(":\n\n"); err != nil {
				return err
			}
		}
	}
}

// forward sends what is new, in as many events as it takes.
func (t *stream) forward(ctx context.Context, a exchange.Actor) error {
	for more := true; more && ctx.Err() == nil; {
		select {
		case <-t.server.Pulse.Ended():
			return nil
		default:
		}
		var err error
		if t.objects {
			more, err = t.page(ctx, a)
		} else {
			more, err = t.news(ctx, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// added is the data of an event.
type added struct {
	Collection string `json:"collection"`
	AddedAfter string `json:"added_after"`
	Last       string `json:"last"`
	Count      int    `json:"count"`
}

func (t *stream) added(es []delivery.Entry) (head string, last int64) {
	last = es[len(es)-1].Added
	b := mustJSON(added{t.c.ID, micro(t.after), micro(last), len(es)})
	return "event: added\nid: " + micro(last) + "\ndata: " + string(b), last
}

func (t *stream) news(ctx context.Context, a exchange.Actor) (more bool, err error) {
	es, more, err := t.server.Delivery.Manifest(ctx, a, t.c.Program, delivery.Query{After: t.after, Limit: delivery.MaxLimit})
	if err != nil || len(es) == 0 {
		return false, err
	}
	head, last := t.added(es)
	if err := t.send(head + "\n\n"); err != nil {
		return false, err
	}
	t.after = last
	return more, nil
}

func (t *stream) page(ctx context.Context, a exchange.Actor) (more bool, err error) {
	p, err := t.server.Delivery.Page(ctx, a, t.c.Program, delivery.Query{After: t.after, Limit: streamPage})
	if err != nil || len(p.Entries) == 0 {
		return false, err
	}
	defer p.Close()
	head, last := t.added(p.Entries)
	t.deadline()
	_, _ = t.out.WriteString(strings.TrimSuffix(head, "}") + `,"objects":[`)
	if err := p.WriteObjects(lines{t.out}); err != nil {
		return false, errors.Join(errWrite, err)
	}
	if err := t.send("]}\n\n"); err != nil {
		return false, err
	}
	t.after = last
	return p.More, nil
}

func (t *stream) deadline() {
	_ = http.NewResponseController(t.w).SetWriteDeadline(time.Now().Add(streamWrite)) // a recorder in a test has none
}

func (t *stream) send(text string) error {
	t.deadline()
	_, _ = t.out.WriteString(text) // its error comes with Flush
	if err := t.out.Flush(); err != nil {
		return errors.Join(errWrite, err)
	}
	if err := http.NewResponseController(t.w).Flush(); err != nil {
		return errors.Join(errWrite, err)
	}
	return nil
}

// lines writes bytes that hold line ends into a field of an event: each line
// becomes one of the field's, which the client joins by line feeds. In JSON
// line ends stand between tokens alone, so nothing of an object changes.
type lines struct{ out *bufio.Writer }

// Write writes p; a carriage return counts as white space.
func (l lines) Write(p []byte) (int, error) {
	for _, b := range p {
		var err error
		switch b {
		case '\n':
			_, err = l.out.WriteString("\ndata: ")
		case '\r':
			err = l.out.WriteByte(' ')
		default:
			err = l.out.WriteByte(b)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

var _ io.Writer = lines{}
