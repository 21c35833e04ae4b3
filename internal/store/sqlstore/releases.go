package sqlstore

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
)

var _ release.Tx = (*Tx)(nil)

// ruleText is a plan's rule as it is kept.
type ruleText struct {
	Class  string `json:"class"`
	Cohort string `json:"cohort"`
	At     string `json:"at"`
}

func rulesText(rules []exchange.PlanRule) (string, error) {
	texts := make([]ruleText, len(rules))
	for i, r := range rules {
		texts[i] = ruleText{string(r.Class), string(r.Cohort), r.At.String()}
	}
	b, err := json.Marshal(texts)
	return string(b), err
}

func rulesOf(text string) ([]exchange.PlanRule, error) {
	var texts []ruleText
	if err := json.Unmarshal([]byte(text), &texts); err != nil {
		return nil, fmt.Errorf("reading a plan: %w", err)
	}
	rules := make([]exchange.PlanRule, len(texts))
	for i, t := range texts {
		at, err := exchange.ParseOffset(t.At)
		if err != nil {
			return nil, fmt.Errorf("reading a plan: %w", err)
		}
		rules[i] = exchange.PlanRule{Class: exchange.ContentClass(t.Class), Cohort: exchange.CohortID(t.Cohort), At: at}
	}
	return rules, nil
}

const releaseSelect = `
	SELECT id, program, title, message, state, t0, rules, revision, version, author, editors,
		incomplete_fix_of, created_at, updated_at, public_at, closed_at, reason, standing
	FROM release`

func scanRelease(s Scanner) (r exchange.Release, err error) {
	var id, program, state, rules, author, editors, fix string
	var t0, created, updated, public, closed, standing int64
	err = s.Scan(&id, &program, &r.Title, &r.Message, &state, &t0, &rules, &r.Revision, &r.Version, &author, &editors,
		&fix, &created, &updated, &public, &closed, &r.Reason, &standing)
	if err != nil {
		return r, err
	}
	r.ID, r.Program, r.State = exchange.ReleaseID(id), exchange.ProgramID(program), exchange.ReleaseState(state)
	r.Author, r.IncompleteFixOf = exchange.PersonID(author), exchange.ReleaseID(fix)
	r.CreatedAt, r.UpdatedAt, r.PublicAt, r.ClosedAt = instant(created), instant(updated), instant(public), instant(closed)
	r.Plan.T0, r.Standing = instant(t0), standing != 0
	if r.Plan.Rules, err = rulesOf(rules); err != nil {
		return r, err
	}
	r.Editors, err = wordsOf[exchange.PersonID](editors)
	return r, err
}

// Release answers a release with its approvals.
func (tx *Tx) Release(id exchange.ReleaseID) (exchange.Release, error) {
	r, err := found2(scanRelease(tx.QueryRow(releaseSelect+` WHERE id = ?1`, string(id))))
	if err != nil {
		return r, err
	}
	r.Approvals, err = Collect(tx, scanApproval, `
		SELECT person, revision, at FROM approval WHERE release = ?1 ORDER BY at, person`, string(id))
	return r, err
}

func found2(r exchange.Release, err error) (exchange.Release, error) {
	return found(r, err, "reading a release")
}

func scanApproval(s Scanner) (a exchange.Approval, err error) {
	var person string
	var at int64
	err = s.Scan(&person, &a.Revision, &at)
	a.Person, a.At = exchange.PersonID(person), instant(at)
	return a, err
}

// ReleasesOf lists a program's releases, oldest first, without approvals. The
// standing release is none of them: nobody planned it and nobody acts on it.
func (tx *Tx) ReleasesOf(program exchange.ProgramID) ([]exchange.Release, error) {
	rs, err := Collect(tx, scanRelease, releaseSelect+` WHERE program = ?1 AND standing = 0 ORDER BY created_at, id`, string(program))
	if err != nil {
		return nil, fmt.Errorf("listing releases: %w", err)
	}
	return rs, nil
}

