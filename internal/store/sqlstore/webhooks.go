package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
)

var _ webhook.Tx = (*Tx)(nil)

const webhookColumns = `w.id, w.org, w.person, w.token, w.program, w.url, w.state, w.reason, w.notices, w.ceiling, w.machine,
	w.keys, w.added, w.notice_event, w.created_at, w.expires_at, w.failing_since, w.hat, w.purpose`

// Webhook answers one webhook.
func (tx *Tx) Webhook(id webhook.ID) (webhook.Webhook, error) {
	w, err := scanWebhook(tx.QueryRow(`SELECT `+webhookColumns+` FROM webhook w WHERE w.id = ?1`, string(id)))
	return found(w, err, "reading a webhook")
}

// WebhooksOf lists an organisation's webhooks by id.
func (tx *Tx) WebhooksOf(org exchange.OrgID) ([]webhook.Webhook, error) {
	all, err := Collect(tx, scanWebhook, `SELECT `+webhookColumns+` FROM webhook w WHERE w.org = ?1 ORDER BY w.id`, string(org))
	if err != nil {
		return nil, fmt.Errorf("listing webhooks: %w", err)
	}
	return all, nil
}

// ActiveWebhooks lists webhooks that send, by id.
func (tx *Tx) ActiveWebhooks(after webhook.ID, limit int) ([]webhook.Webhook, error) {
	all, err := Collect(tx, scanWebhook, `
		SELECT `+webhookColumns+` FROM webhook w WHERE w.state = 'active' AND w.id > ?1 ORDER BY w.id LIMIT ?2 + 0`,
		string(after), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing active webhooks: %w", err)
	}
	return all, nil
}

// PutWebhook stores a new webhook, or what may change of an old one: not whose
// it is, for which program, and where it leads.
func (tx *Tx) PutWebhook(w webhook.Webhook) error {
	keys, err := json.Marshal(w.Keys)
	if err != nil {
		return fmt.Errorf("writing the keys of a webhook: %w", err)
	}
	_, err = tx.Exec(`
		INSERT INTO webhook (id, org, person, token, program, url, state, reason, notices, ceiling, machine,
			keys, added, notice_event, created_at, expires_at, failing_since, hat, purpose)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
		ON CONFLICT (id) DO UPDATE SET
			token = excluded.token, state = excluded.state, reason = excluded.reason, notices = excluded.notices,
			ceiling = excluded.ceiling, machine = excluded.machine, keys = excluded.keys, added = excluded.added,
			hat = excluded.hat, purpose = excluded.purpose, notice_event = excluded.notice_event, expires_at = excluded.expires_at, failing_since = excluded.failing_since`,
		string(w.ID), string(w.Org), string(w.Person), string(w.Token), string(w.Program), w.URL, string(w.State), w.Reason,
		flag(w.Notices), int64(w.Ceiling), flag(w.Machine), string(keys), w.Cursor, w.NoticeCursor,
		micros(w.CreatedAt), micros(w.ExpiresAt), micros(w.FailingSince), w.Hat, w.Purpose)
	if err != nil {
		return fmt.Errorf("storing a webhook: %w", err)
	}
	return nil
}

// DropWebhook removes a webhook and its deliveries.
func (tx *Tx) DropWebhook(id webhook.ID) error {
	if _, err := tx.Exec(`DELETE FROM webhook_delivery WHERE webhook = ?1`, string(id)); err != nil {
		return fmt.Errorf("removing the deliveries of a webhook: %w", err)
	}
	if _, err := tx.Exec(`DELETE FROM webhook WHERE id = ?1`, string(id)); err != nil {
		return fmt.Errorf("removing a webhook: %w", err)
	}
	return nil
}

func scanWebhook(s Scanner) (w webhook.Webhook, err error) {
	var id, org, person, token, program, state, keys string
	var notices, ceiling, machine, created, expires, failing int64
	err = s.Scan(&id, &org, &person, &token, &program, &w.URL, &state, &w.Reason, &notices, &ceiling, &machine,
		&keys, &w.Cursor, &w.NoticeCursor, &created, &expires, &failing, &w.Hat, &w.Purpose)
	if err != nil {
		return w, err
	}
	w.ID, w.Org, w.Person, w.Token = webhook.ID(id), exchange.OrgID(org), exchange.PersonID(person), exchange.TokenID(token)
	w.Program, w.State, w.Notices, w.Machine = exchange.ProgramID(program), webhook.State(state), notices != 0, machine != 0
	w.Ceiling, w.CreatedAt, w.ExpiresAt, w.FailingSince = exchange.TLP(ceiling), instant(created), instant(expires), instant(failing)
	if err := json.Unmarshal([]byte(keys), &w.Keys); err != nil {
		return w, fmt.Errorf("reading the keys of a webhook: %w", err)
	}
	return w, nil
}

const deliveryColumns = `d.number, d.id, d.webhook, d.kind, d.subject, d.after_added, d.last_added, d.objects, d.more,
	d.queued_at, d.state, d.attempts, d.next_at, d.sent_at, d.status, d.latency_us, d.error`

// Delivery answers one delivery of a webhook.
func (tx *Tx) Delivery(hook webhook.ID, id string) (webhook.Delivery, error) {
	d, err := scanDelivery(tx.QueryRow(`
		SELECT `+deliveryColumns+` FROM webhook_delivery d WHERE d.webhook = ?1 AND d.id = ?2`, string(hook), id))
	return found(d, err, "reading a delivery")
}

