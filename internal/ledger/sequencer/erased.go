package sequencer

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/verify"
)

// erased reports whether what opens the event's entry was taken away.
func (r Row) erased() bool { return len(r.Body) == 0 && len(r.Salt) == 0 && len(r.Kept) > 0 }

// left says what does not hold of what was left of an event that was erased; "":
// nothing. The organisation is not among what is left.
func left(r Row) string {
	const changed = "what was left of the erased event was changed in the store"
	var o verify.Opening
	if err := o.UnmarshalJSON(r.Kept); err != nil {
		return changed
	}
	if again, err := o.MarshalJSON(); err != nil || !bytes.Equal(again, r.Kept) || o.Event != nil {
		return changed
	}
	if e, err := o.Entry(); err != nil || !bytes.Equal(e, r.Entry) {
		return changed
	}
	shown := map[string]json.RawMessage{}
	for _, p := range o.Parts {
		shown[p.Name] = p.Value
	}
	body, err := json.Marshal(shown)
	if err != nil {
		return changed
	}
	r.Body, r.Columns.Org = body, ""
	return misfiled(r)
}

// erasures are the events that were erased, and of which no event says so yet.
type erasures map[int64]Finding

// note takes an event in. Whoever empties a row in the store cannot enter an event
// that says who erased it, and why.
func (e erasures) note(r Row, f Finding) {
	if r.erased() {
		f.What = "the event was erased, and no event says by whom"
		e[r.Seq] = f
		return
	}
	if r.Columns.Kind != string(exchange.EventOpeningErased) {
		return
	}
	var b struct {
		Erased int64 `json:"d_erased"`
	}
	if json.Unmarshal(r.Body, &b) == nil && b.Erased < r.Seq {
		delete(e, b.Erased)
	}
}

// tell tells of those that are left.
func (e erasures) tell(found func(Finding)) {
	for _, seq := range slices.Sorted(maps.Keys(e)) {
		found(e[seq])
	}
}
