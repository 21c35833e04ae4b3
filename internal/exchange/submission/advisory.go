package submission

import (
	"io"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/csaf"
)

// advisory checks a CSAF document. It is kept whole, as a document.
func (j *job) advisory(b Blob) ([]exchange.Problem, error) {
	doc, problems, err := csaf.Check(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, exchange.InvalidWith("the advisory was not accepted; nothing was stored", problems)
	}
	a := &j.art
	a.MediaType = "application/json"
	a.Title = first(a.Title, titled(doc.Title), a.Filename, "CSAF advisory")
	own := doc.TLP
	if own <= a.Handling.TLP {
		return nil, nil
	}
	// The document's own label may tighten the handling, never loosen it.
	a.Handling.TLP = own
	if ps := a.Handling.Check("handling"); len(ps) > 0 {
		return nil, exchange.InvalidWith("the advisory is labelled "+own.String()+"; nothing was stored", ps)
	}
	return []exchange.Problem{{
		Path: "$.document.distribution.tlp", Code: "handling.raised",
		Message: "the advisory is labelled " + own.String() + ", so that is its label here as well",
	}}, nil
}
