package submission

import (
	"context"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/format/stix20"
)

// Submit takes one artifact of a release: it writes the bytes, validates them,
// stores them with their handling, and revises the release, whose approvals
// lapse. What is invalid is answered with every problem that was found, and
// nothing of it is stored. The same bytes under the same class and name are one
// submission, however often they come.
//
// Errors: exchange.NotFound for whoever may not know of the release, Denied,
// Conflict when the release or the program takes nothing more, Invalid with
// problems, Exhausted when there are too many bytes.
func (s *Service) Submit(ctx context.Context, actor exchange.Actor, in Input, r io.Reader) (Receipt, error) {
	j := &job{s: s, actor: actor, in: in}
	var ps []exchange.Problem
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		if err = j.admit(tx); err == nil {
			ps, err = j.check(tx)
		}
		return err
	})
	if err != nil {
		return Receipt{}, err
	}
	more, err := j.derive(ctx)
	if err != nil {
		return Receipt{}, err
	}
	if ps = append(ps, more...); len(ps) > 0 {
		return Receipt{}, exchange.InvalidWith("the submission was not accepted; nothing was stored", ps)
	}
	sha, size, err := s.c.Blobs.Write(ctx, &counter{r: r, told: in.Progress}, s.c.Limit)
	if err != nil {
		return Receipt{}, err
	}
	if size == 0 {
		return Receipt{}, exchange.Fail(exchange.Invalid, "the submission is empty; nothing was stored")
	}
	blob, err := j.open(ctx, sha, size)
	if err != nil {
		return Receipt{}, err
	}
	defer blob.Close()
	var receipt Receipt
	same := false
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		receipt, same, err = j.same(tx)
		return err
	})
	if err != nil || same {
		return receipt, err
	}
	return j.take(ctx, blob)
}

// job is one submission on its way.
type job struct {
	s       *Service
	actor   exchange.Actor
	in      Input
	charter exchange.Charter
	release exchange.Release
	art     exchange.Artifact
	super   bool // the artifact that is superseded was found
	old     exchange.Artifact

	tightened []exchange.Problem // what of the stated handling did not hold

	from   string             // the SHA-256 of the STIX 2.0 bundle that the artifact was lifted from
	lifted []exchange.Problem // what that changed
}

// admit reads the facts and says whether the actor may hand anything in.
func (j *job) admit(tx Tx) error {
	release, err := tx.Release(j.in.Release)
	if err != nil {
		return err
	}
	if release.Standing {
		return exchange.Missing()
	}
	charter, err := tx.Charter(release.Program)
	if err != nil {
		return err
	}
	if err := mayChange(j.actor, charter, exchange.VerbSubmit); err != nil {
		return err
	}
	if err := takes(release, charter, tx); err != nil {
		return err
	}
	j.release, j.charter = release, charter
	if j.in.Supersedes != "" {
		old, err := tx.Artifact(j.in.Supersedes)
		if err != nil && exchange.KindOf(err) != exchange.NotFound {
			return err
		}
		j.old = old
		j.super = err == nil && old.Program == release.Program && old.RemovedAt.IsZero()
	}
	return nil
}

// mayChange lets operators of the owner pass, and their tokens with the verb.
// Others of the owner's staff know of the release and hear that they may not;
// for everyone else it does not exist.
func mayChange(actor exchange.Actor, c exchange.Charter, verb exchange.Verb) error {
	if !actor.Reaches(c.ID) {
		return exchange.Missing()
	}
	if actor.Operates(c.Owner) || actor.Org == c.Owner && actor.Is(exchange.RoleOperator) && actor.May(verb) {
		return nil
	}
	if actor.Org == c.Owner && slices.ContainsFunc(actor.Roles, func(r exchange.Role) bool {
		return r == exchange.RoleOperator || r == exchange.RoleApprover || r == exchange.RoleAuditor
	}) {
		return exchange.Fail(exchange.Denied, "only operators of the program, and tokens of theirs with the verb submit, hand in and take out")
	}
	return exchange.Missing()
}

// takes reports whether the release can still be changed at all.
func takes(r exchange.Release, c exchange.Charter, tx Tx) error {
	switch {
	case c.ReadOnlyAt(tx.Now()):
		return exchange.Fail(exchange.Conflict, "the program's sunset date has passed; reads work, new shares are refused")
	case r.State == exchange.ReleaseClosed:
		return exchange.Fail(exchange.Conflict, "the release is closed; open another one that follows it")
	case r.State == exchange.ReleaseWithdrawn:
		return exchange.Fail(exchange.Conflict, "the release was withdrawn; open another one")
	}
	return nil
}

