package reshare

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	format "github.com/forewarn-exchange/forewarn/internal/format/marking"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// maxCopied is how many objects a copy holds at most: it is made in memory.
const maxCopied = 10_000

// Copy is what was granted, in a form that travels: a STIX bundle whose objects
// bear the permission as a marking, or, of what is not STIX, a file that stands
// beside it and says the same.
type Copy struct {
	Filename  string
	MediaType string
	Body      []byte
}

// Copy makes the copy for who asked, of what the actor may have now: who lost
// the item gets none.
//
// Errors: exchange.NotFound for whoever takes no part in the request or does not
// have the item, Denied for an originator or who runs the program, Conflict when
// nothing is in force, Exhausted for more than 10,000 objects.
func (s *Service) Copy(ctx context.Context, a exchange.Actor, id ID) (Copy, error) {
	v, err := s.Read(ctx, a, id)
	if err != nil {
		return Copy{}, err
	}
	switch {
	case !v.Mine || !asks(a):
		return Copy{}, exchange.Fail(exchange.Denied, "the copy is for who asked")
	case v.Kind != Reshare || !v.InForce:
		return Copy{}, exchange.Fail(exchange.Conflict, "nothing of this request is in force; there is no copy to pass on")
	}
	held, err := s.c.Items.Held(ctx, a, v.Program, v.Item())
	if err != nil {
		return Copy{}, err
	}
	r := v.Request
	r.TLP = held.TLP
	text := r.Permission(v.name)
	if r.Object.ID == "" && held.Artifact.Kind != exchange.ArtifactSTIX {
		return beside(r, held, text)
	}
	raws, err := s.c.Items.Objects(ctx, a, r.Program, r.Item(), maxCopied)
	if err != nil {
		return Copy{}, err
	}
	m, err := s.marking(r, held.Shown, text)
	if err != nil {
		return Copy{}, err
	}
	body, _, err := m.bundle(raws, true)
	return Copy{Filename: string(r.ID) + ".json", MediaType: "application/stix+json;version=2.1", Body: body}, err
}

func (v View) name(o exchange.OrgID) string {
	if n := v.Names[o]; n != "" {
		return n + " (" + string(o) + ")"
	}
	return string(o)
}

// beside is the permission for a file that cannot carry it.
func beside(r Request, held Held, text string) (Copy, error) {
	body, err := json.MarshalIndent(struct {
		Reshare    ID               `json:"reshare"`
		Permission string           `json:"permission"`
		Artifact   string           `json:"artifact"`
		Title      string           `json:"title"`
		SHA256     string           `json:"sha256,omitempty"`
		TLP        string           `json:"tlp"`
		By         exchange.OrgID   `json:"by"`
		To         []exchange.OrgID `json:"to,omitempty"`
		Outside    []string         `json:"outside,omitempty"`
		Until      time.Time        `json:"until"`
		Conditions []string         `json:"conditions,omitempty"`
	}{
		r.ID, text, string(r.Artifact), r.Title, held.Artifact.SHA256, r.TLP.String(), r.By, r.To, r.Outside, r.End().UTC(), r.Conditions(),
	}, "", "  ")
	if err != nil {
		return Copy{}, fmt.Errorf("writing a permission: %w", err)
	}
	return Copy{Filename: string(r.ID) + ".permission.json", MediaType: "application/json", Body: append(body, '\n')}, nil
}

// bundle is the copy that is given through the exchange: the objects, and the
// permission that they bear. It names nobody but by short name.
func (s *Service) bundle(r Request, h exchange.Handling, raws [][]byte) ([]byte, []CopyObject, error) {
	m, err := s.marking(r, h, r.Permission(func(o exchange.OrgID) string { return string(o) }))
	if err != nil {
		return nil, nil, err
	}
	return m.bundle(raws, false)
}

