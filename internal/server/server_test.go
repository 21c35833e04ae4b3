package server_test

import (
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// What is half stored is swept at once where this process is the only one that
// stores. Over PostgreSQL another one may be storing it: it lies for a day.
func TestSweepLeavesWhatAnotherProcessMayBeStoring(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		clock := testkit.NewClock()
		c := config.Default()
		c.Database = e.URL(t)
		s, err := server.Open(t.Context(), server.Options{Data: t.TempDir(), Config: c, Now: clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		err = s.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
			_, err := tx.StageArtifact(exchange.Artifact{
				ID: "art_aaaaaaaaaaaaaaaa", Program: testkit.Program, Release: "rel_aaaaaaaaaaaaaaaa", SubmittedAt: tx.Now(),
			})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		sweep := func(after time.Duration, want int) {
			t.Helper()
			clock.Advance(after)
			got, err := s.Exchange.Submissions.Sweep(t.Context())
			if err != nil || got.Artifacts != want {
				t.Errorf("%d swept, %v; want %d", got.Artifacts, err, want)
			}
		}
		if e.Name == "sqlite" {
			sweep(time.Minute, 1)
			return
		}
		sweep(23*time.Hour, 0)
		sweep(2*time.Hour, 1)
	})
}

// The exchange's clock shows nothing finer than what the stores keep.
func TestClockShowsMicroseconds(t *testing.T) {
	fine := testkit.Start.Add(123456789 * time.Nanosecond)
	s, err := server.Open(t.Context(), server.Options{Data: t.TempDir(), Config: config.Default(), Now: func() time.Time { return fine }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := s.Exchange.Now(), testkit.Start.Add(123456*time.Microsecond); !got.Equal(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
