package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/durable"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Why something is not done.
var (
	ErrFrozen   = errors.New("the log is closed: nothing is appended to it any more")
	ErrReadOnly = errors.New("the log was opened for reading only")
	ErrClosed   = errors.New("the log's files were closed")
	ErrInUse    = errors.New("another process writes the log")
)

// Options say how a log is opened.
type Options struct {
	Origin  string           // the first line of its checkpoints; may be empty where the log exists
	Signers []note.Signer    // of its checkpoints; one of them must be named as Origin
	Now     func() time.Time // for what is logged; nil: time.Now
	Log     *slog.Logger     // nil: none

	// Publish, if any, runs when a group is durable in the files, and before anybody
	// is told of it. Its error stops the log. It runs once more when a log is opened,
	// because the process may have ended between the two; so it can be given the
	// same checkpoint twice.
	Publish func(ctx context.Context, size int64, checkpoint []byte) error

	// ReadOnly: nothing in the folder is changed, and another process may write it.
	// What that one appends later is not seen. Signers are not needed.
	ReadOnly bool

	// Verifiers are of the keys that signed the log's checkpoints, for Check. With
	// none, Check does not look at signatures.
	Verifiers []note.Verifier

	// SegmentSize is the size at which a file of the journal ends, in bytes; 0: 64 MiB.
	SegmentSize int64
}

// publishTime is how long Publish may take.
const publishTime = 30 * time.Second

// Log is an append-only log in a folder. It is safe for concurrent use.
type Log struct {
	dir     string
	origin  string
	o       Options
	locked  *os.File
	journal *journal
	files   *files
	headAt  *os.File // the file head

	known atomic.Pointer[known] // what has been told

	mu      sync.Mutex
	flight  *group        // on its way
	queue   []*group      // behind it
	size    int64         // with what is queued
	bytes   int           // that are queued
	room    chan struct{} // closed when something was taken off the queue
	more    chan struct{} // closed when something was put into it
	wake    chan struct{}
	resign  []*resigning
	frozen  bool
	closing bool
	stopped error

	ended chan struct{} // closed when the writer has ended
	edge  *edge         // of the writer alone
	next  []note.Signer // of the writer alone
}

// known is the state of the log that readers are answered from. It does not change.
type known struct {
	size       int64
	root       tlog.Hash
	checkpoint []byte
	edge       edge
	at         position
}

// damage is what does not hold. index is that of the first entry concerned, -1
// where none can be named.
func damage(index int64, format string, args ...any) error {
	return &verify.Failure{What: fmt.Sprintf(format, args...), Index: index}
}

// Open opens the log in a folder, which it makes where there is none. After a
// crash it cuts off what was not written whole, and makes again the tiles that are
// missing. What was damaged is a *verify.Failure, and nothing is changed then.
func Open(dir string, o Options) (*Log, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	begun := o.Now()
	for attempt := 1; ; attempt++ {
		l := &Log{
			dir: dir, o: o, room: make(chan struct{}), more: make(chan struct{}),
			wake: make(chan struct{}, 1), ended: make(chan struct{}), next: o.Signers,
		}
		err := l.open()
		if err == nil {
			l.o.Log.Debug("the ledger is open", "origin", l.origin, "size", l.Size(), "took", o.Now().Sub(begun))
			return l, nil
		}
		err = errors.Join(fmt.Errorf("opening the ledger: %w", err), l.release())
		// A reader may have met a record while it was written.
		if attempt == readings || !o.ReadOnly || !l.written() {
			return nil, err
		}
	}
}

// readings is how often a log that another process writes is read before what is
// found counts as damage.
const readings = 10