const (
	maxName  = 200 // bytes of a file name
	maxTitle = 200 // characters
)

// check lists what is wrong with the description, before any bytes are read,
// and fills in the artifact.
func (j *job) check(tx Tx) ([]exchange.Problem, error) {
	var ps []exchange.Problem
	add := func(path, msg string) { ps = append(ps, exchange.Problem{Path: path, Message: msg}) }
	switch in := j.in; {
	case !in.Class.Valid():
		add("class", "choose a content class: "+list(j.charter.ContentClasses))
	case !slices.Contains(j.charter.ContentClasses, in.Class):
		add("class", "the program does not use "+string(in.Class)+"; it uses "+list(j.charter.ContentClasses))
	}
	if !slices.Contains([]exchange.ArtifactKind{"", exchange.ArtifactSTIX, exchange.ArtifactCSAF, exchange.ArtifactMarkdown, exchange.ArtifactFile}, j.in.Kind) {
		add("kind", "choose stix, csaf, markdown or file, or leave it out")
	}
	if !fileName(j.in.Filename) {
		add("filename", "a file name has at most 200 bytes and no folder, control or separator characters")
	}
	if !exchange.Plain(j.in.Title) || utf8.RuneCountInString(j.in.Title) > maxTitle {
		add("title", "a title is one line of at most 200 characters")
	}
	if j.in.MediaType != "" && !mediaType(j.in.MediaType) {
		add("media_type", "a media type has the form type/subtype")
	}
	if j.in.Supersedes != "" && !j.super {
		add("supersedes", "the program has no such artifact")
	}
	handling, unnamed, err := settled(tx, j.charter, j.in.Handling.Fill(j.charter.Handling))
	j.art = exchange.Artifact{
		Release: j.release.ID, Program: j.release.Program, Class: j.in.Class, Kind: j.in.Kind,
		Title: strings.TrimSpace(j.in.Title), Filename: j.in.Filename, MediaType: j.in.MediaType,
		Handling:   handling,
		Originator: j.charter.Owner, SubmittedBy: j.actor.Person, Supersedes: j.in.Supersedes,
	}
	if j.actor.Org != "" {
		j.art.Originator = j.actor.Org
	}
	ps = append(ps, handling.Check("handling")...)
	return append(ps, unnamed...), err
}

