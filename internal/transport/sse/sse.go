// Package sse writes server-sent events (HTML §9.2): what enters a reader's
// view, as it does, with a cursor as the event's id. A client that comes back
// with it misses nothing and is given nothing twice.
package sse

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/pulse"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// Bounds of streams.
const (
	Heartbeat = 15 * time.Second // a comment, and a look at the credential
	retry     = "3000"           // milliseconds, for the client
	timeout   = 30 * time.Second // for one event to go out
	page      = 100              // objects in one event
	window    = 32 << 10         // bytes gathered before they are written
)

// Reads is the delivery room.
type Reads interface {
	Manifest(ctx context.Context, a exchange.Actor, program exchange.ProgramID, q delivery.Query) ([]delivery.Entry, bool, error)
	Page(ctx context.Context, a exchange.Actor, program exchange.ProgramID, q delivery.Query) (*delivery.Page, error)
}

// Stream is one stream to be written.
type Stream struct {
	Reads      Reads
	Pulse      *pulse.Pulse
	Collection delivery.Collection
	After      int64 // date_added, exclusive, Unix microseconds
	Objects    bool  // events carry the objects
	// Caller establishes the caller again: the credential may have ended, or been
	// narrowed, since the last look.
	Caller func() (exchange.Actor, error)

	w   http.ResponseWriter
	out *bufio.Writer
}

// Serve writes events until the client goes, the credential ends or the pulse
// does. The error is one of ours: that a client went is none.
func (t *Stream) Serve(ctx context.Context, w http.ResponseWriter) error {
	httpkit.Stream(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
	t.w, t.out = w, bufio.NewWriterSize(w, window)
	err := t.run(ctx)
	if ctx.Err() != nil || exchange.KindOf(err) != "" || errors.Is(err, errWrite) {
		return nil
	}
	return err
}

// errWrite says that the client does not take what is sent.
var errWrite = errors.New("writing to a stream")

func (t *Stream) run(ctx context.Context) error {
	// An id without data is remembered and is no event: who comes back before
	// the first event begins where this stream did.
	if err := t.send("retry: " + retry + "\nid: " + micro(t.After) + "\n\n"); err != nil {
		return err
	}
	beat := time.NewTicker(Heartbeat)
	defer beat.Stop()
	for {
		next := t.Pulse.Next() // before looking: what comes meanwhile wakes again
		a, err := t.Caller()
		if err != nil {
			return err
		}
		if err := t.forward(ctx, a); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.Pulse.Ended():
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
func (t *Stream) forward(ctx context.Context, a exchange.Actor) error {
	give := t.news
	if t.Objects {
		give = t.page
	}
	for more := true; more && ctx.Err() == nil; {
		select {
		case <-t.Pulse.Ended():
			return nil
		default:
		}
		var err error
		if more, err = give(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (t *Stream) news(ctx context.Context, a exchange.Actor) (more bool, err error) {
	es, more, err := t.Reads.Manifest(ctx, a, t.Collection.Program, delivery.Query{After: t.After, Limit: delivery.MaxLimit})
	if err != nil || len(es) == 0 {
		return false, err
	}
	head, last, err := t.added(es)
	if err != nil {
		return false, err
	}
	if err := t.send(head + "\n\n"); err != nil {
		return false, err
	}
	t.After = last
	return more, nil
}

func (t *Stream) page(ctx context.Context, a exchange.Actor) (more bool, err error) {
	p, err := t.Reads.Page(ctx, a, t.Collection.Program, delivery.Query{After: t.After, Limit: page})
	if err != nil || len(p.Entries) == 0 {
		return false, err
	}
	defer p.Close()
	head, last, err := t.added(p.Entries)
	if err != nil {
		return false, err
	}
	t.deadline()
	_, _ = t.out.WriteString(strings.TrimSuffix(head, "}") + `,"objects":[`)
	if err := p.WriteObjects(lines{t.out}); err != nil {
		return false, errors.Join(errWrite, err)
	}
	if err := t.send("]}\n\n"); err != nil {
		return false, err
	}
	t.After = last
	return p.More, nil
}

// added is an event up to the end of its data, and the cursor after it.
func (t *Stream) added(es []delivery.Entry) (head string, last int64, err error) {
	last = es[len(es)-1].Added
	b, err := json.Marshal(struct {
		Collection string `json:"collection"`
		AddedAfter string `json:"added_after"`
		Last       string `json:"last"`
		Count      int    `json:"count"`
	}{t.Collection.ID, micro(t.After), micro(last), len(es)})
	return "event: added\nid: " + micro(last) + "\ndata: " + string(b), last, err
}

func micro(n int64) string { return time.UnixMicro(n).UTC().Format(exchange.TimeFormat) }

func (t *Stream) deadline() {
	_ = http.NewResponseController(t.w).SetWriteDeadline(time.Now().Add(timeout)) // a recorder in a test has none
}

func (t *Stream) send(text string) error {
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
