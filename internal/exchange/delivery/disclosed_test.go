package delivery_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

// told is an event of a disclosure as it is kept.
type told struct {
	seq        int64
	kind       string
	org, token string
	body, code []byte

	Objects  int
	Root     string
	Salt     string
	Handling []string
	Charter  int64
	Digest   string
	Repeated bool
	Manifest bool
	Pages    int
	SHA256   string
	Subject  []string
}

// watch watches what is recorded.
type watch struct {
	*servertest.World
	last int64
}

// since lists the disclosures that were recorded since the last call.
func (w *watch) since() (out []told) {
	w.T.Helper()
	err := w.DB.View(w.T.Context(), func(tx *sqlstore.Tx) (err error) {
		out, err = sqlstore.Collect(tx, func(s sqlstore.Scanner) (e told, err error) {
			return e, s.Scan(&e.seq, &e.kind, &e.org, &e.token, &e.body, &e.code)
		}, `SELECT seq, kind, org, token, body, covered FROM event WHERE seq > ?1 ORDER BY seq`, w.last)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	for i := range out {
		e := &out[i]
		w.last = e.seq
		var d struct {
			Objects  int      `json:"d_objects"`
			Root     string   `json:"d_objects_root"`
			Salt     string   `json:"d_objects_salt"`
			Handling []string `json:"d_handling"`
			Charter  int64    `json:"d_charter"`
			Digest   string   `json:"d_charter_digest"`
			Repeated bool     `json:"d_repeated"`
			Manifest bool     `json:"d_manifest"`
			Pages    int      `json:"d_pages"`
			SHA256   string   `json:"d_sha256"`
			Subject  []string `json:"subject"`
		}
		if err := json.Unmarshal(e.body, &d); err != nil {
			w.T.Fatal(err)
		}
		e.Objects, e.Root, e.Salt, e.Handling, e.Charter, e.Digest = d.Objects, d.Root, d.Salt, d.Handling, d.Charter, d.Digest
		e.Repeated, e.Manifest, e.Pages, e.SHA256, e.Subject = d.Repeated, d.Manifest, d.Pages, d.SHA256, d.Subject
	}
	return slices.DeleteFunc(out, func(e told) bool {
		return !strings.HasSuffix(e.kind, ".serve") && e.kind != "artifact.download" && !strings.HasSuffix(e.kind, ".open") || e.kind == "wave.open" || e.kind == "session.open"
	})
}

func unbased(t testing.TB, to []byte, text string) {
	t.Helper()
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(b) != len(to) {
		t.Fatalf("%q: %d bytes, %v", text, len(b), err)
	}
	copy(to, b)
}

// gave checks that what was recorded since is one event, which states exactly what the
// organisation received: received, in order.
func (w *watch) gave(what string, org exchange.OrgID, received [][]byte) told {
	w.T.Helper()
	es := w.since()
	if len(es) != 1 || es[0].org != string(org) {
		w.T.Fatalf("%s: %d events, %+v", what, len(es), es)
	}
	var all []verify.ObjectVersion
	for _, raw := range received {
		v, err := verify.VersionOf(raw)
		if err != nil {
			w.T.Fatalf("%s: %v", what, err)
		}
		all = append(all, v)
	}
	w.states(what, es[0], all)
	return es[0]
}

// states checks an event against what was received.
func (w *watch) states(what string, e told, all []verify.ObjectVersion) {
	w.T.Helper()
	var root tlog.Hash
	var salt [verify.SaltSize]byte
	unbased(w.T, root[:], e.Root)
	unbased(w.T, salt[:], e.Salt)
	if e.Objects != len(all) || verify.ObjectsRoot(salt, all) != root || e.Repeated {
		w.T.Fatalf("%s: the event does not state what was received, %d objects: %s", what, len(all), e.body)
	}
	if len(e.Handling) == 0 || len(e.Handling) > 9 || e.Charter == 0 {
		w.T.Fatalf("%s: under which handling and charter? %s", what, e.body)
	}
	again, _, gone, err := w.X.Delivery.Covered(w.T.Context(), e.code)
	if err != nil || len(gone) > 0 {
		w.T.Fatalf("%s: made again: %v, %v", what, gone, err)
	}
	if diff := cmp.Diff(all, again); diff != "" {
		w.T.Fatalf("%s: made again: %s", what, diff)
	}
	p, err := verify.ProveObject(salt, again, len(again)/2)
	if err == nil {
		err = p.Verify(root)
	}
	if err != nil {
		w.T.Fatalf("%s: %v", what, err)
	}
}

// mixture is things at random, of which parts are withheld from all but one person:
// with versions and without, observables and their copies among them.
func mixture(r *rand.Rand, from, n int) []servertest.Thing {
	var all []servertest.Thing
	red := func(t *servertest.Thing, paths ...string) {
		if r.IntN(3) == 0 {
			t.Grains = map[exchange.TLP][]string{exchange.TLPRed: paths}
		}
	}
	for i := from; i < from+n; i++ {
		var t servertest.Thing
		switch r.IntN(5) {
		case 0:
			t = thing("email-addr", i, fmt.Sprintf(`"value":"u%d@example.com","display_name":"user %d"`, i, i))
			red(&t, "display_name")
		case 1:
			t = thing("domain-name", i, fmt.Sprintf(`"value":"d%d.example"`, i))
		case 2:
			t = indicatorOf(i, fmt.Sprint("CANARY", i))
			red(&t, "description")
		case 3:
			t = malwareOf(i, fmt.Sprint("malware ", i))
			if r.IntN(4) == 0 {
				t.Label = exchange.TLPRed
			}
		default:
			t = malwareOf(i, fmt.Sprint("malware ", i))
			if len(all) > 1 {
				t = relation(i, all[len(all)-1], all[len(all)-2])
				if strings.HasPrefix(all[len(all)-1].ID, "relationship") || strings.HasPrefix(all[len(all)-2].ID, "relationship") {
					t = malwareOf(i, fmt.Sprint("malware ", i))
				}
			}
		}
		all = append(all, t)
	}
	return all
}

func newMixture(t *testing.T, seed uint64) (*watch, *rand.Rand, []exchange.Artifact) {
	t.Helper()
	w := servertest.New(t)
	r := rand.New(rand.NewPCG(seed, 28))
	rel := w.Draft("Mixture", t0)
	var arts []exchange.Artifact
	for i := range 4 {
		things := mixture(r, 100*(i+1), 10+r.IntN(30))
		a := w.Submit(rel.ID, exchange.DetectionGuidance, fmt.Sprintf("m%d.json", i), servertest.Graph(seed*10+uint64(i), things...), servertest.Label(exchange.TLPAmber),
			func(in *submission.Input) {
				in.Handling.Persons = []exchange.PersonID{w.Reader(servertest.EarlyB).Person}
			})
		w.Grain(a, things...)
		arts = append(arts, a)
	}
	arts = append(arts, w.Submit(rel.ID, exchange.DetectionGuidance, "plain.json", servertest.Bundle(40, seed+9)))
	w.Arm(rel.ID)
	w.Clock.Set(early)
	x := &watch{World: w}
	x.since()
	return x, r, arts
}

// objectsOn is the objects of a page, byte by byte.
func objectsOn(t testing.TB, p *delivery.Page) [][]byte {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(p.Between("[", "]"), &list); err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, raw := range list {
		out = append(out, slices.Clone(raw))
	}
	return out
}

// For pages, readers and redactions at random: the root that the event states is that
// of what the reader received, and from what is kept beside the event it is made
// again. What the reader was given before is not recorded anew, and a page with one
// object more is.
func TestDisclosures(t *testing.T) {
	for seed := range uint64(3) {
		w, r, _ := newMixture(t, seed+1)
		bearers := map[exchange.OrgID][][]byte{}
		for _, a := range []exchange.Actor{w.Machine(servertest.EarlyA), w.Reader(servertest.EarlyB), w.Machine(servertest.Validator)} {
			had := map[string]bool{}
			for range 25 {
				q := delivery.Query{Limit: 1 + r.IntN(60), Bare: r.IntN(2) == 0}
				if r.IntN(3) > 0 {
					q.After = early.UnixMicro() + int64(r.IntN(200))*1000
				}
				if r.IntN(3) == 0 {
					q.Types = []string{"malware", "email-addr"}[r.IntN(2):]
				}
				p, err := w.X.Delivery.Page(t.Context(), a, testkit.Program, q)
				if err != nil {
					t.Fatal(err)
				}
				if p.Len == 0 {
					continue
				}
				received := objectsOn(t, p)
				p.Close()
				fresh := false
				for _, raw := range received {
					fresh = fresh || !had[string(raw)]
					had[string(raw)] = true
				}
				if !fresh {
					if es := w.since(); len(es) > 0 {
						t.Fatalf("a page of what the reader has is recorded: %s", es[0].body)
					}
					continue
				}
				e := w.gave(fmt.Sprintf("%s: %+v", a.Org, q), a.Org, received)
				bearers[a.Org] = append(bearers[a.Org], e.body)
			}
			if err := w.X.Delivery.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			es := w.since()
			if len(es) != 1 || !es[0].Repeated || es[0].Pages < 2 || es[0].Root != "" || len(es[0].Subject) == 0 || es[0].Charter == 0 {
				t.Fatalf("what was summed up: %+v", es)
			}
			w.manifest(a)
			w.byID(a, had)
		}
		for org, bodies := range bearers { // what an event says is of its reader
			for _, body := range bodies {
				for _, other := range []exchange.OrgID{servertest.EarlyA, servertest.EarlyB, servertest.Validator} {
					if other != org && bytes.Contains(body, []byte(other)) {
						t.Errorf("an event of %s names %s: %s", org, other, body)
					}
				}
			}
		}
	}
}

// manifest checks what is recorded of a manifest: identifiers and versions, as it says
// them.
func (w *watch) manifest(a exchange.Actor) {
	w.T.Helper()
	es, _, err := w.X.Delivery.Manifest(w.T.Context(), a, testkit.Program, delivery.Query{Limit: 1000})
	if err != nil {
		w.T.Fatal(err)
	}
	var all []verify.ObjectVersion
	for _, e := range es {
		v := verify.ObjectVersion{ID: e.ID}
		if e.Version != 0 {
			v.Version = verify.VersionAt(e.Version)
		}
		all = append(all, v)
	}
	got := w.since()
	if len(got) != 1 || !got[0].Manifest || len(all) == 0 {
		w.T.Fatalf("a manifest of %d: %+v", len(all), got)
	}
	w.states("a manifest", got[0], all)
	if _, _, err := w.X.Delivery.Manifest(w.T.Context(), a, testkit.Program, delivery.Query{Limit: 10}); err != nil {
		w.T.Fatal(err)
	}
	if got := w.since(); len(got) != 0 {
		w.T.Errorf("a manifest of what was named is recorded: %+v", got)
	}
	if err := w.X.Delivery.Flush(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
	if got := w.since(); len(got) != 1 || !got[0].Manifest || !got[0].Repeated || got[0].Objects != min(10, len(all)) {
		w.T.Errorf("a manifest of what was named: %+v", got)
	}
}

// byID checks what is recorded of objects asked for by their identifiers.
func (w *watch) byID(a exchange.Actor, had map[string]bool) {
	w.T.Helper()
	n := 0
	for raw := range had {
		if n++; n > 8 {
			return
		}
		v, err := verify.VersionOf([]byte(raw))
		if err != nil {
			w.T.Fatal(err)
		}
		o, err := w.X.Delivery.Object(w.T.Context(), a, testkit.Program, v.ID)
		if err != nil {
			w.T.Fatal(err)
		}
		if string(o.Raw) != raw {
			w.T.Fatalf("%s: other bytes", v.ID)
		}
		w.gave("the object "+v.ID, a.Org, [][]byte{o.Raw})
		if _, err := w.X.Delivery.Object(w.T.Context(), a, testkit.Program, v.ID+"0"); exchange.KindOf(err) != exchange.NotFound {
			w.T.Fatal(err)
		}
		if es := w.since(); len(es) > 0 {
			w.T.Fatalf("what was not given is recorded: %s", es[0].body)
		}
	}
}

// The same over HTTP: TAXII, the API, a look-up, a download.
func TestDisclosuresOverHTTP(t *testing.T) {
	w, _, arts := newMixture(t, 7)
	base, token := w.Serve(), w.Token(servertest.EarlyA)
	get := func(method, path, body string) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		if strings.HasPrefix(path, "/taxii2") {
			req.Header.Set("Accept", "application/taxii+json;version=2.1")
		}
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		out, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %s %v", path, resp.Status, out, err)
		}
		return out
	}
	listed := func(answer []byte) (out [][]byte) {
		t.Helper()
		var page struct{ Objects []json.RawMessage }
		if err := json.Unmarshal(answer, &page); err != nil || len(page.Objects) == 0 {
			t.Fatalf("%s: %v", answer, err)
		}
		for _, raw := range page.Objects {
			out = append(out, raw)
		}
		return out
	}
	w.since()
	taxii := "/taxii2/api/collections/" + string(testkit.Program)
	first := listed(get("GET", taxii+"/objects/?limit=30", ""))
	w.gave("a TAXII page", servertest.EarlyA, first)
	w.gave("a longer TAXII page", servertest.EarlyA, listed(get("GET", taxii+"/objects/?limit=31", "")))
	w.gave("a page of the API", servertest.EarlyA, listed(get("GET", "/api/v1/programs/"+string(testkit.Program)+"/objects?limit=100", "")))
	get("GET", taxii+"/objects/?limit=30", "")
	v, err := verify.VersionOf(first[3])
	if err != nil {
		t.Fatal(err)
	}
	get("GET", taxii+"/objects/"+v.ID+"/", "")
	if es := w.since(); len(es) > 0 {
		t.Fatalf("what the reader has is recorded: %s", es[0].body)
	}
	var one struct{ Object json.RawMessage }
	if err := json.Unmarshal(get("GET", "/api/v1/programs/"+string(testkit.Program)+"/objects/"+v.ID, ""), &one); err != nil {
		t.Fatal(err)
	}
	w.gave("an object of the API", servertest.EarlyA, [][]byte{one.Object})
	w.lookup(get)
	art := arts[len(arts)-1]
	body := get("GET", "/api/v1/artifacts/"+string(art.ID)+"/content", "")
	es := w.since()
	if len(es) != 1 || es[0].kind != "artifact.download" || es[0].SHA256 != fmt.Sprintf("%x", sha256.Sum256(body)) || len(es[0].Handling) != 1 || es[0].Charter == 0 {
		t.Fatalf("a download: %+v", es)
	}
	if n := len(es[0].body); n > 520 {
		t.Errorf("%d bytes for the event of a download", n)
	}
}

// lookup checks what is recorded of a look-up: the objects that it tells of.
func (w *watch) lookup(get func(method, path, body string) []byte) {
	w.T.Helper()
	if _, err := w.X.Lookup.Follow(w.T.Context(), 1<<20); err != nil {
		w.T.Fatal(err)
	}
	var values []string
	for i := range 500 {
		values = append(values, fmt.Sprintf("d%d.example", i))
	}
	text, _ := json.Marshal(map[string]any{"values": values})
	var out struct {
		Results []struct{ Matches []struct{ Object string } }
	}
	if err := json.Unmarshal(get("POST", "/api/v1/lookup", string(text)), &out); err != nil {
		w.T.Fatal(err)
	}
	var got []string
	for _, r := range out.Results {
		for _, m := range r.Matches {
			got = append(got, m.Object)
		}
	}
	es := w.since()
	if len(es) != 1 || es[0].kind != "object.serve" || len(got) < 3 {
		w.T.Fatalf("a look-up that tells of %v: %+v", got, es)
	}
	all, _, _, err := w.X.Delivery.Covered(w.T.Context(), es[0].code)
	if err != nil {
		w.T.Fatal(err)
	}
	w.states("a look-up", es[0], all)
	var stated []string
	for _, v := range all {
		stated = append(stated, v.ID)
	}
	slices.Sort(got)
	slices.Sort(stated)
	if diff := cmp.Diff(slices.Compact(got), stated); diff != "" {
		w.T.Errorf("a look-up: %s", diff)
	}
}

// Of an observable that was taken out nothing can be proved any more, and of what has
// a version still; the root stays what it was.
func TestCoveredAfterRemoval(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Removal", t0)
	a := w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Graph(5,
		thing("domain-name", 1, `"value":"d.example"`), malwareOf(2, "two"), thing("domain-name", 3, `"value":"e.example"`)))
	w.Arm(r.ID)
	w.Clock.Set(early)
	x := &watch{World: w}
	x.since()
	p, err := w.X.Delivery.Page(t.Context(), w.Machine(servertest.EarlyA), testkit.Program, delivery.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	e := x.gave("a page", servertest.EarlyA, objectsOn(t, p))
	before, _, _, err := w.X.Delivery.Covered(t.Context(), e.code)
	if err != nil {
		t.Fatal(err)
	}
	err = w.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
		for _, id := range []string{stixtest.ID("domain-name", 500, 1), stixtest.ID("malware", 500, 2)} {
			objs, err := tx.Bearers(a.Program, id)
			if err != nil || len(objs) != 1 {
				return fmt.Errorf("%d objects, %w", len(objs), err)
			}
			if err := tx.TakeOut(objs); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	after, _, gone, err := w.X.Delivery.Covered(t.Context(), e.code)
	if err != nil || len(gone) != 1 || before[gone[0]].ID != stixtest.ID("domain-name", 500, 1) {
		t.Fatalf("gone: %v, %v", gone, err)
	}
	after[gone[0]].Version = before[gone[0]].Version
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	for _, code := range [][]byte{nil, {9}, {1, 0xff, 0xff, 0x01, 0, 0}} {
		if _, _, _, err := w.X.Delivery.Covered(t.Context(), code); err == nil {
			t.Errorf("%v was read", code)
		}
	}
}

// The event of a page of one artifact is short, and says under which charter it was
// decided: that of the view, which the program room keeps.
func TestEventOfAPage(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Short", t0)
	w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Bundle(120, 3))
	w.Arm(r.ID)
	w.Clock.Set(early)
	x := &watch{World: w}
	x.since()
	p, err := w.X.Delivery.Page(t.Context(), w.Machine(servertest.EarlyA), testkit.Program, delivery.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	e := x.gave("a page", servertest.EarlyA, objectsOn(t, p))
	if len(e.body) > 520 || len(e.code) > 12 {
		t.Errorf("%d bytes, and %d to cover it: %s", len(e.body), len(e.code), e.body)
	}
	receipt, err := verify.Receipt{
		Opening: verify.Opening{Event: e.body}, Index: 999_999, Proof: make(tlog.RecordProof, 20), Checkpoint: make([]byte, 240),
	}.MarshalBinary()
	if err != nil || len(receipt) >= 1536 {
		t.Errorf("%d bytes for a receipt among a million entries, %v", len(receipt), err)
	}
	c, revision, err := w.X.Programs.Charter(t.Context(), w.Operator, testkit.Program)
	if err != nil {
		t.Fatal(err)
	}
	if e.Charter != revision || e.Digest != exchange.CharterDigest(c.TOML()) {
		t.Errorf("charter %d %s, want %d", e.Charter, e.Digest, revision)
	}
}
