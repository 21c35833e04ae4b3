package exchange

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Witnessing says who watches over the ledger for a program, and what follows
// when they do not agree with the exchange. The zero value: nobody does, and
// nothing follows.
type Witnessing struct {
	Quorum    int           // how many of the witnesses must have cosigned what is older than Grace
	Grace     time.Duration // zero: DefaultGrace
	Stop      bool          // no wave opens and no release is sent while they do not agree
	Witnesses []Witness
}

// Witness is one who cosigns the checkpoints of the ledger (C2SP
// tlog-cosignature).
type Witness struct {
	Name string `toml:"name,omitempty"` // short, for people and commands
	Key  string `toml:"key,omitempty"`  // public: name+hash+base64, of type 4
	URL  string `toml:"url,omitempty"`  // where it answers (C2SP tlog-witness); empty: it comes by itself
}

// DefaultGrace is how long witnesses have where a charter does not say.
const DefaultGrace = 15 * time.Minute

const maxWitnesses = 32

// Within is how long witnesses have to cosign an entry.
func (w Witnessing) Within() time.Duration { return cmp.Or(w.Grace, DefaultGrace) }

// ByKey answers the witness with this key.
func (w Witnessing) ByKey(key string) (Witness, bool) {
	i := slices.IndexFunc(w.Witnesses, func(o Witness) bool { return o.Key == key })
	if i < 0 {
		return Witness{}, false
	}
	return w.Witnesses[i], true
}

// check looks at the terms as they stand in a charter.
func (w Witnessing) check(f *findings) {
	n := len(w.Witnesses)
	switch {
	case n == 0 && (w.Quorum != 0 || w.Stop || w.Grace != 0):
		f.add("ledger.witness", "missing: the witnesses that the other keys of [ledger] are about")
	case n > maxWitnesses:
		f.add("ledger.witness", "%d witnesses; a charter has at most %d", n, maxWitnesses)
		return
	case n > 0 && w.Quorum < 1:
		f.add("ledger.quorum", "missing: how many of the %d witnesses have to agree", n)
	case w.Quorum > n:
		f.add("ledger.quorum", "%d is more than the %d witnesses", w.Quorum, n)
	}
	if w.Grace != 0 && (w.Grace < time.Minute || w.Grace > 30*24*time.Hour) {
		f.add("ledger.grace", "between 1m and 720h")
	}
	for i, one := range w.Witnesses {
		path := fmt.Sprintf("ledger.witness[%d]", i)
		f.slug(path+".name", one.Name, "what the witness is called")
		if one.Name != "" && slices.ContainsFunc(w.Witnesses[:i], func(o Witness) bool { return o.Name == one.Name }) {
			f.add(path+".name", "%s stands there twice", clip(one.Name))
		}
		f.fault(path+".key", checkWitnessKey(one.Key))
		if one.Key != "" && slices.ContainsFunc(w.Witnesses[:i], func(o Witness) bool { return o.Key == one.Key }) {
			f.add(path+".key", "stands there twice; each witness has a key of its own")
		}
		u, err := url.Parse(one.URL)
		if one.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
			f.add(path+".url", "not an address such as https://witness.example; leave it out for a witness that comes by itself")
		}
	}
}

// checkWitnessKey wants a public key as C2SP signed-note writes it, of the type of
// Ed25519 cosignatures (4).
func checkWitnessKey(key string) error {
	if key == "" {
		return Fail(Invalid, "missing: the witness's public key, as \"forewarn witness init\" prints it")
	}
	parts := strings.SplitN(key, "+", 3)
	if len(parts) != 3 || parts[0] == "" || strings.ContainsAny(parts[0], " \t\r\n") {
		return Fail(Invalid, "not a public key: name+hash+base64")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	switch {
	case err != nil || len(raw) < 2:
		return Fail(Invalid, "not a public key: name+hash+base64")
	case raw[0] == 1:
		return Fail(Invalid, "a key of type 1, which is a log's; a witness's is of type 4")
	case raw[0] != 4 || len(raw) != 33:
		return Fail(Invalid, "a key of type %d with %d bytes; Ed25519 cosignatures, of type 4 with 32 bytes, are taken", raw[0], len(raw)-1)
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), raw...))
	if hex.EncodeToString(sum[:4]) != parts[1] {
		return Fail(Invalid, "the hash in the key is not that of its name and bytes: it was copied wrong")
	}
	return nil
}

// witnessingDoc is the table [ledger] of a charter.
type witnessingDoc struct {
	Quorum  int       `toml:"quorum,omitempty"`
	Grace   string    `toml:"grace,omitempty"`
	Stop    bool      `toml:"stop,omitempty"`
	Witness []Witness `toml:"witness,omitempty"`
}

func (d witnessingDoc) witnessing(f *findings) Witnessing {
	return Witnessing{Quorum: d.Quorum, Grace: f.span("ledger.grace", d.Grace), Stop: d.Stop, Witnesses: some(d.Witness)}
}

func (w Witnessing) toml() witnessingDoc {
	return witnessingDoc{w.Quorum, spanText(w.Grace), w.Stop, w.Witnesses}
}
