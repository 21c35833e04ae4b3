package storetest_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

var at = time.Date(2027, 6, 1, 8, 0, 0, 123_000, time.UTC)

// within runs fn in one write transaction.
func within(t *testing.T, db *sqlstore.DB, fn func(tx *sqlstore.Tx)) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *sqlstore.Tx) error { fn(tx); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func artifact(id, release, sha string) exchange.Artifact {
	return exchange.Artifact{
		ID: exchange.ArtifactID(id), Release: exchange.ReleaseID(release), Program: "p", Class: exchange.PoC, Kind: exchange.ArtifactSTIX,
		Title: "Titel ä", Filename: "f.json", MediaType: "application/json", SHA256: sha, Size: 1 << 40, Originator: "o",
		SubmittedBy: "per", SubmittedAt: at, Supersedes: "art_old",
		Handling: exchange.Handling{
			TLP: exchange.TLPAmberStrict, PAP: exchange.PAPRed, Organisations: []exchange.OrgID{"a", "b"}, Persons: []exchange.PersonID{"x"},
			NotOrgs: []exchange.OrgID{"c"}, NotIn: []string{"XX"}, Expires: at.Add(time.Hour), Statement: `"quoted" ä`,
		},
	}
}

func TestArtifacts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t, store.Options{Now: func() time.Time { return at }})
		missing := func(what string, err error) {
			t.Helper()
			if exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("%s: %v, want not found", what, err)
			}
		}
		a := artifact("art_1", "rel_1", "aa")
		within(t, db, func(tx *sqlstore.Tx) {
			a.Number = must[int64](t)(tx.StageArtifact(a))
			_, err := tx.Artifact(a.ID)
			missing("a staged artifact by id", err)
			_, err = tx.ArtifactByNumber(a.Number)
			missing("a staged artifact by number", err)
			_, err = tx.SameArtifact(a.Release, a.Class, a.SHA256, a.Filename)
			missing("a staged artifact by content", err)
			if all := must[[]exchange.Artifact](t)(tx.ArtifactsOf(a.Release)); len(all) != 0 {
				t.Errorf("staged artifacts are listed: %v", all)
			}
			if used := must[map[string]bool](t)(tx.BlobsInUse()); !used["aa"] {
				t.Error("a staged artifact's blob is not in use")
			}
			if s := must[[]int64](t)(tx.Staged(at)); len(s) != 0 {
				t.Errorf("begun before its begin: %v", s)
			}
			if s := must[[]int64](t)(tx.Staged(at.Add(time.Microsecond))); !cmp.Equal(s, []int64{a.Number}) {
				t.Errorf("staged: %v", s)
			}
			a.Kind, a.Title, a.Objects = exchange.ArtifactCSAF, "later", 7
			if err := tx.ReadyArtifact(a); err != nil {
				t.Fatal(err)
			}
			if err := tx.ReadyArtifact(a); err == nil {
				t.Error("an artifact became ready twice")
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			for _, read := range []func() (exchange.Artifact, error){
				func() (exchange.Artifact, error) { return tx.Artifact(a.ID) },
				func() (exchange.Artifact, error) { return tx.ArtifactByNumber(a.Number) },
				func() (exchange.Artifact, error) { return tx.SameArtifact(a.Release, a.Class, "aa", "f.json") },
			} {
				if d := cmp.Diff(a, must[exchange.Artifact](t)(read())); d != "" {
					t.Error(d)
				}
			}
			for _, other := range [][4]string{{"rel_2", "poc", "aa", "f.json"}, {"rel_1", "summary", "aa", "f.json"}, {"rel_1", "poc", "ab", "f.json"}, {"rel_1", "poc", "aa", "g.json"}} {
				_, err := tx.SameArtifact(exchange.ReleaseID(other[0]), exchange.ContentClass(other[1]), other[2], other[3])
				missing(fmt.Sprint("same as ", other), err)
			}
			if must[bool](t)(tx.DropStaged(a.Number, 10)); len(must[[]exchange.Artifact](t)(tx.ArtifactsOf("rel_1"))) != 1 {
				t.Error("a ready artifact was dropped")
			}
			if must[bool](t)(tx.Opened(a.Number)) {
				t.Error("opened to nobody")
			}
			if err := tx.RemoveArtifact(a.Number); err != nil {
				t.Fatal(err)
			}
			_, err := tx.SameArtifact(a.Release, a.Class, "aa", "f.json")
			missing("what was taken out", err)
			if got := must[exchange.Artifact](t)(tx.Artifact(a.ID)); !got.RemovedAt.Equal(at) {
				t.Errorf("taken out at %v", got.RemovedAt)
			}
		})
	})
}

// Two ready artifacts of the same content cannot stand beside each other, even
// when both were staged before either was ready.
func TestArtifactOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		a, b := artifact("art_1", "rel_1", "aa"), artifact("art_2", "rel_1", "aa")
		within(t, db, func(tx *sqlstore.Tx) {
			a.Number = must[int64](t)(tx.StageArtifact(a))
			b.Number = must[int64](t)(tx.StageArtifact(b))
			if err := tx.ReadyArtifact(a); err != nil {
				t.Fatal(err)
			}
		})
		err := db.Update(t.Context(), func(tx *sqlstore.Tx) error { return tx.ReadyArtifact(b) })
		if err == nil {
			t.Error("there is a second one")
		}
	})
}

