package submission_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/format/stix20"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func TestBundle(t *testing.T) {
	h := newHouse(t)
	a, b := object("0000000a", `,"x_more":"ä é"`), object("0000000b", "")
	var told int64
	in := submission.Input{Filename: "june.json", Progress: func(n int64) { told = n }}
	text := bundle(a, b, a) // the first again, byte by byte
	r := h.mustSubmit(in, text)
	want := exchange.Artifact{
		ID: r.Artifact.ID, Number: r.Artifact.Number, Release: release, Program: testkit.Program, Class: exchange.DetectionGuidance,
		Kind: exchange.ArtifactSTIX, Title: "june.json", Filename: "june.json", MediaType: "application/stix+json;version=2.1",
		Handling: testkit.Charter().Handling, SHA256: r.Artifact.SHA256, Size: int64(len(text)), Objects: 2,
		Originator: testkit.Owner, SubmittedBy: operator.Person, SubmittedAt: testkit.Start,
		SelfContained: true,
	}
	if d := cmp.Diff(want, r.Artifact); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]int{"indicator": 3}, r.Types); d != "" || r.Held != 0 || r.Duplicate {
		t.Errorf("receipt: %s, %+v", d, r)
	}
	if r.Release.Revision != 2 || told != int64(len(text)) {
		t.Errorf("revision %d, told %d", r.Release.Revision, told)
	}
	if d := cmp.Diff(stored{Artifacts: 1, Ready: 1, Objects: 2, Classes: 1, Events: 1, Revision: 2}, h.stored()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"indicator--0000000a-" + uuid: a, "indicator--0000000b-" + uuid: b}, h.raw(r.Artifact)); d != "" {
		t.Error("bytes:", d)
	}
	body := storetest.Value[[]byte](t, h.db, `SELECT body FROM event WHERE kind = 'artifact.submit'`)
	var event map[string]any
	if err := json.Unmarshal(body, &event); err != nil {
		t.Fatal(err)
	}
	if event["d_objects"] != 2.0 || event["d_tlp"] != "TLP:AMBER+STRICT" || event["d_sha256"] != r.Artifact.SHA256 || event["actor_person"] != string(operator.Person) {
		t.Errorf("event: %s", body)
	}

	again := h.mustSubmit(in, text)
	if !again.Duplicate || again.Artifact.ID != r.Artifact.ID {
		t.Errorf("again: %+v", again)
	}
	if got := h.stored(); got.Artifacts != 1 || got.Events != 1 || got.Revision != 2 {
		t.Errorf("the same submission twice is not one: %+v", got)
	}
	_, err := h.submit(submission.Input{Filename: "june.json", Handling: exchange.Handling{TLP: exchange.TLPGreen}}, text)
	wantKind(t, err, exchange.Conflict)
	other := h.mustSubmit(submission.Input{Filename: "june.json", Class: exchange.Summary}, text)
	if other.Duplicate {
		t.Error("another class is another artifact")
	}
}

// Many at once hand in the same: one is stored, all are told of it.
func TestSameAtOnce(t *testing.T) {
	h := newHouse(t)
	text := bundle(object("0000000a", ""))
	ids := make([]exchange.ArtifactID, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			r, err := h.submit(submission.Input{}, text)
			if err != nil {
				t.Error(describe(err))
			}
			ids[i] = r.Artifact.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("artifacts %v", ids)
		}
	}
	if d := cmp.Diff(stored{Artifacts: 1, Ready: 1, Objects: 1, Classes: 1, Events: 1, Revision: 2}, h.stored()); d != "" {
		t.Error(d)
	}
}

