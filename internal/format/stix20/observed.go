package stix20

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// renamed are the properties of cyber-observable objects that STIX 2.1 calls
// otherwise (Part 4 of STIX 2.0 against §6 of STIX 2.1).
var renamed = map[string]map[string]string{
	"directory":            {"created": "ctime", "modified": "mtime", "accessed": "atime"},
	"file":                 {"created": "ctime", "modified": "mtime", "accessed": "atime"},
	"process":              {"created": "created_time", "binary_ref": "image_ref"},
	"user-account":         {"password_last_changed": "credential_last_changed"},
	"windows-registry-key": {"modified": "modified_time"},
}

// dropped are the properties that STIX 2.1 no longer has. They stay as custom
// properties (§11.1), so that nothing is lost.
var dropped = map[string][]string{
	"file":    {"is_encrypted", "encryption_algorithm", "decryption_key"},
	"process": {"name", "arguments"},
}

// droppedIn is the same for predefined extensions.
var droppedIn = map[string][]string{
	"archive-ext":      {"version"},
	"raster-image-ext": {"image_compression_algorithm"},
	"socket-ext":       {"protocol_family"},
}

// custom begins the names of what is kept of STIX 2.0 alone.
const custom = "x_stix20_"

// observed takes the observables out of observed-data: each becomes an object
// of its own, and object_refs names them.
func (l *lifter) observed(o *record) {
	inside, ok := parse(o.value("objects"))
	if !ok || len(inside.members) == 0 || o.has("object_refs") {
		return
	}
	parent, _ := o.text("id")
	g := graph{l: l, parent: parent, items: map[string]*observable{}}
	for _, m := range inside.members {
		r, ok := parse(m.value)
		if !ok {
			return // not observables: what is wrong is for the check to say
		}
		g.items[m.name] = &observable{record: r}
		g.keys = append(g.keys, m.name)
	}
	var refs []string
	listed := map[string]bool{}
	for _, key := range g.keys {
		if id := g.id(key, 0); !listed[id] {
			listed[id] = true
			refs = append(refs, id)
		}
	}
	for _, key := range g.keys {
		l.observable(g.items[key])
	}
	o.drop("objects")
	o.set("object_refs", listOf(refs))
	l.changed(".objects", "%d observables became objects of their own, named in object_refs", len(g.keys))
}

// graph is the observables of one observed-data, which refer to each other by
// their keys.
type graph struct {
	l      *lifter
	parent string // the observed-data
	keys   []string
	items  map[string]*observable
}

type observable struct {
	*record
	id    string
	begun bool // to be lifted
}

// maxChain bounds how far references are followed for the sake of an
// identifier, and maxDepth how deep in an object they are looked for.
const (
	maxChain = 1000
	maxDepth = 64
)

// id lifts the observable, after those that it refers to, since an identifier
// may be made of theirs, and returns its identifier.
func (g *graph) id(key string, chain int) string {
	v := g.items[key]
	typ, _ := v.text("type")
	stable := typ + "--" + uuid.NewSHA1(namespace, []byte(g.parent+"\n"+key)).String()
	if v.id == "" && (v.begun || chain >= maxChain) { // they refer to each other in a circle, or in a very long row
		v.id = stable
	}
	if v.begun || chain >= maxChain {
		return v.id
	}
	v.begun = true
	g.lift(v.record, typ, key)
	g.resolve(v.record, chain+1, 0)
	if v.id == "" && g.l.opt.ID != nil {
		v.id = g.l.opt.ID(v.bytes())
	}
	if v.id == "" || g.l.taken(v) {
		v.id = stable
	}
	v.insert("type", "spec_version", jsontext.Value(`"2.1"`))
	v.insert("spec_version", "id", quote(v.id))
	return v.id
}

// taken reports whether another observable bears the identifier and says
// something else: the same address, say, once with and once without what it
// resolves to.
func (l *lifter) taken(v *observable) bool {
	sum := sha256.Sum256(v.bytes())
	before, ok := l.said[v.id]
	if !ok {
		l.said[v.id] = said{sum: sum}
	}
	return ok && before.sum != sum
}

// said is what an observable with a deterministic identifier says, and whether
// it was written.
type said struct {
	sum     [sha256.Size]byte
	written bool
}

