// Package forewarn holds no code. It is where the module's root tests live: the
// rules of ARCHITECTURE.md (who may import whom, norms of size, texts that may
// not appear) written as tests, so that the house cannot drift from its plan
// unseen. Run them alone with `go test .`.
//
// The program is in cmd/forewarn.
package forewarn
