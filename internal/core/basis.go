package core

import (
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/basis"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
)

// submittedOn and contributedOn keep the legal basis of a share in its own
// transaction, which is the same for all rooms.
func submittedOn(tx submission.Tx, c exchange.Charter, a exchange.Artifact, event int64) error {
	return basis.Keep(tx.(basis.Tx), c, a, event)
}

func contributedOn(tx contribution.Tx, c exchange.Charter, a exchange.Artifact, event int64) error {
	return basis.Keep(tx.(basis.Tx), c, a, event)
}
