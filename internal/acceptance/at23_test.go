package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

const second exchange.ProgramID = "second"

// charterWith is the charter of a program with policies and tests.
func charterWith(id exchange.ProgramID, policies string, replace ...string) []byte {
	text := strings.Replace(string(testkit.CharterTOML()), `id = "early-warning"`, "id = \""+string(id)+"\"\npolicies = '''"+policies+"'''", 1)
	return []byte(strings.NewReplacer(replace...).Replace(text))
}

func (s *scene) apply(charter []byte) {
	s.T.Helper()
	if _, err := s.X.Programs.Apply(s.T.Context(), s.Operator, charter, false); err != nil {
		if e, ok := err.(*exchange.Error); ok {
			s.T.Fatalf("%v %v", err, e.Problems)
		}
		s.T.Fatal(err)
	}
}

// access asks for an item and its objects on every channel that serves the readers.
func (s *scene) access(web *site, when string, i *item, want bool, rs ...*reader) {
	s.T.Helper()
	s.run(s.Clock.Now())
	asked := 0
	for _, r := range rs {
		for _, ch := range append(rooms(), interfaces()...) {
			if !ch.serves(r) {
				continue
			}
			q := &question{scene: s, site: web, ctx: s.T.Context(), r: r, on: ch.on}
			for _, o := range i.objects {
				if ch.object == nil {
					break
				}
				asked++
				if n, err := ch.object(q, o.id); err != nil || n != 0 != want {
					s.T.Errorf("%s: %s, %s: object %d, want %t (%v)", when, r.name, ch.name, n, want, err)
				}
			}
			if ch.artifact != nil {
				asked++
				if ok, err := ch.artifact(q, i); err != nil || ok != want {
					s.T.Errorf("%s: %s, %s: artifact %t, want %t (%v)", when, r.name, ch.name, ok, want, err)
				}
			}
		}
	}
	if asked < 10*len(rs) {
		s.T.Errorf("%s: %d questions asked", when, asked)
	}
}

func (s *scene) readersOf(org exchange.OrgID) (out []*reader) {
	for _, r := range s.readers() {
		if r.org == org && r.ceiling == 0 {
			out = append(out, r)
		}
	}
	return out
}

// AT-23: where a program's policies ask for membership in another one, too,
// access exists only with both memberships active under the agreements in
// force; losing one ends it at once, on every channel.
func TestAT23_BothMembershipsOrNone(t *testing.T) {
	ctx := t.Context()
	s := &scene{World: servertest.New(t)}
	s.apply(charterWith(second, ""))
	s.apply(charterWith(testkit.Program, `
		@id("both programs") permit(principal, action == Action::"read", resource) when { principal.programs.contains(Program::"second") };`))
	r := s.Draft("Spooler", t0)
	i := s.marked(r, "g.json", 1, first, []exchange.TLP{0, 0})
	s.Arm(r.ID)
	s.Clock.Set(july(13, 9))
	web := serve(s.World)
	a, b := s.readersOf(servertest.EarlyA), s.readersOf(servertest.EarlyB)
	accept := func(version int) {
		t.Helper()
		_, err := s.X.Members.Accept(ctx, s.Reader(servertest.EarlyA), second, version)
		s.must(err)
	}

	s.access(web, "in one program", i, false, a...)
	_, err := s.X.Members.Join(ctx, s.Operator, second, servertest.EarlyA)
	s.must(err)
	s.access(web, "joined, nothing signed", i, false, a...)
	accept(1)
	s.access(web, "in both", i, true, a...)
	s.access(web, "another member", i, false, b...)

	_, err = s.X.Members.SuspendMember(ctx, s.Operator, second, servertest.EarlyA, "a question")
	s.must(err)
	s.access(web, "suspended in one", i, false, a...)
	_, err = s.X.Members.ResumeMember(ctx, s.Operator, second, servertest.EarlyA)
	s.must(err)
	s.access(web, "resumed", i, true, a...)

	next := charterWith(second, "", "version = 1\n", "version = 2\n", "Do not publish before the release.", "Do not publish.",
		"effective = 2027-06-01", "effective = 2027-07-14")
	s.apply(next)
	s.access(web, "before another agreement is in force", i, true, a...)
	s.Clock.Set(time.Date(2027, time.July, 13, 22, 0, 0, 0, time.UTC)) // midnight in Berlin
	s.access(web, "when it is", i, false, a...)
	accept(2)
	s.access(web, "signed", i, true, a...)

	_, err = s.X.Members.Leave(ctx, s.Operator, second, servertest.EarlyA, "over")
	s.must(err)
	s.access(web, "left", i, false, a...)
	s.access(web, "another member, still", i, false, b...)
}

