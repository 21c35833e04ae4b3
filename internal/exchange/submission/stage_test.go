package submission_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

const (
	statement = "marking-definition--0000000d-" + uuid
	ownRed    = "marking-definition--0000000c-" + uuid
	nowhere   = "marking-definition--0000000e-" + uuid
)

func marked(n string, refs ...string) string {
	return object(n, `,"object_marking_refs":["`+strings.Join(refs, `","`)+`"]`)
}

func definition(id string) string {
	return `{"type":"marking-definition","spec_version":"2.1","id":"` + id + `","created":"2027-01-01T00:00:00.000Z",` +
		`"definition_type":"statement","definition":{"statement":"internal use"}}`
}

type handled struct {
	TLP      exchange.TLP
	Held     bool
	Markings string
	Says     exchange.Handling
	Fields   []exchange.FieldHandling
}

// classes is the handling of each object, by the first part of its UUID.
func (h *house) classes() map[string]handled {
	h.t.Helper()
	out := map[string]handled{}
	h.update(func(tx *sqlstore.Tx) error {
		for _, o := range h.objects("") {
			c, err := tx.HandlingClass(o.Class)
			if err != nil {
				return err
			}
			_, id, _ := strings.Cut(o.ID, "--")
			id, _, _ = strings.Cut(id, "-")
			out[id] = handled{c.TLP, c.Held, c.Markings, c.Handling, c.Fields}
		}
		return nil
	})
	return out
}

func TestMarkings(t *testing.T) {
	h := newHouse(t)
	green := exchange.Handling{TLP: exchange.TLPGreen, PAP: exchange.PAPGreen}
	text := bundle(
		object("00000001", ""),
		marked("00000002", stixtest.MarkingID(exchange.TLPRed)),
		marked("00000003", "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"), // below the artifact's: no effect
		marked("00000004", "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", stixtest.MarkingID(exchange.TLPAmberStrict)),
		object("00000005", `,"object_marking_refs":["`+stixtest.MarkingID(exchange.TLPGreen)+`"],"granular_markings":[{"marking_ref":"`+stixtest.MarkingID(exchange.TLPRed)+`","selectors":["pattern"]}]`),
		marked("00000006", statement), // defined further down
		marked("00000007", nowhere),
		object("00000008", `,"granular_markings":[{"marking_ref":"`+nowhere+`","selectors":["pattern"]}]`),
		marked("00000009", stixtest.MarkingID(exchange.TLPAmber), nowhere, statement),
		marked("0000000f", ownRed), // a label under an id of its own, defined further down
		definition(statement),
		`{"type":"marking-definition","spec_version":"2.1","id":"`+ownRed+`","created":"2027-01-01T00:00:00.000Z","name":"TLP:RED",`+
			`"extensions":{"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":{"extension_type":"property-extension","tlp_2_0":"red"}}}`,
		stixtest.MarkingObject(exchange.TLPRed), stixtest.MarkingObject(exchange.TLPAmberStrict),
	)
	r := h.mustSubmit(submission.Input{Handling: green}, text)
	said := exchange.Handling{Statement: "internal use"}
	want := map[string]handled{
		"00000001": {},
		"00000002": {TLP: exchange.TLPRed},
		"00000003": {TLP: exchange.TLPClear},
		"00000004": {TLP: exchange.TLPAmberStrict},
		"00000005": {TLP: exchange.TLPGreen, Fields: []exchange.FieldHandling{
			{Selectors: []string{"pattern"}, Handling: exchange.Handling{TLP: exchange.TLPRed}},
		}},
		"00000006": {Markings: statement, Says: said},
		"00000007": {Held: true, Markings: nowhere},
		"00000008": {Markings: nowhere, Fields: []exchange.FieldHandling{
			{Selectors: []string{"pattern"}, Handling: exchange.Handling{References: []string{nowhere}}, Held: true},
		}},
		"00000009": {TLP: exchange.TLPAmber, Held: true, Markings: statement + " " + nowhere, Says: said},
		"0000000d": {},
		"0000000c": {},
		"0000000f": {TLP: exchange.TLPRed, Markings: ownRed},
		"e828b379": {},
		"939a9414": {},
	}
	if d := cmp.Diff(want, h.classes()); d != "" {
		t.Error(d)
	}
	if r.Held != 2 || len(r.Warnings) == 0 || r.Warnings[len(r.Warnings)-1].Code != "stix.marking-held" {
		t.Errorf("%d held, want 2; warnings %v", r.Held, r.Warnings)
	}

	// What an earlier submission of the program defined is known, in another
	// program it is not.
	later := h.mustSubmit(submission.Input{Handling: green}, bundle(marked("0000000a", statement)))
	if later.Held != 0 || h.classes()["0000000a"].Held {
		t.Errorf("a known marking holds an object: %+v", later)
	}
	c := testkit.Charter()
	c.ID = "second"
	h.program(c)
	h.release("rel_cccccccccccccccc", c.ID)
	elsewhere := h.mustSubmit(submission.Input{Release: "rel_cccccccccccccccc", Handling: green}, bundle(marked("0000000b", statement)))
	if elsewhere.Held != 1 {
		t.Errorf("a marking of another program was taken as known: %+v", elsewhere)
	}
}

