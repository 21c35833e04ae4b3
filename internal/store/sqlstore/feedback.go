package sqlstore

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
)

var _ feedback.Tx = (*Tx)(nil)

// answer is how the fields of one kind of feedback are kept. Times are Unix
// microseconds.
type answer struct {
	Text      string   `json:"text,omitempty"`
	Product   string   `json:"product,omitempty"`
	Type      string   `json:"type,omitempty"`
	Format    string   `json:"format,omitempty"`
	ReadyAt   int64    `json:"ready_at,omitempty"`
	LiveAt    int64    `json:"live_at,omitempty"`
	Regions   []string `json:"regions,omitempty"`
	Share     int      `json:"share,omitempty"`
	Evidence  string   `json:"evidence,omitempty"`
	Amends    string   `json:"amends,omitempty"`
	Count     int64    `json:"count,omitempty"`
	FirstSeen int64    `json:"first_seen,omitempty"`
	LastSeen  int64    `json:"last_seen,omitempty"`
	Sector    string   `json:"sector,omitempty"`
	Region    string   `json:"region,omitempty"`
}

// GivenTo reports whether the organisation was offered anything of the release.
func (tx *Tx) GivenTo(release exchange.ReleaseID, org exchange.OrgID) (bool, error) {
	var n int64
	err := tx.QueryRow(`
		SELECT COUNT(*) FROM (SELECT 1 AS one FROM exposure WHERE org = ?1 AND release = ?2 AND kind = ?3 LIMIT 1) AS found`,
		string(org), string(release), string(exchange.ExposureOffered)).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("looking for what an organisation was offered: %w", err)
	}
	return n > 0, nil
}

// PutFeedback stores one answer. Answers are never changed.
func (tx *Tx) PutFeedback(f exchange.Feedback) error {
	body, err := json.Marshal(answer{
		Text: f.Text, Product: f.Product, Type: f.Type, Format: f.Format, ReadyAt: micros(f.ReadyAt), LiveAt: micros(f.LiveAt),
		Regions: f.Regions, Share: f.Share, Evidence: f.Evidence, Amends: string(f.Amends), Count: f.Count,
		FirstSeen: micros(f.FirstSeen), LastSeen: micros(f.LastSeen), Sector: f.Sector, Region: f.Region,
	})
	if err != nil {
		return fmt.Errorf("writing feedback: %w", err)
	}
	_, err = tx.Exec(`
		INSERT INTO feedback (id, program, release, org, person, kind, at, object, about, body)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`,
		string(f.ID), string(f.Program), string(f.Release), string(f.Org), string(f.Person), string(f.Kind),
		micros(f.At), f.Object, string(f.About), string(body))
	if err != nil {
		return fmt.Errorf("storing feedback: %w", err)
	}
	return nil
}

// Acknowledge notes an exposure like e for each artifact of the release that
// the organisation was offered. Of one artifact, client and kind the first line
// stays.
func (tx *Tx) Acknowledge(e exchange.Exposure) error {
	_, err := tx.Exec(`
		INSERT INTO exposure (artifact, org, client, kind, release, channel, at, event)
		SELECT artifact, org, CAST(?3 AS TEXT), CAST(?4 AS TEXT), release, CAST(?5 AS TEXT), CAST(?6 AS BIGINT), CAST(?7 AS BIGINT)
		FROM exposure WHERE release = ?1 AND org = ?2 AND kind = ?8
		ON CONFLICT (artifact, org, client, kind) DO NOTHING`,
		string(e.Release), string(e.Org), e.Client, string(e.Kind), string(e.Channel), micros(e.At), e.Event,
		string(exchange.ExposureOffered))
	if err != nil {
		return fmt.Errorf("noting what was acknowledged: %w", err)
	}
	return nil
}

// FeedbackOf lists the feedback on a release by time.
func (tx *Tx) FeedbackOf(release exchange.ReleaseID) ([]exchange.Feedback, error) {
	all, err := Collect(tx, scanFeedback, `
		SELECT id, program, release, org, person, kind, at, object, about, body
		FROM feedback WHERE release = ?1 ORDER BY at, id`, string(release))
	if err != nil {
		return nil, fmt.Errorf("listing feedback: %w", err)
	}
	return all, nil
}

