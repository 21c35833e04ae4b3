package taxii

import "net/http"

// status is §4.3, GET {api-root}/status/{status-id}/. Nothing is added through
// TAXII in this version, so no status exists; §4.3 asks for 404 then.
func (s *server) status(w http.ResponseWriter, r call) error { return nothing(w, r) }
