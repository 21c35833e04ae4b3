package doctor_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/doctor"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

// folder is a data folder with some events, on which no server runs.
type folder struct {
	t *testing.T
	o server.Options
}

func newFolder(t *testing.T) folder {
	c := config.Default()
	c.URL = "https://exchange.example"
	f := folder{t, server.Options{Data: t.TempDir(), Config: c, Now: testkit.NewClock().Now}}
	if err := os.Chmod(f.o.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	f.grow(3, nil)
	return f
}

// grow runs the exchange for some events, and for what else is to be done.
func (f folder) grow(n int, also func(s *server.Server)) {
	f.t.Helper()
	s, err := server.Open(f.t.Context(), f.o)
	if err != nil {
		f.t.Fatal(err)
	}
	for range n {
		err := s.DB.Update(f.t.Context(), func(tx *sqlstore.Tx) error {
			_, err := tx.Record(exchange.Event{Kind: exchange.EventFeedback, Actor: exchange.System()})
			return err
		})
		if err != nil {
			f.t.Fatal(err)
		}
	}
	if also != nil {
		also(s)
	}
	if err := s.Close(); err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) log() string { return filepath.Join(f.o.Data, "ledger", "1") }

// wrong lists what is wrong.
func (f folder) wrong() (out []string) {
	f.t.Helper()
	for _, one := range doctor.Examine(f.t.Context(), doctor.Options{Data: f.o.Data, Config: f.o.Config, Now: testkit.Start.Add(time.Hour), Full: true}) {
		if one.State == doctor.Fail && one.Name != "config" {
			out = append(out, one.Name+": "+one.Text)
		}
	}
	return out
}

// A byte of a signature in the journal is named, of whatever checkpoint it is.
func TestSignatureByte(t *testing.T) {
	f := newFolder(t)
	if got := f.wrong(); len(got) > 0 {
		t.Fatalf("before: %q", got)
	}
	path := filepath.Join(f.log(), "journal", "00000001")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	signatures := 0
	const line = "\n\n— exchange.example/log "
	for at := 0; ; {
		next := strings.Index(string(b[at:]), line)
		if next < 0 {
			break
		}
		at += next + len(line)
		signatures++
		changed := append([]byte(nil), b...)
		if changed[at+40] = 'A'; b[at+40] == 'A' {
			changed[at+40] = 'B'
		}
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(f.wrong(), "\n"); !strings.Contains(got, "journal/00000001") && !strings.Contains(got, "signature") {
			t.Errorf("checkpoint %d: %q", signatures, got)
		}
	}
	if signatures < 3 {
		t.Errorf("%d signatures", signatures)
	}
}

// A checkpoint that another key signed is named, also when it is whole in itself and
// others follow it that the log's key signed.
func TestSignatureOfAnotherKey(t *testing.T) {
	f := newFolder(t)
	private, _, err := note.GenerateKey(rand.Reader, "exchange.example/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(f.log(), ledger.Options{Signers: []note.Signer{signer}})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Resign([]note.Signer{signer}); err != nil {
		t.Fatal(err)
	}
	size := l.Size()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f.grow(3, nil)
	got := strings.Join(f.wrong(), "\n")
	if want := "ledger: "; !strings.Contains(got, want) || !strings.Contains(got, fmt.Sprintf("checkpoint of size %d", size)) {
		t.Errorf("%q, want the checkpoint of size %d", got, size)
	}
}

// A log that is not the one that was witnessed is named, without a server.
func TestWitnessed(t *testing.T) {
	for name, c := range map[string]struct {
		size func(is int64) int64
		want string
	}{
		"cut off":   {func(int64) int64 { return 1000 }, "witnesses: they signed 1000 entries"},
		"made anew": {func(is int64) int64 { return is }, "entries of the log are not those that they signed"},
	} {
		f := newFolder(t)
		f.grow(1, func(s *server.Server) {
			c := verify.Checkpoint{Origin: "exchange.example/log", Size: c.size(s.Ledger.Current().Size())}
			err := s.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
				return tx.PutCosignature(1, witness.Cosignature{Size: c.Size, Key: "w+01020304+x", Line: "— w x\n", At: testkit.Start}, []byte(c.Text()+"\n— x y\n"))
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		if got := f.wrong(); len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
