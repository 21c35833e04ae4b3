package sqlstore

import (
	"encoding/json"
	"fmt"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
)

var _ membership.Tx = (*Tx)(nil)

// attributes is how an organisation's lists are kept.
type attributes struct {
	Hats          []string `json:"hats,omitempty"`
	Sectors       []string `json:"sectors,omitempty"`
	Jurisdictions []string `json:"jurisdictions,omitempty"`
	Regions       []string `json:"regions,omitempty"`
	Products      []string `json:"products,omitempty"`
}

const organisationColumns = `id, name, kind, attributes, customers, client_of, created_at,
	suspended_at, suspend_reason, revision`

// Organisation answers one organisation.
func (tx *Tx) Organisation(id exchange.OrgID) (exchange.Organisation, error) {
	o, err := scanOrganisation(tx.QueryRow(`
		SELECT `+organisationColumns+` FROM organisation WHERE id = ?1`, string(id)))
	return found(o, err, "reading an organisation")
}

// ListOrganisations lists organisations by id, those after the given one, at
// most limit.
func (tx *Tx) ListOrganisations(after exchange.OrgID, limit int) ([]exchange.Organisation, error) {
	all, err := Collect(tx, scanOrganisation, `
		SELECT `+organisationColumns+` FROM organisation
		WHERE id > ?1 ORDER BY id LIMIT ?2 + 0`, string(after), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing organisations: %w", err)
	}
	return all, nil
}

// PutOrganisation stores a new organisation or all fields of an old one but
// the day of its creation.
func (tx *Tx) PutOrganisation(o exchange.Organisation) error {
	lists, err := json.Marshal(attributes{o.Hats, o.Sectors, o.Jurisdictions, o.Regions, o.Products})
	if err != nil {
		return fmt.Errorf("writing an organisation's attributes: %w", err)
	}
	_, err = tx.Exec(`
		INSERT INTO organisation (id, name, kind, attributes, customers, client_of, created_at,
			suspended_at, suspend_reason, revision)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
		ON CONFLICT (id) DO UPDATE SET
			name = excluded.name, kind = excluded.kind, attributes = excluded.attributes,
			customers = excluded.customers, client_of = excluded.client_of,
			suspended_at = excluded.suspended_at, suspend_reason = excluded.suspend_reason,
			revision = excluded.revision`,
		string(o.ID), o.Name, o.Kind, string(lists), o.Customers, string(o.ClientOf), micros(o.CreatedAt),
		micros(o.SuspendedAt), o.SuspendReason, o.Revision)
	if err != nil {
		return fmt.Errorf("storing an organisation: %w", err)
	}
	return nil
}

func scanOrganisation(s Scanner) (o exchange.Organisation, err error) {
	var id, lists, client string
	var created, suspended int64
	err = s.Scan(&id, &o.Name, &o.Kind, &lists, &o.Customers, &client, &created, &suspended, &o.SuspendReason, &o.Revision)
	if err != nil {
		return exchange.Organisation{}, err
	}
	var a attributes
	if err := json.Unmarshal([]byte(lists), &a); err != nil {
		return exchange.Organisation{}, fmt.Errorf("reading an organisation's attributes: %w", err)
	}
	o.ID, o.ClientOf = exchange.OrgID(id), exchange.OrgID(client)
	o.CreatedAt, o.SuspendedAt = instant(created), instant(suspended)
	o.Hats, o.Sectors, o.Jurisdictions, o.Regions, o.Products = a.Hats, a.Sectors, a.Jurisdictions, a.Regions, a.Products
	return o, nil
}

// Jurisdictions lists the register by code.
func (tx *Tx) Jurisdictions() ([]exchange.Jurisdiction, error) {
	all, err := Collect(tx, func(s Scanner) (j exchange.Jurisdiction, err error) {
		var compelled, from int64
		err = s.Scan(&j.Code, &compelled, &j.Within, &j.Source, &from)
		j.Compelled, j.ValidFrom = compelled != 0, instant(from)
		return j, err
	}, `SELECT code, compelled, within, source, valid_from FROM jurisdiction ORDER BY code`)
	if err != nil {
		return nil, fmt.Errorf("listing jurisdictions: %w", err)
	}
	return all, nil
}

// PutJurisdiction stores one line of the register, in place of an older one.
func (tx *Tx) PutJurisdiction(j exchange.Jurisdiction) error {
	_, err := tx.Exec(`
		INSERT INTO jurisdiction (code, compelled, within, source, valid_from)
		VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (code) DO UPDATE SET
			compelled = excluded.compelled, within = excluded.within,
			source = excluded.source, valid_from = excluded.valid_from`,
		j.Code, flag(j.Compelled), j.Within, j.Source, micros(j.ValidFrom))
	if err != nil {
		return fmt.Errorf("storing a jurisdiction: %w", err)
	}
	return nil
}

