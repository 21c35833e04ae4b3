package storetest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

func TestWebhooks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		hook := webhook.Webhook{
			ID: "hook_b", Org: "a", Person: "per", Token: "fw_x", Program: "p", URL: "https://example.com/ä", State: webhook.Active,
			Notices: true, Ceiling: exchange.TLPGreen, Machine: true, Hat: "csirt", Purpose: "assist", Cursor: 1 << 52, NoticeCursor: 7, CreatedAt: at, ExpiresAt: at.Add(time.Hour),
			FailingSince: at.Add(time.Second),
			Keys:         []webhook.Key{{Algorithm: webhook.HMAC, Secret: "whsec_1"}, {Algorithm: webhook.HMAC, Secret: "whsec_0", Until: at}},
		}
		paused := webhook.Webhook{ID: "hook_a", Org: "a", State: webhook.Paused, Keys: []webhook.Key{}, CreatedAt: at, ExpiresAt: at}
		other := webhook.Webhook{ID: "hook_c", Org: "b", State: webhook.Active, Keys: []webhook.Key{}, CreatedAt: at, ExpiresAt: at}
		within(t, db, func(tx *sqlstore.Tx) {
			for _, w := range []webhook.Webhook{hook, paused, other} {
				if err := tx.PutWebhook(w); err != nil {
					t.Fatal(err)
				}
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			if d := cmp.Diff(hook, must[webhook.Webhook](t)(tx.Webhook("hook_b"))); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]webhook.Webhook{paused, hook}, must[[]webhook.Webhook](t)(tx.WebhooksOf("a"))); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]webhook.Webhook{hook}, must[[]webhook.Webhook](t)(tx.ActiveWebhooks("", 1))); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]webhook.Webhook{other}, must[[]webhook.Webhook](t)(tx.ActiveWebhooks("hook_b", 9))); d != "" {
				t.Error(d)
			}
			changed := hook
			changed.State, changed.Reason, changed.Keys, changed.Cursor = webhook.Disabled, "gone", hook.Keys[:1], 5
			changed.URL, changed.Org = "https://example.net/", "b" // these never change
			if err := tx.PutWebhook(changed); err != nil {
				t.Fatal(err)
			}
			changed.URL, changed.Org = hook.URL, hook.Org
			if d := cmp.Diff(changed, must[webhook.Webhook](t)(tx.Webhook("hook_b"))); d != "" {
				t.Error(d)
			}
			if _, err := tx.Webhook("hook_x"); exchange.KindOf(err) != exchange.NotFound {
				t.Error(err)
			}
		})
	})
}

func TestDeliveries(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		one := func(hook webhook.ID, id, kind string, next time.Duration) *webhook.Delivery {
			return &webhook.Delivery{
				ID: id, Webhook: hook, Kind: kind, After: 3, Last: 1 << 52, Count: 4, More: true, QueuedAt: at,
				State: webhook.Pending, NextAt: at.Add(next),
			}
		}
		all := []*webhook.Delivery{
			one("hook_a", "msg_1", webhook.KindTest, 2*time.Second), one("hook_a", "msg_2", webhook.KindChanged, 0),
			one("hook_b", "msg_3", webhook.KindChanged, time.Second), one("hook_p", "msg_4", webhook.KindChanged, -time.Hour),
		}
		within(t, db, func(tx *sqlstore.Tx) {
			for id, state := range map[webhook.ID]webhook.State{"hook_a": webhook.Active, "hook_b": webhook.Active, "hook_p": webhook.Paused} {
				if err := tx.PutWebhook(webhook.Webhook{ID: id, Org: "o", State: state}); err != nil {
					t.Fatal(err)
				}
			}
			for i, d := range all {
				if err := tx.PutDelivery(d); err != nil || d.Number != int64(i+1) {
					t.Fatalf("delivery %d has number %d: %v", i, d.Number, err)
				}
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			due := func(after time.Duration, limit int) (ids []string) {
				for _, d := range must[[]webhook.Delivery](t)(tx.DueDeliveries(at.Add(after), limit)) {
					ids = append(ids, d.ID)
				}
				return ids
			}
			if d := cmp.Diff([]string{"msg_2"}, due(0, 9)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]string{"msg_1", "msg_3"}, due(time.Minute, 9)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]string{"msg_1"}, due(time.Minute, 1)); d != "" {
				t.Error(d)
			}
			if got := must[time.Time](t)(tx.NextDelivery()); !got.Equal(at) {
				t.Errorf("next at %s", got)
			}
			d := *all[1]
			d.State, d.Attempts, d.SentAt, d.Status, d.Latency, d.Error = webhook.Failed, 3, at, 503, 1500*time.Microsecond, "status"
			if err := tx.PutDelivery(&d); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(d, must[webhook.Delivery](t)(tx.Delivery("hook_a", "msg_2"))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]webhook.Delivery{d, *all[0]}, must[[]webhook.Delivery](t)(tx.DeliveriesOf("hook_a", 0, 9))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]webhook.Delivery{*all[0]}, must[[]webhook.Delivery](t)(tx.DeliveriesOf("hook_a", d.Number, 9))); diff != "" {
				t.Error(diff)
			}
			if _, err := tx.Delivery("hook_b", "msg_2"); exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("the delivery of another webhook: %v", err)
			}
			for kind, want := range map[string]int{"": 1, webhook.KindTest: 1, webhook.KindChanged: 0} {
				if n := must[int](t)(tx.PendingOf("hook_a", kind)); n != want {
					t.Errorf("%d of kind %q wait, want %d", n, kind, want)
				}
			}
			if err := tx.CancelPending("hook_b", webhook.KindChanged); err != nil {
				t.Fatal(err)
			}
			if got := due(time.Minute, 9); !cmp.Equal(got, []string{"msg_1"}) {
				t.Errorf("due after the others ended: %v", got)
			}
			if err := tx.PurgeDeliveries(at.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if n := must[[]webhook.Delivery](t)(tx.DeliveriesOf("hook_a", 0, 9)); len(n) != 1 {
				t.Errorf("%d are left", len(n))
			}
			if err := tx.DropWebhook("hook_a"); err != nil {
				t.Fatal(err)
			}
			if n := must[[]webhook.Delivery](t)(tx.DeliveriesOf("hook_a", 0, 9)); len(n) != 0 {
				t.Errorf("%d outlive their webhook", len(n))
			}
			if got := must[time.Time](t)(tx.NextDelivery()); !got.IsZero() {
				t.Errorf("next at %s, and nothing waits", got)
			}
		})
		if _, err := db.Pulse(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// The pulse differs after a change of verdicts and after a feed grew.
func TestPulse(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		before := must[int64](t)(db.Pulse(t.Context()))
		within(t, db, func(tx *sqlstore.Tx) {
			if err := tx.BumpGeneration(); err != nil {
				t.Fatal(err)
			}
		})
		middle := must[int64](t)(db.Pulse(t.Context()))
		within(t, db, func(tx *sqlstore.Tx) {
			if _, err := tx.Exec(`INSERT INTO program_clock (program, added) VALUES ('p', 1812441600000000)`); err != nil {
				t.Fatal(err)
			}
		})
		after := must[int64](t)(db.Pulse(t.Context()))
		if before == middle || middle == after {
			t.Errorf("pulses %d, %d, %d", before, middle, after)
		}
		if again := must[int64](t)(db.Pulse(t.Context())); again != after {
			t.Errorf("it beats without a change: %d, %d", after, again)
		}
	})
}
