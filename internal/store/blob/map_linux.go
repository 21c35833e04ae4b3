package blob

import (
	"os"
	"syscall"
)

// mapped is the file's bytes in the address space, or nil where that cannot be had.
func mapped(f *os.File, size int64) []byte {
	if size <= 0 || size != int64(int(size)) {
		return nil
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil
	}
	return b
}

func unmap(b []byte) error { return syscall.Munmap(b) }

// letGo takes the bytes out of what counts as this process's memory. They stay
// readable: the system reads them again from the file, or from its cache.
func letGo(b []byte) { _ = syscall.Madvise(b, syscall.MADV_DONTNEED) }
