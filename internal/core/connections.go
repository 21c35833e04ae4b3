package core

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/connection"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
)

// connections assembles the room connection.
func (x *Exchange) connections(c Config) *connection.Service {
	return connection.New(connection.Config{
		Store: c.Stores.Connections, Tokens: tokens{x.Members}, Objects: objects{x.Delivery},
		Now: c.Now, URL: func() string { return x.URL },
	})
}

// tokens is membership as the room connection wants it.
type tokens struct{ *membership.Service }

func (t tokens) Issue(ctx context.Context, a exchange.Actor, r connection.Request) (string, exchange.Token, error) {
	wanted := membership.TokenRequest{
		Person: r.Person, Name: r.Name, Verbs: r.Verbs, Program: r.Program, Ceiling: r.Ceiling, Machine: true, TTL: r.TTL,
	}
	if r.Person == a.Person { // a machine of somebody's own acts as they do
		wanted.Hat, wanted.Purpose = a.Hat, a.Purpose
	}
	return t.IssueToken(ctx, a, wanted)
}

func (t tokens) Revoke(ctx context.Context, a exchange.Actor, id exchange.TokenID) error {
	return t.RevokeToken(ctx, a, id)
}

func (t tokens) Visible(ctx context.Context, a exchange.Actor, org exchange.OrgID) ([]exchange.Token, error) {
	return t.Tokens(ctx, a, org)
}

// objects is delivery as the room connection wants it.
type objects struct{ *delivery.Service }

func (o objects) CollectionID(p exchange.ProgramID) string { return delivery.CollectionID(p) }

func (o objects) First(ctx context.Context, a exchange.Actor, program exchange.ProgramID, limit int) ([]connection.Object, bool, error) {
	p, err := o.Page(ctx, a, program, delivery.Query{Limit: limit})
	if err != nil || len(p.Entries) == 0 {
		return nil, false, err
	}
	defer p.Close()
	var b bytes.Buffer
	b.WriteByte('[')
	if err := p.WriteObjects(&b); err != nil {
		return nil, false, err
	}
	b.WriteByte(']')
	var heads []struct {
		Type string `json:"type"`
		ID   string `json:"id"`
		Name any    `json:"name"` // of another type in objects that define it so
	}
	if err := json.Unmarshal(b.Bytes(), &heads); err != nil || len(heads) != len(p.Entries) {
		return nil, false, fmt.Errorf("reading a page of %d objects: %w", len(p.Entries), err)
	}
	labels, err := o.Labels(ctx, a, program, p.Entries)
	if err != nil {
		return nil, false, err
	}
	out := make([]connection.Object, 0, len(heads))
	for i, h := range heads {
		name, _ := h.Name.(string)
		out = append(out, connection.Object{Type: h.Type, ID: h.ID, Name: name, TLP: labels[i], Added: time.UnixMicro(p.Entries[i].Added).UTC()})
	}
	return out, p.More, nil
}
