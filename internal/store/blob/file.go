package blob

import (
	"container/list"
	"errors"
	"os"
	"sync"
)

// File is an open blob. ReadAt may be called by many goroutines.
type File struct {
	files  *files
	handle *handle
	once   sync.Once
	err    error
}

// ReadAt reads as io.ReaderAt says.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.handle.file.ReadAt(p, off) }

// Bytes is the blob in memory, mapped from its file, or nil where the system
// cannot do that; then ReadAt gives them. n says how many bytes are about to be
// read. The bytes are valid until Close. They never change; where the disk fails
// to give them, the access is a fault (see debug.SetPanicOnFault).
func (f *File) Bytes(n int64) []byte { return f.files.bytes(f.handle, n) }

// Size is the number of bytes.
func (f *File) Size() int64 { return f.handle.size }

// Close ends the use. It may be called again.
func (f *File) Close() error {
	f.once.Do(func() { f.err = f.files.release(f.handle) })
	return f.err
}

// files keeps the files used last open: a page of many small pieces must not
// open a file for each.
type files struct {
	mu    sync.Mutex
	limit int
	read  int64                    // bytes given out of mapped files since they were let go
	kept  map[string]*list.Element // of *handle
	order *list.List               // most recently used first
}

// handle is one open file and its users. It is closed when it is neither kept
// nor used.
type handle struct {
	sha  string
	file *os.File
	size int64
	uses int
	kept bool
	once bool   // an attempt was made to map it
	mem  []byte // nil: it is not mapped
}

// mostMapped is about how much of mapped files may count as this process's memory.
// It is the system's file cache, which it takes back when it needs room. Less costs:
// what was let go is looked up again, a tenth of the time of a page.
const mostMapped = 512 << 20

func (fs *files) bytes(h *handle, n int64) []byte {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if !h.once {
		h.once, h.mem = true, mapped(h.file, h.size)
	}
	if fs.read += n; fs.read > mostMapped {
		fs.read = 0
		for e := fs.order.Front(); e != nil; e = e.Next() {
			if m := e.Value.(*handle).mem; m != nil {
				letGo(m)
			}
		}
	}
	return h.mem
}

// close closes the file of a handle that nobody uses.
func (h *handle) close() error {
	if h.mem != nil {
		return errors.Join(unmap(h.mem), h.file.Close())
	}
	return h.file.Close()
}

func newFiles(limit int) *files {
	return &files{limit: limit, kept: make(map[string]*list.Element), order: list.New()}
}

// reopen returns a file that is kept open, or nil.
func (fs *files) reopen(sha string) *File {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.again(sha)
}

// again is reopen while fs.mu is held.
func (fs *files) again(sha string) *File {
	e, ok := fs.kept[sha]
	if !ok {
		return nil
	}
	fs.order.MoveToFront(e)
	h := e.Value.(*handle)
	h.uses++
	return &File{files: fs, handle: h}
}

func (fs *files) open(sha, path string) (*File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.again(sha); f != nil {
		return f, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	h := &handle{sha: sha, file: f, size: info.Size(), uses: 1, kept: true}
	fs.kept[sha] = fs.order.PushFront(h)
	for fs.order.Len() > fs.limit {
		// Reading a file cannot be spoilt by closing another.
		_ = fs.drop(fs.order.Back())
	}
	return &File{files: fs, handle: h}, nil
}

// drop stops keeping a file; fs.mu is held.
func (fs *files) drop(e *list.Element) error {
	h := fs.order.Remove(e).(*handle)
	delete(fs.kept, h.sha)
	h.kept = false
	if h.uses == 0 {
		return h.close()
	}
	return nil
}

func (fs *files) release(h *handle) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	h.uses--
	if h.uses == 0 && !h.kept {
		return h.close()
	}
	return nil
}

func (fs *files) forget(sha string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if e, ok := fs.kept[sha]; ok {
		_ = fs.drop(e)
	}
}

func (fs *files) close() error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var err error
	for fs.order.Len() > 0 {
		err = errors.Join(err, fs.drop(fs.order.Back()))
	}
	return err
}
