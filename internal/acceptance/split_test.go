package acceptance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	logfiles "github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/internal/witness"
	"github.com/forewarn-exchange/forewarn/verify"
)

// lenient is the program that does not stop its releases.
const lenient exchange.ProgramID = "lenient"

// watched is an exchange with two programs, of which the first stops when its
// witnesses do not agree, and with two witnesses that both programs name.
type watched struct {
	*scene
	*site
	key     string // of the log
	private string
	by      [2]*witness.Witness
	at      [2]string
	release map[exchange.ProgramID]exchange.Release
}

func newWatched(t *testing.T) *watched {
	w := servertest.New(t, func(c *config.Config) { c.Ledger.Allow = []string{"127.0.0.0/8"} })
	x := &watched{scene: &scene{World: w}, release: map[exchange.ProgramID]exchange.Release{}}
	ctx := t.Context()
	x.must(w.DB.View(ctx, func(tx *sqlstore.Tx) error {
		keys, err := tx.LogKeys(1)
		if err == nil {
			x.key, x.private = keys[0].Public, keys[0].Private
		}
		return err
	}))
	var named []exchange.Witness
	for i, name := range []string{"cert-tower", "audit-hill"} {
		dir := filepath.Join(t.TempDir(), name)
		key, err := witness.Init(dir, name+".example/witness")
		x.must(err)
		x.by[i], err = witness.Open(dir, []string{x.key}, witness.Options{Now: w.Clock.Now})
		x.must(err)
		s := httptest.NewServer(x.by[i].Handler())
		x.at[i] = s.URL
		t.Cleanup(func() {
			s.Close()
			_ = x.by[i].Close()
		})
		named = append(named, exchange.Witness{Name: name, Key: key, URL: s.URL})
	}
	for _, p := range []exchange.ProgramID{testkit.Program, lenient} {
		c := testkit.Charter()
		c.ID = p
		c.Ledger = exchange.Witnessing{Quorum: 1, Stop: p == testkit.Program, Witnesses: named}
		_, err := w.X.Programs.Apply(ctx, w.Operator, c.TOML(), false)
		x.must(err)
	}
	_, err := w.X.Members.Join(ctx, w.Operator, lenient, servertest.EarlyA)
	x.must(err)
	_, err = w.X.Members.Accept(ctx, w.Reader(servertest.EarlyA), lenient, 1)
	x.must(err)
	for i, p := range []exchange.ProgramID{testkit.Program, lenient} {
		r, err := w.X.Releases.Create(ctx, w.Operator, release.Draft{Program: p, Title: "zqadvisory" + string(p), Message: "Read this.", T0: july(15, 16)})
		x.must(err)
		w.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", servertest.Marked(uint64(800+i), ""))
		w.Submit(r.ID, exchange.Summary, "summary.md", strings.NewReader("# zqsummary"+string(p)+"\n"), servertest.Label(exchange.TLPClear))
		x.release[p] = w.Arm(r.ID)
	}
	x.site = serve(w)
	x.round()
	return x
}

func (x *watched) round() {
	x.T.Helper()
	x.must(x.X.Witnesses.Round(x.T.Context()))
}

func (x *watched) status(p exchange.ProgramID) room.Status {
	x.T.Helper()
	s, err := x.X.Witnesses.Status(x.T.Context(), x.Operator, p)
	x.must(err)
	return s
}

// standings are how the witnesses stand, in the charter's order.
func (x *watched) standings(p exchange.ProgramID) string {
	x.T.Helper()
	var out []string
	for _, w := range x.status(p).Witnesses {
		out = append(out, string(w.Standing))
	}
	return strings.Join(out, " ")
}

