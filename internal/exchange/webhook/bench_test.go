package webhook_test

import (
	"fmt"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// BenchmarkScan is a look at fifty webhooks of which none has anything to
// announce: what each change costs.
func BenchmarkScan(b *testing.B) {
	w := servertest.New(b)
	for i := range webhook.MaxPerOrganisation {
		_, err := w.X.Webhooks.Add(b.Context(), w.Reader(servertest.EarlyA), webhook.Request{Program: testkit.Program, URL: fmt.Sprint("https://example.com/", i)})
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := w.X.Webhooks.Scan(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/webhook.MaxPerOrganisation, "µs/webhook")
}
