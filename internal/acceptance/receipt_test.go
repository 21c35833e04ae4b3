package acceptance

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/doctor"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

// holder is a member that keeps what proves what it was given. It knows the log's
// key, which it wrote down at the beginning, and package verify.
type holder struct {
	t    *testing.T
	base string
	key  string
	secret
}

type secret string

func (h *holder) get(path, accept string) (*http.Response, []byte) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.base+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+string(h.secret))
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res, b
}

// proves verifies what the member kept, with nothing but the key, and answers the
// root of the objects that the entry states.
func (h *holder) proves(receipt []byte) (verify.Receipt, tlog.Hash) {
	h.t.Helper()
	r, err := verify.ParseReceipt(receipt)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := r.Verify([]string{h.key}, nil); err != nil {
		h.t.Fatal(err)
	}
	var root tlog.Hash
	var text string
	if m := r.Opening.Member("d_objects_root"); m != nil {
		if err := json.Unmarshal(m, &text); err != nil {
			h.t.Fatal(err)
		}
		b, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil || copy(root[:], b) != len(root) {
			h.t.Fatalf("root %q: %v", text, err)
		}
	}
	return r, root
}

// A member that reads a page of objects over TAXII takes with it what proves that it
// was given them: the receipt verifies offline, with each object. It does so still when
// the artifact was recalled and what opens the entry was erased at the exchange, whose
// log and store then hold together as before.
func TestReceiptOutlivesWhatItProves(t *testing.T) {
	data := t.TempDir()
	w := servertest.NewIn(t, data)
	ctx := t.Context()
	r := w.Draft("Advisory", t0)
	guidance := w.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", servertest.Marked(900, "", "", "", ""))
	w.Arm(r.ID)
	w.Clock.Set(t0)
	s := &scene{World: w}
	s.must(w.X.Releases.OpenDue(ctx))
	h := &holder{t: t, base: w.Serve(), secret: secret(w.Token(servertest.EarlyA))}
	_, key := h.get("/log/key", "")
	h.key = strings.TrimSpace(string(key))

	const taxii = "application/taxii+json;version=2.1"
	page, body := h.get("/taxii2/api/collections/"+delivery.CollectionID(testkit.Program)+"/objects/", taxii)
	entry := page.Header.Get("Forewarn-Entry")
	if page.StatusCode != http.StatusOK || entry == "" || strings.Contains(entry, ",") {
		t.Fatalf("%s, entry %q", page.Status, entry)
	}
	given := slices.Compact(regexp.MustCompile(`indicator--[0-9a-f-]{36}`).FindAllString(string(body), -1))
	if len(given) != 4 {
		t.Fatalf("given are %q", given)
	}
	receipts := "/api/v1/ledger/entries/" + entry
	res, receipt := h.get(receipts+"/receipt", "")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", res.Status, receipt)
	}
	_, proofText := h.get(receipts+"/receipt?format=proof", "")
	var proofs [][]byte
	for _, o := range given {
		res, b := h.get(receipts+"/objects/"+o, "")
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", res.Status, b)
		}
		proofs = append(proofs, b)
	}
	if res, b := h.get(receipts+"/objects/"+servertest.MarkedID(901, 0), ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("an object that was not given: %s %s", res.Status, b)
	}
	other := *h
	other.secret = secret(w.Token(servertest.EarlyB))
	if res, b := other.get(receipts+"/receipt", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("to another member: %s %s", res.Status, b)
	}
	kept := func() {
		t.Helper()
		for _, b := range [][]byte{receipt, proofText} {
			p, root := h.proves(b)
			if got := string(p.Opening.Member("kind")); got != `"page.serve"` {
				t.Errorf("the receipt is of %s", got)
			}
			if got := string(p.Opening.Member("actor_org")); got != `"`+string(servertest.EarlyA)+`"` {
				t.Errorf("the receipt is of what %s was given", got)
			}
			if strconv.FormatInt(p.Index+1, 10) != entry {
				t.Errorf("entry %s stands at %d", entry, p.Index)
			}
			for i, b := range proofs {
				var o verify.ObjectProof
				if err := o.UnmarshalJSON(b); err != nil {
					t.Fatal(err)
				}
				if err := o.Verify(root); err != nil || !bytes.Contains(b, []byte(given[i])) {
					t.Errorf("%s: %v", b, err)
				}
				root := root
				root[3] ^= 1
				if o.Verify(root) == nil {
					t.Error("an object is proved with another root")
				}
			}
		}
	}
	kept()

	_, err := w.X.Recalls.Issue(ctx, w.Operator, recall.Act{Kind: recall.Recalled, Artifact: guidance.ID, Reason: "wrong"})
	s.must(err)
	if res, b := h.get("/api/v1/artifacts/"+string(guidance.ID)+"/content", ""); res.StatusCode == http.StatusOK {
		t.Fatalf("what was recalled is still given: %s", b)
	}
	if res, b := h.get(receipts+"/objects/"+given[0], ""); res.StatusCode != http.StatusOK || !bytes.Equal(b, proofs[0]) {
		t.Errorf("recalled: that it was given is not proved any more: %s %s", res.Status, b)
	}
	number, err := strconv.ParseInt(entry, 10, 64)
	s.must(err)
	s.must(w.X.Record.EraseOpening(ctx, w.Operator, number, "a request of the data protection officer"))
	kept() // what the member has is its own
	if res, b := h.get(receipts+"/objects/"+given[0], ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("erased, and objects are proved: %s %s", res.Status, b)
	}
	if res, b := h.get(receipts+"/receipt", ""); res.StatusCode == http.StatusOK {
		p, _ := h.proves(b)
		for _, name := range []string{"d_objects_root", "org", "actor_org", "actor_token"} {
			if p.Opening.Member(name) != nil {
				t.Errorf("erased, and the receipt shows %s", name)
			}
		}
	}
	watch := verify.Watch{Keys: []string{h.key}, Full: true, Fetch: func(ctx context.Context, path string) ([]byte, error) {
		return fetchFrom(ctx, h.base+"/log/", path)
	}}
	if _, report, err := watch.Check(ctx, nil); err != nil || report.Entries < number {
		t.Errorf("the log: %d entries, %v", report.Entries, err)
	}
	now := w.Clock.Now()
	s.must(w.Close())
	c := config.Default()
	for _, f := range doctor.Examine(ctx, doctor.Options{Data: data, Config: c, Now: now, Full: true}) {
		if f.State == doctor.Fail && f.Name != "folder" {
			t.Errorf("the doctor: %s: %s", f.Name, f.Text)
		}
	}
	emptied(t, data, w.Clock, number)
}

