package record

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/covered"
	"github.com/forewarn-exchange/forewarn/verify"
)

// given is what an event says of the objects that it gave, in base 64 without padding.
type given struct {
	Root string `json:"d_objects_root"`
	Salt string `json:"d_objects_salt"`
}

// ObjectProof proves that an object was among those that a disclosure gave, in which
// version, with the root that the event states. A party that is shown the whole event
// asks for any of them, by the identifier under which it was given; an originator for
// its own, by this one or by its own, where a reader was given a copy under another. To
// readers it is not told of which object a copy is. What was not given, and what may not be known, is exchange.NotFound. Where
// the bytes are gone from which the version of one object followed, nothing can be
// proved of that disclosure any more: exchange.Gone.
func (s *Service) ObjectProof(ctx context.Context, actor exchange.Actor, seq int64, object string) (verify.ObjectProof, error) {
	var r Recorded
	var own []bool // nil: all
	err := s.party(ctx, actor, seq, func(tx Tx, of Recorded, shown share) error {
		if r = of; len(r.Covered) == 0 {
			return exchange.Missing()
		}
		if shown.whole {
			own = nil
			return nil
		}
		var err error
		own, err = ownObjects(tx, r.Covered, actor.Org)
		return err
	})
	if err != nil {
		return verify.ObjectProof{}, err
	}
	if s.c.Covered == nil {
		return verify.ObjectProof{}, errors.New("the room was given nothing to list objects with")
	}
	all, of, gone, err := s.c.Covered(ctx, r.Covered)
	if err != nil {
		return verify.ObjectProof{}, err
	}
	at := slices.IndexFunc(all, func(o verify.ObjectVersion) bool { return own == nil && o.ID == object })
	for i := 0; at < 0 && i < len(own) && i < len(all); i++ {
		if own[i] && (all[i].ID == object || of[i] == object) {
			at = i
		}
	}
	if at < 0 {
		return verify.ObjectProof{}, exchange.Missing()
	}
	if len(gone) > 0 {
		return verify.ObjectProof{}, exchange.Fail(exchange.Gone, "some of what was given there was erased since, and its place in the proof went with it; the entry itself can still be proved")
	}
	return proveObject(r, all, at)
}

// ownObjects says of each object that a disclosure gave whether it is in an artifact
// of which the organisation is an owner.
func ownObjects(tx Tx, code []byte, org exchange.OrgID) (own []bool, err error) {
	l, err := covered.Decode(code)
	if err != nil {
		return nil, err
	}
	owns := map[int64]bool{} // by artifact
	for _, r := range l.Runs {
		n := r.First >> 24
		is, known := owns[n]
		if !known {
			a, err := tx.ArtifactByNumber(n)
			if err != nil && exchange.KindOf(err) != exchange.NotFound {
				return nil, err
			}
			is = err == nil && slices.Contains(a.Owners(), org)
			owns[n] = is
		}
		for range r.N {
			own = append(own, is)
		}
	}
	return own, nil
}

func proveObject(r Recorded, all []verify.ObjectVersion, at int) (verify.ObjectProof, error) {
	var g given
	if err := json.Unmarshal(r.Body, &g); err != nil {
		return verify.ObjectProof{}, fmt.Errorf("reading event %d: %w", r.Seq, err)
	}
	raw, err := base64.RawStdEncoding.DecodeString(g.Salt)
	if err != nil || len(raw) != verify.SaltSize {
		return verify.ObjectProof{}, fmt.Errorf("event %d states no salt of its objects", r.Seq)
	}
	salt := [verify.SaltSize]byte(raw)
	if root := verify.ObjectsRoot(salt, all); base64.RawStdEncoding.EncodeToString(root[:]) != g.Root {
		return verify.ObjectProof{}, fmt.Errorf("event %d: what is stored of its objects does not have the root that it states", r.Seq)
	}
	return verify.ProveObject(salt, all, at)
}
