package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/verify"
)

// maxQueued is how many bytes of entries wait in memory. Put waits where there are
// more.
const maxQueued = 16 << 20

// group is what is appended by one write and one sync.
type group struct {
	first int64
	count int
	buf   []byte        // a record up to the end of its entries
	done  chan struct{} // closed when it is durable, or the log has stopped
}

func (g *group) end() int64 { return g.first + int64(g.count) }

// resigning is a call of Resign.
type resigning struct {
	signers []note.Signer
	done    chan error
}

// Put hands in entries, the first of which gets the index first. It does not wait
// for them to be durable; it waits while 16 MiB are queued. Entries that are in the
// log already are compared: one that differs is a *verify.Failure with its index.
// Entries that would leave a gap are refused, and so is one above 65,535 bytes.
// On an error nothing was taken.
func (l *Log) Put(first int64, entries [][]byte) error {
	for i, e := range entries {
		if len(e) > maxEntry {
			return fmt.Errorf("entry %d has %d bytes, at most %d fit", first+int64(i), len(e), maxEntry)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.bytes > maxQueued && l.stopped == nil {
		room := l.room
		l.mu.Unlock()
		<-room
		l.mu.Lock()
	}
	switch {
	case l.o.ReadOnly:
		return ErrReadOnly
	case l.stopped != nil:
		return l.stopped
	case l.closing:
		return ErrClosed
	case first < 0 || first > l.size:
		return fmt.Errorf("entry %d cannot follow entry %d", first, l.size-1)
	}
	known := int(min(l.size-first, int64(len(entries))))
	for i, e := range entries[:known] {
		if err := l.compare(first+int64(i), e); err != nil {
			return err
		}
	}
	if known == len(entries) {
		return nil
	}
	if l.frozen {
		return ErrFrozen
	}
	for _, e := range entries[known:] {
		g := l.last(len(e))
		g.buf = appendEntry(g.buf, e)
		g.count++
		l.bytes += 2 + len(e)
		l.size++
	}
	l.changed(&l.more)
	l.nudge()
	return nil
}

// last answers the group that an entry of n bytes goes into. l.mu is held.
func (l *Log) last(n int) *group {
	if len(l.queue) > 0 {
		if g := l.queue[len(l.queue)-1]; len(g.buf)+2+n <= recordHead+maxEntries {
			return g
		}
	}
	g := &group{first: l.size, buf: make([]byte, recordHead, 1<<10), done: make(chan struct{})}
	l.queue = append(l.queue, g)
	return g
}

// compare holds an entry against the one that the log has. l.mu is held.
func (l *Log) compare(index int64, entry []byte) error {
	var have []byte
	var err error
	if index < l.known.Load().size {
		have, err = l.Entry(index)
	} else {
		have, err = l.queued(index)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(have, entry) {
		return damage(index, "entry %d is another one in the log", index)
	}
	return nil
}

// queued answers an entry that is not in a known group yet. l.mu is held.
func (l *Log) queued(index int64) ([]byte, error) {
	groups := l.queue
	if l.flight != nil {
		groups = append([]*group{l.flight}, groups...)
	}
	for _, g := range groups {
		if index >= g.end() {
			continue
		}
		var e []byte
		var err error
		rest := g.buf[recordHead:]
		for range index - g.first + 1 {
			if e, rest, err = nextEntry(rest); err != nil {
				return nil, err
			}
		}
		return e, nil
	}
	return l.Entry(index)
}

// Wait waits until Size() >= size. It answers the log's error where it has
// stopped before.
func (l *Log) Wait(ctx context.Context, size int64) error {
	for l.known.Load().size < size {
		l.mu.Lock()
		if l.known.Load().size >= size {
			l.mu.Unlock()
			break
		}
		if l.stopped != nil {
			defer l.mu.Unlock()
			return l.stopped
		}
		if l.o.ReadOnly {
			l.mu.Unlock()
			return ErrReadOnly
		}
		done := l.more
		if g := l.holding(size); g != nil {
			done = g.done
		}
		l.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// holding answers the group after which the log has a size. l.mu is held.
func (l *Log) holding(size int64) *group {
	if l.flight != nil && l.flight.end() >= size {
		return l.flight
	}
	for _, g := range l.queue {
		if g.end() >= size {
			return g
		}
	}
	return nil
}

// write is the writer: it takes what waits, group after group.
func (l *Log) write() {
	defer close(l.ended)
	for {
		g, resign, ok := l.take()
		if !ok {
			return
		}
		if resign != nil {
			l.next = resign.signers
		}
		checkpoint, err := l.commit(g)
		if err != nil {
			l.fail(err)
		} else {
			l.publish(checkpoint)
		}
		l.mu.Lock()
		l.flight = nil
		l.mu.Unlock()
		if g.done != nil {
			close(g.done)
		}
		if resign != nil {
			resign.done <- err
		}
	}
}

// take waits for something to do. It answers false when there is nothing more.
func (l *Log) take() (*group, *resigning, bool) {
	for {
		l.mu.Lock()
		if l.stopped != nil {
			l.mu.Unlock()
			return nil, nil, false
		}
		if len(l.resign) > 0 || len(l.queue) > 0 {
			defer l.mu.Unlock()
			g := &group{first: l.edge.size, buf: make([]byte, recordHead)}
			if len(l.queue) > 0 {
				g = l.queue[0]
				l.queue = slices.Delete(l.queue, 0, 1)
				l.bytes -= len(g.buf) - recordHead
				l.changed(&l.room)
			}
			l.flight = g
			var r *resigning
			if len(l.resign) > 0 {
				r = l.resign[0]
				l.resign = slices.Delete(l.resign, 0, 1)
			}
			return g, r, true
		}
		closing := l.closing
		l.mu.Unlock()
		if closing {
			return nil, nil, false
		}
		<-l.wake
	}
}

// commit appends a group: hashes, checkpoint, one write, one sync. It answers the
// signed checkpoint.
func (l *Log) commit(g *group) ([]byte, error) {
	var full []filled
	for rest := g.buf[recordHead:]; len(rest) > 0; {
		e, more, err := nextEntry(rest)
		if err != nil {
			return nil, err
		}
		full = l.edge.add(e, full)
		rest = more
	}
	checkpoint, err := l.sign()
	if err != nil {
		return nil, err
	}
	at := l.journal.at
	// What others may read of g.buf meanwhile, its entries, stays as it is.
	rec, s := seal(g.buf, g.first, g.count, at.prev, checkpoint)
	if err := l.journal.append(rec, g.end(), s); err != nil {
		return nil, err
	}
	if _, err := l.headAt.WriteAt(l.journal.at.bytes(), 0); err != nil {
		return nil, fmt.Errorf("writing the ledger's head: %w", err)
	}
	l.files.put(full, position{segment: l.journal.at.segment, offset: l.journal.at.offset - int64(len(rec)), size: g.first, prev: at.prev})
	return checkpoint, l.tell(g.end(), checkpoint)
}

// tell runs Publish.
func (l *Log) tell(size int64, checkpoint []byte) error {
	if l.o.Publish == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishTime)
	defer cancel()
	if err := l.o.Publish(ctx, size, slices.Clone(checkpoint)); err != nil {
		return fmt.Errorf("publishing the checkpoint of size %d: %w", size, err)
	}
	return nil
}

// publish makes known what the writer has.
func (l *Log) publish(checkpoint []byte) {
	l.known.Store(&known{size: l.edge.size, root: l.edge.root(), checkpoint: checkpoint, edge: *l.edge, at: l.journal.at})
}

// sign signs a checkpoint of what the writer has.
func (l *Log) sign() ([]byte, error) {
	text := verify.Checkpoint{Origin: l.origin, Size: l.edge.size, Root: l.edge.root()}.Text()
	b, err := note.Sign(&note.Note{Text: text}, l.next...)
	if err != nil {
		return nil, fmt.Errorf("signing a checkpoint: %w", err)
	}
	if len(b) > maxCheckpoint {
		return nil, fmt.Errorf("the signed checkpoint has %d bytes, at most %d fit", len(b), maxCheckpoint)
	}
	return b, nil
}

// Resign has checkpoints signed by these signers from now on, and signs a new one
// at once.
func (l *Log) Resign(with []note.Signer) error {
	if l.o.ReadOnly {
		return ErrReadOnly
	}
	if err := signers(l.origin, with); err != nil {
		return err
	}
	r := &resigning{signers: slices.Clone(with), done: make(chan error, 1)}
	l.mu.Lock()
	switch {
	case l.stopped != nil:
		defer l.mu.Unlock()
		return l.stopped
	case l.closing:
		l.mu.Unlock()
		return ErrClosed
	}
	l.resign = append(l.resign, r)
	l.mu.Unlock()
	l.nudge()
	return <-r.done
}

// signers refuses signers under which nobody could verify a checkpoint.
func signers(origin string, all []note.Signer) error {
	if !slices.ContainsFunc(all, func(s note.Signer) bool { return s.Name() == origin }) {
		return fmt.Errorf("the log %.80q needs a key of its own name", origin)
	}
	return nil
}

// signedBy reports whether a checkpoint carries signatures of all these keys, and
// of no other.
func signedBy(checkpoint []byte, all []note.Signer) bool {
	n, err := openNote(checkpoint)
	if err != nil || len(n.UnverifiedSigs) != len(all) {
		return false
	}
	for _, s := range all {
		if !slices.ContainsFunc(n.UnverifiedSigs, func(sig note.Signature) bool { return sig.Name == s.Name() && sig.Hash == s.KeyHash() }) {
			return false
		}
	}
	return true
}

// openNote reads a signed note without looking at its signatures.
func openNote(signed []byte) (*note.Note, error) {
	n, err := note.Open(signed, note.VerifierList())
	var unknown *note.UnverifiedNoteError
	if errors.As(err, &unknown) {
		return unknown.Note, nil
	}
	return n, err
}

func validOrigin(origin string) bool {
	return origin != "" && len(origin) <= 1<<10 && utf8.ValidString(origin) && !strings.ContainsRune(origin, '+') &&
		strings.IndexFunc(origin, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) < 0
}
