package core

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
)

func (x *Exchange) recalls(c Config) *recall.Service {
	return recall.New(recall.Config{
		Store: c.Stores.Recalls, Blobs: recalled{c.Blobs}, Sees: x.Delivery.Sees, SeesObject: x.Delivery.SeesObject,
		// Each is the same transaction of the store.
		Entitled: func(tx recall.Tx, c exchange.Charter, a exchange.Artifact, marks []exchange.HandlingClass) (map[exchange.OrgID]bool, error) {
			return release.Entitled(tx.(release.Tx), c, a, marks)
		},
		Standing: func(tx recall.Tx, c exchange.Charter) (exchange.Release, error) {
			return contribution.Standing(tx.(contribution.Tx), c)
		},
		Derived: func(tx recall.Tx, r recall.Recall) error {
			parent := string(r.Artifact)
			if r.Object != "" {
				parent = r.Object
			}
			return reshare.Warn(tx.(reshare.Tx), exchange.Actor{Org: r.By, Person: r.Person}, r.Program, parent)
		},
		Keep: x.Submissions.Keep, Log: c.Log,
	})
}

// gone asks the recall room, which is made after the delivery room.
func (x *Exchange) gone(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string) (delivery.Loss, error) {
	l, err := x.Recalls.Gone(ctx, a, program, id)
	return delivery.Loss(l), err
}

type recalled struct{ Blobs }

func (b recalled) Open(name string) (recall.Blob, error) { return b.Blobs.Open(name) }
