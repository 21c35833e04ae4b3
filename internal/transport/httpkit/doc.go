// Package httpkit is what the interfaces that speak HTTP have in common: the
// request id, headers that every answer carries, the access log, recovery from
// a panic, one table from error kinds to statuses, problem details (RFC 9457),
// who is calling, and limits.
//
// From the outside in:
//
//	http.Server                  Server
//	  request id, headers, log   Wrap
//	    limit per client         (*Limits).Handler, one for each interface
//	      mux
//	        one handler          Adapter.Handler: errors become answers
//
// Nothing here writes a query string, an identity or content into a log. A
// path's pattern may stand there, a path may not: it names objects.
package httpkit
