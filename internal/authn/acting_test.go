package authn_test

import (
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
)

func (w *world) hats(t *testing.T, hats ...string) {
	t.Helper()
	o, err := w.room.Organisation(t.Context(), w.admin, "alpha")
	if err != nil {
		t.Fatal(err)
	}
	o.Hats = hats
	if _, err := w.room.ChangeOrganisation(t.Context(), w.admin, o, 0); err != nil {
		t.Fatal(err)
	}
}

// A session acts in the hat that was chosen, and nobody in one that their
// organisation does not have.
func TestActAs(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.hats(t, "csirt", "regulator")
	one, two := w.signIn(t), w.signIn(t)
	acts := func(secret, hat, purpose string) {
		t.Helper()
		a, err := w.auth.Session(ctx, secret)
		if err != nil || a.Hat != hat || a.Purpose != purpose {
			t.Errorf("%q for %q, want %q for %q (%v)", a.Hat, a.Purpose, hat, purpose, err)
		}
	}
	acts(one, "", "")
	for _, step := range []struct{ hat, purpose string }{{"csirt", "assist"}, {"csirt", "assist"}, {"regulator", ""}, {"", "assist"}} {
		if err := w.auth.ActAs(ctx, one, step.hat, step.purpose); err != nil {
			t.Fatal(err)
		}
		acts(one, step.hat, step.purpose)
		acts(two, "", "")
	}
	for _, bad := range [][2]string{{"police", ""}, {"CSIRT", ""}, {"csirt", "To Assist"}} {
		if err := w.auth.ActAs(ctx, one, bad[0], bad[1]); exchange.KindOf(err) != exchange.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	acts(one, "", "assist")
	for _, secret := range []string{"", "x", exchange.RandomSecret()} {
		if err := w.auth.ActAs(ctx, secret, "csirt", ""); exchange.KindOf(err) != exchange.Unsigned {
			t.Errorf("no session: %v", err)
		}
	}
	w.clock.Advance(13 * time.Hour)
	if err := w.auth.ActAs(ctx, one, "csirt", ""); exchange.KindOf(err) != exchange.Unsigned {
		t.Errorf("an ended session: %v", err)
	}
}

// A token makes no token, and no session, that acts otherwise.
func TestTokenKeepsItsHat(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.hats(t, "csirt", "regulator")
	issue := func(a exchange.Actor, hat, purpose string) (string, error) {
		secret, _, err := w.room.IssueToken(ctx, a, membership.TokenRequest{
			Person: w.ana.ID, Name: "x", Verbs: []exchange.Verb{exchange.VerbOperate}, TTL: time.Hour, Hat: hat, Purpose: purpose,
		})
		return secret, err
	}
	secret, err := issue(w.admin, "csirt", "assist")
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.auth.Bearer(ctx, secret, exchange.ChannelAPI)
	if err != nil || a.Hat != "csirt" || a.Purpose != "assist" {
		t.Fatalf("%+v %v", a, err)
	}
	if _, err := issue(a, "csirt", "assist"); err != nil {
		t.Errorf("as it is itself: %v", err)
	}
	for _, other := range [][2]string{{"", "assist"}, {"regulator", "assist"}, {"csirt", ""}, {"csirt", "regulate"}} {
		if _, err := issue(a, other[0], other[1]); exchange.KindOf(err) != exchange.Invalid {
			t.Errorf("%q: %v", other, err)
		}
	}
	if _, err := w.room.IssueLink(ctx, a, w.ana.ID, false, time.Hour); exchange.KindOf(err) != exchange.Denied {
		t.Errorf("a session by a token in one hat: %v", err)
	}
	if _, err := issue(w.admin, "police", ""); exchange.KindOf(err) != exchange.Invalid {
		t.Errorf("a hat that there is not: %v", err)
	}
}
