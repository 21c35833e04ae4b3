package reshare

import (
	"bytes"
	"context"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// prepare makes what a grant needs: it asks for each recipient whether the item
// would be given to it, and of a STIX object makes the copy that is given. In
// the copy is nothing that who asked did not have, or that one of the recipients
// may not have.
func (s *Service) prepare(ctx context.Context, r Request) (*prepared, error) {
	p := &prepared{class: r.Object.Marks}
	withheld := slices.Clone(r.Object.Withheld)
	var raw []byte
	for _, org := range r.To {
		b, not, ok, err := s.c.Items.Grantable(ctx, org, r.Number, r.Object, r.Until)
		if err != nil && exchange.KindOf(err) != exchange.NotFound {
			return nil, err
		}
		if err == nil && ok {
			p.allowed, raw = append(p.allowed, org), b
			withheld = append(withheld, not...)
		}
	}
	if r.Object.ID == "" || len(raw) == 0 {
		return p, nil
	}
	ms, err := members(raw)
	if err != nil {
		return nil, err
	}
	original := text(ms, "id")
	red, err := stix.Redact(raw, stix.Redaction{Fields: withheld, By: s.identity()})
	if err != nil {
		return nil, err
	}
	if red.Dropped { // what is left is no object
		p.allowed = nil
		return p, nil
	}
	p.class.Fields = fields(r.Object.Marks.Fields, withheld)
	var h exchange.Handling
	err = s.c.Store.View(ctx, func(tx Tx) error {
		art, err := tx.ArtifactByNumber(r.Number)
		h = under(art.Handling, p.class)
		return err
	})
	if err != nil {
		return nil, err
	}
	body, objs, err := s.bundle(r, h, [][]byte{red.Raw})
	if err != nil {
		return nil, err
	}
	sha, size, err := s.c.Blobs.Write(ctx, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	p.objs = objs
	p.art = exchange.Artifact{
		ID: exchange.ArtifactID(exchange.RandomID("art")), Program: r.Program, Kind: exchange.ArtifactSTIX, Title: "Copy of " + r.Object.ID,
		MediaType: "application/stix+json;version=2.1", SHA256: sha, Size: size, Objects: int64(len(objs)),
		SubmittedBy: exchange.System().Person, Originators: r.Owners, DerivedFrom: []string{original}, Relation: RelationCopy,
	}
	return p, nil
}

// fields are the markings of parts that are not withheld.
func fields(all []exchange.FieldHandling, withheld []string) (out []exchange.FieldHandling) {
	for _, f := range all {
		f.Selectors = slices.DeleteFunc(slices.Clone(f.Selectors), func(s string) bool { return slices.Contains(withheld, s) })
		if len(f.Selectors) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// under is a handling joined with what markings say of an object and of its parts.
func under(h exchange.Handling, c exchange.HandlingClass) exchange.Handling {
	h = h.Join(c.Handling)
	h.TLP = max(h.TLP, c.TLP)
	for _, f := range c.Fields {
		h = h.Join(f.Handling)
	}
	return h
}
