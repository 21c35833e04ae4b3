//go:build !linux

package httpkit

import "time"

// sleep is as exact as the runtime's timers.
func sleep(d time.Duration) { time.Sleep(d) }
