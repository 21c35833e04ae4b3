package record

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Copies is what is kept of who was given what.
type Copies interface {
	// Copies lists one line for each artifact, organisation and client, those after
	// the cursor, newest first.
	Copies(f CopyFilter) ([]Copy, error)
	// Having lists the organisations, by id, that were given one of the artifacts.
	Having(artifacts []int64) ([]exchange.OrgID, error)
	// HiddenMembers are those of whom the other members do not know.
	HiddenMembers(program exchange.ProgramID) (map[exchange.OrgID]bool, error)
}

// Copy is what one client of an organisation has of one artifact, and how near
// each came to the other: the first time of each kind, zero for what did not
// happen. A line without a client is an organisation that was offered the artifact
// and, as far as is recorded, took nothing.
type Copy struct {
	Artifact     exchange.ArtifactID
	Number       int64
	Org          exchange.OrgID
	OrgName      string
	Client       string // token or person
	ClientName   string // of the token, or login of the person
	Person       bool   // the client is a person
	Offered      time.Time
	Delivered    time.Time
	Downloaded   time.Time
	Opened       time.Time
	Acknowledged time.Time
	Last         time.Time // the latest of these
}

// CopyFilter asks for a page of copies.
type CopyFilter struct {
	Artifacts []int64
	Except    []exchange.OrgID // who handed it in, whose own copy is none
	Only      []exchange.OrgID // empty: of everybody
	After     Place
	Limit     int // 0: all
}

// Place is the place of a line among copies; the zero value is before all.
type Place struct {
	Last   time.Time
	Number int64
	Org    exchange.OrgID
	Client string
}

// PlaceOf is the place of a line.
func PlaceOf(c Copy) Place { return Place{c.Last, c.Number, c.Org, c.Client} }

// Bearers is where an item is, as far as the asker may know.
type Bearers struct {
	Charter   exchange.Charter
	Artifacts []exchange.Artifact // that the item names or is in
	All       bool                // the asker oversees the program
	Own       bool                // the asker's organisation is an originator of each
}

// Version is one artifact in a chain of those that replace each other.
type Version struct {
	Artifact   exchange.ArtifactID
	Title      string
	SHA256     string
	Supersedes exchange.ArtifactID
	At         time.Time // when it was handed in
	Journal    bool      // it holds what one organisation writes, object after object
}

// Holders is who has an item.
type Holders struct {
	Program  exchange.ProgramID
	Versions []Version // oldest first; those that the asker may know of
	// Named says that the asker, an originator or who runs the program, is told who
	// has what. Everybody else is told what the charter lets members see of each other.
	Named  bool
	Copies []Copy // newest first
	// Unnamed are the copies of members that are hidden, for an originator that does
	// not run the program: without organisation and client. They come with the first
	// page, at most MaxUnnamed, newest first.
	Unnamed []Copy
	// Of others than the asker's organisation and the originators, as members see it.
	See   string // exchange.SeeNothing, SeeCounts or SeeNames
	Count string // such as "7" or "fewer than 5"
	Orgs  []exchange.OrgID
}

const (
	maxChain = 100
	// MaxUnnamed is how many copies of hidden members are listed.
	MaxUnnamed = 1000
)

