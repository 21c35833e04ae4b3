package storetest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/authn"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// TestMembers checks what the rooms program, membership and record, and authn,
// ask of a store.
func TestMembers(t *testing.T) { Each(t, testMembers) }

func testMembers(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *membersCase)
	}{
		{"programs", testPrograms},
		{"organisations", testOrganisations},
		{"jurisdictions", testJurisdictions},
		{"people", testPeople},
		{"tokens", testTokens},
		{"members", testMemberships},
		{"sessions", testSessions},
		{"events", testEvents},
		{"generation", testGeneration},
		{"exposures", testExposures},
		{"copies", testCopies},
		{"idempotency", testIdempotency},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := testkit.NewClock()
			c.test(t, &membersCase{clock: clock, db: e.Open(t, store.Options{Now: clock.Now})})
		})
	}
}

type membersCase struct {
	clock *testkit.Clock
	db    *sqlstore.DB
}

func (c *membersCase) do(t *testing.T, fn func(tx *sqlstore.Tx) error) {
	t.Helper()
	if err := c.db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// same compares what was read with what should be there.
func same[T any](t *testing.T, want, got T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	} else if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func missing[T any](t *testing.T, _ T, err error) {
	t.Helper()
	if !errors.Is(err, exchange.NotFound) {
		t.Errorf("%v, want not found", err)
	}
}

func testPrograms(t *testing.T, c *membersCase) {
	stored := program.Stored{
		ID: testkit.Program, Owner: testkit.Owner, Charter: testkit.Charter(), Revision: 1,
		CreatedAt: testkit.Start, UpdatedAt: testkit.Start,
	}
	c.do(t, func(tx *sqlstore.Tx) error {
		_, err := tx.Program(stored.ID)
		missing(t, stored, err)
		_, err = tx.Charter(stored.ID)
		missing(t, stored, err)
		return tx.PutProgram(stored)
	})
	// A charter of a transaction that failed never stands for a later one.
	lost, next := stored, stored
	lost.Charter.Title, lost.Revision = "Lost", 2
	next.Charter.Title, next.Revision, next.UpdatedAt = "Next", 2, testkit.Start.Add(time.Hour)
	undo := errors.New("undo")
	err := c.db.Update(t.Context(), func(tx *sqlstore.Tx) error {
		if err := tx.PutProgram(lost); err != nil {
			return err
		}
		got, err := tx.Charter(stored.ID)
		same(t, "Lost", got.Title, err)
		return undo
	})
	if !errors.Is(err, undo) {
		t.Error(err)
	}
	c.do(t, func(tx *sqlstore.Tx) error { return tx.PutProgram(next) })
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := tx.Program(stored.ID)
		if diff := exchange.Diff(next.Charter, got.Charter); len(diff) > 0 {
			t.Error(diff)
		}
		got.Charter = next.Charter
		same(t, next.Revision, got.Revision, err)
		same(t, next.UpdatedAt, got.UpdatedAt, err)
		same(t, next.CreatedAt, got.CreatedAt, err)
		charter, err := tx.Charter(stored.ID)
		same(t, "Next", charter.Title, err)
		all, err := tx.Programs()
		same(t, 1, len(all), err)
		charters, err := tx.Charters()
		same(t, 1, len(charters), err)
		return nil
	})
}

func testOrganisations(t *testing.T, c *membersCase) {
	full := testkit.Organisation("b-full", func(o *exchange.Organisation) {
		o.Hats, o.ClientOf, o.Regions = []string{"csirt"}, "a-plain", []string{"eu", "üñí"}
		o.SuspendedAt, o.SuspendReason = testkit.Start.Add(time.Microsecond), "why"
	})
	plain := exchange.Organisation{ID: "a-plain", Name: "Plain", Kind: "cert", Revision: 1}
	c.do(t, func(tx *sqlstore.Tx) error {
		_, err := tx.Organisation(full.ID)
		missing(t, full, err)
		return errors.Join(tx.PutOrganisation(full), tx.PutOrganisation(plain))
	})
	changed := full
	changed.SuspendedAt, changed.SuspendReason, changed.Revision = time.Time{}, "", 2
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := tx.Organisation(full.ID)
		same(t, full, got, err)
		list, err := tx.ListOrganisations("", 10)
		same(t, []exchange.Organisation{plain, full}, list, err)
		list, err = tx.ListOrganisations("a-plain", 10)
		same(t, []exchange.Organisation{full}, list, err)
		list, err = tx.ListOrganisations("", 1)
		same(t, []exchange.Organisation{plain}, list, err)
		if err := tx.PutOrganisation(changed); err != nil {
			return err
		}
		got, err = tx.Organisation(full.ID)
		same(t, changed, got, err)
		return nil
	})
}