// fork is a second log with the key of the first: the same up to a size, and then
// other entries up to another.
func (x *watched) fork(same, size int64) *logfiles.Log {
	x.T.Helper()
	signer, err := note.NewSigner(x.private)
	x.must(err)
	ours := x.Ledger.Current()
	l, err := logfiles.Open(x.T.TempDir(), logfiles.Options{Origin: ours.Origin(), Signers: []note.Signer{signer}})
	x.must(err)
	x.T.Cleanup(func() { _ = l.Close() })
	var all [][]byte
	for i := range size {
		e := bytes.Repeat([]byte{byte(i)}, verify.EntrySize)
		if i < same {
			e, err = ours.Entry(i)
			x.must(err)
		}
		all = append(all, e)
	}
	x.must(l.Put(0, all))
	x.must(l.Wait(x.T.Context(), size))
	return l
}

// show asks a witness over HTTP to cosign a checkpoint.
func (x *watched) show(n int, l *logfiles.Log, old, size int64, checkpoint []byte) (status int, body string) {
	x.T.Helper()
	var proof tlog.TreeProof
	if old > 0 && old < size {
		var err error
		proof, err = l.Consistency(old, size)
		x.must(err)
	}
	req, err := http.NewRequestWithContext(x.T.Context(), http.MethodPost, x.at[n]+"/add-checkpoint",
		bytes.NewReader(verify.WitnessRequest(old, proof, checkpoint)))
	x.must(err)
	res, err := x.client.Do(req)
	x.must(err)
	defer res.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(res.Body)
	x.must(err)
	return res.StatusCode, b.String()
}

// sees is everything that EarlyA and everybody gets of a program, on all channels.
func (x *watched) sees(p exchange.ProgramID) string {
	x.T.Helper()
	id := string(x.release[p].ID)
	program, collection := "/programs/"+string(p), "/taxii2/api/collections/"+delivery.CollectionID(p)
	machine := x.tokenOf("a machine", servertest.EarlyA, "analyst", true, 0)
	browser := &reader{name: "a browser", org: servertest.EarlyA, person: x.Reader(servertest.EarlyA).Person, actor: x.Reader(servertest.EarlyA)}
	anybody := &reader{name: "everyone", actor: exchange.Public()}
	var all strings.Builder
	for _, on := range []struct {
		channel exchange.Channel
		r       *reader
		paths   []string
	}{
		{exchange.ChannelTAXII, machine, []string{collection + "/objects/", collection + "/manifest/", collection + "/objects/?match[version]=all"}},
		{exchange.ChannelAPI, machine, []string{
			"/api/v1/releases/" + id, "/api/v1" + program + "/releases", "/api/v1" + program + "/objects", "/api/v1" + program + "/search?q=zq", "/api/v1/releases/" + id + "/artifacts",
			"/api/v1/notices", "/api/v1/events", "/api/v1/ledger/entries",
		}},
		{exchange.ChannelWeb, browser, []string{"/", "/releases/" + id, program, program + "/objects", program + "/releases", "/notices", "/ledger", "/library"}},
		{exchange.ChannelPublic, anybody, []string{"/public", "/public/releases/" + id}},
	} {
		for _, path := range on.paths {
			resp, body, err := (&question{scene: x.scene, site: x.site, ctx: x.T.Context(), r: on.r, on: on.channel}).ask(path)
			x.must(err)
			if resp.StatusCode >= 500 {
				x.T.Fatalf("%s: %d %s", path, resp.StatusCode, body)
			}
			fmt.Fprintln(&all, path, resp.StatusCode, strings.ReplaceAll(body, id, ""))
		}
	}
	return all.String()
}

// of are the words by which a release would be known.
func (x *watched) of(p exchange.ProgramID) []string {
	seed := uint64(800)
	if p == lenient {
		seed++
	}
	return []string{"zqadvisory" + string(p), servertest.MarkedID(seed, 0)}
}

