package taxii

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
)

// statusResource is §4.3.1. A list is there when it is whole: clients compare
// its length with the count and refuse a status in which they differ. Of more
// failures than a status holds, the first stand in a property of our own (§7.1).
type statusResource struct {
	ID            string         `json:"id"`
	Status        string         `json:"status"`
	Requested     string         `json:"request_timestamp"`
	Total         int            `json:"total_count"`
	Success       int            `json:"success_count"`
	Successes     []statusDetail `json:"successes,omitempty"`
	Failure       int            `json:"failure_count"`
	Failures      []statusDetail `json:"failures,omitempty"`
	Pending       int            `json:"pending_count"`
	Pendings      []statusDetail `json:"pendings,omitempty"`
	FirstFailures []statusDetail `json:"x_forewarn_first_failures,omitempty"`
}

// statusDetail is the status-details type of §4.3.1. It needs a version: for an
// object without one, the moment of the request stands there.
type statusDetail struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Message string `json:"message,omitempty"`
}

func resourceOfStatus(s contribution.Status) statusResource {
	r := statusResource{
		ID: string(s.ID), Status: "pending", Requested: timestamp(s.Requested.UnixMicro()),
		Total: s.Total, Success: s.Success, Failure: s.Failure, Pending: s.Pending,
	}
	if s.Complete {
		r.Status = "complete"
	}
	list := func(details []contribution.Detail) []statusDetail {
		out := make([]statusDetail, 0, len(details))
		for _, d := range details {
			version := r.Requested
			if d.Version != 0 {
				version = string(appendVersion(nil, d.Version))
			}
			out = append(out, statusDetail{d.ID, version, d.Message})
		}
		return out
	}
	if len(s.Successes) == s.Success {
		r.Successes = list(s.Successes)
	}
	if len(s.Pendings) == s.Pending {
		r.Pendings = list(s.Pendings)
	}
	if failures := list(s.Failures); len(failures) == s.Failure {
		r.Failures = failures
	} else {
		r.FirstFailures = failures
	}
	return r
}

// status is §4.3, GET {api-root}/status/{status-id}/: to the organisation that
// made the request, and to nobody else.
func (s *server) status(w http.ResponseWriter, r call) error {
	id := strings.ToLower(r.PathValue("status"))
	if len(id) != 36 || uuid.Validate(id) != nil {
		return exchange.Missing()
	}
	status, err := s.Contributions.Status(r.Context(), r.actor, contribution.StatusID(id))
	if err != nil {
		return err
	}
	return answer(w, resourceOfStatus(status))
}
