package exchange

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The words of IEP 2.0 are read as they are written.
func TestWords(t *testing.T) {
	for a := ActionsUnset; a <= ActionsNone; a++ {
		if got, err := ParseActions(a.String()); got != a || err != nil {
			t.Errorf("%q is read as %v, %v", a, got, err)
		}
	}
	for a := AttributionUnset; a < AttributionConflict; a++ {
		if got, err := ParseAttribution(a.String()); got != a || err != nil {
			t.Errorf("%q is read as %v, %v", a, got, err)
		}
	}
	for d := DutyUnset; d <= DutyStrict; d++ {
		if got, err := ParseDuty(d.Word(MustNotNotify), MustNotNotify); got != d || err != nil {
			t.Errorf("%q is read as %v, %v", d.Word(MustNotNotify), got, err)
		}
	}
	if got, err := ParseActions(" NONE "); got != ActionsNone || err != nil {
		t.Errorf("NONE is read as %v, %v", got, err)
	}
	for name, err := range map[string]error{
		"an action":             second(ParseActions("dance")),
		"a conflict":            second(ParseAttribution("conflict")),
		"the word of another":   second(ParseDuty("must", MustNotResell)),
		"the word of the other": second(ParseDuty("must-not", MustEncrypt)),
	} {
		if KindOf(err) != Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

const inFull = `
[handling]
tlp = "TLP:AMBER"
pap = "PAP:AMBER"
organisations = ["example-psirt"]
groups = ["trusted"]
sectors = ["energy"]
purposes = ["defence"]
not_organisations = ["mallory"]
not_cohorts = ["early"]
not_hats = ["regulator"]
not_in = ["xx"]
statement = "ask first"
permitted_actions = "internally-visible-actions"
encrypt_in_transit = "must"
affected_party_notifications = "must-not"
unmodified_resale = "may"
attribution = "must-not"

[[group]]
id = "trusted"
title = "Trusted ones"
organisations = ["edr-a", "edr-b"]
`

// charterWith is the charter of the tests with its default handling replaced.
func charterWith(t *testing.T, handling string) []byte {
	t.Helper()
	c, err := ParseCharter([]byte(goodCharter))
	if err != nil {
		t.Fatal(err)
	}
	text := c.TOML()
	i := bytes.Index(text, []byte("[handling]"))
	j := bytes.Index(text[i+1:], []byte("\n["))
	return append(append(bytes.Clone(text[:i]), text[i+1+j:]...), handling...)
}

func TestCharterHandling(t *testing.T) {
	c, err := ParseCharter(charterWith(t, inFull))
	if err != nil {
		t.Fatal(err)
	}
	want := Handling{
		TLP: TLPAmber, PAP: PAPAmber, Organisations: []OrgID{"example-psirt"}, Groups: []GroupID{"trusted"}, Sectors: []string{"energy"},
		Purposes: []string{"defence"}, NotOrgs: []OrgID{"mallory"}, NotCohorts: []CohortID{"early"}, NotHats: []string{"regulator"}, NotIn: []string{"XX"},
		Statement: "ask first", Actions: ActionsInternal, Encrypt: DutyStrict, Notify: DutyStrict, Resale: DutyMay, Attribution: AttributionMustNot,
	}
	if d := cmp.Diff(want, c.Handling); d != "" {
		t.Error(d)
	}
	again, err := ParseCharter(c.TOML())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(c.TOML()), string(again.TOML())) + cmp.Diff(c.Handling, again.Handling) + cmp.Diff(c.Groups, again.Groups); d != "" {
		t.Errorf("written and read again:\n%s", d)
	}
	for fault, change := range map[string][2]string{
		"handling.permitted_actions":  {"internally-visible-actions", "dance"},
		"handling.encrypt_in_transit": {`encrypt_in_transit = "must"`, `encrypt_in_transit = "must-not"`},
		"handling.groups[0]":          {`groups = ["trusted"]`, `groups = ["strangers"]`},
		"handling.not_cohorts[0]":     {`not_cohorts = ["early"]`, `not_cohorts = ["nobody"]`},
		"handling.sectors[0]":         {`"energy"`, `" "`},
		"group[0].id":                 {`id = "trusted"`, `id = "The Trusted"`},
		"group[0].organisations":      {`["edr-a", "edr-b"]`, `[]`},
		"group[0].organisations[1]":   {`["edr-a", "edr-b"]`, `["edr-a", "EDR B"]`},
		"group[1].id":                 {"[[group]]", "[[group]]\nid = \"trusted\"\norganisations = [\"edr-a\"]\n[[group]]"},
	} {
		text := bytes.Replace(charterWith(t, inFull), []byte(change[0]), []byte(change[1]), 1)
		c, err := ParseCharter(text)
		ps := c.Check(charterNow)
		if e, ok := errors.AsType[*Error](err); ok {
			ps = e.Problems
		}
		found := false
		for _, p := range ps {
			found = found || p.Path == fault
		}
		if !found {
			t.Errorf("%s is not found among %v", fault, ps)
		}
	}
}