// marking marks copies: it gives them identifiers of their own, because only
// the creator of a STIX object may make a version of it (STIX 2.1 §3.6), and
// puts the permission in place of their markings: it says all that they ask, but
// for readers whom the originators named. The identifiers follow from the
// exchange, the request and the original, so that every copy of one grant is
// the same.
type marking struct {
	r       Request
	text    string         // for people
	own     jsontext.Value // the extension of this exchange
	space   uuid.UUID
	by      string            // the exchange's identity
	id      string            // of the marking definition
	name    string            // of the exchange
	renamed map[string]string // originals to copies
}

func (s *Service) marking(r Request, h exchange.Handling, text string) (*marking, error) {
	if r.TLP == exchange.TLPUnset { // it is never taken for CLEAR
		r.TLP = exchange.TLPRed
	}
	h = r.permitted(h, text)
	own, err := format.Write(h)
	if err != nil {
		return nil, fmt.Errorf("marking a copy: %w", err)
	}
	space := uuid.NewSHA1(uuid.NameSpaceURL, []byte(s.c.URL))
	m := &marking{r: r, text: h.Statement, own: own, space: space, name: s.c.Name, renamed: map[string]string{}}
	m.by = s.identity()
	m.id = m.derived("marking-definition--")
	return m, nil
}

// identity is the identifier of the exchange as the creator of copies.
func (s *Service) identity() string {
	return "identity--" + uuid.NewSHA1(uuid.NewSHA1(uuid.NameSpaceURL, []byte(s.c.URL)), []byte("exchange")).String()
}

// permitted is the handling of a copy of what is under h: all that h asks, but
// that who asked and whom it named are its readers, in place of every allow-list
// and until the permission ends. The cohorts that h excludes are left out: they
// mean something in the one program alone, and its originators named the readers.
func (r Request) permitted(h exchange.Handling, text string) exchange.Handling {
	h.TLP = max(h.TLP, r.TLP)
	h.Organisations = append(slices.Clone(r.To), r.By)
	h.Groups, h.Sectors, h.Also, h.NotCohorts, h.References = nil, nil, nil, nil, nil
	h.Persons = slices.DeleteFunc(slices.Clone(h.Persons), func(p exchange.PersonID) bool { return p == exchange.Nobody })
	if h.From = (time.Time{}); h.Expires.IsZero() || r.End().Before(h.Expires) {
		h.Expires = r.End()
	}
	if h.Attribution == exchange.AttributionConflict {
		h.Attribution = exchange.AttributionMustNot
	}
	h.Statement = strings.TrimSpace(text + "\n" + h.Statement)
	return h.Join(exchange.Handling{}) // lists sorted, each name once
}

// derived is the identifier of the copy of an object.
func (m *marking) derived(id string) string {
	kind, _, _ := strings.Cut(id, "--")
	return kind + "--" + uuid.NewSHA1(m.space, []byte(string(m.r.ID)+" "+id)).String()
}

// bundle writes the copies into one bundle. whole adds what a reader outside
// the exchange needs to understand it: the exchange's identity and the
// definition of the label.
func (m *marking) bundle(raws [][]byte, whole bool) ([]byte, []CopyObject, error) {
	all := make([][]member, len(raws))
	for i, raw := range raws {
		ms, err := members(raw)
		if err != nil {
			return nil, nil, err
		}
		all[i] = ms
		if id := text(ms, "id"); text(ms, "type") != "marking-definition" {
			m.renamed[id] = m.derived(id)
		}
	}
	var b bytes.Buffer
	b.WriteString(`{"type":"bundle","id":"` + m.derived("bundle--") + `","objects":[`)
	var objs []CopyObject
	seen := map[string]bool{}
	put := func(raw []byte, id, kind string, version int64) {
		if seen[id] && version == 0 {
			return
		}
		if seen[id] = true; b.Bytes()[b.Len()-1] != '[' {
			b.WriteString(",\n")
		}
		objs = append(objs, CopyObject{ID: id, Type: kind, Version: version, Offset: int64(b.Len()), Length: int64(len(raw))})
		b.Write(raw)
	}
	put(m.definition(), m.id, "marking-definition", m.r.AskedAt.UnixMilli()*1000)
	if whole {
		put(m.identity(), m.by, "identity", 0)
		put([]byte(tlpDefinition(m.r.TLP)), tlpID(m.r.TLP), "marking-definition", 0)
	}
	for _, ms := range all {
		kind := text(ms, "type")
		if kind == "marking-definition" {
			raw, err := join(ms)
			if err != nil {
				return nil, nil, err
			}
			put(raw, text(ms, "id"), kind, 0)
			continue
		}
		raw, id, err := m.copied(ms)
		if err != nil {
			return nil, nil, err
		}
		put(raw, id, kind, version(ms))
	}
	b.WriteString("]}\n")
	return b.Bytes(), objs, nil
}

