package delivery

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/covered"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Covered makes the list of what a disclosure gave again, in order: code is the
// Covered of its event, and the list has the root that the event states. gone are the
// places of those objects whose version followed from bytes that are not there any
// more: with one of them nothing can be proved by the list, and the entry of the
// disclosure still verifies. of says of the places where a copy was given which object
// it is of: that is for those whose object it is, and for nobody else. A code that
// cannot be read is an error.
//
// It looks at no right to see anything: who asks has decided that.
func (s *Service) Covered(ctx context.Context, code []byte) (all []verify.ObjectVersion, of map[int]string, gone []int, err error) {
	l, err := covered.Decode(code)
	if err != nil {
		return nil, nil, nil, err
	}
	c := covering{s: s, ctx: ctx, list: l, of: map[int]string{}}
	for _, r := range l.Runs {
		for i := range r.N {
			c.objects = append(c.objects, r.First+i)
		}
	}
	if err := s.c.Store.View(ctx, c.read); err != nil {
		return nil, nil, nil, fmt.Errorf("listing what was given: %w", err)
	}
	for _, r := range l.Runs {
		for i := range r.N {
			c.add(c.entry(r.First+i), r.Copy)
		}
	}
	if err := c.hash(); err != nil {
		return nil, nil, nil, fmt.Errorf("hashing what was given: %w", err)
	}
	return c.all, c.of, c.gone, nil
}

// covering is the making of a list.
type covering struct {
	s       *Service
	ctx     context.Context
	list    covered.List
	objects []int64          // ascending, each once
	es      []Entry          // of objects
	blobs   map[int64]string // by artifact
	hashed  map[int64][]spot // by artifact: what the versions of these places follow from
	all     []verify.ObjectVersion
	of      map[int]string
	gone    []int
}

// spot is where an object stands in the list, and its bytes.
type spot struct {
	at int
	of Range
}

func (c *covering) read(tx Tx) (err error) {
	slices.Sort(c.objects)
	c.objects = slices.Compact(c.objects)
	c.hashed, c.blobs = map[int64][]spot{}, map[int64]string{}
	if c.es, err = tx.EntriesOf(c.objects); err != nil {
		return err
	}
	for _, e := range c.es {
		n := e.Object >> 24
		if c.blobs[n] != "" || e.Version != 0 {
			continue
		}
		art, err := tx.ArtifactByNumber(n)
		if err != nil {
			return err
		}
		c.blobs[n] = art.SHA256
	}
	return nil
}

func (c *covering) entry(object int64) Entry {
	i, _ := slices.BinarySearch(c.objects, object)
	return c.es[i]
}

// add appends one object; of one whose bytes have to be hashed, the version is left out.
func (c *covering) add(e Entry, as *covered.Copy) {
	o := verify.ObjectVersion{ID: e.ID}
	if e.Version != 0 {
		o.Version = verify.VersionAt(e.Version)
	}
	switch {
	case as != nil:
		c.of[len(c.all)] = e.ID
		o.ID = e.Type + "--" + uuid.UUID(as.UUID).String()
		switch as.Version {
		case covered.At:
			o.Version = verify.VersionAt(as.Micros)
		case covered.Content:
			o.Version = "sha256:" + hex.EncodeToString(as.Hash[:])
		}
	case c.list.Named || e.Version != 0:
	case e.Removed:
		c.gone = append(c.gone, len(c.all))
	default:
		n := e.Object >> 24
		c.hashed[n] = append(c.hashed[n], spot{len(c.all), Range{e.Offset, e.Length}})
	}
	c.all = append(c.all, o)
}

// hash fills in the versions that follow from bytes.
func (c *covering) hash() error {
	for n, ps := range c.hashed {
		of := make([]Range, len(ps))
		for i, p := range ps {
			of[i] = p.of
		}
		sums, err := c.s.c.Digest(c.ctx, c.blobs[n], of)
		if err != nil && exchange.KindOf(err) != exchange.NotFound {
			return err
		}
		for i, p := range ps {
			if err != nil {
				c.gone = append(c.gone, p.at)
				continue
			}
			c.all[p.at].Version = "sha256:" + hex.EncodeToString(sums[i][:])
		}
	}
	slices.Sort(c.gone)
	return nil
}
