package acceptance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/doctor"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	logfiles "github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

// changesVariable says in the environment how many changes TestAT36 makes.
const changesVariable = "FOREWARN_CHANGES"

// lived lets an exchange live for some weeks: releases, waves, members that come and
// go, and everything that is open read on every channel. It ends with more entries
// than fill a tile.
func lived(t *testing.T, data string) *servertest.World {
	t.Helper()
	s := newSceneIn(t, data)
	web := serve(s.World)
	readers := s.readers()
	s.run(testkit.Start.Add(2 * time.Hour))
	for day := 1; day < 10; day++ { // so that each wave opens on its day
		s.run(july(day, 12))
	}
	collection := "/taxii2/api/collections/" + delivery.CollectionID(testkit.Program)
	for day := 10; day < 24 || s.Ledger.Current().Size() < 700; day++ {
		if day > 60 {
			t.Fatalf("the log has %d entries only", s.Ledger.Current().Size())
		}
		s.run(july(day, 12))
		for _, r := range readers {
			ask := func(on exchange.Channel, paths ...string) {
				q := &question{scene: s, site: web, ctx: t.Context(), r: r, on: on}
				for _, path := range paths {
					if resp, body, err := q.ask(path); err != nil || resp.StatusCode >= 500 {
						t.Fatalf("%s, %s: %v %s", r.name, path, err, body)
					}
				}
			}
			i := s.items[(day*7+len(r.name))%len(s.items)]
			switch {
			case withToken(r):
				ask(exchange.ChannelTAXII, collection+"/objects/")
				ask(exchange.ChannelAPI, "/api/v1/artifacts/"+string(i.ID)+"/content", "/api/v1/programs/"+string(testkit.Program)+"/objects?limit=5")
			case inBrowser(r):
				ask(exchange.ChannelWeb, "/artifacts/"+string(i.ID)+"/content")
			default:
				ask(exchange.ChannelPublic, "/public/artifacts/"+string(i.ID))
			}
		}
	}
	for _, i := range s.items[:2] {
		_, err := s.X.Recalls.Issue(t.Context(), s.Operator, recall.Act{Kind: recall.Recalled, Artifact: i.ID, Reason: "wrong"})
		s.must(err)
	}
	return s.World
}

// spoiltBytes is b with one byte flipped, taken out or put in, and the first place
// at which it differs: len(b) where it only became longer.
func spoiltBytes(r *rand.Rand, b []byte) (out []byte, first int, how string) {
	at := r.IntN(len(b))
	switch r.IntN(3) {
	case 0:
		out, how = bytes.Clone(b), "flipped"
		out[at] ^= 1 << r.IntN(8)
	case 1:
		out, how = slices.Delete(bytes.Clone(b), at, at+1), "deleted"
	default:
		at = r.IntN(len(b) + 1)
		out, how = slices.Insert(bytes.Clone(b), at, byte(r.IntN(256))), "inserted"
	}
	for first < min(len(b), len(out)) && b[first] == out[first] {
		first++
	}
	return out, first, how
}

// vault is the stopped data folder, and what the log gave to the public before.
type vault struct {
	*rand.Rand
	t      *testing.T
	data   string // a copy
	now    func() time.Time
	db     *sqlstore.DB
	last   int64    // event
	keys   []string // of the log
	public map[string][]byte
	paths  []string // of public, sorted
	// examined is how often the doctor looked at something that was changed.
	examined int
	files    []string // of the log's folder
	folder   string
}

