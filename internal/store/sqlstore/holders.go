package sqlstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
)

// Copies lists what each client of each organisation has of the artifacts, newest
// first. An organisation that was offered one, and took nothing, has a line
// without a client.
func (tx *Tx) Copies(f record.CopyFilter) ([]record.Copy, error) {
	if len(f.Artifacts) == 0 {
		return nil, nil
	}
	var where filter
	where.and("e.artifact IN (" + numbers(f.Artifacts) + ")")
	where.and(`(e.client <> '' OR NOT EXISTS (
		SELECT 1 FROM exposure x WHERE x.artifact = e.artifact AND x.org = e.org AND x.client <> ''))`)
	for _, o := range f.Except {
		where.and("e.org <> ?", string(o))
	}
	if n := len(f.Only); n > 0 {
		only := make([]any, n)
		for i, o := range f.Only {
			only[i] = string(o)
		}
		where.and("e.org IN (?"+strings.Repeat(", ?", n-1)+")", only...)
	}
	where.text.WriteString(" GROUP BY e.artifact, e.org, e.client")
	if a := f.After; !a.Last.IsZero() {
		n := len(where.args)
		where.args = append(where.args, micros(a.Last), a.Number, string(a.Org), a.Client)
		at := func(i int) string { return "?" + strconv.Itoa(n+i) }
		where.text.WriteString(" HAVING MAX(e.at) < " + at(1) + " OR MAX(e.at) = " + at(1) +
			" AND (e.artifact, e.org, e.client) > (" + at(2) + ", " + at(3) + ", " + at(4) + ")")
	}
	where.text.WriteString(" ORDER BY MAX(e.at) DESC, e.artifact, e.org, e.client")
	where.limit(f.Limit)
	all, err := Collect(tx, scanCopy, `
		SELECT c.artifact, a.id, c.org, COALESCE(o.name, ''), c.client, COALESCE(t.name, p.login, ''),
			CASE WHEN p.id IS NULL THEN 0 ELSE 1 END,
			COALESCE((SELECT MIN(x.at) FROM exposure x WHERE x.artifact = c.artifact AND x.org = c.org AND x.client = '' AND x.kind = 'offered'), 0),
			c.delivered, c.downloaded, c.opened, c.acknowledged, c.latest
		FROM (SELECT e.artifact AS artifact, e.org AS org, e.client AS client,
				COALESCE(MIN(CASE WHEN e.kind = 'delivered' THEN e.at END), 0) AS delivered,
				COALESCE(MIN(CASE WHEN e.kind = 'downloaded' THEN e.at END), 0) AS downloaded,
				COALESCE(MIN(CASE WHEN e.kind = 'opened' THEN e.at END), 0) AS opened,
				COALESCE(MIN(CASE WHEN e.kind = 'acknowledged' THEN e.at END), 0) AS acknowledged,
				MAX(e.at) AS latest
			FROM exposure e`+where.text.String()+`) c
		JOIN artifact a ON a.number = c.artifact
		LEFT JOIN organisation o ON o.id = c.org
		LEFT JOIN token t ON t.id = c.client
		LEFT JOIN person p ON p.id = c.client
		ORDER BY c.latest DESC, c.artifact, c.org, c.client`, where.args...)
	if err != nil {
		return nil, fmt.Errorf("listing copies: %w", err)
	}
	return all, nil
}

func scanCopy(s Scanner) (c record.Copy, err error) {
	var artifact, org string
	var person int64
	var at [6]int64
	err = s.Scan(&c.Number, &artifact, &org, &c.OrgName, &c.Client, &c.ClientName, &person, &at[0], &at[1], &at[2], &at[3], &at[4], &at[5])
	c.Artifact, c.Org, c.Person = exchange.ArtifactID(artifact), exchange.OrgID(org), person != 0
	c.Offered, c.Delivered, c.Downloaded = instant(at[0]), instant(at[1]), instant(at[2])
	c.Opened, c.Acknowledged, c.Last = instant(at[3]), instant(at[4]), instant(at[5])
	return c, err
}

// Having lists the organisations that were given one of the artifacts. To be
// offered it is not to have it.
func (tx *Tx) Having(artifacts []int64) ([]exchange.OrgID, error) {
	if len(artifacts) == 0 {
		return nil, nil
	}
	all, err := Collect(tx, func(s Scanner) (o exchange.OrgID, err error) { return o, s.Scan((*string)(&o)) }, `
		SELECT DISTINCT org FROM exposure WHERE artifact IN (`+numbers(artifacts)+`) AND kind <> 'offered' ORDER BY org`)
	if err != nil {
		return nil, fmt.Errorf("listing who has an artifact: %w", err)
	}
	return all, nil
}

// numbers is a list of whole numbers for a statement.
func numbers(ns []int64) string {
	b, _ := json.Marshal(ns) // of whole numbers: it cannot fail
	return strings.Trim(string(b), "[]")
}
