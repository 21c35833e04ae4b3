package sqlstore

import "fmt"

// SigningKey answers the key with which the exchange signs notices.
func (tx *Tx) SigningKey() (private, public string, err error) {
	type pair struct{ private, public string }
	var p pair
	err = tx.QueryRow(`SELECT private, public FROM signing_key WHERE id = 1`).Scan(&p.private, &p.public)
	p, err = found(p, err, "reading the key of notices")
	return p.private, p.public, err
}

// PutSigningKey stores it, once.
func (tx *Tx) PutSigningKey(private, public string) error {
	_, err := tx.Exec(`
		INSERT INTO signing_key (id, private, public, made_at) VALUES (1, ?1, ?2, ?3)`, private, public, micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("storing the key of notices: %w", err)
	}
	return nil
}
