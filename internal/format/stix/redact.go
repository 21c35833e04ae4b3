package stix

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // UUID version 5 is defined by it
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/format/stix/spec"
)

// Redaction says what is withheld of an object from one reader.
type Redaction struct {
	// Fields are the selectors of the parts that are withheld (STIX 2.1 §7.2.3.1).
	// One that selects nothing in the object withholds nothing.
	Fields []string
	// Ref answers, for an object that is referred to, under which identifier the
	// reader knows it; ok is false when the reference is withheld. nil: all
	// references stay as they are. It is not asked about created_by_ref, nor about
	// markings.
	Ref func(id string) (as string, ok bool)
	// By is the identifier of the identity that makes redacted copies.
	By string
}

// Redacted is an object as one reader has it.
type Redacted struct {
	// ID is that of the copy. It is derived from the object's id, its modified and
	// what is withheld or renamed; that of an observable from what is left of it,
	// because its own id may follow from what is withheld (STIX 2.1 §2.9).
	ID      string
	Raw     []byte // its bytes; the object's own where nothing is withheld
	Changed bool
	Dropped bool   // a required property is withheld: there is nothing to give
	Why     string // which property, when it is dropped
}

// Errors of Redact. They quote nothing of the object.
var (
	ErrNotAnObject = errors.New("this is not one JSON object with the id and type of STIX and each name once")
	ErrSelector    = errors.New("a selector does not have the form of STIX 2.1 §7.2.3.1")
	ErrIdentity    = errors.New("an identifier that stands for another does not have the form or the type of it")
)

// redactNamespace is the namespace of the ids of redacted copies,
// 9a1f6f2e-5b0c-4c57-8f5e-6d1b7a43c2d8.
var redactNamespace = [16]byte{0x9a, 0x1f, 0x6f, 0x2e, 0x5b, 0x0c, 0x4c, 0x57, 0x8f, 0x5e, 0x6d, 0x1b, 0x7a, 0x43, 0xc2, 0xd8}

// Redact makes the copy of an object for one reader. What stays keeps its bytes.
// What depends on a part that falls, falls too: a list or dictionary that is
// empty then, an embedded object without a property that it requires, the
// selectors of granular markings. Without a property that the object requires
// there is no copy. The same object, fields and references give the same bytes.
// raw is not changed; Raw is raw itself where nothing is withheld.
func Redact(raw []byte, r Redaction) (Redacted, error) {
	c := redactor{raw: raw, Redaction: r}
	id, typ := c.names()
	if kind, ok := splitID([]byte(id)); !ok || string(kind) != typ {
		return Redacted{}, ErrNotAnObject
	}
	if err := c.ask(); err != nil {
		return Redacted{}, err
	}
	whole := Redacted{ID: id, Raw: raw}
	if len(r.Fields) == 0 && len(c.refs) == 0 {
		return whole, nil
	}
	v := bytes.Trim(raw, " \n\r\t")
	if !isObject(v) || !jsontext.Value(v).IsValid() {
		return Redacted{}, ErrNotAnObject
	}
	c.top.grow(raw, skipSpace(raw, 0))
	for _, f := range r.Fields {
		if err := c.withhold(f); err != nil {
			return Redacted{}, err
		}
	}
	c.place(&c.top)
	if !c.top.mark() {
		return whole, nil
	}
	c.table = spec.CustomType
	if t := spec.Type([]byte(typ)); t != nil {
		c.table = t
	}
	if why := c.settle(); why != "" {
		return Redacted{Changed: true, Dropped: true, Why: why}, nil
	}
	return c.finish(id, typ), nil
}

// redactor makes one copy.
type redactor struct {
	Redaction
	raw   []byte
	top   node
	table *spec.Table
	refs  map[int]string // by the place of a reference: what it becomes, "" if it is withheld
}

// names reads id and type.
func (c *redactor) names() (id, typ string) {
	if i := skipSpace(c.raw, 0); i == len(c.raw) || c.raw[i] != '{' {
		return "", ""
	}
	cur := inside(c.raw[skipSpace(c.raw, 0):])
	for id == "" || typ == "" {
		name, value, ok := cur.member()
		if !ok {
			break
		}
		if text, _ := unquote(name, nil); isString(value) {
			value, _ = unquote(value, nil)
			switch string(text) {
			case "id":
				id = string(value)
			case "type":
				typ = string(value)
			}
		}
	}
	return id, typ
}

