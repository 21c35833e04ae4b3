package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	outbound "github.com/forewarn-exchange/forewarn/internal/outbound/webhook"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// t0 is a Thursday, 18:00 in Berlin; the wave of the cohort early is three
// business days before.
var (
	t0    = time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC)
	early = time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC)
)

// receiver is somebody's machine: it keeps what it verified.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	keys    []string
	status  int
	arrived func() // called when a message came; its sender then gets no answer
	now     func() time.Time
	got     []message
	wrong   []string
}

type message struct {
	id   string
	body string
	Type string         `json:"type"`
	At   time.Time      `json:"timestamp"`
	Data map[string]any `json:"data"`
}

func newReceiver(t *testing.T, now func() time.Time) *receiver {
	r := &receiver{status: http.StatusNoContent, now: now}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		body, _ := io.ReadAll(req.Body)
		if err := outbound.Verify(req.Header, body, r.keys, r.now()); err != nil {
			r.wrong = append(r.wrong, err.Error())
		}
		m := message{id: req.Header.Get(outbound.HeaderID), body: string(body)}
		if err := json.Unmarshal(body, &m); err != nil {
			r.wrong = append(r.wrong, err.Error())
		}
		r.got = append(r.got, m)
		if r.arrived != nil {
			r.arrived()
			<-req.Context().Done()
		}
		w.WriteHeader(r.status)
		fmt.Fprint(w, "answer-of-the-receiver")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(status int) { r.mu.Lock(); r.status = status; r.mu.Unlock() }

func (r *receiver) when(arrived func()) { r.mu.Lock(); r.arrived = arrived; r.mu.Unlock() }

// take returns what came since the last call.
func (r *receiver) take(t *testing.T) []message {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wrong) > 0 {
		t.Errorf("the receiver refused: %v", r.wrong)
	}
	out := r.got
	r.got, r.wrong = nil, nil
	return out
}

type scene struct {
	*servertest.World
	t *testing.T
}

func newScene(t *testing.T) scene {
	return scene{servertest.New(t, servertest.AllowLoopback), t}
}

// add makes a webhook of the organisation's person that leads to a receiver.
func (s scene) add(org exchange.OrgID, change ...func(*webhook.Request)) (*receiver, webhook.Webhook) {
	s.t.Helper()
	r := newReceiver(s.t, s.Clock.Now)
	q := webhook.Request{Program: testkit.Program, URL: r.URL + "/in?key=of-the-receiver"}
	for _, f := range change {
		f(&q)
	}
	w, err := s.X.Webhooks.Add(s.t.Context(), s.Reader(org), q)
	if err != nil {
		s.t.Fatal(err)
	}
	r.keys = []string{w.Keys[0].Shown()}
	return r, w
}

