package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// ObjectVersion names one version of one object that was given.
//
// Version is the instant of the object's modified, else of its created, as VersionAt
// writes it. An object that has neither has the hash of its bytes as they were given,
// as ContentVersion writes it, or none where it was named and not given.
type ObjectVersion struct {
	ID      string `json:"id"` // as given: of a redacted copy its own
	Version string `json:"version,omitempty"`
}

// VersionAt is the version of an object that was modified at the instant, in Unix
// microseconds: RFC 3339 in UTC with six fraction digits. The exchange keeps no finer
// ones; who compares cuts them off.
func VersionAt(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000000Z")
}

// ContentVersion is the version of an object without modified and created: "sha256:"
// and the hexadecimal SHA-256 of its bytes, from { to }.
func ContentVersion(object []byte) string {
	h := sha256.Sum256(object)
	return "sha256:" + hex.EncodeToString(h[:])
}

// VersionOf reads the id and the version of a STIX 2.1 object. object is its bytes
// as they were received; what stands around it does not matter.
func VersionOf(object []byte) (ObjectVersion, error) {
	object = bytes.Trim(object, " \t\r\n")
	var v ObjectVersion
	var modified, created int64
	err := members(object, func(name string, value []byte) error {
		switch name {
		case "id":
			return json.Unmarshal(value, &v.ID)
		case "modified":
			modified = micros(value)
		case "created":
			created = micros(value)
		}
		return nil
	})
	switch {
	case err != nil:
		return ObjectVersion{}, fmt.Errorf("reading an object: %w", err)
	case v.ID == "" || strings.Contains(v.ID, "\x00"):
		return ObjectVersion{}, errors.New("reading an object: it has no id")
	case modified != 0:
		v.Version = VersionAt(modified)
	case created != 0:
		v.Version = VersionAt(created)
	default:
		v.Version = ContentVersion(object)
	}
	return v, nil
}

// micros reads a STIX timestamp (STIX 2.1 §2.16) as Unix microseconds, finer digits
// cut off; a leap second is the first of the next minute. 0: it is none.
func micros(value []byte) int64 {
	var text string
	if json.Unmarshal(value, &text) != nil || len(text) < 20 || len(text) > 64 || !strings.HasSuffix(text, "Z") {
		return 0
	}
	leap := strings.HasPrefix(text[11:], "23:59:60")
	if leap {
		text = text[:17] + "59" + text[19:]
	}
	t, err := time.Parse("2006-01-02T15:04:05.999999999Z", cut(text))
	if err != nil || text[13] != ':' || text[19] != '.' && text[19] != 'Z' {
		return 0
	}
	at := t.UnixMicro()
	if leap {
		at += 1e6
	}
	return at
}

// cut takes off the fraction digits after the sixth.
func cut(text string) string {
	const whole = len("2006-01-02T15:04:05.000000")
	if len(text) <= whole+1 {
		return text
	}
	for _, c := range text[whole : len(text)-1] {
		if c < '0' || c > '9' {
			return "" // not a timestamp
		}
	}
	return text[:whole] + "Z"
}

// maxObjects bounds the objects of one disclosure.
const maxObjects = 1 << 40

// objectSalt is the salt of one leaf: the first half of the SHA-256 of the salt and
// the index in 8 bytes, the highest first.
func objectSalt(salt [SaltSize]byte, index int64) (s [SaltSize]byte) {
	var b [SaltSize + 8]byte
	copy(b[:], salt[:])
	binary.BigEndian.PutUint64(b[SaltSize:], uint64(index))
	h := sha256.Sum256(b[:])
	copy(s[:], h[:])
	return s
}

// leaf hashes one object as RFC 6962 §2.1 hashes leaves,
// over its salt, its id, a zero byte, and its version. buf is memory to use.
func (v ObjectVersion) leaf(salt [SaltSize]byte, buf *[]byte) tlog.Hash {
	b := append((*buf)[:0], 0) // the mark of a leaf
	b = append(b, salt[:]...)
	b = append(b, v.ID...)
	b = append(b, 0)
	b = append(b, v.Version...)
	*buf = b
	return sha256.Sum256(b)
}

// node is the hash of an inner node (RFC 6962 §2.1).
func node(left, right *tlog.Hash) tlog.Hash {
	var b [1 + 2*tlog.HashSize]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+tlog.HashSize:], right[:])
	return sha256.Sum256(b[:])
}

