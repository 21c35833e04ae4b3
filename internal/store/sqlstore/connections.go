package sqlstore

import (
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/connection"
)

var _ connection.Tx = (*Tx)(nil)

const connectionColumns = `c.id, c.token, c.org, c.client, c.created_at, c.removed_at, c.polls, c.objects, c.last_objects,
	c.last_at, c.last_status, c.last_after, c.last_cursor, c.usual, c.loop_at, c.restart_at, c.skip_at`

// AddConnection stores a new connection, without what its polls say.
func (tx *Tx) AddConnection(c connection.Connection) error {
	_, err := tx.Exec(`
		INSERT INTO connection (id, token, org, client, created_at, removed_at, polls, objects, last_objects,
			last_at, last_status, last_after, last_cursor, usual, loop_at, restart_at, skip_at)
		VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`,
		string(c.ID), string(c.Token), string(c.Org), c.Client, micros(c.CreatedAt))
	if err != nil {
		return fmt.Errorf("storing a connection: %w", err)
	}
	return nil
}

// RemoveConnection notes when a connection ended.
func (tx *Tx) RemoveConnection(id connection.ID, at time.Time) error {
	if _, err := tx.Exec(`UPDATE connection SET removed_at = ?2 WHERE id = ?1`, string(id), micros(at)); err != nil {
		return fmt.Errorf("removing a connection: %w", err)
	}
	return nil
}

// Connection answers one connection, also a removed one.
func (tx *Tx) Connection(id connection.ID) (connection.Connection, error) {
	c, err := scanConnection(tx.QueryRow(`SELECT `+connectionColumns+` FROM connection c WHERE c.id = ?1`, string(id)))
	return found(c, err, "reading a connection")
}

// ConnectionOf answers the connection of a token.
func (tx *Tx) ConnectionOf(token exchange.TokenID) (connection.Connection, error) {
	c, err := scanConnection(tx.QueryRow(`SELECT `+connectionColumns+` FROM connection c WHERE c.token = ?1`, string(token)))
	return found(c, err, "reading the connection of a token")
}

// ConnectionsOf lists the connections of an organisation, without removed ones,
// by id.
func (tx *Tx) ConnectionsOf(org exchange.OrgID) ([]connection.Connection, error) {
	all, err := Collect(tx, scanConnection, `
		SELECT `+connectionColumns+` FROM connection c WHERE c.org = ?1 AND c.removed_at = 0 ORDER BY c.id`, string(org))
	if err != nil {
		return nil, fmt.Errorf("listing connections: %w", err)
	}
	return all, nil
}

// PutStats stores what is known of a connection's polls.
func (tx *Tx) PutStats(id connection.ID, s connection.Stats) error {
	_, err := tx.Exec(`
		UPDATE connection SET polls = ?2, objects = ?3, last_objects = ?4, last_at = ?5, last_status = ?6,
			last_after = ?7, last_cursor = ?8, usual = ?9, loop_at = ?10, restart_at = ?11, skip_at = ?12
		WHERE id = ?1`,
		string(id), s.Polls, s.Objects, s.LastObjects, micros(s.LastAt), int64(s.LastStatus),
		micros(s.LastAfter), micros(s.LastCursor), s.Usual.Microseconds(), micros(s.LoopAt), micros(s.RestartAt), micros(s.SkipAt))
	if err != nil {
		return fmt.Errorf("storing what is known of polls: %w", err)
	}
	return nil
}

// AddPollErrors stores errors, oldest first, and removes all but the newest.
func (tx *Tx) AddPollErrors(id connection.ID, errs []connection.PollError, keep int) error {
	var n int64
	err := tx.QueryRow(`SELECT COALESCE(MAX(n), 0) FROM connection_error WHERE connection = ?1`, string(id)).Scan(&n)
	if err != nil {
		return fmt.Errorf("counting poll errors: %w", err)
	}
	for _, e := range errs {
		n++
		_, err := tx.Exec(`
			INSERT INTO connection_error (connection, n, at, request, status, problem) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
			string(id), n, micros(e.At), e.Request, int64(e.Status), e.Problem)
		if err != nil {
			return fmt.Errorf("storing a poll error: %w", err)
		}
	}
	if _, err := tx.Exec(`DELETE FROM connection_error WHERE connection = ?1 AND n <= ?2`, string(id), n-int64(keep)); err != nil {
		return fmt.Errorf("removing old poll errors: %w", err)
	}
	return nil
}

// PollErrors lists the errors of a connection, newest first.
func (tx *Tx) PollErrors(id connection.ID) ([]connection.PollError, error) {
	all, err := Collect(tx, func(s Scanner) (connection.PollError, error) {
		var e connection.PollError
		var at, status int64
		err := s.Scan(&at, &e.Request, &status, &e.Problem)
		e.At, e.Status = instant(at), int(status)
		return e, err
	}, `SELECT at, request, status, problem FROM connection_error WHERE connection = ?1 ORDER BY n DESC`, string(id))
	if err != nil {
		return nil, fmt.Errorf("listing poll errors: %w", err)
	}
	return all, nil
}

func scanConnection(s Scanner) (connection.Connection, error) {
	var c connection.Connection
	var id, token, org string
	var created, removed, at, status, after, cursor, usual, loop, restart, skip int64
	err := s.Scan(&id, &token, &org, &c.Client, &created, &removed, &c.Polls, &c.Objects, &c.LastObjects,
		&at, &status, &after, &cursor, &usual, &loop, &restart, &skip)
	c.ID, c.Token, c.Org = connection.ID(id), exchange.TokenID(token), exchange.OrgID(org)
	c.CreatedAt, c.RemovedAt = instant(created), instant(removed)
	c.LastAt, c.LastStatus, c.LastAfter, c.LastCursor = instant(at), int(status), instant(after), instant(cursor)
	c.Usual = time.Duration(usual) * time.Microsecond
	c.LoopAt, c.RestartAt, c.SkipAt = instant(loop), instant(restart), instant(skip)
	return c, err
}
