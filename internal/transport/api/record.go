package api

import (
	"bytes"
	"cmp"
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/record"
)

type (
	inEvents struct {
		Paging
		Program string `query:"program" maxLength:"63"`
		Release string `query:"release" maxLength:"64"`
		Kind    string `query:"kind" maxLength:"64" example:"wave.open"`
		Org     string `query:"organisation" maxLength:"63"`
	}
	outEvents struct {
		ContentType string `header:"Content-Type"`
		Link        string `header:"Link"`
		Body        []byte
	}
)

const linesType = "application/x-ndjson"

// listEvents gives one line of JSON for each event: its number, and its
// canonical bytes exactly as they were recorded.
func (s *server) listEvents(ctx context.Context, a exchange.Actor, in *inEvents) (*outEvents, error) {
	after, err := in.number()
	if err != nil {
		return nil, err
	}
	f := room.EventFilter{
		Program: exchange.ProgramID(in.Program), Release: exchange.ReleaseID(in.Release),
		Org: exchange.OrgID(in.Org), After: after, Limit: in.Limit,
	}
	if in.Kind != "" {
		f.Kinds = []exchange.EventKind{exchange.EventKind(in.Kind)}
	}
	events, err := s.Record.Events(ctx, a, f)
	if err != nil {
		return nil, err
	}
	out := &outEvents{ContentType: linesType}
	var b bytes.Buffer
	for _, e := range events {
		b.WriteString(`{"seq":` + strconv.FormatInt(e.Seq, 10) + `,"event":`)
		b.WriteString(cmp.Or(string(e.Body), "null")) // null: it was erased
		b.WriteString("}\n")
	}
	out.Body = b.Bytes()
	if n := len(events); n > 0 && n == in.Limit {
		out.Link = in.next("/events", url.Values{
			"program": {in.Program}, "release": {in.Release}, "kind": {in.Kind}, "organisation": {in.Org},
		}, strconv.FormatInt(events[n-1].Seq, 10))
	}
	return out, nil
}

type (
	inExposure struct {
		InRelease
		Paging
		At       time.Time `query:"at" doc:"who had it at this instant; absent: now"`
		Artifact string    `query:"artifact" maxLength:"64"`
		Org      string    `query:"organisation" maxLength:"63"`
		Kind     string    `query:"kind" enum:"offered,delivered,downloaded,opened,acknowledged"`
	}
	exposure struct {
		Artifact     string    `json:"artifact"`
		Organisation string    `json:"organisation"`
		Client       string    `json:"client,omitempty" doc:"token or person; absent for offered"`
		Kind         string    `json:"kind"`
		Channel      string    `json:"channel,omitempty"`
		At           time.Time `json:"at"`
		Event        int64     `json:"event" doc:"number of the event that shows it"`
	}
)

// listExposure answers who had which artifact when: the first time of each
// kind for each client.
func (s *server) listExposure(ctx context.Context, a exchange.Actor, in *inExposure) (*answer[list[exposure]], error) {
	after, err := placeOf(in.Paging)
	if err != nil {
		return nil, err
	}
	items, err := s.Record.Exposure(ctx, a, room.ExposureFilter{
		Release: exchange.ReleaseID(in.Release), Artifact: exchange.ArtifactID(in.Artifact), Org: exchange.OrgID(in.Org),
		Kind: exchange.ExposureKind(in.Kind), Until: in.At, After: after, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	filters := url.Values{"artifact": {in.Artifact}, "organisation": {in.Org}, "kind": {in.Kind}}
	if !in.At.IsZero() {
		filters.Set("at", in.At.UTC().Format(exchange.TimeFormat))
	}
	return replyPage(items, in.Paging, "/releases/"+in.Release+"/exposure", filters, func(e exchange.Exposure) string {
		c := room.CursorOf(e)
		return strings.Join([]string{
			strconv.FormatInt(c.At.UnixMicro(), 10), strconv.FormatInt(c.Number, 10), string(c.Org), c.Client, string(c.Kind),
		}, "\x1f")
	}, func(e exchange.Exposure) exposure {
		return exposure{string(e.Artifact), string(e.Org), e.Client, string(e.Kind), string(e.Channel), utc(e.At), e.Event}
	}), nil
}

func placeOf(p Paging) (room.Cursor, error) {
	key, err := p.key()
	if err != nil || key == "" {
		return room.Cursor{}, err
	}
	parts := strings.Split(key, "\x1f")
	if len(parts) == 5 {
		at, err1 := strconv.ParseInt(parts[0], 10, 64)
		number, err2 := strconv.ParseInt(parts[1], 10, 64)
		if err1 == nil && err2 == nil {
			return room.Cursor{
				At: time.UnixMicro(at), Number: number, Org: exchange.OrgID(parts[2]), Client: parts[3], Kind: exchange.ExposureKind(parts[4]),
			}, nil
		}
	}
	return room.Cursor{}, noCursor("query.after")
}

type (
	inSuspects struct {
		InRelease
		Artifacts []string  `query:"artifact" required:"true" minItems:"1" maxItems:"1000" doc:"what was found outside"`
		Before    time.Time `query:"before" required:"true" doc:"when it was first seen outside"`
		Offered   bool      `query:"offered" doc:"also who could have fetched it and, as far as is recorded, did not"`
	}
	suspect struct {
		Organisation string               `json:"organisation"`
		Clients      []string             `json:"clients" doc:"persons and tokens to which something of it was given"`
		First        map[string]time.Time `json:"first" doc:"when each artifact first reached the organisation"`
	}
)

// listSuspects are the organisations that had everything that leaked before it
// was seen outside: a lead for people, never a verdict.
func (s *server) listSuspects(ctx context.Context, a exchange.Actor, in *inSuspects) (*answer[list[suspect]], error) {
	items, err := s.Record.Suspects(ctx, a, room.Leak{
		Release: exchange.ReleaseID(in.Release), Artifacts: as[exchange.ArtifactID](in.Artifacts), Before: in.Before, Offered: in.Offered,
	})
	if err != nil {
		return nil, err
	}
	return replyList(items, func(v room.Suspect) suspect {
		w := suspect{string(v.Org), append([]string{}, v.Clients...), map[string]time.Time{}}
		for id, at := range v.First {
			w.First[string(id)] = utc(at)
		}
		return w
	}), nil
}
