package server

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange/logbook"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	publiclog "github.com/forewarn-exchange/forewarn/internal/transport/log"
)

// logbook is what the room of the log's life is built from.
func (s *Server) logbook() logbook.Config {
	return logbook.Config{
		Store:   sqlstore.For[logbook.Tx](s.DB),
		Current: func() logbook.Running { return s.Ledger.Current() },
		Hold:    s.Ledger.Hold,
		Shared:  s.DB.Engine() == "postgres",
	}
}

// endKeys ends the log's keys when their time has come: at the start, and then every
// minute.
func (s *Server) endKeys(ctx context.Context) {
	const doing = "looking after the keys of the log"
	if err := s.Exchange.Logbook.Tick(ctx); err != nil && ctx.Err() == nil {
		s.o.Log.Error(doing, "err", err)
	}
	s.every(ctx, time.Minute, doing, s.Exchange.Logbook.Tick)
}

// logs are the logs as the public interface gives them.
type logs struct{ s *Server }

// Files are the files of a log.
func (l logs) Files(_ context.Context, number int) (publiclog.Files, error) {
	return l.s.Ledger.Log(number)
}

// Keys are the keys that sign a log.
func (l logs) Keys(ctx context.Context, number int) ([]string, error) {
	return l.s.Exchange.Logbook.Keys(ctx, number)
}

// Statements are what a log says of itself.
func (l logs) Statements(ctx context.Context, number int) ([][]byte, error) {
	return l.s.Exchange.Logbook.Statements(ctx, number)
}
