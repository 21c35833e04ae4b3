package membership

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// The bounds of what people type in.
const (
	maxText   = 200
	maxValues = 100
)

// faults collects what is wrong with an input, by field.
type faults []exchange.Problem

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, exchange.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (f *faults) text(path, s, meaning string) {
	switch {
	case s == "":
		f.add(path, "missing: %s", meaning)
	default:
		f.bounded(path, s)
	}
}

func (f *faults) bounded(path, s string) {
	if utf8.RuneCountInString(s) > maxText {
		f.add(path, "longer than %d characters", maxText)
	}
	if !exchange.Plain(s) {
		f.add(path, "holds characters that cannot be shown")
	}
}

func (f *faults) list(path string, values []string) {
	if len(values) > maxValues {
		f.add(path, "more than %d values", maxValues)
	}
	for i, v := range values {
		f.text(fmt.Sprintf("%s[%d]", path, i), v, "a value")
	}
}

func (f *faults) country(path, code string) {
	if !exchange.ValidCountry(code) {
		f.add(path, "not a country code of two capital letters (ISO 3166-1)")
	}
}

// err is the answer to the faulty input, nil when there are none.
func (f faults) err(public string) error {
	if len(f) == 0 {
		return nil
	}
	return exchange.InvalidWith(public, f)
}

// tidy trims what people type and keeps an empty list as nil.
func tidy(o exchange.Organisation) exchange.Organisation {
	o.Name, o.Kind = strings.TrimSpace(o.Name), strings.TrimSpace(o.Kind)
	for _, list := range []*[]string{&o.Hats, &o.Sectors, &o.Jurisdictions, &o.Regions, &o.Products} {
		var kept []string
		for _, v := range *list {
			if v = strings.TrimSpace(v); v != "" && !slices.Contains(kept, v) {
				kept = append(kept, v)
			}
		}
		*list = kept
	}
	return o
}

func checkOrganisation(tx Tx, o exchange.Organisation) error {
	var f faults
	if !exchange.ValidSlug(string(o.ID)) {
		f.add("id", "not a short name: 1 to 63 lower-case letters, digits and inner hyphens")
	}
	f.text("name", o.Name, "the organisation's name")
	f.text("kind", o.Kind, "the kind of actor, such as security-vendor, operator or cert")
	f.list("hats", o.Hats)
	f.list("sectors", o.Sectors)
	f.list("regions", o.Regions)
	f.list("products", o.Products)
	f.list("jurisdictions", o.Jurisdictions)
	for i, code := range o.Jurisdictions {
		f.country(fmt.Sprintf("jurisdictions[%d]", i), code)
	}
	if o.Customers < 0 {
		f.add("customers", "negative")
	}
	if o.ClientOf != "" {
		provider, err := tx.Organisation(o.ClientOf)
		switch {
		case exchange.KindOf(err) == exchange.NotFound:
			f.add("client_of", "there is no such organisation")
		case err != nil:
			return err
		case provider.ID == o.ID:
			f.add("client_of", "an organisation is not its own client")
		case provider.ClientOf != "":
			f.add("client_of", "that organisation is itself a client; name the member that serves both")
		}
	}
	return f.err("the organisation was not stored")
}

// facts are the attributes of an organisation that decide on cohorts.
func facts(o exchange.Organisation) exchange.Detail {
	return exchange.Detail{
		"kind": o.Kind, "hats": o.Hats, "sectors": o.Sectors, "jurisdictions": o.Jurisdictions,
		"regions": o.Regions, "products": o.Products, "customers": o.Customers, "client_of": string(o.ClientOf),
	}
}

func checkJurisdiction(j exchange.Jurisdiction) error {
	var f faults
	f.country("code", j.Code)
	f.bounded("within", j.Within)
	if j.Compelled {
		f.text("source", j.Source, "the law behind the duty")
	} else {
		f.bounded("source", j.Source)
	}
	return f.err("the jurisdiction was not stored")
}

var login = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{1,99}$`)

func checkPerson(p exchange.Person) error {
	var f faults
	if !login.MatchString(p.Login) || strings.HasPrefix(p.Login, "fw_") {
		f.add("login", "2 to 100 lower-case letters, digits and . _ @ + -, beginning with a letter or digit")
	}
	f.text("name", p.Name, "the person's name")
	f.bounded("email", p.Email)
	if p.Email != "" && !strings.Contains(p.Email, "@") {
		f.add("email", "not an e-mail address")
	}
	if len(p.Roles) == 0 {
		f.add("roles", "missing: at least one of %v", exchange.AllRoles)
	}
	for i, r := range p.Roles {
		if !slices.Contains(exchange.AllRoles, r) {
			f.add(fmt.Sprintf("roles[%d]", i), "unknown; choose from %v", exchange.AllRoles)
		}
	}
	if p.TimeZone != "" {
		if _, err := time.LoadLocation(p.TimeZone); err != nil || p.TimeZone == "Local" {
			f.add("time_zone", "unknown; use a name such as \"Europe/Berlin\"")
		}
	}
	return f.err("the person was not stored")
}