// PutRelease stores a new release (version 0), or changes the one that was read
// at r.Version. It raises the version and notes the time.
func (tx *Tx) PutRelease(r *exchange.Release) error {
	r.Version++
	r.UpdatedAt = tx.now
	r.Plan.T0 = instant(micros(r.Plan.T0)) // as it will be read
	rules, err := rulesText(r.Plan.Rules)
	if err != nil {
		return err
	}
	editors, err := words(r.Editors)
	if err != nil {
		return err
	}
	n, err := tx.Exec(`
		INSERT INTO release (id, program, title, message, state, t0, rules, revision, version, author, editors,
			incomplete_fix_of, created_at, updated_at, public_at, closed_at, reason, standing)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
		ON CONFLICT (id) DO UPDATE SET title = excluded.title, message = excluded.message, state = excluded.state,
			t0 = excluded.t0, rules = excluded.rules, revision = excluded.revision, version = excluded.version,
			editors = excluded.editors, updated_at = excluded.updated_at, public_at = excluded.public_at,
			closed_at = excluded.closed_at, reason = excluded.reason
		WHERE release.version = excluded.version - 1`,
		string(r.ID), string(r.Program), r.Title, r.Message, string(r.State), micros(r.Plan.T0), rules, r.Revision, r.Version,
		string(r.Author), editors, string(r.IncompleteFixOf), micros(r.CreatedAt), micros(r.UpdatedAt),
		micros(r.PublicAt), micros(r.ClosedAt), r.Reason, flag(r.Standing))
	if err != nil {
		return fmt.Errorf("storing a release: %w", err)
	}
	if n == 0 {
		return exchange.Fail(exchange.Precondition, "the release was changed meanwhile; nothing was changed, read it again")
	}
	return nil
}

// ReviseRelease records that the release's content changed: a new revision,
// back to draft, the approvals void.
func (tx *Tx) ReviseRelease(id exchange.ReleaseID, by exchange.PersonID) (exchange.Release, error) {
	r, err := tx.Release(id)
	if err != nil {
		return r, err
	}
	r.Revise(by)
	err = tx.PutRelease(&r)
	return r, err
}

// PutApproval stores one person's approval of one revision.
func (tx *Tx) PutApproval(id exchange.ReleaseID, a exchange.Approval) error {
	_, err := tx.Exec(`
		INSERT INTO approval (release, revision, person, at) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (release, revision, person) DO NOTHING`, string(id), a.Revision, string(a.Person), micros(a.At))
	if err != nil {
		return fmt.Errorf("storing an approval: %w", err)
	}
	return nil
}

const waveSelect = `
	SELECT w.release, w.audience, w.at, w.classes, w.state, w.opened_at, w.late, w.objects
	FROM wave w`

func scanWave(s Scanner) (w exchange.WaveRecord, err error) {
	var id, audience, classes, state string
	var at, opened, late int64
	if err = s.Scan(&id, &audience, &at, &classes, &state, &opened, &late, &w.Objects); err != nil {
		return w, err
	}
	w.Release, w.State = exchange.ReleaseID(id), exchange.WaveState(state)
	w.At, w.OpenedAt, w.Late = instant(at), instant(opened), time.Duration(late)*time.Microsecond
	if w.Audience, err = exchange.ParseAudience(audience); err != nil {
		return w, err
	}
	w.Classes, err = wordsOf[exchange.ContentClass](classes)
	return w, err
}

// WavesOf lists a release's waves by instant and audience.
func (tx *Tx) WavesOf(id exchange.ReleaseID) ([]exchange.WaveRecord, error) {
	ws, err := Collect(tx, scanWave, waveSelect+` WHERE w.release = ?1 ORDER BY w.at, w.audience, w.state`, string(id))
	if err != nil {
		return nil, fmt.Errorf("listing waves: %w", err)
	}
	return ws, nil
}