func list[T ~string](all []T) string {
	words := make([]string, len(all))
	for i, w := range all {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}

func fileName(s string) bool {
	return len(s) <= maxName && exchange.Plain(s) && !strings.ContainsAny(s, `/\`) && s != "." && s != ".."
}

func mediaType(s string) bool {
	kind, sub, found := strings.Cut(s, "/")
	return found && kind != "" && sub != "" && len(s) <= 100 &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// same looks for the submission among what is stored. The same bytes with
// another handling are not the same: which of the two should hold?
func (j *job) same(tx Tx) (Receipt, bool, error) {
	old, err := tx.SameArtifact(j.art.Release, j.art.Class, j.art.SHA256, j.art.Filename)
	if exchange.KindOf(err) == exchange.NotFound {
		return Receipt{}, false, nil
	}
	if err != nil {
		return Receipt{}, false, err
	}
	if !alike(old.Handling, j.art.Handling) || !slices.Equal(old.DerivedFrom, j.art.DerivedFrom) {
		return Receipt{}, false, exchange.Fail(exchange.Conflict,
			"the same bytes are in this release with another handling or other parents; take that artifact out, or give the new one another file name and say that it supersedes %s", old.ID)
	}
	return Receipt{Artifact: old, Duplicate: true, Warnings: slices.Concat(j.tightened, j.lifted), Release: j.release}, true, nil
}

func alike(a, b exchange.Handling) bool {
	// Joined with nothing, a handling has one form, whatever the order of its lists.
	return reflect.DeepEqual(a.Join(exchange.Handling{}), b.Join(exchange.Handling{}))
}

// open opens the bytes that were written, or, where they are a STIX 2.0 bundle,
// what they are in STIX 2.1: only that is kept.
func (j *job) open(ctx context.Context, sha string, size int64) (Blob, error) {
	j.art.SHA256, j.art.Size = sha, size
	blob, err := j.s.c.Blobs.Open(sha)
	if err != nil {
		return nil, err
	}
	if j.art.Kind == "" {
		j.art.Kind = recognise(j.in, blob)
	}
	if j.art.Kind != exchange.ArtifactSTIX || !stix20.Is20(&patient{ctx: ctx, r: io.NewSectionReader(blob, 0, size)}) {
		return blob, nil
	}
	defer blob.Close()
	return j.lift(ctx, blob)
}

func (j *job) lift(ctx context.Context, old Blob) (Blob, error) {
	r, w := io.Pipe()
	var report stix20.Report
	go func() {
		var err error
		report, err = stix20.Lift(&patient{ctx: ctx, r: io.NewSectionReader(old, 0, old.Size())}, w, stix20.Options{MaxChanges: maxProblems, ID: stix.NewChecker(stix.Options{}).ObservableID})
		w.CloseWithError(err)
	}()
	sha, size, err := j.s.c.Blobs.Write(ctx, r, j.s.c.Limit)
	_ = r.Close() // ends the lift where the writing failed
	if err != nil {
		return nil, err
	}
	j.from, j.lifted = j.art.SHA256, report.Changes
	j.art.SHA256, j.art.Size = sha, size
	return j.s.c.Blobs.Open(sha)
}

// take stores the bytes by their kind.
func (j *job) take(ctx context.Context, blob Blob) (Receipt, error) {
	if j.art.Kind == exchange.ArtifactSTIX {
		return j.bundle(ctx, blob)
	}
	warnings, err := j.document(blob)
	if err != nil {
		return Receipt{}, err
	}
	return j.finish(ctx, staged{}, Receipt{Warnings: warnings})
}

// finish is the transaction by which the submission comes into being.
func (j *job) finish(ctx context.Context, g staged, r Receipt) (Receipt, error) {
	var receipt Receipt
	err := j.s.c.Store.Update(ctx, func(tx Tx) error {
		// The state may have changed while the bytes were read.
		if err := j.admit(tx); err != nil {
			return err
		}
		old, same, err := j.same(tx)
		if err != nil || same {
			receipt = old
			return err
		}
		receipt = r
		return j.store(tx, g, &receipt)
	})
	return receipt, err
}

func (j *job) store(tx Tx, g staged, r *Receipt) error {
	a := j.art
	a.Number, a.SubmittedAt = g.number, tx.Now()
	if a.Number == 0 {
		a.ID = exchange.ArtifactID(exchange.RandomID("art"))
		n, err := tx.StageArtifact(a)
		if err != nil {
			return err
		}
		a.Number = n
	}
	for i := range g.classes {
		g.classes[i].Artifact = a.Number
	}
	if err := tx.PutClasses(g.classes); err != nil {
		return err
	}
	if err := j.hold(tx, g); err != nil {
		return err
	}
	if err := tx.ReadyArtifact(a); err != nil {
		return err
	}
	release, err := tx.ReviseRelease(a.Release, j.actor.Person)
	if err != nil {
		return err
	}
	seq, err := tx.Record(exchange.Event{
		Kind: exchange.EventArtifactSubmitted, Actor: j.actor, Program: a.Program, Release: a.Release,
		Subject: []string{string(a.ID)},
		Detail: exchange.Detail{
			"class": string(a.Class), "kind": string(a.Kind), "sha256": a.SHA256, "size": a.Size,
			"objects": a.Objects, "tlp": a.Handling.TLP.String(), "expires": a.Handling.Expires, "held": int64(r.Held),
			"supersedes": string(a.Supersedes), "revision": release.Revision, "lifted_from": j.from,
			"derived_from": a.DerivedFrom, "relation": a.Relation,
		},
	})
	if err != nil {
		return err
	}
	if j.s.c.Grounds != nil {
		if err := j.s.c.Grounds(tx, j.charter, a, seq); err != nil {
			return err
		}
	}
	if err := j.tell(tx, a, g, seq); err != nil {
		return err
	}
	r.Artifact, r.Release, r.Warnings = a, release, slices.Concat(j.tightened, j.lifted, r.Warnings)
	return tx.BumpGeneration()
}

// counter tells how far the reading is.
type counter struct {
	r    io.Reader
	n    int64
	told func(int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n += int64(n); c.told != nil && n > 0 {
		c.told(c.n)
	}
	return n, err
}
