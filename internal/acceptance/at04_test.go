package acceptance

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// acting are the readers of an organisation in one hat and for one purpose: a
// machine with a token that is bound to both, and a person whose session chose
// them.
func (s *scene) acting(web *site, org exchange.OrgID, hat, purpose string) []*reader {
	s.T.Helper()
	name := hat + " to " + purpose
	secret, t, err := s.X.Members.IssueToken(s.T.Context(), exchange.System(), membership.TokenRequest{
		Person: testkit.Person(org, "analyst").ID, Name: name, Machine: true, TTL: 90 * 24 * time.Hour,
		Verbs: []exchange.Verb{exchange.VerbRead}, Hat: hat, Purpose: purpose,
	})
	s.must(err)
	machine := &reader{name: "the machine of " + name, org: org, secret: secret, actor: exchange.Actor{
		Person: t.Person, Token: t.ID, Org: org, Name: t.Name, Roles: []exchange.Role{exchange.RoleAnalyst},
		Verbs: t.Verbs, Machine: true, Channel: exchange.ChannelAPI, Hat: hat, Purpose: purpose,
	}}
	person := &reader{name: "the person of " + name, org: org, person: t.Person, actor: s.Reader(org)}
	person.actor.Hat, person.actor.Purpose = hat, purpose
	q := &question{scene: s, site: web, ctx: s.T.Context(), r: person, on: exchange.ChannelWeb}
	s.must(q.signIn())
	s.must(s.Authn.ActAs(s.T.Context(), person.session, hat, purpose))
	return []*reader{machine, person}
}

// AT-04: the same organisation as CSIRT and as regulator. What is for
// assistance only does not exist for the regulator, whether the originator's
// handling or a policy of the program says so, and the record says in which hat
// and for what something was read.
func TestAT04_OneOrganisationTwoHats(t *testing.T) {
	for name, c := range map[string]struct {
		policies string
		handling func(*exchange.Handling)
	}{
		"by handling, the hat":     {"", func(h *exchange.Handling) { h.NotHats = []string{"regulator"} }},
		"by handling, the purpose": {"", func(h *exchange.Handling) { h.Purposes = []string{"assist"} }},
		"by policy, the hat": {
			`forbid(principal, action == Action::"read", resource) when { resource.class == "detection-guidance" && principal.hats.contains("regulator") };`, nil,
		},
		"by policy, the purpose": {
			`forbid(principal, action == Action::"read", resource) unless { context.purpose == "assist" };`, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scene{World: servertest.New(t)}
			o, err := s.X.Members.Organisation(t.Context(), s.Admin, servertest.EarlyA)
			s.must(err)
			o.Hats = []string{"csirt", "regulator"}
			_, err = s.X.Members.ChangeOrganisation(t.Context(), s.Admin, o, 0)
			s.must(err)
			if c.policies != "" {
				s.apply(charterWith(testkit.Program, c.policies))
			}
			r := s.Draft("Spooler", t0)
			edit := c.handling
			if edit == nil {
				edit = func(*exchange.Handling) {}
			}
			i := s.marked(r, "g.json", 1, first, []exchange.TLP{0, 0}, handled(edit))
			s.Arm(r.ID)
			s.Clock.Set(july(13, 9))
			web := serve(s.World)
			csirt := s.acting(web, servertest.EarlyA, "csirt", "assist")
			regulator := s.acting(web, servertest.EarlyA, "regulator", "regulate")
			s.access(web, "assisting", i, true, csirt...)
			s.access(web, "regulating", i, false, regulator...)
			s.access(web, "in all hats, for nothing", i, false, s.readersOf(servertest.EarlyA)...)
			for _, who := range []struct {
				hat, purpose string
				want         bool
			}{{"csirt", "assist", true}, {"regulator", "regulate", false}, {"", "", false}} {
				for _, of := range []string{string(servertest.EarlyA), s.Reader(servertest.EarlyA).Name} {
					got, err := s.X.Delivery.Why(t.Context(), s.Operator, testkit.Program, i.objects[0].id, delivery.As(of, who.hat, who.purpose), time.Time{})
					if err != nil || got.Decision.Allowed() != who.want {
						t.Errorf("why %s as %q for %q: %s %s (%v)", of, who.hat, who.purpose, got.Decision.Verdict, got.Decision.Code, err)
					}
				}
			}
			// The same session and the same pages, in the other hat.
			person := regulator[1]
			s.must(s.Authn.ActAs(t.Context(), person.session, "csirt", "assist"))
			person.actor.Hat, person.actor.Purpose = "csirt", "assist"
			s.access(web, "the regulator's session, assisting", i, true, person)
			s.must(s.Authn.ActAs(t.Context(), person.session, "regulator", "regulate"))
			person.actor.Hat, person.actor.Purpose = "regulator", "regulate"
			s.access(web, "and back", i, false, person)
			s.recorded()
		})
	}
}

// recorded looks for the hat and the purpose in what was recorded of reading.
func (s *scene) recorded() {
	s.T.Helper()
	s.must(s.X.Delivery.Flush(s.T.Context()))
	served, chosen := 0, 0
	for _, kind := range []exchange.EventKind{
		exchange.EventPageServed, exchange.EventObjectServed, exchange.EventArtifactDownloaded, exchange.EventArtifactOpened, exchange.EventHatChosen,
	} {
		all, err := s.X.Record.Events(s.T.Context(), exchange.System(), record.EventFilter{Kinds: []exchange.EventKind{kind}, Limit: 1000})
		s.must(err)
		for _, e := range all {
			switch {
			case kind == exchange.EventHatChosen:
				chosen++
			case !bytes.Contains(e.Body, []byte(`"actor_hat":"csirt"`)) || !bytes.Contains(e.Body, []byte(`"actor_purpose":"assist"`)):
				s.T.Errorf("recorded without hat or purpose: %s", e.Body)
			default:
				served++
			}
			if strings.Contains(string(e.Body), `"actor_hat":"regulator"`) && kind != exchange.EventHatChosen {
				s.T.Errorf("the regulator was given something: %s", e.Body)
			}
		}
	}
	if served < 4 || chosen != 4 {
		s.T.Errorf("%d acts of reading on record, %d choices", served, chosen)
	}
}
