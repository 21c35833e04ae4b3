package sqlstore

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// handling is how a handling is kept.
type handling struct {
	TLP           int64                `json:"tlp"`
	PAP           int64                `json:"pap"`
	Organisations []exchange.OrgID     `json:"organisations,omitempty"`
	Groups        []exchange.GroupID   `json:"groups,omitempty"`
	Sectors       []string             `json:"sectors,omitempty"`
	Also          []exchange.AllowList `json:"also,omitempty"`
	Persons       []exchange.PersonID  `json:"persons,omitempty"`
	Purposes      []string             `json:"purposes,omitempty"`
	NotOrgs       []exchange.OrgID     `json:"not_orgs,omitempty"`
	NotCohorts    []exchange.CohortID  `json:"not_cohorts,omitempty"`
	NotHats       []string             `json:"not_hats,omitempty"`
	NotIn         []string             `json:"not_in,omitempty"`
	From          int64                `json:"from,omitempty"`    // Unix microseconds
	Expires       int64                `json:"expires,omitempty"` // Unix microseconds
	Statement     string               `json:"statement,omitempty"`
	Actions       int64                `json:"actions,omitempty"`
	Encrypt       int64                `json:"encrypt,omitempty"`
	Notify        int64                `json:"notify,omitempty"`
	Resale        int64                `json:"resale,omitempty"`
	Attribution   int64                `json:"attribution,omitempty"`
	References    []string             `json:"references,omitempty"`
	MayLoosen     bool                 `json:"may_loosen,omitempty"`
}

func keptHandling(h exchange.Handling) handling {
	return handling{
		TLP: int64(h.TLP), PAP: int64(h.PAP), Organisations: h.Organisations, Groups: h.Groups, Sectors: h.Sectors, Also: h.Also,
		Persons: h.Persons, Purposes: h.Purposes, NotOrgs: h.NotOrgs, NotCohorts: h.NotCohorts, NotHats: h.NotHats, NotIn: h.NotIn,
		From: micros(h.From), Expires: micros(h.Expires), Statement: h.Statement, Actions: int64(h.Actions),
		Encrypt: int64(h.Encrypt), Notify: int64(h.Notify), Resale: int64(h.Resale), Attribution: int64(h.Attribution),
		References: h.References, MayLoosen: h.MayLoosen,
	}
}

func (h handling) handling() exchange.Handling {
	return exchange.Handling{
		TLP: exchange.TLP(h.TLP), PAP: exchange.PAP(h.PAP), Organisations: h.Organisations, Groups: h.Groups, Sectors: h.Sectors, Also: h.Also,
		Persons: h.Persons, Purposes: h.Purposes, NotOrgs: h.NotOrgs, NotCohorts: h.NotCohorts, NotHats: h.NotHats, NotIn: h.NotIn,
		From: instant(h.From), Expires: instant(h.Expires), Statement: h.Statement, Actions: exchange.Actions(h.Actions),
		Encrypt: exchange.Duty(h.Encrypt), Notify: exchange.Duty(h.Notify), Resale: exchange.Duty(h.Resale),
		Attribution: exchange.Attribution(h.Attribution), References: h.References, MayLoosen: h.MayLoosen,
	}
}

func handlingText(h exchange.Handling) (string, error) {
	return jsonText(keptHandling(h), "writing a handling")
}

func jsonText(v any, doing string) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	return string(b), nil
}

func handlingOf(text string) (exchange.Handling, error) {
	var h handling
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return exchange.Handling{}, fmt.Errorf("reading a handling: %w", err)
	}
	return h.handling(), nil
}

// terms is how the markings of a handling class are kept; empty: there are none
// beyond a label.
type terms struct {
	Handling handling     `json:"handling"`
	Fields   []fieldTerms `json:"fields,omitempty"`
}

type fieldTerms struct {
	Selectors []string `json:"selectors"`
	Handling  handling `json:"handling"`
	Held      bool     `json:"held,omitempty"`
}

func termsText(c exchange.HandlingClass) (string, error) {
	if len(c.Fields) == 0 && reflect.ValueOf(c.Handling).IsZero() {
		return "", nil
	}
	t := terms{Handling: keptHandling(c.Handling)}
	for _, f := range c.Fields {
		t.Fields = append(t.Fields, fieldTerms{f.Selectors, keptHandling(f.Handling), f.Held})
	}
	return jsonText(t, "writing markings")
}

func scanClass(s Scanner) (h exchange.HandlingClass, err error) {
	var tlp, held int64
	var text string
	if err = s.Scan(&h.ID, &h.Artifact, &tlp, &held, &h.Markings, &text); err != nil {
		return h, err
	}
	c, err := classOfTerms(text)
	if err != nil {
		return h, err
	}
	h.TLP, h.Held, h.Handling, h.Fields = exchange.TLP(tlp), held != 0, c.Handling, c.Fields
	return h, nil
}

// classOfTerms reads what termsText wrote.
func classOfTerms(text string) (c exchange.HandlingClass, err error) {
	if text == "" {
		return c, nil
	}
	var t terms
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return c, fmt.Errorf("reading markings: %w", err)
	}
	c.Handling = t.Handling.handling()
	for _, f := range t.Fields {
		c.Fields = append(c.Fields, exchange.FieldHandling{Selectors: f.Selectors, Handling: f.Handling.handling(), Held: f.Held})
	}
	return c, nil
}

