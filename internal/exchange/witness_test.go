package exchange

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Keys of the form that signed-note has: two of witnesses, one of a log.
const (
	witnessKey1 = "witness.example/w1+bbfab71d+BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"
	witnessKey2 = "witness.example/w2+7134ba4a+BAIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh"
)

const goodWitnesses = `
[ledger]
quorum = 2
grace = "15m"
stop = true

[[ledger.witness]]
name = "edr-a"
key = "` + witnessKey1 + `"
url = "https://witness.example"

[[ledger.witness]]
name = "cert"
key = "` + witnessKey2 + `"
`

func TestWitnessing(t *testing.T) {
	c := mustCharter(t, goodCharter+goodWitnesses)
	want := Witnessing{2, 15 * time.Minute, true, []Witness{{"edr-a", witnessKey1, "https://witness.example"}, {"cert", witnessKey2, ""}}}
	if diff := cmp.Diff(want, c.Ledger); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, err := ParseCharter(c.TOML())
	if err != nil || !cmp.Equal(again.Ledger, want) {
		t.Errorf("written and read again: %+v, %v", again.Ledger, err)
	}
	other := mustCharter(t, goodCharter+strings.Replace(strings.Replace(goodWitnesses, "quorum = 2", "quorum = 1", 1), "https://witness", "https://w2", 1))
	if diff := cmp.Diff([]Change{
		{"ledger.quorum", "2", "1"}, {"ledger.witness[edr-a].url", "https://witness.example", "https://w2.example"},
	}, Diff(c, other)); diff != "" {
		t.Errorf("the difference (-want +got):\n%s", diff)
	}
}

func TestWitnessingIsChecked(t *testing.T) {
	key := func(k string) func(*Witnessing) { return func(w *Witnessing) { w.Witnesses[1].Key = k } }
	address := func(u string) func(*Witnessing) { return func(w *Witnessing) { w.Witnesses[0].URL = u } }
	for _, c := range []struct {
		name    string
		change  func(*Witnessing)
		path    string
		message string
	}{
		{"no quorum", func(w *Witnessing) { w.Quorum = 0 }, "ledger.quorum", "missing"},
		{"negative quorum", func(w *Witnessing) { w.Quorum = -1 }, "ledger.quorum", "missing"},
		{"quorum above the witnesses", func(w *Witnessing) { w.Quorum = 3 }, "ledger.quorum", "more than the 2"},
		{"terms without witnesses", func(w *Witnessing) { w.Witnesses = nil; w.Quorum = 0 }, "ledger.witness", "missing"},
		{"too short a grace", func(w *Witnessing) { w.Grace = time.Second }, "ledger.grace", "between"},
		{"no name", func(w *Witnessing) { w.Witnesses[0].Name = "" }, "ledger.witness[0].name", "missing"},
		{"one name twice", func(w *Witnessing) { w.Witnesses[1].Name = "edr-a" }, "ledger.witness[1].name", "twice"},
		{"one key twice", func(w *Witnessing) { w.Witnesses[1].Key = w.Witnesses[0].Key }, "ledger.witness[1].key", "twice"},
		{"no key", key(""), "ledger.witness[1].key", "missing"},
		{"a log's key", key("witness.example/w2+0ee03eb6+AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh"), "ledger.witness[1].key", "type 1"},
		{"a key of another kind", key("witness.example/w2+6182675f+BgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh"), "ledger.witness[1].key", "type 6"},
		{"another name's key", key(strings.Replace(witnessKey2, "/w2", "/w3", 1)), "ledger.witness[1].key", "copied wrong"},
		{"half a key", key(witnessKey2[:36]), "ledger.witness[1].key", "with 5 bytes"},
		{"an address without a scheme", address("witness.example"), "ledger.witness[0].url", "not an address"},
		{"an address with a password", address("https://a:b@witness.example"), "ledger.witness[0].url", "not an address"},
		{"a file", address("file:///etc/passwd"), "ledger.witness[0].url", "not an address"},
	} {
		charter := mustCharter(t, goodCharter+goodWitnesses)
		c.change(&charter.Ledger)
		ps := charter.Check(charterNow)
		if len(ps) != 1 || ps[0].Path != c.path || !strings.Contains(ps[0].Message, c.message) {
			t.Errorf("%s: %v", c.name, ps)
		}
	}
	if _, err := ParseCharter([]byte(goodCharter + strings.Replace(goodWitnesses, `"15m"`, `"soon"`, 1))); err == nil || !strings.Contains(err.(*Error).Problems[0].Message, "no span of time") {
		t.Errorf("a grace that is no span of time: %v", err)
	}
}
