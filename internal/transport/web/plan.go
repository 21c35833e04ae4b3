package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
)

func (v *visit) releaseID() exchange.ReleaseID { return exchange.ReleaseID(v.path("release")) }

// onRelease ends an act on a release: the page again with what is wrong, or the
// page with what was done.
func (s *site) onRelease(v *visit, err error, code string) error {
	if err != nil {
		return v.again(err, func() error { return s.release(v) })
	}
	return v.see("/releases/" + v.path("release") + "?done=" + code)
}

// save takes the composer's form: title, clock, matrix and message.
func (s *site) save(v *visit) error {
	r, err := s.Releases.Read(v.ctx(), v.a, v.releaseID())
	if err != nil {
		return err
	}
	title, message := v.form("title"), v.r.PostFormValue("message")
	// A browser sends every line break of a textarea as CR LF.
	message = strings.ReplaceAll(message, "\r\n", "\n")
	var t0 time.Time
	ps := v.stamps(map[string]*time.Time{"t0": &t0})
	rules, more := v.rules(r)
	if ps = append(ps, more...); len(ps) > 0 {
		return s.onRelease(v, exchange.InvalidWith("the release was not saved", ps), "")
	}
	_, err = s.Releases.Edit(v.ctx(), v.a, r.ID, release.Edit{Title: &title, Message: &message, T0: &t0, Rules: &rules}, v.number("version"))
	return s.onRelease(v, err, "saved")
}

// rules reads the matrix. Rules keep the order of the plan they replace, so that
// saving without a change is none.
func (v *visit) rules(r release.View) ([]exchange.PlanRule, []exchange.Problem) {
	var ps []exchange.Problem
	typed := map[string]bool{}
	var out []exchange.PlanRule
	add := func(class exchange.ContentClass, cohort exchange.CohortID) {
		field := cell(class, cohort)
		text := v.form(field)
		if typed[field] || text == "" {
			return
		}
		typed[field] = true
		at, err := exchange.ParseOffset(text)
		if err != nil {
			ps = append(ps, exchange.Problem{Path: string(class) + " to " + string(cohort), Message: "write T0, T0-14d, T0-24h, T0-5bd@18:00, T0+48h or never"})
			return
		}
		out = append(out, exchange.PlanRule{Class: class, Cohort: cohort, At: at})
	}
	for _, rule := range r.Plan.Rules {
		add(rule.Class, rule.Cohort)
	}
	for _, class := range r.Charter.ContentClasses {
		for _, cohort := range r.Charter.Cohorts {
			add(class, cohort.ID)
		}
		add(class, exchange.PublicCohort)
	}
	return out, ps
}

func (s *site) send(v *visit) error {
	_, err := s.Releases.Send(v.ctx(), v.a, v.releaseID(), v.number("version"))
	return s.onRelease(v, err, "sent")
}

// approve wants the list of names to have been opened: the button stands in it.
func (s *site) approve(v *visit) error {
	if v.form("names") != "read" {
		return s.onRelease(v, exchange.Fail(exchange.Invalid, "open the list of names and confirm it; nothing was approved"), "")
	}
	r, err := s.Releases.Approve(v.ctx(), v.a, v.releaseID(), v.number("revision"))
	code := "approved"
	if r.State.Opens() {
		code = "armed"
	}
	return s.onRelease(v, err, code)
}

func (v *visit) change() release.Change {
	return release.Change{Reason: v.form("reason"), Version: v.number("version")}
}

func (s *site) move(v *visit) error {
	var t0 time.Time
	if ps := v.stamps(map[string]*time.Time{"t0": &t0}); len(ps) > 0 || t0.IsZero() {
		return s.onRelease(v, exchange.InvalidWith("T0 was not moved", []exchange.Problem{{Path: "move-t0", Message: notAStamp}}), "")
	}
	_, err := s.Releases.Move(v.ctx(), v.a, v.releaseID(), t0, v.change())
	return s.onRelease(v, err, "moved")
}

// wave holds, resumes, kills or pushes. The field wave is "audience|instant" with
// the instant in Unix microseconds; 0 is every unopened wave.
func (s *site) wave(v *visit) error {
	key, micro, _ := strings.Cut(v.form("wave"), "|")
	to, err := exchange.ParseAudience(key)
	n, number := strconv.ParseInt(micro, 10, 64)
	if err != nil || number != nil || key == "" {
		return s.onRelease(v, exchange.Fail(exchange.Invalid, "choose a wave; the plan was not changed"), "")
	}
	var at time.Time
	if n != 0 {
		at = time.UnixMicro(n)
	}
	id, c := v.releaseID(), v.change()
	code := map[string]string{"hold": "held", "resume": "resumed", "kill": "killed", "push": "pushed"}[v.form("act")]
	switch v.form("act") {
	case "hold":
		_, err = s.Releases.Hold(v.ctx(), v.a, id, to, at, c)
	case "resume":
		_, err = s.Releases.Resume(v.ctx(), v.a, id, to, at, c)
	case "kill":
		_, err = s.Releases.Kill(v.ctx(), v.a, id, to, at, c)
	case "push":
		_, err = s.Releases.Push(v.ctx(), v.a, id, to, at, c)
	default:
		err = exchange.Fail(exchange.Invalid, "choose what to do with the wave; the plan was not changed")
	}
	return s.onRelease(v, err, code)
}

func (s *site) withdraw(v *visit) error {
	_, err := s.Releases.Withdraw(v.ctx(), v.a, v.releaseID(), v.change())
	return s.onRelease(v, err, "withdrawn")
}

func (s *site) contain(v *visit) error {
	_, err := s.Releases.Contain(v.ctx(), v.a, v.releaseID(), v.change())
	return s.onRelease(v, err, "contained")
}

func (s *site) close(v *visit) error {
	_, err := s.Releases.Close(v.ctx(), v.a, v.releaseID(), v.change())
	return s.onRelease(v, err, "closed")
}

func (s *site) rearm(v *visit) error {
	var t0 time.Time
	if ps := v.stamps(map[string]*time.Time{"t0": &t0}); len(ps) > 0 || t0.IsZero() {
		return s.onRelease(v, exchange.InvalidWith("the case was not made", []exchange.Problem{{Path: "rearm-t0", Message: notAStamp}}), "")
	}
	in := release.Rearm{Title: v.form("title"), Message: v.r.PostFormValue("message"), T0: t0, Reason: v.form("reason")}
	for _, c := range v.r.PostForm["drop"] {
		in.Drop = append(in.Drop, exchange.CohortID(c))
	}
	r, err := s.Releases.Rearm(v.ctx(), v.a, v.releaseID(), in)
	if err != nil {
		return s.onRelease(v, err, "")
	}
	return v.see(fmt.Sprintf("/releases/%s?done=rearmed", r.ID))
}

func (s *site) remove(v *visit) error {
	_, err := s.Submissions.Remove(v.ctx(), v.a, exchange.ArtifactID(v.form("artifact")))
	return s.onRelease(v, err, "removed")
}
