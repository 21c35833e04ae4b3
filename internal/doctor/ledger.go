package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/logbook"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/verify"
)

const (
	rebuildIt   = "stop the server and run: forewarn ledger rebuild"
	putLogBack  = "put the folder of this closed log back from any copy: it never changes"
	keyAge      = 400 * 24 * time.Hour // when a key is to be rotated
	witnessAway = 24 * time.Hour
)

// book is what the store says of the logs.
type book struct {
	logs       []logbook.Log
	keys       map[int][]logbook.Key
	statements map[int][][]byte
	last       int64 // event
}

// ledger holds the logs' folders, the store and the statements against each other.
func (x *exam) ledger() {
	const name = "ledger"
	b := book{keys: map[int][]logbook.Key{}, statements: map[int][][]byte{}}
	err := x.db.View(x.ctx, func(tx *sqlstore.Tx) (err error) {
		if b.last, err = tx.LastEvent(); err == nil {
			b.logs, err = tx.Logbook()
		}
		for _, l := range b.logs {
			if err == nil {
				b.keys[l.Number], err = tx.KeysOfLog(l.Number)
			}
			if err == nil {
				b.statements[l.Number], err = tx.LogStatements(l.Number)
			}
		}
		return err
	})
	switch {
	case err != nil:
		x.say(Fail, name, "reading what the store says of the logs: "+err.Error(), putBack)
		return
	case len(b.logs) == 0:
		x.say(OK, name, "no log yet: the server makes it when it starts", "")
		return
	}
	for i, l := range b.logs {
		x.log(b, l, i == len(b.logs)-1)
	}
	x.record()
	x.keys(b)
	x.statements(b)
	x.witnesses(b.logs[len(b.logs)-1])
	x.witnessed(b.logs[len(b.logs)-1])
}

// log checks the folder of one log.
func (x *exam) log(b book, l logbook.Log, current bool) {
	name := "ledger"
	if len(b.logs) > 1 {
		name = "ledger/" + strconv.Itoa(l.Number)
	}
	mend := putLogBack
	if current {
		mend = rebuildIt
	}
	o := ledger.Options{ReadOnly: true}
	for _, k := range b.keys[l.Number] {
		if v, err := note.NewVerifier(k.Public); err == nil {
			o.Verifiers = append(o.Verifiers, v)
		}
	}
	folder := filepath.Join(x.Data, "ledger", strconv.Itoa(l.Number))
	log, err := x.open(folder, o, func(log *ledger.Log) bool { return current && log.Size() < b.last-l.Base })
	var bad *verify.Failure
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.harm(l, name, "the folder of the log is not there: "+folder, mend)
		return
	case errors.As(err, &bad):
		x.harm(l, name, at(bad.Index, bad.What), mend)
		return
	case err != nil:
		x.harm(l, name, err.Error(), mend)
		return
	}
	defer log.Close()
	found := 0
	if x.Full || log.Size() <= quickEntries {
		err = log.Check(x.ctx, func(path string, index int64, err error) {
			if found++; found <= mostToName {
				do := mend
				if current && strings.HasPrefix(path, "tile/") {
					do = "start the server anew: it makes the file again from the journal"
				}
				x.harm(l, name, at(index, path+": "+err.Error()), do)
			}
		})
	} else {
		err = x.tail(log)
	}
	switch {
	case err != nil:
		x.harm(l, name, "its folder cannot be read to the end: "+cut(err.Error()), mend)
		return
	case found > mostToName:
		x.say(Fail, name, fmt.Sprintf("and %d more", found-mostToName), "")
	case found > 0:
	default:
		x.newest(b, l, log, name)
	}
}

// harm tells of what is wrong with a log's folder.
func (x *exam) harm(l logbook.Log, name, text, do string) {
	x.broken[l.Number] = true
	x.say(Fail, name, text, do)
}

// open opens a log to be read. What a running server is about to enter gets a moment.
func (x *exam) open(folder string, o ledger.Options, behind func(*ledger.Log) bool) (*ledger.Log, error) {
	log, err := ledger.Open(folder, o)
	if err != nil || !behind(log) || !x.locked() {
		return log, err
	}
	if err := log.Close(); err != nil {
		return nil, err
	}
	select {
	case <-x.ctx.Done():
		return nil, x.ctx.Err()
	case <-time.After(2 * time.Second):
	}
	return ledger.Open(folder, o)
}

// at names the entry that is wrong first.
func at(index int64, what string) string {
	if index >= 0 {
		return fmt.Sprintf("entry %d: %s", index, cut(what))
	}
	return cut(what)
}

