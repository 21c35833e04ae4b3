package acceptance

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
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
	const red = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed" // of TLP 1
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
			// What is under TLP:RED, or a part of it, is for named persons, not for machines.
			want := slices.DeleteFunc(slices.Clone(bundle.Objects), func(o json.RawMessage) bool {
				return bytes.Contains(o, []byte(`"granular_markings"`)) || bytes.Contains(o, []byte(red))
			})
			if a.Objects != int64(len(bundle.Objects)) || len(back) != n || n < 1 || filepath.Base(file) != "using-granular-markings.json" && len(want) != len(bundle.Objects) {
				t.Fatalf("%d objects were submitted, %d are kept, %d entries and %d objects came back", len(bundle.Objects), a.Objects, n, len(back))
			}
			if len(back) != len(want) {
				t.Fatalf("%d of %d objects came back", len(back), len(want))
			}
			for i := range back {
				if !bytes.Equal(back[i], want[i]) {
					t.Fatalf("object %d came back as\n%.300s\nand was\n%.300s", i, back[i], want[i])
				}
			}
			total += n
		})
	}
	t.Logf("%d objects of %d files", total, len(files))
}
