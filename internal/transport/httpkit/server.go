package httpkit

import (
	"log/slog"
	"net/http"
	"time"
)

// Server returns an http.Server with limits on what a slow or hostile client
// can hold: ten seconds for the headers, a minute for the whole request, five
// minutes for the answer, 128 KiB of headers. What streams more lifts its own
// deadline with Stream.
//
// 128 KiB is room for a TAXII request that names a thousand objects and its
// cursor.
func Server(handler http.Handler, log *slog.Logger) *http.Server {
	s := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      5 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    128 << 10,
	}
	if log != nil {
		// At debug level: these lines name addresses.
		s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	}
	return s
}

// Stream lifts the deadlines of one request that carries or receives a large
// body. Bytes are then limited by the handler, not by time.
func Stream(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // a recorder in a test has none to lift
	_ = c.SetWriteDeadline(time.Time{})
}
