package submission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/pattern"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

const (
	chunkObjects = 10_000 // stored in one transaction, so that other writers wait about 50 ms
	dropRows     = 20_000
	maxProblems  = 1000
	warningsEach = 3  // of each code in a receipt
	openBlobs    = 32 // of earlier artifacts, while versions are compared
)

// bundle validates a STIX bundle and stores its objects in one pass over the
// bytes, in memory that does not grow with the bundle.
func (j *job) bundle(ctx context.Context, blob Blob) (Receipt, error) {
	leave, err := j.s.lane(ctx, j.art.Program)
	if err != nil {
		return Receipt{}, err
	}
	defer leave()
	g := &stage{ctx: ctx, j: j, blob: blob, marks: newMarkings(), others: map[string]Blob{}}
	defer g.close()
	if err := g.open(); err != nil {
		return Receipt{}, err
	}
	defer j.s.end(g.number)
	receipt, err := g.run()
	if err != nil || receipt.Duplicate {
		// Also when the caller has gone: what is left behind only waits for Sweep.
		if failed := j.s.drop(context.WithoutCancel(ctx), g.number); failed != nil && err == nil {
			err = failed
		}
	}
	return receipt, err
}

// stage is one bundle while it is being stored.
type stage struct {
	ctx    context.Context
	j      *job
	blob   Blob
	number int64
	now    time.Time // when it was staged
	marks  *markings
	chunk  []Object
	class  []int // of each object of chunk, in marks
	index  []int // of each object of chunk, in the bundle
	next   int   // the index that comes next when nothing is faulty
	stored int64
	title  string
	broken bool // a problem was found: nothing more is stored
	others map[string]Blob

	problems []exchange.Problem
	total    int
}

func (g *stage) close() {
	for _, b := range g.others {
		_ = b.Close() // read only
	}
}

// open stages the artifact.
func (g *stage) open() error {
	a := &g.j.art
	a.ID = exchange.ArtifactID(exchange.RandomID("art"))
	a.MediaType = "application/stix+json;version=2.1"
	g.j.s.opening.RLock()
	defer g.j.s.opening.RUnlock()
	err := g.j.s.c.Store.Update(g.ctx, func(tx Tx) (err error) {
		a.SubmittedAt = tx.Now()
		g.now = a.SubmittedAt
		g.number, err = tx.StageArtifact(*a)
		return err
	})
	if err != nil {
		return err
	}
	g.j.s.begin(g.number)
	return nil
}

var errTooMany = errors.New("too many objects")

// run reads the bundle to its end.
func (g *stage) run() (Receipt, error) {
	r := io.NewSectionReader(g.blob, 0, g.blob.Size())
	sum, err := stix.Scan(&patient{ctx: g.ctx, r: r}, stix.Options{MaxProblems: maxProblems, Pattern: pattern.Check}, g.object)
	if err == nil && sum.ProblemCount == 0 {
		err = g.flush()
	}
	if errors.Is(err, errTooMany) {
		g.problem("$.objects", stix.RuleSize, fmt.Sprintf("more than %d objects; split the bundle", MaxObjects))
		err = nil
	}
	if err != nil {
		return Receipt{}, err
	}
	if sum.Objects == 0 && sum.ProblemCount == 0 {
		g.problem("$.objects", stix.RuleBundle, "the bundle holds no objects")
	}
	if sum.UnresolvedMore || g.marks.full {
		g.problem("$.objects", stix.RuleMarking, "too many different markings for one submission; split the bundle")
	}
	if err := g.refuse(sum); err != nil {
		return Receipt{}, err
	}
	into, err := g.resolve(sum.UnresolvedMarkings)
	if err != nil {
		return Receipt{}, err
	}
	g.j.art.SelfContained = sum.SelfContained
	g.j.art.Objects, g.j.art.Title = g.stored, first(g.j.art.Title, g.title, g.j.art.Filename, "STIX bundle")
	return g.j.finish(g.ctx, into, Receipt{Types: sum.Types, Held: into.held, Warnings: append(warnings(sum), into.warnings()...)})
}