// version is an object's as TAXII 2.1 §3.4 defines it, Unix microseconds.
func version(ms []member) int64 {
	for _, name := range [2]string{"modified", "created"} {
		if t, err := time.Parse(time.RFC3339, text(ms, name)); err == nil {
			return t.UnixMicro()
		}
	}
	return 0
}

// copied is one object as a copy.
func (m *marking) copied(ms []member) (raw []byte, id string, err error) {
	id = m.renamed[text(ms, "id")]
	domain := text(ms, "created") != "" // what was observed has no creator and no references
	out := make([]member, 0, len(ms)+3)
	for _, e := range ms {
		switch e.name {
		case "id", "created_by_ref", "object_marking_refs", "external_references":
			continue
		case "granular_markings":
			if e.value = languages(e.value); e.value == nil {
				continue
			}
		}
		out = append(out, member{e.name, m.rewritten(e.name, e.value)})
	}
	add := func(name string, v any) {
		b, failed := json.Marshal(v)
		if failed != nil && err == nil {
			err = fmt.Errorf("marking a copy: %w", failed)
		}
		out = append(out, member{name, b})
	}
	add("id", id)
	add("object_marking_refs", []string{m.id, tlpID(m.r.TLP)})
	if domain {
		add("created_by_ref", m.by)
		var refs []json.RawMessage
		if old := value(ms, "external_references"); old != nil {
			if err := json.Unmarshal(old, &refs); err != nil {
				return nil, "", fmt.Errorf("reading the references of an object: %w", err)
			}
		}
		refs = append(refs, json.RawMessage(`{"source_name":"forewarn-reshare","external_id":"`+string(m.r.ID)+`"}`))
		add("external_references", refs)
	} else if old := value(ms, "external_references"); old != nil {
		out = append(out, member{"external_references", old})
	}
	if err != nil {
		return nil, "", err
	}
	raw, err = join(out)
	return raw, id, err
}

// languages are the granular markings that say a language and ask nothing; nil:
// there are none.
func languages(v json.RawMessage) json.RawMessage {
	var all, out []json.RawMessage
	_ = json.Unmarshal(v, &all) // no list: none
	for _, g := range all {
		var said struct {
			Lang any `json:"lang"`
			Ref  any `json:"marking_ref"`
		}
		if json.Unmarshal(g, &said) == nil && said.Lang != nil && said.Ref == nil {
			out = append(out, g)
		}
	}
	if len(out) == 0 {
		return nil
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil
	}
	return b
}

// rewritten is a value in which what refers to an original refers to its copy,
// where that stands in the bundle.
func (m *marking) rewritten(name string, v json.RawMessage) json.RawMessage {
	v = bytes.TrimSpace(v)
	if len(v) == 0 {
		return v
	}
	switch {
	case v[0] == '"' && strings.HasSuffix(name, "_ref"):
		var id string
		if json.Unmarshal(v, &id) == nil && m.renamed[id] != "" {
			return json.RawMessage(`"` + m.renamed[id] + `"`)
		}
	case v[0] == '[':
		var all []json.RawMessage
		if json.Unmarshal(v, &all) != nil {
			return v
		}
		for i := range all {
			all[i] = m.rewritten(strings.TrimSuffix(name, "s"), all[i])
		}
		if b, err := json.Marshal(all); err == nil {
			return b
		}
	case v[0] == '{':
		ms, err := members(v)
		if err != nil {
			return v
		}
		for i := range ms {
			ms[i].value = m.rewritten(ms[i].name, ms[i].value)
		}
		if b, err := join(ms); err == nil {
			return b
		}
	}
	return v
}

