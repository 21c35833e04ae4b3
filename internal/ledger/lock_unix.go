//go:build unix

package ledger

import (
	"os"
	"syscall"
)

// lock keeps other processes from writing the folder that f is in, until f is
// closed or the process ends.
func lock(f *os.File) error {
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return ErrInUse
	}
	return nil
}
