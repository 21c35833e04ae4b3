package core

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
)

// reshares makes the room in which originators are asked.
func (x *Exchange) reshares(c Config) *reshare.Service {
	return reshare.New(reshare.Config{
		Store: c.Stores.Reshares, Items: holdings{x.Delivery}, Blobs: c.Blobs, Now: c.Now, Name: c.Name, URL: c.URL,
	})
}

// parent lets the submission room see what something is made from, through
// delivery.
func (x *Exchange) parent(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string) (submission.Parent, error) {
	h, err := x.Delivery.Held(ctx, a, program, id)
	return submission.Parent{ID: id, Release: h.Release.ID, Handling: h.Handling, TLP: h.TLP, Owners: h.Owners}, err
}

// holdings is delivery in the words of the reshare room.
type holdings struct{ d *delivery.Service }

func (h holdings) Held(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string) (reshare.Held, error) {
	got, err := h.d.Held(ctx, a, program, id)
	if err != nil {
		return reshare.Held{}, err
	}
	out := reshare.Held{Artifact: got.Artifact, Release: got.Release.ID, Owners: got.Owners, Handling: got.Handling, Shown: got.Shown, TLP: got.TLP}
	if o := got.Object; o.Seq != 0 {
		out.Object = reshare.Object{
			ID: o.ID, Type: o.Type, Seq: o.Seq, Class: o.Class, Offset: o.Offset, Length: o.Length, Version: o.Version, Marks: got.Class, Withheld: got.Withheld,
		}
	}
	return out, nil
}

func (h holdings) Grantable(ctx context.Context, org exchange.OrgID, artifact int64, o reshare.Object, until time.Time) ([]byte, []string, bool, error) {
	return h.d.Grantable(ctx, org, artifact, delivery.Object{
		Seq: o.Seq, Class: o.Class, ID: o.ID, Type: o.Type, Version: o.Version, Offset: o.Offset, Length: o.Length,
	}, until)
}

const mostByOne = 1000 // objects that are fetched one by one

// Objects gives the bytes of an object, or of those of an artifact's objects
// that the actor may have: as a whole where that is all of them, else one by one.
func (h holdings) Objects(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string, limit int) ([][]byte, error) {
	if len(id) < 4 || id[:4] != "art_" {
		o, err := h.d.Object(ctx, a, program, id)
		return [][]byte{o.Raw}, err
	}
	objs, err := h.d.Allowed(ctx, a, exchange.ArtifactID(id), limit)
	if err != nil {
		return nil, err
	}
	if len(objs) > limit {
		return nil, exchange.Fail(exchange.Exhausted, "a copy holds %d objects at most; ask for single objects", limit)
	}
	whole, err := h.d.Content(ctx, a, exchange.ArtifactID(id))
	if exchange.KindOf(err) == exchange.NotFound {
		return h.single(ctx, a, program, objs)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = whole.Close() }() // only read from
	const most = 64 << 20
	if whole.Size() > most {
		return nil, exchange.Fail(exchange.Exhausted, "a copy is made of %d MiB at most; ask for single objects", most>>20)
	}
	out := make([][]byte, len(objs))
	for i, o := range objs {
		out[i] = make([]byte, o.Length)
		if _, err := whole.ReadAt(out[i], o.Offset); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	return out, nil
}

func (h holdings) single(ctx context.Context, a exchange.Actor, program exchange.ProgramID, objs []delivery.Object) ([][]byte, error) {
	if len(objs) > mostByOne {
		return nil, exchange.Fail(exchange.Exhausted, "a copy of a part of an artifact holds %d objects at most; ask for single objects", mostByOne)
	}
	var out [][]byte
	for _, o := range objs {
		got, err := h.d.Object(ctx, a, program, o.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, got.Raw)
	}
	return out, nil
}
