package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/basis"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// TestBasis checks what the room basis, and hidden memberships, ask of a store.
func TestBasis(t *testing.T) {
	Each(t, func(t *testing.T, e Engine) {
		clock := testkit.NewClock()
		c := &membersCase{clock: clock, db: e.Open(t, store.Options{Now: clock.Now})}
		t.Run("register", func(t *testing.T) { testRegister(t, c) })
		t.Run("hidden", func(t *testing.T) { testHidden(t, c) })
	})
}

func testRegister(t *testing.T, c *membersCase) {
	line := basis.Line{
		Basis: "law", Jurisdiction: "US", Instrument: "An act", InForce: true, From: testkit.Start, To: testkit.Start.Add(time.Hour),
		KnownFrom: testkit.Start.Add(-time.Hour), EnteredAt: testkit.Start, Conditions: "some", Source: "s", By: "per_1",
	}
	open := basis.Line{Basis: "order", Jurisdiction: "EU", Instrument: "An order", From: testkit.Start, KnownFrom: testkit.Start, EnteredAt: testkit.Start, Source: "s"}
	share := func(event int64, a exchange.ArtifactID, org exchange.OrgID, id exchange.BasisID, l basis.Line) basis.Share {
		return basis.Share{
			Event: event, Artifact: a, Program: "p", Org: org, Entered: l.Number,
			Standing: basis.Standing{Basis: id, At: testkit.Start, InForce: l.InForce, Line: l, Covers: l.Number != 0},
		}
	}
	c.do(t, func(tx *sqlstore.Tx) (err error) {
		has, err := tx.HasBasis("law")
		same(t, false, has, err)
		line.Number, err = tx.AddBasisLine(line)
		same(t, int64(1), line.Number, err)
		open.Number, err = tx.AddBasisLine(open)
		same(t, int64(2), open.Number, err)
		return err
	})
	first, second := share(7, "art_1", "alpha", "law", line), share(7, "art_1", "alpha", "order", open)
	third, nothing := share(9, "art_1", "alpha", "law", line), share(11, "art_2", "beta", "unknown", basis.Line{})
	c.do(t, func(tx *sqlstore.Tx) error {
		has, err := tx.HasBasis("law")
		same(t, true, has, err)
		lines, err := tx.BasisLines("")
		same(t, []basis.Line{line, open}, lines, err)
		lines, err = tx.BasisLines("order")
		same(t, []basis.Line{open}, lines, err)
		return errors.Join(tx.KeepShare(first), tx.KeepShare(second), tx.KeepShare(third), tx.KeepShare(nothing))
	})
	c.do(t, func(tx *sqlstore.Tx) error {
		for _, q := range []struct {
			f    basis.Filter
			want []basis.Share
		}{
			{basis.Filter{Artifact: "art_1", Limit: 10}, []basis.Share{first, second, third}},
			{basis.Filter{Artifact: "art_1", Limit: 1}, []basis.Share{first, second}},
			{basis.Filter{Artifact: "art_1", After: 7, Limit: 10}, []basis.Share{third}},
			{basis.Filter{Program: "p", Org: "beta", Limit: 10}, []basis.Share{nothing}},
			{basis.Filter{Program: "q", Org: "beta", Limit: 10}, nil},
		} {
			got, err := tx.Shares(q.f)
			same(t, q.want, got, err)
		}
		return nil
	})
}

func testHidden(t *testing.T, c *membersCase) {
	m := exchange.Member{Program: "p", Org: "alpha", State: exchange.MemberActive, JoinedAt: testkit.Start, Since: testkit.Start, Hidden: true}
	c.do(t, func(tx *sqlstore.Tx) error {
		if err := errors.Join(tx.PutMember(m), tx.PutMember(exchange.Member{Program: "p", Org: "beta", State: exchange.MemberActive})); err != nil {
			return err
		}
		got, err := tx.Member("p", "alpha")
		same(t, m, got, err)
		hidden, err := tx.HiddenMembers("p")
		same(t, map[exchange.OrgID]bool{"alpha": true}, hidden, err)
		m.Hidden = false
		if err := tx.PutMember(m); err != nil {
			return err
		}
		hidden, err = tx.HiddenMembers("p")
		same(t, map[exchange.OrgID]bool{}, hidden, err)
		return nil
	})
}
