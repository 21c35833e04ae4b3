package core

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/lookup"
)

// newLookup makes the room that looks values up, which sees through delivery.
func newLookup(c Config, d *delivery.Service) *lookup.Service {
	return lookup.New(lookup.Config{
		Store: c.Stores.Lookup, Blobs: lookedUp{c.Blobs}, Log: c.Log,
		Sight: func(ctx context.Context, a exchange.Actor) (lookup.Sight, error) {
			s, err := d.Sight(ctx, a)
			return sight{s}, err
		},
	})
}

type lookedUp struct{ Blobs }

func (b lookedUp) Open(sha string) (lookup.Blob, error) { return b.Blobs.Open(sha) }

// sight is delivery's sight in the words of the lookup room.
type sight struct{ *delivery.Sight }

func (s sight) Show(ctx context.Context, objects []int64) ([]lookup.Seen, error) {
	all, err := s.Sight.Show(ctx, objects)
	out := make([]lookup.Seen, len(all))
	for i, o := range all {
		out[i] = lookup.Seen{
			Number: o.Object.Seq, ID: o.Object.ID, Type: o.Object.Type, Program: o.Program, Release: o.Release,
			Title: o.Title, Artifact: o.Artifact, TLP: o.TLP, Added: o.Added, Copy: o.Copy, Key: o,
		}
	}
	return out, err
}

func (s sight) Give(ctx context.Context, all []lookup.Seen) error {
	given := make([]delivery.Seen, len(all))
	for i := range all {
		given[i] = all[i].Key.(delivery.Seen)
	}
	err := s.Sight.Give(ctx, given)
	for i := range given {
		all[i].Raw = given[i].Raw
	}
	return err
}