func TestObjects(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		stage := func(id, program string) (n int64) {
			within(t, db, func(tx *sqlstore.Tx) {
				a := artifact(id, "rel_1", id)
				a.Program = exchange.ProgramID(program)
				n = must[int64](t)(tx.StageArtifact(a))
			})
			return n
		}
		ready := func(id string, n int64) {
			within(t, db, func(tx *sqlstore.Tx) {
				if err := tx.ReadyArtifact(exchange.Artifact{ID: exchange.ArtifactID(id), Number: n, Kind: exchange.ArtifactSTIX, SubmittedAt: at}); err != nil {
					t.Fatal(err)
				}
			})
		}
		// 205 objects: whole statements and a rest, on both engines.
		var objs []submission.Object
		for i := range 205 {
			objs = append(objs, submission.Object{
				Position: int64(i), Class: 3, ID: fmt.Sprintf("tool--%d", i), Type: "tool", Version: int64(i), Offset: int64(i) << 33, Length: 10,
			})
		}
		put := func(program exchange.ProgramID, n int64, objs ...submission.Object) (cs []submission.Clash) {
			within(t, db, func(tx *sqlstore.Tx) { cs = must[[]submission.Clash](t)(tx.PutObjects(program, n, objs)) })
			return cs
		}
		again := []submission.Object{
			{Position: 0, ID: "tool--7", Type: "tool", Version: 7}, // the same version
			{Position: 1, ID: "tool--8", Type: "tool", Version: 9}, // another version
			{Position: 2, ID: "tool--204", Type: "tool", Version: 204},
		}
		first := stage("art_1", "p")
		if cs := put("p", first, objs...); len(cs) != 0 {
			t.Errorf("new objects clash: %v", cs)
		}
		if cs := put("p", stage("art_2", "p"), again...); len(cs) != 0 {
			t.Errorf("what is staged clashes: %v", cs)
		}
		ready("art_1", first)
		want := []submission.Clash{
			{Position: 0, ID: "tool--7", SHA256: "art_1", Offset: 7 << 33, Length: 10},
			{Position: 2, ID: "tool--204", SHA256: "art_1", Offset: 204 << 33, Length: 10},
		}
		third := stage("art_3", "p")
		if d := cmp.Diff(want, put("p", third, again...)); d != "" {
			t.Error(d)
		}
		if cs := put("q", stage("art_4", "q"), again...); len(cs) != 0 {
			t.Errorf("another program's objects clash: %v", cs)
		}
		ready("art_3", third)
		if cs := put("p", stage("art_5", "p"), submission.Object{Position: 5, ID: "tool--7", Type: "tool", Version: 7}); len(cs) != 1 || cs[0].Position != 5 {
			t.Errorf("one clash for each object is enough: %v", cs)
		}
		within(t, db, func(tx *sqlstore.Tx) {
			for position, contested := range map[int64]bool{6: false, 7: true, 8: true, 203: false, 204: true} {
				es := must[[]delivery.Entry](t)(objectsAt(tx, first, position, position))
				if len(es) != 1 || es[0].Contested != contested {
					t.Errorf("position %d: %+v, want contested %v", position, es, contested)
				}
			}
			objs := must[[]delivery.Object](t)(tx.ObjectsByHash("p", exchange.IDHash("tool--7"), nil))
			if len(objs) != 2 || objs[0].Offset != 7<<33 || objs[0].ID != "tool--7" {
				t.Errorf("by id: %+v", objs)
			}
		})
		// However many versions there are, all of those that are asked for are found.
		var odd int64
		for i := range 7 {
			id := "art_1" + strconv.Itoa(i)
			number := stage(id, "p")
			put("p", number, submission.Object{Position: 0, ID: "tool--9", Type: "tool", Version: int64(100 + i)})
			ready(id, number)
			odd = number
			within(t, db, func(tx *sqlstore.Tx) {
				every := func(int64) bool { return true }
				if objs := must[[]delivery.Object](t)(tx.ObjectsByHash("p", exchange.IDHash("tool--9"), every)); len(objs) != i+2 {
					t.Errorf("with %d versions: %d are found", i+2, len(objs))
				}
			})
		}
		within(t, db, func(tx *sqlstore.Tx) {
			one := func(n int64) bool { return n == odd }
			if objs := must[[]delivery.Object](t)(tx.ObjectsByHash("p", exchange.IDHash("tool--9"), one)); len(objs) != 1 || objs[0].Version != 106 {
				t.Errorf("among one artifact: %+v", objs)
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			found := must[[]submission.Clash](t)(tx.Definitions("p", []string{"tool--8", "tool--nowhere", "tool--7"}))
			if len(found) != 4 || found[0].ID != "tool--8" || found[0].Offset != 8<<33 || found[len(found)-1].SHA256 != "art_3" {
				t.Errorf("definitions: %+v", found)
			}
			if f := must[[]submission.Clash](t)(tx.Definitions("q", []string{"tool--8"})); len(f) != 0 {
				t.Errorf("definitions of another program: %v", f)
			}
		})
	})
}

