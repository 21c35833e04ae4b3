package record_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

const release exchange.ReleaseID = "rel_one"

// world holds a program with one release of three artifacts, and a program of
// another owner.
type world struct {
	clock *testkit.Clock
	db    *sqlstore.DB
	room  *record.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{clock: testkit.NewClock()}
	w.db = storetest.SQLite(t, store.Options{Now: w.clock.Now})
	w.room = record.New(record.Config{Store: sqlstore.For[record.Tx](w.db)})
	testkit.Put(t, sqlstore.For[testkit.Tx](w.db),
		testkit.Organisation(testkit.Owner), testkit.Organisation("other"), testkit.Organisation("alpha"), testkit.Organisation("beta"))
	w.update(t, func(tx *sqlstore.Tx) error {
		for _, owner := range []exchange.OrgID{testkit.Owner, "other"} {
			c := testkit.Charter()
			if owner == "other" {
				c.ID, c.Owner = "foreign", owner
			}
			if err := tx.PutProgram(program.Stored{ID: c.ID, Owner: owner, Charter: c, Revision: 1}); err != nil {
				return err
			}
		}
		for _, r := range []exchange.ReleaseID{release, "rel_two"} {
			err := tx.PutRelease(&exchange.Release{
				ID: r, Program: testkit.Program, Title: "One", State: exchange.ReleaseDraft, Revision: 1,
				CreatedAt: testkit.Start,
			})
			if err != nil {
				return err
			}
		}
		for i, id := range []exchange.ArtifactID{"art_a", "art_b", "art_c"} {
			a := exchange.Artifact{
				ID: id, Release: release, Program: testkit.Program, Class: exchange.PoC, Kind: exchange.ArtifactFile,
				Filename: string(id), SHA256: fmt.Sprint(i), SubmittedAt: testkit.Start,
			}
			n, err := tx.StageArtifact(a)
			if err != nil {
				return err
			}
			if n != int64(i+1) {
				return fmt.Errorf("artifact %s has number %d", id, n)
			}
			a.Number = n
			if err := tx.ReadyArtifact(a); err != nil {
				return err
			}
		}
		return nil
	})
	return w
}

func (w *world) update(t *testing.T, fn func(*sqlstore.Tx) error) {
	t.Helper()
	if err := w.db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// line is one exposure: artifact a, b or c at so many minutes.
func line(artifact string, org exchange.OrgID, client string, kind exchange.ExposureKind, minutes int) exchange.Exposure {
	return exchange.Exposure{
		Artifact: exchange.ArtifactID("art_" + artifact), Number: int64(artifact[0]-'a') + 1, Release: release,
		Org: org, Client: client, Kind: kind, Channel: exchange.ChannelTAXII, At: at(minutes), Event: 1,
	}
}

func at(minutes int) time.Time { return testkit.Start.Add(time.Duration(minutes) * time.Minute) }

func who(org exchange.OrgID, role exchange.Role) exchange.Actor {
	return testkit.Actor(testkit.Person(org, string(role), role))
}

// AT-10: for a case and any instant, who (organisation and client) had which
// artifact and since when.
func TestAT10WhoHadWhichArtifactWhen(t *testing.T) {
	w := newWorld(t)
	lines := []exchange.Exposure{
		line("a", "alpha", "", exchange.ExposureOffered, 1),
		line("a", "alpha", "fw_siem", exchange.ExposureServed, 5),
		line("b", "alpha", "per_ana", exchange.ExposureOpened, 5),
		line("a", "beta", "per_bob", exchange.ExposureDownloaded, 7),
	}
	later := line("a", "alpha", "fw_siem", exchange.ExposureServed, 9) // not the first time
	w.update(t, func(tx *sqlstore.Tx) error { return tx.Expose(append(lines, later)) })

	for _, tt := range []struct {
		name string
		f    record.ExposureFilter
		want []exchange.Exposure
	}{
		{"before anything", record.ExposureFilter{Release: release, Until: at(0)}, nil},
		{"after the offer", record.ExposureFilter{Release: release, Until: at(4)}, lines[:1]},
		{"at the instant itself", record.ExposureFilter{Release: release, Until: at(5)}, lines[:3]},
		{"today", record.ExposureFilter{Release: release}, lines},
		{"one artifact", record.ExposureFilter{Release: release, Artifact: "art_b"}, lines[2:3]},
		{"one organisation", record.ExposureFilter{Release: release, Org: "beta"}, lines[3:]},
		{"one kind", record.ExposureFilter{Release: release, Kind: exchange.ExposureServed}, lines[1:2]},
		{"a page", record.ExposureFilter{Release: release, Limit: 2}, lines[:2]},
		{"the next page", record.ExposureFilter{Release: release, Limit: 2, After: record.CursorOf(lines[1])}, lines[2:]},
		{"another release", record.ExposureFilter{Release: "rel_two"}, nil},
	} {
		got, err := w.room.Exposure(t.Context(), who(testkit.Owner, exchange.RoleAuditor), tt.f)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", tt.name, err, diff)
		}
	}
}

