package sqlstore

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
)

var _ recall.Tx = (*Tx)(nil)

const recallColumns = `r.id, r.kind, r.program, r.release, r.artifact, r.number, r.title, r.object, r.tlp, r.persons, r.by_org, r.person,
	r.owners, r.at, r.effective_at, r.reason, r.message, r.replacement, r.was, r.handling, r.objects, r.tombstones, r.event, r.reminded_at`

func scanRecall(s Scanner) (r recall.Recall, err error) {
	var id, kind, program, release, artifact, persons, org, person, owners, replacement, was, handling string
	var tlp, at, effective, reminded int64
	err = s.Scan(&id, &kind, &program, &release, &artifact, &r.Number, &r.Title, &r.Object, &tlp, &persons, &org, &person,
		&owners, &at, &effective, &r.Reason, &r.Message, &replacement, &was, &handling, &r.Objects, &r.Tombstones, &r.Event, &reminded)
	if err != nil {
		return r, err
	}
	r.ID, r.Kind, r.Program, r.Release = recall.ID(id), recall.Kind(kind), exchange.ProgramID(program), exchange.ReleaseID(release)
	r.Artifact, r.Replacement, r.TLP = exchange.ArtifactID(artifact), exchange.ArtifactID(replacement), exchange.TLP(tlp)
	r.By, r.Person = exchange.OrgID(org), exchange.PersonID(person)
	r.At, r.Effective, r.RemindedAt = instant(at), instant(effective), instant(reminded)
	if r.Persons, err = wordsOf[exchange.PersonID](persons); err != nil {
		return r, err
	}
	if r.Owners, err = wordsOf[exchange.OrgID](owners); err != nil {
		return r, err
	}
	if r.Was, err = handlingOf(was); err != nil {
		return r, err
	}
	r.Handling, err = handlingOf(handling)
	return r, err
}

