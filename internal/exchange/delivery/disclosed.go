package delivery

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/covered"
	"github.com/forewarn-exchange/forewarn/verify"
)

// disclosure is one act that gives a reader something, as it is recorded: see
// docs/adr/0028.
type disclosure struct {
	kind   exchange.EventKind
	as     exchange.ExposureKind // empty: it names what there is, without content
	v      *view
	arts   []*class // each artifact once
	parts  []part   // what is given, object by object
	detail exchange.Detail
	code   []byte // the objects, as package covered writes them
}

// event is what is recorded of it.
func (d disclosure) event(a exchange.Actor) exchange.Event {
	e := exchange.Event{Kind: d.kind, Actor: a, Detail: maps.Clone(d.detail), Covered: d.code, Program: d.v.charter.ID}
	d.v.edition.AddTo(e.Detail)
	for i, k := range d.arts {
		e.Subject = append(e.Subject, string(k.artifact.ID))
		if i == 0 {
			e.Release = k.artifact.Release
		} else if k.artifact.Release != e.Release {
			e.Release = "" // of several releases: the subjects say which
		}
	}
	return e
}

// content answers the bytes of an entry that is given as it is.
type content func(e Entry) ([]byte, error)

// disclosed says what the parts are. The event states how many objects they are, and
// the Merkle root over the identifier and the version of each, in the order in which
// they are given; and under which handling classes they were decided on. content is
// asked for objects that have no version; nil: they are in the parts, or are not given.
func (v *view) disclosed(kind exchange.EventKind, as exchange.ExposureKind, parts []part, content content) (disclosure, error) {
	d := disclosure{kind: kind, as: as, v: v, arts: artifacts(nil, parts), parts: parts}
	l := lister{list: covered.List{Named: as == ""}, content: content, labels: map[int64]exchange.TLP{}}
	for i := range parts {
		if err := l.add(&parts[i]); err != nil {
			return d, fmt.Errorf("listing what is given: %w", err)
		}
	}
	var salt [verify.SaltSize]byte
	rand.Read(salt[:])
	root := verify.ObjectsRoot(salt, l.all)
	d.code = l.list.Encode()
	d.detail = exchange.Detail{
		"objects": len(l.all), "objects_root": base64.RawStdEncoding.EncodeToString(root[:]),
		"objects_salt": base64.RawStdEncoding.EncodeToString(salt[:]), "handling": l.handling(),
	}
	if as == "" {
		d.detail["manifest"] = true
	}
	return d, nil
}

// labels says of artifacts that are given, or shown, as a whole under which labels
// they were decided on.
func labels(arts []*class) exchange.Detail {
	var all []string
	for _, k := range arts {
		all = append(all, k.decision.TLP.String())
	}
	slices.Sort(all)
	return exchange.Detail{"handling": slices.Compact(all)}
}

// lister makes the list of what is given.
type lister struct {
	all     []verify.ObjectVersion
	list    covered.List
	labels  map[int64]exchange.TLP // by handling class
	content content
}

// mostClassesNamed is how many handling classes an event names. Of more it says how
// many they are under each label.
const mostClassesNamed = 8

func (l *lister) handling() (out []string) {
	if len(l.labels) > mostClassesNamed {
		n := map[exchange.TLP]int{}
		for _, label := range l.labels {
			n[label]++
		}
		for _, label := range slices.Sorted(maps.Keys(n)) {
			out = append(out, fmt.Sprintf("%d classes %s", n[label], label))
		}
		return out
	}
	for _, id := range slices.Sorted(maps.Keys(l.labels)) {
		out = append(out, strconv.FormatInt(id, 10)+" "+l.labels[id].String())
	}
	return out
}

func (l *lister) add(p *part) error {
	class := int64(0)
	for i := range p.len() {
		e := p.entry(i)
		if e.Class != class || i == 0 {
			class = e.Class
			l.labels[class] = p.k.decision.TLP
		}
		o := verify.ObjectVersion{ID: p.id(i)}
		var c *covered.Copy
		var err error
		switch {
		case e.Redacted:
			c, err = l.copy(p, &o, e)
		case e.Version != 0:
			o.Version = verify.VersionAt(e.Version)
		case l.list.Named:
		case p.made != nil:
			o.Version = verify.ContentVersion(p.made)
		case l.content != nil:
			var raw []byte
			if raw, err = l.content(e); err == nil {
				o.Version = contentVersion(raw)
			}
		default:
			err = errors.New("an object without its bytes")
		}
		if err != nil {
			return err
		}
		l.all = append(l.all, o)
		l.list.Add(e.Object, c)
	}
	return nil
}

// contentVersion is the version of bytes that may be mapped.
func contentVersion(raw []byte) string {
	// A disk that fails under mapped bytes ends this page, not the process.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return verify.ContentVersion(raw)
}

// copy lists a redacted copy, which says of itself what it is.
func (l *lister) copy(p *part, o *verify.ObjectVersion, e Entry) (*covered.Copy, error) {
	id, err := uuid.Parse(o.ID[strings.LastIndex(o.ID, "--")+2:])
	if err != nil {
		return nil, fmt.Errorf("a copy without a UUID: %w", err)
	}
	c := &covered.Copy{UUID: id}
	if e.Version != 0 {
		o.Version = verify.VersionAt(e.Version)
	}
	if l.list.Named {
		return c, nil
	}
	own, err := verify.VersionOf(p.made)
	if err != nil || own.Version == o.Version {
		return c, err
	}
	o.Version = own.Version
	if at, err := time.Parse(time.RFC3339Nano, own.Version); err == nil {
		c.Version, c.Micros = covered.At, at.UnixMicro()
		return c, nil
	}
	c.Version, c.Hash = covered.Content, sha256.Sum256(p.made)
	return c, nil
}

// content finds the bytes of entries in those of the page, asked for in its order.
func (p *Page) content() content {
	i, at := 0, margin
	return func(e Entry) ([]byte, error) {
		for ; i < len(p.pieces); i++ {
			c := &p.pieces[i]
			if c.made == nil && c.k.artifact.Number == e.Object>>24 && c.from <= e.Offset && e.Offset+e.Length <= c.to {
				of, from := p.buf, at
				if p.memory != nil {
					of, from = p.memory[i], 0
				}
				from += int(e.Offset - c.from)
				return of[from : from+int(e.Length)], nil
			}
			at += c.size() + 1
		}
		return nil, fmt.Errorf("object %d is not on its page", e.Object)
	}
}
