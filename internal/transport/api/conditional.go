package api

import (
	"encoding/base64"
	"net/http"
	"net/url"
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
		return "", exchange.InvalidWith("the page could not be found", []exchange.Problem{
			{Path: "query.after", Message: "no cursor of this list; take it from the Link with rel=next"},
		})
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
		_, err = Paging{After: "."}.key()
	}
	return n, err
}

func cursor(key string) string { return base64.RawURLEncoding.EncodeToString([]byte("k" + key)) }

// nextLink is the Link header (RFC 8288) of the page that follows.
func nextLink(path string, query url.Values, key string) string {
	if key == "" {
		return ""
	}
	q := url.Values{}
	for k, v := range query {
		if len(v) > 0 && v[0] != "" {
			q[k] = v
		}
	}
	q.Set("after", cursor(key))
	return "<" + prefix + path + "?" + q.Encode() + `>; rel="next"`
}

// page cuts a list that the rooms give whole: items above the cursor, by key,
// at most limit, and the key of the last one when more follow.
func page[T any](items []T, p Paging, key func(T) string) (out []T, next string, err error) {
	after, err := p.key()
	if err != nil {
		return nil, "", err
	}
	start := 0
	if after != "" {
		start = len(items)
		for i, item := range items {
			if key(item) == after {
				start = i + 1
				break
			}
		}
	}
	end := min(len(items), start+p.limit())
	if end < len(items) && end > start {
		next = key(items[end-1])
	}
	return items[start:end], next, nil
}

func (p Paging) limit() int {
	if p.Limit == 0 {
		return 100
	}
	return min(p.Limit, 1000)
}

func (p Paging) query() url.Values { return url.Values{"limit": {strconv.Itoa(p.limit())}} }

// ask is how many items to ask a room for: one more than the page holds says
// whether another follows. No room gives more than a thousand.
func (p Paging) ask() int { return min(p.limit()+1, 1000) }

// cut makes a page of what ask brought, and returns the key of its last item
// when more may follow.
func cut[T any](items []T, p Paging, key func(T) string) ([]T, string) {
	n := min(p.limit(), len(items))
	if n == 0 || len(items) < p.ask() {
		return items, ""
	}
	return items[:n], key(items[n-1])
}
