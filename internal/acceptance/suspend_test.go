package acceptance

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// doors are addresses at which a reader who is let in gets 200.
func doors(r exchange.ReleaseID, a exchange.ArtifactID, object string) map[exchange.Channel][]string {
	collection := "/taxii2/api/collections/" + delivery.CollectionID(testkit.Program)
	program := "/programs/" + string(testkit.Program)
	return map[exchange.Channel][]string{
		exchange.ChannelTAXII: {collection + "/", collection + "/objects/", collection + "/manifest/", collection + "/objects/" + object + "/", collection + "/objects/" + object + "/versions/"},
		exchange.ChannelAPI: {
			"/api/v1" + program + "/objects", "/api/v1" + program + "/objects/" + object, "/api/v1" + program + "/objects/count", "/api/v1/releases/" + string(r),
			"/api/v1/releases/" + string(r) + "/outcome", "/api/v1/artifacts/" + string(a), "/api/v1/artifacts/" + string(a) + "/content",
		},
		exchange.ChannelWeb: {program + "/objects/" + object, "/releases/" + string(r), "/artifacts/" + string(a), "/artifacts/" + string(a) + "/content"},
	}
}

// AT-14: a suspension refuses every credential on every channel with the next
// request; nothing waits for a session to end or a cache to age. What is not
// suspended goes on, and a resumption lets in again.
func TestAT14_SuspensionCutsEveryChannelAtOnce(t *testing.T) {
	ctx := t.Context()
	for name, c := range map[string]struct {
		suspend, resume func(w *servertest.World) error
		others          bool // other people of the organisation are let in still
		status          int  // at a door: 401 where the credential itself is refused
	}{
		"organisation": {
			func(w *servertest.World) error {
				_, err := w.X.Members.SuspendOrganisation(ctx, w.Admin, servertest.EarlyA, "a leak")
				return err
			},
			func(w *servertest.World) error {
				_, err := w.X.Members.ResumeOrganisation(ctx, w.Admin, servertest.EarlyA)
				return err
			}, false, http.StatusUnauthorized,
		},
		"person": {
			func(w *servertest.World) error {
				return w.X.Members.SuspendPerson(ctx, w.Admin, w.Reader(servertest.EarlyA).Person)
			},
			func(w *servertest.World) error {
				return w.X.Members.ResumePerson(ctx, w.Admin, w.Reader(servertest.EarlyA).Person)
			}, true, http.StatusUnauthorized,
		},
		"member": {
			func(w *servertest.World) error {
				_, err := w.X.Members.SuspendMember(ctx, w.Operator, testkit.Program, servertest.EarlyA, "a question")
				return err
			},
			func(w *servertest.World) error {
				_, err := w.X.Members.ResumeMember(ctx, w.Operator, testkit.Program, servertest.EarlyA)
				return err
			}, false, http.StatusNotFound,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scene{World: servertest.New(t)}
			testkit.Put(t, storeOf(s.World), testkit.Person(servertest.EarlyA, "second", exchange.RoleAnalyst))
			r := s.Draft("Spooler", t0)
			i := s.marked(r, "g.json", 1, first, []exchange.TLP{0, 0})
			s.Arm(r.ID)
			s.Clock.Set(july(13, 9))
			web := serve(s.World)
			var readers []*reader
			for _, r := range s.readers() {
				if r.org == servertest.EarlyA && r.ceiling == 0 || r.org == servertest.EarlyB {
					readers = append(readers, r)
				}
			}
			readers = append(readers, s.tokenOf("second", servertest.EarlyA, "second", false, 0))
			// ask knocks at every door of a reader and counts the answers.
			ask := func(r *reader) (statuses map[int]int) {
				statuses = map[int]int{}
				for on, paths := range doors(i.Release, i.ID, servertest.MarkedID(1, 0)) {
					if (on == exchange.ChannelWeb) != (r.secret == "") {
						continue
					}
					for _, path := range paths {
						q := &question{scene: s, site: web, ctx: ctx, r: r, on: on}
						status, body, err := q.get(path)
						if err != nil {
							t.Errorf("%s, %s: %v", r.name, path, err)
						}
						if status != http.StatusOK && (strings.Contains(body, "Spooler") || strings.Contains(body, string(i.ID))) {
							t.Errorf("%s, %s: %d names the release: %s", r.name, path, status, body)
						}
						statuses[status]++
					}
				}
				return statuses
			}
			open := func(when string, r *reader) {
				t.Helper()
				if got := ask(r); len(got) != 1 || got[http.StatusOK] == 0 {
					t.Errorf("%s, %s: answers by status %v", when, r.name, got)
				}
			}
			for _, r := range readers {
				open("before", r)
			}
			if err := c.suspend(s.World); err != nil {
				t.Fatal(err)
			}
			refused := 0
			for _, r := range readers {
				if r.org != servertest.EarlyA || c.others && r.name == "second" {
					open("while another is suspended", r)
					continue
				}
				got := ask(r)
				slowed := got[http.StatusTooManyRequests] // in place of 401, when there were many from one address
				if got[http.StatusOK] != 0 || c.status == http.StatusNotFound && slowed != 0 || got[c.status]+slowed == 0 && r.secret != "" {
					t.Errorf("%s: answers by status %v, want %d alone", r.name, got, c.status)
				}
				refused += got[http.StatusUnauthorized] + got[http.StatusNotFound] + slowed
			}
			if refused < 16 {
				t.Errorf("%d requests were refused", refused)
			}
			s.Clock.Advance(time.Minute)
			if err := c.resume(s.World); err != nil {
				t.Fatal(err)
			}
			for _, r := range readers {
				r.session = "" // it has ended for good: one signs in anew
				open("after", r)
			}
		})
	}
}

