package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/transport/api"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	publiclog "github.com/forewarn-exchange/forewarn/internal/transport/log"
	"github.com/forewarn-exchange/forewarn/internal/transport/taxii"
	"github.com/forewarn-exchange/forewarn/internal/transport/web"
)

// drain is how long open requests may take to end after SIGTERM. The whole end
// takes less than five seconds.
const drain = 3 * time.Second

// Handler serves every interface: TAXII, the API, and the pages.
func (s *Server) Handler() http.Handler {
	limits := httpkit.NewLimits(s.o.Config.RequestsPerSecond, time.Now)
	machines := taxii.New(taxii.Config{
		Source: s.Exchange.Delivery, Contributions: s.Exchange.Contributions, Observe: s.Exchange.Connections.Observe,
		Authn: s.Authn, Log: s.o.Log, Limits: limits, Name: s.Exchange.Name, URL: s.Exchange.URL,
	})
	own := api.New(api.Config{
		Exchange: s.Exchange, Authn: s.Authn, Idempotency: answers{s.DB}, Limits: limits, Log: s.o.Log,
	})
	pages := web.New(web.Config{
		Exchange: s.Exchange, Authn: s.Authn, Ledger: &ledgerPages{q: s.Ledger, store: s.DB.Beneath(), x: s.Exchange}, Limits: limits, Log: s.o.Log,
	})
	mux := http.NewServeMux()
	mux.Handle("/taxii2/", machines)
	mux.Handle("/taxii2", machines)
	mux.Handle("/api/", own)
	mux.Handle("/problems/", own)
	mux.Handle("/log/", publiclog.New(publiclog.Config{
		Logs: logs{s}, Limits: limits, Log: s.o.Log, Cosigned: s.Exchange.Witnesses.Newest, Cosign: s.Exchange.Witnesses.Receive,
	}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("/", pages)
	o := httpkit.Options{Log: s.o.Log, Secure: strings.HasPrefix(s.Exchange.URL, "https://")}
	all := httpkit.Wrap(mux, o)
	o.Data = true
	data := httpkit.Wrap(machines, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/taxii2/") { // it has a mux of its own: one look is enough
			data.ServeHTTP(w, r)
			return
		}
		all.ServeHTTP(w, r)
	})
}

// ready answers whether the store can be written to.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.DB.Update(ctx, func(*sqlstore.Tx) error { return nil }); err != nil {
		http.Error(w, "the store cannot be written to", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// Serve answers on ln, and opens waves on the clock, until ctx ends. Then open
// requests get a moment to end.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var background sync.WaitGroup
	for _, job := range []func(context.Context){
		s.waves, s.Exchange.Contributions.Run, s.sweep, s.flush, s.pages, s.polls, s.daily, s.lapse,
		s.Exchange.Pulse.Run, s.webhooks, s.mail, s.Exchange.Lookup.Run, s.recalls, s.endKeys, s.Exchange.Witnesses.Run,
	} {
		background.Go(func() { job(run) })
	}
	srv := httpkit.Server(s.Handler(), s.o.Log)
	failed := make(chan error, 1)
	go func() {
		if s.o.Config.TLSCertificate != "" {
			failed <- srv.ServeTLS(ln, s.o.Config.TLSCertificate, s.o.Config.TLSKey)
			return
		}
		failed <- srv.Serve(ln)
	}()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		s.Exchange.Pulse.Close() // streams end, and do not hold the drain up
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		if err = srv.Shutdown(end); err != nil {
			err = srv.Close()
		}
	}
	stop()
	background.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// waves opens waves on the clock, once the witnesses were asked: a ledger that was cut
// off holds them.
func (s *Server) waves(ctx context.Context) {
	s.Exchange.Witnesses.Started(ctx)
	s.Exchange.Releases.Run(ctx)
}

// webhooks sends what webhooks announce.
func (s *Server) webhooks(ctx context.Context) { s.Exchange.Webhooks.Run(ctx, s.Exchange.Pulse) }

// sweep takes up what a crash in the middle of a submission left: at the start,
// and once a day, because what another process may still be storing has to lie
// for a day first.
func (s *Server) sweep(ctx context.Context) {
	const doing = "sweeping up"
	once := func(ctx context.Context) error {
		_, err := s.Exchange.Submissions.Sweep(ctx)
		return err
	}
	if err := once(ctx); err != nil && ctx.Err() == nil {
		s.o.Log.Error(doing, "err", err)
	}
	s.every(ctx, 24*time.Hour, doing, once)
}

// flush writes down when tokens were last used, away from the requests.
func (s *Server) flush(ctx context.Context) {
	s.every(ctx, time.Minute, "noting the use of tokens", s.Authn.Flush)
}

// pages records the pages that repeated themselves.
func (s *Server) pages(ctx context.Context) {
	s.every(ctx, 10*time.Second, "recording pages", s.Exchange.Delivery.Flush)
}

// polls writes down what machines asked for, away from the requests.
func (s *Server) polls(ctx context.Context) {
	s.every(ctx, 5*time.Second, "noting polls", s.Exchange.Connections.Flush)
}

// mail tells people that notices wait for them.
func (s *Server) mail(ctx context.Context) {
	s.every(ctx, 5*time.Second, "sending mail", s.Exchange.Mail.Round)
}

// recalls tells of what expired, and reminds who is silent.
func (s *Server) recalls(ctx context.Context) {
	s.every(ctx, time.Minute, "telling of what expired", s.Exchange.Recalls.Tick)
}

// lapse ends the requests to originators that nobody answered in time.
func (s *Server) lapse(ctx context.Context) {
	s.every(ctx, time.Minute, "ending requests", s.Exchange.Reshares.Lapse)
}

// daily does what depends on the date alone: cohort rules that ask for how
// long an organisation has been a member, and old answers to idempotent calls.
func (s *Server) daily(ctx context.Context) {
	s.every(ctx, time.Hour, "the daily round", func(ctx context.Context) error {
		if _, err := s.Exchange.Members.PlaceAll(ctx); err != nil {
			return err
		}
		if err := s.Exchange.Contributions.Purge(ctx); err != nil {
			return err
		}
		if err := s.Exchange.Mail.Purge(ctx); err != nil {
			return err
		}
		return s.DB.Update(ctx, func(tx *sqlstore.Tx) error {
			_, err := tx.PurgeIdempotent()
			return err
		})
	})
}

func (s *Server) every(ctx context.Context, d time.Duration, doing string, fn func(context.Context) error) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := fn(ctx); err != nil && ctx.Err() == nil {
				s.o.Log.Error(doing, "err", err, "kind", string(exchange.KindOf(err)))
			}
		}
	}
}