// Whatever is wrong with a bundle, every problem is named and nothing stays.
func TestInvalidBundle(t *testing.T) {
	bad := object("0000000b", `,"created_by_ref":"nobody"`)
	var long bytes.Buffer
	if err := stixtest.Bundle(&long, 25_000, 1, stixtest.Options{Size: 500}); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, text string
		paths      []string
		total      int
	}{
		{"one object", bundle(object("0000000a", ""), bad), []string{"$.objects[1].created_by_ref"}, 1},
		{"two objects", bundle(bad, object("0000000a", ""), object("0000000c", `,"object_marking_refs":["x"]`)), []string{"$.objects[0].created_by_ref", "$.objects[2].object_marking_refs[0]"}, 2},
		{"no objects", bundle(), []string{"$.objects"}, 1},
		{"cut off after 25,000 objects", long.String()[:long.Len()-10], nil, 1},
		{"another content", bundle(object("0000000a", ""), object("0000000a", `,"name":"other"`)), []string{"$.objects[1]"}, 1},
		{"not STIX 2.1", `{"type":"bundle","id":"bundle--00000000-` + uuid + `","spec_version":"3.0","objects":[` + object("0000000a", "") + `]}`, []string{"$.spec_version"}, 1},
		{"STIX 2.0 that is wrong in 2.1, too", `{"type":"bundle","id":"bundle--00000000-` + uuid + `","spec_version":"2.0","objects":[{"type":"tool"}]}`, []string{"$.objects[0].id"}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			before := h.stored()
			_, err := h.submit(submission.Input{}, c.text)
			wantKind(t, err, exchange.Invalid)
			var e *exchange.Error
			if !errors.As(err, &e) || e.Total != c.total && c.total > 0 {
				t.Fatalf("%s", describe(err))
			}
			for i, p := range c.paths {
				if e.Problems[i].Path != p || e.Problems[i].Code == "" {
					t.Errorf("problem %d: %+v, want at %s", i, e.Problems[i], p)
				}
			}
			if d := cmp.Diff(before, h.stored()); d != "" {
				t.Errorf("something stayed: %s", d)
			}
		})
	}
}

// A STIX 2.0 bundle is taken as what it is in STIX 2.1, with a list of what that
// changed; handed in again it is the same submission.
func TestSTIX20(t *testing.T) {
	h := newHouse(t)
	old := `{"type":"bundle","id":"bundle--00000000-` + uuid + `","spec_version":"2.0","objects":[
		{"type":"tool","id":"tool--0000000a-` + uuid + `","created":"2017-04-06T19:58:16.000Z","modified":"2017-04-06T19:58:16.000Z","labels":["exploitation"],"name":"A"}]}`
	got, err := h.submit(submission.Input{}, old)
	if err != nil || got.Artifact.Objects != 1 || got.Types["tool"] != 1 {
		t.Fatalf("%+v, %s", got, describe(err))
	}
	var paths []string
	for _, w := range got.Warnings {
		if w.Code == stix20.RuleLift {
			paths = append(paths, w.Path)
		}
	}
	if d := cmp.Diff([]string{"$.spec_version", "$.objects[0].spec_version", "$.objects[0].labels"}, paths); d != "" {
		t.Error(d)
	}
	body := storetest.Value[[]byte](t, h.db, `SELECT body FROM event WHERE kind = 'artifact.submit'`)
	if sum := sha256.Sum256([]byte(old)); !bytes.Contains(body, []byte(`"d_lifted_from":"`+hex.EncodeToString(sum[:]))) {
		t.Errorf("the record does not name what was handed in: %s", body)
	}
	again, err := h.submit(submission.Input{}, old)
	if err != nil || !again.Duplicate || again.Artifact.ID != got.Artifact.ID || len(again.Warnings) < 3 {
		t.Errorf("again: %+v, %s", again, describe(err))
	}
}

