package sqlstore

import (
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
)

var _ mail.Tx = (*Tx)(nil)

// MailCursor answers the last event whose notices were queued as mail.
func (tx *Tx) MailCursor() (int64, error) {
	at, err := Collect(tx, scanInt, `SELECT event FROM mail_cursor WHERE id = 1`)
	if err != nil || len(at) == 0 {
		return -1, err
	}
	return at[0], nil
}

// SetMailCursor stores it.
func (tx *Tx) SetMailCursor(event int64) error {
	_, err := tx.Exec(`
		INSERT INTO mail_cursor (id, event) VALUES (1, ?1)
		ON CONFLICT (id) DO UPDATE SET event = excluded.event`, event)
	if err != nil {
		return fmt.Errorf("noting which notices were mailed: %w", err)
	}
	return nil
}

// LastNotice answers the last event that has notices.
func (tx *Tx) LastNotice() (int64, error) {
	at, err := Collect(tx, scanInt, `SELECT COALESCE(MAX(event), 0) FROM notice`)
	if err != nil || len(at) == 0 {
		return 0, err
	}
	return at[0], nil
}

// NoticesAfter lists notices of later events. Those of the last event are all
// there.
func (tx *Tx) NoticesAfter(event int64, limit int) ([]exchange.Notice, error) {
	ns, err := Collect(tx, scanNotice, `
		SELECT id, org, program, release, kind, at, event, text, read_at FROM notice
		WHERE event > ?1 AND event <= (
			SELECT COALESCE(MAX(event), 0) FROM (SELECT event FROM notice WHERE event > ?1 ORDER BY event LIMIT ?2 + 0) a)
		ORDER BY event, org`, event, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing notices: %w", err)
	}
	return ns, nil
}

const mailColumns = `notice, person, kind, state, attempts, queued_at, next_at, sent_at`

func scanMail(s Scanner) (e mail.Entry, err error) {
	var notice, person, kind, state string
	var attempts, queued, next, sent int64
	err = s.Scan(&notice, &person, &kind, &state, &attempts, &queued, &next, &sent)
	e.Notice, e.Person = exchange.NoticeID(notice), exchange.PersonID(person)
	e.Kind, e.State, e.Attempts = exchange.EventKind(kind), mail.State(state), int(attempts)
	e.QueuedAt, e.NextAt, e.SentAt = instant(queued), instant(next), instant(sent)
	return e, err
}

// PutMail stores what is to be told to whom, and what became of it.
func (tx *Tx) PutMail(e mail.Entry) error {
	_, err := tx.Exec(`
		INSERT INTO mail (notice, person, kind, state, attempts, queued_at, next_at, sent_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
		ON CONFLICT (notice, person) DO UPDATE SET
			state = excluded.state, attempts = excluded.attempts, next_at = excluded.next_at, sent_at = excluded.sent_at`,
		string(e.Notice), string(e.Person), string(e.Kind), string(e.State), int64(e.Attempts),
		micros(e.QueuedAt), micros(e.NextAt), micros(e.SentAt))
	if err != nil {
		return fmt.Errorf("storing mail: %w", err)
	}
	return nil
}

// DueMail lists pending entries whose moment has come, by person.
func (tx *Tx) DueMail(now time.Time, limit int) ([]mail.Entry, error) {
	return tx.mails(`
		SELECT `+mailColumns+` FROM mail WHERE state = 'pending' AND next_at <= ?1
		ORDER BY person, queued_at, notice LIMIT ?2 + 0`, micros(now), int64(limit))
}

// MailOf lists what became of the mail about a notice, by person.
func (tx *Tx) MailOf(notice exchange.NoticeID) ([]mail.Entry, error) {
	return tx.mails(`SELECT `+mailColumns+` FROM mail WHERE notice = ?1 ORDER BY person`, string(notice))
}

func (tx *Tx) mails(stmt string, args ...any) ([]mail.Entry, error) {
	es, err := Collect(tx, scanMail, stmt, args...)
	if err != nil {
		return nil, fmt.Errorf("listing mail: %w", err)
	}
	return es, nil
}

// LastMail answers when the person was last sent a message.
func (tx *Tx) LastMail(person exchange.PersonID) (time.Time, error) {
	at, err := Collect(tx, scanInt, `SELECT COALESCE(MAX(sent_at), 0) FROM mail WHERE person = ?1`, string(person))
	if err != nil || len(at) == 0 {
		return time.Time{}, err
	}
	return instant(at[0]), nil
}

// PurgeMail removes entries that ended and were queued before the instant.
func (tx *Tx) PurgeMail(before time.Time) error {
	_, err := tx.Exec(`DELETE FROM mail WHERE state <> 'pending' AND queued_at < ?1`, micros(before))
	if err != nil {
		return fmt.Errorf("forgetting mail: %w", err)
	}
	return nil
}