// warnings are the first few of each code for the receipt, the last of them with
// how many more there were.
func warnings(sum stix.Summary) []exchange.Problem {
	var out []exchange.Problem
	listed := make(map[string]int)
	for _, w := range sum.Warnings {
		if listed[w.Code]++; listed[w.Code] > warningsEach {
			continue
		}
		if more := sum.WarningCodes[w.Code] - warningsEach; listed[w.Code] == warningsEach && more > 0 {
			w.Message += "; " + strconv.Itoa(more) + " more like this"
		}
		out = append(out, w)
	}
	return out
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (g *stage) problem(path, code, msg string) {
	g.broken = true
	if g.total++; len(g.problems) < maxProblems {
		g.problems = append(g.problems, exchange.Problem{Path: path, Code: code, Message: msg})
	}
}

// refuse answers with every problem, those of the content first.
func (g *stage) refuse(sum stix.Summary) error {
	total := sum.ProblemCount + g.total
	if total == 0 {
		return nil
	}
	ps := append(sum.Problems, g.problems...)
	ps = ps[:min(len(ps), maxProblems)]
	public := "the bundle has 1 problem; nothing was stored"
	if total > 1 {
		public = "the bundle has " + strconv.Itoa(total) + " problems; nothing was stored"
	}
	if sum.Stopped {
		public += "; it could not be read to the end, so there may be more"
	}
	if g.j.from != "" {
		public += "; it is STIX 2.0, and the places are those of the STIX 2.1 bundle that forewarn stix lift makes of it"
	}
	return &exchange.Error{Kind: exchange.Invalid, Public: public, Problems: ps, Total: total}
}

// object takes one sound object of the bundle.
func (g *stage) object(o *stix.Object) error {
	if g.stored+int64(len(g.chunk)) >= MaxObjects {
		return errTooMany
	}
	// Faulty objects are not reported here, but they leave a gap.
	g.broken = g.broken || o.Index != g.next
	g.next = o.Index + 1
	if o.Type == "marking-definition" && !o.Duplicate && !g.marks.words.Define(o.ID, o.Raw, g.now) {
		g.marks.full = true
	}
	if g.broken || o.Duplicate {
		return nil
	}
	if g.title == "" && o.Type == "report" && len(o.MarkingRefs) == 0 && len(o.Granular) == 0 { // the title is shown to all
		g.title = titled(o.Name)
	}
	g.class = append(g.class, g.marks.class(o))
	g.index = append(g.index, o.Index)
	g.chunk = append(g.chunk, Object{
		Position: g.stored + int64(len(g.chunk)), ID: o.ID, Type: o.Type, Version: o.Version, Offset: o.Offset, Length: o.Length,
	})
	if len(g.chunk) == chunkObjects {
		return g.flush()
	}
	return nil
}

// flush stores the chunk and compares it with what the program holds.
func (g *stage) flush() error {
	if g.broken || len(g.chunk) == 0 {
		return nil
	}
	var clashes []Clash
	var firstID int64
	fresh := g.marks.unnumbered()
	err := g.j.s.c.Store.Update(g.ctx, func(tx Tx) (err error) {
		if fresh > 0 {
			if firstID, err = tx.NextClassID(fresh); err != nil {
				return err
			}
		}
		for i := range g.chunk {
			g.chunk[i].Class = g.marks.id(g.class[i], firstID)
		}
		clashes, err = tx.PutObjects(g.j.art.Program, g.number, g.chunk)
		return err
	})
	if err != nil {
		return err
	}
	g.marks.number(firstID)
	for _, c := range g.class {
		g.marks.count(c)
	}
	if err := g.compare(clashes); err != nil {
		return err
	}
	g.stored += int64(len(g.chunk))
	g.chunk, g.class, g.index = g.chunk[:0], g.class[:0], g.index[:0]
	return nil
}

// compare refuses an object whose id and version the program holds already
// with other bytes: no reader could tell which of the two is meant.
func (g *stage) compare(clashes []Clash) error {
	for _, c := range clashes {
		i, ok := slices.BinarySearchFunc(g.chunk, c.Position, func(o Object, p int64) int { return int(o.Position - p) })
		if !ok {
			return fmt.Errorf("comparing versions: position %d is not in the chunk", c.Position)
		}
		same, err := g.sameBytes(g.chunk[i], c)
		if err != nil {
			return fmt.Errorf("comparing versions: %w", err)
		}
		if !same {
			g.problem("$.objects["+strconv.Itoa(g.index[i])+"]", "stix.version-conflict",
				"the program already holds "+c.ID+" in this version, with other content; give the new content a later modified")
		}
	}
	return nil
}

func (g *stage) sameBytes(o Object, c Clash) (bool, error) {
	if o.Length != c.Length {
		return false, nil
	}
	if c.SHA256 == g.j.art.SHA256 && c.Offset == o.Offset {
		return true, nil
	}
	old, err := g.other(c.SHA256)
	if err != nil {
		return false, err
	}
	a, err := span(g.blob, o.Offset, o.Length)
	if err != nil {
		return false, err
	}
	b, err := span(old, c.Offset, c.Length)
	return bytes.Equal(a, b), err
}

// other is the blob of an earlier artifact.
func (g *stage) other(sha string) (Blob, error) {
	if b, ok := g.others[sha]; ok {
		return b, nil
	}
	if len(g.others) >= openBlobs {
		g.close()
		clear(g.others)
	}
	b, err := g.j.s.c.Blobs.Open(sha)
	if err != nil {
		return nil, err
	}
	g.others[sha] = b
	return b, nil
}

func span(r io.ReaderAt, off, n int64) ([]byte, error) {
	b := make([]byte, n)
	if got, err := r.ReadAt(b, off); int64(got) < n {
		return nil, err
	}
	return b, nil
}

// resolve decides the classes once every definition of the bundle is known.
// What the bundle does not define may have been defined by an earlier one, and
// those who run the program may have said what nobody understands.
func (g *stage) resolve(unresolved []string) (staged, error) {
	into := staged{number: g.number}
	refs := g.marks.refs()
	if len(refs) == 0 {
		g.marks.resolve(&into)
		return into, nil
	}
	var found []Clash
	err := g.j.s.c.Store.View(g.ctx, func(tx Tx) (err error) {
		found, err = tx.Definitions(g.j.art.Program, unresolved)
		return err
	})
	if err != nil {
		return into, err
	}
	for _, c := range found {
		blob, err := g.other(c.SHA256)
		if err != nil {
			return into, err
		}
		raw, err := span(blob, c.Offset, c.Length)
		if err != nil {
			return into, err
		}
		g.marks.words.Define(c.ID, raw, g.now) // what finds no room is held
	}
	err = g.j.s.c.Store.View(g.ctx, func(tx Tx) error {
		said, err := tx.Resolutions(g.j.art.Program)
		if err != nil {
			return err
		}
		for _, r := range said {
			g.marks.words.Resolve(r.Ref, r.Handling)
		}
		return g.marks.words.Settle(namesOf(tx, g.j.charter), refs)
	})
	g.marks.resolve(&into)
	return into, err
}

// drop removes a staged artifact, some rows at a time.
func (s *Service) drop(ctx context.Context, number int64) error {
	for {
		gone := false
		err := s.c.Store.Update(ctx, func(tx Tx) (err error) {
			gone, err = tx.DropStaged(number, dropRows)
			return err
		})
		if err != nil {
			return fmt.Errorf("dropping a staged artifact: %w", err)
		}
		if gone {
			return nil
		}
	}
}

// patient ends the reading of a long blob when its caller goes.
type patient struct {
	ctx context.Context
	r   io.Reader
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}