// Holders answers who has an item: an artifact, by its id, or a STIX object, by
// program and id. Those who run the program, and the originators of the item, are
// told of each copy: of the artifact, and of those that it replaces and that
// replace it. Members who may see the item are told what the charter lets them see
// of each other. For everybody else it does not exist. Asking records nothing.
//
// What is recorded is which artifact came to which client. Of what an organisation
// writes object by object the artifact is its journal: a client that has a copy has
// some of it.
func (s *Service) Holders(ctx context.Context, a exchange.Actor, program exchange.ProgramID, item string, after Place, limit int) (Holders, error) {
	if a.Anonymous() {
		return Holders{}, exchange.Missing()
	}
	b, err := s.c.Bearers(ctx, a, program, item)
	if err != nil {
		return Holders{}, err
	}
	h := Holders{Program: b.Charter.ID, Named: b.All || b.Own, See: b.Charter.Visibility.MembersSee}
	err = s.c.Store.View(ctx, func(tx Tx) error {
		arts := b.Artifacts
		if h.Named {
			if arts, err = chain(tx, a, b); err != nil {
				return err
			}
		}
		var numbers []int64
		var owners, handed []exchange.OrgID
		for _, art := range arts {
			numbers, owners, handed = append(numbers, art.Number), append(owners, art.Owners()...), append(handed, art.Originator)
			v := Version{art.ID, art.Title, art.SHA256, art.Supersedes, art.SubmittedAt, art.Kind == exchange.ArtifactJournal}
			if v.Journal {
				v.SHA256 = ""
			}
			if h.Named || !v.Journal {
				h.Versions = append(h.Versions, v)
			}
		}
		if h.Named {
			f := CopyFilter{Artifacts: numbers, Except: handed, After: after, Limit: limit}
			if !b.All {
				return h.originators(tx, a, f)
			}
			h.Copies, err = tx.Copies(f)
			return err
		}
		return h.others(tx, b.Charter, numbers, append(owners, a.Org))
	})
	return h, err
}

// chain is the artifacts with those that they replace and that replace them,
// oldest first: those that the asker may know of.
func chain(tx Tx, a exchange.Actor, b Bearers) ([]exchange.Artifact, error) {
	out := slices.Clone(b.Artifacts)
	for i := 0; i < len(out) && len(out) < maxChain; i++ {
		if out[i].Kind == exchange.ArtifactJournal {
			continue
		}
		all, err := tx.ArtifactsOf(out[i].Release)
		if err != nil {
			return nil, err
		}
		for _, o := range all {
			linked := o.ID == out[i].Supersedes || o.Supersedes == out[i].ID
			known := slices.ContainsFunc(out, func(k exchange.Artifact) bool { return k.ID == o.ID })
			if linked && !known && (b.All || slices.Contains(o.Owners(), a.Org)) {
				out = append(out, o)
			}
		}
	}
	slices.SortFunc(out, func(x, y exchange.Artifact) int { return int(x.Number - y.Number) })
	return out, nil
}

// originators is what an originator that does not run the program is told: that a
// hidden member has the item, and when, but not which member it is.
func (h *Holders) originators(tx Tx, a exchange.Actor, f CopyFilter) error {
	hidden, err := tx.HiddenMembers(h.Program)
	if err != nil {
		return err
	}
	delete(hidden, a.Org)
	ghosts := slices.Sorted(maps.Keys(hidden))
	if len(ghosts) > 0 && f.After == (Place{}) {
		h.Unnamed, err = tx.Copies(CopyFilter{Artifacts: f.Artifacts, Except: f.Except, Only: ghosts, Limit: MaxUnnamed})
		if err != nil {
			return err
		}
	}
	for i := range h.Unnamed {
		c := &h.Unnamed[i]
		c.Org, c.OrgName, c.Client, c.ClientName = "", "", "", ""
	}
	f.Except = slices.Concat(f.Except, ghosts)
	h.Copies, err = tx.Copies(f)
	return err
}

// others is what a member is told of the other members.
func (h *Holders) others(tx Tx, c exchange.Charter, artifacts []int64, except []exchange.OrgID) error {
	if h.See == exchange.SeeNothing {
		return nil
	}
	orgs, err := tx.Having(artifacts)
	if err != nil {
		return err
	}
	hidden, err := tx.HiddenMembers(c.ID)
	if err != nil {
		return err
	}
	orgs = slices.DeleteFunc(orgs, func(o exchange.OrgID) bool { return hidden[o] || slices.Contains(except, o) })
	h.Count = c.Visibility.Count(len(orgs))
	if h.See == exchange.SeeNames {
		h.Orgs = orgs
	}
	return nil
}
