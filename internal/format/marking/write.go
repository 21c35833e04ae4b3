package marking

import (
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Write is the value of the exchange's own extension that says the handling, and
// nothing else: read again, it is the same.
//
// Errors: exchange.Invalid for a handling that the extension cannot say, such as
// one of two allow-lists, of references, or of nothing.
func Write(h exchange.Handling) (jsontext.Value, error) {
	x := handling{
		ExtensionType: "property-extension", Organisations: h.Organisations, Groups: h.Groups, Sectors: h.Sectors, Persons: h.Persons,
		Purposes: h.Purposes, NotOrgs: h.NotOrgs, NotCohorts: h.NotCohorts, NotHats: h.NotHats, NotIn: h.NotIn, From: h.From, Expires: h.Expires,
		Statement: h.Statement, Actions: h.Actions.String(), Encrypt: h.Encrypt.Word(exchange.MustEncrypt),
		Notify: h.Notify.Word(exchange.MustNotNotify), Resale: h.Resale.Word(exchange.MustNotResell), Attribution: h.Attribution.String(),
	}
	if h.TLP != exchange.TLPUnset {
		x.TLP = h.TLP.String()
	}
	if h.PAP != exchange.PAPUnset {
		x.PAP = h.PAP.String()
	}
	v, err := json.Marshal(x)
	if err != nil {
		return nil, fmt.Errorf("writing a marking: %w", err)
	}
	if got, ok := own(v); !ok || !reflect.DeepEqual(got, h) {
		return nil, exchange.Fail(exchange.Invalid, "this handling cannot be said in a marking")
	}
	return v, nil
}
