package acceptance

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// Real bundles are taken without loss: what a member reads of them is, byte for
// byte and in order, what was submitted.
func TestRealBundles(t *testing.T) {
	var files []string
	for _, folder := range []string{"attack", "stix-examples"} {
		some, err := filepath.Glob(filepath.Join(testkit.Data(t, folder), "*.json"))
		if err != nil || len(some) == 0 {
			t.Fatalf("%s: %d files, %v", folder, len(some), err)
		}
		files = append(files, some...)
	}
	total := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var bundle struct{ Objects []json.RawMessage }
			if err := json.Unmarshal(raw, &bundle); err != nil {
				t.Fatal(err)
			}
			w := servertest.New(t)
			t0 := w.Clock.Now().AddDate(0, 1, 0)
			r := w.Draft("Real", t0)
			a := w.Submit(r.ID, exchange.DetectionGuidance, filepath.Base(file), bytes.NewReader(raw))
			w.Arm(r.ID)
			w.Clock.Set(t0.Add(time.Hour))
			var got []byte
			n := 0
			q := delivery.Query{Limit: 1000, Versions: delivery.Versions{All: true}}
			for more := true; more; {
				p, err := w.X.Delivery.Page(t.Context(), w.Machine(servertest.EarlyA), testkit.Program, q)
				if err != nil || len(p.Entries) == 0 {
					t.Fatalf("after %d objects: %v", n, err)
				}
				var b strings.Builder
				if err := p.WriteObjects(&b); err != nil {
					t.Fatal(err)
				}
				n += len(p.Entries)
				more, q.After = p.More, p.Entries[len(p.Entries)-1].Added
				if len(got) > 0 {
					got = append(got, ',')
				}
				got = append(got, b.String()...)
			}
			var back []json.RawMessage
			if err := json.Unmarshal([]byte("["+string(got)+"]"), &back); err != nil {
				t.Fatal(err)
			}
			if a.Objects != int64(len(bundle.Objects)) || len(back) != n || n < 1 {
				t.Fatalf("%d objects were submitted, %d are kept, %d entries and %d objects came back", len(bundle.Objects), a.Objects, n, len(back))
			}
			if filepath.Base(file) == "using-granular-markings.json" {
				partly(t, w, a, raw, bundle.Objects, back)
				return
			}
			if len(back) != len(bundle.Objects) {
				t.Fatalf("%d of %d objects came back", len(back), len(bundle.Objects))
			}
			for i := range back {
				if !bytes.Equal(back[i], bundle.Objects[i]) {
					t.Fatalf("object %d came back as\n%.300s\nand was\n%.300s", i, back[i], bundle.Objects[i])
				}
			}
			total += n
		})
	}
	t.Logf("%d objects of %d files", total, len(files))
}

// partly holds what a machine has of the example of granular markings: an
// identity without markings whole; of the indicator all but the description,
// which is TLP:RED, under an identifier of its own; nothing of the threat actor
// and of the relationship to it, which are TLP:RED. Those who run the program
// have it all.
func partly(t *testing.T, w *servertest.World, a exchange.Artifact, raw []byte, was, back []json.RawMessage) {
	t.Helper()
	if len(was) != 4 || len(back) != 2 {
		t.Fatalf("%d of %d objects came back, want the identity and a copy of the indicator", len(back), len(was))
	}
	var kept, copied map[string]any
	for i, into := range []*map[string]any{&kept, &copied} {
		if err := json.Unmarshal([][]byte{was[1], back[1]}[i], into); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(back[0], was[0]) || copied["id"] == kept["id"] || !strings.HasPrefix(copied["id"].(string), "indicator--") {
		t.Errorf("the identity is\n%s\nand the copy is named %v", back[0], copied["id"])
	}
	if text := string(back[1]); copied["description"] != nil || strings.Contains(text, "Joker") || strings.Contains(text, kept["id"].(string)) {
		t.Errorf("what is withheld stands in the copy:\n%s", text)
	}
	for _, name := range []string{"type", "created", "name", "indicator_types", "pattern", "pattern_type", "valid_from"} {
		if !reflect.DeepEqual(copied[name], kept[name]) {
			t.Errorf("%s of the copy is %v, want %v", name, copied[name], kept[name])
		}
	}
	c, err := w.X.Delivery.Content(t.Context(), w.Operator, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got, err := io.ReadAll(io.NewSectionReader(c, 0, int64(len(raw))+1)); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("who runs the program has %d of %d bytes, %v", len(got), len(raw), err)
	}
}