// flag is a truth value as it is kept.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// memberSelect reads memberships with the newest agreement version accepted.
const memberSelect = `
	SELECT m.program, m.org, m.state, m.audience, m.joined_at, m.since, m.reason,
		COALESCE(a.version, 0), COALESCE(a.at, 0), m.hidden
	FROM member m
	LEFT JOIN acceptance a ON a.program = m.program AND a.org = m.org AND a.version = (
		SELECT MAX(n.version) FROM acceptance n WHERE n.program = m.program AND n.org = m.org)`

// Member answers the organisation's membership in the program.
func (tx *Tx) Member(p exchange.ProgramID, org exchange.OrgID) (exchange.Member, error) {
	m, err := scanMember(tx.QueryRow(memberSelect+` WHERE m.program = ?1 AND m.org = ?2`, string(p), string(org)))
	return found(m, err, "reading a membership")
}

// ListMembers lists a program's members by organisation, in every state, those
// after the given one; limit 0 means all.
func (tx *Tx) ListMembers(p exchange.ProgramID, after exchange.OrgID, limit int) ([]exchange.Member, error) {
	if limit <= 0 {
		limit = 1 << 30
	}
	all, err := Collect(tx, scanMember, memberSelect+`
		WHERE m.program = ?1 AND m.org > ?2 ORDER BY m.org LIMIT ?3 + 0`, string(p), string(after), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing members: %w", err)
	}
	return all, nil
}

// MembershipsOf lists an organisation's memberships by program, in every state.
func (tx *Tx) MembershipsOf(org exchange.OrgID) ([]exchange.Member, error) {
	all, err := Collect(tx, scanMember, memberSelect+` WHERE m.org = ?1 ORDER BY m.program`, string(org))
	if err != nil {
		return nil, fmt.Errorf("listing memberships: %w", err)
	}
	return all, nil
}

// HiddenMembers are the organisations whose membership in the program, in any
// state, other members do not learn of.
func (tx *Tx) HiddenMembers(p exchange.ProgramID) (map[exchange.OrgID]bool, error) {
	all, err := Collect(tx, func(s Scanner) (org string, err error) { return org, s.Scan(&org) },
		`SELECT org FROM member WHERE program = ?1 AND hidden = 1`, string(p))
	if err != nil {
		return nil, fmt.Errorf("listing hidden members: %w", err)
	}
	hidden := make(map[exchange.OrgID]bool, len(all))
	for _, org := range all {
		hidden[exchange.OrgID(org)] = true
	}
	return hidden, nil
}

// PutMember stores state, audience, dates and reason of a membership;
// acceptances have their own place.
func (tx *Tx) PutMember(m exchange.Member) error {
	_, err := tx.Exec(`
		INSERT INTO member (program, org, state, audience, joined_at, since, reason, hidden)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
		ON CONFLICT (program, org) DO UPDATE SET
			state = excluded.state, audience = excluded.audience, joined_at = excluded.joined_at,
			since = excluded.since, reason = excluded.reason, hidden = excluded.hidden`,
		string(m.Program), string(m.Org), string(m.State), m.Audience.String(),
		micros(m.JoinedAt), micros(m.Since), m.Reason, flag(m.Hidden))
	if err != nil {
		return fmt.Errorf("storing a membership: %w", err)
	}
	return nil
}

// Acceptance answers who accepted a version of the agreement for the
// organisation, and when.
func (tx *Tx) Acceptance(p exchange.ProgramID, org exchange.OrgID, version int) (exchange.Acceptance, error) {
	a := exchange.Acceptance{Program: p, Org: org, Version: version}
	var person string
	var at int64
	err := tx.QueryRow(`
		SELECT person, at FROM acceptance WHERE program = ?1 AND org = ?2 AND version = ?3`,
		string(p), string(org), int64(version)).Scan(&person, &at)
	a.Person, a.At = exchange.PersonID(person), instant(at)
	return found(a, err, "reading an acceptance")
}

// PutAcceptance stores an acceptance. The first one of a version stays.
func (tx *Tx) PutAcceptance(a exchange.Acceptance) error {
	_, err := tx.Exec(`
		INSERT INTO acceptance (program, org, version, person, at)
		VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (program, org, version) DO NOTHING`,
		string(a.Program), string(a.Org), int64(a.Version), string(a.Person), micros(a.At))
	if err != nil {
		return fmt.Errorf("storing an acceptance: %w", err)
	}
	return nil
}

func scanMember(s Scanner) (m exchange.Member, err error) {
	var id, org, state, audience string
	var joined, since, version, accepted, hidden int64
	err = s.Scan(&id, &org, &state, &audience, &joined, &since, &m.Reason, &version, &accepted, &hidden)
	if err != nil {
		return exchange.Member{}, err
	}
	m.Program, m.Org, m.State = exchange.ProgramID(id), exchange.OrgID(org), exchange.MemberState(state)
	m.JoinedAt, m.Since = instant(joined), instant(since)
	m.Accepted, m.AcceptedAt, m.Hidden = int(version), instant(accepted), hidden != 0
	if m.Audience, err = exchange.ParseAudience(audience); err != nil {
		return exchange.Member{}, fmt.Errorf("reading a stored audience: %s", err.Error())
	}
	return m, nil
}
