package verify

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// BundleReport says what a bundle shows. As far as it is filled in, what it says was
// verified; after a *Failure that is what stands before the first bad entry.
type BundleReport struct {
	Manifest   Manifest
	Checkpoint Signed
	Keys       []string // of the log and its witnesses as the bundle names them; not trusted for that

	Entries int64            // events within the period
	Outside int64            // events outside the period, which give the row of numbers its ends
	Kinds   map[string]int64 // of those within the period
	First   *BundleEvent     // within the period; nil when there are none
	Last    *BundleEvent
	Before  bool // nothing is missing before the first: an earlier event stands there, or it is number 1
	After   bool // nothing is missing after the last: a later event stands there

	Missing  int64 // numbers without an event
	Gaps     []Gap // the first 100
	Charters []CharterUse
}

// BundleEvent is one event of a bundle.
type BundleEvent struct {
	Index  int64
	Seq    int64
	Number int64
	At     time.Time
	Kind   string
}

// Gap is a run of events of the program that are not in the bundle.
type Gap struct {
	From, To int64 // their numbers, both missing
	Index    int64 // of the entry after the gap
}

// CharterUse is one version of the charter: in the bundle, named by events, or both.
type CharterUse struct {
	Version int64
	Digest  string // of the text in the bundle, SHA-256 in base 64 without padding; empty when it is not there
	Events  int64  // that say that they were decided by it
}

const (
	mostGaps     = 100
	mostKinds    = 1000
	mostCharters = 10_000
)

// VerifyBundle reads an evidence bundle to its end and checks all of it: that the
// checkpoint is signed by one of the keys, that each event stands in the log at its
// index, that the numbers of the program's events have no gaps, and that the
// versions of the charter are those that the events name. What does not hold is a
// *Failure; its Index is that of the first bad entry, where one can be named. Memory
// is bounded, whatever the size of the bundle.
func VerifyBundle(r io.Reader, keys, witnesses []string) (BundleReport, error) {
	b := bundleReader{
		archive: newArchive(r), keys: keys, witnesses: witnesses,
		report:   BundleReport{Kinds: map[string]int64{}},
		last:     BundleEvent{Index: -1},
		charters: map[int64]*charterUse{},
		group:    -1,
	}
	err := b.all()
	for _, c := range b.charters {
		b.report.Charters = append(b.report.Charters, c.CharterUse)
	}
	slices.SortFunc(b.report.Charters, func(x, y CharterUse) int { return int(x.Version - y.Version) })
	if err == nil && b.report.Missing > 0 {
		g := b.report.Gaps[0]
		what := fmt.Sprintf("event number %d of the program is missing", g.From)
		if g.To > g.From {
			what = fmt.Sprintf("the events number %d to %d of the program are missing", g.From, g.To)
		}
		err = &Failure{What: fmt.Sprintf("%s, before place %d of the log", what, g.Index), Index: g.Index}
	}
	return b.report, err
}

// event takes in an event that stands in the log.
func (b *bundleReader) event(l *entryLine) error {
	bad := func(format string, args ...any) error {
		return &Failure{What: fmt.Sprintf("place %d: ", l.Index) + fmt.Sprintf(format, args...), Index: l.Index}
	}
	f, err := factsOf(l.opening)
	if err != nil {
		return bad("%v", err)
	}
	m := b.report.Manifest
	e := BundleEvent{Index: l.Index, Seq: l.Seq, Number: f.Number, At: f.At, Kind: f.Kind}
	if f.Program != m.Program || f.Number < 1 || f.At.IsZero() {
		return bad("the event shows no number, no time, or another program than %.80q", m.Program)
	}
	if b.total > 0 && l.Seq-l.Index != b.last.Seq-b.last.Index {
		return bad("event %d does not stand there when event %d is at place %d", l.Seq, b.last.Seq, b.last.Index)
	}
	if b.total > 0 && f.Number <= b.last.Number {
		return bad("event number %d comes after number %d", f.Number, b.last.Number)
	}
	if b.total > 0 && f.Number > b.last.Number+1 {
		b.report.Missing += f.Number - b.last.Number - 1
		if len(b.report.Gaps) < mostGaps {
			b.report.Gaps = append(b.report.Gaps, Gap{b.last.Number + 1, f.Number - 1, l.Index})
		}
	}
	b.last = e
	b.total++
	if f.At.Before(m.From) || !m.To.IsZero() && !f.At.Before(m.To) {
		b.report.Outside++
		b.report.After = b.report.First != nil
		return nil
	}
	if f.Kind == "" {
		return bad("the event lies within the period and does not show its kind")
	}
	if b.report.First == nil {
		b.report.First = &e
		b.report.Before = f.Number == 1 || b.total > 1
	}
	b.report.Last, b.report.After = &e, false
	b.report.Entries++
	if _, ok := b.report.Kinds[f.Kind]; !ok && len(b.report.Kinds) == mostKinds {
		return bad("more than %d kinds of events", mostKinds)
	}
	b.report.Kinds[f.Kind]++
	return b.charter(f, bad)
}

// charter compares the version of the charter that an event names with what the
// bundle holds of it.
func (b *bundleReader) charter(f facts, bad func(string, ...any) error) error {
	if f.Charter == 0 {
		return nil
	}
	c := b.charters[f.Charter]
	if c == nil {
		if len(b.charters) >= mostCharters {
			return bad("more than %d versions of the charter", mostCharters)
		}
		c = &charterUse{CharterUse: CharterUse{Version: f.Charter}}
		b.charters[f.Charter] = c
	}
	if f.CharterDigest != "" {
		if c.digest == "" {
			c.digest = f.CharterDigest
		}
		if c.digest != f.CharterDigest {
			return bad("version %d of the charter has another digest than earlier events say", f.Charter)
		}
		if c.Digest != "" && c.Digest != f.CharterDigest {
			return bad("version %d of the charter in the bundle is not the one by which this was decided", f.Charter)
		}
	}
	c.Events++
	return nil
}

type charterUse struct {
	CharterUse
	digest string // that the events name
}