// newVault keeps the folder of an exchange that lived. Its log is the first, so entry
// i is the event i+1.
func newVault(t *testing.T) *vault {
	v := &vault{Rand: rand.New(rand.NewPCG(36, 1)), t: t, data: t.TempDir(), public: map[string][]byte{}}
	original := t.TempDir()
	w := lived(t, original)
	v.now = w.Clock.Now
	base := w.Serve() + "/log/"
	fetch := func(ctx context.Context, path string) ([]byte, error) {
		b, err := fetchFrom(ctx, base, path)
		if err == nil {
			v.public[path] = b
		}
		return b, err
	}
	b, err := fetchFrom(t.Context(), base, "key")
	if err != nil {
		t.Fatal(err)
	}
	v.keys = strings.Fields(string(b))
	if _, r, err := (verify.Watch{Fetch: fetch, Keys: v.keys, Full: true}).Check(t.Context(), nil); err != nil || r.Entries != w.Ledger.Current().Size() {
		t.Fatalf("%d entries read, %v", r.Entries, err)
	}
	delete(v.public, "statements") // there is none
	v.paths = slices.Sorted(maps.Keys(v.public))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(v.data, os.DirFS(original)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(v.data, 0o700); err != nil {
		t.Fatal(err)
	}
	v.folder = filepath.Join(v.data, "ledger", "1")
	err = filepath.WalkDir(v.folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil && info.Size() > 0 {
				v.files = append(v.files, path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	url, err := config.Default().DatabaseURL(v.data)
	if err != nil {
		t.Fatal(err)
	}
	if v.db, err = store.Open(t.Context(), url, store.Options{Now: w.Clock.Now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.db.Close() })
	err = v.db.View(t.Context(), func(tx *sqlstore.Tx) (err error) {
		v.last, err = tx.LastEvent()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// fetchFrom gets a public file of a log over HTTP.
func fetchFrom(ctx context.Context, base, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return io.ReadAll(res.Body)
	case http.StatusNotFound:
		return nil, fs.ErrNotExist
	}
	return nil, fmt.Errorf("%s: %s", path, res.Status)
}

// watch reads the public files with one of them as given; nil: as they were.
func (v *vault) watch(path string, b []byte) error {
	fetch := func(_ context.Context, p string) ([]byte, error) {
		if p == path {
			return b, nil
		}
		if b, ok := v.public[p]; ok {
			return b, nil
		}
		return nil, fs.ErrNotExist
	}
	_, _, err := verify.Watch{Fetch: fetch, Keys: v.keys, Full: true}.Check(v.t.Context(), nil)
	return err
}

// inPublic changes a byte of a checkpoint, tile or bundle as the public has it.
func (v *vault) inPublic() error {
	path := v.paths[v.IntN(len(v.paths))]
	was := v.public[path]
	b, first, how := spoiltBytes(v.Rand, was)
	err := v.watch(path, b)
	var bad *verify.Failure
	if !errors.As(err, &bad) {
		return fmt.Errorf("byte %d of the public %s %s: %w", first, path, how, errors.Join(err, errors.New("not found")))
	}
	if level, n, ok := bundleNumber(path); ok && level == verify.EntriesLevel {
		const each = 2 + verify.EntrySize // every entry has the same size
		if want := n*verify.TileWidth + int64(min(first, len(was)-1)/each); bad.Index != want {
			return fmt.Errorf("byte %d of the public %s %s: entry %d is named, not %d: %w", first, path, how, bad.Index, want, err)
		}
	}
	return nil
}

// bundleNumber reads the path of a tile in a log of fewer than 256,000 entries.
func bundleNumber(path string) (level int, n int64, ok bool) {
	parts := strings.Split(path, "/")
	if len(parts) < 3 || parts[0] != "tile" {
		return 0, 0, false
	}
	level = verify.EntriesLevel
	if parts[1] != "entries" {
		level, _ = strconv.Atoi(parts[1])
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(parts[2], ".p"), 10, 64)
	return level, n, err == nil
}

// inFolder changes a byte of the stopped log's folder.
func (v *vault) inFolder() (err error) {
	path := v.files[v.IntN(len(v.files))]
	was, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	written := bytes.TrimRight(was, "\x00") // the journal's file is made larger than it is
	if !strings.Contains(path, "journal") {
		written = was
	}
	b, first, how := spoiltBytes(v.Rand, written)
	if err := os.WriteFile(path, append(b, was[len(written):]...), 0o600); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.WriteFile(path, was, 0o600)) }()
	found, index, err := v.checkFolder()
	if err != nil {
		return err
	}
	name, _ := filepath.Rel(v.folder, path)
	if !found {
		return fmt.Errorf("byte %d of %s %s: not found", first, name, how)
	}
	if level, n, ok := bundleNumber(filepath.ToSlash(name)); ok && level == verify.EntriesLevel {
		const each = 2 + verify.EntrySize
		if want := n*verify.TileWidth + int64(min(first, len(was)-1)/each); index != want && first < len(was) {
			return fmt.Errorf("byte %d of %s %s: entry %d is named, not %d", first, name, how, index, want)
		}
	}
	return v.doctored("ledger: ")
}

// checkFolder is what the log's own check says: whether something is wrong, and the
// first entry that is named.
func (v *vault) checkFolder() (found bool, index int64, err error) {
	o := logfiles.Options{ReadOnly: true}
	for _, k := range v.keys {
		verifier, err := note.NewVerifier(k)
		if err != nil {
			return false, -1, err
		}
		o.Verifiers = append(o.Verifiers, verifier)
	}
	l, err := logfiles.Open(v.folder, o)
	var bad *verify.Failure
	if errors.As(err, &bad) {
		return true, bad.Index, nil
	}
	if err != nil {
		return true, -1, nil // it is not even a log
	}
	index = -1
	err = l.Check(v.t.Context(), func(_ string, i int64, _ error) {
		if !found {
			found, index = true, i
		}
	})
	return found, index, errors.Join(err, l.Close())
}

// row is what the store holds of an event's proof.
type row struct{ body, salt, entry []byte }

func (v *vault) read(seq int64) (r row, err error) {
	err = v.db.View(v.t.Context(), func(tx *sqlstore.Tx) error {
		return tx.QueryRow(`SELECT body, salt, entry FROM event WHERE seq = ?1`, seq).Scan(&r.body, &r.salt, &r.entry)
	})
	return r, err
}

func (v *vault) exec(sql string, args ...any) error {
	return v.db.Update(v.t.Context(), func(tx *sqlstore.Tx) error {
		_, err := tx.Exec(sql, args...)
		return err
	})
}

func (v *vault) put(seq int64, r row) error {
	return v.exec(`UPDATE event SET body = ?2, salt = ?3, entry = ?4 WHERE seq = ?1`, seq, r.body, r.salt, r.entry)
}

// change changes an event's row, takes it out, or has two change places. It answers
// the first event concerned.
func (v *vault) change() (first int64, how string, restore func() error, err error) {
	seq, other := 1+v.Int64N(v.last), 1+v.Int64N(v.last-1)
	if other >= seq {
		other++
	}
	was, err := v.read(seq)
	if err != nil {
		return 0, "", nil, err
	}
	restore = func() error { return v.put(seq, was) }
	now := row{was.body, was.salt, was.entry}
	switch v.IntN(6) {
	case 0, 1:
		now.body, _, how = spoiltBytes(v.Rand, was.body)
		return seq, "body " + how, restore, v.put(seq, now)
	case 2:
		now.salt, _, how = spoiltBytes(v.Rand, was.salt)
		return seq, "salt " + how, restore, v.put(seq, now)
	case 3:
		now.entry, _, how = spoiltBytes(v.Rand, was.entry)
		return seq, "entry " + how, restore, v.put(seq, now)
	case 4:
		restore = func() error { return v.exec(`UPDATE event SET seq = ?1 WHERE seq = ?2`, seq, -seq) }
		return seq, "taken out", restore, v.exec(`UPDATE event SET seq = ?2 WHERE seq = ?1`, seq, -seq)
	}
	theirs, err := v.read(other)
	if err != nil {
		return 0, "", nil, err
	}
	restore = func() error { return errors.Join(v.put(seq, was), v.put(other, theirs)) }
	return min(seq, other), "swapped", restore, errors.Join(v.put(other, was), v.put(seq, theirs))
}

// inStore changes the store, which its check against the log is to find.
func (v *vault) inStore() (err error) {
	seq, how, restore, err := v.change()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, restore()) }()
	first := int64(0)
	_, err = sequencer.Check(v.t.Context(), v.db.Beneath(), filepath.Join(v.data, "ledger"), 0, func(f sequencer.Finding) {
		if first == 0 {
			first = f.Seq
		}
	})
	if err != nil || first != seq {
		return fmt.Errorf("event %d %s: the first that is named is %d, %w", seq, how, first, err)
	}
	return v.doctored(fmt.Sprintf("event %d", seq))
}

// doctored has the doctor look, now and then, because it looks at everything: what
// was changed is among its findings.
func (v *vault) doctored(names string) error {
	if v.IntN(10) > 0 {
		return nil
	}
	v.examined++
	if found := v.failed(); !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, names) }) {
		return fmt.Errorf("the doctor does not name %s: %q", names, found)
	}
	return nil
}

