package stix

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/format/stix/spec"
)

// settle lets fall what depends on what is withheld, and says which property is
// missing when nothing can be given then.
func (c *redactor) settle() (why string) {
	if c.table.Name == "marking-definition" || c.table.Name == "extension-definition" {
		return "a " + c.table.Name + " is given whole or not at all"
	}
	for _, name := range [...]string{"type", "id", "spec_version", "created", "modified"} {
		if k := c.top.any(name); k != nil && k.gone {
			return name
		}
	}
	// Without these, what stays says something else than it did.
	for _, name := range [...]string{"revoked", "defanged"} {
		if k := c.top.any(name); k != nil && k.gone && string(c.raw[k.at:k.end]) == "true" {
			return name
		}
	}
	c.members(&c.top, c.table)
	c.observables()
	if k := c.top.any("name"); c.table.Name == "malware" && k != nil && k.gone && c.is("is_family", "true") {
		return "name"
	}
	if why = c.broken(&c.top, c.table); why != "" {
		return why
	}
	c.granular()
	return ""
}

// is reports whether a property of the object is the literal.
func (c *redactor) is(name, literal string) bool {
	k := c.top.kid(name)
	return k != nil && string(c.raw[k.at:k.end]) == literal
}

// fall settles a value; t is its table, nil where no table describes it.
func (c *redactor) fall(n *node, t *spec.Table) {
	if n.gone || !n.touched {
		return
	}
	c.members(n, t)
	n.gone = len(n.kids) > 0 && n.alive() == 0 || t != nil && c.raw[n.at] == '{' && c.broken(n, t) != ""
}

// members settles the members or elements of a value.
func (c *redactor) members(n *node, t *spec.Table) {
	for i := range n.kids {
		k := &n.kids[i]
		if k.gone || !k.touched {
			continue
		}
		p := -1
		if t != nil && k.name != nil {
			p = t.Find(k.name)
		}
		kind := spec.Any
		if p >= 0 {
			kind = t.Props[p].Kind
		}
		switch kind {
		case spec.Embedded:
			c.embedded(k, &t.Props[p])
		case spec.Extensions:
			c.extensions(k, t)
		case spec.Container:
			c.container(k)
		case spec.Granular: // follows when all else is known
		default:
			c.fall(k, nil)
		}
	}
}

// embedded settles an object in the object, or a list of these.
func (c *redactor) embedded(n *node, p *spec.Prop) {
	if !p.List {
		c.fall(n, p.Sub)
		return
	}
	for i := range n.kids {
		c.fall(&n.kids[i], p.Sub)
	}
	n.gone = n.alive() == 0
}

// extensions settles extensions (§7.3): one by a definition needs its
// extension_type.
func (c *redactor) extensions(n *node, t *spec.Table) {
	for i := range n.kids {
		k := &n.kids[i]
		if kind := k.any("extension_type"); kind != nil && kind.gone && bytes.HasPrefix(k.name, []byte("extension-definition--")) {
			k.gone = true
		}
		c.fall(k, t.Extension(k.name))
	}
	n.gone = n.alive() == 0
}

// container settles the deprecated container of observables (§2.13): each needs
// its type, and may only refer to what is still there.
func (c *redactor) container(n *node) {
	for i := range n.kids {
		c.fall(&n.kids[i], nil)
	}
	for again := true; again; {
		again = false
		for i := range n.kids {
			k := &n.kids[i]
			if k.gone || c.raw[k.at] != '{' {
				continue
			}
			fell := c.dangling(n, k)
			if k.kid("type") == nil {
				k.gone, fell = true, true
			}
			again = again || fell
		}
	}
	n.gone = n.alive() == 0
}

// dangling lets fall the references of k to what is gone from the container n.
func (c *redactor) dangling(n, k *node) (fell bool) {
	known := func(v *node) bool {
		text, _ := unquote(c.raw[v.at:v.end], nil)
		return v.text == nil && n.kid(string(text)) != nil
	}
	for i := range k.kids {
		p := &k.kids[i]
		switch {
		case p.gone:
		case bytes.HasSuffix(p.name, []byte("_ref")):
			p.gone = !known(p)
			fell = fell || p.gone
		case bytes.HasSuffix(p.name, []byte("_refs")) && len(p.kids) > 0:
			for j := range p.kids {
				if e := &p.kids[j]; !e.gone && !known(e) {
					e.gone, fell = true, true
				}
			}
			p.gone = p.alive() == 0
		}
	}
	return fell
}

