package doctor

import (
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/forewarn-exchange/forewarn/internal/exchange/logbook"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// witnessed holds a log against the newest checkpoint that witnesses signed, as the
// store has it.
func (x *exam) witnessed(l logbook.Log) {
	const name = "witnesses"
	var newest []witness.Cosigned
	err := x.db.View(x.ctx, func(tx *sqlstore.Tx) (err error) {
		newest, err = tx.NewestCosigned(l.Number, 1)
		return err
	})
	if err != nil {
		x.say(Fail, name, "reading what they signed: "+err.Error(), "")
		return
	}
	if len(newest) == 0 {
		return
	}
	log, err := ledger.Open(filepath.Join(x.Data, "ledger", strconv.Itoa(l.Number)), ledger.Options{ReadOnly: true})
	if err != nil {
		return // said of the folder
	}
	defer log.Close()
	d, err := witness.Compare(log, newest[0])
	switch {
	case err != nil:
		x.say(Fail, name, "what they signed and the log cannot be compared: "+cut(err.Error()), putBack)
	case d.Kind == witness.Ahead:
		x.say(Fail, name, fmt.Sprintf("they signed %d entries and the log has %d: it was cut off, or put back to an older copy", d.Size, log.Size()),
			"put the newer copy back; if it is lost: forewarn ledger accept-rollback --reason …")
	case d.Kind == witness.Fork:
		x.say(Fail, name, fmt.Sprintf("the first %d entries of the log are not those that they signed: it was changed, or made anew", d.Size), putBack)
	}
}
