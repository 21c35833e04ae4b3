package sqlstore

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
)

var _ reshare.Tx = (*Tx)(nil)

// keptReshare is how a request is kept. Times are Unix microseconds.
type keptReshare struct {
	Release  exchange.ReleaseID  `json:"release,omitempty"`
	Artifact exchange.ArtifactID `json:"artifact"`
	Object   *keptObject         `json:"object,omitempty"`
	Title    string              `json:"title"`
	TLP      int64               `json:"tlp"`
	Kind     reshare.Kind        `json:"kind"`
	Person   exchange.PersonID   `json:"person"`
	To       []exchange.OrgID    `json:"to,omitempty"`
	Outside  []string            `json:"outside,omitempty"`
	Why      string              `json:"why"`
	Until    int64               `json:"until,omitempty"`
	Before   *handling           `json:"before,omitempty"`
	Wanted   *handling           `json:"wanted,omitempty"`
	Decided  int64               `json:"decided,omitempty"`
	Revoked  int64               `json:"revoked,omitempty"`
	Owners   []exchange.OrgID    `json:"owners"`
	Unnamed  bool                `json:"unnamed,omitempty"`
	Answers  []keptAnswer        `json:"answers,omitempty"`
	Given    []exchange.OrgID    `json:"given,omitempty"`
	Told     []exchange.OrgID    `json:"told,omitempty"`
	Copy     int64               `json:"copy,omitempty"`
}

type keptObject struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Seq      int64  `json:"seq"`
	Class    int64  `json:"class"`
	Offset   int64  `json:"offset"`
	Length   int64  `json:"length"`
	Version  int64  `json:"version"`
	TLP      int64  `json:"tlp"`
	Markings string `json:"markings"`
	Terms    string `json:"terms"`

	Withheld []string `json:"withheld,omitempty"`
}

type keptAnswer struct {
	Org       exchange.OrgID    `json:"org"`
	Person    exchange.PersonID `json:"person"`
	At        int64             `json:"at"`
	Yes       bool              `json:"yes"`
	Condition string            `json:"condition,omitempty"`
	Until     int64             `json:"until,omitempty"`
}

func keepReshare(r reshare.Request) (string, error) {
	k := keptReshare{
		Release: r.Release, Artifact: r.Artifact, Title: r.Title, TLP: int64(r.TLP), Kind: r.Kind, Person: r.Person, To: r.To,
		Outside: r.Outside, Why: r.Why, Until: micros(r.Until), Decided: micros(r.DecidedAt), Revoked: micros(r.RevokedAt),
		Owners: r.Owners, Unnamed: r.Unnamed, Given: r.Given, Told: r.Told, Copy: r.Copy,
	}
	if r.Kind == reshare.Loosen {
		before, wanted := keptHandling(r.Before), keptHandling(r.Wanted)
		k.Before, k.Wanted = &before, &wanted
	}
	if o := r.Object; o.ID != "" {
		text, err := termsText(o.Marks)
		if err != nil {
			return "", err
		}
		k.Object = &keptObject{o.ID, o.Type, o.Seq, o.Class, o.Offset, o.Length, o.Version, int64(o.Marks.TLP), o.Marks.Markings, text, o.Withheld}
	}
	for _, a := range r.Answers {
		k.Answers = append(k.Answers, keptAnswer{a.Org, a.Person, micros(a.At), a.Yes, a.Condition, micros(a.Until)})
	}
	return jsonText(k, "writing a request")
}

