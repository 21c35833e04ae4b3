package stix_test

import (
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// The ids stand in several public places, two of them wrong. These are the
// ones of STIX 2.1 §7.2.1.4 and of oasis-open/cti-stix-common-objects.
func TestMarkingIDs(t *testing.T) {
	const p = "marking-definition--"
	for id, want := range map[string]exchange.TLP{
		p + "613f2e26-407d-48c7-9eca-b8e91df99dc9": exchange.TLPClear,
		p + "34098fce-860f-48ae-8e50-ebd3cc5e41da": exchange.TLPGreen,
		p + "f88d31f6-486f-44da-b317-01333bde0b82": exchange.TLPAmber,
		p + "5e57c739-391a-4eb3-b6be-7d15ca92d5ed": exchange.TLPRed,
		p + "94868c89-83c2-464b-929b-a1a8aa3c8487": exchange.TLPClear,
		p + "bab4a63c-aed9-4cf5-a766-dfca5abac2bb": exchange.TLPGreen,
		p + "55d920b0-5e8b-4f79-9ee9-91f868d9b421": exchange.TLPAmber,
		p + "939a9414-2ddd-4d32-a0cd-375ea402b003": exchange.TLPAmberStrict,
		p + "e828b379-4e03-4974-9ac4-e53a884c97c1": exchange.TLPRed,
	} {
		if got, ok := stix.TLPOf(id); !ok || got != want {
			t.Errorf("TLPOf(%s) = %v, %v; want %v", id, got, ok, want)
		}
	}
	for _, id := range []string{"", p, "613f2e26-407d-48c7-9eca-b8e91df99dc9", p + "00000000-0000-4000-8000-000000000000", strings.ToUpper(p) + "613f2e26-407d-48c7-9eca-b8e91df99dc9"} {
		if got, ok := stix.TLPOf(id); ok || got != exchange.TLPUnset {
			t.Errorf("TLPOf(%q) = %v, %v; want none", id, got, ok)
		}
	}
}
