package marking

import (
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Dictionary holds what markings mean. Its zero value is ready.
type Dictionary struct {
	defined  map[string]Meaning
	resolved map[string]exchange.Handling
	bytes    int
}

// What a dictionary holds at most.
const (
	maxDefinitions = 10_000
	maxBytes       = 32 << 20
)

// Define takes a marking-definition in; a marking that is defined more than once
// asks what all its definitions ask. It answers false when the dictionary is full.
func (d *Dictionary) Define(id string, raw []byte, now time.Time) bool {
	old, again := d.defined[id]
	if !again && len(d.defined) >= maxDefinitions || d.bytes+len(raw) > maxBytes {
		return false
	}
	if d.defined == nil {
		d.defined = map[string]Meaning{}
	}
	d.bytes += len(raw)
	m := Of(raw, now)
	if again {
		m = old.Join(m)
	}
	d.defined[id] = m
	return true
}

// Defined reports whether a definition was taken in.
func (d *Dictionary) Defined(id string) bool {
	_, ok := d.defined[id]
	return ok
}

// Settle holds the names in the definitions of refs against what a program knows.
// Ask nothing of them before.
func (d *Dictionary) Settle(n Names, refs []string) error {
	for _, ref := range refs {
		m, ok := d.defined[ref]
		if !ok {
			continue
		}
		m, err := n.Settle(m)
		if err != nil {
			return err
		}
		d.defined[ref] = m
	}
	return nil
}

// Resolve notes what those who run the program have said that a marking asks. It
// counts where nobody understands the marking, beside what is understood of it.
func (d *Dictionary) Resolve(ref string, h exchange.Handling) {
	if d.resolved == nil {
		d.resolved = map[string]exchange.Handling{}
	}
	d.resolved[ref] = h
}

// Of is what a marking means; false: nobody has said.
func (d *Dictionary) Of(ref string) (Meaning, bool) {
	m, ok := d.defined[ref]
	if h, said := d.resolved[ref]; said && (!ok || m.Held) {
		return Meaning{Handling: m.Handling.Join(h)}, true
	}
	return m, ok
}
