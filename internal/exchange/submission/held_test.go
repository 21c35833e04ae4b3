package submission_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/marking"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

var amber = exchange.Handling{TLP: exchange.TLPAmber, PAP: exchange.PAPAmber}

const (
	other  = "marking-definition--0000002e-1111-4111-8111-111111111111"
	ours   = "marking-definition--0000002f-1111-4111-8111-111111111111"
	reason = "the originator said so on the phone"
)

// own is a marking-definition with the exchange's own extension.
func own(id, members string) string {
	return `{"type":"marking-definition","spec_version":"2.1","id":"` + id + `","created":"2027-01-01T00:00:00.000Z",` +
		`"extensions":{"` + marking.Extension + `":{"extension_type":"property-extension",` + members + `}}}`
}

func granular(n, ref, selector string) string {
	return object(n, `,"granular_markings":[{"marking_ref":"`+ref+`","selectors":["`+selector+`"]}]`)
}

func (h *house) generation() int64 {
	h.t.Helper()
	n, err := h.db.Generation(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// What nobody understands is held, by marking and artifact, and the owner hears
// of it. It is said once what a marking asks; then it holds nothing, now and later,
// and nothing is wider than its artifact.
func TestHeldQueue(t *testing.T) {
	h := newHouse(t)
	h.named()
	program := testkit.Charter().ID
	r := h.mustSubmit(submission.Input{Handling: amber, Title: "June"}, bundle(
		marked("00000001", nowhere), marked("00000002", nowhere, other), granular("00000003", nowhere, "pattern"), object("00000004", ""),
	))
	if r.Held != 2 {
		t.Errorf("%d held, want 2", r.Held)
	}
	q, err := h.room.Held(t.Context(), operator, program)
	want := []exchange.HeldIn{
		{Ref: nowhere, Artifact: r.Artifact.ID, Title: "June", Release: release, Objects: 2, Parts: 1, Since: r.Artifact.SubmittedAt},
		{Ref: other, Artifact: r.Artifact.ID, Title: "June", Release: release, Objects: 1, Since: r.Artifact.SubmittedAt},
	}
	if d := cmp.Diff(want, q.Held); d != "" || err != nil || len(q.Resolved) != 0 {
		t.Errorf("%v %v\n%s", err, q.Resolved, d)
	}
	if n := h.count(`SELECT COUNT(*) FROM notice WHERE org = ?1 AND text LIKE 'Markings that nobody understands hold 2 objects of June, and parts of 1.%'`, string(testkit.Owner)); n != 1 {
		t.Errorf("the owner has %d notices of it, want 1", n)
	}

	before := h.generation()
	red := exchange.Handling{TLP: exchange.TLPGreen, PAP: exchange.PAPRed, Statement: "ask first"}
	n, err := h.room.ResolveMarking(t.Context(), operator, program, nowhere, red, " "+reason+" ")
	if err != nil || n != 3 {
		t.Fatalf("%d objects, %v; want 3", n, err)
	}
	if h.generation() <= before {
		t.Error("views that were taken before still hold")
	}
	said := exchange.Handling{PAP: exchange.PAPRed, Statement: "ask first"}
	classes := map[string]handled{ // what the artifact asks, TLP:AMBER, is joined when it is decided on
		"00000001": {TLP: exchange.TLPGreen, Markings: nowhere, Says: said},
		"00000002": {TLP: exchange.TLPGreen, Markings: nowhere + " " + other, Says: said, Held: true},
		"00000003": {Markings: nowhere, Fields: []exchange.FieldHandling{
			{Selectors: []string{"pattern"}, Handling: exchange.Handling{TLP: exchange.TLPGreen, PAP: exchange.PAPRed, Statement: "ask first"}},
		}},
		"00000004": {},
	}
	if d := cmp.Diff(classes, h.classes()); d != "" {
		t.Error(d)
	}
	q, _ = h.room.Held(t.Context(), operator, program)
	if len(q.Held) != 1 || q.Held[0].Ref != other || len(q.Resolved) != 1 || q.Resolved[0].Reason != reason || q.Resolved[0].By != operator.Person {
		t.Errorf("%+v", q)
	}
	if n := h.count(`SELECT COUNT(*) FROM event WHERE kind = 'marking.resolve'`); n != 1 {
		t.Errorf("%d events", n)
	}

	// Later submissions are taken so at once; the marking that is open goes on holding.
	later := h.mustSubmit(submission.Input{Handling: amber, Filename: "later"}, bundle(marked("00000005", nowhere), marked("00000006", other)))
	if later.Held != 1 || !cmp.Equal(h.classes()["00000005"], classes["00000001"]) {
		t.Errorf("later: %d held, %+v", later.Held, h.classes()["00000005"])
	}
	if _, err := h.room.ResolveMarking(t.Context(), operator, program, other, exchange.Handling{TLP: exchange.TLPRed}, reason); err != nil {
		t.Fatal(err)
	}
	if c := h.classes(); c["00000002"].Held || c["00000002"].TLP != exchange.TLPRed || c["00000006"].TLP != exchange.TLPRed {
		t.Errorf("%+v", c)
	}
}

func TestResolveRefused(t *testing.T) {
	h := newHouse(t)
	h.named()
	program := testkit.Charter().ID
	h.mustSubmit(submission.Input{Handling: amber}, bundle(marked("00000001", nowhere)))
	green := exchange.Handling{TLP: exchange.TLPGreen}
	before := h.stored()
	for name, c := range map[string]struct {
		actor  exchange.Actor
		id     exchange.ProgramID
		ref    string
		h      exchange.Handling
		reason string
		kind   exchange.Kind
	}{
		"a member":             {member, program, nowhere, green, reason, exchange.NotFound},
		"nobody":               {exchange.Actor{}, program, nowhere, green, reason, exchange.NotFound},
		"an approver":          {approver, program, nowhere, green, reason, exchange.Denied},
		"another program":      {operator, "other", nowhere, green, reason, exchange.NotFound},
		"no marking":           {operator, program, "identity--1", green, reason, exchange.Invalid},
		"no label":             {operator, program, nowhere, exchange.Handling{}, reason, exchange.Invalid},
		"no reason":            {operator, program, nowhere, green, " ", exchange.Invalid},
		"a long reason":        {operator, program, nowhere, green, strings.Repeat("r", 1001), exchange.Invalid},
		"an unknown exclusion": {operator, program, nowhere, exchange.Handling{TLP: exchange.TLPGreen, NotOrgs: []exchange.OrgID{"x"}}, reason, exchange.Invalid},
	} {
		_, err := h.room.ResolveMarking(t.Context(), c.actor, c.id, c.ref, c.h, c.reason)
		if exchange.KindOf(err) != c.kind {
			t.Errorf("%s: %s, want %q", name, describe(err), c.kind)
		}
	}
	if _, err := h.room.Held(t.Context(), member, program); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("a member asks for what is held: %s", describe(err))
	}
	if d := cmp.Diff(before, h.stored()); d != "" || !h.classes()["00000001"].Held {
		t.Errorf("something was changed\n%s", d)
	}
	if _, err := h.room.ResolveMarking(t.Context(), operator, program, nowhere, green, reason); err != nil {
		t.Fatal(err)
	}
	_, err := h.room.ResolveMarking(t.Context(), operator, program, nowhere, amber, reason)
	wantKind(t, err, exchange.Conflict)
}

// The names in a marking are held against the register and the charter.
func TestNamesInMarkings(t *testing.T) {
	h := newHouse(t, func(c *exchange.Charter) {
		c.Groups = []exchange.SharingGroup{{ID: "trusted", Organisations: []exchange.OrgID{"blue-shield"}}}
	})
	ana := h.named()
	h.mustSubmit(submission.Input{Handling: amber}, bundle(
		marked("00000001", ours), own(ours, `"tlp":"TLP:RED","organisations":["nobody-yet"],"groups":["trusted"],"persons":["ANA@blue-shield"],"not_organisations":["red-sword"],"not_cohorts":["early"],"not_in":["xa"]`),
		marked("00000002", other), own(other, `"not_organisations":["red-swrod"]`),
		marked("00000003", nowhere), own(nowhere, `"groups":["trusted","strangers"]`),
	))
	got := h.classes()
	want := handled{TLP: exchange.TLPRed, Markings: ours, Says: exchange.Handling{
		Organisations: []exchange.OrgID{"nobody-yet"}, Groups: []exchange.GroupID{"trusted"}, Persons: []exchange.PersonID{ana.ID},
		NotOrgs: []exchange.OrgID{"red-sword"}, NotCohorts: []exchange.CohortID{"early"}, NotIn: []string{"XA"},
	}}
	if d := cmp.Diff(want, got["00000001"]); d != "" {
		t.Error(d)
	}
	if !got["00000002"].Held || !got["00000003"].Held {
		t.Errorf("names that nobody bears are taken: %+v, %+v", got["00000002"], got["00000003"])
	}
}

// Vector (m): an IEP that ended yesterday keeps its label.
func TestEndedIEP(t *testing.T) {
	h := newHouse(t)
	iep := func(id, end string) string {
		return `{"type":"marking-definition","spec_version":"2.1","id":"` + id + `","created":"2027-01-01T00:00:00.000Z","extensions":{` +
			`"extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a":{"extension_type":"property-extension","iep_id":"p","iep_version":"2.0",` +
			`"tlp":"amber","permitted_actions":"none","end_date":"` + end + `"}}}`
	}
	h.mustSubmit(submission.Input{Handling: exchange.Handling{TLP: exchange.TLPGreen, PAP: exchange.PAPGreen}}, bundle(
		marked("00000001", ours), iep(ours, testkit.Start.AddDate(0, 0, -1).Format(time.RFC3339)),
		marked("00000002", other), iep(other, testkit.Start.AddDate(0, 0, 1).Format(time.RFC3339)),
	))
	got := h.classes()
	if a, b := got["00000001"], got["00000002"]; a.TLP != exchange.TLPAmber || a.Says.Actions != exchange.ActionsUnset || b.TLP != exchange.TLPAmber || b.Says.Actions != exchange.ActionsNone {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// RED without persons is for nobody but who runs the program: no person is made up.
func TestRedObject(t *testing.T) {
	h := newHouse(t)
	h.mustSubmit(submission.Input{Handling: amber}, bundle(marked("00000001", stixtest.MarkingID(exchange.TLPRed))))
	if c := h.classes()["00000001"]; c.TLP != exchange.TLPRed || len(c.Says.Persons) != 0 {
		t.Errorf("%+v", c)
	}
}

// Every field of a handling is checked at its place, and kept.
func TestHandlingFields(t *testing.T) {
	h := newHouse(t, func(c *exchange.Charter) { c.Groups = []exchange.SharingGroup{{ID: "trusted"}} })
	h.named()
	full := exchange.Handling{
		TLP: exchange.TLPAmber, PAP: exchange.PAPAmber, Groups: []exchange.GroupID{" trusted "}, Sectors: []string{"energy", "energy"},
		Purposes: []string{"defence"}, NotCohorts: []exchange.CohortID{"early"}, NotHats: []string{"regulator"},
		From: testkit.Start.Add(time.Hour), Expires: testkit.Start.Add(2 * time.Hour), Actions: exchange.ActionsInternal, Encrypt: exchange.DutyStrict,
		Notify: exchange.DutyStrict, Resale: exchange.DutyMay, Attribution: exchange.AttributionMustNot, References: []string{"iep:x"},
	}
	r := h.mustSubmit(submission.Input{Handling: full}, bundle(object("00000001", "")))
	full.Groups, full.Sectors = []exchange.GroupID{"trusted"}, []string{"energy"}
	h.update(func(tx *sqlstore.Tx) error {
		a, err := tx.Artifact(r.Artifact.ID)
		full.NotIn = testkit.Charter().Handling.NotIn
		if d := cmp.Diff(full.Join(exchange.Handling{}), a.Handling.Join(exchange.Handling{})); d != "" {
			t.Error(d)
		}
		return err
	})
	_, err := h.submit(submission.Input{Handling: full}, bundle(object("00000001", "")))
	if err != nil {
		t.Errorf("the same again: %v", describe(err))
	}
	full.Purposes = nil
	_, err = h.submit(submission.Input{Handling: full}, bundle(object("00000001", "")))
	wantKind(t, err, exchange.Conflict)

	for path, bad := range map[string]exchange.Handling{
		"handling.groups[0]":      {Groups: []exchange.GroupID{"x"}},
		"handling.sectors[0]":     {Sectors: []string{" "}},
		"handling.purposes[0]":    {Purposes: []string{"-"}},
		"handling.not_cohorts[0]": {NotCohorts: []exchange.CohortID{"x"}},
		"handling.not_hats[0]":    {NotHats: []string{"a\nb"}},
		"handling.from":           {From: testkit.Start.Add(time.Hour), Expires: testkit.Start.Add(time.Hour)},
		"handling.attribution":    {Attribution: exchange.AttributionConflict},
		"handling.tlp":            {TLP: exchange.TLPClear, Sectors: []string{"energy"}},
	} {
		_, err := h.submit(submission.Input{Handling: bad, Filename: "bad"}, bundle(object("00000002", "")))
		if e, ok := err.(*exchange.Error); !ok || len(e.Problems) != 1 || e.Problems[0].Path != path {
			t.Errorf("%s: %s", path, describe(err))
		}
	}
}
