package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
)

// maxStatements bounds the prepared statements of one session. Statements are
// constant texts; only lists of values of differing length can exceed it.
const maxStatements = 512

// Session is one connection. It must not be used by two goroutines at once.
//
// database/sql can prepare a statement for a whole pool, but then every use
// takes locks and looks the connection up; preparing costs more than running
// most of our statements, and a session belongs to one goroutine at a time, so
// a plain map is enough.
type Session struct {
	conn    *sql.Conn
	dialect Dialect
	entries map[string]entry
	reused  bool
}

type entry struct {
	text string
	stmt *sql.Stmt
}

// Open takes a connection out of db for as long as the session lives.
func Open(ctx context.Context, db *sql.DB, dialect Dialect) (*Session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening a database connection: %w", err)
	}
	return &Session{conn: conn, dialect: dialect, entries: make(map[string]entry)}, nil
}

// Reused reports whether the session has been in the pool before, so that its
// connection may have died since.
func (s *Session) Reused() bool { return s.reused }

// Exec runs a statement that returns no rows.
func (s *Session) Exec(ctx context.Context, stmt string, args ...any) (sql.Result, error) {
	e, err := s.entry(ctx, stmt)
	if err != nil {
		return nil, err
	}
	if e.stmt != nil {
		return e.stmt.ExecContext(ctx, args...)
	}
	return s.conn.ExecContext(ctx, e.text, args...)
}

// Query runs a statement that returns rows. A session has at most one open
// set of rows: the second would share the prepared statement on SQLite and is
// refused by PostgreSQL.
func (s *Session) Query(ctx context.Context, stmt string, args ...any) (*sql.Rows, error) {
	e, err := s.entry(ctx, stmt)
	if err != nil {
		return nil, err
	}
	if e.stmt != nil {
		return e.stmt.QueryContext(ctx, args...)
	}
	return s.conn.QueryContext(ctx, e.text, args...)
}

func (s *Session) entry(ctx context.Context, stmt string) (entry, error) {
	if e, ok := s.entries[stmt]; ok {
		return e, nil
	}
	e := entry{text: s.dialect.Rewrite(stmt)}
	if s.dialect.Embedded() {
		prepared, err := s.conn.PrepareContext(ctx, e.text)
		if err != nil {
			return entry{}, err
		}
		e.stmt = prepared
	}
	s.entries[stmt] = e
	return e, nil
}

// Trim forgets the prepared statements when there are too many. It is called
// between transactions, when no rows are open.
func (s *Session) Trim() {
	if len(s.entries) > maxStatements {
		s.closeStatements()
	}
}

func (s *Session) closeStatements() {
	for _, e := range s.entries {
		if e.stmt != nil {
			// A statement that cannot be closed dies with its connection.
			_ = e.stmt.Close()
		}
	}
	clear(s.entries)
}

// Discard closes the connection, whatever state it is in.
func (s *Session) Discard() {
	s.closeStatements()
	// ErrBadConn keeps database/sql from handing the connection out again.
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = s.conn.Close()
}

// Pool keeps sessions to read with. The one given back last is taken first, so
// that a quiet pool works with warm caches.
type Pool struct {
	db      *sql.DB
	dialect Dialect
	slots   chan struct{} // holds one token per session in use
	ending  chan struct{} // closed by Close

	mu     sync.Mutex
	idle   []*Session
	closed bool
}

// ErrClosed is the answer of a closed pool.
var ErrClosed = errors.New("the store is closed")

// NewPool makes a pool that opens connections to read as they are needed.
func NewPool(h Handles) *Pool {
	return &Pool{db: h.Read, dialect: h.Dialect, slots: make(chan struct{}, h.Readers), ending: make(chan struct{})}
}

// Take waits for a free session. The caller ends with Give or Drop.
func (p *Pool) Take(ctx context.Context) (*Session, error) {
	select {
	case p.slots <- struct{}{}:
	default:
		select {
		case p.slots <- struct{}{}:
		case <-p.ending:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s, err := p.pop()
	if s == nil && err == nil {
		s, err = Open(ctx, p.db, p.dialect)
	}
	if err != nil {
		<-p.slots
		return nil, err
	}
	return s, nil
}

func (p *Pool) pop() (*Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if len(p.idle) == 0 {
		return nil, nil
	}
	s := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return s, nil
}

// Give returns a session in good order, outside any transaction.
func (p *Pool) Give(s *Session) {
	s.Trim()
	s.reused = true
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	if closed {
		s.Discard()
	}
	<-p.slots
}

// Drop closes a session whose state is not known.
func (p *Pool) Drop(s *Session) {
	s.Discard()
	<-p.slots
}

// Close refuses further sessions and waits until all are given back. It is
// called once.
func (p *Pool) Close() {
	close(p.ending)
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, s := range idle {
		s.Discard()
	}
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
}