func testJurisdictions(t *testing.T, c *membersCase) {
	one := exchange.Jurisdiction{Code: "XB", Compelled: true, Within: "48h", Source: "an act", ValidFrom: testkit.Start}
	two := exchange.Jurisdiction{Code: "XA"}
	c.do(t, func(tx *sqlstore.Tx) error {
		if err := errors.Join(tx.PutJurisdiction(one), tx.PutJurisdiction(two)); err != nil {
			return err
		}
		got, err := tx.Jurisdictions()
		same(t, []exchange.Jurisdiction{two, one}, got, err)
		one.Compelled = false
		if err := tx.PutJurisdiction(one); err != nil {
			return err
		}
		got, err = tx.Jurisdictions()
		same(t, []exchange.Jurisdiction{two, one}, got, err)
		return nil
	})
}

func testPeople(t *testing.T, c *membersCase) {
	ana := testkit.Person("alpha", "ana", exchange.RoleAnalyst, exchange.RoleSignatory)
	bob := testkit.Person("beta", "bob", exchange.RoleAdmin)
	ana.TimeZone, ana.SuspendedAt = "Asia/Tokyo", testkit.Start
	c.do(t, func(tx *sqlstore.Tx) error {
		_, err := tx.Person(ana.ID)
		missing(t, ana, err)
		_, err = tx.PersonByLogin(ana.Login)
		missing(t, ana, err)
		return errors.Join(tx.PutPerson(ana), tx.PutPerson(bob))
	})
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := tx.Person(ana.ID)
		same(t, ana, got, err)
		got, err = tx.PersonByLogin(bob.Login)
		same(t, bob, got, err)
		list, err := tx.ListPeople("alpha")
		same(t, []exchange.Person{ana}, list, err)
		next := ana
		next.Name, next.Roles, next.SuspendedAt, next.Revision = "Ana B.", []exchange.Role{exchange.RoleAnalyst}, time.Time{}, 2
		if err := tx.PutPerson(next); err != nil {
			return err
		}
		got, err = tx.Person(ana.ID)
		same(t, next, got, err)
		return nil
	})
	twin := testkit.Person("beta", "twin")
	twin.Login = ana.Login
	if err := c.db.Update(t.Context(), func(tx *sqlstore.Tx) error { return tx.PutPerson(twin) }); err == nil {
		t.Error("there is a second person with the login")
	}
}

func testTokens(t *testing.T, c *membersCase) {
	ana := testkit.Person("alpha", "ana", exchange.RoleAnalyst)
	token := exchange.Token{
		ID: "fw_one", Person: ana.ID, Org: "alpha", Name: "siem", Verbs: []exchange.Verb{exchange.VerbRead, exchange.VerbFeedback},
		Program: testkit.Program, Ceiling: exchange.TLPAmberStrict, Machine: true, Hat: "csirt", Purpose: "assist",
		CreatedAt: testkit.Start, ExpiresAt: testkit.Start.Add(time.Hour),
	}
	hash := bytes.Repeat([]byte{0xff, 0x00}, 16)
	c.do(t, func(tx *sqlstore.Tx) error {
		_, err := tx.Token(token.ID)
		missing(t, token, err)
		_, err = tx.TokenCredential(token.ID)
		missing(t, token, err)
		return errors.Join(tx.PutOrganisation(testkit.Organisation("alpha")), tx.PutPerson(ana), tx.PutToken(token, hash))
	})
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := tx.Token(token.ID)
		same(t, token, got, err)
		credential, err := tx.TokenCredential(token.ID)
		same(t, authn.Credential{Hash: hash, Token: token, Person: ana, Expires: token.ExpiresAt}, credential, err)
		id, err := tx.TokenOf(ana.Login, hash)
		same(t, token.ID, id, err)
		_, err = tx.TokenOf("somebody@else", hash)
		missing(t, id, err)
		_, err = tx.TokenOf(ana.Login, bytes.Repeat([]byte{1}, 32))
		missing(t, id, err)

		token.LastUsed, token.RevokedAt = testkit.Start.Add(time.Minute), testkit.Start.Add(time.Second)
		err = errors.Join(tx.TouchToken(token.ID, token.LastUsed), tx.TouchToken(token.ID, testkit.Start), tx.PutToken(token, nil))
		if err != nil {
			return err
		}
		list, err := tx.ListTokens("alpha")
		same(t, []exchange.Token{token}, list, err)
		credential, err = tx.TokenCredential(token.ID)
		same(t, hash, credential.Hash, err)
		return nil
	})
	o := testkit.Organisation("alpha")
	o.SuspendedAt = testkit.Start
	c.do(t, func(tx *sqlstore.Tx) error {
		if err := tx.PutOrganisation(o); err != nil {
			return err
		}
		credential, err := tx.TokenCredential(token.ID)
		same(t, true, credential.OrgSuspended, err)
		return nil
	})
}

