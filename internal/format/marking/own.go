package marking

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// ExtensionName is what the id of the exchange's own extension is derived from:
// the UUID of version 5 (RFC 9562) in the namespace of URLs.
const ExtensionName = "https://github.com/forewarn-exchange/forewarn/extension/marking/1"

// Extension is the id of the extension by which a marking-definition names
// readers; docs/guide/mark.md says what it holds.
const Extension = "extension-definition--6acce358-1e61-51f9-a562-95780c94d109"

// handling is the extension in JSON.
type handling struct {
	ExtensionType string `json:"extension_type"`
	TLP           string `json:"tlp,omitzero"`
	PAP           string `json:"pap,omitzero"`

	Organisations []exchange.OrgID    `json:"organisations,omitzero"`
	Groups        []exchange.GroupID  `json:"groups,omitzero"`
	Sectors       []string            `json:"sectors,omitzero"`
	Persons       []exchange.PersonID `json:"persons,omitzero"`
	Purposes      []string            `json:"purposes,omitzero"`

	NotOrgs    []exchange.OrgID    `json:"not_organisations,omitzero"`
	NotCohorts []exchange.CohortID `json:"not_cohorts,omitzero"`
	NotHats    []string            `json:"not_hats,omitzero"`
	NotIn      []string            `json:"not_in,omitzero"`

	From      time.Time `json:"from,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
	Statement string    `json:"statement,omitzero"`

	Actions     string `json:"permitted_actions,omitzero"`
	Encrypt     string `json:"encrypt_in_transit,omitzero"`
	Notify      string `json:"affected_party_notifications,omitzero"`
	Resale      string `json:"unmodified_resale,omitzero"`
	Attribution string `json:"attribution,omitzero"`
}

// MaxNames is how many names a list of the extension holds at most.
const MaxNames = 1000

// own reads the extension, and answers false where a member or a value is not
// known, or where nothing is asked: a half-understood marking is not understood.
func own(v jsontext.Value) (exchange.Handling, bool) {
	var x handling
	if json.Unmarshal(v, &x, json.RejectUnknownMembers(true)) != nil {
		return exchange.Handling{}, false
	}
	h := exchange.Handling{Statement: strings.TrimSpace(x.Statement), From: micros(x.From), Expires: micros(x.Expires)}
	ok := len(h.Statement) <= MaxStatement && exchange.Storable(h.Statement)
	ok = names(x.Organisations, &h.Organisations) && ok
	ok = names(x.Groups, &h.Groups) && ok
	ok = names(x.Sectors, &h.Sectors) && ok
	ok = names(x.Persons, &h.Persons) && ok
	ok = names(x.Purposes, &h.Purposes) && ok
	ok = names(x.NotOrgs, &h.NotOrgs) && ok
	ok = names(x.NotCohorts, &h.NotCohorts) && ok
	ok = names(x.NotHats, &h.NotHats) && ok
	ok = names(x.NotIn, &h.NotIn) && ok
	var errs [7]error
	h.TLP, errs[0] = exchange.ParseTLP(x.TLP)
	h.PAP, errs[1] = exchange.ParsePAP(x.PAP)
	h.Actions, errs[2] = exchange.ParseActions(x.Actions)
	h.Encrypt, errs[3] = exchange.ParseDuty(x.Encrypt, exchange.MustEncrypt)
	h.Notify, errs[4] = exchange.ParseDuty(x.Notify, exchange.MustNotNotify)
	h.Resale, errs[5] = exchange.ParseDuty(x.Resale, exchange.MustNotResell)
	h.Attribution, errs[6] = exchange.ParseAttribution(x.Attribution)
	for _, err := range errs {
		ok = ok && err == nil
	}
	return h, ok && !empty(h)
}

// names takes a list over, trimmed. An empty list could mean everybody or
// nobody, and an empty or overlong name nothing: both are not understood.
func names[T ~string](given []T, to *[]T) bool {
	if given == nil {
		return true
	}
	for _, n := range given {
		t := strings.TrimSpace(string(n))
		if t == "" || t == string(exchange.Nobody) || len(t) > 200 || !exchange.Plain(t) {
			return false
		}
		*to = append(*to, T(t))
	}
	return len(given) > 0 && len(given) <= MaxNames
}

func micros(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
