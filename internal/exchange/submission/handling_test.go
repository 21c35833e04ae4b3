package submission_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// named puts organisations and people into the house.
func (h *house) named() (ana exchange.Person) {
	h.t.Helper()
	ana = testkit.Person("blue-shield", "ana", exchange.RoleAnalyst)
	ana.ID = "per_aaaaaaaaaaaaaaaa"
	impostor := testkit.Person("red-sword", "x", exchange.RoleAnalyst)
	impostor.Login = "per_bbbbbbbbbbbbbbbb" // a login that looks like an identifier
	h.update(func(tx *sqlstore.Tx) error {
		return errors.Join(
			tx.PutOrganisation(testkit.Organisation("blue-shield")), tx.PutOrganisation(testkit.Organisation("red-sword")),
			tx.PutPerson(ana), tx.PutPerson(impostor),
		)
	})
	return ana
}

// A name that nobody bears would exclude nobody: each is refused at its place,
// before a byte is read, and nothing is stored.
func TestUnknownNamesInTheHandling(t *testing.T) {
	h := newHouse(t)
	h.named()
	before := h.stored()
	for name, c := range map[string]struct {
		handling exchange.Handling
		paths    []string
	}{
		"not in":            {exchange.Handling{NotIn: []string{"GER"}}, []string{"handling.not_in[0]"}},
		"not in, the third": {exchange.Handling{NotIn: []string{"DE", "xa", "D1", ""}}, []string{"handling.not_in[2]", "handling.not_in[3]"}},
		"allow-list":        {exchange.Handling{Organisations: []exchange.OrgID{"blue-shield", "blue-shild"}}, []string{"handling.organisations[1]"}},
		"exclusion":         {exchange.Handling{NotOrgs: []exchange.OrgID{"Blue Shield", "red-sword"}}, []string{"handling.not_organisations[0]"}},
		"nobody":            {exchange.Handling{NotOrgs: []exchange.OrgID{""}}, []string{"handling.not_organisations[0]"}},
		"person":            {exchange.Handling{TLP: exchange.TLPRed, Persons: []exchange.PersonID{"bob@blue-shield"}}, []string{"handling.persons[0]"}},
		"no such id, but a login": {
			exchange.Handling{TLP: exchange.TLPRed, Persons: []exchange.PersonID{"ana@blue-shield", "per_bbbbbbbbbbbbbbbb"}}, []string{"handling.persons[1]"},
		},
		"expired":     {exchange.Handling{Expires: testkit.Start.Add(-time.Hour)}, []string{"handling.expires"}},
		"expires now": {exchange.Handling{Expires: testkit.Start}, []string{"handling.expires"}},
		"all at once": {
			exchange.Handling{Organisations: []exchange.OrgID{"a"}, NotOrgs: []exchange.OrgID{"b"}, NotIn: []string{"c"}, Persons: []exchange.PersonID{"d"}},
			[]string{"handling.organisations[0]", "handling.not_organisations[0]", "handling.not_in[0]", "handling.persons[0]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := submission.Input{Release: release, Class: exchange.DetectionGuidance, Handling: c.handling}
			_, err := h.room.Submit(t.Context(), operator, in, failing{})
			wantKind(t, err, exchange.Invalid)
			var paths []string
			if e, ok := errors.AsType[*exchange.Error](err); ok {
				for _, p := range e.Problems {
					paths = append(paths, p.Path)
				}
			}
			if d := cmp.Diff(c.paths, paths); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(before, h.stored()); d != "" {
				t.Errorf("something stayed: %s", d)
			}
		})
	}
	// Who may not hand in learns nothing of who exists.
	in := submission.Input{Release: release, Class: exchange.DetectionGuidance, Handling: exchange.Handling{NotOrgs: []exchange.OrgID{"b"}}}
	_, err := h.room.Submit(t.Context(), member, in, failing{})
	wantKind(t, err, exchange.NotFound)
}

func TestNamesInTheHandling(t *testing.T) {
	h := newHouse(t)
	ana := h.named()
	in := submission.Input{Filename: "a.json", Handling: exchange.Handling{
		TLP: exchange.TLPRed, Organisations: []exchange.OrgID{" blue-shield"}, NotOrgs: []exchange.OrgID{"red-sword", "red-sword"},
		NotIn: []string{"de", " Xa", "DE"}, Persons: []exchange.PersonID{"Ana@Blue-Shield", ana.ID},
		Expires: testkit.Start.Add(time.Hour + 123*time.Nanosecond),
	}}
	text := bundle(object("0000000a", ""))
	r := h.mustSubmit(in, text)
	want := exchange.Handling{
		TLP: exchange.TLPRed, PAP: testkit.Charter().Handling.PAP, Organisations: []exchange.OrgID{"blue-shield"},
		NotOrgs: []exchange.OrgID{"red-sword"}, NotIn: []string{"DE", "XA"}, Persons: []exchange.PersonID{ana.ID}, Expires: testkit.Start.Add(time.Hour),
	}
	if d := cmp.Diff(want, r.Artifact.Handling); d != "" {
		t.Error(d)
	}
	h.update(func(tx *sqlstore.Tx) error {
		stored, err := tx.Artifact(r.Artifact.ID)
		if d := cmp.Diff(want, stored.Handling); d != "" {
			t.Error(d)
		}
		return err
	})
	if excluded, _ := r.Artifact.Handling.Restricts("green-gate", []string{"DE"}); !excluded {
		t.Error("a jurisdiction in small letters excludes nobody")
	}
	// The same, named otherwise, is the same.
	in.Handling.NotIn, in.Handling.Persons = []string{"DE", "XA"}, []exchange.PersonID{ana.ID}
	if again := h.mustSubmit(in, text); !again.Duplicate {
		t.Error("the same handling in other words is another submission")
	}
}

// The program's default is held to the same rule: it is what excludes when the
// submission names nobody.
func TestUnknownNameInTheDefault(t *testing.T) {
	h := newHouse(t, func(c *exchange.Charter) { c.Handling.NotOrgs = []exchange.OrgID{"red-sword"} })
	_, err := h.submit(submission.Input{}, bundle(object("0000000a", "")))
	wantKind(t, err, exchange.Invalid)
	if !strings.Contains(describe(err), "handling.not_organisations[0]") {
		t.Error(describe(err))
	}
	h.named()
	r := h.mustSubmit(submission.Input{}, bundle(object("0000000a", "")))
	if d := cmp.Diff([]exchange.OrgID{"red-sword"}, r.Artifact.Handling.NotOrgs); d != "" {
		t.Error(d)
	}
}
