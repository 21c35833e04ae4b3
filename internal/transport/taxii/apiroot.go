package taxii

import "net/http"

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
