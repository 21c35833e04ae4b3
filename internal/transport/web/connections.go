package web

import (
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/connection"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// connectionStates are the words for what is to be looked after.
var connectionStates = map[string]page.State{
	connection.WarnRevoked: {Text: "revoked", Kind: page.Plain}, connection.WarnExpired: {Text: "expired", Kind: page.Danger},
	connection.WarnExpires: {Text: "expires soon", Kind: page.Warn}, connection.WarnNever: {Text: "never polled", Kind: page.Warn},
	connection.WarnStalls: {Text: "stalled", Kind: page.Warn}, connection.WarnLoops: {Text: "loops", Kind: page.Danger},
	connection.WarnRestarts: {Text: "does not page", Kind: page.Danger}, connection.WarnSkips: {Text: "skips objects", Kind: page.Danger},
}

// connectionState is the gravest of what is to be looked after.
func connectionState(c connection.Shown) page.State {
	state := page.State{Text: "polls", Kind: page.Ok}
	if c.LastAt.IsZero() {
		state = page.State{Text: "new", Kind: page.Plain}
	}
	for i, w := range c.Warnings {
		if next := connectionStates[w.Kind]; i == 0 || next.Kind == page.Danger && state.Kind != page.Danger {
			state = next
		}
	}
	return state
}

func clientName(id string) string {
	c, _ := connection.ClientByID(id)
	return c.Name
}

func (s *site) connections(v *visit) error {
	all, err := s.Connections.List(v.ctx(), v.a, v.a.Org)
	if err != nil {
		return err
	}
	p := &page.Connections{Frame: v.frame("Connections"), Add: true, Form: page.ConnectionForm{Days: "90"}}
	for _, c := range all {
		p.Lines = append(p.Lines, page.ConnectionLine{
			Name: c.Scope.Name, Href: "/connections/" + string(c.ID), Client: clientName(c.Client), Scope: scopeOf(c.Scope), State: connectionState(c),
			LastPoll: v.clock.At(c.LastAt), Cursor: v.clock.At(c.LastCursor), Objects: c.Objects, Expires: v.clock.At(c.Scope.ExpiresAt),
		})
	}
	if v.faults != nil {
		p.Form = page.ConnectionForm{Title: v.form("name"), Days: v.form("days"), Write: v.form("write") != ""}
	}
	for _, c := range connection.Clients {
		p.Clients = append(p.Clients, page.Option{Value: c.ID, Label: c.Name, Selected: v.form("client") == c.ID})
	}
	programs, err := v.stored()
	if err != nil {
		return err
	}
	p.Programs = []page.Option{{Value: "", Label: "every program"}}
	for _, st := range programs {
		p.Programs = append(p.Programs, page.Option{Value: string(st.ID), Label: st.Charter.Title, Selected: v.form("program") == string(st.ID)})
	}
	return v.show(p)
}

// scopeOf says what a token may read.
func scopeOf(t exchange.Token) string {
	scope := "every program"
	if t.Program != "" {
		scope = string(t.Program)
	}
	if t.Ceiling != exchange.TLPUnset {
		scope += ", up to " + t.Ceiling.String()
	}
	return scope
}

func (s *site) addConnection(v *visit) error {
	c, err := s.Connections.Add(v.ctx(), v.a, connection.Wanted{
		Client: v.form("client"), Name: v.form("name"), Program: exchange.ProgramID(v.form("program")), Write: v.form("write") != "",
		TTL: time.Duration(min(max(v.number("days"), -1), 3650)) * 24 * time.Hour,
	})
	if err != nil {
		return v.again(err, func() error { return s.connections(v) })
	}
	client := c.Block.Client
	return v.show(&page.Settings{
		Frame: v.frame("Settings for " + client.Name), Heading: "Settings for " + client.Name, Client: client.Name, Where: client.Where,
		Every: page.Span(client.Every), Block: c.Block.Text, Lines: min(strings.Count(c.Block.Text, "\n")+1, 30), Base: "/connections/" + string(c.ID),
		Facts: []page.Fact{{Name: "Connection", Value: string(c.ID)}, {Name: "Reads", Value: scopeOf(c.Scope)}, {Name: "May", Value: list(c.Scope.Verbs)}, {Name: "Expires", Value: instant(c.Scope.ExpiresAt) + " UTC"}},
	})
}

func (v *visit) connectionID() connection.ID { return connection.ID(v.path("connection")) }

func (s *site) connection(v *visit) error {
	c, errs, err := s.Connections.Show(v.ctx(), v.a, v.connectionID())
	if err != nil {
		return err
	}
	p := &page.Connection{
		Frame: v.frame(c.Scope.Name), Heading: c.Scope.Name, Client: clientName(c.Client), State: connectionState(c), Base: "/connections/" + string(c.ID),
		LastPoll: v.clock.At(c.LastAt), Cursor: v.clock.At(c.LastCursor), After: v.clock.At(c.LastAfter), Expires: v.clock.At(c.Scope.ExpiresAt),
		Test: c.Org == v.a.Org, Remove: true,
		Facts: []page.Fact{
			{Name: "Connection", Value: string(c.ID)},
			{Name: "Token", Value: string(c.Token)},
			{Name: "Of", Value: v.person(c.Scope.Person)},
			{Name: "Reads", Value: scopeOf(c.Scope)},
			{Name: "May", Value: list(c.Scope.Verbs)},
			{Name: "Polls", Value: grouped(c.Polls)},
			{Name: "Objects given", Value: grouped(c.Objects)},
			{Name: "In the last round", Value: grouped(c.LastObjects)},
			{Name: "Connected", Value: instant(c.CreatedAt) + " UTC"},
		},
	}
	for _, w := range c.Warnings {
		p.Warnings = append(p.Warnings, sentence(w.Text)+".")
	}
	for _, e := range errs {
		p.Errors = append(p.Errors, page.ErrorLine{At: v.clock.At(e.At), Status: e.Status, Problem: e.Problem, Request: e.Request})
	}
	return v.show(p)
}

func (s *site) testConnection(v *visit) error {
	r, err := s.Connections.Test(v.ctx(), v.a, v.connectionID())
	if err != nil {
		return v.again(err, func() error { return s.connection(v) })
	}
	c, _, err := s.Connections.Show(v.ctx(), v.a, v.connectionID())
	if err != nil {
		return err
	}
	p := &page.TestPoll{Frame: v.frame("Test poll"), Heading: c.Scope.Name, Why: r.Why, Base: "/connections/" + string(c.ID)}
	for _, got := range r.Collections {
		line := page.CollectedLine{Heading: got.Title, ID: got.ID, Why: got.Why, More: got.More, Cursor: got.Cursor.Format(exchange.TimeFormat)}
		for _, o := range got.Objects {
			p.TLP = max(p.TLP, o.TLP)
			line.Objects = append(line.Objects, page.GivenLine{Type: o.Type, Object: o.ID, Label: o.Name, TLP: o.TLP, Added: o.Added.Format(exchange.TimeFormat)})
		}
		p.Collections = append(p.Collections, line)
	}
	return v.show(p)
}

func (s *site) removeConnection(v *visit) error {
	if err := s.Connections.Remove(v.ctx(), v.a, v.connectionID()); err != nil {
		return v.again(err, func() error { return s.connection(v) })
	}
	return v.see("/connections?done=disconnected")
}