func TestExposureIsForOverseersAlone(t *testing.T) {
	w := newWorld(t)
	w.update(t, func(tx *sqlstore.Tx) error {
		return tx.Expose([]exchange.Exposure{line("a", "alpha", "x", exchange.ExposureServed, 1)})
	})
	reader := who(testkit.Owner, exchange.RoleOperator)
	reader.Token, reader.Verbs = "fw_r", []exchange.Verb{exchange.VerbRead}
	elsewhere := who(testkit.Owner, exchange.RoleOperator)
	elsewhere.Program = "another"
	leak := record.Leak{Release: release, Artifacts: []exchange.ArtifactID{"art_a"}, Before: at(9)}
	for name, a := range map[string]exchange.Actor{
		"member": who("alpha", exchange.RoleSignatory), "another owner": who("other", exchange.RoleOperator),
		"administrator": who("registrar", exchange.RoleAdmin), "owner's analyst": who(testkit.Owner, exchange.RoleAnalyst),
		"reading token": reader, "token for another program": elsewhere, "nobody": exchange.Public(),
	} {
		for _, id := range []exchange.ReleaseID{release, "rel_unknown"} {
			got, err := w.room.Exposure(t.Context(), a, record.ExposureFilter{Release: id})
			if len(got) > 0 || err == nil || err.Error() != exchange.Missing().Error() {
				t.Errorf("%s, exposure of %s: %v, %v", name, id, got, err)
			}
			leak.Release = id
			suspects, err := w.room.Suspects(t.Context(), a, leak)
			if len(suspects) > 0 || err == nil || err.Error() != exchange.Missing().Error() {
				t.Errorf("%s, suspects of %s: %v, %v", name, id, suspects, err)
			}
		}
	}
	// No release is named: nothing is answered, also not for overseers.
	if got, err := w.room.Exposure(t.Context(), who(testkit.Owner, exchange.RoleOperator), record.ExposureFilter{}); err == nil {
		t.Errorf("%v", got)
	}
}

