package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// A server that runs wakes streams at a wave, on its own timetable, and ends
// them whole when it ends: none is cut off, and none holds the end up.
func TestStreamsOfARunningServer(t *testing.T) {
	w := servertest.New(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Server.Serve(ctx, ln) }()
	secret, _, err := w.X.Members.IssueToken(t.Context(), exchange.System(), membership.TokenRequest{
		Person: w.Reader(servertest.EarlyA).Person, Name: "x", Verbs: []exchange.Verb{exchange.VerbRead}, TTL: 90 * 24 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+ln.Addr().String()+"/api/v1/programs/"+string(testkit.Program)+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	rel := w.Draft("One", testkit.Start.AddDate(0, 0, 30))
	w.Submit(rel.ID, exchange.DetectionGuidance, "guidance.json", servertest.Bundle(5, 1))
	w.Arm(rel.ID)
	var got strings.Builder
	part := make([]byte, 4096)
	for n := 0; !strings.Contains(got.String(), `"count":5`); {
		if strings.HasSuffix(got.String(), "\n\n") && !strings.Contains(got.String(), "event:") {
			w.Clock.Set(testkit.Start.AddDate(0, 0, 30)) // nothing came before the wave; now it is due
		}
		if n, err = res.Body.Read(part); err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
		got.Write(part[:n])
	}
	stop()
	if rest, err := io.ReadAll(res.Body); err != nil {
		t.Errorf("the stream was cut off: %v after %q", err, rest)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
