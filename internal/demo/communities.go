package demo

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// The programs beside Program, in which members write: a community whose
// members write and read, a drop box, and one that is hidden from all but two.
const (
	Community exchange.ProgramID = "sightings"
	DropBox   exchange.ProgramID = "tip-box"
	Circle    exchange.ProgramID = "vetted-circle"
)

var (
	//go:embed sightings.toml
	sightingsTOML string
	//go:embed tip-box.toml
	tipBoxTOML string
	//go:embed vetted-circle.toml
	vettedCircleTOML string
)

// communities are these programs and who takes part in them.
var communities = []struct {
	id      exchange.ProgramID
	charter *string
	members []string
}{
	{Community, &sightingsTOML, []string{"glimmerwick", "brass-owl", "thistledown", "copperleaf-ids", "tumblebrook", "cert-northmoor", "moonlit-power"}},
	{DropBox, &tipBoxTOML, []string{"thistledown", "copperleaf-ids", "moonlit-power", "cert-northmoor"}},
	{Circle, &vettedCircleTOML, []string{"glimmerwick", "brass-owl"}},
}

// gather opens these programs, lets their members join and sign, and lets some
// of them write, days before now.
func (t *story) gather() {
	at := t.d.start.Add(time.Hour)
	t.bases(at)
	for _, c := range communities {
		t.agenda.add(at, "opening "+string(c.id), func(ctx context.Context, x *core.Exchange) error {
			_, err := x.Programs.Apply(ctx, exchange.System(), t.d.dated(*c.charter), false)
			return err
		})
		for _, id := range c.members {
			p := t.of(id)
			t.agenda.add(at.Add(time.Minute), "joining "+string(c.id), func(ctx context.Context, x *core.Exchange) error {
				_, err := x.Members.Join(ctx, t.operator(), c.id, p.person.Org)
				return err
			})
			t.agenda.add(at.Add(2*time.Minute), "signing for "+string(c.id), func(ctx context.Context, x *core.Exchange) error {
				_, err := x.Members.Accept(ctx, p.web(), c.id, 1)
				return err
			})
		}
	}
	t.contribute(Community, "glimmerwick", 6*24*time.Hour, "a loader that comes with invoices", "domain-name:value", "invoice-desk.example")
	t.contribute(Community, "cert-northmoor", 3*24*time.Hour, "scans for an old print service", "ipv4-addr:value", "198.51.100.41")
	t.contribute(Community, "thistledown", 20*time.Hour, "a page that asks for passwords", "url:value", "https://portal-login.example/renew")
	t.contribute(DropBox, "thistledown", 2*24*time.Hour, "a supplier that was broken into", "domain-name:value", "parts-supplier.example")
	t.contribute(Circle, "brass-owl", 4*24*time.Hour, "a crash that looks like more", "file:name", "trigger.bin")
	t.control()
}

// of is a member of the cast.
func (t *story) of(id string) *somebody {
	return t.cast[slices.IndexFunc(t.cast, func(p *somebody) bool { return p.member.id == id })]
}

// contribute lets a member write an indicator, and who it is, as a machine does.
func (t *story) contribute(program exchange.ProgramID, org string, ago time.Duration, what, path, value string) {
	p, at := t.of(org), t.d.now.Add(-ago)
	t.agenda.add(at, "writing into "+string(program), func(ctx context.Context, x *core.Exchange) error {
		s, err := x.Contributions.Add(ctx, p.machine(exchange.ChannelTAXII), program, bytes.NewReader(envelope(p.member, at, what, path, value)))
		switch {
		case exchange.KindOf(err) == exchange.Unavailable:
			return nil // objects cannot be added: the program is there all the same
		case err == nil && s.Failure > 0:
			err = fmt.Errorf("%+v", s.Failures)
		}
		return err
	})
}

// envelope is what a member writes: itself, and an indicator.
func envelope(m member, at time.Time, what, path, value string) []byte {
	when := at.UTC().Truncate(time.Second).Format(stixTime)
	self := object{
		Type: "identity", Spec: "2.1", ID: "identity--" + uuid("identity", m.id),
		Created: vendor.Created, Modified: vendor.Modified, Name: m.name, Class: "organization",
	}
	found := object{
		Type: "indicator", Spec: "2.1", ID: "indicator--" + uuid("indicator", m.id, value), Created: when, Modified: when, CreatedBy: self.ID,
		Name: what, Indicates: []string{"malicious-activity"}, Pattern: fmt.Sprintf("[%s = '%s']", path, value), PatternType: "stix", ValidFrom: when,
	}
	b, err := json.Marshal(map[string][]object{"objects": {self, found}})
	if err != nil { // texts alone
		panic(fmt.Errorf("writing the demonstration's content: %w", err))
	}
	return b
}

// Rights is one member's account and, for each of the rights that a collection
// can give to it, one collection: what one needs to try a TAXII client against
// every case.
type Rights struct {
	Account     string        `json:"account"`
	Root        string        `json:"root"` // of the API
	Username    string        `json:"username"`
	Password    string        `json:"password"`
	Token       string        `json:"token"`
	Collections RightsOfKinds `json:"collections"`
}

// RightsOfKinds names a collection of each kind, where there is one. The hidden
// one exists; for the account it does not.
type RightsOfKinds struct {
	ReadWrite *Named `json:"read_write,omitempty"`
	ReadOnly  *Named `json:"read_only,omitempty"`
	WriteOnly *Named `json:"write_only,omitempty"`
	Hidden    *Named `json:"hidden,omitempty"`
}

// Named is a collection by its id.
type Named struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// rightsAccount is the account whose rights the ready file spells out.
const rightsAccount = "early"

// rights reads one account's rights out of who may use each collection.
func (r Ready) rights() Rights {
	a, _ := r.Account(rightsAccount)
	out := Rights{Account: a.Name, Root: r.TAXII, Username: a.User, Password: a.Password, Token: a.Token}
	kinds := &out.Collections
	for _, c := range r.Collections {
		reads, writes := slices.Contains(c.Readable, a.Name), slices.Contains(c.Writable, a.Name)
		kind := &kinds.Hidden
		switch {
		case reads && writes:
			kind = &kinds.ReadWrite
		case reads:
			kind = &kinds.ReadOnly
		case writes:
			kind = &kinds.WriteOnly
		}
		if *kind == nil {
			*kind = &Named{c.ID, c.Title}
		}
	}
	return out
}
