package taxii

import (
	"context"
	"net/http"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/connection"
)

// TestSameness tells polls apart that ask for different things, and no others.
func TestSameness(t *testing.T) {
	of := func(id string, q query) uint64 {
		return asked{call: call{Request: &http.Request{Pattern: "/p"}}, program: "early-warning", id: id, q: q}.sameness()
	}
	plain := of("", query{})
	if of("", query{after: 7, limit: 100}) != plain {
		t.Error("cursor and page size make another query")
	}
	seen := map[uint64]int{plain: -1}
	for i, h := range []uint64{
		of("indicator--1", query{}), of("", query{ids: []string{"indicator--1"}}), of("", query{types: []string{"indicator--1"}}),
		of("", query{types: []string{"indicator", "--1"}}), of("", query{version: "all"}), of("", query{specs: "all"}),
	} {
		if at, same := seen[h]; same {
			t.Errorf("query %d is taken for query %d", i, at)
		}
		seen[h] = i
	}
}

// TestObserveAllocatesNothing holds the hook on the path of every page to its
// promise.
func TestObserveAllocatesNothing(t *testing.T) {
	polls := 0
	s := &server{Config: Config{Observe: func(context.Context, connection.Poll) { polls++ }}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	a := asked{call: call{r, exchange.Actor{Token: "fw_x"}}, program: "early-warning", q: query{types: []string{"indicator"}}}
	if n := testing.AllocsPerRun(100, func() { s.observe(a, 100, 5, true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	before := polls
	a.Method = http.MethodHead
	s.observe(a, 100, 5, true)
	if before == 0 || polls != before {
		t.Error("HEAD is told as a poll, or GET is not")
	}
}