func testMemberships(t *testing.T, c *membersCase) {
	m := exchange.Member{
		Program: "p", Org: "alpha", State: exchange.MemberActive, JoinedAt: testkit.Start, Since: testkit.Start,
		Audience: exchange.Audience{Cohort: "early", Compelled: true}, Reason: "r",
	}
	beta := exchange.Member{Program: "p", Org: "beta", State: exchange.MemberLeft}
	elsewhere := exchange.Member{Program: "q", Org: "alpha", State: exchange.MemberSuspended}
	first := exchange.Acceptance{Program: "p", Org: "alpha", Version: 1, Person: "per_1", At: testkit.Start}
	third := exchange.Acceptance{Program: "p", Org: "alpha", Version: 3, Person: "per_3", At: testkit.Start.Add(time.Hour)}
	c.do(t, func(tx *sqlstore.Tx) error {
		_, err := tx.Member("p", "alpha")
		missing(t, m, err)
		_, err = tx.Acceptance("p", "alpha", 1)
		missing(t, m, err)
		return errors.Join(tx.PutMember(m), tx.PutMember(beta), tx.PutMember(elsewhere))
	})
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := tx.Member("p", "alpha")
		same(t, m, got, err)
		second := third
		second.Person = "per_other"
		if err := errors.Join(tx.PutAcceptance(third), tx.PutAcceptance(first), tx.PutAcceptance(second)); err != nil {
			return err
		}
		m.Accepted, m.AcceptedAt = 3, third.At
		got, err = tx.Member("p", "alpha")
		same(t, m, got, err)
		a, err := tx.Acceptance("p", "alpha", 3)
		same(t, third, a, err)
		list, err := tx.ListMembers("p", "", 0)
		same(t, []exchange.Member{m, beta}, list, err)
		list, err = tx.ListMembers("p", "", 1)
		same(t, []exchange.Member{m}, list, err)
		list, err = tx.ListMembers("p", "alpha", 0)
		same(t, []exchange.Member{beta}, list, err)
		list, err = tx.MembershipsOf("alpha")
		same(t, []exchange.Member{m, elsewhere}, list, err)
		m.State, m.Audience = exchange.MemberSuspended, exchange.Audience{}
		if err := tx.PutMember(m); err != nil {
			return err
		}
		got, err = tx.Member("p", "alpha")
		same(t, m, got, err)
		return nil
	})
}

