package witness_test

import (
	"crypto/sha256"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/internal/witness"
	"github.com/forewarn-exchange/forewarn/verify"
)

// world is an exchange with witnesses that run beside it.
type world struct {
	*servertest.World
	t    *testing.T
	key  sequencer.Key // of the log
	base []byte        // the charter without witnesses
}

func newWorld(t *testing.T) *world {
	w := &world{World: servertest.New(t, func(c *config.Config) { c.Ledger.Allow = []string{"127.0.0.0/8"} }), t: t, base: testkit.CharterTOML()}
	err := w.DB.View(t.Context(), func(tx *sqlstore.Tx) error {
		keys, err := tx.LogKeys(1)
		if err == nil {
			w.key = keys[0]
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// one is a witness beside the exchange.
type one struct {
	*witness.Witness
	name, url string
}

func (w *world) witness(name string) one {
	dir := filepath.Join(w.t.TempDir(), name)
	if _, err := witness.Init(dir, "witness.example/"+name); err != nil {
		w.t.Fatal(err)
	}
	v, err := witness.Open(dir, []string{w.key.Public}, witness.Options{Now: w.Clock.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	srv := httptest.NewServer(v.Handler())
	w.t.Cleanup(func() { srv.Close(); _ = v.Close() })
	return one{v, name, srv.URL}
}

// charter puts witnesses into the charter in force.
func (w *world) charter(terms string, ones ...one) {
	w.t.Helper()
	var b strings.Builder
	b.Write(w.base)
	b.WriteString("\n[ledger]\n" + terms + "\n")
	for _, o := range ones {
		b.WriteString("[[ledger.witness]]\nname = \"" + o.name + "\"\nkey = \"" + o.Key() + "\"\n")
		if o.url != "" {
			b.WriteString("url = \"" + o.url + "\"\n")
		}
	}
	if _, err := w.X.Programs.Apply(w.t.Context(), w.Operator, []byte(b.String()), false); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) round() {
	w.t.Helper()
	if err := w.X.Witnesses.Round(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) status(a exchange.Actor) room.Status {
	w.t.Helper()
	s, err := w.X.Witnesses.Status(w.t.Context(), a, testkit.Program)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) events(kind exchange.EventKind) []string {
	w.t.Helper()
	es, err := w.Events(kind)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range es {
		out = append(out, string(e.Body))
	}
	return out
}

// forged is a checkpoint of another history that the log's own key signed.
func (w *world) forged(size int64, text string) []byte {
	w.t.Helper()
	signer, err := note.NewSigner(w.key.Private)
	if err != nil {
		w.t.Fatal(err)
	}
	c := verify.Checkpoint{Origin: signer.Name(), Size: size, Root: tlog.Hash(sha256.Sum256([]byte(text)))}
	b, err := note.Sign(&note.Note{Text: c.Text()}, signer)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// shown is the forged checkpoint as the witness that was shown it signs it.
func (o one) shown(t *testing.T, forged []byte) []byte {
	t.Helper()
	line, err := o.AddCheckpoint(verify.WitnessRequest(0, nil, forged))
	if err != nil {
		t.Fatal(err)
	}
	return append(forged, line...)
}

// cosign is a checkpoint with the signature of a witness that sees it first.
func (o one) cosign(t *testing.T, checkpoint []byte) []byte { return o.shown(t, checkpoint) }

func standings(s room.Status) (out []string) {
	for _, o := range s.Witnesses {
		out = append(out, o.Name+" "+string(o.Standing))
	}
	return out
}

// armed is a release whose first wave is due a day after now.
func (w *world) armed() exchange.Release {
	w.t.Helper()
	r := w.Draft("A case", w.Clock.Now().Add(40*24*time.Hour).Truncate(time.Hour))
	w.Package(r.ID, 3)
	return w.Arm(r.ID)
}
