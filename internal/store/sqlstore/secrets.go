package sqlstore

import "fmt"

// Secret answers a key that the exchange made for itself; nil: it has none yet.
func (tx *Tx) Secret(name string) ([]byte, error) {
	some, err := Collect(tx, func(s Scanner) (b []byte, err error) { return b, s.Scan(&b) }, `SELECT value FROM secret WHERE name = ?1`, name)
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	if len(some) == 0 {
		return nil, nil
	}
	return some[0], nil
}

// PutSecret keeps a key, unless there is one of the name.
func (tx *Tx) PutSecret(name string, value []byte) error {
	_, err := tx.Exec(`INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING`, name, value)
	if err != nil {
		return fmt.Errorf("keeping a key: %w", err)
	}
	return nil
}
