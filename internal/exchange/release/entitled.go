package release

import (
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Entitled answers which members may have an artifact under the handling that it
// bears here, were it given to them now and were none of them suspended. marks
// are the handling classes of those of its objects that are asked about.
func Entitled(tx Tx, c exchange.Charter, a exchange.Artifact, marks []exchange.HandlingClass) (map[exchange.OrgID]bool, error) {
	r, err := tx.Release(a.Release)
	if err != nil {
		return nil, err
	}
	if !r.State.Readable() {
		r.State = exchange.ReleaseReleasing
	}
	all, err := tx.Recipients(c.ID)
	if err != nil {
		return nil, err
	}
	o := &offering{c: c, r: r, give: []exchange.Artifact{a}, marks: [][]exchange.HandlingClass{marks}, now: tx.Now()}
	out := make(map[exchange.OrgID]bool, len(all))
	for _, m := range all {
		m.State, m.Organisation.SuspendedAt = exchange.MemberActive, time.Time{}
		out[m.Org] = len(o.had(m, func(exchange.Artifact) time.Time { return o.now })) > 0
	}
	return out, nil
}
