package acceptance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/basis"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func on(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// AT-38: a share stores its legal basis as known at that moment; what is known
// later is a second dated line, and the first one does not change. The periods
// are those of the United States' Cybersecurity Information Sharing Act of 2015;
// the retroactive extension is made up.
func TestAT38LegalBasis(t *testing.T) {
	w := servertest.New(t)
	w.Clock.Set(on(2025, time.September, 1))
	ctx := t.Context()
	c := testkit.Charter()
	c.LegalBasis = []exchange.BasisID{"cisa-2015"}
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early"}, To: []exchange.CohortID{"early"}}
	if _, err := w.X.Programs.Apply(ctx, w.Operator, c.TOML(), false); exchange.KindOf(err) != exchange.Invalid {
		t.Fatalf("a charter that names an unknown basis: %v", err)
	}
	add := func(l basis.Line) basis.Line {
		t.Helper()
		l.Basis, l.Source = "cisa-2015", "a register of laws"
		got, err := w.X.Bases.Add(ctx, w.Operator, l)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	add(basis.Line{
		Jurisdiction: "US", Instrument: "6 U.S.C. 1501-1533", InForce: true, From: on(2015, time.December, 18), To: on(2025, time.October, 1),
		KnownFrom: on(2015, time.December, 18), Conditions: "personal information that is not directly related is removed before sharing",
	})
	if _, err := w.X.Programs.Apply(ctx, w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}

	w.Clock.Set(on(2025, time.October, 15))
	now, err := w.X.Bases.Check(ctx, w.Reader(servertest.EarlyA), testkit.Program)
	if err != nil || len(now) != 1 || now[0].InForce || !strings.Contains(now[0].Warning(), "cisa-2015 is not in force as known on 15 October 2025: the last period that is known ended on 1 October 2025") {
		t.Fatalf("before sending on 15 October 2025: %+v, %v", now, err)
	}
	r := w.Draft("Advisory", on(2027, time.July, 15))
	october := w.Submit(r.ID, "summary", "october.md", strings.NewReader("# October\n"))

	w.Clock.Set(on(2025, time.November, 12))
	add(basis.Line{InForce: true, From: on(2025, time.November, 12), To: on(2026, time.January, 31)})
	w.Clock.Set(on(2025, time.November, 20))
	november := w.Submit(r.ID, "summary", "november.md", strings.NewReader("# November\n"))

	writer := w.Machine(servertest.EarlyA)
	writer.Verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
	var bundle bytes.Buffer
	if err := stixtest.Bundle(&bundle, 3, 1, stixtest.Options{}); err != nil {
		t.Fatal(err)
	}
	if st, err := w.X.Contributions.Add(ctx, writer, testkit.Program, &bundle); err != nil || st.Success != 3 {
		t.Fatal(st, err)
	}

	shares := func(a exchange.Actor, id exchange.ArtifactID) []basis.Share {
		t.Helper()
		got, err := w.X.Bases.SharesOf(ctx, a, id, 0, 0)
		if err != nil || len(got) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		return got
	}
	first := shares(w.Operator, october.ID)
	if s := first[0].Standing; s.InForce || s.Line.Jurisdiction != "US" || !s.At.Equal(on(2025, time.October, 15)) || len(first[0].Later) != 0 {
		t.Errorf("the share of October was kept as %+v", first[0])
	}
	accepted := shares(w.Operator, november.ID)
	if s := accepted[0].Standing; !s.InForce || s.Warning() != "" || !s.Line.From.Equal(on(2025, time.November, 12)) {
		t.Errorf("the share of November was kept as %+v", s)
	}
	wrote, err := w.X.Bases.Shares(ctx, writer, testkit.Program, servertest.EarlyA, 0, 0)
	if err != nil || len(wrote) != 1 || !wrote[0].Standing.InForce || wrote[0].Org != servertest.EarlyA {
		t.Fatalf("what a member wrote was kept as %+v, %v", wrote, err)
	}
	journal := wrote[0].Artifact

	// The law is extended for the time between, and that becomes known later.
	kept := w.Dump()["legal_share"]
	w.Clock.Set(on(2025, time.December, 1))
	extension := add(basis.Line{InForce: true, From: on(2025, time.October, 1), To: on(2025, time.November, 12)})
	again := shares(w.Auditor, october.ID)
	want := first[0]
	want.Later = []basis.Line{extension}
	if diff := cmp.Diff([]basis.Share{want}, again); diff != "" {
		t.Errorf("the share of October after the extension (-want +got)\n%s", diff)
	}
	if !again[0].Later[0].KnownFrom.Equal(on(2025, time.December, 1)) || !again[0].Later[0].InForce {
		t.Errorf("the second line is %+v", again[0].Later[0])
	}
	if diff := cmp.Diff(accepted, shares(w.Operator, november.ID)); diff != "" {
		t.Errorf("the share of November changed\n%s", diff)
	}
	if diff := cmp.Diff(kept, w.Dump()["legal_share"]); diff != "" {
		t.Errorf("what was kept was written again\n%s", diff)
	}
	// The same line twice is one line.
	if same := add(basis.Line{InForce: true, From: on(2025, time.October, 1), To: on(2025, time.November, 12)}); same.Number != extension.Number {
		t.Errorf("the extension stands there twice: %d, %d", same.Number, extension.Number)
	}

	// Nobody else learns of the lines, nor by them of the artifact.
	for _, a := range []exchange.Actor{w.Reader(servertest.EarlyB), w.Reader(servertest.Outsider), exchange.Public()} {
		for _, id := range []exchange.ArtifactID{october.ID, journal, "art_aaaaaaaaaaaaaaaa"} {
			if got, err := w.X.Bases.SharesOf(ctx, a, id, 0, 0); got != nil || err == nil || err.Error() != exchange.Missing().Error() {
				t.Errorf("%s of %s: %+v, %v", a.Org, id, got, err)
			}
		}
	}
	for _, org := range []exchange.OrgID{servertest.EarlyA, testkit.Owner, "nobody"} {
		if got, err := w.X.Bases.Shares(ctx, w.Reader(servertest.EarlyB), testkit.Program, org, 0, 0); got != nil || exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("shares of %s: %+v, %v", org, got, err)
		}
	}
	for _, a := range []exchange.Actor{w.Reader(servertest.Outsider), exchange.Public()} {
		if got, err := w.X.Bases.Check(ctx, a, testkit.Program); got != nil || exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("%s checks: %+v, %v", a.Org, got, err)
		}
	}
	for _, a := range []exchange.Actor{w.Reader(servertest.EarlyA), w.Auditor, exchange.Public()} {
		if _, err := w.X.Bases.Add(ctx, a, basis.Line{Basis: "mine", Jurisdiction: "US", Instrument: "i", Source: "s", From: on(2025, 1, 1)}); exchange.KindOf(err) != exchange.Denied {
			t.Errorf("%s adds: %v", a.Org, err)
		}
	}
}

