package witness

import (
	"context"
	"crypto/sha256"
	"errors"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Receive takes a checkpoint of the present log that witnesses signed, from
// anybody: what counts is what is signed. It keeps the signatures of witnesses that
// charters name. A checkpoint that the log signed and that is none of this ledger
// proves that two histories were shown, whoever shows it: that is recorded.
//
// What is no checkpoint or carries no signature that counts is Invalid, what the
// log did not sign Denied, another log's NotFound, what is not known here yet
// Unavailable.
func (s *Service) Receive(ctx context.Context, signed []byte) error {
	f, err := s.read(ctx)
	if err != nil {
		return err
	}
	if len(f.charters) == 0 { // nobody watches: as if there were no such address
		return exchange.Missing()
	}
	if len(signed) > verify.MaxCheckpoint {
		return exchange.Fail(exchange.Invalid, "larger than %d bytes; nothing was kept", verify.MaxCheckpoint)
	}
	var unverified *note.UnverifiedNoteError
	if _, err := note.Open(signed, note.VerifierList()); !errors.As(err, &unverified) {
		return exchange.Fail(exchange.Invalid, "not a signed note; nothing was kept")
	}
	c, err := verify.ParseCheckpoint(unverified.Note.Text)
	if err != nil {
		return exchange.Fail(exchange.Invalid, "%v; nothing was kept", err)
	}
	if c.Origin != f.ledger.Log.Origin() {
		return exchange.Missing()
	}
	own, err := open(f, signed)
	if err != nil {
		return &exchange.Error{Kind: exchange.Denied, Public: "no signature of the log's key holds; nothing was kept", Err: err}
	}
	found, err := s.judge(f, own, signed)
	if err != nil {
		return err
	}
	if err := s.keep(ctx, f, found); err != nil {
		return err
	}
	return s.watch(ctx, f)
}

// judge compares a checkpoint that the log signed with the ledger.
func (s *Service) judge(f facts, c verify.Signed, signed []byte) ([]finding, error) {
	var by []finding // those who signed it
	for _, w := range f.witnesses() {
		got, err := open(f, signed, w.Key)
		if err != nil || len(got.Witness) == 0 { // a line of that name that does not hold counts for nothing
			continue
		}
		line, err := lineOf(signed, w.Key)
		if err != nil {
			continue
		}
		by = append(by, finding{
			witness: w, size: c.Size, at: got.Witness[0].At,
			signed: &Cosignature{Size: c.Size, Key: w.Key, Line: line, At: got.Witness[0].At},
		})
	}
	accused := by
	if len(accused) == 0 {
		accused = []finding{{size: c.Size}}
	}
	differs := func(k Kind) []finding {
		for i := range accused {
			accused[i].signed, accused[i].differs, accused[i].theirs, accused[i].root = nil, k, signed, c.Root.String()
		}
		return accused
	}
	if c.Size > f.ledger.Log.Size() {
		for i := range accused {
			accused[i] = s.claims(f, finding{witness: accused[i].witness}, c.Size, signed)
		}
		if accused[0].differs == "" {
			return nil, exchange.Fail(exchange.Unavailable, "%d entries are not known here yet; nothing was kept", c.Size)
		}
		return accused, nil
	}
	root, err := rootOf(f.ledger.Log, c.Size)
	if err != nil {
		return nil, err
	}
	if root != c.Root {
		return differs(Fork), nil
	}
	ours, err := f.ledger.Log.CheckpointFor(c.Size)
	if err != nil {
		return nil, err
	}
	kept, err := open(f, ours)
	switch {
	case len(by) == 0:
		return nil, exchange.Fail(exchange.Invalid, "no signature of a witness that a charter names; nothing was kept")
	case err != nil || kept.Text() != c.Text():
		return nil, exchange.Fail(exchange.Invalid, "the log made no checkpoint of this size; nothing was kept")
	}
	for i := range by {
		by[i].checkpoint = ours
	}
	return by, nil
}

// rootOf is the root of a size; that of no entries is no matter of the log (RFC
// 6962 §2.1).
func rootOf(l Log, size int64) (tlog.Hash, error) {
	if size == 0 {
		return tlog.Hash(sha256.Sum256(nil)), nil
	}
	return l.Root(size)
}
