package core

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
	"github.com/forewarn-exchange/forewarn/internal/exchange/pulse"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
)

// Push is what webhooks and streams are built from.
type Push struct {
	Store  webhook.Store
	Sender webhook.Sender
	Plain  bool   // http: addresses are permitted
	Root   string // path of TAXII's API root
	// Pulse answers a number that differs after each change of what anybody sees.
	Pulse func(ctx context.Context) (int64, error)
}

// push assembles what tells followers of news.
func (x *Exchange) push(c Config) {
	x.Pulse = pulse.New(c.Push.Pulse)
	x.Webhooks = webhook.New(webhook.Config{
		Store: c.Push.Store, Reads: news{x.Delivery}, Sender: c.Push.Sender, Plain: c.Push.Plain, Now: c.Now, Log: c.Log,
		Objects: func(collection string) string { return x.URL + c.Push.Root + "collections/" + collection + "/objects/" },
	})
}

// news asks the delivery room what waits for a webhook.
type news struct{ *delivery.Service }

// Collection is the id of the actor's collection, which is missing where the
// actor only writes.
func (n news) Collection(ctx context.Context, a exchange.Actor, program exchange.ProgramID) (string, error) {
	c, err := n.Service.Collection(ctx, a, string(program))
	if err == nil && !c.CanRead {
		err = exchange.Missing()
	}
	return c.ID, err
}

// News counts what the actor's collection holds after the cursor, up to a page.
// It is recorded as a manifest is: the actor learns that there is something,
// and of no object what it holds.
func (n news) News(ctx context.Context, a exchange.Actor, program exchange.ProgramID, after int64) (webhook.News, error) {
	es, more, err := n.Manifest(ctx, a, program, delivery.Query{After: after, Limit: delivery.MaxLimit})
	if err != nil || len(es) == 0 {
		return webhook.News{}, err
	}
	return webhook.News{Last: es[len(es)-1].Added, Count: len(es), More: more}, nil
}

// Mail is what mail is sent with. Without a sender none is.
type Mail struct {
	Store  mail.Store
	Sender mail.Sender
}

// mail assembles what tells people by mail.
func (x *Exchange) mail(c Config) {
	x.Mail = mail.New(mail.Config{
		Store: c.Mail.Store, Sender: c.Mail.Sender, Shows: x.Delivery.Notice, Now: c.Now, Log: c.Log, Name: x.Name,
		URL: func() string { return x.URL },
	})
}
