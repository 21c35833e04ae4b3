package taxii

import (
	"net/http"
	"strings"
)

// discoveryResource is §4.1.1.
type discoveryResource struct {
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Default     string   `json:"default,omitempty"`
	APIRoots    []string `json:"api_roots,omitempty"`
}

// discovery is §4.1, GET /taxii2/. An API root is named by an https address or
// relative to the server; behind plain http, as on loopback, only the second
// is allowed.
func (s *server) discovery(w http.ResponseWriter, _ call) error {
	root := Root
	if strings.HasPrefix(s.URL, "https://") {
		root = s.URL + Root
	}
	return answer(w, discoveryResource{
		Title:       s.title(),
		Description: "One collection for each program that you may know of.",
		Default:     root,
		APIRoots:    []string{root},
	})
}

// title is required, and clients refuse an empty one.
func (s *server) title() string {
	if s.Name == "" {
		return "Forewarn"
	}
	return s.Name
}

// apiRootResource is §4.2.1.
type apiRootResource struct {
	Title            string   `json:"title"`
	Description      string   `json:"description,omitempty"`
	Versions         []string `json:"versions"`
	MaxContentLength int64    `json:"max_content_length"`
}

// apiRoot is §4.2, GET {api-root}/.
func (s *server) apiRoot(w http.ResponseWriter, _ call) error {
	return answer(w, apiRootResource{
		Title:            s.title(),
		Description:      "The programs of this exchange.",
		Versions:         []string{mediaType},
		MaxContentLength: maxContentLength,
	})
}
