package authn_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/authn"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// counted counts the transactions that authn needs.
type counted struct {
	authn.Store
	views atomic.Int64
}

func (c *counted) View(ctx context.Context, fn func(authn.Tx) error) error {
	c.views.Add(1)
	return c.Store.View(ctx, fn)
}

type world struct {
	clock *testkit.Clock
	db    *sqlstore.DB
	store *counted
	auth  *authn.Service
	room  *membership.Service
	ana   exchange.Person
	admin exchange.Actor
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{clock: testkit.NewClock(), ana: testkit.Person("alpha", "ana", exchange.RoleAnalyst, exchange.RoleSignatory)}
	w.ana.TimeZone = "Europe/Berlin"
	w.db = storetest.SQLite(t, store.Options{Now: w.clock.Now})
	w.store = &counted{Store: sqlstore.For[authn.Tx](w.db)}
	w.auth = authn.New(authn.Config{Store: w.store, Generation: w.db.Generation, Now: w.clock.Now})
	w.room = membership.New(membership.Config{Store: sqlstore.For[membership.Tx](w.db)})
	admin := testkit.Person("registrar", "admin", exchange.RoleAdmin)
	w.admin = testkit.Actor(admin)
	testkit.Put(t, sqlstore.For[testkit.Tx](w.db),
		testkit.Organisation("registrar"), testkit.Organisation("alpha"), testkit.Organisation("beta"),
		admin, w.ana, testkit.Person("beta", "bob", exchange.RoleAnalyst))
	return w
}

