package sqlstore

import (
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
)

var _ submission.Tx = (*Tx)(nil)

const artifactColumns = `number, id, release, program, class, kind, title, filename, media_type, handling,
	sha256, size, objects, originator, submitted_by, submitted_at, supersedes, removed_at,
	recalled_at, originators, derived_from, relation, self_contained, lessened`

func scanArtifact(s Scanner) (a exchange.Artifact, err error) {
	var id, release, prog, class, kind, hand, originator, by, supersedes string
	var at, removed, recalled, whole, lessened int64
	var owners, parents string
	err = s.Scan(&a.Number, &id, &release, &prog, &class, &kind, &a.Title, &a.Filename, &a.MediaType, &hand,
		&a.SHA256, &a.Size, &a.Objects, &originator, &by, &at, &supersedes, &removed,
		&recalled, &owners, &parents, &a.Relation, &whole, &lessened)
	if err != nil {
		return exchange.Artifact{}, err
	}
	a.RecalledAt, a.SelfContained, a.Lessened = instant(recalled), whole != 0, lessened != 0
	if a.Originators, err = wordsOf[exchange.OrgID](owners); err != nil {
		return a, err
	}
	if a.DerivedFrom, err = wordsOf[string](parents); err != nil {
		return a, err
	}
	a.ID, a.Release, a.Program = exchange.ArtifactID(id), exchange.ReleaseID(release), exchange.ProgramID(prog)
	a.Class, a.Kind = exchange.ContentClass(class), exchange.ArtifactKind(kind)
	a.Originator, a.SubmittedBy = exchange.OrgID(originator), exchange.PersonID(by)
	a.SubmittedAt, a.RemovedAt = instant(at), instant(removed)
	a.Supersedes = exchange.ArtifactID(supersedes)
	a.Handling, err = handlingOf(hand)
	return a, err
}

// Artifact answers one artifact that is ready, also when it was taken out.
// Journals and tombstones are not had as artifacts: their objects are.
func (tx *Tx) Artifact(id exchange.ArtifactID) (exchange.Artifact, error) {
	a, err := scanArtifact(tx.QueryRow(`
		SELECT `+artifactColumns+` FROM artifact WHERE id = ?1 AND ready = 1 AND kind NOT IN ('journal', 'tombstone')`, string(id)))
	return found(a, err, "reading an artifact")
}

// ArtifactByNumber is Artifact by the internal number.
func (tx *Tx) ArtifactByNumber(n int64) (exchange.Artifact, error) {
	a, err := scanArtifact(tx.QueryRow(`
		SELECT `+artifactColumns+` FROM artifact WHERE number = ?1 AND ready = 1`, n))
	return found(a, err, "reading an artifact")
}

// ArtifactsOf lists the ready artifacts of a release in the order in which
// they were handed in, those that were taken out included.
func (tx *Tx) ArtifactsOf(release exchange.ReleaseID) ([]exchange.Artifact, error) {
	all, err := Collect(tx, scanArtifact, `
		SELECT `+artifactColumns+` FROM artifact WHERE release = ?1 AND ready = 1 ORDER BY number`, string(release))
	if err != nil {
		return nil, fmt.Errorf("listing artifacts: %w", err)
	}
	return all, nil
}

// SameArtifact finds the same bytes under the same class and name in a release.
func (tx *Tx) SameArtifact(release exchange.ReleaseID, class exchange.ContentClass, sha256, filename string) (exchange.Artifact, error) {
	a, err := scanArtifact(tx.QueryRow(`
		SELECT `+artifactColumns+` FROM artifact
		WHERE release = ?1 AND class = ?2 AND sha256 = ?3 AND filename = ?4 AND ready = 1 AND removed_at = 0`,
		string(release), string(class), sha256, filename))
	return found(a, err, "looking for the same artifact")
}