// The receipt of the API carries the lines and the warning.
func TestAT38Receipt(t *testing.T) {
	w := servertest.New(t)
	c := testkit.Charter()
	c.LegalBasis = []exchange.BasisID{"old-law"}
	if _, err := w.X.Bases.Add(t.Context(), w.Admin, basis.Line{
		Basis: "old-law", Jurisdiction: "US", Instrument: "An act", InForce: true, From: on(2000, 1, 1), To: on(2020, 1, 1), Source: "s",
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}
	r := w.Draft("Advisory", w.Clock.Now().AddDate(0, 1, 0))
	url := w.Serve()
	secret := w.Token(testkit.Owner, exchange.VerbRead, exchange.VerbSubmit, exchange.VerbOperate)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v1/releases/"+string(r.ID)+"/artifacts?class=summary&filename=a.md", strings.NewReader("# A\n"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Idempotency-Key", "one")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var receipt struct {
		Bases []struct {
			Kept struct {
				Warning string `json:"warning"`
				InForce bool   `json:"in_force"`
			} `json:"kept"`
		} `json:"legal_basis"`
	}
	if err := json.NewDecoder(res.Body).Decode(&receipt); err != nil || res.StatusCode != http.StatusCreated {
		t.Fatal(res.Status, err)
	}
	if len(receipt.Bases) != 1 || receipt.Bases[0].Kept.InForce || !strings.Contains(receipt.Bases[0].Kept.Warning, "old-law is not in force") {
		t.Errorf("receipt %+v", receipt)
	}
}
