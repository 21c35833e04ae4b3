package taxii_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
)

// rights asks for the community's collection: "rw", "r-", "-w", or the status.
func (w *world) rights(account string) string {
	w.t.Helper()
	resp := w.ask("GET", w.vars["w"]+"/", account)
	if resp.StatusCode != 200 {
		return resp.Status
	}
	var c struct {
		Read  bool `json:"can_read"`
		Write bool `json:"can_write"`
	}
	w.must(json.NewDecoder(resp.Body).Decode(&c))
	out := []byte("--")
	if c.Read {
		out[0] = 'r'
	}
	if c.Write {
		out[1] = 'w'
	}
	return string(out)
}

// post tries to write, with a body that cannot be taken: what it is answered
// says whether it was looked at.
func (w *world) post(account string) int {
	w.t.Helper()
	return w.ask("POST", w.vars["w"]+"/objects/", account, "Content-Type: text/plain", "< x").StatusCode
}

func (w *world) expect(when string, want map[string]string) {
	w.t.Helper()
	for account, rights := range want {
		if got := w.rights(account); got != rights {
			w.t.Errorf("%s: %s has %s, want %s", when, account, got, rights)
		}
		status := map[string]int{"rw": 415, "-w": 415, "r-": 403}[rights]
		if status == 0 {
			status = 404
		}
		if got := w.post(account); got != status {
			w.t.Errorf("%s: POST by %s answers %d, want %d", when, account, got, status)
		}
	}
}

const unknown = "404 Not Found"

// TestRights holds both rights to what they depend on: charter, membership,
// agreement, credential and sunset; each as soon as it changes.
func TestRights(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.tokens["peer-elsewhere"] = w.tokenFor("org-peer", membership.TokenRequest{Program: "closed"})
	w.tokens["writer-here"] = w.tokenFor("org-writer", membership.TokenRequest{Program: "community"})
	w.expect("at first", map[string]string{
		"writer": "rw", "writer-reads": "r-", "writer-writes": "-w", "writer-here": "rw", "peer-elsewhere": unknown,
		"peer": "rw", "dropper": "-w", "watcher": "r-", "promise": unknown, "reader": unknown, "outsider": unknown,
	})

	_, err := w.x.Members.SuspendMember(ctx, exchange.System(), "community", "org-writer", "test")
	w.must(err)
	w.expect("suspended", map[string]string{"writer": unknown, "writer-writes": unknown, "peer": "rw"})
	_, err = w.x.Members.ResumeMember(ctx, exchange.System(), "community", "org-writer")
	w.must(err)
	w.expect("reinstated", map[string]string{"writer": "rw", "writer-writes": "-w"})

	charter, err := os.ReadFile("testdata/community.toml")
	w.must(err)
	apply := func(old, new string) {
		t.Helper()
		if !strings.Contains(string(charter), old) {
			t.Fatalf("the charter has no %s", old)
		}
		charter = []byte(strings.Replace(string(charter), old, new, 1))
		_, err := w.x.Programs.Apply(ctx, exchange.System(), charter, false)
		w.must(err)
	}
	apply(`from = ["sharing", "dropping"]`, `from = ["dropping"]`)
	w.expect("another charter", map[string]string{"writer": "r-", "peer": "r-", "dropper": "-w", "watcher": "r-"})
	apply(`to = ["sharing", "watching"]`, `to = ["sharing", "watching", "dropping"]`)
	w.expect("a drop box opened", map[string]string{"dropper": "rw"})
	apply(`from = ["dropping"]`, `from = ["sharing"]`)
	apply(`to = ["sharing", "watching", "dropping"]`, `to = ["watching"]`)
	w.expect("another drop box", map[string]string{"writer": "-w", "peer": "-w", "dropper": "r-", "watcher": "r-", "writer-reads": unknown})

	w.clock.Set(time.Date(2030, time.May, 31, 21, 59, 59, 0, time.UTC))
	for _, account := range []string{"writer", "peer", "watcher"} {
		w.tokens[account] = w.tokenFor(accounts[account].org, membership.TokenRequest{})
	}
	w.expect("on the last day", map[string]string{"writer": "-w", "peer": "-w", "watcher": "r-"})
	w.clock.Advance(time.Second)
	w.expect("past the sunset", map[string]string{"writer": unknown, "peer": unknown, "watcher": "r-"})
}

// tokenFor issues a token that reads and writes.
func (w *world) tokenFor(org exchange.OrgID, r membership.TokenRequest) string {
	w.t.Helper()
	people, err := w.x.Members.People(w.t.Context(), exchange.System(), org)
	w.must(err)
	r.Person, r.Name, r.TTL = people[0].ID, "test", 30*24*time.Hour
	r.Verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
	secret, _, err := w.x.Members.IssueToken(w.t.Context(), exchange.System(), r)
	w.must(err)
	return secret
}

// A program that has no contributions is readable by all its members, as ever.
func TestReadersOfReleases(t *testing.T) {
	w := newWorld(t)
	for _, account := range []string{"reader", "second", "later"} {
		c, err := w.x.Delivery.Collection(t.Context(), w.actor(account), "early-warning")
		if err != nil || !c.CanRead || c.CanWrite || c.ID != delivery.CollectionID("early-warning") {
			t.Errorf("%s: %+v, %v", account, c, err)
		}
	}
}