// StageArtifact stores an artifact that is not ready under the next number.
func (tx *Tx) StageArtifact(a exchange.Artifact) (int64, error) {
	number, err := tx.count("artifact", 1)
	if err != nil {
		return 0, fmt.Errorf("numbering an artifact: %w", err)
	}
	hand, err := handlingText(a.Handling)
	if err != nil {
		return 0, err
	}
	owners, err := words(a.Originators)
	if err != nil {
		return 0, err
	}
	parents, err := words(a.DerivedFrom)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(`
		INSERT INTO artifact (number, id, release, program, class, kind, title, filename, media_type, handling,
			sha256, size, objects, originator, submitted_by, submitted_at, supersedes, removed_at, ready,
			recalled_at, originators, derived_from, relation, self_contained, settled)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 0, 0, 0, ?18, ?19, ?20, 0, ?21)`,
		number, string(a.ID), string(a.Release), string(a.Program), string(a.Class), string(a.Kind),
		a.Title, a.Filename, a.MediaType, hand, a.SHA256, a.Size, a.Objects, string(a.Originator),
		string(a.SubmittedBy), micros(a.SubmittedAt), string(a.Supersedes),
		owners, parents, a.Relation, flag(a.Handling.Expires.IsZero()))
	if err != nil {
		return 0, fmt.Errorf("storing an artifact: %w", err)
	}
	return number, nil
}

// ReadyArtifact makes a staged artifact exist. Kind, title, media type, number
// of objects and time are stored again: they are known only now.
func (tx *Tx) ReadyArtifact(a exchange.Artifact) error {
	n, err := tx.Exec(`
		UPDATE artifact SET kind = ?2, title = ?3, media_type = ?4, objects = ?5, submitted_at = ?6, self_contained = ?7, ready = 1
		WHERE number = ?1 AND ready = 0`,
		a.Number, string(a.Kind), a.Title, a.MediaType, a.Objects, micros(a.SubmittedAt), flag(a.SelfContained))
	if err != nil {
		return fmt.Errorf("making an artifact ready: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("making artifact %d ready: it is not staged", a.Number)
	}
	return nil
}

// RemoveArtifact marks an artifact as taken out of its release.
func (tx *Tx) RemoveArtifact(number int64) error {
	_, err := tx.Exec(`UPDATE artifact SET removed_at = ?2 WHERE number = ?1 AND ready = 1 AND removed_at = 0`,
		number, micros(tx.now))
	if err != nil {
		return fmt.Errorf("taking an artifact out: %w", err)
	}
	return nil
}

// Opened reports whether any audience was given the artifact.
func (tx *Tx) Opened(number int64) (bool, error) {
	var n int64
	err := tx.QueryRow(`SELECT COUNT(*) FROM opening WHERE artifact = ?1`, number).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("looking for openings: %w", err)
	}
	return n > 0, nil
}

// BlobsInUse names the blob of every artifact, staged and removed ones and
// journals included, and of every request that waits to be worked off.
func (tx *Tx) BlobsInUse() (map[string]bool, error) {
	rows, err := tx.Query(`SELECT sha256 FROM artifact UNION SELECT spool FROM contribution_status WHERE spool <> ''`)
	if err != nil {
		return nil, fmt.Errorf("listing blobs in use: %w", err)
	}
	defer rows.Close()
	used := make(map[string]bool)
	for rows.Next() {
		var sha string
		if err := rows.Scan(&sha); err != nil {
			return nil, fmt.Errorf("listing blobs in use: %w", err)
		}
		used[sha] = true
	}
	return used, rows.Err()
}

// Staged lists the numbers of artifacts that are not ready and were begun
// before the instant.
func (tx *Tx) Staged(before time.Time) ([]int64, error) {
	all, err := Collect(tx, func(s Scanner) (n int64, err error) { return n, s.Scan(&n) }, `
		SELECT number FROM artifact WHERE ready = 0 AND submitted_at < ?1 ORDER BY number`, micros(before))
	if err != nil {
		return nil, fmt.Errorf("listing staged artifacts: %w", err)
	}
	return all, nil
}

// DropStaged removes objects of an artifact that is not ready, at most limit at
// a time so that other writers wait only briefly, and at last the artifact.
func (tx *Tx) DropStaged(number int64, limit int) (bool, error) {
	var ready int64
	err := tx.QueryRow(`SELECT COALESCE(MAX(ready), -1) FROM artifact WHERE number = ?1`, number).Scan(&ready)
	if err != nil {
		return false, fmt.Errorf("looking at a staged artifact: %w", err)
	}
	if ready != 0 {
		return true, nil // it is gone, or it is ready and stays
	}
	if gone, err := tx.dropObjects(number, limit); err != nil || !gone {
		return false, err
	}
	if _, err := tx.Exec(`DELETE FROM handling_class WHERE artifact = ?1`, number); err != nil {
		return false, fmt.Errorf("dropping handling classes: %w", err)
	}
	if _, err := tx.Exec(`DELETE FROM artifact WHERE number = ?1 AND ready = 0`, number); err != nil {
		return false, fmt.Errorf("dropping a staged artifact: %w", err)
	}
	return true, nil
}
