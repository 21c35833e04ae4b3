package api

import (
	"cmp"
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/connection"
)

// The forms of connections in JSON.
type (
	Connection struct {
		ID           string    `json:"id"`
		Token        string    `json:"token" doc:"the public prefix of its token"`
		Person       string    `json:"person" doc:"whose token it is"`
		Organisation string    `json:"organisation"`
		Client       string    `json:"client"`
		Name         string    `json:"name"`
		Verbs        []string  `json:"verbs" nullable:"false"`
		Program      string    `json:"program,omitempty" doc:"absent: every program of the organisation"`
		TLPCeiling   string    `json:"tlp_ceiling,omitempty"`
		State        string    `json:"state" enum:"active,expired,revoked" doc:"of its token"`
		CreatedAt    time.Time `json:"created_at,omitzero"`
		ExpiresAt    time.Time `json:"expires_at,omitzero"`
		Polls        int64     `json:"polls" doc:"answered with success"`
		Objects      int64     `json:"objects" doc:"given in all polls"`
		LastPollAt   time.Time `json:"last_poll_at,omitzero"`
		LastStatus   int       `json:"last_status,omitempty" doc:"HTTP status of the newest request"`
		LastObjects  int64     `json:"last_objects" doc:"given in the newest round: a page and those that continue it"`
		AskedAfter   time.Time `json:"asked_after,omitzero" doc:"the cursor (added_after) of the newest poll; absent: from the beginning"`
		Cursor       time.Time `json:"cursor,omitzero" doc:"the last date_added that was given"`
		Interval     int64     `json:"usual_interval_seconds,omitempty" doc:"between rounds, as far as it is known"`
		Warnings     []caution `json:"warnings" nullable:"false"`
	}
	caution struct {
		Kind string `json:"kind" enum:"revoked,expired,expires,never-polled,stalls,loops,restarts,skips"`
		Text string `json:"text"`
	}
	connectionDetail struct {
		Connection
		Errors []pollError `json:"errors" nullable:"false" doc:"the newest 20 requests that were refused, newest first"`
	}
	pollError struct {
		At      time.Time `json:"at"`
		Request string    `json:"request_id"`
		Status  int       `json:"status"`
		Problem string    `json:"problem"`
	}
	connectionAdded struct {
		Connection    Connection    `json:"connection"`
		Secret        string        `json:"secret" doc:"shown once; of it only a hash is kept"`
		Configuration configuration `json:"configuration"`
	}
	configuration struct {
		Client string `json:"client"`
		Name   string `json:"name"`
		Format string `json:"format" enum:"yaml,sh,python"`
		Where  string `json:"where" doc:"where it goes"`
		Every  int64  `json:"poll_every_seconds"`
		Text   string `json:"text" doc:"the settings; they hold the secret"`
	}
	testPoll struct {
		At          time.Time       `json:"at"`
		Why         string          `json:"why,omitempty" doc:"why nothing can be had at all"`
		Collections []testCollected `json:"collections" nullable:"false"`
	}
	testCollected struct {
		Program string       `json:"program"`
		ID      string       `json:"id" doc:"of the collection"`
		Title   string       `json:"title"`
		Objects []testObject `json:"objects" nullable:"false" doc:"the first three"`
		More    bool         `json:"more"`
		Cursor  time.Time    `json:"cursor,omitzero" doc:"date_added of the last one shown"`
		Why     string       `json:"why,omitempty" doc:"why there is nothing"`
	}
	testObject struct {
		Type  string    `json:"type"`
		ID    string    `json:"id"`
		Name  string    `json:"name,omitempty"`
		TLP   string    `json:"tlp,omitempty" doc:"the label in force now"`
		Added time.Time `json:"date_added"`
	}
)

func wireConnection(now time.Time) func(connection.Shown) Connection {
	return func(c connection.Shown) Connection {
		t := wireToken(c.Scope, now)
		return Connection{
			ID: string(c.ID), Token: t.ID, Person: t.Person, Organisation: string(c.Org), Client: c.Client, Name: t.Name,
			Verbs: t.Verbs, Program: t.Program, TLPCeiling: t.TLPCeiling, State: t.State,
			CreatedAt: utc(c.CreatedAt), ExpiresAt: t.ExpiresAt, Polls: c.Polls, Objects: c.Objects,
			LastPollAt: utc(c.LastAt), LastStatus: c.LastStatus, LastObjects: c.LastObjects,
			AskedAfter: utc(c.LastAfter), Cursor: utc(c.LastCursor), Interval: int64(c.Usual / time.Second),
			Warnings: wires(c.Warnings, func(w connection.Warning) caution { return caution{w.Kind, w.Text} }),
		}
	}
}

