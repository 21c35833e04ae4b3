package delivery

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Secrets is where the exchange keeps keys that it made for itself.
type Secrets interface {
	Secret(name string) ([]byte, error) // nil: there is none
	PutSecret(name string, value []byte) error
}

// sources is the key of the names under which originators are shown that must
// not be named.
type sources []byte

// sourcePrefix begins such a name.
const sourcePrefix = "source-"

// of is the name of the organisation in the program: the same each time, so that
// its readers can tell sources apart, another in each program, and not to be
// worked out without the key.
func (k sources) of(program exchange.ProgramID, org exchange.OrgID) exchange.OrgID {
	h := hmac.New(sha256.New, k)
	h.Write([]byte(string(program) + "|" + string(org))) // neither holds a bar
	return exchange.OrgID(sourcePrefix + hex.EncodeToString(h.Sum(nil)[:4]))
}

// sources returns the key. The first use makes it.
func (s *Service) sources(ctx context.Context) (sources, error) {
	s.mu.Lock()
	key := s.key
	s.mu.Unlock()
	if key != nil {
		return key, nil
	}
	read := func(tx Tx) (err error) {
		key, err = tx.Secret("source")
		return err
	}
	if err := s.c.Store.View(ctx, read); err != nil {
		return nil, err
	}
	if key == nil {
		fresh := make([]byte, 32)
		_, _ = rand.Read(fresh)
		err := s.c.Store.Update(ctx, func(tx Tx) error {
			if err := tx.PutSecret("source", fresh); err != nil {
				return err
			}
			return read(tx) // another process may have been first
		})
		if err != nil {
			return nil, fmt.Errorf("making the key of sources: %w", err)
		}
	}
	s.mu.Lock()
	s.key = key
	s.mu.Unlock()
	return key, nil
}

// unnamed reports whether the originator must not be named beside the item, or
// beside another part of the same artifact: who sees both would know.
func unnamed(h exchange.Handling, marks []exchange.HandlingClass) bool {
	mustNot := func(h exchange.Handling) bool { return h.Attribution == exchange.AttributionMustNot }
	return mustNot(h) || slices.ContainsFunc(marks, func(m exchange.HandlingClass) bool {
		return mustNot(m.Handling) || slices.ContainsFunc(m.Fields, func(f exchange.FieldHandling) bool { return mustNot(f.Handling) })
	})
}

// attributed is what the reader is shown as the originators of the artifact, in
// shown: names that stand for them, to all but those who run the program and the
// originators. Those are told under which name it is shown, too.
func (v *view) attributed(art, shown exchange.Artifact) (_ exchange.Artifact, source exchange.OrgID) {
	source = v.sources.of(v.charter.ID, art.Originator)
	if v.r.Owner || v.r.Org != "" && slices.Contains(art.Owners(), v.r.Org) {
		return shown, source
	}
	shown.Originator, shown.SubmittedBy = source, ""
	shown.Originators = nil
	for _, o := range art.Originators {
		shown.Originators = append(shown.Originators, v.sources.of(v.charter.ID, o))
	}
	slices.Sort(shown.Originators)
	return shown, ""
}

// item is the artifact as the reader sees it, with its originators as the reader
// is shown them.
func (v *view) item(k *class, i Item) Item {
	if unnamed(k.item.Handling, k.marks) {
		i.Artifact, i.Source = v.attributed(k.artifact, i.Artifact)
	}
	return i
}

// Source tells an operator of the program which organisation is shown under the
// name. That it was asked is recorded, and the organisation can see it.
func (s *Service) Source(ctx context.Context, a exchange.Actor, program exchange.ProgramID, name string) (exchange.OrgID, error) {
	key, err := s.sources(ctx)
	if err != nil {
		return "", err
	}
	var org exchange.OrgID
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		c, err := tx.Charter(program)
		if err != nil {
			return err
		}
		switch {
		case !oversees(a, c):
			return exchange.Missing()
		case !a.Operates(c.Owner):
			return exchange.Fail(exchange.Denied, "only an operator of the program may ask who a source is; nothing was told")
		}
		members, err := tx.ListMembers(program, "", 0)
		if err != nil {
			return err
		}
		all := []exchange.OrgID{c.Owner}
		for _, m := range members {
			all = append(all, m.Org)
		}
		name := exchange.OrgID(strings.ToLower(strings.TrimSpace(name)))
		i := slices.IndexFunc(all, func(o exchange.OrgID) bool { return key.of(program, o) == name })
		if i < 0 {
			return exchange.Missing()
		}
		org = all[i]
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventSourceNamed, Actor: a, Program: program, Org: org, Subject: []string{string(name)},
		})
		return err
	})
	return org, err
}