// Cohorts are entered by policy; the membership that the policy asks for moves
// the member at once, in both directions.
func TestAT23_EntryByPolicyFollowsTheOtherMembership(t *testing.T) {
	ctx := t.Context()
	s := &scene{World: servertest.New(t)}
	s.apply(charterWith(second, ""))
	s.apply(charterWith(testkit.Program, `
		permit(principal, action == Action::"enter", resource == Cohort::"early") when { principal.programs.contains(Program::"second") };
		forbid(principal == Org::"edr-b", action == Action::"enter", resource == Cohort::"standard");`,
		"id = \"early\"\n", "id = \"early\"\nby_policy = true\n"))
	r := s.Draft("Spooler", t0)
	i := s.marked(r, "g.json", 1, first, []exchange.TLP{0})
	s.Arm(r.ID)
	s.Clock.Set(july(13, 9)) // early has it, standard does not
	web := serve(s.World)
	a := s.readersOf(servertest.EarlyA)
	cohort := func(org exchange.OrgID, want exchange.CohortID) {
		t.Helper()
		m, err := s.X.Members.Member(ctx, s.Operator, testkit.Program, org)
		s.must(err)
		if m.Audience.Cohort != want {
			t.Errorf("%s is in %q, want %q", org, m.Audience.Cohort, want)
		}
	}
	outside := cohortOf(t, s, servertest.EarlyA)
	if outside == "early" {
		t.Fatal("entered without the policy")
	}
	s.access(web, "not entered", i, false, a...)
	_, err := s.X.Members.Join(ctx, s.Operator, second, servertest.EarlyA)
	s.must(err)
	cohort(servertest.EarlyA, outside)
	_, err = s.X.Members.Accept(ctx, s.Reader(servertest.EarlyA), second, 1)
	s.must(err)
	cohort(servertest.EarlyA, "early")
	s.access(web, "entered", i, true, a...)
	cohort(servertest.EarlyB, "at-release") // forbidden to enter standard
	_, err = s.X.Members.Leave(ctx, s.Operator, second, servertest.EarlyA, "over")
	s.must(err)
	cohort(servertest.EarlyA, outside)
	c := charterWith(second, "", "version = 1\n", "version = 2\n", "Do not publish before the release.", "Do not publish.")
	_, err = s.X.Members.Join(ctx, s.Operator, second, servertest.EarlyA)
	s.must(err)
	cohort(servertest.EarlyA, "early") // the acceptance of before
	s.apply(c)
	cohort(servertest.EarlyA, outside) // another agreement is in force there
	_, err = s.X.Members.Accept(ctx, s.Reader(servertest.EarlyA), second, 2)
	s.must(err)
	cohort(servertest.EarlyA, "early")
	s.access(web, "entered again", i, true, a...)
	s.access(web, "and its client", i, false, s.readersOf(servertest.Client)...) // AMBER+STRICT

	// One that comes into force by the clock ends it then, before anybody is placed anew.
	s.apply(charterWith(second, "", "version = 1\n", "version = 3\n", "Do not publish before the release.", "Do nothing.",
		"effective = 2027-06-01", "effective = 2027-07-14"))
	cohort(servertest.EarlyA, "early")
	s.access(web, "before it is in force", i, true, a...)
	s.Clock.Set(time.Date(2027, time.July, 13, 22, 0, 0, 0, time.UTC))
	s.access(web, "when it is", i, false, a...)
	_, err = s.X.Members.PlaceAll(ctx)
	s.must(err)
	cohort(servertest.EarlyA, outside)
}

func cohortOf(t *testing.T, s *scene, org exchange.OrgID) exchange.CohortID {
	t.Helper()
	m, err := s.X.Members.Member(t.Context(), s.Operator, testkit.Program, org)
	s.must(err)
	return m.Audience.Cohort
}