// PutRecall stores an act with its holders.
func (tx *Tx) PutRecall(r recall.Recall, hs []recall.Holder) error {
	persons, err := words(r.Persons)
	if err != nil {
		return err
	}
	owners, err := words(r.Owners)
	if err != nil {
		return err
	}
	was, err := handlingText(r.Was)
	if err != nil {
		return err
	}
	handling, err := handlingText(r.Handling)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		INSERT INTO recall (id, kind, program, release, artifact, number, title, object, tlp, persons, by_org, person,
			owners, at, effective_at, reason, message, replacement, was, handling, objects, tombstones, event, reminded_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, 0)`,
		string(r.ID), string(r.Kind), string(r.Program), string(r.Release), string(r.Artifact), r.Number, r.Title, r.Object,
		int64(r.TLP), persons, string(r.By), string(r.Person), owners, micros(r.At), micros(r.Effective), r.Reason, r.Message,
		string(r.Replacement), was, handling, r.Objects, r.Tombstones, r.Event)
	if err != nil {
		return fmt.Errorf("storing a recall: %w", err)
	}
	for _, o := range r.Owners {
		if _, err := tx.Exec(`INSERT INTO recall_owner (org, recall) VALUES (?1, ?2)`, string(o), string(r.ID)); err != nil {
			return fmt.Errorf("storing who owns what was recalled: %w", err)
		}
	}
	return tx.putHolders(r.ID, hs)
}

func (tx *Tx) putHolders(id recall.ID, hs []recall.Holder) error {
	if len(hs) == 0 {
		return nil
	}
	rows := make([][5]any, len(hs))
	for i, h := range hs {
		rows[i] = [5]any{h.Org, h.Near, micros(h.Since), flag(h.Loses), flag(h.Tombs)}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("storing holders: %w", err)
	}
	_, err = tx.Exec(`
		INSERT INTO recall_holder (recall, org, near, since, loses, tombs, answer, note, person, answered_at, reminders, reminded_at)
		SELECT CAST(?2 AS TEXT), value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT), CAST(value ->> 3 AS BIGINT), CAST(value ->> 4 AS BIGINT),
			'', '', '', 0, 0, 0
		FROM `+tx.elements()+` WHERE TRUE`, string(text), string(id))
	if err != nil {
		return fmt.Errorf("storing holders: %w", err)
	}
	return nil
}

// Recall answers one act.
func (tx *Tx) Recall(id recall.ID) (recall.Recall, error) {
	r, err := scanRecall(tx.QueryRow(`SELECT `+recallColumns+` FROM recall r WHERE r.id = ?1`, string(id)))
	return found(r, err, "reading a recall")
}

// Recalls lists acts, newest first.
func (tx *Tx) Recalls(f recall.Filter) ([]recall.Recall, error) {
	text, who := `WHERE r.program = ?1`, string(f.Program)
	switch {
	case f.Owner != "":
		text, who = `JOIN recall_owner o ON o.recall = r.id WHERE o.org = ?1`, string(f.Owner)
	case f.Holder != "":
		text, who = `JOIN recall_holder h ON h.recall = r.id WHERE h.org = ?1`, string(f.Holder)
	}
	before := int64(math.MaxInt64)
	if !f.Before.IsZero() {
		before = micros(f.Before)
	}
	rs, err := Collect(tx, scanRecall, `
		SELECT `+recallColumns+` FROM recall r `+text+` AND r.at < ?2 ORDER BY r.at DESC, r.id DESC LIMIT ?3 + 0`, who, before, int64(f.Limit))
	if err != nil {
		return nil, fmt.Errorf("listing recalls: %w", err)
	}
	return rs, nil
}

// What a holder did, and how it heard of the act: by the notice of the act, by a
// webhook that took the notice, by tombstones that its machines were given.
const holderSelect = `
	SELECT h.org, COALESCE(o.name, h.org), h.near, h.since, h.loses, h.tombs, h.answer, h.note, h.person, h.answered_at, h.reminders, h.reminded_at,
		COALESCE(n.id, ''), COALESCE(n.read_at, 0),
		COALESCE((SELECT MIN(d.sent_at) FROM webhook_delivery d WHERE d.subject = n.id AND d.subject <> '' AND d.state = 'sent'), 0),
		COALESCE((SELECT MIN(e.at) FROM exposure e WHERE e.artifact = ?2 AND e.org = h.org), 0),
		COALESCE((SELECT MAX(c.last_at) FROM connection c WHERE c.org = h.org), 0)
	FROM recall_holder h
	LEFT JOIN organisation o ON o.id = h.org
	LEFT JOIN notice n ON n.event = ?3 AND n.org = h.org
	WHERE h.recall = ?1`

func scanHolder(s Scanner) (h recall.Holder, err error) {
	var org, near, answer, person, notice string
	var since, loses, tombs, answered, reminders, reminded, read, pushed, taken, polled int64
	err = s.Scan(&org, &h.Name, &near, &since, &loses, &tombs, &answer, &h.Note, &person, &answered, &reminders, &reminded,
		&notice, &read, &pushed, &taken, &polled)
	h.Org, h.Near, h.Answer, h.By = exchange.OrgID(org), exchange.ExposureKind(near), recall.Answer(answer), exchange.PersonID(person)
	h.Since, h.At, h.RemindedAt = instant(since), instant(answered), instant(reminded)
	h.Loses, h.Tombs, h.Reminders = loses != 0, tombs != 0, int(reminders)
	h.Told = recall.Told{
		Notice: exchange.NoticeID(notice), ReadAt: instant(read), PushedAt: instant(pushed), TakenAt: instant(taken), PolledAt: instant(polled),
	}
	return h, err
}

// HoldersOfRecall lists the holders of an act by organisation.
func (tx *Tx) HoldersOfRecall(r recall.Recall) ([]recall.Holder, error) {
	hs, err := Collect(tx, scanHolder, holderSelect+` ORDER BY h.org`, string(r.ID), r.Tombstones, r.Event)
	if err != nil {
		return nil, fmt.Errorf("listing holders: %w", err)
	}
	return hs, nil
}

// HolderOf answers one holder of an act.
func (tx *Tx) HolderOf(r recall.Recall, org exchange.OrgID) (recall.Holder, error) {
	h, err := scanHolder(tx.QueryRow(holderSelect+` AND h.org = ?4`, string(r.ID), r.Tombstones, r.Event, string(org)))
	return found(h, err, "reading a holder")
}

// SetAnswer keeps what a holder says.
func (tx *Tx) SetAnswer(id recall.ID, h recall.Holder) error {
	_, err := tx.Exec(`
		UPDATE recall_holder SET answer = ?3, note = ?4, person = ?5, answered_at = ?6 WHERE recall = ?1 AND org = ?2`,
		string(id), string(h.Org), string(h.Answer), h.Note, string(h.By), micros(h.At))
	if err != nil {
		return fmt.Errorf("keeping an answer: %w", err)
	}
	return nil
}

// Silent lists acts with holders to be reminded.
func (tx *Tx) Silent(n int, before time.Time, limit int) ([]recall.ID, error) {
	ids, err := Collect(tx, func(s Scanner) (id string, err error) { return id, s.Scan(&id) }, `
		SELECT DISTINCT h.recall FROM recall_holder h JOIN recall r ON r.id = h.recall
		WHERE h.loses = 1 AND h.answered_at = 0 AND h.near <> 'offered' AND h.reminders < ?1 AND r.at <= ?2
		ORDER BY h.recall LIMIT ?3 + 0`, int64(n), micros(before), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("looking for silent holders: %w", err)
	}
	out := make([]recall.ID, len(ids))
	for i, id := range ids {
		out[i] = recall.ID(id)
	}
	return out, nil
}

// SetReminded notes a reminder to holders.
func (tx *Tx) SetReminded(id recall.ID, orgs []exchange.OrgID, nth int) error {
	for _, org := range orgs {
		_, err := tx.Exec(`
			UPDATE recall_holder SET reminders = CASE WHEN ?3 = 0 THEN reminders ELSE ?3 END, reminded_at = ?4 WHERE recall = ?1 AND org = ?2`,
			string(id), string(org), int64(nth), micros(tx.now))
		if err != nil {
			return fmt.Errorf("noting a reminder: %w", err)
		}
	}
	if nth > 0 {
		return nil
	}
	if _, err := tx.Exec(`UPDATE recall SET reminded_at = ?2 WHERE id = ?1`, string(id), micros(tx.now)); err != nil {
		return fmt.Errorf("noting a reminder: %w", err)
	}
	return nil
}

// near orders how near something came, from far to near.
var near = map[exchange.ExposureKind]int{
	exchange.ExposureOffered: 1, exchange.ExposureOpened: 2, exchange.ExposureServed: 3, exchange.ExposureDownloaded: 4,
}

// Exposed answers how near artifacts came to each organisation: the nearest, and
// since when it was that near.
func (tx *Tx) Exposed(artifacts []int64) ([]recall.Holder, error) {
	var out []recall.Holder
	at := map[exchange.OrgID]int{}
	for _, n := range artifacts {
		hs, err := Collect(tx, func(s Scanner) (h recall.Holder, err error) {
			var org, kind string
			var since int64
			err = s.Scan(&org, &h.Name, &kind, &since)
			h.Org, h.Near, h.Since = exchange.OrgID(org), exchange.ExposureKind(kind), instant(since)
			return h, err
		}, `
			SELECT e.org, COALESCE(o.name, e.org), e.kind, MIN(e.at) FROM exposure e LEFT JOIN organisation o ON o.id = e.org
			WHERE e.artifact = ?1 AND e.kind IN ('offered', 'opened', 'delivered', 'downloaded')
			GROUP BY e.org, o.name, e.kind ORDER BY e.org, e.kind`, n)
		if err != nil {
			return nil, fmt.Errorf("reading who was given an artifact: %w", err)
		}
		for _, h := range hs {
			i, known := at[h.Org]
			switch {
			case !known:
				at[h.Org], out = len(out), append(out, h)
			case near[h.Near] > near[out[i].Near] || h.Near == out[i].Near && h.Since.Before(out[i].Since):
				out[i] = h
			}
		}
	}
	return out, nil
}

// Expiring lists artifacts whose expiry is still to be told.
func (tx *Tx) Expiring(after int64, limit int) ([]recall.Expiry, error) {
	es, err := Collect(tx, func(s Scanner) (e recall.Expiry, err error) {
		var text string
		if err = s.Scan(&e.Artifact, &text); err != nil {
			return e, err
		}
		h, err := handlingOf(text)
		e.At = h.Expires
		return e, err
	}, `SELECT number, handling FROM artifact WHERE settled = 0 AND ready = 1 AND number > ?1 ORDER BY number LIMIT ?2 + 0`, after, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing what expires: %w", err)
	}
	return es, nil
}

// Settle notes that nothing of an artifact's expiry is to be told.
func (tx *Tx) Settle(number int64) (bool, error) {
	n, err := tx.Exec(`UPDATE artifact SET settled = 1 WHERE number = ?1 AND settled = 0`, number)
	if err != nil {
		return false, fmt.Errorf("settling an expiry: %w", err)
	}
	return n == 1, nil
}

// MarkRecalled notes that an artifact was recalled.
func (tx *Tx) MarkRecalled(number int64) error {
	return tx.setArtifact(number, `recalled_at = ?2, settled = 1`, micros(tx.now))
}

// SetHandling replaces an artifact's handling.
func (tx *Tx) SetHandling(number int64, h exchange.Handling) error {
	text, err := handlingText(h)
	if err != nil {
		return err
	}
	return tx.setArtifact(number, `handling = ?2, settled = 0`, text)
}

// SetSupersedes notes which artifact one takes the place of.
func (tx *Tx) SetSupersedes(number int64, old exchange.ArtifactID) error {
	return tx.setArtifact(number, `supersedes = ?2`, string(old))
}

func (tx *Tx) setArtifact(number int64, set string, value any) error {
	n, err := tx.Exec(`UPDATE artifact SET `+set+` WHERE number = ?1 AND ready = 1`, number, value)
	if err == nil && n != 1 {
		err = exchange.Missing()
	}
	if err != nil {
		return fmt.Errorf("changing an artifact: %w", err)
	}
	return nil
}