// AT-13: a leak of {a, b}, first seen at minute 10, points at exactly those who
// were exposed to both before.
func TestAT13SuspectsAreThoseExposedToAllBefore(t *testing.T) {
	w := newWorld(t)
	w.update(t, func(tx *sqlstore.Tx) error {
		return tx.Expose([]exchange.Exposure{
			line("a", "both", "fw_1", exchange.ExposureServed, 3), // both, by different clients
			line("a", "both", "per_2", exchange.ExposureOpened, 2),
			line("b", "both", "per_2", exchange.ExposureDownloaded, 9),
			line("a", "one-only", "x", exchange.ExposureServed, 1),
			line("c", "one-only", "x", exchange.ExposureServed, 1),
			line("a", "at-the-instant", "x", exchange.ExposureServed, 1),
			line("b", "at-the-instant", "x", exchange.ExposureServed, 10),
			line("a", "too-late", "x", exchange.ExposureServed, 1),
			line("b", "too-late", "x", exchange.ExposureServed, 11),
			line("a", "offered-only", "", exchange.ExposureOffered, 1),
			line("b", "offered-only", "", exchange.ExposureOffered, 1),
			line("a", "said-so", "x", exchange.ExposureAcknowledged, 1),
			line("b", "said-so", "x", exchange.ExposureAcknowledged, 1),
		})
	})
	operator := who(testkit.Owner, exchange.RoleOperator)
	both := record.Suspect{
		Org: "both", Clients: []string{"fw_1", "per_2"},
		First: map[exchange.ArtifactID]time.Time{"art_a": at(2), "art_b": at(9)},
	}
	offered := record.Suspect{
		Org:   "offered-only",
		First: map[exchange.ArtifactID]time.Time{"art_a": at(1), "art_b": at(1)},
	}
	leak := record.Leak{Release: release, Artifacts: []exchange.ArtifactID{"art_a", "art_b", "art_a"}, Before: at(10)}
	got, err := w.room.Suspects(t.Context(), operator, leak)
	if diff := cmp.Diff([]record.Suspect{both}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	leak.Offered = true
	got, err = w.room.Suspects(t.Context(), operator, leak)
	if diff := cmp.Diff([]record.Suspect{both, offered}, got); err != nil || diff != "" {
		t.Errorf("with the offered: %v %s", err, diff)
	}

	for _, bad := range []record.Leak{
		{Release: release, Before: at(1)},
		{Release: release, Artifacts: []exchange.ArtifactID{"art_a"}},
		{Release: release, Artifacts: []exchange.ArtifactID{"art_a", "art_unknown"}, Before: at(1)},
		{Release: "rel_two", Artifacts: []exchange.ArtifactID{"art_a"}, Before: at(1)},
	} {
		if _, err := w.room.Suspects(t.Context(), operator, bad); exchange.KindOf(err) != exchange.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// Each reader sees the events that concern them, and no trace of the others.
func TestWhoSeesWhichEvents(t *testing.T) {
	w := newWorld(t)
	ana, bob := who("alpha", exchange.RoleAnalyst), who("beta", exchange.RoleAnalyst)
	operator := who(testkit.Owner, exchange.RoleOperator)
	events := []exchange.Event{
		{Kind: "1.alpha.served", Actor: ana, Program: testkit.Program, Release: release},
		{Kind: "2.beta.served", Actor: bob, Program: testkit.Program, Release: release},
		{Kind: "3.plan", Actor: operator, Program: testkit.Program, Release: release},
		{Kind: "4.alpha.suspended", Actor: operator, Program: testkit.Program, Org: "alpha"},
		{Kind: "5.foreign.alpha", Actor: ana, Program: "foreign"},
		{Kind: "6.foreign.owner", Actor: who("other", exchange.RoleOperator), Program: "foreign"},
		{Kind: "7.ana.in", Actor: ana},
		{Kind: "8.bob.in", Actor: bob},
		{Kind: "9.owner.served", Actor: operator, Program: "foreign"},
	}
	w.update(t, func(tx *sqlstore.Tx) error {
		for i, e := range events {
			seq, err := tx.Record(e)
			if err != nil {
				return err
			}
			if seq != int64(i+1) {
				return fmt.Errorf("event %d has number %d", i+1, seq)
			}
		}
		return nil
	})
	scoped := ana
	scoped.Token, scoped.Verbs, scoped.Program = "fw_a", []exchange.Verb{exchange.VerbRead}, testkit.Program
	submitter := ana
	submitter.Token, submitter.Verbs = "fw_s", []exchange.Verb{exchange.VerbSubmit}
	reading := operator
	reading.Token, reading.Verbs = "fw_o", []exchange.Verb{exchange.VerbRead}
	early := record.EventFilter{Program: testkit.Program}
	for _, tt := range []struct {
		name  string
		actor exchange.Actor
		f     record.EventFilter
		want  string
	}{
		{"operator, own program", operator, early, "1234"},
		{"auditor, own program", who(testkit.Owner, exchange.RoleAuditor), early, "1234"},
		{"operator, one release", operator, record.EventFilter{Program: testkit.Program, Release: release}, "123"},
		{"operator, one organisation", operator, record.EventFilter{Program: testkit.Program, Org: "alpha"}, "14"},
		{"operator, one kind", operator, record.EventFilter{Program: testkit.Program, Kinds: []exchange.EventKind{"3.plan"}}, "3"},
		{"operator, two kinds", operator, record.EventFilter{Program: testkit.Program, Kinds: []exchange.EventKind{"2.beta.served", "3.plan"}}, "23"},
		{"operator, the next page", operator, record.EventFilter{Program: testkit.Program, After: 1, Limit: 2}, "23"},
		{"operator, another's program", operator, record.EventFilter{Program: "foreign"}, "9"},
		{"operator, no program named: own acts", operator, record.EventFilter{}, "39"},
		{"owner's analyst", who(testkit.Owner, exchange.RoleAnalyst), early, ""},
		{"operator's reading token", reading, early, ""},
		{"operator's reading token, everywhere", reading, record.EventFilter{}, "9"},
		{"member", ana, early, "14"},
		{"member, everywhere", ana, record.EventFilter{}, "1457"},
		{"member, pages", ana, record.EventFilter{After: 1, Limit: 2}, "45"},
		{"member asks for another", ana, record.EventFilter{Org: "beta"}, ""},
		{"member asks for the plan", ana, record.EventFilter{Program: testkit.Program, Kinds: []exchange.EventKind{"3.plan"}}, ""},
		{"member's colleague", who("alpha", exchange.RoleApprover), record.EventFilter{}, "145"},
		{"member's signatory", who("alpha", exchange.RoleSignatory), record.EventFilter{}, "1457"},
		{"token for one program", scoped, record.EventFilter{}, "14"},
		{"token for one program asks for another", scoped, record.EventFilter{Program: "foreign"}, ""},
		{"administrator", who("registrar", exchange.RoleAdmin), record.EventFilter{}, "78"},
		{"administrator, a program", who("registrar", exchange.RoleAdmin), early, ""},
		{"unknown program", ana, record.EventFilter{Program: "no-such"}, ""},
		{"the system", exchange.System(), record.EventFilter{}, "123456789"},
	} {
		got, err := w.room.Events(t.Context(), tt.actor, tt.f)
		var seen string
		for _, e := range got {
			seen += string(e.Kind[0])
			if want := fmt.Sprintf(`"kind":%q`, e.Kind); !strings.Contains(string(e.Body), want) {
				t.Errorf("%s: body %s lacks %s", tt.name, e.Body, want)
			}
		}
		if err != nil || seen != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, seen, err, tt.want)
		}
	}
	for name, a := range map[string]exchange.Actor{"nobody": exchange.Public(), "a token that only submits": submitter} {
		if got, err := w.room.Events(t.Context(), a, early); err == nil || err.Error() != exchange.Missing().Error() {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
