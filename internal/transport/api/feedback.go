package api

import (
	"cmp"
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
)

type (
	// FeedbackBody is what a recipient says; fields beyond the first block belong
	// to the kind that needs them.
	FeedbackBody struct {
		Kind     string `json:"kind" enum:"protection,sighting,false-positive,question,not-affected,acknowledged"`
		Object   string `json:"object,omitempty" maxLength:"256" doc:"STIX identifier that it concerns"`
		Artifact string `json:"artifact,omitempty" maxLength:"64" doc:"artifact that it concerns"`
		Text     string `json:"text,omitempty" maxLength:"10000" doc:"question, reason of a false positive, note"`

		Product  string    `json:"product,omitempty" maxLength:"200"`
		Type     string    `json:"type,omitempty" maxLength:"64" doc:"protection: such as ids-signature, edr-rule, waf-rule, patch"`
		Format   string    `json:"format,omitempty" maxLength:"64" doc:"protection: such as snort, yara, sigma"`
		ReadyAt  time.Time `json:"ready_at,omitzero"`
		LiveAt   time.Time `json:"live_at,omitzero"`
		Regions  []string  `json:"regions,omitempty" maxItems:"300"`
		Share    int       `json:"share,omitempty" minimum:"0" maximum:"100" doc:"protection: share of customers covered, percent"`
		Evidence string    `json:"evidence,omitempty" maxLength:"2000"`
		Amends   string    `json:"amends,omitempty" maxLength:"64" doc:"an earlier protection that this one replaces"`

		Count     int64     `json:"count,omitempty" minimum:"0"`
		FirstSeen time.Time `json:"first_seen,omitzero"`
		LastSeen  time.Time `json:"last_seen,omitzero"`
		Sector    string    `json:"sector,omitempty" maxLength:"64"`
		Region    string    `json:"region,omitempty" maxLength:"64"`
	}
	feedback struct {
		ID           string    `json:"id"`
		Program      string    `json:"program"`
		Release      string    `json:"release"`
		Organisation string    `json:"organisation"`
		Name         string    `json:"name,omitempty" doc:"of the organisation"`
		Person       string    `json:"person,omitempty"`
		At           time.Time `json:"at"`
		Replaced     bool      `json:"replaced,omitempty" doc:"a later one amends it"`
		NotCovering  bool      `json:"not_covering,omitempty" doc:"the fix has turned out to be incomplete"`
		FeedbackBody
	}
	feedbackList struct {
		Items  []feedback      `json:"items"`
		Others []feedbackCount `json:"others,omitempty" doc:"how many other members said something, when the charter lets members see that"`
		Below  int             `json:"others_below,omitempty" doc:"of a kind that is not in others, fewer members than this said something"`
	}
	feedbackCount struct {
		Kind          string `json:"kind"`
		Organisations int    `json:"organisations"`
	}
	inFeedback struct {
		InRelease
		Body FeedbackBody
	}
)

func wireFeedback(f exchange.Feedback) feedback {
	return feedback{
		ID: string(f.ID), Program: string(f.Program), Release: string(f.Release), Organisation: string(f.Org),
		Person: string(f.Person), At: utc(f.At),
		FeedbackBody: FeedbackBody{
			Kind: string(f.Kind), Object: f.Object, Artifact: string(f.About), Text: f.Text,
			Product: f.Product, Type: f.Type, Format: f.Format, ReadyAt: utc(f.ReadyAt), LiveAt: utc(f.LiveAt),
			Regions: f.Regions, Share: f.Share, Evidence: f.Evidence, Amends: string(f.Amends),
			Count: f.Count, FirstSeen: utc(f.FirstSeen), LastSeen: utc(f.LastSeen), Sector: f.Sector, Region: f.Region,
		},
	}
}

func (s *server) giveFeedback(ctx context.Context, a exchange.Actor, in *inFeedback) (*answer[feedback], error) {
	b := in.Body
	f, err := s.Feedback.Give(ctx, a, exchange.Feedback{
		Release: exchange.ReleaseID(in.Release), Kind: exchange.FeedbackKind(b.Kind), Object: b.Object,
		About: exchange.ArtifactID(b.Artifact), Text: b.Text, Product: b.Product, Type: b.Type, Format: b.Format,
		ReadyAt: b.ReadyAt, LiveAt: b.LiveAt, Regions: b.Regions, Share: b.Share, Evidence: b.Evidence,
		Amends: exchange.FeedbackID(b.Amends), Count: b.Count, FirstSeen: b.FirstSeen, LastSeen: b.LastSeen,
		Sector: b.Sector, Region: b.Region,
	})
	if err != nil {
		return nil, err
	}
	return reply(wireFeedback(f)), nil
}

