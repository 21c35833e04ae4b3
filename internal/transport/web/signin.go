package web

import (
	"net/http"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// signInPage says how one signs in; a link to it with a code signs in.
func (s *site) signInPage(v *visit) error {
	if code := v.r.URL.Query().Get("code"); code != "" {
		return s.signIn(v, code)
	}
	if !v.a.Anonymous() {
		return v.see("/")
	}
	return v.show(&page.SignIn{Frame: v.frame("Sign in")})
}

// signIn opens a session by a link. It is the one act behind a GET: people follow
// links. HEAD does nothing, since that is what checkers of links send.
func (s *site) signIn(v *visit, code string) error {
	if v.r.Method != http.MethodGet {
		return v.show(&page.SignIn{Frame: v.frame("Sign in")})
	}
	if err := s.limits.SignIn(v.r); err != nil {
		return err
	}
	secret, expires, _, err := s.authn.SignIn(v.ctx(), code)
	if exchange.KindOf(err) == exchange.Unsigned {
		s.limits.SignInFailed(v.r)
		v.status = http.StatusUnauthorized
		return v.show(&page.SignIn{Frame: v.frame("Sign in"), Failed: true})
	}
	if err != nil {
		return err
	}
	httpkit.SetSession(v.w, v.r, secret, expires)
	return v.see("/?done=signed-in")
}

func (s *site) signOut(v *visit) error {
	if cookie := httpkit.SessionOf(v.r); cookie != "" {
		if err := s.authn.SignOut(v.ctx(), cookie); err != nil {
			return err
		}
	}
	httpkit.ClearSession(v.w, v.r)
	return v.see("/sign-in")
}

func (s *site) keys(v *visit) error { return v.show(&page.Keys{Frame: v.frame("Keys")}) }

// nothing answers every other address.
func (s *site) nothing(*visit) error { return exchange.Missing() }

const noticesPage = 50

func (s *site) notices(v *visit) error {
	p := &page.Notices{Frame: v.frame("Notices")}
	before, err := time.Parse(time.RFC3339Nano, v.r.URL.Query().Get("before"))
	if err != nil {
		before = time.Time{}
	}
	ns, err := s.Delivery.Notices(v.ctx(), v.a, before, noticesPage)
	if err != nil {
		return err
	}
	if p.Lines, err = v.noticeLines(ns); err != nil {
		return err
	}
	if len(ns) == noticesPage {
		p.Older = "/notices?before=" + ns[len(ns)-1].At.UTC().Format(exchange.TimeFormat)
	}
	return v.show(p)
}

func (v *visit) noticeLines(ns []exchange.Notice) (out []page.NoticeLine, err error) {
	seqs := make([]int64, len(ns))
	for i, n := range ns {
		seqs[i] = n.Event
	}
	shown, err := v.site.Record.Shown(v.ctx(), v.a, seqs)
	if err != nil {
		return nil, err
	}
	for _, n := range ns {
		l := page.NoticeLine{ID: string(n.ID), Text: n.Text, At: v.clock.At(n.At), New: n.ReadAt.IsZero(), Entry: entryIfShown(shown, n.Event)}
		switch {
		case recallOf(n) != "":
			l.Href = recallOf(n)
		case n.Kind == exchange.EventReshareAsked:
			l.Href = "/reshares"
		case n.Kind == exchange.EventReleaseWithdrawn: // there is nothing to read any more
		case n.Release != "":
			l.Href = "/releases/" + string(n.Release)
		case n.Program != "":
			l.Href = "/programs/" + string(n.Program)
		}
		out = append(out, l)
	}
	return out, nil
}

func (s *site) markRead(v *visit) error {
	if err := s.Delivery.MarkRead(v.ctx(), v.a, exchange.NoticeID(v.path("notice"))); err != nil {
		return err
	}
	return v.see("/notices?done=read")
}