// ask asks about each reference and notes those that change.
func (c *redactor) ask() (err error) {
	if c.By != "" {
		if typ, ok := splitID([]byte(c.By)); !ok || string(typ) != "identity" {
			return ErrIdentity
		}
	}
	if c.Ref == nil {
		return nil
	}
	eachRef(c.raw, func(at int, id []byte) bool {
		as, ok := c.Ref(string(id))
		if ok && as == string(id) {
			return true
		}
		if !ok {
			as = ""
		} else if typ, valid := splitID([]byte(as)); !valid || !strings.HasPrefix(string(id), string(typ)+"--") {
			err = ErrIdentity
			return false
		}
		if c.refs == nil {
			c.refs = make(map[int]string)
		}
		c.refs[at] = as
		return true
	})
	return err
}

// place puts what ask noted into the tree.
func (c *redactor) place(n *node) {
	if as, ok := c.refs[n.at]; ok && len(n.kids) == 0 {
		if as == "" {
			n.gone = true
		} else {
			n.text = []byte(`"` + as + `"`)
		}
	}
	if len(c.refs) == 0 {
		return
	}
	for i := range n.kids {
		c.place(&n.kids[i])
	}
}

// withhold marks what a selector selects.
func (c *redactor) withhold(selector string) error {
	for part := range strings.SplitSeq(selector, ".") {
		if part == "" {
			return ErrSelector
		}
		if part[0] == '[' {
			if _, ok := listPlace(part); !ok {
				return ErrSelector
			}
		}
	}
	selected(&c.top, selector, func(n *node) { n.gone = true })
	return nil
}

// listPlace reads "[n]".
func listPlace(part string) (n int, ok bool) {
	if len(part) < 3 || part[len(part)-1] != ']' {
		return 0, false
	}
	i, ok := listIndex([]byte(part[1 : len(part)-1]))
	return int(i), ok
}

// selected calls do for what a selector selects among the kids of n. A name that
// has a point in it is found as well.
func selected(n *node, selector string, do func(*node)) {
	step := func(k *node, name string) {
		rest, ok := strings.CutPrefix(selector, name)
		switch {
		case ok && rest == "":
			do(k)
		case ok && rest[0] == '.':
			selected(k, rest[1:], do)
		}
	}
	if len(n.kids) > 0 && n.kids[0].name == nil {
		part, _, _ := strings.Cut(selector, ".")
		if i, ok := listPlace(part); ok && part[0] == '[' && i < len(n.kids) {
			step(&n.kids[i], part)
		}
		return
	}
	for i := range n.kids {
		step(&n.kids[i], string(n.kids[i].name))
	}
}

// finish writes the copy under its own id.
func (c *redactor) finish(id, typ string) Redacted {
	extra, versioned := "", c.top.kid("modified") != nil && c.table.Class != spec.SCO
	parts := c.parts(id)
	if c.By != "" && versioned {
		by := `"` + c.By + `"`
		if k := c.top.any("created_by_ref"); k != nil {
			k.gone, k.text = false, []byte(by)
		} else {
			extra = `,"created_by_ref":` + by
		}
	}
	own := c.top.kid("id")
	if !versioned && id[len(id)-22] != '4' {
		own.text = []byte(`"` + typ + `"`)
		c.top.mark()
		left := jsontext.Value(c.top.write(nil, c.raw, extra))
		canon := left.Clone()
		if canon.Canonicalize() == nil {
			left = canon
		}
		parts = []string{string(left)}
	}
	as := typ + "--" + redactID(parts)
	own.text = []byte(`"` + as + `"`)
	c.top.mark()
	return Redacted{ID: as, Raw: c.top.write(nil, c.raw, extra), Changed: true}
}

// parts are what the id of the copy is made of: the id, modified, and in order
// the selectors of what is withheld and what references became.
func (c *redactor) parts(id string) []string {
	modified := ""
	if k := c.top.kid("modified"); k != nil {
		text, _ := unquote(c.raw[k.at:k.end], nil)
		modified = string(text)
	}
	var changes []string
	c.top.each(nil, func(selector []byte, n *node) {
		if !bytes.HasPrefix(selector, []byte("granular_markings.")) {
			as := string(n.text)
			if n.gone {
				as = ""
			}
			changes = append(changes, string(selector)+"="+as)
		}
	})
	slices.Sort(changes)
	return append([]string{id, modified}, changes...)
}

// redactID is the UUID of version 5 of the parts, each with its length.
func redactID(parts []string) string {
	h := sha1.New() //nolint:gosec // see above
	h.Write(redactNamespace[:])
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	sum := h.Sum(nil)
	sum[6], sum[8] = sum[6]&0x0F|0x50, sum[8]&0x3F|0x80
	text := hex.EncodeToString(sum[:16])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