func testSessions(t *testing.T, c *membersCase) {
	ana, bob := testkit.Person("alpha", "ana", exchange.RoleAnalyst), testkit.Person("alpha", "bob")
	hash := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	ends := testkit.Start.Add(time.Hour)
	c.do(t, func(tx *sqlstore.Tx) error {
		return errors.Join(
			tx.PutOrganisation(testkit.Organisation("alpha")), tx.PutPerson(ana), tx.PutPerson(bob),
			tx.PutLink(membership.Link{Hash: hash(1), Person: ana.ID, ExpiresAt: ends}),
			tx.PutLink(membership.Link{Hash: hash(2), Person: ana.ID, Reusable: true, ExpiresAt: ends}),
			tx.PutLink(membership.Link{Hash: hash(3), Person: bob.ID, ExpiresAt: ends}),
			tx.PutSession(hash(4), ana.ID, ends), tx.PutSession(hash(5), bob.ID, ends))
	})
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := tx.UseLink(hash(1))
		same(t, authn.Credential{Person: ana}, got, err)
		_, err = tx.UseLink(hash(1))
		missing(t, got, err)
		for range 2 {
			got, err = tx.UseLink(hash(2))
			same(t, ana.ID, got.Person.ID, err)
		}
		got, err = tx.SessionCredential(hash(4))
		same(t, authn.Credential{Hash: hash(4), Person: ana, Expires: ends}, got, err)
		if err := tx.ActAs(hash(4), "csirt", "assist"); err != nil {
			return err
		}
		got, err = tx.SessionCredential(hash(4))
		same(t, authn.Credential{Hash: hash(4), Person: ana, Expires: ends, Hat: "csirt", Purpose: "assist"}, got, err)
		_, err = tx.SessionCredential(hash(9))
		missing(t, got, err)
		n, err := tx.EndSessions(ana.ID)
		same(t, 1, n, err)
		_, err = tx.SessionCredential(hash(4))
		missing(t, got, err)
		_, err = tx.UseLink(hash(2))
		missing(t, got, err)
		got, err = tx.SessionCredential(hash(5))
		same(t, bob.ID, got.Person.ID, err)
		return tx.DropSession(hash(5))
	})
	c.clock.Set(ends)
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := tx.UseLink(hash(3))
		missing(t, got, err)
		_, err = tx.SessionCredential(hash(5))
		missing(t, got, err)
		return nil
	})
}