// observable writes an observable, once.
func (l *lifter) observable(v *observable) {
	if before, ok := l.said[v.id]; ok {
		if before.written {
			return
		}
		before.written = true
		l.said[v.id] = before
	}
	l.write(v.bytes())
	l.report.Observables++
}

// namespace makes identifiers of observables that have no deterministic one: of
// the observed-data that they stood in, and their place in it. The same input
// gives the same output.
var namespace = uuid.MustParse("0b6f0f0e-6d53-5f5c-8e0b-7f6f2f1f6a20")

// lift changes what is named otherwise in STIX 2.1.
func (g *graph) lift(o *record, typ, key string) {
	at := ".objects[" + string(quote(key)) + "]"
	for _, from := range names(renamed[typ]) {
		if o.rename(from, renamed[typ][from]) {
			g.l.changed(at+"."+from, "became %s", renamed[typ][from])
		}
	}
	for _, name := range dropped[typ] {
		if o.rename(name, custom+name) {
			g.l.changed(at+"."+name, "STIX 2.1 has no such property: kept as %s", custom+name)
		}
	}
	if hashes(o) {
		g.l.changed(at+".hashes", "ssdeep is written SSDEEP")
	}
	exts, ok := parse(o.value("extensions"))
	if !ok {
		return
	}
	some := false
	for i := range exts.members {
		m := &exts.members[i]
		e, ok := parse(m.value)
		if !ok {
			continue
		}
		touched := g.extension(e, m.name, at+".extensions["+string(quote(m.name))+"]")
		if touched {
			m.value, some = e.bytes(), true
		}
	}
	if some {
		o.set("extensions", exts.bytes())
	}
}

func (g *graph) extension(e *record, name, at string) (touched bool) {
	for _, p := range droppedIn[name] {
		if e.rename(p, custom+p) {
			touched = true
			g.l.changed(at+"."+p, "STIX 2.1 has no such property: kept as %s", custom+p)
		}
	}
	touched = hashes(e) || touched
	if out, n := eachObject(e.value("sections"), hashes); n > 0 {
		e.set("sections", out)
		touched = true
	}
	if out, n := eachObject(e.value("alternate_data_streams"), hashes); n > 0 {
		e.set("alternate_data_streams", out)
		touched = true
	}
	if header, ok := parse(e.value("optional_header")); ok && hashes(header) {
		e.set("optional_header", header.bytes())
		touched = true
	}
	if touched {
		g.l.changed(at, "hash algorithms and properties are named as in STIX 2.1")
	}
	return touched
}

func names(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// resolve replaces the keys in references, at every depth, by identifiers.
func (g *graph) resolve(o *record, chain, depth int) {
	for i := range o.members {
		m := &o.members[i]
		switch {
		case strings.HasSuffix(m.name, "_ref"):
			if key, ok := text(m.value); ok && g.items[key] != nil {
				m.value = quote(g.id(key, chain))
			}
		case strings.HasSuffix(m.name, "_refs"):
			if keys := o.list(m.name); keys != nil {
				for j, key := range keys {
					if g.items[key] != nil {
						keys[j] = g.id(key, chain)
					}
				}
				m.value = listOf(keys)
			}
		default:
			m.value = g.inside(m.value, chain, depth+1)
		}
	}
}

// inside resolves the references in objects and lists below a property.
func (g *graph) inside(v jsontext.Value, chain, depth int) jsontext.Value {
	if depth > maxDepth || !bytes.Contains(v, []byte("_ref")) {
		return v
	}
	if o, ok := parse(v); ok {
		g.resolve(o, chain, depth)
		return o.bytes()
	}
	if len(v) > 0 && v[0] == '[' {
		out := jsontext.Value{'['}
		for i, e := range elements(v) {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, g.inside(e, chain, depth+1)...)
		}
		return append(out, ']')
	}
	return v
}

// elements are the values of a list.
func elements(v jsontext.Value) (out []jsontext.Value) {
	d := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := d.ReadToken(); err != nil {
		return nil
	}
	for d.PeekKind() != jsontext.KindEndArray {
		e, err := d.ReadValue()
		if err != nil {
			return out
		}
		out = append(out, bytes.Clone(e))
	}
	return out
}
