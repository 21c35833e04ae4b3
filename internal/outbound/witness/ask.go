// Package witness asks witnesses to cosign checkpoints (C2SP tlog-witness).
package witness

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	room "github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/outbound/reach"
)

// Bounds of one request.
const (
	askTime   = 10 * time.Second
	maxAnswer = 64 << 10
)

// Asker asks witnesses. It is a room.Asker.
type Asker struct{ secure, plain *http.Client }

// New returns an asker, which reaches what o permits.
func New(o reach.Options) *Asker {
	o.Time = askTime
	return &Asker{reach.Client(o, true), reach.Client(o, false)}
}

// AddCheckpoint posts the body of add-checkpoint to the witness at an address, the
// submission prefix.
func (a *Asker) AddCheckpoint(ctx context.Context, address string, body []byte) room.Answer {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Hostname() == "" {
		return room.Answer{Failure: "setup"}
	}
	client := a.secure
	if u.Scheme == "http" {
		client = a.plain
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(address, "/")+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		return room.Answer{Failure: "setup"}
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("User-Agent", "Forewarn-Ledger/1")
	res, err := client.Do(req)
	if err != nil {
		return room.Answer{Failure: reach.Class(err)}
	}
	defer func() { _ = res.Body.Close() }() // only read from
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil || len(text) > maxAnswer {
		return room.Answer{Failure: "answer"}
	}
	return meaning(res, text)
}

// meaning reads an answer.
func meaning(res *http.Response, text []byte) room.Answer {
	switch res.StatusCode {
	case http.StatusOK:
		return room.Answer{Outcome: room.Signed, Body: text}
	case http.StatusConflict:
		size, ok := strings.CutSuffix(string(text), "\n")
		n, err := strconv.ParseInt(size, 10, 64)
		if !ok || err != nil || n < 0 || strconv.FormatInt(n, 10) != size {
			return room.Answer{Failure: "answer"}
		}
		return room.Answer{Outcome: room.OtherSize, Size: n}
	case http.StatusUnprocessableEntity:
		return room.Answer{Outcome: room.Contradicts}
	case http.StatusForbidden:
		return room.Answer{Outcome: room.UnknownKey}
	case http.StatusNotFound:
		return room.Answer{Outcome: room.UnknownLog}
	default:
		return room.Answer{Failure: "status"}
	}
}
