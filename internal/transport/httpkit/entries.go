package httpkit

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
)

// EntryHeader names the entries of the ledger that the caller's act recorded, by
// their numbers, separated by commas. Links with rel=receipt lead to the receipts.
const EntryHeader = "Forewarn-Entry"

// NoteActs returns the context in which what the actor does is noted, and has the
// answer to its request name the entries that were recorded until then.
func NoteActs(ctx context.Context, a exchange.Actor) context.Context {
	ctx, acts := record.WithActs(ctx, a)
	if t := traceOf(ctx); t != nil {
		t.acts = acts
	}
	return ctx
}

// NameEntries sets the headers of an answer with this status, as far as they are known.
// An answer that says that there is nothing is the same for everybody.
func NameEntries(ctx context.Context, h http.Header, status int) {
	if t := traceOf(ctx); t != nil {
		t.name(h, status)
	}
}

func (t *trace) name(h http.Header, status int) {
	if t.acts == nil || status == http.StatusNotFound || status >= http.StatusInternalServerError || h.Get(EntryHeader) != "" {
		return
	}
	seqs := t.acts.Seqs()
	if len(seqs) == 0 {
		return
	}
	texts := make([]string, len(seqs))
	for i, n := range seqs {
		texts[i] = strconv.FormatInt(n, 10)
	}
	SetEntries(h, strings.Join(texts, ", "))
}

// SetEntries names entries: numbers, separated by commas.
func SetEntries(h http.Header, numbers string) {
	h.Set(EntryHeader, numbers)
	for n := range strings.SplitSeq(numbers, ", ") {
		h.Add("Link", "</api/v1/ledger/entries/"+n+`/receipt>; rel="receipt"`)
	}
}
