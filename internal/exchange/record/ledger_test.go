package record_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

func missing(err error) bool { return err != nil && err.Error() == exchange.Missing().Error() }

// own stages artifacts of members; a derived one has two originators.
func own(t *testing.T, w *servertest.World) (of map[string]exchange.ArtifactID) {
	t.Helper()
	r := w.Draft("Of members", testkit.Start.AddDate(0, 1, 0))
	of = map[string]exchange.ArtifactID{"a": "art_edr_a", "std": "art_av_a", "both": "art_derived", "owner": "art_owner"}
	err := w.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
		for i, a := range []exchange.Artifact{
			{ID: of["a"], Originator: servertest.EarlyA},
			{ID: of["std"], Originator: servertest.Standard},
			{ID: of["both"], Originator: testkit.Owner, Originators: []exchange.OrgID{servertest.Standard, servertest.EarlyA}},
			{ID: of["owner"], Originator: testkit.Owner},
		} {
			a.Release, a.Program, a.Class, a.Kind = r.ID, testkit.Program, exchange.PoC, exchange.ArtifactFile
			a.Filename, a.SHA256, a.SubmittedAt = fmt.Sprint(i), fmt.Sprint(i), testkit.Start
			n, err := tx.StageArtifact(a)
			if err != nil {
				return err
			}
			a.Number = n
			if err := tx.ReadyArtifact(a); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return of
}

// act records an event by the reader of an organisation, with all that an event can
// hold, and answers its number.
func act(t *testing.T, w *servertest.World, kind exchange.EventKind, org exchange.OrgID, subject ...exchange.ArtifactID) (seq int64) {
	t.Helper()
	a := w.Machine(org)
	a.Name = "machine-name"
	e := exchange.Event{
		Kind: kind, Actor: a, Program: testkit.Program, Release: "rel_secret",
		Detail: exchange.Detail{
			"objects_root": "the-root", "objects_salt": "the-salt", "charter": 1, "charter_digest": "the-digest", "handling": []string{"7 amber"}, "reason": "a reason",
		},
	}
	for _, s := range subject {
		e.Subject = append(e.Subject, string(s))
	}
	err := w.DB.Update(t.Context(), func(tx *sqlstore.Tx) (err error) {
		seq, err = tx.Record(e)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// Each kind of actor asks for the receipt of each kind of act. Who is no party gets
// the answer to a number that nobody has; an originator is shown a disclosure of its
// own, and nothing of what belongs to others.
func TestWhoIsAPartyToWhichEntry(t *testing.T) {
	w := servertest.New(t)
	of := own(t, w)
	if _, err := w.X.Members.HideMember(t.Context(), w.Operator, testkit.Program, servertest.Late, true); err != nil {
		t.Fatal(err)
	}
	analyst := func(org exchange.OrgID, roles ...exchange.Role) exchange.Actor {
		return testkit.Actor(testkit.Person(org, "somebody", roles...))
	}
	scoped := w.Reader(servertest.EarlyB)
	scoped.Program = "another"
	submits := w.Reader(servertest.EarlyB)
	submits.Token, submits.Verbs = "fw_s", []exchange.Verb{exchange.VerbSubmit}
	capped := w.Operator
	capped.Ceiling = exchange.TLPGreen
	const whole, partial, none = "whole", "partial", "none"
	actors := []struct {
		name             string
		actor            exchange.Actor
		disclosed, acted string // of an act by EarlyB
	}{
		{"operator", w.Operator, whole, whole},
		{"approver", w.ApproverA, whole, whole},
		{"auditor", w.Auditor, whole, whole},
		{"the host", exchange.System(), whole, whole},
		{"who acted", w.Reader(servertest.EarlyB), whole, whole},
		{"their colleague", analyst(servertest.EarlyB, exchange.RoleAnalyst), whole, whole},
		{"originator", w.Reader(servertest.EarlyA), partial, none},
		{"originator's machine", w.Machine(servertest.EarlyA), partial, none},
		{"other originator", w.Reader(servertest.Standard), partial, none},
		{"owner's analyst", analyst(testkit.Owner, exchange.RoleAnalyst), none, none},
		{"administrator", w.Admin, none, none},
		{"another member", w.Reader(servertest.Validator), none, none},
		{"a hidden member", w.Reader(servertest.Late), none, none},
		{"a member that has not accepted", w.Reader(servertest.Unsigned), none, none},
		{"no member", w.Reader(servertest.Outsider), none, none},
		{"a token for another program", scoped, none, none},
		{"a token that only submits", submits, none, none},
		{"an operator's capped token", capped, none, none},
		{"nobody", exchange.Public(), none, none},
	}
	for _, kind := range append(record.Kinds(), "not.yet.known") {
		seq := act(t, w, kind, servertest.EarlyB, of["owner"], of["a"], of["std"], of["both"])
		hidden := act(t, w, kind, servertest.Late, of["a"], of["std"])
		disclosed := slices.Contains(record.Disclosures(), kind)
		for _, tt := range actors {
			want := tt.acted
			if disclosed {
				want = tt.disclosed
			}
			r, err := w.X.Record.Receipt(t.Context(), tt.actor, seq)
			if want == none {
				_, unknown := w.X.Record.Receipt(t.Context(), tt.actor, 1_000_000)
				if !missing(err) || !missing(unknown) {
					t.Fatalf("%s, %s: %v; an unknown number: %v", tt.name, kind, err, unknown)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s, %s: %v", tt.name, kind, err)
			}
			sound(t, w, r, seq)
			text := opened(t, r)
			e, err := w.X.Record.ReadEntry(t.Context(), tt.actor, seq)
			if err != nil || e.Whole != (want == whole) || (r.Opening.Event != nil) != e.Whole {
				t.Fatalf("%s, %s: %+v, %v", tt.name, kind, e, err)
			}
			listed := fmt.Sprintf("%+v", e)
			if want == whole {
				holds(t, tt.name, text, "the-salt", "fw_edr-b", string(of["std"]))
				continue
			}
			mine, other := of["a"], of["std"]
			if tt.actor.Org == servertest.Standard {
				mine, other = other, mine
			}
			holds(t, tt.name, text, string(mine), string(of["both"]), "the-root", "the-digest", `"edr-b"`, "taxii", "rel_secret")
			lacks(t, tt.name, text, string(other), string(of["owner"]), "the-salt", "fw_", "per_", "a reason", "amber", `"number"`)
			lacks(t, tt.name, listed, string(other), string(of["owner"]), "fw_", "per_", "machine-name")

			// What a hidden member was given: that, and when; not who it is.
			r, err = w.X.Record.Receipt(t.Context(), tt.actor, hidden)
			if err != nil {
				t.Fatalf("%s, %s by a hidden member: %v", tt.name, kind, err)
			}
			sound(t, w, r, hidden)
			e, err = w.X.Record.ReadEntry(t.Context(), tt.actor, hidden)
			for _, text := range []string{opened(t, r), fmt.Sprintf("%+v", e)} {
				holds(t, tt.name, text, string(mine))
				lacks(t, tt.name, text, string(servertest.Late), "fw_", "per_", string(other))
			}
			if err != nil || e.Org != "" || e.OrgName != "" || e.ActorOrg != "" {
				t.Errorf("%s: %+v, %v", tt.name, e, err)
			}
		}
	}
}

func opened(t *testing.T, r verify.Receipt) string {
	t.Helper()
	b, err := r.Opening.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func holds(t *testing.T, who, text string, all ...string) {
	t.Helper()
	for _, s := range all {
		if !strings.Contains(text, s) {
			t.Errorf("%s is not shown %q: %s", who, s, text)
		}
	}
}

func lacks(t *testing.T, who, text string, all ...string) {
	t.Helper()
	for _, s := range all {
		if strings.Contains(text, s) {
			t.Errorf("%s is shown %q: %s", who, s, text)
		}
	}
}

// sound verifies a receipt as anybody would: from its bytes, with the key alone.
func sound(t *testing.T, w *servertest.World, r verify.Receipt, seq int64) {
	t.Helper()
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if r, err = verify.ParseReceipt(b); err != nil {
		t.Fatal(err)
	}
	h, err := w.X.Record.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Verify(h.Keys, nil)
	if err != nil || r.Index != seq-1 || s.Origin != h.Origin {
		t.Fatalf("entry %d: index %d of %s: %v", seq, r.Index, s.Origin, err)
	}
	most := 1536
	if r.Opening.Event == nil { // beside each part its salt, and the commitments to the others
		most = 3072
	}
	if len(b) > most {
		t.Errorf("the receipt of entry %d has %d bytes", seq, len(b))
	}
}

// Nobody finds by a filter what they are not shown, and every list is complete: it is
// what ReadEntry answers number by number.
func TestEntriesAreThoseThatAreShown(t *testing.T) {
	w := servertest.New(t)
	of := own(t, w)
	if _, err := w.X.Members.HideMember(t.Context(), w.Operator, testkit.Program, servertest.Late, true); err != nil {
		t.Fatal(err)
	}
	kinds := []exchange.EventKind{
		exchange.EventPageServed, exchange.EventArtifactOpened, exchange.EventReleaseApproved, exchange.EventObjectServed, exchange.EventFeedback,
	}
	for i := range 60 {
		w.Clock.Advance(time.Minute)
		org := []exchange.OrgID{servertest.EarlyB, servertest.Late, servertest.EarlyA, servertest.Validator}[i%4]
		act(t, w, kinds[i%5], org, [][]exchange.ArtifactID{{of["a"]}, {of["std"], of["both"]}, {of["owner"]}}[i%3]...)
	}
	err := w.DB.Update(t.Context(), func(tx *sqlstore.Tx) error { // an act that concerns another
		_, err := tx.Record(exchange.Event{
			Kind: exchange.EventReshareAnswered, Actor: w.Reader(servertest.EarlyA), Program: testkit.Program, Org: servertest.EarlyB,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	last := w.Clock.Now()
	head, err := w.X.Record.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	filters := map[string]record.EntryFilter{
		"all":                 {},
		"the program":         {Program: testkit.Program},
		"another program":     {Program: "another"},
		"a kind":              {Kinds: []exchange.EventKind{exchange.EventFeedback}},
		"kinds":               {Program: testkit.Program, Kinds: []exchange.EventKind{exchange.EventPageServed, exchange.EventReleaseApproved}},
		"an organisation":     {Program: testkit.Program, Org: servertest.EarlyB},
		"a hidden one":        {Program: testkit.Program, Org: servertest.Late},
		"the originator":      {Org: servertest.EarlyA},
		"a person":            {Program: testkit.Program, Person: w.Reader(servertest.EarlyB).Person},
		"a subject":           {Subject: string(of["a"])},
		"another's subject":   {Program: testkit.Program, Subject: string(of["std"])},
		"the owner's subject": {Program: testkit.Program, Subject: string(of["owner"]), Kinds: []exchange.EventKind{exchange.EventPageServed}},
		"a release":           {Release: "rel_secret"},
		"a time":              {Program: testkit.Program, From: last.Add(-20 * time.Minute), To: last.Add(-5 * time.Minute)},
		"a time without":      {From: last.Add(time.Hour)},
		"below":               {Program: testkit.Program, Before: head.Size - 10},
	}
	for who, actor := range map[string]exchange.Actor{
		"operator": w.Operator, "auditor": w.Auditor, "host": exchange.System(), "administrator": w.Admin,
		"recipient": w.Reader(servertest.EarlyB), "originator": w.Reader(servertest.EarlyA), "other originator": w.Machine(servertest.Standard),
		"hidden": w.Reader(servertest.Late), "member": w.Reader(servertest.Validator), "no member": w.Reader(servertest.Outsider),
	} {
		shown := map[int64]record.LedgerEntry{}
		for seq := int64(1); seq <= head.Size; seq++ {
			e, err := w.X.Record.ReadEntry(t.Context(), actor, seq)
			if err != nil && !missing(err) {
				t.Fatal(err)
			}
			if err == nil {
				shown[seq] = e
			}
		}
		for name, f := range filters {
			var want []int64
			for seq := head.Size; seq > 0; seq-- {
				e, ok := shown[seq]
				if ok && asked(f, e) {
					want = append(want, seq)
				}
			}
			for _, limit := range []int{0, 1, 7} {
				var got []int64
				ask := f
				for ask.Limit = limit; ; ask.Before = got[len(got)-1] {
					page, err := w.X.Record.Entries(t.Context(), actor, ask)
					if err != nil {
						t.Fatal(err)
					}
					for _, e := range page {
						got = append(got, e.Seq)
						if fmt.Sprintf("%+v", e) != fmt.Sprintf("%+v", shown[e.Seq]) {
							t.Errorf("%s, %s: entry %d is shown as %+v, and by itself as %+v", who, name, e.Seq, e, shown[e.Seq])
						}
					}
					if len(page) == 0 {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, %s, by %d: %d, want %d", who, name, limit, got, want)
				}
			}
		}
	}
	if got, err := w.X.Record.Entries(t.Context(), exchange.Public(), record.EntryFilter{}); !missing(err) {
		t.Errorf("nobody: %v, %v", got, err)
	}
}

// asked reports whether a filter asks for the entry as it is shown.
func asked(f record.EntryFilter, e record.LedgerEntry) bool {
	return (f.Program == "" || e.Program == f.Program) && (f.Release == "" || e.Release == f.Release) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind)) &&
		(f.Org == "" || e.Org == f.Org || e.ActorOrg == f.Org) && (f.Person == "" || e.Person == f.Person) &&
		(f.Subject == "" || slices.Contains(e.Subjects, f.Subject)) &&
		(f.From.IsZero() || !e.At.Before(f.From)) && (f.To.IsZero() || e.At.Before(f.To)) && (f.Before == 0 || e.Seq < f.Before)
}

// A page is given; its objects are proved to the reader, and to the originator.
func TestObjectsAreProved(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("One", testkit.Start.AddDate(0, 1, 0))
	w.Package(r.ID, 5)
	w.Arm(r.ID)
	w.Clock.Set(testkit.Start.AddDate(0, 2, 0))
	reader := w.Machine(servertest.EarlyA)
	p, err := w.X.Delivery.Page(t.Context(), reader, testkit.Program, delivery.Query{Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	all, _, err := w.X.Delivery.Manifest(t.Context(), reader, testkit.Program, delivery.Query{Limit: 3})
	if err != nil || len(all) != len(p.Entries) {
		t.Fatal(all, err)
	}
	page, err := w.X.Record.Entries(t.Context(), reader, record.EntryFilter{Kinds: []exchange.EventKind{exchange.EventPageServed}})
	if err != nil || len(page) != 2 { // the newest is the manifest
		t.Fatal(page, err)
	}
	seq := page[1].Seq
	receipt, err := w.X.Record.Receipt(t.Context(), reader, seq)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, w, receipt, seq)
	for _, a := range []exchange.Actor{reader, w.Operator, w.Auditor} {
		for _, e := range all {
			proof, err := w.X.Record.ObjectProof(t.Context(), a, seq, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if err := proof.Verify(root(t, receipt)); err != nil {
				t.Errorf("%s: %v", e.ID, err)
			}
		}
		if _, err := w.X.Record.ObjectProof(t.Context(), a, seq, "indicator--00000000-0000-4000-8000-000000000000"); !missing(err) {
			t.Error(err)
		}
	}
	for name, a := range map[string]exchange.Actor{"member": w.Reader(servertest.EarlyB), "nobody": exchange.Public(), "stranger": w.Reader(servertest.Outsider)} {
		if _, err := w.X.Record.ObjectProof(t.Context(), a, seq, all[0].ID); !missing(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// root is the root over its objects that the event of a receipt states.
func root(t *testing.T, r verify.Receipt) (root tlog.Hash) {
	t.Helper()
	var text string
	if err := json.Unmarshal(r.Opening.Member("d_objects_root"), &text); err != nil {
		t.Fatal(err)
	}
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(b) != len(root) {
		t.Fatal(text, err)
	}
	return tlog.Hash(b)
}

// An opening is erased: the entry stays, the log verifies, and a receipt that was
// given before does, too. Nobody is shown the event again.
func TestErasedOpeningsLeaveTheLogAsItIs(t *testing.T) {
	w := servertest.New(t)
	of := own(t, w)
	seq := act(t, w, exchange.EventArtifactOpened, servertest.EarlyB, of["a"])
	recipient, originator := w.Reader(servertest.EarlyB), w.Reader(servertest.EarlyA)
	before, err := w.X.Record.Receipt(t.Context(), recipient, seq)
	if err != nil {
		t.Fatal(err)
	}
	partly, err := w.X.Record.Receipt(t.Context(), originator, seq)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		actor  exchange.Actor
		seq    int64
		reason string
		kind   exchange.Kind
	}{
		"who acted": {recipient, seq, "mine", exchange.Denied}, "the originator": {originator, seq, "mine", exchange.Denied},
		"auditor": {w.Auditor, seq, "mine", exchange.Denied}, "a member": {w.Reader(servertest.Validator), seq, "mine", exchange.NotFound},
		"no reason": {w.Operator, seq, " ", exchange.Invalid}, "no such entry": {w.Operator, 1 << 40, "mine", exchange.NotFound},
		"administrator": {w.Admin, seq, "mine", exchange.NotFound},
	} {
		if err := w.X.Record.EraseOpening(t.Context(), tt.actor, tt.seq, tt.reason); exchange.KindOf(err) != tt.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.X.Record.EraseOpening(t.Context(), w.Operator, seq, "a court said so"); err != nil {
		t.Fatal(err)
	}
	sound(t, w, before, seq)
	sound(t, w, partly, seq)
	if err := w.X.Record.EraseOpening(t.Context(), w.Operator, seq, "again"); exchange.KindOf(err) != exchange.Conflict {
		t.Error(err)
	}
	for name, a := range map[string]exchange.Actor{"operator": w.Operator, "recipient": recipient} {
		r, err := w.X.Record.Receipt(t.Context(), a, seq)
		if err != nil {
			t.Fatal(err)
		}
		sound(t, w, r, seq)
		lacks(t, name, opened(t, r), "fw_", "per_", "edr-b", string(of["a"]), "reason")
		holds(t, name, opened(t, r), string(exchange.EventArtifactOpened), `"number"`)
		e, err := w.X.Record.ReadEntry(t.Context(), a, seq)
		if err != nil || !e.Erased || e.Person != "" || e.Token != "" || len(e.Subjects) > 0 {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	if _, err := w.X.Record.Receipt(t.Context(), originator, seq); !missing(err) {
		t.Error(err)
	}
	erased, err := w.X.Record.Entries(t.Context(), w.Operator, record.EntryFilter{Program: testkit.Program, Kinds: []exchange.EventKind{exchange.EventOpeningErased}})
	if err != nil || len(erased) != 1 || erased[0].Subjects[0] != fmt.Sprintf("entry %d", seq) {
		t.Errorf("%+v, %v", erased, err)
	}
	if err := w.X.Record.EraseOpening(t.Context(), w.Operator, erased[0].Seq, "hide it"); exchange.KindOf(err) != exchange.Conflict {
		t.Error(err)
	}
	if got, err := w.X.Record.Entries(t.Context(), w.Operator, record.EntryFilter{Program: testkit.Program, Subject: string(of["a"])}); err != nil || len(got) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
	bundle(t, w, record.BundleRequest{Program: testkit.Program})
}

// bundle makes an evidence bundle and verifies it.
func bundle(t *testing.T, w *servertest.World, r record.BundleRequest) verify.BundleReport {
	t.Helper()
	var b bytes.Buffer
	if err := w.X.Record.Bundle(t.Context(), w.Auditor, r, &b); err != nil {
		t.Fatal(err)
	}
	h, err := w.X.Record.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, err := verify.VerifyBundle(bytes.NewReader(b.Bytes()), h.Keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// Every act has words.
func TestEveryActHasWords(t *testing.T) {
	source, err := os.ReadFile("../event.go")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^\tEvent\w+\s+EventKind = "([a-z.]+)"`).FindAllSubmatch(source, -1)
	if len(all) < 70 {
		t.Fatalf("%d kinds of events were found", len(all))
	}
	for _, m := range all {
		if !slices.Contains(record.Kinds(), exchange.EventKind(m[1])) {
			t.Errorf("%s has no words", m[1])
		}
	}
}
