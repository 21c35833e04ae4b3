package httpkit

import (
	"syscall"
	"time"
)

// sleep blocks the thread, so that it ends when the system says.
func sleep(d time.Duration) {
	for d > 0 {
		var rest syscall.Timespec
		ts := syscall.NsecToTimespec(d.Nanoseconds())
		if syscall.Nanosleep(&ts, &rest) != syscall.EINTR {
			return
		}
		d = time.Duration(rest.Nano())
	}
}