// written reports whether a process has the log open for writing.
func (l *Log) written() bool {
	f, err := os.OpenFile(filepath.Join(l.dir, "lock"), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return lock(f) != nil
}

func (l *Log) open() error {
	if err := l.prepare(); err != nil {
		return err
	}
	var err error
	if l.journal, err = openJournal(filepath.Join(l.dir, "journal")); err != nil {
		return err
	}
	if l.o.SegmentSize > 0 {
		l.journal.max = l.o.SegmentSize
	}
	l.files = newFiles(l.dir)
	_, err = os.Stat(filepath.Join(l.dir, "frozen"))
	l.frozen = err == nil
	last, err := l.recover()
	if err != nil {
		return err
	}
	l.size = l.edge.size
	if l.o.ReadOnly {
		close(l.ended)
		if last == nil {
			return errors.New("the log has no checkpoint yet")
		}
		l.publish(last)
		return nil
	}
	if err := signers(l.origin, l.next); err != nil {
		return err
	}
	if last == nil || !signedBy(last, l.next) {
		if last, err = l.commit(&group{first: l.size, buf: make([]byte, recordHead)}); err != nil {
			return err
		}
	} else if err := l.tell(l.size, last); err != nil {
		return err
	}
	l.publish(last)
	go l.files.run(l.fail)
	go l.write()
	return nil
}

// prepare takes hold of the folder, and makes it where it is not there.
func (l *Log) prepare() error {
	path := filepath.Join(l.dir, "log")
	b, err := os.ReadFile(path)
	switch {
	case err == nil:
		origin, ok := parseIdentity(b)
		if !ok {
			return damage(-1, "log: not the first file of a ledger")
		}
		if l.o.Origin != "" && l.o.Origin != origin {
			return fmt.Errorf("the folder holds the log %.80q and not %.80q", origin, l.o.Origin)
		}
		l.origin = origin
	case !errors.Is(err, fs.ErrNotExist) || l.o.ReadOnly:
		return err
	case !validOrigin(l.o.Origin):
		return fmt.Errorf("%.80q cannot be the origin of a log: one line without white space and plus signs", l.o.Origin)
	default:
		l.origin = l.o.Origin
		if err := signers(l.origin, l.next); err != nil {
			return err
		}
	}
	if l.o.ReadOnly {
		return nil
	}
	for _, dir := range []string{l.dir, filepath.Join(l.dir, "journal"), filepath.Join(l.dir, "tile")} {
		if err := makeDir(dir); err != nil {
			return err
		}
	}
	if l.locked, err = os.OpenFile(filepath.Join(l.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o640); err != nil {
		return err
	}
	if err := lock(l.locked); err != nil {
		return err
	}
	if b == nil {
		// Last of what makes a folder a log. A journal without it is not touched.
		if names, err := os.ReadDir(filepath.Join(l.dir, "journal")); err != nil || len(names) > 0 {
			return errors.Join(err, damage(-1, "log: the file is missing, and there is a journal"))
		}
		return durable.Replace(path, identity(l.origin), 0o640)
	}
	return nil
}

const identityLine = "forewarn ledger v1\n"

func identity(origin string) []byte { return []byte(identityLine + origin + "\n") }

func parseIdentity(b []byte) (origin string, ok bool) {
	if len(b) <= len(identityLine)+1 {
		return "", false
	}
	origin = string(b[len(identityLine) : len(b)-1])
	return origin, validOrigin(origin) && string(identity(origin)) == string(b)
}

func (l *Log) release() error {
	var err error
	if l.headAt != nil {
		err = l.headAt.Close()
	}
	if l.journal != nil && l.journal.file != nil {
		err = errors.Join(err, l.journal.file.Close())
	}
	if l.locked != nil {
		err = errors.Join(err, l.locked.Close())
	}
	return err
}

// Origin is the log's origin.
func (l *Log) Origin() string { return l.origin }

// Size is the number of entries under the newest signed checkpoint. They are
// durable.
func (l *Log) Size() int64 { return l.known.Load().size }

// Checkpoint is the newest checkpoint, signed.
func (l *Log) Checkpoint() []byte { return slices.Clone(l.known.Load().checkpoint) }

// Err says why the log has stopped; nil while it runs.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped
}

// fail stops the log for good. The first error stays.
func (l *Log) fail(err error) {
	l.mu.Lock()
	if l.stopped == nil {
		l.stopped = err
		if !errors.Is(err, ErrClosed) {
			l.o.Log.Error("the ledger has stopped", "origin", l.origin, "size", l.known.Load().size, "error", err)
		}
	}
	queue, resign := l.queue, l.resign
	l.queue, l.resign = nil, nil
	l.changed(&l.more)
	l.changed(&l.room)
	l.mu.Unlock()
	for _, g := range queue {
		close(g.done)
	}
	for _, r := range resign {
		r.done <- l.Err()
	}
	l.nudge()
}

// changed wakes who waits for c. l.mu is held.
func (l *Log) changed(c *chan struct{}) {
	close(*c)
	*c = make(chan struct{})
}

// nudge wakes the writer.
func (l *Log) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Frozen reports whether the log is closed for appending.
func (l *Log) Frozen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.frozen
}

// Freeze closes the log for appending, durably. What was put before is appended
// first.
func (l *Log) Freeze() error {
	if l.o.ReadOnly {
		return ErrReadOnly
	}
	l.mu.Lock()
	was := l.frozen
	l.frozen = true
	size := l.size
	l.mu.Unlock()
	err := l.Wait(context.Background(), size)
	if err == nil {
		err = durable.Replace(filepath.Join(l.dir, "frozen"), []byte(fmt.Sprintf("%d\n", size)), 0o640)
	}
	if err != nil {
		l.mu.Lock()
		l.frozen = was
		l.mu.Unlock()
		return fmt.Errorf("closing the log: %w", err)
	}
	return nil
}

// Close appends what was put, and closes the files.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		<-l.ended
		return nil
	}
	l.closing = true
	l.mu.Unlock()
	l.nudge()
	<-l.ended
	l.fail(ErrClosed)
	if l.o.ReadOnly {
		return l.release()
	}
	l.files.close()
	var err error
	if errors.Is(l.Err(), ErrClosed) { // else the journal is left as the failure left it
		err = l.journal.trim()
	}
	return errors.Join(err, l.release())
}
