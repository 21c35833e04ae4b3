package crash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// submitter opens cases and hands in what belongs to them.
func (c *child) submitter(ctx context.Context, r *rand.Rand) {
	for i := uint64(0); rest(ctx, time.Duration(r.IntN(8))*time.Millisecond); i++ {
		id, err := c.create(ctx, r, i)
		if err != nil {
			continue
		}
		seed := c.seed<<16 | i<<4
		parts := []func(){
			func() { c.bundle(ctx, r, id, seed) },
			func() {
				c.submit(ctx, submission.Input{Release: id, Class: exchange.PoC, Filename: "poc.bin"}, noise(r))
			},
			func() {
				in := submission.Input{Release: id, Class: exchange.Summary, Filename: "summary.md"}
				in.Handling.TLP = exchange.TLPClear
				c.submit(ctx, in, fmt.Appendf(nil, "# Summary %d\n", seed))
			},
			func() {
				c.submit(ctx, submission.Input{Release: id, Class: exchange.AdvanceNote, Filename: "note.md"}, fmt.Appendf(nil, "# Note %d\n", seed))
			},
			func() { c.bundle(ctx, r, id, seed+1) },
		}
		for _, part := range parts[:1+r.IntN(len(parts))] {
			part()
		}
	}
}

func (c *child) create(ctx context.Context, r *rand.Rand, i uint64) (id exchange.ReleaseID, err error) {
	s := said{What: arming, Kind: exchange.EventReleaseCreated, Org: testkit.Owner}
	err = c.act(s, func(s *said) error {
		rel, err := c.x.Releases.Create(ctx, operator, release.Draft{
			Program: testkit.Program, Title: fmt.Sprintf("Case %d-%d", c.seed, i), T0: soon(r), Rules: rules(),
		})
		id, s.On, s.Release = rel.ID, rel.ID, &rel
		return err
	})
	return id, err
}

// soon is a T0 of which one of the rules falls into the next milliseconds.
func soon(r *rand.Rand) time.Time {
	return time.Now().Add(time.Duration(r.IntN(4))*time.Minute + time.Duration(r.IntN(40_000))*time.Microsecond)
}

// bundle hands in 1 to 5,000 objects, at times twice, and at times so many that
// they are stored in several steps.
func (c *child) bundle(ctx context.Context, r *rand.Rand, id exchange.ReleaseID, seed uint64) {
	n := int(math.Exp(r.Float64() * math.Log(5000)))
	if chance(r, 4) {
		n = 12_000
	}
	var b bytes.Buffer
	if err := stixtest.Bundle(&b, n, seed, stixtest.Options{}); err != nil {
		panic(err)
	}
	in := submission.Input{Release: id, Class: exchange.DetectionGuidance, Filename: fmt.Sprintf("objects-%d.json", seed)}
	c.submit(ctx, in, b.Bytes())
	if chance(r, 15) {
		c.submit(ctx, in, b.Bytes())
	}
}