// AT-06: no ingest without a policy; the program's default fills it in.
func TestPolicy(t *testing.T) {
	none := func(c *exchange.Charter) { c.Handling = exchange.Handling{} }
	tlpOnly := func(c *exchange.Charter) { c.Handling = exchange.Handling{TLP: exchange.TLPAmber} }
	full := exchange.Handling{TLP: exchange.TLPAmber, PAP: exchange.PAPAmber}
	cases := []struct {
		name    string
		charter func(*exchange.Charter)
		in      exchange.Handling
		paths   []string
		want    exchange.Handling
	}{
		{"nothing", none, exchange.Handling{}, []string{"handling.tlp", "handling.pap"}, exchange.Handling{}},
		{"a label without a policy", none, exchange.Handling{TLP: exchange.TLPGreen}, []string{"handling.pap"}, exchange.Handling{}},
		{"a policy without a label", none, exchange.Handling{PAP: exchange.PAPGreen}, []string{"handling.tlp"}, exchange.Handling{}},
		{"half from the default", tlpOnly, exchange.Handling{PAP: exchange.PAPAmber}, nil, full},
		{"red without persons", tlpOnly, exchange.Handling{TLP: exchange.TLPRed, PAP: exchange.PAPRed}, []string{"handling.persons"}, exchange.Handling{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, c.charter)
			r, err := h.submit(submission.Input{Handling: c.in}, bundle(object("0000000a", "")))
			var e *exchange.Error
			errors.As(err, &e)
			var paths []string
			if e != nil {
				for _, p := range e.Problems {
					paths = append(paths, p.Path)
				}
			}
			if d := cmp.Diff(c.paths, paths); d != "" {
				t.Errorf("%s: %s", describe(err), d)
			}
			if d := cmp.Diff(c.want, r.Artifact.Handling); d != "" {
				t.Error(d)
			}
			if n := h.stored().Artifacts; (n == 1) != (c.paths == nil) {
				t.Errorf("%d artifacts", n)
			}
		})
	}
}

// Every fault of the description at once, before any byte is read.
func TestDescription(t *testing.T) {
	h := newHouse(t)
	in := submission.Input{
		Release: release, Class: exchange.Samples, Kind: "stx", Filename: "../x", Title: "a\nb",
		MediaType: "text", Supersedes: "art_aaaaaaaaaaaaaaaa",
	}
	_, err := h.room.Submit(t.Context(), operator, in, failing{})
	var e *exchange.Error
	if !errors.As(err, &e) || e.Kind != exchange.Invalid {
		t.Fatal(describe(err))
	}
	var paths []string
	for _, p := range e.Problems {
		paths = append(paths, p.Path)
	}
	if d := cmp.Diff([]string{"class", "kind", "filename", "title", "media_type", "supersedes"}, paths); d != "" {
		t.Error(d)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("read although refused") }

// Who may not know of the release gets the answer that an unknown one gets.
func TestWhoMaySubmit(t *testing.T) {
	token := func(a exchange.Actor, p exchange.ProgramID, verbs ...exchange.Verb) exchange.Actor {
		a.Token, a.Verbs, a.Program, a.Machine = "fw_x", verbs, p, true
		return a
	}
	stranger := exchange.Actor{Person: "per_x", Org: "elsewhere", Roles: []exchange.Role{exchange.RoleOperator}}
	cases := []struct {
		name  string
		actor exchange.Actor
		want  exchange.Kind // "": it may
	}{
		{"operator", operator, ""},
		{"system", exchange.System(), ""},
		{"operator's token to submit", token(operator, "", exchange.VerbSubmit), ""},
		{"operator's token for the program", token(operator, testkit.Program, exchange.VerbOperate), ""},
		{"operator's token to read", token(operator, "", exchange.VerbRead), exchange.Denied},
		{"operator's token for another program", token(operator, "other", exchange.VerbSubmit), exchange.NotFound},
		{"approver", approver, exchange.Denied},
		{"approver's token to submit", token(approver, "", exchange.VerbSubmit), exchange.Denied},
		{"analyst of the owner", testkit.Actor(testkit.Person(testkit.Owner, "ann", exchange.RoleAnalyst)), exchange.NotFound},
		{"member", member, exchange.NotFound},
		{"member's token to submit", token(member, "", exchange.VerbSubmit), exchange.NotFound},
		{"operator of another exchange member", stranger, exchange.NotFound},
		{"administrator", exchange.Actor{Person: "per_a", Org: "exchange", Roles: []exchange.Role{exchange.RoleAdmin}}, exchange.NotFound},
		{"public", exchange.Public(), exchange.NotFound},
	}
	h := newHouse(t)
	held := h.mustSubmit(submission.Input{Filename: "held"}, "held").Artifact.ID
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := submission.Input{Release: release, Class: exchange.Summary, Filename: fmt.Sprint(i)}
			_, err := h.room.Submit(t.Context(), c.actor, in, strings.NewReader("text"))
			wantKind(t, err, c.want)
			in.Release = "rel_bbbbbbbbbbbbbbbb"
			_, unknown := h.room.Submit(t.Context(), c.actor, in, strings.NewReader("text"))
			wantKind(t, unknown, exchange.NotFound)
			if c.want == exchange.NotFound {
				if d := cmp.Diff(unknown.Error(), err.Error()); d != "" {
					t.Errorf("withheld differs from unknown: %s", d)
				}
			}
			if c.want == "" {
				return
			}
			_, err = h.room.Remove(t.Context(), c.actor, held)
			wantKind(t, err, c.want)
			_, unknown = h.room.Remove(t.Context(), c.actor, "art_bbbbbbbbbbbbbbbb")
			if c.want == exchange.NotFound && err.Error() != unknown.Error() {
				t.Errorf("withheld %v differs from unknown %v", err, unknown)
			}
		})
	}
}

