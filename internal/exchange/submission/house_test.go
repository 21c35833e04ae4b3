package submission_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/blob"
	"github.com/forewarn-exchange/forewarn/internal/store/packed"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// house is a store with one program and one draft release, and the room on it.
type house struct {
	t     testing.TB
	db    *sqlstore.DB
	clock *testkit.Clock
	blobs blobs
	room  *submission.Service
}

const release exchange.ReleaseID = "rel_aaaaaaaaaaaaaaaa"

var (
	operator = testkit.Actor(testkit.Person(testkit.Owner, "op", exchange.RoleOperator))
	approver = testkit.Actor(testkit.Person(testkit.Owner, "boss", exchange.RoleApprover))
	member   = testkit.Actor(testkit.Person("blue-shield", "ana", exchange.RoleOperator, exchange.RoleAnalyst))
)

func newHouse(t testing.TB, change ...func(*exchange.Charter)) *house {
	t.Helper()
	h := &house{t: t, clock: testkit.NewClock()}
	h.db = storetest.SQLite(t, store.Options{Now: h.clock.Now})
	h.blobs = newBlobs(t)
	h.room = submission.New(submission.Config{Store: sqlstore.For[submission.Tx](h.db), Blobs: h.blobs})
	c := testkit.Charter()
	for _, f := range change {
		f(&c)
	}
	h.program(c)
	h.release(release, c.ID)
	return h
}

func (h *house) update(fn func(tx *sqlstore.Tx) error) {
	h.t.Helper()
	if err := h.db.Update(context.Background(), fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) program(c exchange.Charter) {
	h.t.Helper()
	h.update(func(tx *sqlstore.Tx) error {
		return tx.PutProgram(program.Stored{ID: c.ID, Owner: c.Owner, Charter: c, Revision: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()})
	})
}

func (h *house) release(id exchange.ReleaseID, p exchange.ProgramID) {
	h.t.Helper()
	h.update(func(tx *sqlstore.Tx) error {
		return tx.PutRelease(&exchange.Release{
			ID: id, Program: p, Title: "June", State: exchange.ReleaseDraft, Revision: 1,
			Plan: exchange.Plan{T0: testkit.Start.Add(240 * time.Hour)}, CreatedAt: tx.Now(),
		})
	})
}

// state sets where a release stands.
func (h *house) state(id exchange.ReleaseID, s exchange.ReleaseState) {
	h.t.Helper()
	h.update(func(tx *sqlstore.Tx) error {
		r, err := tx.Release(id)
		if err != nil {
			return err
		}
		r.State = s
		return tx.PutRelease(&r)
	})
}

func (h *house) submit(in submission.Input, content string) (submission.Receipt, error) {
	if in.Release == "" {
		in.Release = release
	}
	if in.Class == "" {
		in.Class = exchange.DetectionGuidance
	}
	return h.room.Submit(context.Background(), operator, in, strings.NewReader(content))
}

func (h *house) mustSubmit(in submission.Input, content string) submission.Receipt {
	h.t.Helper()
	r, err := h.submit(in, content)
	if err != nil {
		h.t.Fatalf("submitting: %v", describe(err))
	}
	return r
}

func (h *house) count(stmt string, args ...any) int {
	h.t.Helper()
	return storetest.Value[int](h.t, h.db, stmt, args...)
}

// stored is how much of submissions the store holds, in every state.
type stored struct{ Artifacts, Ready, Objects, Classes, Events, Revision int }

func (h *house) stored() stored {
	h.t.Helper()
	return stored{
		Artifacts: h.count(`SELECT COUNT(*) FROM artifact`),
		Ready:     h.count(`SELECT COUNT(*) FROM artifact WHERE ready = 1 AND removed_at = 0`),
		Objects:   len(h.objects("")),
		Classes:   h.count(`SELECT COUNT(*) FROM handling_class`),
		Events:    h.count(`SELECT COUNT(*) FROM event`),
		Revision:  h.count(`SELECT revision FROM release WHERE id = ?1`, string(release)),
	}
}

// raw is the bytes of each stored object of an artifact, in order.
func (h *house) raw(a exchange.Artifact) map[string]string {
	h.t.Helper()
	b, err := h.blobs.Open(a.SHA256)
	if err != nil {
		h.t.Fatal(err)
	}
	defer b.Close()
	out := map[string]string{}
	for _, o := range h.objects(a.ID) {
		buf := make([]byte, o.Length)
		if _, err := b.ReadAt(buf, o.Offset); err != nil && err != io.EOF {
			h.t.Fatal(err)
		}
		out[o.ID] = string(buf)
	}
	return out
}

// objects is what is stored of an artifact, or of all, staged ones included.
func (h *house) objects(id exchange.ArtifactID) (out []packed.Entry) {
	h.t.Helper()
	bodies := collect(h, func(r sqlstore.Scanner) (body []byte, err error) { return body, r.Scan(&body) }, `
		SELECT b.body FROM object_block b JOIN artifact a ON a.number = b.seq >> 24
		WHERE a.id = ?1 OR ?1 = '' ORDER BY b.seq`, string(id))
	for _, body := range bodies {
		b, err := packed.Open(body)
		if err != nil {
			h.t.Fatal(err)
		}
		for i := range b.Len() {
			e := b.Entry(i)
			e.ID = b.ID(i)
			out = append(out, e)
		}
	}
	return out
}

// collect reads rows as they are stored.
func collect[T any](h *house, scan func(sqlstore.Scanner) (T, error), stmt string, args ...any) (all []T) {
	h.t.Helper()
	err := h.db.View(h.t.Context(), func(tx *sqlstore.Tx) (err error) {
		all, err = sqlstore.Collect(tx, scan, stmt, args...)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func describe(err error) string {
	if err == nil {
		return "no error"
	}
	s := err.Error()
	if e, ok := err.(*exchange.Error); ok {
		for _, p := range e.Problems {
			s += "\n\t" + p.String() + " [" + p.Code + "]"
		}
	}
	return s
}

func wantKind(t testing.TB, err error, want exchange.Kind) {
	t.Helper()
	if exchange.KindOf(err) != want {
		t.Errorf("got %s, want kind %q", describe(err), want)
	}
}

// blobs is a folder of blobs as the room sees it.
type blobs struct{ *blob.Dir }

func newBlobs(t testing.TB) blobs {
	t.Helper()
	d, err := blob.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return blobs{d}
}

func (b blobs) Open(sha string) (submission.Blob, error) { return b.Dir.Open(sha) }

const uuid = "1111-4111-8111-111111111111"

// object is a small indicator; n tells its id, more goes into it.
func object(n, more string) string {
	return `{"type":"indicator","spec_version":"2.1","id":"indicator--` + n + "-" + uuid + `","created":"2027-01-01T00:00:00.000Z",` +
		`"modified":"2027-01-01T00:00:00.000Z","pattern":"[file:name = 'x']","pattern_type":"stix","valid_from":"2027-01-01T00:00:00Z"` + more + `}`
}

func bundle(objects ...string) string {
	var b bytes.Buffer
	b.WriteString(`{"type":"bundle","id":"bundle--00000000-` + uuid + `","objects":[`)
	b.WriteString(strings.Join(objects, ",\n"))
	b.WriteString(`]}`)
	return b.String()
}
