package web

import "net/http"

// routes lists every address of the pages.
func (s *site) routes(mux *http.ServeMux) {
	for pattern, h := range map[string]handler{
		"GET /sign-in":                     s.signInPage,
		"POST /sign-out":                   s.signOut,
		"GET /public":                      s.public,
		"GET /public/releases/{release}":   s.publicRelease,
		"GET /public/artifacts/{artifact}": s.publicContent,
		"GET /help/keys":                   s.keys,
		"GET /ledger":                      s.ledgerPage,
		"/":                                s.nothing,
	} {
		mux.Handle(pattern, s.anyone(h))
	}
	for pattern, h := range map[string]handler{
		"GET /{$}":                                       s.first,
		"GET /acting":                                    s.acting,
		"POST /acting":                                   s.act,
		"GET /notices":                                   s.notices,
		"POST /notices/{notice}/read":                    s.markRead,
		"GET /programs":                                  s.programs,
		"GET /programs/{program}":                        s.program,
		"GET /programs/{program}/export":                 s.export,
		"GET /programs/{program}/outcome":                s.outcome,
		"POST /programs/{program}/accept":                s.accept,
		"GET /programs/{program}/held":                   s.held,
		"POST /programs/{program}/held":                  s.resolveMarking,
		"POST /programs/{program}/members":               s.addMember,
		"POST /programs/{program}/hide":                  s.hideMember,
		"GET /programs/{program}/releases":               s.releasesOf,
		"GET /programs/{program}/releases/new":           s.compose,
		"POST /programs/{program}/releases":              s.create,
		"GET /programs/{program}/objects":                s.library,
		"GET /programs/{program}/objects/{object}":       s.object,
		"GET /programs/{program}/objects/{object}/bytes": s.objectBytes,
		"GET /releases":                                  s.releases,
		"GET /library":                                   s.libraries,
		"GET /lookup":                                    s.lookupPage,
		"POST /lookup":                                   s.lookUp,
		"GET /releases/{release}":                        s.release,
		"GET /releases/{release}/as":                     s.releaseAs,
		"POST /releases/{release}/save":                  s.save,
		"POST /releases/{release}/remove":                s.remove,
		"POST /releases/{release}/send":                  s.send,
		"POST /releases/{release}/approve":               s.approve,
		"POST /releases/{release}/move":                  s.move,
		"POST /releases/{release}/wave":                  s.wave,
		"POST /releases/{release}/withdraw":              s.withdraw,
		"POST /releases/{release}/contain":               s.contain,
		"POST /releases/{release}/rearm":                 s.rearm,
		"POST /releases/{release}/close":                 s.close,
		"POST /releases/{release}/feedback":              s.feedback,
		"GET /artifacts/{artifact}":                      s.artifact,
		"GET /artifacts/{artifact}/content":              s.content,
		"GET /webhooks":                                  s.webhooks,
		"POST /webhooks":                                 s.addWebhook,
		"GET /webhooks/{webhook}":                        s.webhook,
	} {
		mux.Handle(pattern, s.person(h))
	}
	for _, more := range []map[string]handler{s.registerPages(), s.hookActs(), s.recallPages(), s.noticePages(), s.reshareActs(), s.asked(), s.ledgerPages()} {
		for pattern, h := range more {
			mux.Handle(pattern, s.person(h))
		}
	}
	// Uploads of any size: streamed, with the limit of submissions.
	mux.Handle("POST /releases/{release}/artifacts", s.adapt(s.upload, true, -1))
	// A receipt is checked for everybody; the handler limits what it reads.
	mux.Handle("POST /ledger/check", s.adapt(s.checkReceipt, false, -1))
}

// registerPages are those about who takes part, on which grounds, and with which
// machines.
func (s *site) registerPages() map[string]handler {
	return map[string]handler{
		"GET /organisations":                    s.organisations,
		"POST /organisations":                   s.addOrganisation,
		"GET /organisations/{org}":              s.organisation,
		"GET /organisations/{org}/suspend":      s.suspendPage,
		"POST /organisations/{org}/suspend":     s.suspend,
		"POST /organisations/{org}/resume":      s.resume,
		"POST /organisations/{org}/join":        s.join,
		"POST /organisations/{org}/people":      s.addPerson,
		"POST /organisations/{org}/links":       s.issueLink,
		"POST /organisations/{org}/tokens":      s.issueToken,
		"POST /organisations/{org}/revoke":      s.revokeToken,
		"GET /legal-bases":                      s.bases,
		"POST /legal-bases":                     s.addBasis,
		"GET /connections":                      s.connections,
		"POST /connections":                     s.addConnection,
		"GET /connections/{connection}":         s.connection,
		"POST /connections/{connection}/test":   s.testConnection,
		"POST /connections/{connection}/remove": s.removeConnection,
	}
}
