package web

import (
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
)

// noticePages are the addresses of one notice, besides its mark.
func (s *site) noticePages() map[string]handler {
	return map[string]handler{"GET /notices/{notice}/signed": s.signedNotice}
}

func signedPath(id exchange.NoticeID) string { return "/notices/" + string(id) + "/signed" }

// signedNotice gives a notice as the exchange signed it, to be kept.
func (s *site) signedNotice(v *visit) error {
	id := exchange.NoticeID(v.path("notice"))
	b, err := s.SignedNotice(v.ctx(), v.a, id)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+string(id)+`.note"`) // an id that exists is letters and digits
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = v.w.Write(b) // who has gone gets no more
	return nil
}

// mailed is when a mail about the notice was taken by the mail server, first;
// zero: none was.
func (s *site) mailed(v *visit, id exchange.NoticeID) (at time.Time, err error) {
	if id == "" || s.Mail == nil {
		return at, nil
	}
	es, err := s.Mail.Told(v.ctx(), id)
	for _, e := range es {
		if e.State == mail.Sent && (at.IsZero() || e.SentAt.Before(at)) {
			at = e.SentAt
		}
	}
	return at, err
}