func (s *server) listFeedback(ctx context.Context, a exchange.Actor, in *InRelease) (*answer[feedbackList], error) {
	l, err := s.Feedback.List(ctx, a, exchange.ReleaseID(in.Release))
	if err != nil {
		return nil, err
	}
	return reply(feedbackList{
		Items: wires(l.Entries, func(e room.Entry) feedback {
			w := wireFeedback(e.Feedback)
			w.NotCovering = e.NotCovering
			w.Name, w.Replaced = e.OrgName, e.Replaced
			return w
		}),
		Below: l.Floor, Others: wires(l.Others, func(c room.Count) feedbackCount { return feedbackCount{string(c.Kind), c.Organisations} }),
	}), nil
}

type (
	outcome struct {
		Program   string     `json:"program"`
		Title     string     `json:"title"`
		Outcome   string     `json:"outcome" doc:"what the charter promises"`
		Release   string     `json:"release,omitempty" doc:"of this release alone"`
		From      time.Time  `json:"from,omitzero"`
		To        time.Time  `json:"to,omitzero"`
		At        time.Time  `json:"at" doc:"computed from what was recorded until then"`
		Cases     []caseLine `json:"cases"`
		Measures  []measure  `json:"measures"`
		Offered   *int       `json:"offered,omitempty" doc:"pairs of case and member that were given something; absent: hidden"`
		Answered  *int       `json:"answered,omitempty" doc:"of these, those that said anything; absent: hidden"`
		Hidden    bool       `json:"hidden,omitempty" doc:"offered and answered are hidden from this reader"`
		Reached   []reached  `json:"reached" doc:"pairs by the furthest state that was recorded"`
		Quiet     []row      `json:"quiet" doc:"those that said nothing"`
		Hoarders  []row      `json:"hoarders" doc:"able to protect, fetched three cases or more, protected in none"`
		Complete  bool       `json:"complete" doc:"nothing is hidden from this reader"`
		Threshold int        `json:"threshold" doc:"figures that fewer organisations contribute to are hidden from members"`
	}
	caseLine struct {
		Release string    `json:"release"`
		Title   string    `json:"title"`
		State   string    `json:"state"`
		T0      time.Time `json:"t0,omitzero"`
		Passed  bool      `json:"passed"`
		Offered *int      `json:"offered,omitempty" doc:"absent: hidden"`
		Hidden  bool      `json:"hidden,omitempty"`
	}
	reached struct {
		State  string `json:"state" enum:"silent,delivered,opened,acknowledged,not-affected,protecting"`
		Count  *int   `json:"count,omitempty" doc:"absent: hidden"`
		Hidden bool   `json:"hidden,omitempty"`
	}
	// measure is one figure. no_data means that there was nothing to compute
	// from, which is neither 0 nor 100 percent.
	measure struct {
		ID             string  `json:"id"`
		Title          string  `json:"title"`
		Definition     string  `json:"definition"`
		Basis          string  `json:"basis" doc:"exactly who and what was counted"`
		Unit           string  `json:"unit" enum:"seconds,share"`
		HigherIsBetter bool    `json:"higher_is_better"`
		NoData         bool    `json:"no_data"`
		Hidden         bool    `json:"hidden,omitempty"`
		Figure         *figure `json:"figure,omitempty"`
		P90Seconds     float64 `json:"p90_seconds,omitempty" doc:"of a span: the 90th percentile, by nearest rank"`
		Attested       *figure `json:"attested,omitempty" doc:"the part that members say"`
		Evidenced      *figure `json:"evidenced,omitempty" doc:"the part that rests on evidence as well"`
		N              *int    `json:"n,omitempty" doc:"how many pairs of case and member, or members, have data; absent: hidden"`
		Of             *int    `json:"of,omitempty" doc:"out of how many; absent: hidden"`
		Lead           bool    `json:"lead"`
		Target         string  `json:"target,omitempty"`
		By             string  `json:"by,omitempty" format:"date"`
		State          string  `json:"state,omitempty" enum:"no data,met,not yet,missed"`
		Rows           []row   `json:"rows"`
	}
	figure struct {
		Part          *int64   `json:"part,omitempty"`
		Whole         *int64   `json:"whole,omitempty" doc:"the denominator"`
		Share         *float64 `json:"share,omitempty" doc:"part of whole, 0 to 1"`
		MedianSeconds *float64 `json:"median_seconds,omitempty"`
		Count         int      `json:"count" doc:"what it rests on"`
	}
	row struct {
		Release      string    `json:"release,omitempty" doc:"absent: over all cases"`
		Title        string    `json:"title,omitempty"`
		Organisation string    `json:"organisation"`
		Name         string    `json:"name,omitempty"`
		Weight       int64     `json:"weight"`
		From         time.Time `json:"from,omitzero"`
		To           time.Time `json:"to,omitzero"`
		SpanSeconds  *float64  `json:"span_seconds,omitempty"`
		Counts       bool      `json:"counts"`
		Evidenced    bool      `json:"evidenced,omitempty"`
		State        string    `json:"state,omitempty"`
		Cases        int       `json:"cases,omitempty"`
	}
)

