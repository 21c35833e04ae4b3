package record

import (
	"maps"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Kinds are the acts that have words, by name.
func Kinds() []exchange.EventKind { return slices.Sorted(maps.Keys(words)) }