func testEvents(t *testing.T, c *membersCase) {
	e := exchange.Event{
		Kind: exchange.EventMemberJoined, Actor: exchange.Actor{Person: "per_1", Token: "fw_1", Org: "owner", Channel: exchange.ChannelAPI},
		Program: "p", Release: "rel_1", Org: "alpha", Subject: []string{"x"}, Detail: exchange.Detail{"n": 1},
	}
	undo := errors.New("undo")
	err := c.db.Update(t.Context(), func(tx *sqlstore.Tx) error {
		if _, err := tx.Record(e); err != nil {
			return err
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	c.do(t, func(tx *sqlstore.Tx) error {
		seq, err := tx.Record(e)
		same(t, int64(1), seq, err) // the number of the failed one came back
		later := e
		later.At, later.Org, later.Release = testkit.Start.Add(time.Hour), "", ""
		seq, err = tx.Record(later)
		same(t, int64(2), seq, err)
		return nil
	})
	e.At, e.Number = testkit.Start, 1
	want := record.Entry{
		Seq: 1, At: testkit.Start, Kind: e.Kind, Program: "p", Release: "rel_1", Org: "alpha",
		Person: "per_1", Token: "fw_1", Body: e.Canonical(),
	}
	c.do(t, func(tx *sqlstore.Tx) error {
		for name, f := range map[string]record.EventFilter{
			"release": {Release: "rel_1"}, "organisation": {Org: "alpha"}, "first": {Limit: 1},
			"all": {Program: "p", Kinds: []exchange.EventKind{e.Kind}, Org: "alpha", Release: "rel_1", Limit: 5},
		} {
			got, err := tx.Events(f)
			if diff := cmp.Diff([]record.Entry{want}, got); err != nil || diff != "" {
				t.Errorf("%s: %v %s", name, err, diff)
			}
		}
		got, err := tx.Events(record.EventFilter{Program: "p", After: 1})
		same(t, 1, len(got), err)
		same(t, exchange.OrgID("owner"), got[0].Org, nil)
		same(t, testkit.Start.Add(time.Hour), got[0].At, nil)
		got, err = tx.Events(record.EventFilter{Program: "q"})
		same(t, 0, len(got), err)
		return nil
	})
	err = c.db.View(t.Context(), func(tx *sqlstore.Tx) error {
		_, err := tx.Record(e)
		return err
	})
	if !errors.Is(err, sqlstore.ErrReadOnly) {
		t.Errorf("recording while reading: %v", err)
	}
}

func testGeneration(t *testing.T, c *membersCase) {
	ask := func() int64 {
		n, err := c.db.Generation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := ask()
	c.do(t, func(tx *sqlstore.Tx) error { return tx.BumpGeneration() })
	if n := ask(); n != before+1 {
		t.Errorf("generation %d after %d", n, before)
	}
	undo := errors.New("undo")
	_ = c.db.Update(t.Context(), func(tx *sqlstore.Tx) error { return errors.Join(tx.BumpGeneration(), undo) })
	if n := ask(); n != before+1 {
		t.Errorf("a transaction that failed made generation %d", n)
	}
}

func testExposures(t *testing.T, c *membersCase) {
	var all []exchange.Exposure
	c.do(t, func(tx *sqlstore.Tx) error {
		a := exchange.Artifact{ID: "art_1", Release: "rel_1", Program: "p", Class: exchange.PoC, Kind: exchange.ArtifactFile}
		n, err := tx.StageArtifact(a)
		if err != nil {
			return err
		}
		a.Number = n
		for i := range 6 {
			all = append(all, exchange.Exposure{
				Artifact: "art_1", Number: n, Release: "rel_1", Org: "alpha", Client: string(rune('A' + i)), Kind: exchange.ExposureServed,
				Channel: exchange.ChannelTAXII, At: testkit.Start.Add(time.Duration(i) * time.Second), Event: int64(i),
			})
		}
		again := all[0]
		again.At, again.Event = testkit.Start.Add(time.Hour), 99
		return errors.Join(tx.ReadyArtifact(a), tx.Expose(all), tx.Expose([]exchange.Exposure{again}), tx.Expose(nil))
	})
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := tx.Exposures(record.ExposureFilter{Release: "rel_1"})
		same(t, all, got, err)
		got, err = tx.Exposures(record.ExposureFilter{Artifact: "art_1", Until: all[2].At})
		same(t, all[:3], got, err)
		got, err = tx.Exposures(record.ExposureFilter{Release: "rel_1", After: record.CursorOf(all[2]), Limit: 2})
		same(t, all[3:5], got, err)
		got, err = tx.Exposures(record.ExposureFilter{Artifact: "art_unknown"})
		same(t, 0, len(got), err)
		return nil
	})
}

func testIdempotency(t *testing.T, c *membersCase) {
	type answer struct {
		Request []byte
		Status  int
		Body    []byte
		Found   bool
	}
	want := answer{[]byte{0, 1}, 201, []byte("{}"), true}
	ask := func(tx *sqlstore.Tx, client, key string) (a answer, err error) {
		a.Request, a.Status, a.Body, a.Found, err = tx.Idempotent(client, key)
		return a, err
	}
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := ask(tx, "fw_1", "k")
		same(t, answer{}, got, err)
		return errors.Join(
			tx.PutIdempotent("fw_1", "k", want.Request, want.Status, want.Body),
			tx.PutIdempotent("fw_1", "k", []byte{9}, 500, nil),
			tx.PutIdempotent("fw_1", "empty", []byte{9}, 204, nil))
	})
	c.clock.Advance(48*time.Hour - time.Microsecond)
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := ask(tx, "fw_1", "k")
		same(t, want, got, err)
		got, err = ask(tx, "fw_1", "empty")
		same(t, answer{[]byte{9}, 204, []byte{}, true}, got, err)
		got, err = ask(tx, "fw_2", "k") // another client's
		same(t, answer{}, got, err)
		n, err := tx.PurgeIdempotent()
		same(t, int64(0), n, err)
		return nil
	})
	c.clock.Advance(time.Microsecond)
	c.do(t, func(tx *sqlstore.Tx) error {
		got, err := ask(tx, "fw_1", "k")
		same(t, answer{}, got, err)
		if err := tx.PutIdempotent("fw_1", "k", []byte{7}, 200, []byte("new")); err != nil {
			return err
		}
		got, err = ask(tx, "fw_1", "k")
		same(t, answer{[]byte{7}, 200, []byte("new"), true}, got, err)
		n, err := tx.PurgeIdempotent()
		same(t, int64(1), n, err)
		return nil
	})
}
