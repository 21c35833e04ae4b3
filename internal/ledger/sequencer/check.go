package sequencer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Finding is something that does not hold between the store and the logs.
type Finding struct {
	Seq   int64 // of the event; 0: none in particular
	Log   int   // 0: none in particular
	Index int64 // of its entry there; -1: none in particular
	What  string
}

// Checked is what was looked at.
type Checked struct {
	Events  int64 // of the store
	Entered int64 // of them in a log
	Waiting int64 // of them not yet
}

// Check holds so many of the newest events of the store, 0: all, against their salted
// entries, and those against the logs in a folder. found is called for what does not
// hold, in the order of the events. Logs are only read: another process may write
// them. The folder's own files are checked by ledger.Log.Check.
func Check(ctx context.Context, s Store, folder string, newest int64, found func(Finding)) (c Checked, err error) {
	k := &checker{store: s, folder: folder, found: found, erased: erasures{}}
	defer func() {
		if err == nil {
			k.erased.tell(found)
		}
		if k.behind.Seq > 0 && err == nil {
			found(k.behind)
		}
		if k.log != nil {
			err = errors.Join(err, k.log.Close())
		}
	}()
	err = s.View(ctx, func(tx Tx) (err error) {
		if k.last, err = tx.LastEvent(); err == nil {
			k.infos, err = tx.Logs()
		}
		if err == nil {
			err = k.beyond(tx)
		}
		return err
	})
	if newest > 0 {
		k.seq = max(0, k.last-newest)
	}
	for err == nil && k.seq < k.last {
		err = k.some(ctx)
	}
	if err == nil {
		err = k.ends(ctx)
	}
	return k.checked, err
}

type checker struct {
	store   Store
	folder  string
	found   func(Finding)
	infos   []Info
	last    int64
	seq     int64 // looked at
	log     *ledger.Log
	at      int // the log's number
	checked Checked
	behind  Finding // beyond the last number
	erased  erasures
}

// some looks at the next events.
func (k *checker) some(ctx context.Context) error {
	var rows []Row
	err := k.store.View(ctx, func(tx Tx) (err error) {
		rows, err = tx.EventRows(k.seq, readAtOnce)
		return err
	})
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		k.found(Finding{Seq: k.seq + 1, Index: -1, What: fmt.Sprintf("the events %d to %d are missing in the store", k.seq+1, k.last)})
		k.seq = k.last
		return nil
	}
	for _, r := range rows {
		if r.Seq > k.last && k.seq == k.last {
			return nil // recorded since the beginning
		}
		if r.Seq > k.seq+1 {
			k.found(Finding{Seq: k.seq + 1, Index: -1, What: fmt.Sprintf("the events %d to %d are missing in the store", k.seq+1, r.Seq-1)})
		}
		k.seq = r.Seq
		if err := k.event(r); err != nil {
			return err
		}
	}
	return nil
}

// beyond looks for an event that was never numbered.
func (k *checker) beyond(tx Tx) error {
	k.behind = Finding{}
	rows, err := tx.EventEntries(k.last, 1)
	for _, r := range rows {
		k.behind = Finding{Seq: r.Seq, Index: -1, What: fmt.Sprintf("the store holds event %d, and has given numbers up to %d", r.Seq, k.last)}
	}
	return err
}

// event looks at one event.
func (k *checker) event(r Row) error {
	f := Finding{Seq: r.Seq, Index: -1}
	k.checked.Events++
	i := len(k.infos) - 1
	for i >= 0 && k.infos[i].Base >= r.Seq {
		i--
	}
	logged := false
	if i >= 0 {
		if err := k.to(k.infos[i]); err != nil {
			return err
		}
		f.Log, f.Index = k.infos[i].Number, r.Seq-1-k.infos[i].Base
		logged = k.log != nil && f.Index < k.log.Size()
	}
	if !logged {
		k.checked.Waiting++
	}
	if f.What = entered(r, logged); f.What != "" {
		k.found(f)
		return nil
	}
	if !logged {
		return nil
	}
	k.checked.Entered++
	k.erased.note(r, f)
	e, err := k.log.Entry(f.Index)
	var bad *verify.Failure
	switch {
	case errors.As(err, &bad):
		f.What = bad.What
	case err != nil:
		return err
	case !bytes.Equal(e, r.Entry):
		f.What = "the log holds another entry than the store"
	default:
		return nil
	}
	k.found(f)
	return nil
}

// to opens the log.
func (k *checker) to(l Info) error {
	if k.at == l.Number {
		return nil
	}
	if k.log != nil {
		if err := k.log.Close(); err != nil {
			return err
		}
	}
	k.log, k.at = nil, l.Number
	log, err := ledger.Open(filepath.Join(k.folder, strconv.Itoa(l.Number)), ledger.Options{ReadOnly: true})
	var bad *verify.Failure
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.found(Finding{Log: l.Number, Index: -1, What: "the log's folder is not there"})
		return nil
	case errors.As(err, &bad):
		k.found(Finding{Log: l.Number, Index: bad.Index, What: bad.What})
		return nil
	case err != nil:
		return err
	}
	k.log = log
	return nil
}

