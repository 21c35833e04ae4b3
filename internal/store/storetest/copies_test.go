package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// testCopies notes exposures of two artifacts, and reads them as copies: whole,
// page by page, and without those who handed the artifact in.
func testCopies(t *testing.T, c *membersCase) {
	var first, second int64
	at := func(minutes int) time.Time { return testkit.Start.Add(time.Duration(minutes) * time.Minute) }
	c.do(t, func(tx *sqlstore.Tx) error {
		var errs []error
		for i, to := range []*int64{&first, &second} {
			a := exchange.Artifact{
				ID: exchange.ArtifactID(fmt.Sprint("art_", i+1)), Release: "rel_1", Program: "p", Class: exchange.PoC, Kind: exchange.ArtifactFile, SHA256: fmt.Sprint(i),
			}
			n, err := tx.StageArtifact(a)
			a.Number, *to = n, n
			errs = append(errs, err, tx.ReadyArtifact(a))
		}
		expose := func(number int64, org exchange.OrgID, client string, kind exchange.ExposureKind, minutes int) {
			errs = append(errs, tx.Expose([]exchange.Exposure{{
				Number: number, Release: "rel_1", Org: org, Client: client, Kind: kind, Channel: exchange.ChannelAPI, At: at(minutes),
			}}))
		}
		person := testkit.Person("alpha", "reader")
		errs = append(errs, tx.PutOrganisation(testkit.Organisation("alpha")), tx.PutPerson(person),
			tx.PutToken(exchange.Token{ID: "fw_token", Person: person.ID, Org: "alpha", Name: "siem"}, []byte("hash")))
		expose(first, "alpha", "", exchange.ExposureOffered, 1)
		expose(first, "alpha", "fw_token", exchange.ExposureServed, 2)
		expose(first, "alpha", string(person.ID), exchange.ExposureOpened, 3)
		expose(first, "alpha", string(person.ID), exchange.ExposureDownloaded, 4)
		expose(first, "alpha", string(person.ID), exchange.ExposureAcknowledged, 9)
		expose(first, "silent", "", exchange.ExposureOffered, 1)
		expose(first, "giver", "fw_giver", exchange.ExposureServed, 5)
		expose(second, "beta", "fw_beta", exchange.ExposureServed, 6)
		return errors.Join(errs...)
	})
	person := testkit.Person("alpha", "reader")
	alpha := testkit.Organisation("alpha").Name
	want := []record.Copy{
		{
			Artifact: "art_1", Number: first, Org: "alpha", OrgName: alpha, Client: string(person.ID), ClientName: person.Login, Person: true,
			Offered: at(1), Opened: at(3), Downloaded: at(4), Acknowledged: at(9), Last: at(9),
		},
		{Artifact: "art_2", Number: second, Org: "beta", Client: "fw_beta", Delivered: at(6), Last: at(6)},
		{Artifact: "art_1", Number: first, Org: "giver", Client: "fw_giver", Delivered: at(5), Last: at(5)},
		{Artifact: "art_1", Number: first, Org: "alpha", OrgName: alpha, Client: "fw_token", ClientName: "siem", Offered: at(1), Delivered: at(2), Last: at(2)},
		{Artifact: "art_1", Number: first, Org: "silent", Offered: at(1), Last: at(1)},
	}
	both := []int64{first, second}
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := tx.Copies(record.CopyFilter{Artifacts: both})
		same(t, want, got, err)
		var paged []record.Copy
		for range want {
			f := record.CopyFilter{Artifacts: both, Limit: 1}
			if n := len(paged); n > 0 {
				f.After = record.PlaceOf(paged[n-1])
			}
			some, err := tx.Copies(f)
			if err != nil || len(some) != 1 {
				t.Fatal(some, err)
			}
			paged = append(paged, some...)
		}
		same(t, want, paged, nil)
		got, err = tx.Copies(record.CopyFilter{Artifacts: both, After: record.PlaceOf(want[4])})
		same(t, 0, len(got), err)
		got, err = tx.Copies(record.CopyFilter{Artifacts: []int64{first}, Except: []exchange.OrgID{"giver", "alpha"}})
		same(t, want[4:], got, err)
		got, err = tx.Copies(record.CopyFilter{})
		same(t, 0, len(got), err)
		orgs, err := tx.Having(both)
		same(t, []exchange.OrgID{"alpha", "beta", "giver"}, orgs, err)
		orgs, err = tx.Having([]int64{second})
		same(t, []exchange.OrgID{"beta"}, orgs, err)
		for org, held := range map[exchange.OrgID]bool{"alpha": true, "silent": true, "beta": false, "nobody": false} {
			got, err := tx.WasOffered(first, org)
			same(t, held, got, err)
		}
		return nil
	})
}
