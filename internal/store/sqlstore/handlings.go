package sqlstore

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// handling is how a handling is kept.
type handling struct {
	TLP           int64                `json:"tlp"`
	PAP           int64                `json:"pap"`
	Organisations []exchange.OrgID     `json:"organisations,omitempty"`
	Groups        []exchange.GroupID   `json:"groups,omitempty"`
	Sectors       []string             `json:"sectors,omitempty"`
	Also          []exchange.AllowList `json:"also,omitempty"`
	Persons       []exchange.PersonID  `json:"persons,omitempty"`
	Purposes      []string             `json:"purposes,omitempty"`
	NotOrgs       []exchange.OrgID     `json:"not_orgs,omitempty"`
	NotCohorts    []exchange.CohortID  `json:"not_cohorts,omitempty"`
	NotHats       []string             `json:"not_hats,omitempty"`
	NotIn         []string             `json:"not_in,omitempty"`
	From          int64                `json:"from,omitempty"`    // Unix microseconds
	Expires       int64                `json:"expires,omitempty"` // Unix microseconds
	Statement     string               `json:"statement,omitempty"`
	Actions       int64                `json:"actions,omitempty"`
	Encrypt       int64                `json:"encrypt,omitempty"`
	Notify        int64                `json:"notify,omitempty"`
	Resale        int64                `json:"resale,omitempty"`
	Attribution   int64                `json:"attribution,omitempty"`
	References    []string             `json:"references,omitempty"`
}

func keptHandling(h exchange.Handling) handling {
	return handling{
		TLP: int64(h.TLP), PAP: int64(h.PAP), Organisations: h.Organisations, Groups: h.Groups, Sectors: h.Sectors, Also: h.Also,
		Persons: h.Persons, Purposes: h.Purposes, NotOrgs: h.NotOrgs, NotCohorts: h.NotCohorts, NotHats: h.NotHats, NotIn: h.NotIn,
		From: micros(h.From), Expires: micros(h.Expires), Statement: h.Statement, Actions: int64(h.Actions),
		Encrypt: int64(h.Encrypt), Notify: int64(h.Notify), Resale: int64(h.Resale), Attribution: int64(h.Attribution),
		References: h.References,
	}
}

func (h handling) handling() exchange.Handling {
	return exchange.Handling{
		TLP: exchange.TLP(h.TLP), PAP: exchange.PAP(h.PAP), Organisations: h.Organisations, Groups: h.Groups, Sectors: h.Sectors, Also: h.Also,
		Persons: h.Persons, Purposes: h.Purposes, NotOrgs: h.NotOrgs, NotCohorts: h.NotCohorts, NotHats: h.NotHats, NotIn: h.NotIn,
		From: instant(h.From), Expires: instant(h.Expires), Statement: h.Statement, Actions: exchange.Actions(h.Actions),
		Encrypt: exchange.Duty(h.Encrypt), Notify: exchange.Duty(h.Notify), Resale: exchange.Duty(h.Resale),
		Attribution: exchange.Attribution(h.Attribution), References: h.References,
	}
}

func handlingText(h exchange.Handling) (string, error) {
	return jsonText(keptHandling(h), "writing a handling")
}

func jsonText(v any, doing string) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	return string(b), nil
}

func handlingOf(text string) (exchange.Handling, error) {
	var h handling
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return exchange.Handling{}, fmt.Errorf("reading a handling: %w", err)
	}
	return h.handling(), nil
}

// terms is how the markings of a handling class are kept; empty: there are none
// beyond a label.
type terms struct {
	Handling handling     `json:"handling"`
	Fields   []fieldTerms `json:"fields,omitempty"`
}

type fieldTerms struct {
	Selectors []string `json:"selectors"`
	Handling  handling `json:"handling"`
	Held      bool     `json:"held,omitempty"`
}

func termsText(c exchange.HandlingClass) (string, error) {
	if len(c.Fields) == 0 && reflect.ValueOf(c.Handling).IsZero() {
		return "", nil
	}
	t := terms{Handling: keptHandling(c.Handling)}
	for _, f := range c.Fields {
		t.Fields = append(t.Fields, fieldTerms{f.Selectors, keptHandling(f.Handling), f.Held})
	}
	return jsonText(t, "writing markings")
}

func scanClass(s Scanner) (h exchange.HandlingClass, err error) {
	var tlp, held int64
	var text string
	if err = s.Scan(&h.ID, &h.Artifact, &tlp, &held, &h.Markings, &text); err != nil {
		return h, err
	}
	c, err := classOfTerms(text)
	if err != nil {
		return h, err
	}
	h.TLP, h.Held, h.Handling, h.Fields = exchange.TLP(tlp), held != 0, c.Handling, c.Fields
	return h, nil
}

// classOfTerms reads what termsText wrote.
func classOfTerms(text string) (c exchange.HandlingClass, err error) {
	if text == "" {
		return c, nil
	}
	var t terms
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return c, fmt.Errorf("reading markings: %w", err)
	}
	c.Handling = t.Handling.handling()
	for _, f := range t.Fields {
		c.Fields = append(c.Fields, exchange.FieldHandling{Selectors: f.Selectors, Handling: f.Handling.handling(), Held: f.Held})
	}
	return c, nil
}
