package acceptance

import (
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// A member that accepts the agreement after its wave opened is offered what it
// may have there and then: it is told of changes and can acknowledge.
func TestEntitledLate(t *testing.T) {
	w := servertest.New(t)
	t0 := time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC)
	r := w.Draft("Late", t0)
	w.Package(r.ID, 3)
	w.Arm(r.ID)
	w.Clock.Set(t0.Add(-24 * time.Hour))
	because := release.Change{Reason: "a test"}
	look := func() int {
		rs, err := w.X.Delivery.Releases(t.Context(), w.Reader(servertest.Unsigned), testkit.Program)
		if err != nil {
			t.Fatal(err)
		}
		return len(rs)
	}
	if look() != 0 {
		t.Fatal("a release is seen without the agreement")
	}
	c, err := w.X.Releases.Move(t.Context(), w.Operator, r.ID, t0.Add(time.Hour), because)
	if err != nil {
		t.Fatal(err)
	}
	if has(c.Told, servertest.Unsigned) {
		t.Error("who may see nothing was told")
	}
	w.Accept(servertest.Unsigned)
	if c, err = w.X.Releases.Move(t.Context(), w.Operator, r.ID, t0, because); err != nil || !has(c.Told, servertest.Unsigned) {
		t.Errorf("told %v, %v", c.Told, err)
	}
	if look() != 1 {
		t.Fatal("nothing is seen with the agreement")
	}
	ns, err := w.X.Delivery.Notices(t.Context(), w.Reader(servertest.Unsigned), time.Time{}, 10)
	if err != nil || len(ns) != 2 || ns[1].Kind != exchange.EventReleaseOffered {
		t.Errorf("notices %+v, %v", ns, err)
	}
	if _, err := w.X.Feedback.Give(t.Context(), w.Reader(servertest.Unsigned), exchange.Feedback{Release: r.ID, Kind: exchange.FeedbackAcknowledged}); err != nil {
		t.Errorf("acknowledging: %v", err)
	}
	es, err := w.X.Record.Events(t.Context(), w.Operator, record.EventFilter{Program: testkit.Program, Release: r.ID, Kinds: []exchange.EventKind{exchange.EventReleaseOffered}})
	if err != nil || len(es) != 1 || es[0].Org != servertest.Unsigned {
		t.Errorf("offers on record: %+v, %v", es, err)
	}
}

func has(orgs []exchange.OrgID, org exchange.OrgID) bool {
	for _, o := range orgs {
		if o == org {
			return true
		}
	}
	return false
}

// The approval of somebody who was suspended since does not count.
func TestSuspendedApprover(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Approvals", w.Clock.Now().AddDate(0, 1, 0))
	w.Package(r.ID, 3)
	r, err := w.X.Releases.Send(t.Context(), w.Operator, r.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.X.Releases.Approve(t.Context(), w.ApproverA, r.ID, r.Revision); err != nil {
		t.Fatal(err)
	}
	gone := testkit.Person(testkit.Owner, "approver-a", exchange.RoleApprover)
	gone.SuspendedAt = w.Clock.Now()
	testkit.Put(t, sqlstore.For[testkit.Tx](w.DB), gone)
	if r, err = w.X.Releases.Approve(t.Context(), w.ApproverB, r.ID, r.Revision); err != nil || r.State != exchange.ReleaseWaiting {
		t.Errorf("state %s, %v: one approval by somebody who may still approve is not two", r.State, err)
	}
}

// An auditor reads plans without the message; a credential below a label reads
// neither plans nor events, which name what they are about.
func TestPlansWithoutContent(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Plans", w.Clock.Now().AddDate(0, 1, 0))
	v, err := w.X.Releases.Read(t.Context(), w.Auditor, r.ID)
	if err != nil || v.Message != "" {
		t.Errorf("the auditor reads %q, %v", v.Message, err)
	}
	if v, err = w.X.Releases.Read(t.Context(), w.Operator, r.ID); err != nil || v.Message == "" {
		t.Errorf("the operator reads %q, %v", v.Message, err)
	}
	if m, err := w.X.Delivery.PreviewAs(t.Context(), w.Auditor, r.ID, servertest.EarlyA); err != nil || m.Message != "" {
		t.Errorf("the auditor reads as a member %q, %v", m.Message, err)
	}
	elsewhere := w.Operator
	elsewhere.Program = "another-program"
	if _, err := w.X.Delivery.PreviewAs(t.Context(), elsewhere, r.ID, servertest.EarlyA); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("a credential of another program reads as a member: %v", err)
	}
	capped := w.Operator
	capped.Token, capped.Channel, capped.Ceiling = "fw_capped", exchange.ChannelAPI, exchange.TLPGreen
	if _, err := w.X.Releases.Read(t.Context(), capped, r.ID); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("a capped credential reads a plan: %v", err)
	}
	if _, err := w.X.Record.Events(t.Context(), capped, record.EventFilter{}); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("a capped credential reads events: %v", err)
	}
}

// A release whose public wave was killed is never public; once nothing of it
// opens any more it can be closed, and not before.
func TestClosingWhatIsNeverPublic(t *testing.T) {
	w := servertest.New(t)
	t0 := time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC)
	r := w.Draft("Never public", t0)
	w.Package(r.ID, 3)
	w.Arm(r.ID)
	because := release.Change{Reason: "a test"}
	if _, err := w.X.Releases.Kill(t.Context(), w.Operator, r.ID, exchange.PublicAudience, time.Time{}, because); err != nil {
		t.Fatal(err)
	}
	if _, err := w.X.Releases.Close(t.Context(), w.Operator, r.ID, because); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("closed while waves are to come: %v", err)
	}
	w.Clock.Set(t0.Add(time.Hour))
	if err := w.X.Releases.OpenDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, err := w.X.Releases.Close(t.Context(), w.Operator, r.ID, because); err != nil || c.State != exchange.ReleaseClosed {
		t.Errorf("state %s, %v", c.State, err)
	}
}