type inConnections struct {
	Organisation string `query:"organisation" maxLength:"63" doc:"absent: the caller's"`
}

func (s *server) listConnections(ctx context.Context, a exchange.Actor, in *inConnections) (*answer[list[Connection]], error) {
	items, err := s.Connections.List(ctx, a, cmp.Or(exchange.OrgID(in.Organisation), a.Org))
	if err != nil {
		return nil, err
	}
	return replyList(items, wireConnection(s.Now())), nil
}

type inNewConnection struct {
	Body struct {
		Client     string `json:"client" enum:"opencti,misp,sentinel,splunk,elastic,curl,taxii2client"`
		Name       string `json:"name,omitempty" maxLength:"128" doc:"absent: the client"`
		Person     string `json:"person,omitempty" maxLength:"128" doc:"identifier of the person whose token it is; absent: the caller"`
		Program    string `json:"program,omitempty" maxLength:"63" doc:"absent: every program of the organisation"`
		TLPCeiling string `json:"tlp_ceiling,omitempty" maxLength:"32" doc:"nothing above this label is given to it"`
		Days       int    `json:"valid_for_days,omitempty" minimum:"1" maximum:"365" doc:"absent: 90"`
		Write      bool   `json:"write,omitempty" doc:"it may hand in objects as well"`
	}
}

func (s *server) addConnection(ctx context.Context, a exchange.Actor, in *inNewConnection) (*answer[connectionAdded], error) {
	ceiling, err := exchange.ParseTLP(in.Body.TLPCeiling)
	if err != nil {
		return nil, err
	}
	c, err := s.Connections.Add(ctx, a, connection.Wanted{
		Client: in.Body.Client, Name: in.Body.Name, Person: exchange.PersonID(in.Body.Person),
		Program: exchange.ProgramID(in.Body.Program), Ceiling: ceiling, Write: in.Body.Write,
		TTL: time.Duration(in.Body.Days) * 24 * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	client := c.Block.Client
	out := reply(connectionAdded{
		Connection: wireConnection(s.Now())(c.Shown), Secret: c.Secret,
		Configuration: configuration{client.ID, client.Name, client.Format, client.Where, int64(client.Every / time.Second), c.Block.Text},
	})
	out.Location = prefix + "/connections/" + string(c.ID)
	return out, nil
}

// InConnection is the path of one connection.
type InConnection struct {
	Connection string `path:"connection" maxLength:"64"`
}

func (s *server) readConnection(ctx context.Context, a exchange.Actor, in *InConnection) (*answer[connectionDetail], error) {
	c, errs, err := s.Connections.Show(ctx, a, connection.ID(in.Connection))
	if err != nil {
		return nil, err
	}
	return reply(connectionDetail{wireConnection(s.Now())(c), wires(errs, func(e connection.PollError) pollError {
		return pollError{utc(e.At), e.Request, e.Status, e.Problem}
	})}), nil
}

func (s *server) removeConnection(ctx context.Context, a exchange.Actor, in *InConnection) (*none, error) {
	return nil, s.Connections.Remove(ctx, a, connection.ID(in.Connection))
}

func (s *server) testConnection(ctx context.Context, a exchange.Actor, in *InConnection) (*answer[testPoll], error) {
	r, err := s.Connections.Test(ctx, a, connection.ID(in.Connection))
	if err != nil {
		return nil, err
	}
	return reply(testPoll{utc(r.At), r.Why, wires(r.Collections, func(c connection.Collected) testCollected {
		return testCollected{
			string(c.Program), c.ID, c.Title,
			wires(c.Objects, func(o connection.Object) testObject {
				return testObject{o.Type, o.ID, o.Name, o.TLP.String(), utc(o.Added)}
			}),
			c.More, utc(c.Cursor), c.Why,
		}
	})}), nil
}