// PutPlanned replaces every wave of the release that is not open.
func (tx *Tx) PutPlanned(id exchange.ReleaseID, ws []exchange.WaveRecord) error {
	if _, err := tx.Exec(`DELETE FROM wave WHERE release = ?1 AND state <> 'open'`, string(id)); err != nil {
		return fmt.Errorf("replacing the plan: %w", err)
	}
	for _, w := range ws {
		if err := tx.putWave(w); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) putWave(w exchange.WaveRecord) error {
	classes, err := words(w.Classes)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		INSERT INTO wave (release, audience, at, classes, state, opened_at, late, objects)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`,
		string(w.Release), w.Audience.String(), micros(w.At), classes, string(w.State), micros(w.OpenedAt), w.Late.Microseconds(), w.Objects)
	if err != nil {
		return fmt.Errorf("storing a wave: %w", err)
	}
	return nil
}

// SetWave replaces one wave. Two waves of one audience that come to stand at
// one instant in one state become one.
func (tx *Tx) SetWave(old, now exchange.WaveRecord) error {
	_, err := tx.Exec(`
		DELETE FROM wave WHERE release = ?1 AND audience = ?2 AND at = ?3 AND state = ?4 AND opened_at = ?5`,
		string(old.Release), old.Audience.String(), micros(old.At), string(old.State), micros(old.OpenedAt))
	if err != nil {
		return fmt.Errorf("changing a wave: %w", err)
	}
	same, err := Collect(tx, scanWave, waveSelect+`
		WHERE w.release = ?1 AND w.audience = ?2 AND w.at = ?3 AND w.state = ?4 AND w.opened_at = ?5`,
		string(now.Release), now.Audience.String(), micros(now.At), string(now.State), micros(now.OpenedAt))
	if err != nil {
		return fmt.Errorf("changing a wave: %w", err)
	}
	for _, w := range same {
		now.Classes = append(now.Classes, w.Classes...)
		now.Objects += w.Objects
		if _, err := tx.Exec(`
			DELETE FROM wave WHERE release = ?1 AND audience = ?2 AND at = ?3 AND state = ?4 AND opened_at = ?5`,
			string(w.Release), w.Audience.String(), micros(w.At), string(w.State), micros(w.OpenedAt)); err != nil {
			return fmt.Errorf("changing a wave: %w", err)
		}
	}
	return tx.putWave(now)
}

// DueWaves lists the scheduled waves whose instant has come, of releases that
// open, in order: by instant, the public last.
func (tx *Tx) DueWaves(now time.Time, limit int) ([]exchange.WaveRecord, error) {
	ws, err := Collect(tx, scanWave, waveSelect+` JOIN release r ON r.id = w.release
		WHERE w.state = 'scheduled' AND w.at <= ?1 AND r.state IN ('armed', 'releasing', 'public')
		ORDER BY w.at, w.release, CASE WHEN w.audience = 'public' THEN 1 ELSE 0 END, w.audience
		LIMIT ?2 + 0`, micros(now), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing due waves: %w", err)
	}
	return ws, nil
}

// NextWave is the instant of the next scheduled wave of a release that opens.
func (tx *Tx) NextWave() (time.Time, error) {
	var at int64
	err := tx.QueryRow(`
		SELECT COALESCE(MIN(w.at), 0) FROM wave w JOIN release r ON r.id = w.release
		WHERE w.state = 'scheduled' AND r.state IN ('armed', 'releasing', 'public')`).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the timetable: %w", err)
	}
	return instant(at), nil
}

// OpeningsOf lists what audiences were given of a release.
func (tx *Tx) OpeningsOf(id exchange.ReleaseID) ([]release.Opening, error) {
	os, err := Collect(tx, scanOpening, `
		SELECT artifact, audience, opened_at FROM opening WHERE release = ?1 ORDER BY opened_at, artifact, audience`, string(id))
	if err != nil {
		return nil, fmt.Errorf("listing openings: %w", err)
	}
	return os, nil
}

func scanOpening(s Scanner) (o release.Opening, err error) {
	var audience string
	var at int64
	if err = s.Scan(&o.Artifact, &audience, &at); err != nil {
		return o, err
	}
	o.OpenedAt = instant(at)
	o.Audience, err = exchange.ParseAudience(audience)
	return o, err
}

// OpenTo gives artifacts to an audience; see release.Audiences.
func (tx *Tx) OpenTo(r exchange.Release, a exchange.Audience, artifacts []exchange.Artifact) (objects int64, err error) {
	numbers := make([]int64, len(artifacts))
	for i, art := range artifacts {
		numbers[i] = art.Number
		objects += art.Objects
		if _, err := tx.Exec(`
			INSERT INTO opening (artifact, audience, release, opened_at) VALUES (?1, ?2, ?3, ?4)`,
			art.Number, a.String(), string(r.ID), micros(tx.now)); err != nil {
			return 0, fmt.Errorf("opening an artifact: %w", err)
		}
	}
	feed, ok, err := tx.feedOf(r.Program, a.String(), "")
	if err != nil || !ok { // nobody is in the audience yet, or it is the public
		return objects, err
	}
	return objects, tx.appendFeed(r.Program, feed, numbers)
}

// Notify tells each organisation once of the event.
func (tx *Tx) Notify(orgs []exchange.OrgID, n exchange.Notice) error {
	for _, org := range orgs {
		_, err := tx.Exec(`
			INSERT INTO notice (id, org, program, release, kind, at, event, text, read_at)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)
			ON CONFLICT (event, org) DO NOTHING`,
			exchange.RandomID("not"), string(org), string(n.Program), string(n.Release), string(n.Kind), micros(tx.Now()), n.Event, n.Text)
		if err != nil {
			return fmt.Errorf("storing a notice: %w", err)
		}
	}
	return nil
}

// Recipients lists a program's members as a plan sees them.
func (tx *Tx) Recipients(program exchange.ProgramID) ([]release.Recipient, error) {
	ms, err := tx.ListMembers(program, "", 0)
	if err != nil {
		return nil, err
	}
	orgs, err := Collect(tx, scanOrganisation, `
		SELECT `+organisationColumns+` FROM organisation
		WHERE id IN (SELECT org FROM member WHERE program = ?1) OR id IN (
			SELECT c.client_of FROM organisation c JOIN member m ON m.org = c.id WHERE m.program = ?1)`, string(program))
	if err != nil {
		return nil, fmt.Errorf("listing recipients: %w", err)
	}
	people, err := Collect(tx, scanPerson, `
		SELECT `+personColumns+` FROM person p
		WHERE p.org IN (SELECT org FROM member WHERE program = ?1) AND p.suspended_at = 0 ORDER BY p.org, p.id`, string(program))
	if err != nil {
		return nil, fmt.Errorf("listing recipients: %w", err)
	}
	byOrg := map[exchange.OrgID]exchange.Organisation{}
	for _, o := range orgs {
		byOrg[o.ID] = o
	}
	readers := map[exchange.OrgID][]exchange.Person{}
	for _, p := range people {
		readers[p.Org] = append(readers[p.Org], p)
	}
	out := make([]release.Recipient, len(ms))
	for i, m := range ms {
		o := byOrg[m.Org]
		out[i] = release.Recipient{Member: m, Organisation: o, Provider: byOrg[o.ClientOf], People: readers[m.Org]}
	}
	return out, nil
}

// HoldersOf lists what each organisation was offered of a release.
func (tx *Tx) HoldersOf(id exchange.ReleaseID) ([]release.Held, error) {
	hs, err := Collect(tx, scanHeld, `
		SELECT e.org, COALESCE(o.name, e.org), COALESCE(m.audience, ''), e.artifact, MIN(e.at),
			MAX(CASE WHEN e.kind IN ('delivered', 'downloaded') THEN 1 ELSE 0 END)
		FROM exposure e
		JOIN release r ON r.id = e.release
		LEFT JOIN organisation o ON o.id = e.org
		LEFT JOIN member m ON m.org = e.org AND m.program = r.program
		WHERE e.release = ?1
		GROUP BY e.org, o.name, m.audience, e.artifact
		ORDER BY e.org, e.artifact`, string(id))
	if err != nil {
		return nil, fmt.Errorf("listing holders: %w", err)
	}
	return hs, nil
}

func scanHeld(s Scanner) (h release.Held, err error) {
	var org, audience string
	var at, given int64
	if err = s.Scan(&org, &h.Name, &audience, &h.Artifact, &at, &given); err != nil {
		return h, err
	}
	h.Org, h.At, h.Given = exchange.OrgID(org), instant(at), given != 0
	if audience != "" {
		h.Audience, err = exchange.ParseAudience(audience)
	}
	return h, err
}
