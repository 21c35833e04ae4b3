package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
	"github.com/forewarn-exchange/forewarn/verify"
)

// drained is how much of a file that is too large is still read, so that the
// browser shows the answer and not a broken connection.
const drained = 8 << 20

// checkReceipt checks a receipt that somebody hands in, and keeps nothing of it.
func (s *site) checkReceipt(v *visit) error {
	b, err := receiptOf(v.r)
	if err != nil {
		return v.again(err, func() error { return s.ledgerPage(v) })
	}
	p, err := v.checked(b)
	if err != nil {
		return err
	}
	if p.Broken != nil {
		v.status = http.StatusUnprocessableEntity
	}
	return v.show(p)
}

// receiptOf is the file of the form.
func receiptOf(r *http.Request) ([]byte, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, httpkit.Fail(http.StatusBadRequest, "the form cannot be read; nothing was checked")
	}
	for range maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, httpkit.Fail(http.StatusBadRequest, "the form broke off; nothing was checked")
		}
		if part.FormName() != "receipt" {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(part, maxForm+1))
		switch {
		case err != nil:
			return nil, httpkit.Fail(http.StatusBadRequest, "the form broke off; nothing was checked")
		case len(b) > maxForm:
			_, _ = io.Copy(io.Discard, io.LimitReader(part, drained))
			return nil, exchange.Fail(exchange.Invalid, "the file is larger than 1 MiB; it was not checked. Larger receipts are checked by forewarn verify receipt")
		case len(b) > 0:
			return b, nil
		}
	}
	return nil, exchange.Fail(exchange.Invalid, "choose the file of a receipt; nothing was checked")
}

// asking is what to do with a receipt that does not hold.
var asking = []string{
	"Keep the file as it is. Do not open and save it in another program: that may change it.",
	"Fetch the receipt anew, from the entry in the ledger or from whoever gave it to you, and check that one.",
	"If that does not hold either, check it on another machine with forewarn verify receipt, and ask the operator of the exchange by a way other than this site.",
}

// checked says whether a receipt holds.
func (v *visit) checked(b []byte) (*page.Checked, error) {
	p := &page.Checked{Frame: v.frame("Receipt"), Heading: "Receipt", State: page.State{Text: "does not hold", Kind: page.Danger}}
	broken := func(heading, text string, todo []string) (*page.Checked, error) {
		p.Broken = &page.Alarm{Heading: heading, Text: sentence(text) + ".", Todo: todo}
		return p, nil
	}
	r, err := verify.ParseReceipt(b)
	if err != nil {
		return broken("The file is not a whole receipt", err.Error(), asking)
	}
	logs, err := v.site.ledger.Logs(v.ctx(), v.a)
	if err != nil {
		return nil, err
	}
	origin, _, _ := bytes.Cut(r.Checkpoint, []byte("\n"))
	i := slices.IndexFunc(logs, func(l Log) bool { return l.Origin == string(origin) })
	if i < 0 {
		p.State = page.State{Text: "not checked", Kind: page.Warn}
		return broken("The receipt names another log", fmt.Sprintf("it is of the log %.80q, which is not one of this exchange", origin), []string{
			"Check it with forewarn verify receipt and that log's key, or where it was given.",
			"If it was given by this exchange, keep the file, and show it to the witnesses and the other members: the exchange denies a log that it has kept.",
		})
	}
	l := logs[i]
	signed, err := r.Verify(l.Keys, l.witnessKeys())
	var fails *verify.Failure
	if errors.As(err, &fails) {
		return broken("The receipt does not hold", fails.What, asking)
	}
	if err != nil {
		return nil, fmt.Errorf("checking a receipt: %w", err)
	}
	same, err := v.site.stillSo(v.ctx(), l, signed)
	if err != nil {
		return nil, err
	}
	if !same {
		p.State = page.State{Text: "another history", Kind: page.Danger}
		return broken("The receipt was given under a history that this server does not show", fmt.Sprintf("the log's own key signed a log of %s entries with the root %s, and the log that this server shows now is not a continuation of it",
			grouped(signed.Size), base64.StdEncoding.EncodeToString(signed.Root[:])), []string{
			"Keep the file: with the log's key it proves this to anybody, for good.",
			"Give a copy of it to the log's witnesses and to other members, by a way other than this site, and compare what the log shows to each of you.",
			"Take nothing from this server as proved until the operator has said how the two histories came about.",
		})
	}
	a, err := actOf(r.Opening)
	if err != nil {
		return nil, err
	}
	p.Heading, p.State, p.Told = "The receipt is valid", page.State{Text: "valid", Kind: page.Ok}, v.tell(&a)
	p.Log, p.Index, p.Size = l.Origin, grouped(r.Index), grouped(signed.Size)
	p.Root, p.Key = base64.StdEncoding.EncodeToString(signed.Root[:]), signed.Keys[0]
	p.SeenNote = v.seenBy(p, l, signed)
	return p, nil
}

// stillSo reports whether the log, as it stands now, goes on from a checkpoint.
func (s *site) stillSo(ctx context.Context, l Log, c verify.Signed) (bool, error) {
	if c.Size > l.Size {
		return false, nil
	}
	root, err := s.ledger.Root(ctx, l.Origin, c.Size)
	return root == c.Root, err
}

// seenBy lists the witnesses that signed a checkpoint, and says who signed the log
// since then.
func (v *visit) seenBy(p *page.Checked, l Log, c verify.Signed) string {
	for _, w := range c.Witness {
		p.Witnesses = append(p.Witnesses, page.WitnessLine{Label: w.Name, Key: w.Key, State: page.State{Text: "signed it", Kind: page.Ok}, Size: grouped(c.Size), At: v.clock.At(w.At)})
	}
	later := 0
	for _, w := range l.Witnesses {
		if w.Standing == witness.Agrees && w.Size >= c.Size {
			later++
		}
	}
	switch {
	case len(l.Witnesses) == 0:
		return "The log has no witnesses: that it shows everybody the same history rests on those who keep receipts and compare."
	case later == 0:
		return "No witness has signed the log at this size or later yet. Check the receipt again when they have."
	}
	return fmt.Sprintf("%d of %s signed the log at this size or later, so they were shown the history that this receipt stands in.", later, witnesses(len(l.Witnesses)))
}
