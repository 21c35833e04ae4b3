package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/forewarn-exchange/forewarn/internal/durable"
)

const (
	maxPending  = 1 << 10  // tiles and bundles that wait to be written
	maxCached   = 1 << 8   // of each of the two generations of the cache
	markerEvery = 64 << 10 // entries between two markers
)

// tileKey names a full tile or bundle.
type tileKey struct {
	level int
	n     int64
}

// files writes full tiles and bundles behind the journal, and reads them.
type files struct {
	dir string

	mu      sync.Mutex
	changed sync.Cond
	pending map[tileKey]filled // full and not in their files yet
	queue   []fillings
	closing bool
	failed  error
	old     map[tileKey]filled // the cache, in two generations
	young   map[tileKey]filled

	mending sync.Mutex // held where a single file is made again

	ended  chan struct{}
	next   marking // of the writing goroutine alone
	marked int64   // the size of the marker that was asked for last
}

// marking is files that are to be made durable, and the marker that then holds.
type marking struct {
	paths  []string
	marker position // up to where files are complete; size is a multiple of 256
}

// fillings are what became full with one record, and where that record begins.
type fillings struct {
	full []filled
	at   position
}

func newFiles(dir string) *files {
	f := &files{dir: dir, pending: map[tileKey]filled{}, young: map[tileKey]filled{}, ended: make(chan struct{})}
	f.changed.L = &f.mu
	return f
}

// put hands over what became full with the record at a position. It waits while
// too much is to be written.
func (f *files) put(full []filled, at position) {
	if len(full) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.pending) > maxPending && f.failed == nil {
		f.changed.Wait()
	}
	for _, x := range full {
		f.pending[tileKey{x.level, x.n}] = x
	}
	f.queue = append(f.queue, fillings{full, at})
	f.changed.Broadcast()
}

// run writes what is put, until close. An error ends it, after fail was told.
// Files are made durable beside that, and nothing waits for it.
func (f *files) run(fail func(error)) {
	defer close(f.ended)
	marks, idle := make(chan marking), make(chan struct{})
	defer func() { <-idle }()
	defer close(marks)
	go func() {
		defer close(idle)
		for m := range marks {
			if err := f.mark(m); err != nil {
				fail(err)
			}
		}
	}()
	for {
		f.mu.Lock()
		for len(f.queue) == 0 && !f.closing {
			f.changed.Wait()
		}
		if len(f.queue) == 0 {
			f.mu.Unlock()
			return
		}
		next := f.queue[0]
		f.queue = f.queue[1:]
		f.mu.Unlock()
		err := f.writeAll(next)
		if f.next.marker.size-f.marked >= markerEvery {
			select {
			case marks <- f.next:
				f.next.paths, f.marked = nil, f.next.marker.size
			default: // the last one is not done
			}
		}
		if err != nil {
			f.mu.Lock()
			f.failed = err
			f.changed.Broadcast()
			f.mu.Unlock()
			fail(err)
			return
		}
	}
}

func (f *files) writeAll(next fillings) error {
	for _, x := range next.full {
		if err := f.write(x); err != nil {
			return err
		}
		f.written(x)
		f.advance(x, next.at)
	}
	return nil
}

// advance moves the marker behind what was written. Of one size, the bundle comes
// first, then the tiles; all of them are in the same fillings.
func (f *files) advance(x filled, at position) {
	if x.level == 0 {
		f.next.marker = position{segment: at.segment, offset: at.offset, size: (x.n + 1) * tileWidth, prev: at.prev}
	}
}

// written moves a file from what is pending to the cache.
func (f *files) written(x filled) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.pending, tileKey{x.level, x.n})
	f.keep(x)
	f.changed.Broadcast()
}

// keep puts a file into the cache. f.mu is held.
func (f *files) keep(x filled) {
	if len(f.young) >= maxCached {
		f.old, f.young = f.young, make(map[tileKey]filled, maxCached)
	}
	f.young[tileKey{x.level, x.n}] = x
}

// held answers a tile or bundle from memory.
func (f *files) held(k tileKey) (filled, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range []map[tileKey]filled{f.pending, f.young} {
		if x, ok := m[k]; ok {
			return x, true
		}
	}
	x, ok := f.old[k]
	if ok {
		f.keep(x)
	}
	return x, ok
}

func (x filled) bytes() []byte {
	if x.level == bundleLevel {
		return x.bundle
	}
	return x.tile.bytes(tileWidth)
}

// write writes one file whole or not at all. It is durable with the next marker.
func (f *files) write(x filled) error {
	path := filepath.Join(f.dir, filepath.FromSlash(tilePath(x.level, x.n, 0)))
	b := x.bytes()
	f.next.paths = append(f.next.paths, path)
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, b) {
		return nil
	}
	err := os.WriteFile(path+".tmp", b, 0o640)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o750); err == nil {
			err = os.WriteFile(path+".tmp", b, 0o640)
		}
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return fmt.Errorf("writing a tile: %w", err)
	}
	return nil
}

// mark makes files durable, and then says up to where they are.
func (f *files) mark(m marking) error {
	// All are on their way before the first is waited for: the file system then
	// writes its own journal once and not for each file.
	for _, path := range m.paths {
		if err := startSync(path); err != nil {
			return fmt.Errorf("writing a tile: %w", err)
		}
	}
	dirs := map[string]bool{}
	for _, path := range m.paths {
		if err := syncFile(path); err != nil {
			return fmt.Errorf("writing a tile: %w", err)
		}
		// With it its folders, which may be new.
		for dir := filepath.Dir(path); len(dir) >= len(f.dir) && !dirs[dir]; dir = filepath.Dir(dir) {
			dirs[dir] = true
		}
	}
	for dir := range dirs {
		if err := durable.SyncDir(dir); err != nil {
			return err
		}
	}
	if err := durable.Replace(filepath.Join(f.dir, "tiles"), m.marker.bytes(), 0o640); err != nil {
		return fmt.Errorf("writing the marker of tiles: %w", err)
	}
	return nil
}

func syncFile(path string) error {
	g, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(g.Sync(), g.Close())
}

// close writes what is left. What is not made durable with it is made again from
// the journal.
func (f *files) close() {
	f.mu.Lock()
	f.closing = true
	f.changed.Broadcast()
	f.mu.Unlock()
	<-f.ended
}
