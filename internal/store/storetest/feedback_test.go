package storetest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

func TestFeedback(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		all := []exchange.Feedback{
			{
				ID: "fb_b", Program: "p", Release: "rel_1", Org: "a", Person: "per", Kind: exchange.FeedbackProtection, At: at,
				Object: "tool--1", About: "art_1", Text: "Text ä", Product: "IPS", Type: "ids-signature", Format: "snort",
				ReadyAt: at.Add(-time.Hour), LiveAt: at, Regions: []string{"eu", "us"}, Share: 80, Evidence: "https://example.com", Amends: "fb_0",
			},
			{
				ID: "fb_a", Program: "p", Release: "rel_1", Org: "b", Kind: exchange.FeedbackSighting, At: at.Add(time.Second),
				Count: 1 << 40, FirstSeen: at, LastSeen: at.Add(time.Second), Sector: "energy", Region: "eu",
			},
			{ID: "fb_c", Program: "p", Release: "rel_1", Org: "b", Kind: exchange.FeedbackAcknowledged, At: at.Add(time.Second)},
		}
		other := exchange.Feedback{ID: "fb_d", Program: "p", Release: "rel_2", Org: "c", Kind: exchange.FeedbackAcknowledged, At: at}
		within(t, db, func(tx *sqlstore.Tx) {
			for _, o := range []exchange.OrgID{"a", "b", "c"} {
				if err := tx.PutOrganisation(exchange.Organisation{ID: o, Name: "Org " + string(o)}); err != nil {
					t.Fatal(err)
				}
			}
			for _, i := range []int{2, 0, 1} {
				if err := tx.PutFeedback(all[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.PutFeedback(other); err != nil {
				t.Fatal(err)
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			if d := cmp.Diff(all, must[[]exchange.Feedback](t)(tx.FeedbackOf("rel_1"))); d != "" {
				t.Error(d)
			}
			names := must[map[exchange.OrgID]string](t)(tx.NamesOf("rel_1"))
			if d := cmp.Diff(map[exchange.OrgID]string{"a": "Org a", "b": "Org b"}, names); d != "" {
				t.Error(d)
			}
		})
	})
}

func TestReach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		after := func(s int) time.Time { return at.Add(time.Duration(s) * time.Second) }
		expose := func(artifact int64, release, org, client string, kind exchange.ExposureKind, s int) exchange.Exposure {
			return exchange.Exposure{
				Number: artifact, Release: exchange.ReleaseID(release), Org: exchange.OrgID(org), Client: client, Kind: kind, At: after(s), Channel: exchange.ChannelAPI,
			}
		}
		within(t, db, func(tx *sqlstore.Tx) {
			for _, o := range []exchange.Organisation{
				{ID: "a", Name: "A", Customers: 5, Products: []string{"av"}},
				{ID: "b", Name: "B", SuspendedAt: at},
				{ID: "owner", Name: "Owner", Products: []string{"av"}},
				{ID: "elsewhere", Name: "E"},
			} {
				if err := tx.PutOrganisation(o); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.Expose([]exchange.Exposure{
				expose(1, "rel_1", "a", "", exchange.ExposureOffered, 20),
				expose(2, "rel_1", "a", "", exchange.ExposureOffered, 10),
				expose(1, "rel_1", "a", "t1", exchange.ExposureServed, 40),
				expose(2, "rel_1", "a", "t2", exchange.ExposureDownloaded, 30),
				expose(1, "rel_1", "a", "x", exchange.ExposureOpened, 50),
				expose(1, "rel_1", "a", "x", exchange.ExposureAcknowledged, 60),
				expose(1, "rel_1", "b", "", exchange.ExposureOffered, 15),
				expose(1, "rel_1", "owner", "x", exchange.ExposureOpened, 1), // read it, and was never offered it
				expose(3, "rel_2", "elsewhere", "", exchange.ExposureOffered, 1),
			}); err != nil {
				t.Fatal(err)
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			want := []feedback.Reach{
				{
					Org: "a", Name: "A", Weight: 5, Capable: true,
					Offered: after(10), Delivered: after(30), Opened: after(50), Acknowledged: after(60),
				},
				{Org: "b", Name: "B", Weight: 1, Offered: after(15)}, // what happened before it was suspended counts
			}
			if d := cmp.Diff(want, must[[]feedback.Reach](t)(tx.Reach("rel_1"))); d != "" {
				t.Error(d)
			}
			acknowledged := exchange.Exposure{
				Release: "rel_1", Org: "a", Client: "x", Kind: exchange.ExposureAcknowledged, Channel: exchange.ChannelWeb, At: after(70), Event: 9,
			}
			for range 2 {
				if err := tx.Acknowledge(acknowledged); err != nil {
					t.Fatal(err)
				}
			}
			rows, err := sqlstore.Collect(tx, scanRow, `
				SELECT artifact, org, client, release, channel, at, event FROM exposure WHERE kind = 'acknowledged' ORDER BY artifact`)
			wantRows := []exchange.Exposure{expose(1, "rel_1", "a", "x", "", 60), {Number: 2, Release: "rel_1", Org: "a", Client: "x", Channel: exchange.ChannelWeb, At: after(70), Event: 9}}
			if d := cmp.Diff(wantRows, rows); d != "" || err != nil {
				t.Error(d, err)
			}
			for org, want := range map[exchange.OrgID]bool{"a": true, "b": true, "owner": false, "elsewhere": false, "nobody": false} {
				if got := must[bool](t)(tx.GivenTo("rel_1", org)); got != want {
					t.Errorf("given to %s: %v", org, got)
				}
			}
		})
	})
}

func scanRow(s sqlstore.Scanner) (e exchange.Exposure, err error) {
	var at int64
	err = s.Scan(&e.Number, &e.Org, &e.Client, &e.Release, &e.Channel, &at, &e.Event)
	e.At = time.UnixMicro(at).UTC()
	return e, err
}