func (w *world) token(t *testing.T) (string, exchange.Token) {
	t.Helper()
	secret, token, err := w.room.IssueToken(t.Context(), w.admin, membership.TokenRequest{
		Person: w.ana.ID, Name: "siem", Verbs: []exchange.Verb{exchange.VerbRead}, Ceiling: exchange.TLPAmber,
		Machine: true, TTL: 24 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return secret, token
}

func (w *world) signIn(t *testing.T) string {
	t.Helper()
	code, err := w.room.IssueLink(t.Context(), w.admin, w.ana.ID, false, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	secret, _, _, err := w.auth.SignIn(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestBearerAndBasicNameTheSameActor(t *testing.T) {
	w := newWorld(t)
	secret, token := w.token(t)
	key := secret[len(token.ID)+1:]
	want := exchange.Actor{
		Person: w.ana.ID, Token: token.ID, Org: "alpha", Name: "siem", Roles: w.ana.Roles, Verbs: token.Verbs,
		Ceiling: exchange.TLPAmber, Channel: exchange.ChannelTAXII, Machine: true, Zone: "Europe/Berlin",
	}
	for range 2 { // from the store, then from memory
		got, err := w.auth.Bearer(t.Context(), secret, exchange.ChannelTAXII)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("bearer: %v %s", err, diff)
		}
		for _, user := range []string{w.ana.Login, string(token.ID)} {
			for _, password := range []string{secret, key} {
				got, err := w.auth.Basic(t.Context(), user, password, exchange.ChannelTAXII)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("basic as %s: %v %s", user, err, diff)
				}
			}
		}
	}
}

// The secret part with a login finds the token without anything in memory.
func TestBasicWithLoginAndSecretFirst(t *testing.T) {
	w := newWorld(t)
	secret, token := w.token(t)
	got, err := w.auth.Basic(t.Context(), w.ana.Login, secret[len(token.ID)+1:], exchange.ChannelAPI)
	if err != nil || got.Token != token.ID || got.Channel != exchange.ChannelAPI {
		t.Errorf("%+v, %v", got, err)
	}
}

// All failures are the same, with a warm cache and without.
func TestFailuresAreAlike(t *testing.T) {
	w := newWorld(t)
	secret, token := w.token(t)
	other, otherToken := w.token(t)
	session := w.signIn(t)
	key := secret[len(token.ID)+1:]
	ctx := t.Context()
	fake := strings.Repeat("a", 52)
	var want string
	for range 2 {
		for name, try := range map[string]func() error{
			"nothing":                   func() error { return second(w.auth.Bearer(ctx, "", exchange.ChannelAPI)) },
			"no token":                  func() error { return second(w.auth.Bearer(ctx, "fw_x_y", exchange.ChannelAPI)) },
			"secret alone":              func() error { return second(w.auth.Bearer(ctx, key, exchange.ChannelAPI)) },
			"wrong secret":              func() error { return second(w.auth.Bearer(ctx, string(token.ID)+"_"+fake, exchange.ChannelAPI)) },
			"unknown token":             func() error { return second(w.auth.Bearer(ctx, "fw_aaaaaaaaaaaa_"+fake, exchange.ChannelAPI)) },
			"secret of another token":   func() error { return second(w.auth.Bearer(ctx, string(otherToken.ID)+"_"+key, exchange.ChannelAPI)) },
			"session as token":          func() error { return second(w.auth.Bearer(ctx, string(token.ID)+"_"+session, exchange.ChannelAPI)) },
			"upper case":                func() error { return second(w.auth.Bearer(ctx, strings.ToUpper(secret), exchange.ChannelAPI)) },
			"no user":                   func() error { return second(w.auth.Basic(ctx, "", secret, exchange.ChannelAPI)) },
			"another user":              func() error { return second(w.auth.Basic(ctx, "bob@beta", secret, exchange.ChannelAPI)) },
			"another user, secret part": func() error { return second(w.auth.Basic(ctx, "bob@beta", key, exchange.ChannelAPI)) },
			"another token as user":     func() error { return second(w.auth.Basic(ctx, string(otherToken.ID), secret, exchange.ChannelAPI)) },
			"another token, part":       func() error { return second(w.auth.Basic(ctx, string(otherToken.ID), key, exchange.ChannelAPI)) },
			"no password":               func() error { return second(w.auth.Basic(ctx, w.ana.Login, "", exchange.ChannelAPI)) },
			"session as password":       func() error { return second(w.auth.Basic(ctx, w.ana.Login, session, exchange.ChannelAPI)) },
			"token as session":          func() error { return second(w.auth.Session(ctx, key)) },
			"unknown session":           func() error { return second(w.auth.Session(ctx, fake)) },
			"no session":                func() error { return second(w.auth.Session(ctx, "")) },
			"unknown link": func() error {
				_, _, _, err := w.auth.SignIn(ctx, fake)
				return err
			},
		} {
			err := try()
			if exchange.KindOf(err) != exchange.Unsigned {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if want == "" {
				want = err.Error()
			}
			if err.Error() != want {
				t.Errorf("%s: %q differs from %q", name, err, want)
			}
		}
		// warms the memory for the second round
		for _, s := range []string{secret, other} {
			if _, err := w.auth.Bearer(ctx, s, exchange.ChannelAPI); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.auth.Session(ctx, session); err != nil {
			t.Fatal(err)
		}
	}
}

func second(_ exchange.Actor, err error) error { return err }

// A fault of the store is not taken for a wrong secret.
func TestStoreFaultIsNoRefusal(t *testing.T) {
	w := newWorld(t)
	secret, _ := w.token(t)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := w.auth.Bearer(t.Context(), secret, exchange.ChannelAPI)
	if !errors.Is(err, sqlstore.ErrClosed) || exchange.KindOf(err) == exchange.Unsigned {
		t.Errorf("%v", err)
	}
}

// AT-14, the credentials' part: whatever suspends, revokes or expires takes
// effect on the next call, although the credential was in memory.
func TestAT14SuspensionEndsCredentialsAtOnce(t *testing.T) {
	tests := []struct {
		name                 string
		act, back            func(w *world, token exchange.TokenID) error
		tokenLives, sessions bool // whether token and session live on
		tokenBack            bool // whether the token works again after back
	}{
		{
			name: "person",
			act: func(w *world, _ exchange.TokenID) error {
				return w.room.SuspendPerson(context.Background(), w.admin, w.ana.ID)
			},
			back: func(w *world, _ exchange.TokenID) error {
				return w.room.ResumePerson(context.Background(), w.admin, w.ana.ID)
			},
			tokenBack: true,
		},
		{
			name: "organisation",
			act: func(w *world, _ exchange.TokenID) error {
				_, err := w.room.SuspendOrganisation(context.Background(), w.admin, "alpha", "breach")
				return err
			},
			back: func(w *world, _ exchange.TokenID) error {
				_, err := w.room.ResumeOrganisation(context.Background(), w.admin, "alpha")
				return err
			},
			tokenBack: true,
		},
		{
			name: "token",
			act: func(w *world, id exchange.TokenID) error {
				return w.room.RevokeToken(context.Background(), w.admin, id)
			},
			back:     func(*world, exchange.TokenID) error { return nil },
			sessions: true,
		},
		{
			name: "time",
			act: func(w *world, _ exchange.TokenID) error {
				w.clock.Advance(24 * time.Hour)
				return nil
			},
			back: func(*world, exchange.TokenID) error { return nil },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			secret, token := w.token(t)
			session := w.signIn(t)
			link, err := w.room.IssueLink(t.Context(), w.admin, w.ana.ID, false, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			works := func() (bool, bool) {
				_, one := w.auth.Bearer(t.Context(), secret, exchange.ChannelTAXII)
				_, two := w.auth.Session(t.Context(), session)
				return one == nil, two == nil
			}
			if token, session := works(); !token || !session {
				t.Fatal("the credentials do not work to begin with")
			}
			if err := tt.act(w, token.ID); err != nil {
				t.Fatal(err)
			}
			if token, session := works(); token || session != tt.sessions {
				t.Errorf("token works %v, session works %v", token, session)
			}
			if !tt.sessions {
				if _, _, _, err := w.auth.SignIn(t.Context(), link); exchange.KindOf(err) != exchange.Unsigned {
					t.Errorf("an old link: %v", err)
				}
			}
			if err := tt.back(w, token.ID); err != nil {
				t.Fatal(err)
			}
			if token, session := works(); token != tt.tokenBack || session != tt.sessions {
				t.Errorf("afterwards: token works %v, session works %v", token, session)
			}
		})
	}
}

// Another process that suspends somebody is noticed within half a second.
func TestSuspensionByAnotherNode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		url := e.URL(t)
		synctest.Test(t, func(t *testing.T) {
			here, there := e.OpenAt(t, url), e.OpenAt(t, url)
			ana := testkit.Person("alpha", "ana", exchange.RoleAnalyst)
			testkit.Put(t, sqlstore.For[testkit.Tx](here), testkit.Organisation("alpha"), ana)
			room := membership.New(membership.Config{Store: sqlstore.For[membership.Tx](there)})
			auth := authn.New(authn.Config{Store: sqlstore.For[authn.Tx](here), Generation: here.Generation, Now: time.Now})
			secret, _, err := room.IssueToken(t.Context(), exchange.System(), membership.TokenRequest{
				Person: ana.ID, Name: "x", Verbs: []exchange.Verb{exchange.VerbRead}, TTL: time.Hour,
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := auth.Bearer(t.Context(), secret, exchange.ChannelAPI); err != nil {
				t.Fatal(err)
			}
			if err := room.SuspendPerson(t.Context(), exchange.System(), ana.ID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond) // of the bubble
			if _, err := auth.Bearer(t.Context(), secret, exchange.ChannelAPI); exchange.KindOf(err) != exchange.Unsigned {
				t.Errorf("still let in: %v", err)
			}
		})
	})
}

// A call with a known credential needs no transaction while nothing changes.
func TestHotCallsReadNothing(t *testing.T) {
	w := newWorld(t)
	secret, _ := w.token(t)
	session := w.signIn(t)
	call := func() {
		if _, err := w.auth.Bearer(t.Context(), secret, exchange.ChannelAPI); err != nil {
			t.Fatal(err)
		}
		if _, err := w.auth.Session(t.Context(), session); err != nil {
			t.Fatal(err)
		}
	}
	call()
	before := w.store.views.Load()
	for range 100 {
		call()
	}
	if n := w.store.views.Load() - before; n != 0 {
		t.Errorf("%d transactions for 200 calls", n)
	}
	testkit.Put(t, sqlstore.For[testkit.Tx](w.db)) // another generation
	call()
	if n := w.store.views.Load() - before; n != 2 {
		t.Errorf("%d transactions after a change, want 2", n)
	}
}

func TestLinkWorksOnce(t *testing.T) {
	w := newWorld(t)
	code, err := w.room.IssueLink(t.Context(), w.admin, w.ana.ID, false, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var opened atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, _, _, err := w.auth.SignIn(t.Context(), code); err == nil {
				opened.Add(1)
			}
		})
	}
	all.Wait()
	if n := opened.Load(); n != 1 {
		t.Errorf("%d sessions from one link", n)
	}

	again, err := w.room.IssueLink(t.Context(), exchange.System(), w.ana.ID, true, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, _, _, err := w.auth.SignIn(t.Context(), again); err != nil {
			t.Error(err)
		}
	}
	w.clock.Advance(time.Hour)
	if _, _, _, err := w.auth.SignIn(t.Context(), again); exchange.KindOf(err) != exchange.Unsigned {
		t.Errorf("after its end: %v", err)
	}
}

func TestSessionLifeAndSignOut(t *testing.T) {
	w := newWorld(t)
	code, err := w.room.IssueLink(t.Context(), w.admin, w.ana.ID, false, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	secret, expires, actor, err := w.auth.SignIn(t.Context(), code)
	want := exchange.Actor{
		Person: w.ana.ID, Org: "alpha", Name: w.ana.Login, Roles: w.ana.Roles,
		Channel: exchange.ChannelWeb, Zone: "Europe/Berlin",
	}
	if diff := cmp.Diff(want, actor); err != nil || diff != "" || !expires.Equal(testkit.Start.Add(12*time.Hour)) {
		t.Fatalf("%v %s %s", err, expires, diff)
	}
	w.clock.Set(expires.Add(-time.Microsecond))
	got, err := w.auth.Session(t.Context(), secret)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	w.clock.Set(expires)
	if _, err := w.auth.Session(t.Context(), secret); exchange.KindOf(err) != exchange.Unsigned {
		t.Errorf("at its end: %v", err)
	}

	secret2 := w.signIn(t)
	if _, err := w.auth.Session(t.Context(), secret2); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.auth.SignOut(t.Context(), secret2); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.auth.Session(t.Context(), secret2); exchange.KindOf(err) != exchange.Unsigned {
		t.Errorf("after signing out: %v", err)
	}

	var kinds []exchange.EventKind
	err = w.db.View(t.Context(), func(tx *sqlstore.Tx) error {
		all, err := tx.Events(record.EventFilter{Org: "alpha"})
		for _, e := range all {
			kinds = append(kinds, e.Kind)
			for _, s := range []string{code, secret, secret2} {
				if strings.Contains(string(e.Body), s) {
					t.Errorf("%s carries a secret", e.Kind)
				}
			}
		}
		return err
	})
	order := []exchange.EventKind{
		exchange.EventLinkIssued, exchange.EventSignedIn, exchange.EventLinkIssued, exchange.EventSignedIn, exchange.EventSignedOut,
	}
	if diff := cmp.Diff(order, kinds); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestUseIsNotedOncePerMinute(t *testing.T) {
	w := newWorld(t)
	secret, token := w.token(t)
	used := func() time.Time {
		if err := w.auth.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := w.room.Tokens(t.Context(), w.admin, "alpha")
		if err != nil || len(all) != 1 || all[0].ID != token.ID {
			t.Fatal(all, err)
		}
		return all[0].LastUsed
	}
	if !used().IsZero() {
		t.Error("used before it was")
	}
	for _, step := range []struct{ at, want time.Duration }{
		{0, 0}, {59 * time.Second, 0}, {60 * time.Second, 60 * time.Second}, {90 * time.Second, 60 * time.Second},
	} {
		w.clock.Set(testkit.Start.Add(step.at))
		if _, err := w.auth.Bearer(t.Context(), secret, exchange.ChannelAPI); err != nil {
			t.Fatal(err)
		}
		if got := used(); !got.Equal(testkit.Start.Add(step.want)) {
			t.Errorf("after a use at %s: %s", step.at, got)
		}
	}
}

func TestMain(m *testing.M) { storetest.Main(m) }
