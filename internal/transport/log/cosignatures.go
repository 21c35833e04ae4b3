package log

import (
	"io"
	"net/http"

	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// maxCosigned is the largest signed checkpoint that is read, in bytes.
const maxCosigned = 64 << 10

// receive registers the address at which witnesses that nobody can reach hand in
// what they signed: POST /log/cosignatures, a signed checkpoint with the witness's
// line. Nobody needs an account, because what counts is signed: 204 when it was
// kept, 403 without the log's signature, 404 for another log or where no charter
// names witnesses, 422 for what says nothing, 503 for a size that is not here yet.
func (s *site) receive(mux *http.ServeMux) {
	if s.c.Cosign == nil {
		return
	}
	adapt := httpkit.Adapter{Log: s.c.Log, Body: maxCosigned}
	mux.Handle("POST /log/cosignatures", adapt.Handler(s.cosignatures))
}

func (s *site) cosignatures(w http.ResponseWriter, r *http.Request) error {
	signed, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if err := s.c.Cosign(r.Context(), signed); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
