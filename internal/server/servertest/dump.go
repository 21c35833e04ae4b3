package servertest

import (
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// Dump is everything that the embedded store holds: the rows of each table as
// text, sorted. Two equal dumps mean that nothing at all was changed.
func (w *World) Dump() map[string][]string {
	w.T.Helper()
	out := map[string][]string{}
	err := w.DB.View(w.T.Context(), func(tx *sqlstore.Tx) error {
		tables, err := sqlstore.Collect(tx, text, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
		if err != nil {
			return err
		}
		for _, table := range tables {
			columns, err := sqlstore.Collect(tx, text, `SELECT name FROM pragma_table_info(?1)`, table)
			if err != nil {
				return err
			}
			row := `quote("` + strings.Join(columns, `") || ' ' || quote("`) + `")`
			if out[table], err = sqlstore.Collect(tx, text, `SELECT `+row+` FROM "`+table+`" ORDER BY 1`); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return out
}

func text(s sqlstore.Scanner) (v string, err error) { return v, s.Scan(&v) }
