package sse

import "sync"

// Bounds of the number of streams.
const (
	Each = 8    // of one credential
	All  = 4096 // of the process
)

// Slots counts open streams. The zero value works.
type Slots struct {
	mu   sync.Mutex
	all  int
	each map[string]int
}

// Take opens a stream of the client, unless it has too many or all have.
func (s *Slots) Take(client string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= All || s.each[client] >= Each {
		return false
	}
	if s.each == nil {
		s.each = map[string]int{}
	}
	s.all++
	s.each[client]++
	return true
}

// Give ends a stream of the client.
func (s *Slots) Give(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.each[client]--; s.each[client] <= 0 {
		delete(s.each, client)
	}
}
