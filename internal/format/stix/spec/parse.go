package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// source is a table as it is written in this package. A line of props is a
// property, its type and what else the standard says of it:
//
//	required  should  deprecated
//	list            list of the type
//	in=VOCABULARY   of enum and open
//	to=TYPE,@sco    allowed targets of an identifier; @any is every STIX Object
//	soft            the restriction of targets or values is no MUST
//	min=N max=N     of an integer or float
//	of=TABLE        of embedded
//	values=KIND,…   of a dictionary; valuelist: a list of these
//	form=FORM       of a string or timestamp
//
// The lists of names below it are properties of the table, separated by spaces.
type source struct {
	name, section string
	class         Class
	props         string
	any           []string // at least one whole set
	anyOwn        bool
	anyBut        string
	exclude       []string
	needs         []string
	orders        []string // "from to" or "from < to", which is strict
	extensions    []string
	id            []string // ID contributing properties
	requires      string   // common properties required besides those of the class
	unused        string   // common properties not applicable besides those of the class
}

var kinds = map[string]Kind{
	"any": Any, "string": String, "boolean": Bool, "integer": Integer, "float": Float, "timestamp": Time, "hex": Hex, "binary": Binary, "id": ID,
	"identifier": Ref, "enum": Enum, "open": Open, "lang": Lang, "dictionary": Dictionary, "hashes": Hashes, "embedded": Embedded,
	"extensions": Extensions, "markings": Markings, "granular": Granular, "container": Container, "contents": Contents, "reserved": Reserved,
}

var forms = map[string]Form{
	"ipv4": IPv4, "ipv6": IPv6, "mac": MAC, "domain": Domain, "email": Email, "url": URL, "url-should": URLS, "registry": Registry, "phase": Phase,
	"product": Product, "country": Country, "area": Area, "relation": Relation, "priority": Priority, "second": WholeSecond, "millis": Millis,
	"lower": LowerCase, "property": PropertyName, "cpe": CPE, "decoded": Decoded, "charset": Charset, "mime": MIME,
}

var classes = map[string]Class{"@sdo": SDO, "@sro": SRO, "@sco": SCO, "@meta": Meta, "@custom": Custom, "@any": SDO | SRO | SCO | Meta | Custom}

// build makes a table of a source. A mistake in a source is a mistake in this
// package, which the first use of it shows.
func build(s *source, subs map[string]*Table) *Table {
	t := &Table{Name: s.name, Section: "§" + s.section, Class: s.class, AnyOwn: s.anyOwn, Number: -1}
	if s.class != 0 {
		t.add(commonProps, subs)
	}
	common := len(t.Props)
	t.add(s.props, subs)
	if len(t.Props) > 64 {
		panic("spec: " + s.name + " has more than 64 properties")
	}
	for i := range t.Props {
		p := &t.Props[i]
		if i >= common {
			t.Own |= 1 << i
		}
		if p.Required {
			t.Required |= 1 << i
		}
		if p.Should {
			t.Should |= 1 << i
		}
		h := hash([]byte(p.Name))
		t.buckets[h] = append(t.buckets[h], uint8(i))
	}
	t.Required |= t.set(requiredOf[s.class]) | t.set(s.requires)
	t.NotApplicable = t.set(unusedOf[s.class]) | t.set(s.unused)
	for _, names := range s.any {
		t.Any = append(t.Any, t.set(names))
	}
	t.AnyBut = t.set(s.anyBut)
	t.Exclude, t.Needs = t.pairs(s.exclude), t.pairs(s.needs)
	for _, o := range s.orders {
		f := strings.Fields(o)
		t.Orders = append(t.Orders, Order{t.must(f[0]), t.must(f[len(f)-1]), len(f) == 3})
	}
	for _, e := range s.extensions {
		t.Extensions = append(t.Extensions, sub(subs, e))
	}
	for _, names := range s.id {
		t.IDProps = append(t.IDProps, t.places(names))
	}
	return t
}

func sub(subs map[string]*Table, name string) *Table {
	t := subs[name]
	if t == nil {
		panic("spec: no table " + name)
	}
	return t
}

func (t *Table) must(name string) int {
	for i := range t.Props {
		if t.Props[i].Name == name {
			return i
		}
	}
	panic("spec: " + t.Name + " has no property " + name)
}

func (t *Table) places(names string) (at []int) {
	for _, n := range strings.Fields(names) {
		at = append(at, t.must(n))
	}
	return at
}

func (t *Table) set(names string) (s uint64) {
	for _, i := range t.places(names) {
		s |= 1 << i
	}
	return s
}

func (t *Table) pairs(list []string) (out [][2]int) {
	for _, s := range list {
		at := t.places(s)
		out = append(out, [2]int{at[0], at[1]})
	}
	return out
}

func (t *Table) add(props string, subs map[string]*Table) {
	for line := range strings.Lines(props) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		p := Prop{Name: f[0]}
		var ok bool
		if p.Kind, ok = kinds[f[1]]; !ok {
			panic(fmt.Sprintf("spec: %s.%s: no type %s", t.Name, f[0], f[1]))
		}
		for _, w := range f[2:] {
			p.word(w, subs)
		}
		t.Props = append(t.Props, p)
	}
}

func (p *Prop) word(w string, subs map[string]*Table) {
	key, value, _ := strings.Cut(w, "=")
	switch key {
	case "required":
		p.Required = true
	case "should":
		p.Should = true
	case "deprecated":
		p.Deprecated = true
	case "list":
		p.List = true
	case "soft":
		p.Soft = true
	case "in":
		if p.Vocab = vocabularies[value]; p.Vocab == nil {
			panic("spec: no vocabulary " + value)
		}
	case "to":
		for _, to := range strings.Split(value, ",") {
			if c, ok := classes[to]; ok {
				p.Classes |= c
			} else {
				p.Types = append(p.Types, to)
			}
		}
	case "min", "max":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			panic(err)
		}
		if !p.Bounded {
			p.Bounded, p.Min, p.Max = true, -MaxInteger, MaxInteger
		}
		if key == "min" {
			p.Min = n
		} else {
			p.Max = n
		}
	case "of":
		p.Sub = sub(subs, value)
	case "values":
		for _, k := range strings.Split(value, ",") {
			p.Values = append(p.Values, kinds[k])
		}
	case "valuelist":
		p.ValList = true
	case "form":
		if p.Form = forms[value]; p.Form == NoForm {
			panic("spec: no form " + value)
		}
	default:
		panic("spec: what is " + w + "?")
	}
}

// MaxInteger is the largest integer of STIX (§2.10).
const MaxInteger = 1<<53 - 1