func wireOutcome(o room.Outcome) outcome {
	return outcome{
		Program: string(o.Program), Title: o.Title, Outcome: o.Purpose, Release: string(o.Release),
		From: utc(o.Window.From), To: utc(o.Window.To), At: utc(o.At),
		Cases: wires(o.Cases, func(c room.CaseLine) caseLine {
			return caseLine{string(c.Release), c.Title, string(c.State), utc(c.T0), c.Passed, shown(c.Offered, c.Hidden), c.Hidden}
		}),
		Measures: wires(o.Measures, wireMeasure), Offered: shown(o.Offered, o.Hidden), Answered: shown(o.Answered, o.Hidden), Hidden: o.Hidden,
		Reached: wires(o.Reached, func(r room.Reached) reached {
			return reached{string(r.State), shown(r.Count, r.Hidden), r.Hidden}
		}),
		Quiet: wires(o.Quiet, wireRow), Hoarders: wires(o.Hoarders, wireRow), Complete: o.Overseer, Threshold: cmp.Or(o.Floor, room.MinContributors),
	}
}

// shown is nil for a count that is hidden: absent, it cannot be read as zero.
func shown(n int, hidden bool) *int {
	if hidden {
		return nil
	}
	return &n
}

func wireMeasure(m room.Measure) measure {
	w := measure{
		ID: string(m.ID), Title: m.Title, Definition: m.Definition, Basis: m.Basis, Unit: "share",
		HigherIsBetter: m.HigherIsBetter, NoData: m.NoData, Hidden: m.Hidden, N: shown(m.N, m.Uncounted), Of: shown(m.Of, m.Uncounted), Lead: m.Lead,
		Target: m.Target.String(), By: dateText(m.By), State: string(m.State), Rows: wires(m.Rows, wireRow),
	}
	if m.Duration {
		w.Unit, w.P90Seconds = "seconds", m.P90.Seconds()
	}
	w.Figure, w.Attested, w.Evidenced = wireFigure(m.Figure, m.Duration), wireFigure(m.Attested, m.Duration), wireFigure(m.Evidenced, m.Duration)
	return w
}

// wireFigure is nil without data: an absent figure cannot be read as zero.
func wireFigure(f room.Figure, duration bool) *figure {
	switch {
	case f.Count == 0:
		return nil
	case duration:
		return &figure{MedianSeconds: new(f.Median.Seconds()), Count: f.Count}
	}
	return &figure{Part: new(f.Part), Whole: new(f.Whole), Share: new(f.Share()), Count: f.Count}
}

func wireRow(r room.Row) row {
	w := row{
		Release: string(r.Release), Title: r.Title, Organisation: string(r.Org), Name: r.Name, Weight: r.Weight,
		From: utc(r.From), To: utc(r.To), Counts: r.Counts, Evidenced: r.Evidenced, State: string(r.State), Cases: r.Cases,
	}
	if !r.From.IsZero() && !r.To.IsZero() {
		w.SpanSeconds = new(r.Span.Seconds())
	}
	return w
}

type inOutcome struct {
	InProgram
	From time.Time `query:"from" doc:"Only releases whose T0 is not before it."`
	To   time.Time `query:"to" doc:"Only releases whose T0 is before it."`
}

func (s *server) programOutcome(ctx context.Context, a exchange.Actor, in *inOutcome) (*answer[outcome], error) {
	o, err := s.Feedback.Outcome(ctx, a, exchange.ProgramID(in.Program), room.Window{From: in.From, To: in.To})
	if err != nil {
		return nil, err
	}
	return reply(wireOutcome(o)), nil
}

func (s *server) releaseOutcome(ctx context.Context, a exchange.Actor, in *InRelease) (*answer[outcome], error) {
	o, err := s.Feedback.ReleaseOutcome(ctx, a, exchange.ReleaseID(in.Release))
	if err != nil {
		return nil, err
	}
	return reply(wireOutcome(o)), nil
}