// HoldMarkings notes markings that hold objects of classes, or counts more
// objects, and answers the markings that held nothing in the program before.
func (tx *Tx) HoldMarkings(program exchange.ProgramID, open []exchange.HeldMarking) (fresh []string, err error) {
	known := map[string]bool{}
	for _, m := range open {
		if _, asked := known[m.Ref]; !asked {
			held, err := tx.HeldBy(program, m.Ref)
			if err != nil {
				return nil, err
			}
			if known[m.Ref] = len(held) > 0; !known[m.Ref] {
				fresh = append(fresh, m.Ref)
			}
		}
		_, err := tx.Exec(`
			INSERT INTO held_marking (program, ref, class, whole, objects) VALUES (?1, ?2, ?3, ?4, ?5)
			ON CONFLICT (program, ref, class) DO UPDATE SET objects = held_marking.objects + excluded.objects`,
			string(program), m.Ref, m.Class, flag(m.Whole), m.Objects)
		if err != nil {
			return nil, fmt.Errorf("noting what a marking holds: %w", err)
		}
	}
	return fresh, nil
}

func scanHeldMarking(s Scanner) (m exchange.HeldMarking, err error) {
	var whole int64
	err = s.Scan(&m.Ref, &m.Class, &whole, &m.Objects)
	m.Whole = whole != 0
	return m, err
}

// HeldBy lists the classes that a marking holds in a program.
func (tx *Tx) HeldBy(program exchange.ProgramID, ref string) ([]exchange.HeldMarking, error) {
	all, err := Collect(tx, scanHeldMarking, `
		SELECT ref, class, whole, objects FROM held_marking WHERE program = ?1 AND ref = ?2 ORDER BY class`, string(program), ref)
	if err != nil {
		return nil, fmt.Errorf("listing what a marking holds: %w", err)
	}
	return all, nil
}

// OpenIn lists the markings that hold a class.
func (tx *Tx) OpenIn(class int64) ([]exchange.HeldMarking, error) {
	all, err := Collect(tx, scanHeldMarking, `
		SELECT ref, class, whole, objects FROM held_marking WHERE class = ?1 ORDER BY ref`, class)
	if err != nil {
		return nil, fmt.Errorf("listing what holds a class: %w", err)
	}
	return all, nil
}

// ReleaseMarking forgets what a marking held in a program.
func (tx *Tx) ReleaseMarking(program exchange.ProgramID, ref string) error {
	if _, err := tx.Exec(`DELETE FROM held_marking WHERE program = ?1 AND ref = ?2`, string(program), ref); err != nil {
		return fmt.Errorf("releasing a marking: %w", err)
	}
	return nil
}

// Held lists what is held in a program, by marking and artifact; what was taken
// out waits for nobody.
func (tx *Tx) Held(program exchange.ProgramID) ([]exchange.HeldIn, error) {
	all, err := Collect(tx, func(s Scanner) (h exchange.HeldIn, err error) {
		var artifact, release, kind string
		var since int64
		err = s.Scan(&h.Ref, &artifact, &h.Title, &release, &kind, &since, &h.Objects, &h.Parts)
		h.Artifact, h.Since = exchange.ArtifactID(artifact), instant(since)
		if h.Release = exchange.ReleaseID(release); kind == string(exchange.ArtifactJournal) {
			h.Release = ""
		}
		return h, err
	}, `
		SELECT m.ref, a.id, a.title, a.release, a.kind, a.submitted_at,
			CAST(SUM(m.whole * m.objects) AS BIGINT), CAST(SUM((1 - m.whole) * m.objects) AS BIGINT)
		FROM held_marking m JOIN handling_class c ON c.id = m.class JOIN artifact a ON a.number = c.artifact
		WHERE m.program = ?1 AND a.ready = 1 AND a.removed_at = 0
		GROUP BY m.ref, a.id, a.title, a.release, a.kind, a.submitted_at, a.number
		ORDER BY m.ref, a.number`, string(program))
	if err != nil {
		return nil, fmt.Errorf("listing what is held: %w", err)
	}
	return all, nil
}

// ChangeClass stores what a handling class asks anew. The caller ends the views.
func (tx *Tx) ChangeClass(c exchange.HandlingClass) error {
	text, err := termsText(c)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE handling_class SET tlp = ?2, held = ?3, terms = ?4 WHERE id = ?1`, c.ID, int64(c.TLP), flag(c.Held), text)
	if err != nil {
		return fmt.Errorf("changing a handling class: %w", err)
	}
	return nil
}

// Resolutions lists what was said of markings in a program, by reference.
func (tx *Tx) Resolutions(program exchange.ProgramID) ([]exchange.MarkingResolution, error) {
	all, err := Collect(tx, func(s Scanner) (r exchange.MarkingResolution, err error) {
		var hand, by string
		var at int64
		if err = s.Scan(&r.Ref, &hand, &r.Reason, &by, &at); err != nil {
			return r, err
		}
		r.By, r.At = exchange.PersonID(by), instant(at)
		r.Handling, err = handlingOf(hand)
		return r, err
	}, `
		SELECT ref, handling, reason, by_whom, at FROM marking_resolution WHERE program = ?1 ORDER BY ref`, string(program))
	if err != nil {
		return nil, fmt.Errorf("listing what was said of markings: %w", err)
	}
	return all, nil
}

// PutResolution stores what was said of a marking, once.
func (tx *Tx) PutResolution(program exchange.ProgramID, r exchange.MarkingResolution) error {
	hand, err := handlingText(r.Handling)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		INSERT INTO marking_resolution (program, ref, handling, reason, by_whom, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
		string(program), r.Ref, hand, r.Reason, string(r.By), micros(r.At))
	if err != nil {
		return fmt.Errorf("storing what was said of a marking: %w", err)
	}
	return nil
}