// A witness that was shown another history than the exchange has says so within one
// round. A program that stops then opens nothing on any channel; one that does not
// goes on. What speaks against the ledger stays when an operator has resolved it
// with a reason, after which the wave opens.
func TestSplitViewStopsReleases(t *testing.T) {
	x := newWatched(t)
	ctx := t.Context()
	if got := x.standings(testkit.Program); got != "agrees agrees" {
		t.Fatalf("at first: %s", got)
	}
	seen, _ := x.by[1].Newest(x.Ledger.Current().Origin())
	fork := x.fork(seen.Size, seen.Size+3)
	if status, body := x.show(1, fork, seen.Size, seen.Size+3, fork.Checkpoint()); status != http.StatusOK {
		t.Fatalf("the fork goes on from what the witness saw: %d %s", status, body)
	}
	for range 8 { // the exchange's own history goes on
		x.Draft("Something else", july(30, 16))
	}
	x.round()
	for _, p := range []exchange.ProgramID{testkit.Program, lenient} {
		st := x.status(p)
		if got := x.standings(p); got != "agrees disagrees" || len(st.Disagreements) != 1 || st.Disagreements[0].Kind != room.Refused {
			t.Errorf("%s after one round: %s, %+v", p, got, st.Disagreements)
		}
		if st.Held != (p == testkit.Program) {
			t.Errorf("%s: releases are held: %t", p, st.Held)
		}
	}
	if all, err := x.Events(exchange.EventWitnessDisagreed); err != nil || len(all) != 2 {
		t.Errorf("%d events of a disagreement, %v", len(all), err)
	}
	// The signed checkpoint of the fork proves it, whoever brings it.
	res, err := http.Post(x.url+"/log/cosignatures", "text/plain", bytes.NewReader(fork.Checkpoint()))
	x.must(err)
	res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		t.Errorf("the checkpoint of the fork: %s", res.Status)
	}
	proof := false
	for _, d := range x.status(testkit.Program).Disagreements {
		proof = proof || d.Kind == room.Fork && len(d.Theirs) > 0 && verify.Split(ctx, d.Theirs, atSize(x, d.Size), []string{x.key}, nil) != nil
	}
	if !proof {
		t.Error("nothing proves that two histories were shown")
	}

	x.Clock.Set(july(15, 17))
	x.round()
	x.must(x.X.Releases.OpenDue(ctx))
	for _, p := range []exchange.ProgramID{testkit.Program, lenient} {
		given := x.sees(p)
		for _, word := range x.of(p) {
			if got := strings.Contains(given, word); got != (p == lenient) {
				t.Errorf("%s, with a split view: %s is given: %t", p, word, got)
			}
		}
	}
	// No new release, either.
	late := x.Draft("Too late", july(29, 16))
	x.Submit(late.ID, exchange.Summary, "late.md", strings.NewReader("# late\n"))
	if _, err := x.X.Releases.Send(ctx, x.Operator, late.ID, 0); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("sending a release meanwhile: %v", err)
	}

	// Nobody else resolves it, and nobody without a reason.
	open := x.status(testkit.Program).Disagreements
	for _, d := range open {
		if _, err := x.X.Witnesses.Resolve(ctx, x.Reader(servertest.EarlyA), testkit.Program, d.ID, "please"); exchange.KindOf(err) != exchange.Denied {
			t.Errorf("a member resolves: %v", err)
		}
		if _, err := x.X.Witnesses.Resolve(ctx, x.Operator, testkit.Program, d.ID, " "); exchange.KindOf(err) != exchange.Invalid {
			t.Errorf("without a reason: %v", err)
		}
		if _, err := x.X.Witnesses.Resolve(ctx, x.Operator, lenient, d.ID, "of another program"); exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("by way of another program: %v", err)
		}
	}
	x.must(x.X.Releases.OpenDue(ctx))
	if given := x.sees(testkit.Program); strings.Contains(given, x.of(testkit.Program)[1]) {
		t.Error("it opened before it was resolved")
	}
	for _, d := range open {
		if d.Open() {
			_, err := x.X.Witnesses.Resolve(ctx, x.Operator, testkit.Program, d.ID, "the key was on a test machine")
			x.must(err)
		}
	}
	x.round()
	x.must(x.X.Releases.OpenDue(ctx))
	given := x.sees(testkit.Program)
	for _, word := range x.of(testkit.Program) {
		if !strings.Contains(given, word) {
			t.Errorf("resolved, and %s is not given", word)
		}
	}
	st := x.status(testkit.Program)
	if len(st.Disagreements) != len(open) || st.Held {
		t.Errorf("resolved: %d disagreements are kept of %d, held %t", len(st.Disagreements), len(open), st.Held)
	}
	for _, d := range st.Disagreements {
		if d.Open() || d.Reason == "" || d.ResolvedBy != x.Operator.Person {
			t.Errorf("resolved: %+v", d)
		}
	}
}