// emptied empties an event's row as an erasure does, without one, and one more: what
// was erased without a word is found, as is what was changed of what is left.
func emptied(t *testing.T, data string, clock *testkit.Clock, erased int64) {
	t.Helper()
	w := servertest.Open(t, data, clock)
	find := func(want int64, sql string, args ...any) {
		t.Helper()
		err := w.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
			_, err := tx.Exec(sql, args...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		first := int64(0)
		_, err = sequencer.Check(t.Context(), w.DB.Beneath(), filepath.Join(data, "ledger"), 0, func(f sequencer.Finding) {
			if first == 0 {
				first = f.Seq
			}
		})
		if err != nil || first != want {
			t.Errorf("%s: event %d is named, not %d; %v", sql, first, want, err)
		}
	}
	find(0, `UPDATE event SET seq = seq WHERE seq = ?1`, erased)
	var kept, opening []byte
	err := w.DB.View(t.Context(), func(tx *sqlstore.Tx) error {
		var body, salt []byte
		err := tx.QueryRow(`SELECT e.kept, o.body, o.salt FROM event e, event o WHERE e.seq = ?1 AND o.seq = ?2`, erased, erased-1).Scan(&kept, &body, &salt)
		if err != nil {
			return err
		}
		o, err := verify.Opening{Event: body, Salt: [verify.SaltSize]byte(salt)}.Show(func(name string) bool { return name == "kind" || name == "at" })
		if err == nil {
			opening, err = o.MarshalJSON()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	find(erased, `UPDATE event SET kept = ?2 WHERE seq = ?1`, erased, bytes.Replace(kept, []byte(`"kind"`), []byte(`"kine"`), 1))
	find(erased, `UPDATE event SET kept = NULL WHERE seq = ?1`, erased)
	find(0, `UPDATE event SET kept = ?2 WHERE seq = ?1`, erased, kept)
	find(erased, `UPDATE event SET kind = 'feedback.give' WHERE seq = ?1`, erased)
	find(0, `UPDATE event SET kind = 'page.serve' WHERE seq = ?1`, erased)
	find(erased-1, `UPDATE event SET body = ?2, salt = NULL, kept = ?3, program = '', release = '', org = '', person = '', token = '', number = 0 WHERE seq = ?1`, erased-1, []byte{}, opening)
}