func TestWhenNothingIsTaken(t *testing.T) {
	h := newHouse(t)
	for _, state := range []exchange.ReleaseState{exchange.ReleaseClosed, exchange.ReleaseWithdrawn} {
		h.state(release, state)
		_, err := h.submit(submission.Input{}, "text")
		wantKind(t, err, exchange.Conflict)
	}
	h.state(release, exchange.ReleaseDraft)
	h.clock.Set(time.Date(2030, 5, 31, 21, 59, 59, 0, time.UTC)) // the sunset day, in Berlin
	h.mustSubmit(submission.Input{Filename: "last"}, "text")
	h.clock.Set(time.Date(2030, 5, 31, 22, 0, 0, 0, time.UTC))
	before := h.stored()
	_, err := h.submit(submission.Input{Filename: "too late"}, "text")
	wantKind(t, err, exchange.Conflict)
	if err == nil || !strings.Contains(err.Error(), "sunset") {
		t.Errorf("the answer does not name the reason: %v", err)
	}
	if d := cmp.Diff(before, h.stored()); d != "" {
		t.Error(d)
	}
}

func TestKinds(t *testing.T) {
	advisory := func(label string) string {
		return `{"document":{"category":"csaf_security_advisory","csaf_version":"2.0","title":"Pump",` +
			`"distribution":{"tlp":{"label":"` + label + `"}},` +
			`"publisher":{"category":"vendor","name":"Example","namespace":"https://example.com"},` +
			`"tracking":{"current_release_date":"2027-01-01T00:00:00Z","id":"EX-1","initial_release_date":"2027-01-01T00:00:00Z",` +
			`"revision_history":[{"date":"2027-01-01T00:00:00Z","number":"1","summary":"first"}],"status":"final","version":"1"}}}`
	}
	cases := []struct {
		name  string
		in    submission.Input
		text  string
		kind  exchange.ArtifactKind
		title string
		err   exchange.Kind
	}{
		{"bundle", submission.Input{}, bundle(object("0000000a", "")), exchange.ArtifactSTIX, "STIX bundle", ""},
		{"objects first", submission.Input{}, `{"objects":[` + object("0000000a", "") + `],"type":"bundle","id":"bundle--00000000-` + uuid + `"}`, exchange.ArtifactSTIX, "STIX bundle", ""},
		{"advisory", submission.Input{Filename: "ex-1.json"}, advisory("AMBER"), exchange.ArtifactCSAF, "Pump", ""},
		{"advisory with a fault", submission.Input{}, strings.Replace(advisory("AMBER"), `"id":"EX-1",`, "", 1), "", "", exchange.Invalid},
		{"advisory to persons nobody named", submission.Input{}, advisory("RED"), "", "", exchange.Invalid},
		{"other JSON", submission.Input{Filename: "x.json"}, `{"type":"indicator","id":"x"}`, exchange.ArtifactFile, "x.json", ""},
		{"broken JSON", submission.Input{}, `{"type":`, exchange.ArtifactFile, "File", ""},
		{"markdown", submission.Input{Filename: "note.md"}, "# Pump: what to do\n\nStop it.", exchange.ArtifactMarkdown, "Pump: what to do", ""},
		{"markdown, not UTF-8", submission.Input{Filename: "note.md"}, "# \xff", "", "", exchange.Invalid},
		{"markdown, too long", submission.Input{Filename: "note.md"}, strings.Repeat("x", 1<<20+1), "", "", exchange.Invalid},
		{"rule", submission.Input{Filename: "a.yar", Title: "Rule"}, "rule a {}", exchange.ArtifactFile, "Rule", ""},
		{"said to be STIX", submission.Input{Kind: exchange.ArtifactSTIX}, "rule a {}", "", "", exchange.Invalid},
		{"said to be a file", submission.Input{Kind: exchange.ArtifactFile}, bundle(object("0000000a", "")), exchange.ArtifactFile, "File", ""},
		{"empty", submission.Input{}, "", "", "", exchange.Invalid},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			r, err := h.submit(c.in, c.text)
			wantKind(t, err, c.err)
			if r.Artifact.Kind != c.kind || r.Artifact.Title != c.title {
				t.Errorf("%s %q: %s", r.Artifact.Kind, r.Artifact.Title, describe(err))
			}
			if n := h.stored(); c.err != "" && n.Artifacts+n.Objects+n.Events != 0 {
				t.Errorf("stored %+v", n)
			}
		})
	}
}

