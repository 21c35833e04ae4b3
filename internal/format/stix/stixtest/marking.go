package stixtest

import (
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

var markings = map[exchange.TLP]string{
	exchange.TLPClear:       "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
	exchange.TLPGreen:       "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
	exchange.TLPAmber:       "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
	exchange.TLPAmberStrict: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
	exchange.TLPRed:         "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}

// MarkingID is the id of the TLP 2.0 marking definition of the label, "" for
// TLPUnset.
func MarkingID(l exchange.TLP) string { return markings[l] }

// MarkingObject is the marking-definition of the label in TLP 2.0, as JSON in
// one line.
func MarkingObject(l exchange.TLP) string {
	name := l.String()
	return `{"type":"marking-definition","spec_version":"2.1","id":"` + MarkingID(l) +
		`","created":"2022-10-01T00:00:00.000Z","name":"` + name +
		`","extensions":{"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":{"extension_type":"property-extension","tlp_2_0":"` +
		strings.ToLower(strings.TrimPrefix(name, "TLP:")) + `"}}}`
}
