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
}

func newFiles(limit int) *files {
	return &files{limit: limit, kept: make(map[string]*list.Element), order: list.New()}
}

func (fs *files) open(sha, path string) (*File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if e, ok := fs.kept[sha]; ok {
		fs.order.MoveToFront(e)
		h := e.Value.(*handle)
		h.uses++
		return &File{files: fs, handle: h}, nil
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
		return h.file.Close()
	}
	return nil
}

func (fs *files) release(h *handle) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	h.uses--
	if h.uses == 0 && !h.kept {
		return h.file.Close()
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