// One version of an object has one content in a program.
func TestVersionConflict(t *testing.T) {
	h := newHouse(t)
	one, two := object("0000000a", ""), object("0000000a", `,"name":"other"`)
	h.mustSubmit(submission.Input{}, bundle(one))
	h.mustSubmit(submission.Input{Filename: "again"}, bundle(object("0000000b", ""), one))
	before := h.stored()
	_, err := h.submit(submission.Input{}, bundle(object("0000000c", ""), object("0000000c", ""), two))
	wantKind(t, err, exchange.Invalid)
	e, ok := err.(*exchange.Error)
	if !ok || len(e.Problems) != 1 || e.Problems[0].Path != "$.objects[2]" || e.Problems[0].Code != "stix.version-conflict" {
		t.Fatal(describe(err))
	}
	if d := cmp.Diff(before, h.stored()); d != "" {
		t.Error(d)
	}
	newer := strings.Replace(two, `"modified":"2027-01-01T00:00:00.000Z"`, `"modified":"2027-01-01T00:00:00.001Z"`, 1)
	h.mustSubmit(submission.Input{}, bundle(newer))

	c := testkit.Charter()
	c.ID = "second"
	h.program(c)
	h.release("rel_cccccccccccccccc", c.ID)
	h.mustSubmit(submission.Input{Release: "rel_cccccccccccccccc"}, bundle(two))
}

// Two that contradict each other at the same time: one is taken, not both. The
// second comes while the first is half stored, and gets as far as it can.
func TestConflictAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		in := submission.Input{Release: release, Class: exchange.Summary}
		var second error
		ended := make(chan struct{})
		store := &meeting{Rooms: sqlstore.For[submission.Tx](h.db), at: 2}
		h.room = submission.New(submission.Config{Store: store, Blobs: h.blobs})
		store.start = func() {
			defer close(ended)
			_, second = h.room.Submit(t.Context(), operator, in, strings.NewReader(bundle(object("0000000a", `,"name":"other"`))))
		}
		_, first := h.room.Submit(t.Context(), operator, in, strings.NewReader(bundle(object("0000000a", ""))))
		<-ended
		if (first == nil) == (second == nil) {
			t.Errorf("%v and %v", describe(first), describe(second))
		}
		if got := h.stored(); got.Ready != 1 || got.Objects != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// meeting starts something after a transaction, and goes on when it waits or
// has ended.
type meeting struct {
	sqlstore.Rooms[submission.Tx]
	n     atomic.Int64
	at    int64
	start func()
}

func (m *meeting) Update(ctx context.Context, fn func(submission.Tx) error) error {
	err := m.Rooms.Update(ctx, fn)
	if m.n.Add(1) == m.at {
		go m.start()
		synctest.Wait()
	}
	return err
}