// definition is the permission as a marking definition: the extension for
// machines, and its statement once more for those that do not know it.
func (m *marking) definition() []byte {
	return object(
		"type", "marking-definition", "spec_version", "2.1", "id", m.id, "created", stamp(m.r.AskedAt), "created_by_ref", m.by,
		"name", "Permission "+string(m.r.ID), "definition_type", "statement", "definition", map[string]string{"statement": m.text},
		"external_references", []map[string]string{{"source_name": "forewarn-reshare", "external_id": string(m.r.ID)}},
		"extensions", map[string]json.RawMessage{format.Extension: json.RawMessage(m.own)},
	)
}

// identity is the exchange as a STIX object: the creator of copies.
func (m *marking) identity() []byte {
	const begun = "2026-01-01T00:00:00.000Z"
	return object("type", "identity", "spec_version", "2.1", "id", m.by, "created", begun, "modified", begun, "name", m.name, "identity_class", "system")
}

// stamp is a STIX timestamp.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// object writes an object of names and values, in their order.
func object(pairs ...any) []byte {
	var ms []member
	for i := 0; i < len(pairs); i += 2 {
		v, err := json.Marshal(pairs[i+1])
		if err != nil { // texts, and maps of texts
			panic(err)
		}
		ms = append(ms, member{pairs[i].(string), v})
	}
	b, err := join(ms)
	if err != nil {
		panic(err)
	}
	return b
}

// tlpID is the marking definition of a TLP 2.0 label; it is not predefined in
// STIX 2.1 and has to travel.
func tlpID(l exchange.TLP) string {
	ids := map[exchange.TLP]string{
		exchange.TLPClear: "94868c89-83c2-464b-929b-a1a8aa3c8487", exchange.TLPGreen: "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
		exchange.TLPAmber: "55d920b0-5e8b-4f79-9ee9-91f868d9b421", exchange.TLPAmberStrict: "939a9414-2ddd-4d32-a0cd-375ea402b003",
		exchange.TLPRed: "e828b379-4e03-4974-9ac4-e53a884c97c1",
	}
	id := "marking-definition--" + ids[l]
	if got, ok := stix.TLPOf(id); !ok || got != l {
		panic("reshare: no marking definition of " + l.String())
	}
	return id
}

func tlpDefinition(l exchange.TLP) string {
	const extension = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
	word := strings.ToLower(strings.TrimPrefix(l.String(), "TLP:"))
	return `{"type":"marking-definition","spec_version":"2.1","id":"` + tlpID(l) + `","created":"2022-10-01T00:00:00.000Z","name":"` + l.String() +
		`","extensions":{"` + extension + `":{"extension_type":"property-extension","tlp_2_0":"` + word + `"}}}`
}

// member is one name of a JSON object with its value as it stands.
type member struct {
	name  string
	value json.RawMessage
}

func members(raw []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("reading an object to be copied: no JSON object: %w", err)
	}
	var out []member
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("reading an object to be copied: %w", err)
		}
		m := member{name: t.(string)}
		if err := d.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("reading an object to be copied: %w", err)
		}
		out = append(out, m)
	}
	return out, nil
}

func join(ms []member) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range ms {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, fmt.Errorf("writing a copy: %w", err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func value(ms []member, name string) json.RawMessage {
	for _, m := range ms {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func text(ms []member, name string) string {
	var s string
	_ = json.Unmarshal(value(ms, name), &s) // no text: empty
	return s
}