// AT-05, of the agreement: without an acceptance of the version in force no
// channel gives anything; a new version takes access from everybody until they
// accept it; an acceptance of a superseded version counts for nothing. Each
// attempt is on record.
func TestAT05_NoAgreementNoAccess(t *testing.T) {
	s := &scene{World: servertest.New(t)}
	r := s.Draft("Spooler", t0)
	i := s.marked(r, "g.json", 1, first, []exchange.TLP{0, 0})
	s.Arm(r.ID)
	s.Clock.Set(july(13, 9))
	web := serve(s.World)
	var unsigned, early []*reader
	for _, r := range s.readers() {
		switch {
		case r.org == servertest.Unsigned:
			unsigned = append(unsigned, r)
		case r.org == servertest.EarlyA && r.ceiling == 0:
			early = append(early, r)
		}
	}
	access := func(rs []*reader, want bool) {
		t.Helper()
		s.run(s.Clock.Now())
		for _, r := range rs {
			for _, ch := range append(rooms(), interfaces()...) {
				if !ch.serves(r) {
					continue
				}
				q := &question{scene: s, site: web, ctx: t.Context(), r: r, on: ch.on}
				if ch.object != nil {
					if n, err := ch.object(q, servertest.MarkedID(1, 0)); err != nil || n != 0 != want {
						t.Errorf("%s, %s: object %d, want %t (%v)", r.name, ch.name, n, want, err)
					}
				}
				if ch.artifact != nil {
					if ok, err := ch.artifact(q, i); err != nil || ok != want {
						t.Errorf("%s, %s: artifact %t, want %t (%v)", r.name, ch.name, ok, want, err)
					}
				}
			}
			notices, err := s.X.Delivery.Notices(t.Context(), r.actor, time.Time{}, 10)
			if err != nil || len(notices) > 0 && !want {
				t.Errorf("%s is told %d times (%v)", r.name, len(notices), err)
			}
		}
	}
	access(unsigned, false)
	access(early, true)
	for _, version := range []int{0, 2, 7} {
		if _, err := s.X.Members.Accept(t.Context(), s.Reader(servertest.Unsigned), testkit.Program, version); exchange.KindOf(err) != exchange.Conflict {
			t.Errorf("version %d: %v", version, err)
		}
	}
	if _, err := s.X.Members.Accept(t.Context(), s.Machine(servertest.Unsigned), testkit.Program, 1); exchange.KindOf(err) != exchange.Denied {
		t.Errorf("a machine signs: %v", err)
	}
	access(unsigned, false)
	s.Accept(servertest.Unsigned)
	access(unsigned, true)
	c := strings.Replace(string(testkit.CharterTOML()), "version = 1\n", "version = 2\n", 1)
	c = strings.Replace(c, "Do not publish before the release.", "Do not publish before the release, and tell us what you built.", 1)
	if _, err := s.X.Programs.Apply(t.Context(), s.Operator, []byte(c), false); err != nil {
		t.Fatal(err)
	}
	access(unsigned, false)
	access(early, false)
	if _, err := s.X.Members.Accept(t.Context(), s.Reader(servertest.EarlyA), testkit.Program, 1); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("the superseded version: %v", err)
	}
	access(early, false)
	if _, err := s.X.Members.Accept(t.Context(), s.Reader(servertest.EarlyA), testkit.Program, 2); err != nil {
		t.Fatal(err)
	}
	access(early, true)
	access(unsigned, false)
	refused, err := s.Events(exchange.EventAgreementRefused)
	if err != nil || len(refused) != 5 {
		t.Errorf("%d refusals on record, want 5 (%v)", len(refused), err)
	}
}