func noise(r *rand.Rand) []byte {
	b := make([]byte, 1+r.IntN(50_000))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (c *child) submit(ctx context.Context, in submission.Input, text []byte) {
	sum := sha256.Sum256(text)
	s := said{What: handing, Kind: exchange.EventArtifactSubmitted, Org: testkit.Owner, On: in.Release, Sent: hex.EncodeToString(sum[:])}
	_ = c.act(s, func(s *said) error {
		receipt, err := c.x.Submissions.Submit(ctx, operator, in, bytes.NewReader(text))
		if err != nil {
			return err
		}
		s.Artifact = &receipt.Artifact
		if receipt.Duplicate {
			s.Kind = ""
			return nil
		}
		s.Release = &receipt.Release
		return nil
	})
}

// planner takes releases through approval and changes their plans.
func (c *child) planner(ctx context.Context, r *rand.Rand) {
	for i := 0; rest(ctx, time.Duration(r.IntN(1500))*time.Microsecond); i++ {
		all, err := c.x.Releases.List(ctx, operator, testkit.Program)
		if err != nil || len(all) == 0 {
			continue
		}
		rel := all[r.IntN(min(len(all), 8))] // the newest
		switch rel.State {
		case exchange.ReleaseDraft:
			if chance(r, 10) {
				c.edit(ctx, r, rel, i)
			} else if chance(r, 50) {
				c.arm(ctx, r, rel)
			}
		case exchange.ReleaseWaiting:
			c.approve(ctx, rel)
		case exchange.ReleaseArmed, exchange.ReleaseReleasing:
			c.replan(ctx, r, rel)
		case exchange.ReleasePublic:
			switch r.IntN(30) {
			case 0:
				c.rearm(ctx, r, rel)
			case 1:
				_ = c.change(planning, exchange.EventReleaseClosed, rel.ID, func() (release.Changed, error) {
					out, err := c.x.Releases.Close(ctx, operator, rel.ID, because)
					return release.Changed{Release: out}, err
				})
			case 2:
				c.edit(ctx, r, rel, i)
			}
		case exchange.ReleaseContained:
			if chance(r, 5) {
				c.edit(ctx, r, rel, i)
			}
		}
	}
}

var because = release.Change{Reason: "the script says so"}

func (c *child) arm(ctx context.Context, r *rand.Rand, rel exchange.Release) {
	err := c.change(arming, exchange.EventReleaseSent, rel.ID, func() (release.Changed, error) {
		out, err := c.x.Releases.Send(ctx, operator, rel.ID, rel.Version)
		return release.Changed{Release: out}, err
	})
	if err == nil && chance(r, 90) {
		if now, err := c.x.Releases.Read(ctx, operator, rel.ID); err == nil {
			c.approve(ctx, now.Release)
		}
	}
}

// approve gives the approvals that are lacking.
func (c *child) approve(ctx context.Context, rel exchange.Release) {
	for _, a := range approvers {
		now, err := c.x.Releases.Read(ctx, operator, rel.ID)
		if err != nil || now.State != exchange.ReleaseWaiting {
			return
		}
		there := false
		for _, v := range now.Valid() {
			there = there || v.Person == a.Person
		}
		if there {
			continue
		}
		_ = c.change(arming, exchange.EventReleaseApproved, rel.ID, func() (release.Changed, error) {
			out, err := c.x.Releases.Approve(ctx, a, rel.ID, now.Revision)
			return release.Changed{Release: out}, err
		})
	}
}

// change is an act on a release that answers how it stands then.
func (c *child) change(what string, kind exchange.EventKind, id exchange.ReleaseID, fn func() (release.Changed, error)) error {
	return c.act(said{What: what, Kind: kind, Org: testkit.Owner, On: id}, func(s *said) error {
		out, err := fn()
		if err == nil {
			s.Release, s.Waves = &out.Release, out.Waves
		}
		return err
	})
}

func (c *child) edit(ctx context.Context, r *rand.Rand, rel exchange.Release, i int) {
	title := fmt.Sprintf("%s, edited %d", rel.Title[:min(len(rel.Title), 100)], i)
	e := release.Edit{Title: &title}
	if t0 := soon(r); rel.PublicAt.IsZero() && chance(r, 50) {
		e.T0 = &t0
	}
	_ = c.change(arming, exchange.EventReleaseEdited, rel.ID, func() (release.Changed, error) {
		out, err := c.x.Releases.Edit(ctx, operator, rel.ID, e, 0)
		return release.Changed{Release: out}, err
	})
}

func (c *child) replan(ctx context.Context, r *rand.Rand, rel exchange.Release) {
	cohorts := []exchange.CohortID{"validate", "early", "standard", "at-release", exchange.PublicCohort}
	to := exchange.Audience{Cohort: cohorts[r.IntN(len(cohorts))]}
	x, id := c.x.Releases, rel.ID
	move := func(t0 time.Time) {
		_ = c.change(planning, exchange.EventReleaseMoved, id, func() (release.Changed, error) { return x.Move(ctx, operator, id, t0, because) })
	}
	on := func(kind exchange.EventKind, fn func(context.Context, exchange.Actor, exchange.ReleaseID, exchange.Audience, time.Time, release.Change) (release.Changed, error)) {
		_ = c.change(planning, kind, id, func() (release.Changed, error) { return fn(ctx, operator, id, to, time.Time{}, because) })
	}
	switch n := r.IntN(100); {
	case n < 35:
		move(soon(r))
	case n < 45:
		move(time.Now().Add(time.Duration(r.IntN(100)) * time.Hour))
	case n < 50:
		move(time.Now())
	case n < 62:
		on(exchange.EventWaveHeld, x.Hold)
	case n < 77:
		on(exchange.EventWaveResumed, x.Resume)
	case n < 82:
		on(exchange.EventWaveKilled, x.Kill)
	case n < 93:
		on(exchange.EventWavePushed, x.Push)
	case n < 95:
		_ = c.change(planning, exchange.EventReleaseWithdrawn, id, func() (release.Changed, error) { return x.Withdraw(ctx, operator, id, because) })
	case n < 97:
		_ = c.change(planning, exchange.EventReleaseContained, id, func() (release.Changed, error) { return x.Contain(ctx, operator, id, because) })
	default:
		c.edit(ctx, r, rel, r.Int())
	}
}

func (c *child) rearm(ctx context.Context, r *rand.Rand, rel exchange.Release) {
	_ = c.act(said{What: planning, Kind: exchange.EventReleaseRearmed, Org: testkit.Owner}, func(s *said) error {
		out, err := c.x.Releases.Rearm(ctx, operator, rel.ID, release.Rearm{T0: soon(r), Title: "Again: " + rel.Title, Drop: []exchange.CohortID{"validate"}, Reason: "incomplete"})
		s.On, s.Release = out.ID, &out
		return err
	})
}

// page has the organisation's analyst read a page, and answers where it ends; 0
// where there is none.
func (c *child) page(ctx context.Context, org exchange.OrgID, after int64, limit int) (last int64) {
	last = after
	_ = c.act(said{What: looking, Kind: exchange.EventPageServed, Org: org}, func(s *said) error {
		p, err := c.x.Delivery.Page(ctx, analyst(org), testkit.Program, delivery.Query{After: after, Limit: limit})
		if err != nil {
			return err
		}
		if len(p.Entries) == 0 {
			s.Kind, last = "", 0
			return nil
		}
		last = p.Last
		for _, e := range p.Entries {
			if n := e.Object >> 24; !slices.Contains(s.Held, n) {
				s.Held = append(s.Held, n)
			}
		}
		return nil
	})
	return last
}

// readers take pages and files, and give feedback.
func (c *child) readers(ctx context.Context, r *rand.Rand) {
	cursor := map[exchange.OrgID]int64{}
	for i := 0; rest(ctx, time.Duration(r.IntN(3))*time.Millisecond); i++ {
		org := members[r.IntN(len(members))]
		who := analyst(org)
		if r.IntN(4) > 0 {
			cursor[org] = c.page(ctx, org, cursor[org], 1+r.IntN(1000))
			continue
		}
		seen, err := c.x.Delivery.Releases(ctx, who, testkit.Program)
		if err != nil || len(seen) == 0 {
			continue
		}
		rel := seen[r.IntN(min(len(seen), 8))]
		if chance(r, 50) {
			c.download(ctx, who, rel.Items[r.IntN(len(rel.Items))].Artifact)
			continue
		}
		_ = c.act(said{What: looking, Kind: exchange.EventFeedback, Org: org, On: rel.ID}, func(s *said) error {
			f, err := c.x.Feedback.Give(ctx, who, exchange.Feedback{
				Release: rel.ID, Kind: exchange.FeedbackSighting, Count: int64(i + 1), Text: fmt.Sprintf("seen by %d-%d", c.seed, i),
				FirstSeen: time.Now().Add(-time.Hour), LastSeen: time.Now().Add(-time.Minute),
			})
			s.Feedback = &f
			return err
		})
	}
}

func (c *child) download(ctx context.Context, who exchange.Actor, a exchange.Artifact) {
	_ = c.act(said{What: looking, Kind: exchange.EventArtifactDownloaded, Org: who.Org, On: a.Release}, func(*said) error {
		b, err := c.x.Delivery.Content(ctx, who, a.ID)
		if err != nil {
			return err
		}
		defer b.Close()
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(b, 0, b.Size())); err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != a.SHA256 {
			return fmt.Errorf("artifact %s has SHA-256 %s, want %s", a.ID, got, a.SHA256)
		}
		return nil
	})
}

