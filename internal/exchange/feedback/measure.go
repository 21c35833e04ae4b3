package feedback

import (
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// The exact basis of each measure, shown with it.
const (
	basisLead     = "Cases whose public release has passed; members that were given something before it. First access is the first delivery or opening on record; members without one are in the denominator, not in the median. Negative: first access after the public release."
	basisProtect  = "All cases; members able to protect, first access on record. Counted when a protection is ready; the earliest counts. Negative: ready before the first access, which reaches every target."
	basisReady    = "Cases whose public release has passed; members able to protect that were given something before it. Members without a protection are in the denominator, not in the median."
	basisCoverage = "Cases in which the public release, and the time after it, have passed; members able to protect that were given something before the release, weighted by customers (at least 1). Members that say they are not affected are left out. A protection counts when it was live by then."
	basisUse      = "Members able to protect that were given something, each once over all cases; those that say in every case that they are not affected are left out."
	basisSilence  = "Pairs of case and member in which something was given. Silent is who gave no acknowledgement, no other feedback, no protection and no statement that it is not affected, whether or not something was fetched."
)

// measure computes one measure over the pairs.
func measure(info exchange.MeasureInfo, all []pair, now time.Time) Measure {
	m := Measure{MeasureInfo: info}
	switch info.ID {
	case exchange.LeadTime:
		m.Basis = basisLead
		m.spans(all, leadTime)
	case exchange.TimeToProtection:
		m.Basis = basisProtect
		m.spans(all, timeToProtection)
	case exchange.ReadinessMargin:
		m.Basis = basisReady
		m.spans(all, readinessMargin)
	case exchange.CoverageAtRelease:
		m.Basis = basisCoverage
		m.coverage(all, 0, now)
	case exchange.Coverage24h:
		m.Basis = basisCoverage
		m.coverage(all, 24*time.Hour, now)
	case exchange.Coverage48h:
		m.Basis = basisCoverage
		m.coverage(all, 48*time.Hour, now)
	case exchange.UseRate:
		m.Basis = basisUse
		m.useRate(all)
	case exchange.Silence:
		m.Basis = basisSilence
		m.silence(all)
	}
	m.NoData = m.Count == 0
	return m
}

// span is from when to when a pair counts, whether it belongs to the measure
// at all, and whether evidence stands behind it.
type span func(p pair) (from, to time.Time, evidenced, belongs bool)

func leadTime(p pair) (time.Time, time.Time, bool, bool) {
	// Access is recorded by the exchange itself: no member's word is needed.
	return p.accessed, p.t0, true, p.passed && p.early()
}

func timeToProtection(p pair) (time.Time, time.Time, bool, bool) {
	return p.accessed, p.ready.at, p.ready.evidenced, p.able() && !p.accessed.IsZero()
}

func readinessMargin(p pair) (time.Time, time.Time, bool, bool) {
	return p.ready.at, p.t0, p.ready.evidenced, p.passed && p.early() && p.able()
}

// spans takes the median and the 90th percentile of what has both ends.
func (m *Measure) spans(all []pair, of span) {
	var whole, attested, evidenced []time.Duration
	for _, p := range all {
		from, to, proof, belongs := of(p)
		if !belongs {
			continue
		}
		m.Of++
		row := p.row()
		row.From, row.To = from, to
		if !from.IsZero() && !to.IsZero() {
			d := to.Sub(from)
			row.Counts, row.Evidenced, row.Span = true, proof, d
			whole = append(whole, d)
			if proof {
				evidenced = append(evidenced, d)
			} else {
				attested = append(attested, d)
			}
		}
		m.Rows = append(m.Rows, row)
	}
	m.N = len(whole)
	m.Figure, m.Attested, m.Evidenced = medianOf(whole), medianOf(attested), medianOf(evidenced)
	m.P90 = percentile(whole, 90)
}

func medianOf(ds []time.Duration) Figure {
	f := Figure{Count: len(ds)}
	if f.Count == 0 {
		return f
	}
	slices.Sort(ds)
	// The mean of the middle two, which are one when the number is odd.
	low, high := ds[(f.Count-1)/2], ds[f.Count/2]
	f.Median = low + (high-low)/2
	return f
}

// percentile is the smallest value that at least p percent of the values do not
// exceed (nearest rank).
func percentile(ds []time.Duration, p int) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	slices.Sort(ds)
	return ds[(len(ds)*p+99)/100-1]
}

// coverage is PC(d) of KPI-4: the weight of those live by T0 + d, of the weight
// of those able to protect.
func (m *Measure) coverage(all []pair, d time.Duration, now time.Time) {
	for _, p := range all {
		if !p.early() || !p.able() || p.t0.Add(d).After(now) {
			continue
		}
		row := p.row()
		row.From, row.To = p.t0, p.live.at
		if !p.live.at.IsZero() {
			row.Span = p.live.at.Sub(p.t0)
			row.Counts = row.Span <= d
			row.Evidenced = row.Counts && p.live.evidenced
		}
		m.share(row, row.Weight)
	}
}

// share adds one row to a share.
func (m *Measure) share(row Row, weight int64) {
	m.Of++
	for _, f := range []*Figure{&m.Figure, &m.Attested, &m.Evidenced} {
		f.Whole += weight
	}
	m.Count++
	if row.Counts {
		m.N++
		part := &m.Attested
		if row.Evidenced {
			part = &m.Evidenced
		}
		m.Part += weight
		part.Part += weight
		part.Count++
	}
	m.Rows = append(m.Rows, row)
}

// useRate is KPI-9: members with a protection, of members able to protect.
func (m *Measure) useRate(all []pair) {
	for _, ps := range perMember(all) {
		ps = slices.DeleteFunc(ps, func(p pair) bool { return !p.able() })
		if len(ps) == 0 {
			continue
		}
		row := ps[0].row()
		row.Release, row.Title, row.Cases = "", "", len(ps)
		for _, p := range ps {
			if p.registered {
				row.Counts, row.State = true, StateProtecting
				row.Evidenced = row.Evidenced || p.ready.evidenced || p.live.evidenced
			}
		}
		m.share(row, 1)
	}
}

// silence is the share of those that were given something and said nothing.
// The exchange knows that by itself, so it is evidenced.
func (m *Measure) silence(all []pair) {
	for _, p := range all {
		row := p.row()
		row.Counts = !p.answered()
		row.Evidenced = row.Counts
		m.share(row, 1)
	}
}

// judge sets a measure against the charter's promise.
func (m *Measure) judge(promise exchange.Measure, calendar exchange.Calendar, now time.Time) {
	m.Lead, m.Target, m.By = promise.Lead, promise.Target, promise.By
	switch {
	case m.Target.IsZero():
	case m.NoData:
		m.State = StandingNoData
	case m.met():
		m.State = StandingMet
	case m.By.IsZero() || now.Before(calendar.StartOfDay(m.By.Add(1))):
		m.State = StandingOpen
	default:
		m.State = StandingMissed
	}
}

func (m *Measure) met() bool {
	if m.Duration {
		return m.Target.MetByDuration(m.Median)
	}
	return m.Target.MetByRatio(m.Part, m.Whole)
}

// contributors is how many organisations stand behind a figure.
func (m *Measure) contributors() int {
	seen := map[exchange.OrgID]bool{}
	for _, r := range m.Rows {
		if r.Counts || !m.Duration {
			seen[r.Org] = true
		}
	}
	return len(seen)
}