// PutReshare stores a request, new or changed.
func (tx *Tx) PutReshare(r reshare.Request) error {
	body, err := keepReshare(r)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		INSERT INTO reshare (id, program, org, artifact, object, state, asked_at, answer_by, body)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body`,
		string(r.ID), string(r.Program), string(r.By), r.Number, r.Object.ID, string(r.State), micros(r.AskedAt), micros(r.AnswerBy), body)
	if err != nil {
		return fmt.Errorf("storing a request: %w", err)
	}
	for _, org := range append(slices.Clone(r.Owners), r.By) {
		_, err := tx.Exec(`
			INSERT INTO reshare_party (org, asked_at, reshare) VALUES (?1, ?2, ?3)
			ON CONFLICT (org, asked_at, reshare) DO NOTHING`, string(org), micros(r.AskedAt), string(r.ID))
		if err != nil {
			return fmt.Errorf("storing who takes part in a request: %w", err)
		}
	}
	return nil
}

const reshareSelect = `SELECT r.id, r.program, r.org, r.artifact, r.state, r.asked_at, r.answer_by, r.body FROM reshare r `

func scanReshare(s Scanner) (r reshare.Request, err error) {
	var id, program, org, state, body string
	var asked, by int64
	if err := s.Scan(&id, &program, &org, &r.Number, &state, &asked, &by, &body); err != nil {
		return r, err
	}
	var k keptReshare
	if err := json.Unmarshal([]byte(body), &k); err != nil {
		return r, fmt.Errorf("reading a request: %w", err)
	}
	r = reshare.Request{
		ID: reshare.ID(id), Program: exchange.ProgramID(program), Release: k.Release, Artifact: k.Artifact, Number: r.Number,
		Title: k.Title, TLP: exchange.TLP(k.TLP), Kind: k.Kind, By: exchange.OrgID(org), Person: k.Person, To: k.To, Outside: k.Outside,
		Why: k.Why, Until: instant(k.Until), AskedAt: instant(asked), AnswerBy: instant(by), DecidedAt: instant(k.Decided),
		RevokedAt: instant(k.Revoked), State: reshare.State(state), Owners: k.Owners, Unnamed: k.Unnamed, Given: k.Given, Told: k.Told, Copy: k.Copy,
	}
	if k.Before != nil && k.Wanted != nil {
		r.Before, r.Wanted = k.Before.handling(), k.Wanted.handling()
	}
	if o := k.Object; o != nil {
		r.Object = reshare.Object{ID: o.ID, Type: o.Type, Seq: o.Seq, Class: o.Class, Offset: o.Offset, Length: o.Length, Version: o.Version, Withheld: o.Withheld}
		if r.Object.Marks, err = classOfTerms(o.Terms); err != nil {
			return r, err
		}
		r.Object.Marks.TLP, r.Object.Marks.Markings = exchange.TLP(o.TLP), o.Markings
	}
	for _, a := range k.Answers {
		r.Answers = append(r.Answers, reshare.Answer{
			Org: a.Org, Person: a.Person, At: instant(a.At), Yes: a.Yes, Condition: a.Condition, Until: instant(a.Until),
		})
	}
	return r, nil
}

// Reshare answers one request.
func (tx *Tx) Reshare(id reshare.ID) (reshare.Request, error) {
	r, err := scanReshare(tx.QueryRow(reshareSelect+`WHERE r.id = ?1`, string(id)))
	return found(r, err, "reading a request")
}

// before is where a list goes on: the instant and identifier of the request that
// it goes on before.
func (tx *Tx) before(id reshare.ID) (asked int64, last string, err error) {
	if id == "" {
		return 1<<63 - 1, "", nil
	}
	at, err := Collect(tx, scanInt, `SELECT asked_at FROM reshare WHERE id = ?1`, string(id))
	if err != nil || len(at) == 0 {
		return 0, "", err
	}
	return at[0], string(id), nil
}

// ResharesOf lists what an organisation takes part in, newest first.
func (tx *Tx) ResharesOf(org exchange.OrgID, before reshare.ID, limit int) ([]reshare.Request, error) {
	asked, last, err := tx.before(before)
	if err != nil {
		return nil, err
	}
	all, err := Collect(tx, scanReshare, reshareSelect+`
		JOIN reshare_party p ON p.reshare = r.id
		WHERE p.org = ?1 AND (p.asked_at < ?2 OR p.asked_at = ?2 AND p.reshare < ?3)
		ORDER BY p.asked_at DESC, p.reshare DESC LIMIT ?4 + 0`, string(org), asked, last, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing requests: %w", err)
	}
	return all, nil
}

// ResharesIn lists what was asked in a program, newest first.
func (tx *Tx) ResharesIn(program exchange.ProgramID, before reshare.ID, limit int) ([]reshare.Request, error) {
	asked, last, err := tx.before(before)
	if err != nil {
		return nil, err
	}
	all, err := Collect(tx, scanReshare, reshareSelect+`
		WHERE r.program = ?1 AND (r.asked_at < ?2 OR r.asked_at = ?2 AND r.id < ?3)
		ORDER BY r.asked_at DESC, r.id DESC LIMIT ?4 + 0`, string(program), asked, last, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing requests: %w", err)
	}
	return all, nil
}

// DueReshares lists open requests that had to be answered by now.
func (tx *Tx) DueReshares(now time.Time, limit int) ([]reshare.Request, error) {
	all, err := Collect(tx, scanReshare, reshareSelect+`
		WHERE r.state = 'open' AND r.answer_by <= ?1 ORDER BY r.answer_by, r.id LIMIT ?2 + 0`, micros(now), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing requests that are due: %w", err)
	}
	return all, nil
}

// GrantsOn lists what was granted on an artifact, or on an object of it.
func (tx *Tx) GrantsOn(artifact int64, object string) ([]reshare.Request, error) {
	all, err := Collect(tx, scanReshare, reshareSelect+`
		WHERE r.artifact = ?1 AND r.object = ?2 AND r.state IN ('granted', 'conditional') ORDER BY r.asked_at, r.id`, artifact, object)
	if err != nil {
		return nil, fmt.Errorf("listing grants: %w", err)
	}
	return slices.DeleteFunc(all, func(r reshare.Request) bool { return r.Kind != reshare.Reshare }), nil
}

// PutCopy stores a bundle of few objects under one handling class.
func (tx *Tx) PutCopy(a exchange.Artifact, c exchange.HandlingClass, objs []reshare.CopyObject) (int64, error) {
	a.SubmittedAt = tx.Now()
	number, err := tx.StageArtifact(a)
	if err != nil {
		return 0, err
	}
	if c.ID, err = tx.NextClassID(1); err != nil {
		return 0, err
	}
	a.Number, c.Artifact = number, number
	rows := make([]submission.Object, len(objs))
	for i, o := range objs {
		rows[i] = submission.Object{
			Position: int64(i), Class: c.ID, ID: o.ID, Type: o.Type, Version: o.Version, Offset: o.Offset, Length: o.Length,
		}
	}
	if _, err := tx.PutObjects(a.Program, number, rows); err != nil {
		return 0, err
	}
	if err := tx.PutClasses([]exchange.HandlingClass{c}); err != nil {
		return 0, err
	}
	return number, tx.ReadyArtifact(a)
}

// DerivedOf lists the ready artifacts of a program that were made from an
// artifact or a STIX object.
func (tx *Tx) DerivedOf(program exchange.ProgramID, id string) ([]exchange.Artifact, error) {
	all, err := Collect(tx, scanArtifact, `
		SELECT `+artifactColumns+` FROM artifact
		WHERE program = ?1 AND derived_from <> '[]' AND ready = 1 AND derived_from LIKE ?2 ORDER BY number`,
		string(program), `%"`+id+`"%`)
	if err != nil {
		return nil, fmt.Errorf("listing what was derived: %w", err)
	}
	// LIKE takes some characters of identifiers for any character.
	return slices.DeleteFunc(all, func(a exchange.Artifact) bool { return !slices.Contains(a.DerivedFrom, id) || !a.RemovedAt.IsZero() }), nil
}