// registrar lets organisations join and accept, and suspends and resumes.
func (c *child) registrar(ctx context.Context, r *rand.Rand) {
	x := c.x.Members
	for rest(ctx, time.Duration(10+r.IntN(20))*time.Millisecond) {
		switch r.IntN(3) {
		case 0:
			org := spare(r.IntN(spares))
			if m, err := x.Member(ctx, operator, testkit.Program, org); err == nil && m.Accepted > 0 {
				continue
			} else if err != nil {
				_ = c.act(said{What: joining, Kind: exchange.EventMemberJoined, Org: org}, func(s *said) error {
					m, err := x.Join(ctx, operator, testkit.Program, org)
					s.Member = &m
					return err
				})
			}
			_ = c.act(said{What: joining, Kind: exchange.EventAgreementAccepted, Org: org}, func(s *said) error {
				a, err := x.Accept(ctx, analyst(org), testkit.Program, 1)
				s.Accepted = &a
				return err
			})
		case 1:
			m, err := x.Member(ctx, operator, testkit.Program, earlyToo)
			if err != nil {
				continue
			}
			kind, fn := exchange.EventMemberSuspended, func() (exchange.Member, error) {
				return x.SuspendMember(ctx, operator, testkit.Program, earlyToo, "the script says so")
			}
			if m.State == exchange.MemberSuspended {
				kind, fn = exchange.EventMemberResumed, func() (exchange.Member, error) {
					return x.ResumeMember(ctx, operator, testkit.Program, earlyToo)
				}
			}
			_ = c.act(said{What: joining, Kind: kind, Org: earlyToo}, func(s *said) error {
				m, err := fn()
				s.Member = &m
				return err
			})
		default:
			o, err := x.Organisation(ctx, admin, late)
			if err != nil {
				continue
			}
			kind, fn := exchange.EventOrgSuspended, func() (exchange.Organisation, error) {
				return x.SuspendOrganisation(ctx, admin, late, "the script says so")
			}
			if !o.SuspendedAt.IsZero() {
				kind, fn = exchange.EventOrgResumed, func() (exchange.Organisation, error) { return x.ResumeOrganisation(ctx, admin, late) }
			}
			_ = c.act(said{What: joining, Kind: kind, Org: late}, func(s *said) error {
				o, err := fn()
				s.Body = &o
				return err
			})
		}
	}
}