func scanFeedback(s Scanner) (f exchange.Feedback, err error) {
	var id, prog, release, org, person, kind, about, body string
	var at int64
	if err := s.Scan(&id, &prog, &release, &org, &person, &kind, &at, &f.Object, &about, &body); err != nil {
		return exchange.Feedback{}, err
	}
	var a answer
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		return exchange.Feedback{}, fmt.Errorf("reading feedback: %w", err)
	}
	f.ID, f.Program, f.Release = exchange.FeedbackID(id), exchange.ProgramID(prog), exchange.ReleaseID(release)
	f.Org, f.Person, f.Kind = exchange.OrgID(org), exchange.PersonID(person), exchange.FeedbackKind(kind)
	f.At, f.About = instant(at), exchange.ArtifactID(about)
	f.Text, f.Product, f.Type, f.Format = a.Text, a.Product, a.Type, a.Format
	f.ReadyAt, f.LiveAt, f.Regions, f.Share = instant(a.ReadyAt), instant(a.LiveAt), a.Regions, a.Share
	f.Evidence, f.Amends, f.Count = a.Evidence, exchange.FeedbackID(a.Amends), a.Count
	f.FirstSeen, f.LastSeen, f.Sector, f.Region = instant(a.FirstSeen), instant(a.LastSeen), a.Sector, a.Region
	return f, nil
}

// NamesOf answers the names of the organisations that gave feedback on a release.
func (tx *Tx) NamesOf(release exchange.ReleaseID) (map[exchange.OrgID]string, error) {
	rows, err := tx.Query(`
		SELECT id, name FROM organisation WHERE id IN (SELECT org FROM feedback WHERE release = ?1)`, string(release))
	if err != nil {
		return nil, fmt.Errorf("listing names: %w", err)
	}
	defer rows.Close()
	names := make(map[exchange.OrgID]string)
	for rows.Next() {
		var id, name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, fmt.Errorf("listing names: %w", err)
		}
		names[exchange.OrgID(id)] = name
	}
	return names, rows.Err()
}

// Reach answers how near a release came to each organisation that was offered
// anything of it: the first instant of each kind, by organisation. The weight
// and the ability to protect are those of today; the store keeps no history of
// them.
func (tx *Tx) Reach(release exchange.ReleaseID) ([]feedback.Reach, error) {
	all, err := Collect(tx, scanReach, `
		SELECT o.id, o.name, o.customers, o.attributes, e.offered, e.delivered, e.opened, e.acknowledged
		FROM (
			SELECT org,
				MIN(CASE WHEN kind = 'offered' THEN at END) AS offered,
				COALESCE(MIN(CASE WHEN kind = 'delivered' OR kind = 'downloaded' THEN at END), 0) AS delivered,
				COALESCE(MIN(CASE WHEN kind = 'opened' THEN at END), 0) AS opened,
				COALESCE(MIN(CASE WHEN kind = 'acknowledged' THEN at END), 0) AS acknowledged
			FROM exposure WHERE release = ?1 GROUP BY org
		) AS e
		JOIN organisation o ON o.id = e.org
		WHERE e.offered IS NOT NULL
		ORDER BY o.id`, string(release))
	if err != nil {
		return nil, fmt.Errorf("reading how far a release reached: %w", err)
	}
	return all, nil
}

func scanReach(s Scanner) (r feedback.Reach, err error) {
	var id, lists string
	var customers, offered, delivered, opened, acknowledged int64
	err = s.Scan(&id, &r.Name, &customers, &lists, &offered, &delivered, &opened, &acknowledged)
	if err != nil {
		return feedback.Reach{}, err
	}
	var a attributes
	if err := json.Unmarshal([]byte(lists), &a); err != nil {
		return feedback.Reach{}, fmt.Errorf("reading an organisation's attributes: %w", err)
	}
	org := exchange.Organisation{Customers: customers, Products: a.Products}
	r.Org, r.Weight, r.Capable = exchange.OrgID(id), org.Weight(), org.Capable()
	r.Offered, r.Delivered = instant(offered), instant(delivered)
	r.Opened, r.Acknowledged = instant(opened), instant(acknowledged)
	return r, nil
}

// ToldIncomplete answers when an organisation was told that the fix behind a
// release is incomplete; when any holder was, if org is empty.
func (tx *Tx) ToldIncomplete(id exchange.ReleaseID, org exchange.OrgID) (time.Time, error) {
	text, args := `
		SELECT COALESCE(MIN(at), 0) FROM notice WHERE org = ?1 AND release = ?2 AND kind = ?3`,
		[]any{string(org), string(id), string(exchange.EventReleaseRearmed)}
	if org == "" {
		text, args = `
		SELECT COALESCE(MIN(created_at), 0) FROM release WHERE incomplete_fix_of = ?1`, []any{string(id)}
	}
	var at int64
	if err := tx.QueryRow(text, args...).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("reading what holders were told: %w", err)
	}
	return instant(at), nil
}
