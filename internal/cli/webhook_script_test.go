package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	outbound "github.com/forewarn-exchange/forewarn/internal/outbound/webhook"
)

// receiver NAME KEYS FILE sets a variable to the address of a machine that
// writes what it verified with the keys in one file into the other, a line for
// each message, and "unverified" for what it could not.
func receiver(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	keys, file := ts.MkAbs(args[1]), ts.MkAbs(args[2])
	var mu sync.Mutex
	in := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		known, _ := os.ReadFile(keys)
		if err := outbound.Verify(r.Header, body, strings.Fields(string(known)), s.w.Clock.Now()); err != nil {
			body = []byte("unverified")
		}
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer f.Close()
		fmt.Fprintf(f, "%s %s\n", r.Header.Get(outbound.HeaderID), body)
	}))
	ts.Defer(in.Close)
	ts.Setenv(args[0], in.URL)
}

// round lets webhooks look at the views and send what is due.
func round(ts *testscript.TestScript, _ bool, _ []string) {
	s := stageOf(ts)
	ts.Check(s.w.X.Webhooks.Round(s.t.Context()))
}