// observables lets object_refs of observed data fall when no observable is left
// among them (§4.14).
func (c *redactor) observables() {
	refs := c.top.kid("object_refs")
	if c.table.Name != "observed-data" || refs == nil || !refs.touched {
		return
	}
	for i := range refs.kids {
		text, _ := unquote(c.raw[refs.kids[i].at:refs.kids[i].end], nil)
		if typ, ok := splitID(text); !refs.kids[i].gone && ok && spec.ClassOf(typ)&(spec.SCO|spec.Custom) != 0 {
			return
		}
	}
	refs.gone = true
}

// broken says which property an object misses that it had and its table asks
// for, after letting fall what may not stand without another.
func (c *redactor) broken(n *node, t *spec.Table) (why string) {
	var before, now uint64
	var at [64]*node
	for i := range n.kids {
		if p := t.Find(n.kids[i].name); p >= 0 {
			before |= 1 << p
			at[p] = &n.kids[i]
			if !n.kids[i].gone {
				now |= 1 << p
			}
		}
	}
	for again := true; again; {
		again = false
		for _, need := range t.Needs {
			if before&^now&(1<<need[1]) != 0 && now&(1<<need[0]) != 0 {
				at[need[0]].gone = true
				now &^= 1 << need[0]
				again = true
			}
		}
	}
	if before == now {
		return ""
	}
	if fell := t.Required & before &^ now; fell != 0 {
		return listed(t, fell)
	}
	choice := func(have uint64) bool {
		for _, s := range t.Any {
			if have&s == s {
				return true
			}
		}
		return len(t.Any) == 0
	}
	anyOwn := func(have uint64) bool {
		return !t.AnyOwn || have&t.Own != 0 || t.Class != 0 && have&(1<<spec.PExtensions) != 0
	}
	besides := func(have uint64) bool { return t.AnyBut == 0 || have&^t.AnyBut != 0 }
	for _, rule := range [...]func(uint64) bool{choice, anyOwn, besides} {
		if rule(before) && !rule(now) {
			return listed(t, before&^now)
		}
	}
	return ""
}

// granular shortens the granular markings by what fell, and follows the items of
// lists to their new places (§7.2.3).
func (c *redactor) granular() {
	list := c.top.kid("granular_markings")
	if list == nil {
		return
	}
	for i := range list.kids {
		m := &list.kids[i]
		selectors := m.kid("selectors")
		if m.gone || selectors == nil || m.kid("marking_ref") == nil && m.kid("lang") == nil {
			m.gone = true
			continue
		}
		for j := range selectors.kids {
			e := &selectors.kids[j]
			text, _ := unquote(c.raw[e.at:e.end], nil)
			to, ok := follow(&c.top, string(text), nil)
			switch {
			case !ok || strings.HasPrefix(to, "granular_markings."):
				e.gone = true
			case to != string(text):
				e.text, _ = jsontext.AppendQuote(nil, to) // the text of a JSON string is valid UTF-8
			}
		}
		m.gone = selectors.alive() == 0
	}
	list.gone = list.alive() == 0
}

// follow is the selector, after what fell, of what a selector selected before.
func follow(n *node, selector string, path []byte) (to string, ok bool) {
	if len(path) > 0 {
		path = append(path, '.')
	}
	if len(n.kids) > 0 && n.kids[0].name == nil {
		part, rest, more := strings.Cut(selector, ".")
		i, ok := listPlace(part)
		if !ok || part[0] != '[' || i >= len(n.kids) || n.kids[i].gone {
			return "", false
		}
		now := 0
		for j := range i {
			if !n.kids[j].gone {
				now++
			}
		}
		path = append(strconv.AppendInt(append(path, '['), int64(now), 10), ']')
		if !more {
			return string(path), true
		}
		return follow(&n.kids[i], rest, path)
	}
	for i := range n.kids {
		k := &n.kids[i]
		rest, ok := strings.CutPrefix(selector, string(k.name))
		if !ok || k.gone || rest != "" && rest[0] != '.' {
			continue
		}
		at := append(path[:len(path):len(path)], k.name...)
		if rest == "" {
			return string(at), true
		}
		if to, ok = follow(k, rest[1:], at); ok {
			return to, true
		}
	}
	return "", false
}
