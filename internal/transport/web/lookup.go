package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/lookup"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// maxLookup is how many values a page looks up; programs have the API.
const maxLookup = 1000

// lookupPage is the form. What is asked is sent by POST, so that it stands in no
// address and no log.
func (s *site) lookupPage(v *visit) error {
	return v.show(&page.Lookup{
		Frame: v.frame("Look up"), Empty: page.Empty{Text: "What the exchange knows of your values, as far as you may see it, will be here."},
	})
}

// hows says how a value matches.
var hows = map[string]string{
	"exact": "is", "network": "lies in", "within": "holds", "parent": "is under", "host": "has the host",
}

// lookUp answers the form. The objects on the page are recorded as delivered.
func (s *site) lookUp(v *visit) error {
	p := &page.Lookup{Frame: v.frame("Look up"), Asked: v.r.PostFormValue("values")}
	var values []string
	for line := range strings.Lines(p.Asked) {
		if line = strings.TrimSpace(line); line != "" {
			values = append(values, line)
		}
	}
	switch {
	case len(values) == 0:
		return exchange.Fail(exchange.Invalid, "write at least one value; nothing was looked up")
	case len(values) > maxLookup:
		return exchange.Fail(exchange.Invalid, "this page looks up 1,000 values at most; forewarn lookup and the API take more")
	}
	start := time.Now()
	got, err := s.Lookup.Ask(v.ctx(), v.a, values)
	if err != nil {
		return err
	}
	httpkit.Pace(v.ctx(), start, httpkit.LookupPace(len(values)))
	p.Count = fmt.Sprintf("%d of %s known", len(got.Known), page.Plural(len(values), "value"))
	if got.Next < len(values) {
		p.Notes = append(p.Notes, fmt.Sprintf("The answer is long: the values from line %d on were not looked up.", got.Next+1))
	}
	if !got.Complete {
		p.Notes = append(p.Notes, "Objects that were submitted are still being indexed: more may be known soon.")
	}
	for _, f := range got.Faults {
		p.Notes = append(p.Notes, fmt.Sprintf("Value %d: %s.", f.Index+1, f.Message))
	}
	for _, k := range got.Known {
		line := page.LookedUp{Value: values[k.Index], Kind: k.Value.Kind.String()}
		for _, m := range k.Matches {
			line.Matches = append(line.Matches, v.match(m))
			p.TLP = max(p.TLP, m.Object.TLP)
		}
		if k.Capped {
			p.Notes = append(p.Notes, "There may be more matches for "+line.Value+" than these.")
		}
		p.Values = append(p.Values, line)
	}
	p.Empty = page.Empty{Text: "Nothing that you may see holds any of these values.", Action: "See the library", Href: "/library"}
	return v.show(p)
}

func (v *visit) match(m lookup.Match) page.LookupMatch {
	o := m.Object
	line := page.LookupMatch{
		How: hows[m.How.String()], Found: m.Value, Title: m.Name, Href: objectHref(o.Program, o.ID), Type: o.Type, TLP: o.TLP,
		Release: page.Link{Label: o.Title, Href: "/releases/" + string(o.Release)}, Revoked: m.Revoked,
	}
	if line.Title == "" {
		line.Title = o.ID
	}
	if o.Release == "" {
		line.Release.Href = ""
	}
	if !m.ValidUntil.IsZero() {
		line.Until = v.clock.At(m.ValidUntil)
	}
	return line
}