func TestRemove(t *testing.T) {
	h := newHouse(t)
	text := bundle(object("0000000a", ""))
	a := h.mustSubmit(submission.Input{}, text).Artifact
	r, err := h.room.Remove(t.Context(), operator, a.ID)
	if err != nil || r.Revision != 3 {
		t.Fatal(r.Revision, err)
	}
	h.clock.Advance(time.Hour)
	if _, err := h.room.Remove(t.Context(), operator, a.ID); err != nil {
		t.Error("taking it out again:", err)
	}
	if got := h.stored(); got.Ready != 0 || got.Events != 2 || got.Revision != 3 {
		t.Errorf("%+v", got)
	}
	again := h.mustSubmit(submission.Input{}, text)
	if again.Duplicate || again.Artifact.ID == a.ID {
		t.Errorf("what was taken out is not what is handed in now: %+v", again)
	}
	// What was taken out binds nobody.
	h.mustSubmit(submission.Input{Supersedes: again.Artifact.ID, Filename: "next"}, text)
	_, err = h.submit(submission.Input{Supersedes: a.ID, Filename: "other"}, text)
	wantKind(t, err, exchange.Invalid)

	h.update(func(tx *sqlstore.Tx) error {
		_, err := tx.Exec(`INSERT INTO opening (artifact, audience, release, opened_at) VALUES (?1, 'early', ?2, 1)`, again.Artifact.Number, string(release))
		return err
	})
	before := h.stored()
	_, err = h.room.Remove(t.Context(), operator, again.Artifact.ID)
	wantKind(t, err, exchange.Conflict)
	if d := cmp.Diff(before, h.stored()); d != "" {
		t.Error(d)
	}
}

// What a crash left is dropped; what is ready, and its bytes, stay.
func TestSweep(t *testing.T) {
	h := newHouse(t)
	kept := h.mustSubmit(submission.Input{}, bundle(object("0000000a", ""))).Artifact
	const refused = `{"type":"bundle","objects":[]}`
	if _, err := h.submit(submission.Input{}, refused); exchange.KindOf(err) != exchange.Invalid {
		t.Fatal(err)
	}
	h.update(func(tx *sqlstore.Tx) error {
		n, err := tx.StageArtifact(exchange.Artifact{ID: "art_leftover", Release: release, Program: testkit.Program, SHA256: "00", SubmittedAt: tx.Now()})
		if err != nil {
			return err
		}
		var objs []submission.Object
		for i := range 50_000 {
			objs = append(objs, submission.Object{Position: int64(i), ID: fmt.Sprint("tool--", i), Type: "tool", Class: 9})
		}
		if _, err := tx.PutObjects(testkit.Program, n, objs); err != nil {
			return err
		}
		return tx.PutClasses([]exchange.HandlingClass{{ID: 99, Artifact: n}})
	})
	h.update(func(tx *sqlstore.Tx) error {
		if _, err := tx.Artifact("art_leftover"); exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("a staged artifact can be read: %v", err)
		}
		all, err := tx.ArtifactsOf(release)
		if len(all) != 1 {
			t.Errorf("%d artifacts", len(all))
		}
		return err
	})
	shared := submission.New(submission.Config{Store: sqlstore.For[submission.Tx](h.db), Blobs: h.blobs, Shared: true})
	if s, err := shared.Sweep(t.Context()); err != nil || s.Artifacts != 0 {
		t.Errorf("another process may be storing it: %+v, %v", s, err)
	}
	h.clock.Advance(time.Hour)
	if real := time.Now(); real.After(h.clock.Now()) { // blobs carry the file system's time
		h.clock.Set(real.Add(2 * time.Hour))
	}
	s, err := h.room.Sweep(t.Context())
	if err != nil || s.Artifacts != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if d := cmp.Diff(stored{Artifacts: 1, Ready: 1, Objects: 1, Classes: 1, Events: 1, Revision: 2}, h.stored()); d != "" {
		t.Error(d)
	}
	if len(h.raw(kept)) != 1 {
		t.Error("the bytes of a ready artifact are gone")
	}
	sum := sha256.Sum256([]byte(refused))
	if b, err := h.blobs.Open(hex.EncodeToString(sum[:])); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the bytes of a refused submission: %v, %v", b, err)
	}
}