// tail reads the newest entries of a log, each with its proof.
func (x *exam) tail(log *ledger.Log) error {
	size := log.Size()
	for i := size - tailEvents; i < size && x.ctx.Err() == nil; i++ {
		if _, err := log.Entry(i); err != nil {
			return err
		}
		if i%256 == 0 {
			if _, err := log.Inclusion(i, size); err != nil {
				return err
			}
		}
	}
	return x.ctx.Err()
}

// newest looks at the newest checkpoint.
func (x *exam) newest(b book, l logbook.Log, log *ledger.Log, name string) {
	h, err := verify.Trace(l.Origin, publics(b.keys[l.Number]), b.statements[l.Number])
	var s verify.Signed
	if err == nil {
		s, err = verify.OpenCheckpoint(log.Checkpoint(), h.KeysFor(log.Size()), nil)
	}
	if err == nil {
		err = h.CheckClosed(s.Checkpoint)
	}
	if err != nil {
		x.say(Fail, name, "the newest checkpoint: "+cut(err.Error()), "look at the findings on keys and statements")
		return
	}
	text := fmt.Sprintf("%s, %d entries, signed by %d key(s)", l.Origin, s.Size, len(s.Keys))
	switch waiting := x.waiting(b.last, l.Base+s.Size); {
	case !l.ClosedAt.IsZero():
		x.say(OK, name, text+"; closed", "")
	case waiting < 0:
		x.harm(l, name, fmt.Sprintf("%s; of them %d have no event: the store was put back to an older copy", text, -waiting),
			"put the newer copy of the store back; if it is lost: forewarn ledger accept-rollback --reason …")
	case waiting > 0 && x.locked():
		x.say(Fail, name, fmt.Sprintf("%s; %d events are not in it", text, waiting), "the server's log says why it does not enter them")
	case waiting > 0:
		x.say(OK, name, fmt.Sprintf("%s; %d events are entered when the server starts", text, waiting), "")
	default:
		x.say(OK, name, text, "")
	}
}

// waiting is how many events are not in a log that holds those up to one; below zero:
// how many the log holds that the store does not.
func (x *exam) waiting(last, logged int64) int64 {
	if logged <= last {
		return last - logged
	}
	// What was entered since the store was read is there by now.
	_ = x.db.View(x.ctx, func(tx *sqlstore.Tx) (err error) {
		last, err = tx.LastEvent()
		return err
	})
	return min(0, last-logged)
}

func publics(keys []logbook.Key) (out []string) {
	for _, k := range keys {
		out = append(out, k.Public)
	}
	return out
}

// record holds the events in the store against the logs.
func (x *exam) record() {
	const name = "events"
	found := 0
	after := int64(tailEvents)
	if x.Full {
		after = 0
	}
	c, err := sequencer.Check(x.ctx, x.db.Beneath(), filepath.Join(x.Data, "ledger"), after, func(f sequencer.Finding) {
		if f.Seq == 0 && x.broken[f.Log] {
			return // said
		}
		if found++; found > mostToName {
			return
		}
		text := f.What
		switch {
		case f.Seq > 0 && f.Index >= 0:
			text = fmt.Sprintf("event %d, entry %d of log %d: %s", f.Seq, f.Index, f.Log, f.What)
		case f.Seq > 0:
			text = fmt.Sprintf("event %d: %s", f.Seq, f.What)
		case f.Log > 0:
			text = fmt.Sprintf("log %d: %s", f.Log, f.What)
		}
		x.say(Fail, name, cut(text), "one of the two was changed or put back: "+putBack)
	})
	switch {
	case err != nil:
		x.say(Fail, name, "the store and the log cannot be compared: "+cut(err.Error()), "")
	case found > mostToName:
		x.say(Fail, name, fmt.Sprintf("and %d more", found-mostToName), "")
	case found == 0 && len(x.broken) > 0:
		x.say(Warn, name, fmt.Sprintf("%d looked at, as far as the log can be read", c.Events), "mend the log first")
	case found == 0:
		x.say(OK, name, fmt.Sprintf("%d looked at, each as the log has it", c.Events), "")
	}
}

// keys looks at whether a key is due.
func (x *exam) keys(b book) {
	const name = "keys"
	l := b.logs[len(b.logs)-1]
	signing, private := 0, 0
	since := l.OpenedAt
	for _, k := range b.keys[l.Number] {
		if !k.Signs() {
			if k.Private != "" {
				x.say(Fail, name, "the private part of a key that was retired is still there", "start the server: it destroys it")
				return
			}
			continue
		}
		signing++
		if k.Private != "" {
			private++
		}
		if k.EndsAt.IsZero() {
			if at, err := x.made(l.Base + k.Since); err == nil && k.Since > 0 {
				since = at
			}
		} else if x.Now.After(k.EndsAt.Add(time.Hour)) {
			x.say(Warn, name, fmt.Sprintf("a key was to end at %s", k.EndsAt.Format(time.RFC3339)), "start the server: it ends it within a minute")
			return
		}
	}
	switch age := x.Now.Sub(since); {
	case signing == 0 || private < signing:
		x.say(Fail, name, fmt.Sprintf("of %d keys that sign the log, %d are there", signing, private), putBack)
	case age > keyAge:
		x.say(Warn, name, fmt.Sprintf("the log's key is %d days old", int(age.Hours()/24)), "forewarn ledger rotate --reason …")
	case signing > 1:
		x.say(OK, name, "a rotation is under way: both keys sign", "")
	default:
		x.say(OK, name, fmt.Sprintf("one, %d days old", int(age.Hours()/24)), "")
	}
}

