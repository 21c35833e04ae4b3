package server

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockFolder keeps a second server away from the same data folder. The lock
// ends with the process, however that ends.
func lockFolder(data string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(data, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the data folder: %w", err)
	}
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		// A server that is just ending gets a moment to let go.
		if time.Since(start) > patience {
			f.Close()
			return nil, fmt.Errorf("the data folder %s is in use by another forewarn process", data)
		}
	}
}

const patience = time.Second
