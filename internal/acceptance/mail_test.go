package acceptance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// Mail says that a notice waits, to those who may see it, and nothing of what it
// is. A mail server that is down costs time and no message; one that refuses an
// address for good is not asked again.
func TestMailTellsThatANoticeWaits(t *testing.T) {
	ctx := t.Context()
	box := testkit.NewMailbox(t)
	w := servertest.New(t, func(c *config.Config) {
		c.Name = "Example Exchange\r\nBcc: somebody"
		c.Mail = config.Mail{Server: box.Addr, From: "exchange@psirt.example", Security: "none"}
	})
	round := func() []string {
		t.Helper()
		if err := w.X.Mail.Round(ctx); err != nil {
			t.Fatal(err)
		}
		var to []string
		for _, m := range box.Take() {
			to = append(to, m.To)
			for _, secret := range []string{"spooler", "guidance", string(testkit.Program), testkit.Charter().Title, "TLP:", "Bcc: somebody\n"} {
				if strings.Contains(strings.ToLower(m.Data), strings.ToLower(secret)) {
					t.Errorf("the mail to %s holds %q:\n%s", m.To, secret, m.Data)
				}
			}
			if !strings.Contains(m.Data, "/notices") || !strings.Contains(m.Data, "Auto-Submitted: auto-generated") {
				t.Errorf("the mail to %s:\n%s", m.To, m.Data)
			}
		}
		slices.Sort(to)
		return slices.Compact(to)
	}
	if to := round(); len(to) != 0 { // what is long past is nobody's mail
		t.Fatalf("mail to %v", to)
	}
	t0 := w.Clock.Now().Add(1000 * time.Hour)
	r := w.Draft("spooler", t0)
	w.Submit(r.ID, exchange.DetectionGuidance, "guidance.md", strings.NewReader("# guidance\n"))
	r = w.Arm(r.ID)
	w.Clock.Set(t0.Add(-100 * time.Hour))
	if err := w.X.Releases.OpenDue(ctx); err != nil {
		t.Fatal(err)
	}
	box.Down(true)
	if to := round(); len(to) != 0 {
		t.Fatalf("mail to %v from a server that is down", to)
	}
	box.Down(false)
	if to := round(); len(to) != 0 {
		t.Fatalf("tried again at once: %v", to)
	}
	w.Clock.Advance(2 * time.Minute)
	told := round()
	members := map[string]exchange.OrgID{}
	for _, org := range append(slices.Clone(servertest.Members), servertest.Outsider, testkit.Owner) {
		for _, to := range told {
			if strings.HasSuffix(to, "@"+string(org)+".example") {
				members[to] = org
			}
		}
	}
	if len(told) == 0 || len(members) != len(told) {
		t.Fatalf("mail to %v", told)
	}
	for to, org := range members {
		ns, err := w.X.Delivery.Notices(ctx, w.Reader(org), time.Time{}, 10)
		if err != nil || len(ns) == 0 {
			t.Errorf("%s was mailed and has no notice: %v", to, err)
		}
	}
	for _, org := range []exchange.OrgID{servertest.Outsider, servertest.Unsigned, servertest.Late} {
		if slices.ContainsFunc(told, func(to string) bool { return strings.HasSuffix(to, "@"+string(org)+".example") }) {
			t.Errorf("%s was mailed", org)
		}
	}
	if to := round(); len(to) != 0 {
		t.Errorf("a second mail to %v", to)
	}

	// What was read is nobody's mail any more, and a withdrawal does not wait.
	if _, err := w.X.Releases.Withdraw(ctx, w.Operator, r.ID, release.Change{Reason: "wrong"}); err != nil {
		t.Fatal(err)
	}
	ns, err := w.X.Delivery.Notices(ctx, w.Reader(servertest.EarlyA), time.Time{}, 1)
	if err != nil || len(ns) != 1 || ns[0].Kind != exchange.EventReleaseWithdrawn {
		t.Fatalf("%v %v", ns, err)
	}
	if err := w.X.Delivery.MarkRead(ctx, w.Reader(servertest.EarlyA), ns[0].ID); err != nil {
		t.Fatal(err)
	}
	again := round()
	if want := slices.DeleteFunc(slices.Clone(told), func(to string) bool { return members[to] == servertest.EarlyA }); !slices.Equal(again, want) {
		t.Errorf("of the withdrawal were told %v, want %v", again, want)
	}
	es, err := w.X.Mail.Told(ctx, ns[0].ID)
	if err != nil || len(es) == 0 || slices.ContainsFunc(es, func(e mail.Entry) bool { return e.State != mail.Cancelled }) {
		t.Errorf("of what was read: %+v, %v", es, err)
	}
	if err := w.X.Mail.Purge(ctx); err != nil {
		t.Fatal(err)
	}
}
