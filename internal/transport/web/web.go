// Package web serves the pages for browsers: rendered on the server, made of
// plain forms and links, so that every journey works without scripts.
//
// A handler asks the rooms with the visitor's actor, turns the answers into a
// typed view of the package page, and returns an error for everything else. It
// holds no rule on who may see what.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/forewarn-exchange/forewarn/internal/authn"
	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// Config is what the interface is built from.
type Config struct {
	Exchange *core.Exchange
	Authn    *authn.Service
	Ledger   Ledger
	Limits   *httpkit.Limits // nil: none
	Log      *slog.Logger    // nil: nothing is logged
}

// site holds what the handlers need.
type site struct {
	*core.Exchange
	authn  *authn.Service
	ledger Ledger
	limits *httpkit.Limits
	log    *slog.Logger
	pages  *page.Renderer
	static assets
}

// maxForm is the most that a form may carry. Uploads are streamed and have the
// limit of submissions.
const maxForm = 1 << 20

// New returns the handler of every page. It is to stand in httpkit.Wrap.
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	static, err := loadAssets(assetFiles)
	if err != nil { // the files are part of the program
		panic(err)
	}
	pages, err := page.New(static.url)
	if err != nil {
		panic(err)
	}
	s := &site{
		Exchange: c.Exchange, authn: c.Authn, ledger: c.Ledger, limits: c.Limits, log: c.Log,
		pages: pages, static: static,
	}
	mux := http.NewServeMux()
	s.routes(mux)
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(s.foreign))
	all := http.NewServeMux()
	all.Handle("GET /static/{hash}/{name}", static)
	all.Handle("/", c.Limits.Handler(cross.Handler(mux), s.failure))
	return all
}

// foreign refuses what a page of another site sends in a reader's name.
func (s *site) foreign(w http.ResponseWriter, r *http.Request) {
	f := httpkit.FailureOf(exchange.Fail(exchange.Denied, "the form was sent by another site; nothing was changed"))
	f.RequestID = httpkit.RequestID(r.Context())
	s.failure(w, r, f)
}

// handler answers one request of a visitor.
type handler func(v *visit) error

// person makes an http.Handler for people who signed in. Everybody else is sent
// to the page that says how one signs in, whatever the address names.
func (s *site) person(h handler) http.Handler { return s.adapt(h, true, maxForm) }

// anyone makes an http.Handler for everybody.
func (s *site) anyone(h handler) http.Handler { return s.adapt(h, false, maxForm) }

func (s *site) adapt(h handler, signedIn bool, body int64) http.Handler {
	a := httpkit.Adapter{Log: s.log, Write: s.failure, Body: body}
	inner := a.Handler(func(w http.ResponseWriter, r *http.Request) error {
		v := visitOf(r.Context())
		v.w, v.r = w, r
		if signedIn && v.a.Anonymous() {
			http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
			return nil
		}
		if body > 0 && r.Method == http.MethodPost {
			var large *http.MaxBytesError
			if err := r.ParseForm(); errors.As(err, &large) {
				return err
			} else if err != nil {
				return httpkit.Fail(http.StatusBadRequest, "the form cannot be read; nothing was changed")
			}
		}
		return h(v)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := s.visit(r)
		if err != nil {
			a.Handler(func(http.ResponseWriter, *http.Request) error { return err }).ServeHTTP(w, r)
			return
		}
		ctx := context.WithValue(r.Context(), visitKey{}, v)
		if !v.a.Anonymous() {
			ctx, v.acts = record.WithActs(ctx, v.a)
		}
		inner.ServeHTTP(w, r.WithContext(ctx))
	})
}

// failure writes every answer that is not the page asked for. What is missing
// and what is withheld give the same page.
func (s *site) failure(w http.ResponseWriter, r *http.Request, f httpkit.Failure) {
	v := visitOf(r.Context())
	if v == nil {
		v = &visit{site: s, now: s.Now()}
	}
	v.w, v.r, v.status, v.faults = w, r, f.Status, nil
	p := &page.Fault{Frame: v.frame(f.Title), Heading: f.Title, Text: sentence(f.Detail), Request: f.RequestID}
	p.LogSize = "" // answers that are alike stay so while the log grows
	p.Next = page.Link{Label: "To the first page", Href: "/"}
	switch {
	case f.Kind == exchange.NotFound || f.Status == http.StatusNotFound:
		p.Text = "There is no such page, or none that you may know of: the two are answered alike."
	case f.Status == http.StatusUnauthorized:
		p.Text, p.Next = "Nobody is signed in.", page.Link{Label: "How to sign in", Href: "/sign-in"}
	case len(f.Errors) > 0:
		p.Faults = faultsOf(f.Detail, f.Errors, f.Total)
	}
	if f.Status != http.StatusUnauthorized { // a challenge would make the browser ask for a password
		httpkit.FailureHeaders(w.Header(), f)
	}
	if err := v.show(p); err != nil {
		s.log.ErrorContext(r.Context(), "a failure could not be shown", "req", f.RequestID, "err", err.Error())
		http.Error(w, f.Title, f.Status)
	}
}
