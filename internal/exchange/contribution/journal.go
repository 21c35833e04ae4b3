package contribution

import (
	"context"
	"encoding/json"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// handling is the policy of what members write: the program's default, and
// where it has none, AMBER. The markings of an object make it stricter.
func handling(c exchange.Charter) exchange.Handling {
	return c.Handling.Fill(exchange.Handling{TLP: exchange.TLPAmber, PAP: exchange.PAPAmber})
}

// audiences are those who read what members write.
func audiences(c exchange.Charter) (out []exchange.Audience) {
	for _, id := range c.Contributions.To {
		if _, ok := c.Cohort(id); ok {
			out = append(out, exchange.Audience{Cohort: id}, exchange.Audience{Cohort: id, Compelled: true})
		}
	}
	return out
}

// terms names the readers and the handling of a journal. They hold for all of
// it, so that what was given stays given: other ones begin another journal.
func terms(c exchange.Charter) string {
	b, err := json.Marshal(struct {
		To       []exchange.Audience
		Handling exchange.Handling
	}{audiences(c), handling(c)})
	if err != nil { // both are plain data
		return ""
	}
	return string(b)
}

// journal makes sure that the writer has a journal with room for n objects of
// together size bytes. A journal with nothing in it is nothing to anyone.
func (s *Service) journal(ctx context.Context, j *job, f *facts, n, size int64) error {
	old := f.journal
	if old.Artifact != 0 && old.Positions+n <= s.c.Positions && (old.Size == 0 || old.Size+size <= s.c.Journal) &&
		len(f.combos) <= maxClasses {
		return nil
	}
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		w, err := admit(tx, j.actor, j.program)
		if err != nil {
			return err
		}
		f.journal, err = begin(tx, w)
		return err
	})
	if err != nil {
		return err
	}
	count := 0 // all classes are new to it
	for i := range f.combos {
		if f.combos[i].used {
			count++
			f.combos[i].fresh = count
		}
	}
	return nil
}

func begin(tx Tx, w writer) (Journal, error) {
	r, err := Standing(tx, w.charter)
	if err != nil {
		return Journal{}, err
	}
	a := exchange.Artifact{
		ID: exchange.ArtifactID(exchange.RandomID("art")), Release: r.ID, Program: r.Program, Kind: exchange.ArtifactJournal,
		Title: "Contributions", MediaType: "application/stix+json;version=2.1",
		Handling: handling(w.charter), Originator: w.actor.Org, SubmittedBy: w.actor.Person, SubmittedAt: tx.Now(),
	}
	a.SHA256 = "journal-" + string(a.ID)
	if a.Number, err = tx.StageArtifact(a); err != nil {
		return Journal{}, err
	}
	if err := tx.ReadyArtifact(a); err != nil {
		return Journal{}, err
	}
	for _, to := range audiences(w.charter) {
		if _, err := tx.OpenTo(r, to, []exchange.Artifact{a}); err != nil {
			return Journal{}, err
		}
	}
	j := Journal{
		Artifact: a.Number, ID: a.ID, Name: a.SHA256, Release: r.ID, Program: r.Program, Org: w.actor.Org, Terms: terms(w.charter),
	}
	if err := tx.PutJournal(j); err != nil {
		return Journal{}, err
	}
	return j, tx.BumpGeneration()
}

// Standing is the release that holds what members write, and what else no
// release plans. It is public from the beginning, so that no embargo lies on it,
// and never opened to the public.
func Standing(tx Tx, c exchange.Charter) (exchange.Release, error) {
	r, err := tx.StandingRelease(c.ID)
	if exchange.KindOf(err) != exchange.NotFound {
		return r, err
	}
	now := tx.Now()
	r = exchange.Release{
		ID: exchange.ReleaseID(exchange.RandomID("rel")), Program: c.ID, Title: "Contributions", State: exchange.ReleasePublic,
		Plan: exchange.Plan{T0: now}, Revision: 1, Author: exchange.System().Person, CreatedAt: now, PublicAt: now, Standing: true,
	}
	return r, tx.PutRelease(&r)
}