// ends holds the ends of closed logs, and of the current one, against the store.
func (k *checker) ends(ctx context.Context) error {
	if n := len(k.infos); n > 0 { // what was entered since is in the store, too
		if err := k.to(k.infos[n-1]); err != nil {
			return err
		}
		err := k.store.View(ctx, func(tx Tx) (err error) {
			k.last, err = tx.LastEvent()
			return err
		})
		if err != nil {
			return err
		}
	}
	for i, l := range k.infos {
		if err := k.to(l); err != nil {
			return err
		}
		if k.log == nil {
			continue
		}
		f := Finding{Log: l.Number, Index: -1}
		switch last := i == len(k.infos)-1; {
		case last && l.Base+k.log.Size() > k.last:
			f.Index = k.last - l.Base
			f.What = fmt.Sprintf("the log goes up to event %d, the store to %d", l.Base+k.log.Size(), k.last)
		case !last && k.log.Size() < l.Size:
			f.Index, f.What = k.log.Size(), fmt.Sprintf("the log was closed at %d entries and has %d", l.Size, k.log.Size())
		case !last:
			root, err := k.log.Root(l.Size)
			if err != nil {
				return err
			}
			if root != l.Root {
				f.What = "the log does not end as the store says"
			}
		}
		if f.What != "" {
			k.found(f)
		}
	}
	return nil
}

// entered says what does not hold of an event in itself; "": nothing. An event from
// before the ledger has no entry until it is carried.
func entered(r Row, logged bool) string {
	if len(r.Salt) == 0 && len(r.Entry) == 0 && !logged {
		return ""
	}
	if logged && r.erased() {
		return left(r)
	}
	if len(r.Salt) != verify.SaltSize {
		return "the event's salt is missing or cut"
	}
	e, err := verify.Entry(r.Body, [verify.SaltSize]byte(r.Salt))
	if err != nil || !bytes.Equal(e, r.Entry) {
		return "the event, its salt or its entry was changed in the store"
	}
	// The entry stands for the members, however they are written; the body is to stay
	// as it was recorded.
	var same bytes.Buffer
	if err := json.Compact(&same, r.Body); err != nil || !bytes.Equal(same.Bytes(), r.Body) {
		return "the event's bytes were changed in the store"
	}
	return misfiled(r)
}

// misfiled says which column of an event is not what its body says.
func misfiled(r Row) string {
	var b struct {
		At       time.Time `json:"at"`
		Kind     string    `json:"kind"`
		Program  string    `json:"program"`
		Release  string    `json:"release"`
		Org      string    `json:"org"`
		ActorOrg string    `json:"actor_org"`
		Person   string    `json:"actor_person"`
		Token    string    `json:"actor_token"`
		Number   int64     `json:"number"`
	}
	if err := json.Unmarshal(r.Body, &b); err != nil {
		return "the event cannot be read"
	}
	if b.Org == "" {
		b.Org = b.ActorOrg
	}
	c := r.Columns
	for _, one := range []struct {
		name string
		same bool
	}{
		{"at", c.At == b.At.UnixMicro()},
		{"kind", c.Kind == b.Kind},
		{"program", c.Program == b.Program},
		{"release", c.Release == b.Release},
		{"org", c.Org == b.Org},
		{"person", c.Person == b.Person},
		{"token", c.Token == b.Token},
		{"number", c.Number == b.Number},
	} {
		if !one.same {
			return "the column " + one.name + " is not what the event says"
		}
	}
	return ""
}

// Difference is how a log and a store stand that do not fit together any more.
type Difference struct {
	Log        Info
	Checkpoint []byte // of the log, signed
	Known      int64  // the events up to this one are in both, and alike
	Stored     int64  // the last event of the store
}

// Compare answers how the store's last log and its folder differ; nil: they fit.
// Nothing is changed, and nothing may run meanwhile.
func Compare(ctx context.Context, s Store, folder string) (*Difference, error) {
	q := &Sequencer{o: Options{Store: s, Folder: folder}}
	d := &Difference{}
	err := s.View(ctx, func(tx Tx) (err error) {
		if d.Stored, err = tx.LastEvent(); err != nil {
			return err
		}
		all, err := tx.Logs()
		if len(all) > 0 {
			d.Log = all[len(all)-1]
		}
		return err
	})
	if err != nil || d.Log.Number == 0 {
		return nil, err
	}
	l, err := ledger.Open(q.dir(d.Log.Number), ledger.Options{ReadOnly: true})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer l.Close()
	c := &open{Info: d.Log, log: l}
	logged := d.Log.Base + l.Size()
	d.Checkpoint = l.Checkpoint()
	at, err := q.differs(ctx, c, d.Log.Base, min(logged, d.Stored))
	if err != nil {
		return nil, err
	}
	switch {
	case at >= 0:
		d.Known = at
	case logged > d.Stored:
		d.Known = d.Stored
	default:
		return nil, nil
	}
	return d, nil
}