// atSize is the exchange's own checkpoint of a size, signed with its key: of every
// size there is one that it could have shown.
func atSize(x *watched, size int64) []byte {
	l := x.fork(size, size)
	return l.Checkpoint()
}

// A witness cosigns no checkpoint from before the newest that it cosigned, and none
// of a log that is shorter than it was; a reader who saw more is told.
func TestWitnessRefusesThePast(t *testing.T) {
	x := newWatched(t)
	log := x.Ledger.Current()
	old, oldSize := log.Checkpoint(), log.Size()
	for range 3 {
		x.Draft("Something else", july(30, 16))
		x.Clock.Advance(time.Minute)
		x.round()
	}
	size := log.Size()
	before, _ := x.by[0].Newest(log.Origin())
	if before.Size != size || size <= oldSize {
		t.Fatalf("the witness saw %d of %d", before.Size, size)
	}
	short := x.fork(oldSize-1, oldSize-1)
	for name, ask := range map[string]struct {
		l         *logfiles.Log
		old, size int64
		signed    []byte
		status    int
	}{
		"an old checkpoint again":                {log, oldSize, oldSize, old, http.StatusConflict},
		"an old checkpoint from nothing":         {log, 0, oldSize, old, http.StatusConflict},
		"an old checkpoint after the newest":     {log, size, oldSize, old, http.StatusBadRequest},
		"a log that shrank":                      {short, short.Size(), short.Size(), short.Checkpoint(), http.StatusConflict},
		"a log that shrank, after the newest":    {short, size, short.Size(), short.Checkpoint(), http.StatusBadRequest},
		"another history of the same size":       {x.fork(oldSize, size), size, size, x.fork(oldSize, size).Checkpoint(), http.StatusConflict},
		"another history that goes on from less": {x.fork(oldSize, size+1), size, size + 1, x.fork(oldSize, size+1).Checkpoint(), http.StatusUnprocessableEntity},
	} {
		if status, body := x.show(0, ask.l, ask.old, ask.size, ask.signed); status != ask.status {
			t.Errorf("%s: %d %s, want %d", name, status, body, ask.status)
		}
		if now, _ := x.by[0].Newest(log.Origin()); now.Size != size || now.Root != before.Root {
			t.Errorf("%s: the witness goes by %d entries now", name, now.Size)
		}
	}
	// Who watched the log until now is shown the log that shrank.
	last := verify.State{Origin: log.Origin(), Keys: []string{x.key}, Checkpoint: string(log.Checkpoint())}
	for name, l := range map[string]*logfiles.Log{"shrank": short, "another history": x.fork(oldSize, size)} {
		fetch := func(_ context.Context, path string) ([]byte, error) {
			b, _, err := l.File(path)
			return b, err
		}
		var bad *verify.Failure
		if _, _, err := (verify.Watch{Fetch: fetch, Keys: last.Keys}).Check(t.Context(), &last); !errors.As(err, &bad) {
			t.Errorf("%s: the reader is told %v", name, err)
		}
	}
	if got := x.standings(testkit.Program); got != "agrees agrees" {
		t.Errorf("what others showed to a witness: %s", got)
	}
}
