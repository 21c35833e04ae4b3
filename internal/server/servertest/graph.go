package servertest

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// Thing is one object of a Graph. More is properties in JSON, without braces.
type Thing struct {
	ID     string
	More   string
	Label  exchange.TLP              // of the object; unset: that of the artifact
	Grains map[exchange.TLP][]string // selectors of the parts with a label of their own
}

// Graph is a STIX bundle of things. Each has a marking of its own besides its
// label, so that it has a handling class of its own.
func Graph(seed uint64, things ...Thing) io.Reader {
	out := []string{}
	for i, t := range things {
		mark := stixtest.ID("marking-definition", seed, i)
		out = append(out, fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z",`+
			`"definition_type":"statement","definition":{"statement":"one of them"}}`, mark))
		refs := []string{mark}
		if t.Label != exchange.TLPUnset {
			refs = append(refs, stixtest.MarkingID(t.Label))
		}
		typ, _, _ := strings.Cut(t.ID, "--")
		text := fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":%q,"object_marking_refs":["%s"]`, typ, t.ID, strings.Join(refs, `","`))
		if !strings.Contains(t.More, `"value"`) {
			text += `,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z"`
		}
		if t.More != "" {
			text += "," + t.More
		}
		var grains []string
		for l := exchange.TLPClear; l <= exchange.TLPRed; l++ {
			if s := t.Grains[l]; len(s) > 0 {
				grains = append(grains, fmt.Sprintf(`{"marking_ref":%q,"selectors":["%s"]}`, stixtest.MarkingID(l), strings.Join(s, `","`)))
			}
		}
		if len(grains) > 0 {
			text += `,"granular_markings":[` + strings.Join(grains, ",") + "]"
		}
		out = append(out, text+"}")
	}
	return strings.NewReader(`{"type":"bundle","id":"` + stixtest.ID("bundle", seed, -1) + `","objects":[` + strings.Join(out, ",\n") + "]}\n")
}

// Grain has the classes of a graph's things say what their granular markings ask.
func (w *World) Grain(a exchange.Artifact, things ...Thing) {
	w.T.Helper()
	err := w.DB.Update(w.T.Context(), func(tx *sqlstore.Tx) error {
		for _, t := range things {
			objs, err := tx.ObjectsByHash(a.Program, exchange.IDHash(t.ID), nil)
			if err != nil {
				return err
			}
			for _, o := range objs {
				if o.Seq>>24 != a.Number {
					continue
				}
				h, err := tx.HandlingClass(o.Class)
				if err != nil {
					return err
				}
				h.TLP, h.Fields = t.Label, nil
				for l, s := range t.Grains {
					f := exchange.FieldHandling{Selectors: slices.Sorted(slices.Values(s))}
					f.Handling.TLP = l
					h.Fields = append(h.Fields, f)
				}
				if _, err := tx.Exec(`DELETE FROM handling_class WHERE id = ?1`, h.ID); err != nil {
					return err
				}
				if err := tx.PutClasses([]exchange.HandlingClass{h}); err != nil {
					return err
				}
			}
		}
		return tx.BumpGeneration()
	})
	if err != nil {
		w.T.Fatalf("marking parts of objects: %v", err)
	}
}

// Refs lists what an object's bytes refer to, at any depth of lists.
func Refs(raw []byte) []string {
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	var out []string
	for name, v := range m {
		if name == "created_by_ref" || name == "object_marking_refs" {
			continue
		}
		if s, ok := v.(string); ok && strings.HasSuffix(name, "_ref") {
			out = append(out, s)
		}
		if l, ok := v.([]any); ok && strings.HasSuffix(name, "_refs") {
			for _, s := range l {
				out = append(out, fmt.Sprint(s))
			}
		}
	}
	return out
}
