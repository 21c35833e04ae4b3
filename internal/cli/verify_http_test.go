package cli_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	publiclog "github.com/forewarn-exchange/forewarn/internal/transport/log"
	"github.com/forewarn-exchange/forewarn/verify"
)

// published is a log as an exchange writes it and gives it to anyone.
type published struct {
	log        *ledger.Log
	mu         sync.Mutex
	signers    []note.Signer
	keys       []string
	statements [][]byte
}

type publishedKey struct{}

func (p *published) Files(_ context.Context, number int) (publiclog.Files, error) {
	if number != 1 {
		return nil, exchange.Missing()
	}
	return p.log, nil
}

func (p *published) Keys(context.Context, int) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys, nil
}

func (p *published) Statements(context.Context, int) ([][]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.statements, nil
}

// publish N brings the exchange's log to N entries; $LOG is its address, $LOGKEY the
// key that signed its first entry.
func publish(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	p, _ := ts.Value(publishedKey{}).(**published)
	if *p == nil {
		signer, key, err := signerOf(ledgerOrigin, 40)
		ts.Check(err)
		log, err := ledger.Open(filepath.Join(ts.MkAbs("."), "exchange"), ledger.Options{Origin: ledgerOrigin, Signers: []note.Signer{signer}})
		ts.Check(err)
		*p = &published{log: log, signers: []note.Signer{signer}, keys: []string{key}}
		mux := http.NewServeMux()
		mux.Handle("/log/", publiclog.New(publiclog.Config{Logs: *p}))
		server := httptest.NewServer(httpkit.Wrap(mux, httpkit.Options{}))
		ts.Defer(func() {
			server.Close()
			ts.Check(log.Close())
		})
		ts.Setenv("LOG", server.URL+"/log")
		ts.Setenv("LOGKEY", key)
	}
	first := (*p).log.Size()
	var entries [][]byte
	for i := first; i < size; i++ {
		entries = append(entries, append([]byte{1, byte(i >> 8)}, bytes.Repeat([]byte{byte(i)}, 31)...))
	}
	ts.Check((*p).log.Put(first, entries))
	ts.Check((*p).log.Wait(context.Background(), size))
}

// rotate gives the log a new key and retires the old one.
func rotate(ts *testscript.TestScript, _ bool, _ []string) {
	p := *ts.Value(publishedKey{}).(**published)
	p.mu.Lock()
	defer p.mu.Unlock()
	old, oldKey := p.signers[0], p.keys[0]
	signer, key, err := signerOf(ledgerOrigin, byte(41+len(p.statements)))
	ts.Check(err)
	size := p.log.Size()
	for _, s := range []struct {
		verify.Statement
		by []note.Signer
	}{
		{verify.Statement{Origin: ledgerOrigin, Key: key, From: size}, []note.Signer{old, signer}},
		{verify.Statement{Origin: ledgerOrigin, Retired: oldKey, At: size}, []note.Signer{signer}},
	} {
		b, err := note.Sign(&note.Note{Text: s.Text()}, s.by...)
		ts.Check(err)
		p.statements = append(p.statements, b)
	}
	ts.Check(p.log.Resign([]note.Signer{signer}))
	p.signers, p.keys = []note.Signer{signer}, []string{key}
}

// closeLog ends the log, and names the one that follows.
func closeLog(ts *testscript.TestScript, _ bool, _ []string) {
	p := *ts.Value(publishedKey{}).(**published)
	p.mu.Lock()
	defer p.mu.Unlock()
	next, key, err := signerOf(ledgerOrigin+"/2", 60)
	ts.Check(err)
	ts.Check(p.log.Freeze())
	root, err := p.log.Root(p.log.Size())
	ts.Check(err)
	s := verify.Statement{
		Origin: ledgerOrigin, Closed: &verify.Checkpoint{Origin: ledgerOrigin, Size: p.log.Size(), Root: root},
		Successor: ledgerOrigin + "/2", SuccKey: key, Reason: "moved",
	}
	b, err := note.Sign(&note.Note{Text: s.Text()}, p.signers[0], next)
	ts.Check(err)
	p.statements = append(p.statements, b)
}