// Dropping what a crash left leaves others alone, and what they share an id
// with is found as before.
func TestDropStaged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		count := func(table string) int { return storetest.Value[int](t, db, `SELECT COUNT(*) FROM `+table) }
		put := func(tx *sqlstore.Tx, number int64, version func(i int) int64) []submission.Clash {
			first := must[int64](t)(tx.NextClassID(2))
			cs := []exchange.HandlingClass{
				{ID: first, Artifact: number, TLP: exchange.TLPRed, Held: true, Markings: "a b"}, {ID: first + 1, Artifact: number, TLP: exchange.TLPClear},
			}
			if err := tx.PutClasses(cs); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(cs[0], must[exchange.HandlingClass](t)(tx.HandlingClass(first))); d != "" {
				t.Error(d)
			}
			var objs []submission.Object
			for i := range 300 {
				objs = append(objs, submission.Object{Position: int64(i), Class: first, ID: fmt.Sprint("tool--", i/2), Version: version(i), Type: "tool"})
			}
			return must[[]submission.Clash](t)(tx.PutObjects("p", number, objs))
		}
		each := func(i int) int64 { return int64(i) }
		var gone, kept int64
		within(t, db, func(tx *sqlstore.Tx) {
			gone = must[int64](t)(tx.StageArtifact(artifact("art_1", "rel_1", "aa")))
			put(tx, gone, each)
			kept = must[int64](t)(tx.StageArtifact(artifact("art_2", "rel_1", "bb")))
			put(tx, kept, each)
		})
		if n := count("object_index") + count("object_more"); n != 600 {
			t.Fatalf("%d objects are indexed, want 600", n)
		}
		done := false
		for range 10 {
			within(t, db, func(tx *sqlstore.Tx) { done = must[bool](t)(tx.DropStaged(gone, 100)) })
		}
		if n := count("object_index") + count("object_more"); !done || n != 300 || count("object_index") != 150 || count("handling_class") != 2 {
			t.Errorf("done %v; %d objects, %d ids and %d classes are left, want those of the other artifact", done, n, count("object_index"), count("handling_class"))
		}
		within(t, db, func(tx *sqlstore.Tx) {
			if d := cmp.Diff([]int64{kept}, must[[]int64](t)(tx.Staged(at.Add(time.Hour)))); d != "" {
				t.Error(d)
			}
			if err := tx.ReadyArtifact(exchange.Artifact{Number: kept, Kind: exchange.ArtifactSTIX, SubmittedAt: at}); err != nil {
				t.Fatal(err)
			}
			// All that share a version with the one that is left are found.
			next := must[int64](t)(tx.StageArtifact(artifact("art_3", "rel_1", "cc")))
			cs := put(tx, next, func(i int) int64 { return int64(i) + int64(i%4/3)*1000 })
			if len(cs) != 225 {
				t.Errorf("%d clashes, want 225", len(cs))
			}
			for _, c := range cs {
				if c.SHA256 != "bb" || c.Position%4 == 3 {
					t.Errorf("clash %+v", c)
				}
			}
		})
	})
}

// An id with very many versions costs what as many ids cost: no pairs.
func TestManyVersions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		within(t, db, func(tx *sqlstore.Tx) {
			n := must[int64](t)(tx.StageArtifact(artifact("art_1", "rel_1", "aa")))
			for chunk := range 3 {
				objs := make([]submission.Object, 10_000) // all pairs of them would not end
				for i := range objs {
					at := int64(chunk*len(objs) + i)
					objs[i] = submission.Object{Position: at, ID: "tool--1", Version: at, Type: "tool"}
				}
				if cs := must[[]submission.Clash](t)(tx.PutObjects("p", n, objs)); len(cs) != 0 {
					t.Errorf("%d clashes", len(cs))
				}
			}
			all, err := objectsAt(tx, n, 0, 1<<24-1)
			if err != nil || len(all) != 30_000 {
				t.Fatal(len(all), err)
			}
			for _, o := range all {
				if !o.Contested {
					t.Fatalf("version %d is not contested", o.Version)
				}
			}
		})
	})
}

// objectsAt lists an artifact's objects at the positions from … to.
func objectsAt(tx *sqlstore.Tx, artifact, from, to int64) (all []delivery.Entry, err error) {
	firsts, err := tx.BlocksIn(artifact, 0, to)
	if err != nil {
		return nil, err
	}
	for _, first := range firsts {
		b, err := tx.Block(artifact, first)
		if err != nil {
			return nil, err
		}
		for i := b.Find(from); i < b.Len() && b.Position(i) <= to; i++ {
			all = append(all, b.Entry(i))
		}
	}
	return all, nil
}