func (s scene) round() {
	s.t.Helper()
	if err := s.X.Releases.OpenDue(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if err := s.X.Webhooks.Round(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s scene) release(title string) exchange.Release {
	s.t.Helper()
	r := s.Draft(title, t0)
	s.Package(r.ID, 20)
	return s.Arm(r.ID)
}

func (s scene) status(org exchange.OrgID, id webhook.ID) webhook.Status {
	s.t.Helper()
	st, err := s.X.Webhooks.Read(s.t.Context(), s.Reader(org), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

func kinds(ms []message) (out []string) {
	for _, m := range ms {
		out = append(out, m.Type)
	}
	return out
}

// A member is told at its wave and not a second before, of nothing but that
// something waits and where.
func TestAnnouncesAtTheWave(t *testing.T) {
	s := newScene(t)
	in, hook := s.add(servertest.EarlyA)
	standard, _ := s.add(servertest.Standard)
	signed, key := s.add(servertest.EarlyB, func(q *webhook.Request) { q.Algorithm = webhook.Ed25519 })
	if !strings.HasPrefix(key.Keys[0].Shown(), webhook.PublicPrefix) || strings.Contains(key.Keys[0].Shown(), key.Keys[0].Secret) {
		t.Fatal("the key shown is not the public half")
	}
	r := s.release("Printer spooler")
	s.Clock.Set(early.Add(-time.Second))
	s.round()
	if ms := in.take(t); len(ms) != 0 {
		t.Fatalf("told before the wave: %v", ms)
	}
	s.Clock.Set(early)
	s.round()
	ms := in.take(t)
	if len(ms) != 1 || ms[0].Type != "collection.changed" || ms[0].Data["count_hint"] != 20.0 || ms[0].Data["program"] != string(testkit.Program) {
		t.Fatalf("at the wave: %+v", ms)
	}
	c, err := s.X.Delivery.Collection(t.Context(), s.Machine(servertest.EarlyA), string(testkit.Program))
	if err != nil || ms[0].Data["collection"] != c.ID || !strings.HasSuffix(ms[0].Data["url"].(string), "/collections/"+c.ID+"/objects/?added_after="+ms[0].Data["added_after"].(string)) {
		t.Errorf("it leads elsewhere: %+v (%v)", ms[0].Data, err)
	}
	for _, not := range []string{"Printer", string(r.ID), "art_", "indicator", "wave", "early\""} {
		if strings.Contains(ms[0].body, not) {
			t.Errorf("the message holds %q: %s", not, ms[0].body)
		}
	}
	if got := signed.take(t); len(got) != 1 {
		t.Errorf("signed with a key pair: %v", got)
	}
	if got := standard.take(t); len(got) != 0 {
		t.Errorf("a later cohort was told: %v", got)
	}
	s.round()
	s.Clock.Advance(time.Hour)
	s.round()
	if again := in.take(t); len(again) != 0 {
		t.Errorf("told twice: %v", again)
	}
	if st := s.status(servertest.EarlyA, hook.ID); st.Silent != "" || st.Cursor <= hook.Cursor {
		t.Errorf("status %+v", st)
	}
}

// Who is suspended, has no agreement or lost the token hears nothing, and what
// waits is announced when that ends.
func TestSilent(t *testing.T) {
	s := newScene(t)
	ctx := t.Context()
	in, hook := s.add(servertest.EarlyA)
	other, _ := s.add(servertest.EarlyB)
	s.release("One")
	if _, err := s.X.Members.SuspendMember(ctx, s.Operator, testkit.Program, servertest.EarlyA, "for a test"); err != nil {
		t.Fatal(err)
	}
	s.Clock.Set(early)
	s.round()
	if ms := in.take(t); len(ms) != 0 {
		t.Fatalf("suspended and told: %v", ms)
	}
	if ms := other.take(t); len(ms) != 1 {
		t.Fatalf("the other member: %v", ms)
	}
	if st := s.status(servertest.EarlyA, hook.ID); st.Silent == "" {
		t.Error("nothing says why it is silent")
	}
	if _, err := s.X.Webhooks.Test(ctx, s.Reader(servertest.EarlyA), hook.ID); err != nil {
		t.Fatal(err)
	}
	s.round()
	if ms := in.take(t); len(ms) != 0 {
		t.Fatalf("suspended and tested: %v", ms)
	}
	if _, err := s.X.Members.ResumeMember(ctx, s.Operator, testkit.Program, servertest.EarlyA); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(2 * time.Minute)
	s.round()
	s.round()
	if got := kinds(in.take(t)); !slices.Equal(got, []string{"webhook.test", "collection.changed"}) {
		t.Errorf("after the suspension: %v", got)
	}
	if _, err := s.X.Webhooks.Add(ctx, s.Reader(servertest.Unsigned), webhook.Request{Program: testkit.Program, URL: in.URL}); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("without the agreement: %v", err)
	}
}

// A webhook ends with the token that it was made with; its own person puts it
// under another.
func TestEndsWithItsToken(t *testing.T) {
	s := newScene(t)
	ctx := t.Context()
	in := newReceiver(t, s.Clock.Now)
	_, tok, err := s.X.Members.IssueToken(ctx, s.Reader(servertest.EarlyA), membership.TokenRequest{
		Person: s.Reader(servertest.EarlyA).Person, Name: "hooks", Verbs: []exchange.Verb{exchange.VerbOperate}, Program: testkit.Program,
		Ceiling: exchange.TLPGreen, TTL: 24 * time.Hour * 90,
	})
	if err != nil {
		t.Fatal(err)
	}
	a := s.Reader(servertest.EarlyA)
	a.Token, a.Verbs, a.Program, a.Ceiling, a.Channel = tok.ID, tok.Verbs, tok.Program, tok.Ceiling, exchange.ChannelAPI
	hook, err := s.X.Webhooks.Add(ctx, a, webhook.Request{Program: testkit.Program, URL: in.URL})
	if err != nil || hook.Ceiling != exchange.TLPGreen || !hook.ExpiresAt.Equal(tok.ExpiresAt) {
		t.Fatalf("%+v %v", hook, err)
	}
	in.keys = []string{hook.Keys[0].Shown()}
	s.release("Amber things") // its guidance is above the ceiling
	s.Clock.Set(early)
	s.round()
	if ms := in.take(t); len(ms) != 0 {
		t.Fatalf("told of what is above the ceiling: %v", ms)
	}
	if err := s.X.Members.RevokeToken(ctx, s.Reader(servertest.EarlyA), tok.ID); err != nil {
		t.Fatal(err)
	}
	if st := s.status(servertest.EarlyA, hook.ID); !strings.Contains(st.Silent, "revoked") {
		t.Errorf("silent: %q", st.Silent)
	}
	if _, err := s.X.Webhooks.Resume(ctx, s.Reader(servertest.EarlyA), hook.ID); err != nil {
		t.Fatal(err)
	}
	s.round()
	if ms := in.take(t); len(ms) != 1 {
		t.Fatalf("under the session: %v", ms)
	}
}

// A webhook acts in the hat of the credential that it was made with: it says
// nothing of what is withheld from that one.
func TestActsInItsHat(t *testing.T) {
	s := newScene(t)
	ctx := t.Context()
	o, err := s.X.Members.Organisation(ctx, s.Admin, servertest.EarlyA)
	if err != nil {
		t.Fatal(err)
	}
	o.Hats = []string{"csirt", "regulator"}
	if _, err := s.X.Members.ChangeOrganisation(ctx, s.Admin, o, 0); err != nil {
		t.Fatal(err)
	}
	const policies = `policies = 'forbid(principal, action == Action::"read", resource) when { context.hat == "regulator" };'` + "\n"
	if _, err := s.X.Programs.Apply(ctx, s.Operator, []byte(policies+string(testkit.CharterTOML())), false); err != nil {
		t.Fatal(err)
	}
	told := map[string]*receiver{}
	for _, hat := range []string{"csirt", "regulator"} {
		in := newReceiver(t, s.Clock.Now)
		a := s.Reader(servertest.EarlyA)
		a.Hat = hat
		hook, err := s.X.Webhooks.Add(ctx, a, webhook.Request{Program: testkit.Program, URL: in.URL})
		if err != nil {
			t.Fatal(err)
		}
		in.keys = []string{hook.Keys[0].Shown()}
		told[hat] = in
	}
	s.release("Spooler")
	s.Clock.Set(early)
	s.round()
	if ms := told["csirt"].take(t); len(ms) != 1 {
		t.Errorf("as CSIRT: %v", ms)
	}
	if ms := told["regulator"].take(t); len(ms) != 0 {
		t.Errorf("as regulator: %v", ms)
	}
}

// Retries follow the schedule with the same id and the same bytes, and stop in
// the end; 410 stops at once. Nothing is lost by it.
func TestRetries(t *testing.T) {
	s := newScene(t)
	in, hook := s.add(servertest.EarlyA)
	in.answers(http.StatusInternalServerError)
	s.release("One")
	s.Clock.Set(early)
	s.round()
	first := in.take(t)
	if len(first) != 1 {
		t.Fatalf("first: %v", first)
	}
	for n, wait := range webhook.Schedule {
		s.Clock.Advance(wait - time.Second)
		s.round()
		if ms := in.take(t); len(ms) != 0 {
			t.Fatalf("attempt %d came too early", n+2)
		}
		s.Clock.Advance(wait/10 + 2*time.Second)
		s.round()
		ms := in.take(t)
		if len(ms) != 1 || ms[0].id != first[0].id || ms[0].body != first[0].body {
			t.Fatalf("attempt %d: %+v, want %+v", n+2, ms, first)
		}
	}
	st := s.status(servertest.EarlyA, hook.ID)
	if st.State != webhook.Disabled || st.Cursor != hook.Cursor {
		t.Fatalf("after the last attempt: %+v", st)
	}
	told, err := s.X.Delivery.Notices(t.Context(), s.Reader(servertest.EarlyA), time.Time{}, 10)
	if err != nil || !slices.ContainsFunc(told, func(n exchange.Notice) bool { return n.Kind == exchange.EventWebhookDisabled }) {
		t.Errorf("no notice: %v %v", told, err)
	}
	in.answers(http.StatusOK)
	s.Clock.Advance(48 * time.Hour)
	s.round()
	if ms := in.take(t); len(ms) != 0 {
		t.Fatalf("disabled and told: %v", ms)
	}
	if _, err := s.X.Webhooks.Resume(t.Context(), s.Reader(servertest.EarlyA), hook.ID); err != nil {
		t.Fatal(err)
	}
	s.round()
	if ms := in.take(t); len(ms) != 1 || ms[0].Data["added_after"] != first[0].Data["added_after"] {
		t.Fatalf("after resuming: %+v", ms)
	}
	in.answers(http.StatusGone)
	if _, err := s.X.Webhooks.Replay(t.Context(), s.Reader(servertest.EarlyA), hook.ID, early.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	s.round()
	if st := s.status(servertest.EarlyA, hook.ID); st.State != webhook.Disabled || !strings.Contains(st.Reason, "410") {
		t.Errorf("after 410: %+v", st)
	}
}

// A message whose outcome was not written down goes again, with the same id.
func TestCrashBetweenSendAndRecord(t *testing.T) {
	s := newScene(t)
	in, hook := s.add(servertest.EarlyA)
	s.release("One")
	s.Clock.Set(early)
	// The server ends when the message has arrived and before its answer is known.
	ctx, end := context.WithCancel(t.Context())
	in.when(end)
	if err := s.X.Webhooks.Round(ctx); err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	first := in.take(t)
	in.when(nil)
	s.round()
	if ms := in.take(t); len(ms) != 0 || len(first) != 1 {
		t.Fatalf("before the lease ran out: %v, first %v", ms, first)
	}
	s.Clock.Advance(time.Minute + time.Second)
	s.round()
	second := in.take(t)
	if len(second) != 1 || second[0].id != first[0].id || second[0].body != first[0].body {
		t.Fatalf("%+v, want %+v", second, first)
	}
	if st := s.status(servertest.EarlyA, hook.ID); st.Waiting != 0 || st.Cursor == hook.Cursor {
		t.Errorf("status %+v", st)
	}
}

// Many additions between two messages are one message.
func TestCoalesces(t *testing.T) {
	s := newScene(t)
	in, hook := s.add(servertest.EarlyA)
	in.answers(http.StatusServiceUnavailable)
	for i := range uint64(3) {
		r := s.Draft(fmt.Sprint("Release ", i), t0)
		s.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", servertest.Bundle(20, 100+i))
		s.Arm(r.ID)
	}
	s.Clock.Set(early)
	s.round()
	in.take(t)
	later := s.Draft("Later", t0)
	s.Submit(later.ID, exchange.DetectionGuidance, "guidance.json", servertest.Bundle(5, 7))
	s.Arm(later.ID)
	s.round()
	if st := s.status(servertest.EarlyA, hook.ID); st.Waiting != 1 {
		t.Fatalf("%d wait", st.Waiting)
	}
	in.answers(http.StatusOK)
	s.Clock.Advance(time.Minute)
	s.round()
	s.round()
	ms := in.take(t)
	if len(ms) != 2 || ms[0].Data["count_hint"] != 60.0 || ms[1].Data["count_hint"] != 5.0 {
		t.Fatalf("%+v", ms)
	}
}

// Others of the organisation without a say, and other organisations, find
// nothing.
func TestOthersFindNothing(t *testing.T) {
	s := newScene(t)
	ctx := t.Context()
	_, hook := s.add(servertest.EarlyA)
	read := s.Reader(servertest.EarlyA)
	read.Verbs, read.Token = []exchange.Verb{exchange.VerbRead}, "fw_read"
	colleague := s.Reader(servertest.EarlyA)
	colleague.Person, colleague.Roles = "per_colleague", []exchange.Role{exchange.RoleAnalyst}
	elsewhere := s.Reader(servertest.EarlyA)
	elsewhere.Program = "another"
	for name, c := range map[string]struct {
		a    exchange.Actor
		want exchange.Kind
		read exchange.Kind
	}{
		"another member":       {s.Reader(servertest.EarlyB), exchange.NotFound, exchange.NotFound},
		"an operator":          {s.Operator, exchange.NotFound, exchange.NotFound},
		"an administrator":     {s.Admin, exchange.NotFound, exchange.NotFound},
		"nobody":               {exchange.Public(), exchange.NotFound, exchange.NotFound},
		"a colleague":          {colleague, exchange.NotFound, exchange.NotFound},
		"for another program":  {elsewhere, exchange.NotFound, exchange.NotFound},
		"a token that reads":   {read, exchange.Denied, ""},
		"an unknown signatory": {s.Reader(servertest.Outsider), exchange.NotFound, exchange.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			room := s.X.Webhooks
			_, read := room.Read(ctx, c.a, hook.ID)
			_, sendings := room.Sendings(ctx, c.a, hook.ID, 0, 10)
			for _, err := range []error{read, sendings} {
				if exchange.KindOf(err) != c.read {
					t.Errorf("reading: %v", err)
				}
			}
			_, pause := room.Pause(ctx, c.a, hook.ID)
			_, resume := room.Resume(ctx, c.a, hook.ID)
			_, rotate := room.Rotate(ctx, c.a, hook.ID)
			_, replay := room.Replay(ctx, c.a, hook.ID, testkit.Start.Add(-time.Hour))
			_, test := room.Test(ctx, c.a, hook.ID)
			_, again := room.Again(ctx, c.a, hook.ID, "msg_x")
			for i, err := range []error{pause, resume, rotate, replay, test, again, room.Remove(ctx, c.a, hook.ID)} {
				if exchange.KindOf(err) != c.want {
					t.Errorf("act %d: %v, want %q", i, err, c.want)
				}
			}
			all, err := room.List(ctx, c.a)
			if c.read != "" && (len(all) != 0 || err != nil && exchange.KindOf(err) != exchange.NotFound) {
				t.Errorf("list: %v %v", all, err)
			}
		})
	}
}

// Both keys sign for a day; then the new one alone.
func TestRotation(t *testing.T) {
	s := newScene(t)
	in, hook := s.add(servertest.EarlyA)
	a := s.Reader(servertest.EarlyA)
	now, err := s.X.Webhooks.Rotate(t.Context(), a, hook.ID)
	if err != nil || len(now.Keys) != 2 || now.Keys[0].Secret == hook.Keys[0].Secret {
		t.Fatalf("%d keys, %v", len(now.Keys), err)
	}
	test := func(keys ...string) (accepted bool) {
		t.Helper()
		in.keys = keys
		if _, err := s.X.Webhooks.Test(t.Context(), a, hook.ID); err != nil {
			t.Fatal(err)
		}
		s.round()
		in.mu.Lock()
		defer in.mu.Unlock()
		accepted = len(in.wrong) == 0 && len(in.got) == 1
		in.got, in.wrong = nil, nil
		return accepted
	}
	if !test(hook.Keys[0].Secret) || !test(now.Keys[0].Secret) {
		t.Error("during the overlap one of the keys is not used")
	}
	s.Clock.Advance(25 * time.Hour)
	if test(hook.Keys[0].Secret) || !test(now.Keys[0].Secret) {
		t.Error("after the overlap the old key still signs, or the new one does not")
	}
}

// Notices are announced by their id alone, those from before the webhook not.
func TestNotices(t *testing.T) {
	s := newScene(t)
	in, _ := s.add(servertest.EarlyA, func(q *webhook.Request) { q.Notices = true })
	s.release("One")
	s.Clock.Set(early)
	s.round()
	s.round()
	ms := in.take(t)
	told, err := s.X.Delivery.Notices(t.Context(), s.Reader(servertest.EarlyA), time.Time{}, 10)
	if err != nil || len(told) == 0 || len(ms) != len(told)+1 {
		t.Fatalf("%d messages, %d notices, %v", len(ms), len(told), err)
	}
	for _, m := range ms {
		if m.Type == webhook.KindNotice && (m.Data["notice"] == "" || strings.Contains(m.body, "One")) {
			t.Errorf("notice %s", m.body)
		}
	}
}

// Neither keys nor what a receiver wrote are in the record or in the log of
// deliveries; keys are in the store's own table alone.
func TestKeepsSecrets(t *testing.T) {
	s := newScene(t)
	in, hook := s.add(servertest.EarlyA)
	in.answers(http.StatusTeapot)
	if _, err := s.X.Webhooks.Test(t.Context(), s.Reader(servertest.EarlyA), hook.ID); err != nil {
		t.Fatal(err)
	}
	s.round()
	ds, err := s.X.Webhooks.Sendings(t.Context(), s.Reader(servertest.EarlyA), hook.ID, 0, 10)
	if err != nil || len(ds) != 1 || ds[0].Status != http.StatusTeapot || ds[0].State != webhook.Failed || ds[0].Error != "status" {
		t.Fatalf("%+v %v", ds, err)
	}
	if strings.Contains(fmt.Sprintf("%+v", ds), "answer-of-the-receiver") {
		t.Error("what the receiver wrote was kept")
	}
	for _, k := range []exchange.EventKind{exchange.EventWebhookAdded, exchange.EventWebhookChanged} {
		es, err := s.Events(k)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			if strings.Contains(string(e.Body), hook.Keys[0].Secret) || strings.Contains(string(e.Body), "of-the-receiver") {
				t.Errorf("the record holds %s", e.Body)
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	s := servertest.New(t) // nothing private is permitted
	for _, address := range []string{
		"", "x", "/in", "https://", "http://example.com/in", "ftp://example.com", "https://user:secret@example.com/", "https://example.com/#part",
		"https://" + strings.Repeat("a", 3000), "javascript:alert(1)", "https:example.com",
	} {
		_, err := s.X.Webhooks.Add(t.Context(), s.Reader(servertest.EarlyA), webhook.Request{Program: testkit.Program, URL: address})
		if exchange.KindOf(err) != exchange.Invalid || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.40q: %v", address, err)
		}
	}
	// A private address can be named; it is never reached.
	a := s.Reader(servertest.EarlyA)
	hook, err := s.X.Webhooks.Add(t.Context(), a, webhook.Request{Program: testkit.Program, URL: "https://127.0.0.1:9/in"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.X.Webhooks.Test(t.Context(), a, hook.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.X.Webhooks.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	ds, err := s.X.Webhooks.Sendings(t.Context(), a, hook.ID, 0, 1)
	if err != nil || len(ds) != 1 || ds[0].Error != "address" {
		t.Errorf("%+v %v", ds, err)
	}
}
