package exchange

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MeasureID names a measure that the exchange computes from recorded events.
type MeasureID string

// The measures (requirements §7.1: KPI-1 to KPI-4, KPI-9).
const (
	LeadTime          MeasureID = "lead-time"
	TimeToProtection  MeasureID = "time-to-protection"
	ReadinessMargin   MeasureID = "readiness-margin"
	CoverageAtRelease MeasureID = "coverage-at-release"
	Coverage24h       MeasureID = "coverage-24h"
	Coverage48h       MeasureID = "coverage-48h"
	UseRate           MeasureID = "use-rate"
	Silence           MeasureID = "silence"
)

// MeasureInfo says how a measure is read.
type MeasureInfo struct {
	ID             MeasureID
	Title          string
	Duration       bool // a span of time; otherwise a share in percent
	HigherIsBetter bool
	Definition     string
}

// AllMeasures lists every measure in the order in which a dashboard shows them.
var AllMeasures = []MeasureInfo{
	{LeadTime, "Lead time", true, true, "Time from a member's first access to the public release; median over cases and members."},
	{TimeToProtection, "Time to protection", true, false, "Time from a member's first access to the moment its protection was ready; median over cases and members."},
	{ReadinessMargin, "Readiness margin", true, true, "Time from the moment a protection was ready to the public release, negative when it was ready late; median over cases and members."},
	{CoverageAtRelease, "Coverage at release", false, true, "Share of members able to protect, weighted by their customers, whose protection was live at the public release."},
	{Coverage24h, "Coverage after 24 h", false, true, "Share of members able to protect, weighted by their customers, whose protection was live 24 hours after the public release."},
	{Coverage48h, "Coverage after 48 h", false, true, "Share of members able to protect, weighted by their customers, whose protection was live 48 hours after the public release."},
	{UseRate, "Use rate", false, true, "Share of members able to protect that registered a protection."},
	{Silence, "Silence", false, false, "Share of members that received content and said nothing: no acknowledgement, protection or statement that they are not affected."},
}

// Info describes the measure; false for one that the exchange does not compute.
func (id MeasureID) Info() (MeasureInfo, bool) {
	i := slices.IndexFunc(AllMeasures, func(m MeasureInfo) bool { return m.ID == id })
	if i < 0 {
		return MeasureInfo{}, false
	}
	return AllMeasures[i], true
}

// volumeMeasures are counted easily and say nothing about anyone being safer;
// requirements §7 forbids them as lead measures.
var volumeMeasures = []MeasureID{"items-shared", "items", "indicators", "logins", "members", "downloads", "page-views"}

// Measure is one line of a charter's promise.
type Measure struct {
	ID     MeasureID
	Target Target
	By     Date
	Lead   bool // the program is judged by it; the others are diagnostic
}

// Target is the value that a measure shall reach, such as >=90% or <=48h. The
// zero Target means "not given".
type Target struct {
	AtMost bool    // <=; otherwise >=
	Value  float64 // in Unit
	Unit   string  // "%", "m", "h" or "d" (24 hours)
}

var targetForm = regexp.MustCompile(`^(>=|<=|≥|≤)?\s*(-?[0-9]{1,6}(?:\.[0-9]{1,4})?)\s*(%|m|h|d)$`)

var targetUnits = map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

// ParseTarget reads a target for the measure: a number with a unit (% m h d),
// and before it >= or <=. Without a sign it is the one in whose direction the
// measure gets better.
func ParseTarget(s string, id MeasureID) (Target, error) {
	m := targetForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return Target{}, Fail(Invalid, "%q is not a target; write a number with a unit, such as 90%%, <=48h or >=0h", clip(s))
	}
	value, err := strconv.ParseFloat(m[2], 64)
	if err != nil {
		return Target{}, Fail(Invalid, "%q is not a number", m[2])
	}
	t := Target{Value: value + 0, Unit: m[3]} // + 0 turns -0 into 0
	switch m[1] {
	case "<=", "≤":
		t.AtMost = true
	case "":
		info, known := id.Info()
		t.AtMost = known && !info.HigherIsBetter
	}
	return t, nil
}

// IsZero reports whether no target is given.
func (t Target) IsZero() bool { return t == Target{} }

// String is the target as ParseTarget reads it, with its sign.
func (t Target) String() string {
	if t.IsZero() {
		return ""
	}
	sign := ">="
	if t.AtMost {
		sign = "<="
	}
	return sign + strconv.FormatFloat(t.Value, 'f', -1, 64) + t.Unit
}

// MetByRatio reports whether part of whole reaches a target in percent. A
// whole of 0 is "no data", which meets nothing.
func (t Target) MetByRatio(part, whole int64) bool {
	return t.Unit == "%" && whole > 0 && t.met(float64(part)*100, t.Value*float64(whole))
}

// MetByDuration reports whether a span of time reaches a target in m, h or d.
func (t Target) MetByDuration(d time.Duration) bool {
	unit, ok := targetUnits[t.Unit]
	return ok && t.met(float64(d), t.Value*float64(unit))
}

func (t Target) met(got, want float64) bool {
	if t.AtMost {
		return got <= want
	}
	return got >= want
}
