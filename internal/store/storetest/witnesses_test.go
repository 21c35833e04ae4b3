package storetest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

func TestWitnesses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		listed := witness.State{Key: "b", Listed: at}
		seen := witness.State{
			Key: "a", Listed: at, Size: 1 << 40, Signed: at.Add(time.Second), Seen: at.Add(time.Minute), Failure: "connect", FailedAt: at.Add(time.Hour),
		}
		sign := func(size int64, key string) witness.Cosignature {
			return witness.Cosignature{Size: size, Key: key, Line: "— " + key + " AAAA\n", At: at}
		}
		fork := witness.Disagreement{
			Program: "p", Log: 1, Key: "a", Name: "edr-a", Kind: witness.Fork, Size: 7, Root: "r", Ours: []byte("ours"), Theirs: []byte("theirs"), At: at,
		}
		word := witness.Disagreement{Program: "p", Log: 1, Key: "b", Name: "cert", Kind: witness.Refused, Size: 9, Ours: []byte("ours"), At: at}
		within(t, db, func(tx *sqlstore.Tx) {
			for _, s := range []witness.State{listed, seen} {
				if err := tx.PutWitnessState(1, s); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range []witness.Cosignature{sign(5, "a"), sign(5, "b"), sign(9, "a"), sign(9, "a"), sign(12, "b")} {
				if err := tx.PutCosignature(1, c, []byte("checkpoint")); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.PutCosignature(2, sign(6, "a"), []byte("of another log")); err != nil {
				t.Fatal(err)
			}
			for _, d := range []*witness.Disagreement{&fork, &word} {
				if err := tx.PutDisagreement(d); err != nil || d.ID == 0 {
					t.Fatal(d.ID, err)
				}
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			states := must[[]witness.State](t)
			if d := cmp.Diff([]witness.State{seen, listed}, states(tx.WitnessStates(1))); d != "" {
				t.Error(d)
			}
			if got := states(tx.WitnessStates(2)); len(got) != 0 {
				t.Errorf("of another log: %v", got)
			}
			again := seen
			again.Size, again.Failure, again.Listed = 1<<41, "", at.Add(time.Hour) // since when it is listed never changes
			if err := tx.PutWitnessState(1, again); err != nil {
				t.Fatal(err)
			}
			again.Listed = at
			if d := cmp.Diff([]witness.State{again, listed}, states(tx.WitnessStates(1))); d != "" {
				t.Error(d)
			}
			cosigned := must[[]witness.Cosigned](t)
			five := witness.Cosigned{Size: 5, Checkpoint: []byte("checkpoint"), Signatures: []witness.Cosignature{sign(5, "a"), sign(5, "b")}}
			nine := witness.Cosigned{Size: 9, Checkpoint: []byte("checkpoint"), Signatures: []witness.Cosignature{sign(9, "a")}}
			twelve := witness.Cosigned{Size: 12, Checkpoint: []byte("checkpoint"), Signatures: []witness.Cosignature{sign(12, "b")}}
			if d := cmp.Diff([]witness.Cosigned{five, nine}, cosigned(tx.CosignedFrom(1, 4, 2))); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]witness.Cosigned{nine, twelve}, cosigned(tx.CosignedFrom(1, 6, 9))); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]witness.Cosigned{twelve, nine}, cosigned(tx.NewestCosigned(1, 2))); d != "" {
				t.Error(d)
			}
			word.ResolvedAt, word.ResolvedBy, word.Reason = at.Add(time.Hour), "per", "why"
			if err := tx.PutDisagreement(&word); err != nil {
				t.Fatal(err)
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			got := must[[]witness.Disagreement](t)(tx.DisagreementsOf("p", 1))
			if d := cmp.Diff([]witness.Disagreement{word, fork}, got); d != "" {
				t.Error(d)
			}
			for _, other := range []int{0, 2} {
				if got := must[[]witness.Disagreement](t)(tx.DisagreementsOf("p", other)); len(got) != 0 {
					t.Errorf("of another log: %v", got)
				}
			}
			if d := cmp.Diff(fork, must[witness.Disagreement](t)(tx.Disagreement(fork.ID))); d != "" {
				t.Error(d)
			}
			if _, err := tx.Disagreement(99); exchange.KindOf(err) != exchange.NotFound {
				t.Error(err)
			}
			if _, err := tx.EventTime(99); exchange.KindOf(err) != exchange.NotFound {
				t.Error(err)
			}
		})
	})
}
