package exchange_test

import (
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// The numbers stand in databases: they may never change.
func TestIDHash(t *testing.T) {
	for id, want := range map[string]int64{
		"": -8831310031781878669,
		"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f":      1796503836338282245,
		"attack-pattern--0042a9f5-f053-4769-b3ef-9ad018dfa298": -3320531569726942206,
	} {
		if got := exchange.IDHash(id); got != want {
			t.Errorf("IDHash(%q) = %d, want %d", id, got, want)
		}
	}
	if exchange.IDHash("tool--1") == exchange.IDHash("tool--2") {
		t.Error("two identifiers share a number")
	}
}