// failed are the doctor's findings of what does not hold.
func (v *vault) failed() (out []string) {
	c := config.Default()
	for _, f := range doctor.Examine(v.t.Context(), doctor.Options{Data: v.data, Config: c, Now: v.now(), Full: true}) {
		if f.State == doctor.Fail && f.Name != "folder" {
			out = append(out, f.Name+": "+f.Text)
		}
	}
	return out
}

// AT-36: whatever byte of the public log, of the log's folder or of an event in the
// store is changed, taken out or put in, and whichever events are taken out or change
// places: the checks find it, and name the first entry that is wrong where bytes of
// an entry were changed.
func TestAT36EveryChangeIsFound(t *testing.T) {
	times := 300
	if n, err := strconv.Atoi(os.Getenv(changesVariable)); err == nil {
		times = n
	}
	if testing.Short() {
		times = 60
	}
	v := newVault(t)
	sound := func() {
		t.Helper()
		if err := v.watch("", nil); err != nil {
			t.Errorf("the public log: %v", err)
		}
		if found, _, err := v.checkFolder(); found || err != nil {
			t.Errorf("the folder: %t, %v", found, err)
		}
		c, err := sequencer.Check(t.Context(), v.db.Beneath(), filepath.Join(v.data, "ledger"), 0, func(f sequencer.Finding) { t.Errorf("%+v", f) })
		if err != nil || c.Entered != v.last {
			t.Errorf("the store: %+v, %v", c, err)
		}
		if found := v.failed(); len(found) > 0 {
			t.Errorf("the doctor: %q", found)
		}
	}
	sound()
	begun := time.Now()
	var done [3]int
	for n := range times {
		in := n % 3
		if err := [...]func() error{v.inPublic, v.inFolder, v.inStore}[in](); err != nil {
			t.Fatalf("change %d: %v", n, err)
		}
		done[in]++
	}
	t.Logf("%d entries; found were all of %d changes to the public log, %d to its folder and %d to the store, %d of these by the doctor as well; in %v",
		v.last, done[0], done[1], done[2], v.examined, time.Since(begun).Round(time.Millisecond))
	if times >= 300 && v.examined == 0 {
		t.Error("the doctor never looked")
	}
	sound()
}