// ObjectsRoot is the root of the Merkle tree (RFC 6962 §2.1) over objects in the order
// in which they were given. The leaf of the object at index i is its salt, its id, a
// zero byte, and its version; its salt is the first 16 bytes of the SHA-256 of salt and
// i, in 8 bytes, the highest first. Leaves are salted because the identifiers of
// observables follow from what they say: who is shown a root, or one object of it, must
// not be able to try others.
func ObjectsRoot(salt [SaltSize]byte, all []ObjectVersion) tlog.Hash {
	if len(all) == 0 {
		return sha256.Sum256(nil)
	}
	var few [256]byte
	buf := few[:0]
	var stack [48]tlog.Hash // complete subtrees, the largest first
	n := 0
	for i, v := range all {
		stack[n] = v.leaf(objectSalt(salt, int64(i)), &buf)
		n++
		for range bits.TrailingZeros64(uint64(i) + 1) {
			n--
			stack[n-1] = node(&stack[n-1], &stack[n])
		}
	}
	for ; n > 1; n-- {
		stack[n-2] = node(&stack[n-2], &stack[n-1])
	}
	return stack[0]
}

// ObjectProof proves that one version of an object was among those that a disclosure
// gave: with the root that the event of the disclosure states. It says nothing of the
// other objects but how many they are.
type ObjectProof struct {
	ObjectVersion
	Salt  [SaltSize]byte // of this leaf
	Index int64
	Count int64
	Proof tlog.RecordProof // from the leaf to the root
}

// ProveObject makes the proof of the object at the index.
func ProveObject(salt [SaltSize]byte, all []ObjectVersion, index int) (ObjectProof, error) {
	if index < 0 || index >= len(all) {
		return ObjectProof{}, fmt.Errorf("there is no object %d among %d", index, len(all))
	}
	p := ObjectProof{ObjectVersion: all[index], Salt: objectSalt(salt, int64(index)), Index: int64(index), Count: int64(len(all))}
	level := make([]tlog.Hash, len(all))
	var buf []byte
	for i, v := range all {
		level[i] = v.leaf(objectSalt(salt, int64(i)), &buf)
	}
	for ; len(level) > 1; index /= 2 {
		if beside := index ^ 1; beside < len(level) {
			p.Proof = append(p.Proof, level[beside])
		}
		for i := 0; i+1 < len(level); i += 2 {
			level[i/2] = node(&level[i], &level[i+1])
		}
		if n := len(level); n%2 == 1 {
			level[n/2] = level[n-1]
		}
		level = level[:(len(level)+1)/2]
	}
	return p, nil
}

// Verify checks the proof against the root that the event states. What does not hold
// is a *Failure.
func (p ObjectProof) Verify(root tlog.Hash) error {
	if p.ID == "" || strings.Contains(p.ID, "\x00") || p.Index < 0 || p.Index >= p.Count || p.Count > maxObjects {
		return failure("the proof is not of an object")
	}
	var buf []byte
	if tlog.CheckRecord(p.Proof, p.Count, root, p.Index, p.leaf(p.Salt, &buf)) != nil {
		return failure("the disclosure does not hold %.80q in version %.80q as object %d of %d: the object or the proof was changed, or is of another disclosure",
			p.ID, p.Version, p.Index+1, p.Count)
	}
	return nil
}

// objectProofJSON is a proof as it is written. Bytes are standard base 64 without
// padding.
type objectProofJSON struct {
	ObjectVersion
	Salt  string   `json:"salt"`
	Index int64    `json:"index"`
	Count int64    `json:"count"`
	Proof []string `json:"proof"`
}

// MarshalJSON writes the proof as {"id":…,"version":…,"salt":…,"index":…,"count":…,
// "proof":[…]}.
func (p ObjectProof) MarshalJSON() ([]byte, error) {
	j := objectProofJSON{p.ObjectVersion, b64.EncodeToString(p.Salt[:]), p.Index, p.Count, make([]string, len(p.Proof))}
	for i, h := range p.Proof {
		j.Proof[i] = b64.EncodeToString(h[:])
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads a proof. It verifies nothing.
func (p *ObjectProof) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var j objectProofJSON
	if err := d.Decode(&j); err != nil {
		return fmt.Errorf("reading the proof of an object: %w", err)
	}
	if len(j.Proof) > 63 {
		return errors.New("reading the proof of an object: more than 63 hashes")
	}
	out := ObjectProof{ObjectVersion: j.ObjectVersion, Index: j.Index, Count: j.Count}
	if err := unbase(out.Salt[:], j.Salt, "salt"); err != nil {
		return err
	}
	for i, text := range j.Proof {
		var h tlog.Hash
		if err := unbase(h[:], text, fmt.Sprintf("proof[%d]", i)); err != nil {
			return err
		}
		out.Proof = append(out.Proof, h)
	}
	*p = out
	return nil
}
