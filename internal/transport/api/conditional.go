package api

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// Matching is the precondition of a change (RFC 9110 §13.1.1). Without it two
// people who edit the same thing would overwrite each other in silence.
type Matching struct {
	IfMatch string `header:"If-Match" maxLength:"128" doc:"The ETag of the version that is to be changed, or * for any version. Required." example:"\"7\""`
}

// version is the number that If-Match names; 0 stands for any. It is read
// before anything is looked up, so its faults tell nothing about what exists.
func (c Matching) version() (int64, error) {
	text := strings.TrimSpace(c.IfMatch)
	switch text {
	case "":
		return 0, httpkit.Fail(http.StatusPreconditionRequired,
			"this change needs If-Match with the ETag that you last read (or * for any version); nothing was changed")
	case "*":
		return 0, nil
	}
	quoted, ok := strings.CutPrefix(text, `"`)
	quoted, ok2 := strings.CutSuffix(quoted, `"`)
	n, err := strconv.ParseInt(quoted, 10, 64)
	if !ok || !ok2 || err != nil || n <= 0 {
		// An ETag that this server never gave out matches no version.
		return 0, exchange.Fail(exchange.Precondition, "If-Match holds no ETag of this resource; nothing was changed. Read it again and use its ETag.")
	}
	return n, nil
}

// NoneMatching is the precondition of a read (RFC 9110 §13.1.2).
type NoneMatching struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"1024" doc:"ETags that the caller already holds: 304 when one is current."`
}

// unless returns the 304 answer when the caller already holds etag.
func (c NoneMatching) unless(etag string) error {
	if etag == "" || c.IfNoneMatch == "" {
		return nil
	}
	for tag := range strings.SplitSeq(c.IfNoneMatch, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || tag == etag {
			return huma.ErrorWithHeaders(huma.Status304NotModified(), http.Header{"Etag": {etag}})
		}
	}
	return nil
}

func etag(version int64) string {
	if version <= 0 {
		return ""
	}
	return `"` + strconv.FormatInt(version, 10) + `"`
}

// Paging is the keyset paging of lists.
type Paging struct {
	After string `query:"after" maxLength:"512" doc:"The cursor of the Link with rel=next of the page before."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Items on a page."`
}

// key is what stood at the end of the page before: opaque to callers, so that
// its form can change.
func (p Paging) key() (string, error) {
	if p.After == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil || len(b) == 0 || b[0] != 'k' {
		return "", noCursor("query.after")
	}
	return string(b[1:]), nil
}

func (p Paging) number() (int64, error) {
	key, err := p.key()
	if err != nil || key == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(key, 10, 64)
	if err != nil || n < 0 {
		return 0, noCursor("query.after")
	}
	return n, nil
}

// noCursor refuses a cursor that no list gave.
func noCursor(path string) error {
	return exchange.InvalidWith("the page could not be found", []exchange.Problem{
		{Path: path, Message: "no cursor of this list; take it from the page before"},
	})
}

func cursor(key string) string { return base64.RawURLEncoding.EncodeToString([]byte("k" + key)) }

// next is the Link header (RFC 8288) of the page that follows the item with
// this key, in a list with these filters.
func (p Paging) next(path string, filters url.Values, key string) string {
	q := url.Values{"limit": {strconv.Itoa(p.Limit)}, "after": {cursor(key)}}
	for k, v := range filters {
		if v[0] != "" {
			q[k] = v
		}
	}
	return "<" + prefix + path + "?" + q.Encode() + `>; rel="next"`
}

// replyPage is a page that a room gave: a full one links to the next, which may
// turn out to be empty.
func replyPage[T, W any](items []T, p Paging, path string, filters url.Values, key func(T) string, wire func(T) W) *answer[list[W]] {
	out := replyList(items, wire)
	if n := len(items); n > 0 && n == p.Limit {
		out.Link = p.next(path, filters, key(items[n-1]))
	}
	return out
}

// replyCut is a page of a list that a room gives whole.
func replyCut[T, W any](items []T, p Paging, path string, key func(T) string, wire func(T) W) (*answer[list[W]], error) {
	after, err := p.key()
	if err != nil {
		return nil, err
	}
	if after != "" {
		i := slices.IndexFunc(items, func(item T) bool { return key(item) == after })
		if i < 0 {
			i = len(items) - 1
		}
		items = items[i+1:]
	}
	if len(items) <= p.Limit {
		return replyList(items, wire), nil
	}
	return replyPage(items[:p.Limit], p, path, nil, key, wire), nil
}