// made is when an event was recorded.
func (x *exam) made(seq int64) (at time.Time, err error) {
	err = x.db.View(x.ctx, func(tx *sqlstore.Tx) error {
		at, err = tx.EventTime(seq)
		return err
	})
	return at, err
}

// statements follows what each log says of itself, from its first key to the end.
func (x *exam) statements(b book) {
	const name = "statements"
	n := 0
	for i, l := range b.logs {
		all := b.keys[l.Number]
		if len(all) == 0 {
			x.say(Fail, name, fmt.Sprintf("log %d has no key", l.Number), putBack)
			return
		}
		h, err := verify.Trace(l.Origin, []string{all[0].Public}, b.statements[l.Number])
		n += len(b.statements[l.Number])
		switch {
		case err != nil:
			x.say(Fail, name, fmt.Sprintf("log %d: %s", l.Number, cut(err.Error())), putBack)
			return
		case (h.Closed != nil) == l.ClosedAt.IsZero():
			x.say(Fail, name, fmt.Sprintf("log %d: whether it was closed is said otherwise than the store has it", l.Number), putBack)
			return
		case h.Closed != nil && (h.Successor == nil || i+1 >= len(b.logs) || h.Successor.Origin != b.logs[i+1].Origin):
			x.say(Fail, name, fmt.Sprintf("log %d does not lead to the one that follows it", l.Number), putBack)
			return
		}
		for _, k := range all {
			if k.Signs() && !slices.ContainsFunc(h.Keys, func(s verify.KeySpan) bool { return s.Key == k.Public && s.Until < 0 }) {
				x.say(Fail, name, fmt.Sprintf("log %d: a key signs that no statement names", l.Number), putBack)
				return
			}
		}
	}
	x.say(OK, name, fmt.Sprintf("%d, from the first key to the newest", n), "")
}

// witnesses looks at when each witness that a charter names signed last.
func (x *exam) witnesses(l logbook.Log) {
	const name = "witnesses"
	states := map[string]witness.State{}
	var charters []exchange.Charter
	open, words := 0, ""
	err := x.db.View(x.ctx, func(tx *sqlstore.Tx) error {
		all, err := tx.WitnessStates(l.Number)
		for _, s := range all {
			states[s.Key] = s
		}
		if err == nil {
			charters, err = tx.Charters()
		}
		for _, c := range charters {
			if err != nil {
				break
			}
			var against []witness.Disagreement
			against, err = tx.DisagreementsOf(c.ID, l.Number)
			for _, d := range against {
				if d.Open() {
					open, words = open+1, d.Words()
				}
			}
		}
		return err
	})
	if err != nil {
		x.say(Fail, name, "reading what the store says of them: "+err.Error(), "")
		return
	}
	named, agree := 0, 0
	for _, c := range charters {
		if len(c.Ledger.Witnesses) == 0 {
			continue
		}
		here := 0
		for _, w := range c.Ledger.Witnesses {
			if s, ok := states[w.Key]; ok && !s.Seen.IsZero() && x.Now.Sub(s.Seen) < witnessAway {
				here++
			}
		}
		if here < c.Ledger.Quorum {
			x.say(Warn, name, fmt.Sprintf("program %s: %d of %d signed within a day; %d are asked for", c.ID, here, len(c.Ledger.Witnesses), c.Ledger.Quorum),
				"ask those who run the others")
		}
		named, agree = named+len(c.Ledger.Witnesses), agree+here
	}
	switch {
	case open > 0:
		x.say(Fail, name, fmt.Sprintf("%d disagreement(s) that nobody has settled: %s", open, words), "look at the page of the program, and compare the checkpoints")
	case len(charters) == 0:
		x.say(OK, name, "there is no program yet that could name one", "")
	case named == 0:
		x.say(Warn, name, "no charter names one: nobody but the members watches the log", "name witnesses in the charters, under [ledger]")
	default:
		x.say(OK, name, fmt.Sprintf("%d of %d signed within a day", agree, named), "")
	}
}