// DeliveriesOf lists the deliveries of a webhook, newest first.
func (tx *Tx) DeliveriesOf(hook webhook.ID, before int64, limit int) ([]webhook.Delivery, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	all, err := Collect(tx, scanDelivery, `
		SELECT `+deliveryColumns+` FROM webhook_delivery d WHERE d.webhook = ?1 AND d.number < ?2
		ORDER BY d.number DESC LIMIT ?3 + 0`, string(hook), before, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	return all, nil
}

// PutDelivery stores a new delivery under the next number, or what became of an
// old one.
func (tx *Tx) PutDelivery(d *webhook.Delivery) error {
	if d.Number == 0 {
		n, err := tx.count("webhook_delivery", 1)
		if err != nil {
			return fmt.Errorf("numbering a delivery: %w", err)
		}
		d.Number = n
	}
	_, err := tx.Exec(`
		INSERT INTO webhook_delivery (number, id, webhook, kind, subject, after_added, last_added, objects, more,
			queued_at, state, attempts, next_at, sent_at, status, latency_us, error)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
		ON CONFLICT (number) DO UPDATE SET
			state = excluded.state, attempts = excluded.attempts, next_at = excluded.next_at, sent_at = excluded.sent_at,
			status = excluded.status, latency_us = excluded.latency_us, error = excluded.error`,
		d.Number, d.ID, string(d.Webhook), d.Kind, string(d.Subject), d.After, d.Last, int64(d.Count), flag(d.More),
		micros(d.QueuedAt), string(d.State), int64(d.Attempts), micros(d.NextAt), micros(d.SentAt),
		int64(d.Status), d.Latency.Microseconds(), d.Error)
	if err != nil {
		return fmt.Errorf("storing a delivery: %w", err)
	}
	return nil
}

// DueDeliveries lists what is to be sent: of each webhook the first that is due,
// in the order in which they were queued.
func (tx *Tx) DueDeliveries(now time.Time, limit int) ([]webhook.Delivery, error) {
	all, err := Collect(tx, scanDelivery, `
		SELECT `+deliveryColumns+` FROM webhook_delivery d
		WHERE d.number IN (
			SELECT MIN(q.number) FROM webhook_delivery q JOIN webhook w ON w.id = q.webhook
			WHERE q.state = 'pending' AND q.next_at <= ?1 AND w.state = 'active' GROUP BY q.webhook)
		ORDER BY d.number LIMIT ?2 + 0`, micros(now), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing what is to be sent: %w", err)
	}
	return all, nil
}

// NextDelivery is when the next message is to be sent; zero: none waits.
func (tx *Tx) NextDelivery() (time.Time, error) {
	var at int64
	err := tx.QueryRow(`
		SELECT COALESCE(MIN(d.next_at), 0) FROM webhook_delivery d JOIN webhook w ON w.id = d.webhook
		WHERE d.state = 'pending' AND w.state = 'active'`).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading when to send next: %w", err)
	}
	return instant(at), nil
}

// PendingOf counts what waits for a webhook.
func (tx *Tx) PendingOf(hook webhook.ID, kind string) (n int, err error) {
	err = tx.QueryRow(`
		SELECT COUNT(*) FROM webhook_delivery d
		WHERE d.webhook = ?1 AND d.state = 'pending' AND (?2 = '' OR d.kind = ?2)`, string(hook), kind).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting what waits for a webhook: %w", err)
	}
	return n, nil
}

// CancelPending takes what waits for a webhook off the queue.
func (tx *Tx) CancelPending(hook webhook.ID, kind string) error {
	_, err := tx.Exec(`
		UPDATE webhook_delivery SET state = 'cancelled' WHERE webhook = ?1 AND state = 'pending' AND kind = ?2`,
		string(hook), kind)
	if err != nil {
		return fmt.Errorf("cancelling what waits for a webhook: %w", err)
	}
	return nil
}

// PurgeDeliveries forgets deliveries that were queued before the instant and
// have ended.
func (tx *Tx) PurgeDeliveries(before time.Time) error {
	_, err := tx.Exec(`DELETE FROM webhook_delivery WHERE queued_at < ?1 AND state <> 'pending'`, micros(before))
	if err != nil {
		return fmt.Errorf("forgetting old deliveries: %w", err)
	}
	return nil
}

func scanDelivery(s Scanner) (d webhook.Delivery, err error) {
	var hook, subject, state string
	var count, more, queued, attempts, next, sent, status, latency int64
	err = s.Scan(&d.Number, &d.ID, &hook, &d.Kind, &subject, &d.After, &d.Last, &count, &more,
		&queued, &state, &attempts, &next, &sent, &status, &latency, &d.Error)
	d.Webhook, d.Subject, d.State = webhook.ID(hook), exchange.NoticeID(subject), webhook.DeliveryState(state)
	d.Count, d.More, d.Attempts, d.Status = int(count), more != 0, int(attempts), int(status)
	d.QueuedAt, d.NextAt, d.SentAt, d.Latency = instant(queued), instant(next), instant(sent), time.Duration(latency)*time.Microsecond
	return d, err
}

// Pulse is a number that differs after every change of what anybody may see:
// the generation of verdicts, and the clocks of the feeds.
func (db *DB) Pulse(ctx context.Context) (n int64, err error) {
	var generation int64
	err = db.View(ctx, func(tx *Tx) error {
		return tx.QueryRow(`
			SELECT n, (SELECT CAST(COALESCE(SUM(added % 1000000000000), 0) AS BIGINT) FROM program_clock)
			FROM counter WHERE name = 'generation'`).Scan(&generation, &n)
	})
	if err != nil {
		return 0, fmt.Errorf("reading the pulse: %w", err)
	}
	// Who is woken shall not look at views of an older generation.
	db.memory.generation.raise(generation)
	return generation + n, nil
}