// An advisory's own label tightens the handling and never loosens it.
func TestAdvisoryLabel(t *testing.T) {
	text := `{"document":{"category":"csaf_base","csaf_version":"2.0","title":"Pump","distribution":{"tlp":{"label":"AMBER"}},` +
		`"publisher":{"category":"vendor","name":"Example","namespace":"https://example.com"},` +
		`"tracking":{"current_release_date":"2027-01-01T00:00:00Z","id":"EX-1","initial_release_date":"2027-01-01T00:00:00Z",` +
		`"revision_history":[{"date":"2027-01-01T00:00:00Z","number":"1","summary":"first"}],"status":"final","version":"1"}}}`
	for given, want := range map[exchange.TLP]exchange.TLP{
		exchange.TLPClear: exchange.TLPAmber, exchange.TLPAmber: exchange.TLPAmber, exchange.TLPAmberStrict: exchange.TLPAmberStrict,
	} {
		h := newHouse(t)
		r := h.mustSubmit(submission.Input{Handling: exchange.Handling{TLP: given}}, text)
		if r.Artifact.Handling.TLP != want || (len(r.Warnings) == 1) != (given < want) {
			t.Errorf("%s gives %s, %v", given, r.Artifact.Handling.TLP, r.Warnings)
		}
		if kept := storetest.Value[string](t, h.db, `SELECT handling FROM artifact`); !strings.Contains(kept, fmt.Sprintf(`"tlp":%d`, want)) {
			t.Errorf("stored as %s", kept)
		}
	}
}

func TestLimit(t *testing.T) {
	h := newHouse(t)
	room := submission.New(submission.Config{Store: sqlstore.For[submission.Tx](h.db), Blobs: h.blobs, Limit: 4})
	in := submission.Input{Release: release, Class: exchange.Summary}
	_, err := room.Submit(t.Context(), operator, in, strings.NewReader("12345"))
	wantKind(t, err, exchange.Exhausted)
	if _, err := room.Submit(t.Context(), operator, in, strings.NewReader("1234")); err != nil {
		t.Error(err)
	}
}

// A caller who goes away in the middle leaves nothing behind.
func TestCancelled(t *testing.T) {
	h := newHouse(t)
	before := h.stored()
	ctx, cancel := context.WithCancel(t.Context())
	store := &cancelling{Rooms: sqlstore.For[submission.Tx](h.db), after: 3, cancel: cancel}
	room := submission.New(submission.Config{Store: store, Blobs: h.blobs})
	_, err := room.Submit(ctx, operator, submission.Input{Release: release, Class: exchange.Summary}, stixtest.Reader(50_000, 1, stixtest.Options{Size: 500}))
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if store.updates < 3 {
		t.Errorf("only %d transactions: nothing was stored before the end", store.updates)
	}
	if d := cmp.Diff(before, h.stored()); d != "" {
		t.Error(d)
	}
}

// cancelling ends the caller's context after some transactions.
type cancelling struct {
	sqlstore.Rooms[submission.Tx]
	updates, after int
	cancel         func()
}

func (c *cancelling) Update(ctx context.Context, fn func(submission.Tx) error) error {
	c.updates++
	err := c.Rooms.Update(ctx, fn)
	if c.updates == c.after {
		c.cancel()
	}
	return err
}
