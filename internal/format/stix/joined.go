package stix

import (
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Joined is the strictest label among base and the well-known TLP markings of an
// object, and its other markings, sorted and each once, in others' memory. A
// granular marking tightens the whole object, because nothing is redacted.
func Joined(base exchange.TLP, whole, granular, others []string) (exchange.TLP, []string) {
	others = others[:0]
	for _, refs := range [2][]string{whole, granular} {
		for _, ref := range refs {
			if l, ok := TLPOf(ref); ok {
				base = max(base, l)
			} else {
				others = append(others, ref)
			}
		}
	}
	if len(others) > 1 {
		slices.Sort(others)
		others = slices.Compact(others)
	}
	return base, others
}
