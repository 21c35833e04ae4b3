package taxii

import (
	"net/http"
	"strconv"

	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// errorMessage is §3.6.1.
type errorMessage struct {
	Title       string        `json:"title"`
	Description string        `json:"description,omitempty"`
	ErrorID     string        `json:"error_id,omitempty"` // the request id
	ErrorCode   string        `json:"error_code,omitempty"`
	HTTPStatus  string        `json:"http_status"`
	External    string        `json:"external_details,omitempty"`
	Details     *errorDetails `json:"details,omitempty"`
}

type errorDetails struct {
	Errors []httpkit.Fault `json:"errors"`
}

func (s *server) writeError(w http.ResponseWriter, r *http.Request, f httpkit.Failure) {
	m := errorMessage{
		Title:       f.Title,
		Description: f.Detail,
		ErrorID:     f.RequestID,
		ErrorCode:   f.Slug,
		HTTPStatus:  strconv.Itoa(f.Status),
	}
	if s.URL != "" {
		m.External = s.URL + "/problems/" + f.Slug
	}
	if len(f.Errors) > 0 {
		m.Details = &errorDetails{httpkit.Faults(f.Errors)}
	}
	httpkit.FailureHeaders(w.Header(), f)
	httpkit.WriteJSON(w, f.Status, mediaType, m)
}

// malformed is the answer to a query that the standard calls so (§3.4).
func malformed(text string) error { return httpkit.Fail(http.StatusBadRequest, "%s", text) }
