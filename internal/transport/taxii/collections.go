package taxii

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
)

// collectionsResource is §5.1.1: without collections it is an empty object.
type collectionsResource struct {
	Collections []collectionResource `json:"collections,omitempty"`
}

// collectionResource is §5.2.1.
type collectionResource struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Alias       string   `json:"alias,omitempty"`
	CanRead     bool     `json:"can_read"`
	CanWrite    bool     `json:"can_write"`
	MediaTypes  []string `json:"media_types"`
}

func resourceOf(c delivery.Collection) collectionResource {
	return collectionResource{
		ID:          c.ID,
		Title:       cmp.Or(c.Title, string(c.Program)),
		Description: c.Description,
		Alias:       string(c.Program), // serves in the place of the id at every address
		CanRead:     c.CanRead,
		CanWrite:    c.CanWrite,
		MediaTypes:  []string{stixMediaType},
	}
}

// collections is §5.1, GET {api-root}/collections/: those that the reader may
// know of, always in the same order (§3.3).
func (s *server) collections(w http.ResponseWriter, r call) error {
	all, err := s.Source.Collections(r.Context(), r.actor)
	if err != nil {
		return err
	}
	resource := collectionsResource{}
	for _, c := range all {
		resource.Collections = append(resource.Collections, resourceOf(c))
	}
	slices.SortFunc(resource.Collections, func(a, b collectionResource) int {
		return cmp.Or(cmp.Compare(a.Title, b.Title), cmp.Compare(a.ID, b.ID))
	})
	return answer(w, resource)
}

// collection is §5.2, GET {api-root}/collections/{id}/.
func (s *server) collection(w http.ResponseWriter, r call) error {
	c, err := s.known(r)
	if err != nil {
		return err
	}
	return answer(w, resourceOf(c))
}
