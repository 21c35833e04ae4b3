package demo

import (
	"context"
	"errors"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// Proof is what can be verified of the demonstration's ledger without it.
type Proof struct {
	Key   string // of the log: name+hash+base64
	Entry int64  // of something that was given to a member
}

// Proves answers the log's key, and the newest entry of something that the account was
// given; where nothing was, of any act to which it is a party.
func Proves(ctx context.Context, s *server.Server, a Account) (p Proof, err error) {
	h, err := s.Exchange.Record.Head(ctx)
	if err != nil {
		return p, err
	}
	if len(h.Keys) == 0 {
		return p, errors.New("the log of the demonstration has no key")
	}
	p.Key = h.Keys[0]
	actor, err := s.Authn.Bearer(ctx, a.Token, exchange.ChannelAPI)
	if err != nil {
		return p, err
	}
	for _, kinds := range [][]exchange.EventKind{{exchange.EventPageServed, exchange.EventArtifactDownloaded, exchange.EventObjectServed}, nil} {
		all, err := s.Exchange.Record.Entries(ctx, actor, record.EntryFilter{Program: Program, Kinds: kinds, Limit: 1})
		if err != nil {
			return p, err
		}
		if len(all) > 0 {
			p.Entry = all[0].Seq
			return p, nil
		}
	}
	return p, errors.New("the ledger of the demonstration has no entry for " + a.Name)
}
