package record

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Exposure answers who had which artifact of a release when: by time,
// artifact, organisation and client, as it was at f.Until (AT-10). It is for
// those who oversee the program; f.Release is needed.
func (s *Service) Exposure(ctx context.Context, actor exchange.Actor, f ExposureFilter) ([]exchange.Exposure, error) {
	var out []exchange.Exposure
	err := s.c.Store.View(ctx, func(tx Tx) error {
		if err := overseen(tx, actor, f.Release); err != nil {
			return err
		}
		var err error
		out, err = tx.Exposures(f)
		return err
	})
	return out, err
}

// overseen refuses who does not oversee the program of the release.
func overseen(tx Tx, actor exchange.Actor, id exchange.ReleaseID) error {
	r, err := tx.Release(id)
	if err != nil {
		return err
	}
	c, err := tx.Charter(r.Program)
	if err == nil && !(actor.Oversees(c.Owner) && actor.Reaches(c.ID)) {
		return exchange.Missing()
	}
	return err
}

// Leak is what was found outside: artifacts of one release, first seen there
// at Before.
type Leak struct {
	Release   exchange.ReleaseID
	Artifacts []exchange.ArtifactID
	Before    time.Time
	// Offered takes in who could have fetched an artifact but, as far as is
	// recorded, did not.
	Offered bool
}

// Suspect is an organisation that had everything that leaked before it was
// seen outside. It is a lead for people, never a verdict.
type Suspect struct {
	Org     exchange.OrgID
	Clients []string                          // the persons and tokens to which something of it was given
	First   map[exchange.ArtifactID]time.Time // when each artifact first reached the organisation
}

// Suspects answers exactly the organisations that were exposed to all leaked
// artifacts before the leak was first seen (AT-13), by id. Exposed means that
// the artifact was delivered, downloaded or opened; with l.Offered, being
// offered it counts too. It is for those who oversee the program.
func (s *Service) Suspects(ctx context.Context, actor exchange.Actor, l Leak) ([]Suspect, error) {
	var out []Suspect
	err := s.c.Store.View(ctx, func(tx Tx) error {
		if err := overseen(tx, actor, l.Release); err != nil {
			return err
		}
		if err := checkLeak(tx, l); err != nil {
			return err
		}
		var all []exchange.Exposure
		for _, a := range distinct(l.Artifacts) {
			// Not by release as well: an artifact has one, and its own index is narrower.
			some, err := tx.Exposures(ExposureFilter{Artifact: a, Until: l.Before})
			if err != nil {
				return err
			}
			all = append(all, some...)
		}
		out = suspects(all, l)
		return nil
	})
	return out, err
}

func checkLeak(tx Tx, l Leak) error {
	var problems []exchange.Problem
	add := func(path, message string) {
		problems = append(problems, exchange.Problem{Path: path, Message: message})
	}
	if len(l.Artifacts) == 0 {
		add("artifacts", "missing: what was found outside")
	}
	if l.Before.IsZero() {
		add("before", "missing: when it was first seen outside")
	}
	own, err := tx.ArtifactsOf(l.Release)
	if err != nil {
		return err
	}
	for i, id := range l.Artifacts {
		if !slices.ContainsFunc(own, func(a exchange.Artifact) bool { return a.ID == id }) {
			add(fmt.Sprintf("artifacts[%d]", i), "not an artifact of this release")
		}
	}
	if len(problems) > 0 {
		return exchange.InvalidWith("the question cannot be answered", problems)
	}
	return nil
}

// suspects intersects the exposures; pure.
func suspects(all []exchange.Exposure, l Leak) []Suspect {
	byOrg := map[exchange.OrgID]*Suspect{}
	for _, e := range all {
		if !counts(e.Kind, l.Offered) || !e.At.Before(l.Before) {
			continue
		}
		s := byOrg[e.Org]
		if s == nil {
			s = &Suspect{Org: e.Org, First: map[exchange.ArtifactID]time.Time{}}
			byOrg[e.Org] = s
		}
		if first, ok := s.First[e.Artifact]; !ok || e.At.Before(first) {
			s.First[e.Artifact] = e.At
		}
		if e.Client != "" && !slices.Contains(s.Clients, e.Client) {
			s.Clients = append(s.Clients, e.Client)
		}
	}
	needed := len(distinct(l.Artifacts))
	var out []Suspect
	for _, s := range byOrg {
		if len(s.First) == needed {
			slices.Sort(s.Clients)
			out = append(out, *s)
		}
	}
	slices.SortFunc(out, func(a, b Suspect) int { return strings.Compare(string(a.Org), string(b.Org)) })
	return out
}

func counts(k exchange.ExposureKind, offered bool) bool {
	switch k {
	case exchange.ExposureServed, exchange.ExposureDownloaded, exchange.ExposureOpened:
		return true
	case exchange.ExposureOffered:
		return offered
	}
	return false
}

func distinct(ids []exchange.ArtifactID) []exchange.ArtifactID {
	out := slices.Clone(ids)
	slices.Sort(out)
	return slices.Compact(out)
}
