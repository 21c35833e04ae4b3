package exchange

// IDHash is the number under which a STIX identifier is indexed: FNV-1a of 64
// bits, mixed once more so that its low bits are as good as its high ones. It
// is kept in the store, so it never changes. It is not a secret and not unique:
// whoever looks up by it compares the identifiers as well.
func IDHash(id string) int64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := 0; i < len(id); i++ {
		h = (h ^ uint64(id[i])) * prime
	}
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	h ^= h >> 29
	return int64(h)
}
