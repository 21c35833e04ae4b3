package taxii

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// Contributions is where objects are written to. *contribution.Service is one;
// the contracts are its methods'.
type Contributions interface {
	Add(ctx context.Context, a exchange.Actor, program exchange.ProgramID, r io.Reader) (contribution.Status, error)
	Status(ctx context.Context, a exchange.Actor, id contribution.StatusID) (contribution.Status, error)
	Remove(ctx context.Context, a exchange.Actor, program exchange.ProgramID, object string, drop func(version int64, oldest, newest bool) bool) error
}

var _ Contributions = (*contribution.Service)(nil)

// writable returns the collection that a request names, when the caller may
// write to it; 403 where it may be known and not written to, else 404 (§5.5).
func (s *server) writable(r call) (delivery.Collection, error) {
	c, err := s.known(r)
	if err != nil {
		return delivery.Collection{}, err
	}
	if !c.CanWrite {
		return delivery.Collection{}, exchange.Fail(exchange.Denied, "this collection cannot be written to with these credentials")
	}
	return c, nil
}

// addObjects is §5.5, POST {api-root}/collections/{id}/objects/. What may be
// asked without the body is asked before a byte of it is read, so that a client
// which waits for 100 (Continue) does not send it in vain.
func (s *server) addObjects(w http.ResponseWriter, r call) error {
	c, err := s.writable(r)
	if err != nil {
		return err
	}
	if !takes(r.Header["Content-Type"]) {
		return httpkit.Fail(http.StatusUnsupportedMediaType, "objects are added as %s; nothing was added", mediaType)
	}
	b, err := open(w, r.Request)
	if err != nil {
		return err
	}
	defer b.release()
	httpkit.Stream(w)
	status, err := s.Contributions.Add(r.Context(), r.actor, c.Program, b)
	if err != nil {
		return b.fault(r.Context(), b.unreadable(err))
	}
	httpkit.WriteJSON(w, http.StatusAccepted, mediaType, resourceOfStatus(status))
	return nil
}

// unreadable turns what the room says of a body that is no JSON into 400. An
// envelope that is JSON and cannot be processed stays 422 (§5.5).
func (b *body) unreadable(err error) error {
	var e *exchange.Error
	if !errors.As(err, &e) || e.Kind != exchange.Invalid {
		return err
	}
	i := slices.IndexFunc(e.Problems, func(p exchange.Problem) bool {
		_, rule, _ := strings.Cut(p.Code, ".")
		return rule == "syntax" || rule == "trailing"
	})
	switch {
	case i >= 0:
		return httpkit.Fail(http.StatusBadRequest, "%s: %s", e.Public, e.Problems[i])
	case !b.begins():
		return httpkit.Fail(http.StatusBadRequest, "%s: it is no JSON", e.Public)
	}
	return err
}
