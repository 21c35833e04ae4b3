// Package iep reads policies of the FIRST Information Exchange Policy framework
// 2.0 (IEP 2.0 and its JSON specification, November 2019): policies that stand
// alone, such as in .iepj files, references to policies, and what the STIX
// extension of IEP carries.
package iep

import (
	"bytes"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Policy is one policy as it is written. What is left out is empty.
type Policy struct {
	ID          string // UUID
	Name        string
	Description string
	Version     string // of the framework, such as 2.0
	Start       time.Time
	End         time.Time // zero: without end

	TLP         string // red, amber, green, white; TLP 2.0's labels are seen as well
	Actions     string // permitted_actions
	Encrypt     string // encrypt_in_transit
	Notify      string // affected_party_notifications
	Resale      string // unmodified_resale
	Attribution string // provider_attribution in STIX
	External    []string
}

// Reference names a policy that stands elsewhere.
type Reference struct {
	ID      string // id_ref
	URL     string
	Version string
}

// Document is what an .iepj file holds.
type Document struct {
	Policies   []Policy
	References []Reference
}

// MaxBytes and MaxPolicies bound a document.
const (
	MaxBytes    = 1 << 20
	MaxPolicies = 1000
)

// object is a policy or a reference in JSON, alone or inside a STIX extension.
type object struct {
	ExtensionType string         `json:"extension_type"`
	ID            string         `json:"id"`
	IEPID         string         `json:"iep_id"`
	Name          string         `json:"name"`
	PolicyName    string         `json:"policy_name"`
	Description   string         `json:"description"`
	Version       jsontext.Value `json:"iep_version"`
	Start         string         `json:"start_date"`
	End           *string        `json:"end_date"`
	Encrypt       string         `json:"encrypt_in_transit"`
	Actions       string         `json:"permitted_actions"`
	Notify        string         `json:"affected_party_notifications"`
	TLP           string         `json:"tlp"`
	Attribution   string         `json:"attribution"`
	Provider      string         `json:"provider_attribution"`
	Resale        string         `json:"unmodified_resale"`
	External      jsontext.Value `json:"external_references"`
	ExternalOne   jsontext.Value `json:"external_reference"`

	IDRef string `json:"id_ref"`
	URL   string `json:"url"`
}

// Parse reads one policy or reference, a list of them, or an object whose
// "policies" is such a list. What is faulty is refused as a whole, with an
// exchange.Invalid error: of a policy that is half understood nobody knows what
// the other half forbids.
func Parse(data []byte) (Document, error) {
	if len(data) > MaxBytes {
		return Document{}, exchange.Fail(exchange.Exhausted, "an IEP document has at most %d bytes", MaxBytes)
	}
	var all []jsontext.Value
	var around struct {
		Policies []jsontext.Value `json:"policies"`
	}
	data = bytes.TrimSpace(data)
	switch {
	case len(data) > 0 && data[0] == '[':
		if err := json.Unmarshal(data, &all); err != nil {
			return Document{}, fault("$", err)
		}
	default:
		if err := json.Unmarshal(data, &around, json.RejectUnknownMembers(true)); err == nil && around.Policies != nil {
			all = around.Policies
		} else {
			all = []jsontext.Value{data}
		}
	}
	if len(all) == 0 || len(all) > MaxPolicies {
		return Document{}, exchange.Fail(exchange.Invalid, "an IEP document holds 1 to %d policies; this one holds %d", MaxPolicies, len(all))
	}
	var d Document
	for _, v := range all {
		p, r, err := One(v)
		switch {
		case err != nil:
			return Document{}, err
		case r != nil:
			d.References = append(d.References, *r)
		default:
			d.Policies = append(d.Policies, *p)
		}
	}
	return d, nil
}

// One reads one policy, or one reference; the other is nil. Members that IEP 2.0
// does not know, and versions other than 2, are exchange.Invalid.
func One(v []byte) (*Policy, *Reference, error) {
	var o object
	if err := json.Unmarshal(v, &o, json.RejectUnknownMembers(true)); err != nil {
		return nil, nil, fault("$", err)
	}
	version, ok := versionOf(o.Version)
	if !ok {
		return nil, nil, exchange.Fail(exchange.Invalid, "iep_version has to be 2.0")
	}
	if o.IDRef != "" {
		return nil, &Reference{o.IDRef, o.URL, version}, nil
	}
	p := &Policy{
		ID: first(o.ID, o.IEPID), Name: first(o.Name, o.PolicyName), Description: o.Description, Version: version,
		TLP: o.TLP, Actions: o.Actions, Encrypt: o.Encrypt, Notify: o.Notify, Resale: o.Resale,
		Attribution: first(o.Attribution, o.Provider),
	}
	if o.Attribution != "" && o.Provider != "" && o.Attribution != o.Provider {
		return nil, nil, exchange.Fail(exchange.Invalid, "attribution and provider_attribution contradict each other")
	}
	if p.ID == "" {
		return nil, nil, exchange.Fail(exchange.Invalid, "a policy needs an id")
	}
	if p.TLP+p.Actions+p.Encrypt+p.Notify+p.Resale+p.Attribution == "" {
		return nil, nil, exchange.Fail(exchange.Invalid, "the policy says nothing: none of its dimensions is there")
	}
	var err error
	if p.Start, err = day(o.Start); err != nil {
		return nil, nil, exchange.Fail(exchange.Invalid, "start_date is no date of RFC 3339")
	}
	if o.End != nil {
		if p.End, err = day(*o.End); err != nil {
			return nil, nil, exchange.Fail(exchange.Invalid, "end_date is no date of RFC 3339")
		}
	}
	for _, v := range []jsontext.Value{o.External, o.ExternalOne} {
		p.External = append(p.External, links(v)...)
	}
	return p, nil, nil
}

// fault says that something is no IEP, without quoting it.
func fault(path string, err error) error {
	var s *json.SemanticError
	if errors.As(err, &s) && s.JSONPointer != "" {
		path += string(s.JSONPointer)
	}
	if errors.Is(err, json.ErrUnknownName) {
		return exchange.InvalidWith("this is no policy of IEP 2.0", []exchange.Problem{{Path: cut(path), Message: "IEP 2.0 knows no such member"}})
	}
	return exchange.InvalidWith("this is no policy of IEP 2.0", []exchange.Problem{{Path: cut(path), Message: "not the JSON of a policy"}})
}

func cut(s string) string { return s[:min(len(s), 100)] }

// versionOf takes 2, 2.0 and "2.0"; the drafts of the STIX extension write a number.
func versionOf(v jsontext.Value) (string, bool) {
	var text string
	if json.Unmarshal(v, &text) != nil {
		text = string(v)
	}
	if text == "2" || text == "2.0" {
		return "2.0", true
	}
	return "", false
}

// day reads a date or an instant; "" is the zero time.
func day(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t, err = time.Parse(time.DateOnly, s)
	}
	return t.UTC(), err
}

// links are the texts in a text, or in a list of texts.
func links(v jsontext.Value) (out []string) {
	var one string
	if json.Unmarshal(v, &one) == nil && one != "" {
		return []string{one}
	}
	_ = json.Unmarshal(v, &out) // a list of something else is of no consequence
	return out
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
