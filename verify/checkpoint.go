package verify

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxCheckpoint is the largest signed checkpoint that is read, in bytes.
const MaxCheckpoint = 64 << 10

// Checkpoint says how large a log is and what is in it (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Extra  []string // extension lines
}

// Text is the text that is signed.
func (c Checkpoint) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
	for _, x := range c.Extra {
		b.WriteString(x + "\n")
	}
	return b.String()
}

var errCheckpoint = errors.New("not a checkpoint: an origin, a size in decimal digits and a root hash in base 64, a line each")

// ParseCheckpoint reads the text of a checkpoint.
func ParseCheckpoint(text string) (Checkpoint, error) {
	body, ended := strings.CutSuffix(text, "\n")
	lines := strings.Split(body, "\n")
	if !ended || len(lines) < 3 || slices.Contains(lines, "") {
		return Checkpoint{}, errCheckpoint
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, errCheckpoint
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize || strings.Contains(lines[2], "\r") {
		return Checkpoint{}, errCheckpoint
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: tlog.Hash(root), Extra: lines[3:]}, nil
}

// Signed is a checkpoint of which signatures held.
type Signed struct {
	Checkpoint
	Keys    []string      // of the log that signed it, as they were given
	Witness []Cosignature // of the witnesses that were asked for
}

// Cosignature says that a witness saw a checkpoint, and that it goes on from
// those that it had seen before (C2SP tlog-cosignature).
type Cosignature struct {
	Name string
	Key  string // as it was given
	At   time.Time
}

// Failure says what does not hold. Everything else that goes wrong, such as a
// file that cannot be read, is another error.
type Failure struct {
	What  string // in words
	Index int64  // of the first entry that is wrong; -1 when none can be named
}

func (f *Failure) Error() string { return f.What }

func failure(format string, args ...any) error {
	return &Failure{What: fmt.Sprintf(format, args...), Index: -1}
}

// OpenCheckpoint reads a signed checkpoint. At least one of the keys must have
// signed it; a key is written name+hash+base64 (C2SP signed-note). Of witnesses,
// written the same way, those that signed are answered; other signatures are
// passed over. A signature of a known key that does not hold is a *Failure.
func OpenCheckpoint(signed []byte, keys, witnesses []string) (Signed, error) {
	if len(signed) > MaxCheckpoint {
		return Signed{}, failure("larger than %d bytes: not a checkpoint", MaxCheckpoint)
	}
	keys = unique(keys)
	all, cosigners, err := verifiers(keys, unique(witnesses))
	if err != nil {
		return Signed{}, err
	}
	n, err := note.Open(signed, note.VerifierList(all...))
	var bad *note.InvalidSignatureError
	if errors.As(err, &bad) {
		return Signed{}, failure("the signature of %.80q beneath the checkpoint does not hold", bad.Name)
	}
	if err != nil {
		return Signed{}, failure("the checkpoint carries no signature of the log's key, or was changed after it was signed (%v)", err)
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return Signed{}, failure("%v", err)
	}
	out := Signed{Checkpoint: c}
	for _, s := range n.Sigs {
		raw, err := base64.StdEncoding.Strict().DecodeString(s.Base64)
		if err != nil {
			return Signed{}, failure("the signature of %.80q beneath the checkpoint is not in base 64", s.Name)
		}
		for i, k := range keys {
			if all[i].Name() == s.Name && all[i].KeyHash() == s.Hash && s.Name == c.Origin {
				out.Keys = append(out.Keys, k)
			}
		}
		for _, w := range cosigners {
			if w.Name() == s.Name && w.KeyHash() == s.Hash {
				at := time.Unix(int64(binary.BigEndian.Uint64(raw[4:])), 0).UTC()
				out.Witness = append(out.Witness, Cosignature{Name: s.Name, Key: w.key, At: at})
			}
		}
	}
	if len(out.Keys) == 0 {
		return Signed{}, failure("the checkpoint of %.80q is not signed by the log's key", c.Origin)
	}
	return out, nil
}

// verifiers are those of keys, in their order, and of witnesses.
func verifiers(keys, witnesses []string) (all []note.Verifier, cosigners []*WitnessVerifier, err error) {
	if len(keys) == 0 {
		return nil, nil, errors.New("no key of the log is given")
	}
	for _, k := range keys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return nil, nil, fmt.Errorf("the key %.80q is not of the form name+hash+base64", k)
		}
		all = append(all, v)
	}
	for _, k := range witnesses {
		v, err := NewWitnessVerifier(k)
		if err != nil {
			return nil, nil, err
		}
		all, cosigners = append(all, v), append(cosigners, v)
	}
	return all, cosigners, nil
}

// unique are the keys, each once, without white space around them.
func unique(keys []string) (out []string) {
	for _, k := range keys {
		if k = strings.TrimSpace(k); !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// Quorum is a *Failure unless so many of the witnesses that were asked for signed.
func (s Signed) Quorum(k int) error {
	if len(s.Witness) >= k {
		return nil
	}
	return failure("%d of the witnesses signed the checkpoint of %d entries; %d are needed", len(s.Witness), s.Size, k)
}

// algCosignature is the type of a timestamped Ed25519 cosignature (C2SP
// tlog-cosignature).
const algCosignature = 4

// WitnessVerifier checks the cosignatures of one witness. It is a note.Verifier.
type WitnessVerifier struct {
	key, name string
	hash      uint32
	public    ed25519.PublicKey
}

// NewWitnessVerifier reads the public key of a witness: name+hash+base64 of the
// byte 4 and an Ed25519 key.
func NewWitnessVerifier(key string) (*WitnessVerifier, error) {
	key = strings.TrimSpace(key)
	bad := fmt.Errorf("the key %.80q is not that of a witness: name+hash+base64, of the type 4", key)
	name, rest, ok := strings.Cut(key, "+")
	hex, text, ok2 := strings.Cut(rest, "+")
	hash, err := strconv.ParseUint(hex, 16, 32)
	if !ok || !ok2 || err != nil || len(hex) != 8 || name == "" || strings.ContainsAny(name, " \t\r\n") {
		return nil, bad
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature {
		return nil, bad
	}
	if keyHash(name, raw) != uint32(hash) {
		return nil, bad
	}
	return &WitnessVerifier{key: key, name: name, hash: uint32(hash), public: raw[1:]}, nil
}

// keyHash is the ID of a key (C2SP signed-note): the first four bytes of the
// SHA-256 of its name, a line feed, its type and its bytes.
func keyHash(name string, typed []byte) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write(typed)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// Name is the witness's name.
func (v *WitnessVerifier) Name() string { return v.name }

// KeyHash is the ID of its key.
func (v *WitnessVerifier) KeyHash() uint32 { return v.hash }

// Verify reports whether sig, a time and an Ed25519 signature, is the witness's.
func (v *WitnessVerifier) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	if at > 1<<62 {
		return false
	}
	return ed25519.Verify(v.public, cosigned(int64(at), msg), sig[8:])
}

// cosigned is the message that a witness signs.
func cosigned(at int64, text []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatInt(at, 10)+"\n"), text...)
}

// WitnessSigner signs checkpoints as a witness. It is a note.Signer.
type WitnessSigner struct {
	name    string
	hash    uint32
	private ed25519.PrivateKey
	now     func() time.Time
}

// NewWitnessSigner makes the signer of a witness's private key, and its public
// key as text. name may hold no white space and no plus sign.
func NewWitnessSigner(name string, private ed25519.PrivateKey, now func() time.Time) (*WitnessSigner, string, error) {
	if name == "" || strings.ContainsAny(name, "+ \t\r\n") || len(private) != ed25519.PrivateKeySize {
		return nil, "", errors.New("a witness needs a name without white space and plus signs, and an Ed25519 key")
	}
	typed := append([]byte{algCosignature}, private.Public().(ed25519.PublicKey)...)
	hash := keyHash(name, typed)
	key := fmt.Sprintf("%s+%08x+%s", name, hash, base64.StdEncoding.EncodeToString(typed))
	return &WitnessSigner{name, hash, private, now}, key, nil
}

// Name is the witness's name.
func (s *WitnessSigner) Name() string { return s.name }

// KeyHash is the ID of its key.
func (s *WitnessSigner) KeyHash() uint32 { return s.hash }

// Sign signs the text of a checkpoint, with the time.
func (s *WitnessSigner) Sign(msg []byte) ([]byte, error) {
	at := s.now().Unix()
	sig := binary.BigEndian.AppendUint64(nil, uint64(at))
	return append(sig, ed25519.Sign(s.private, cosigned(at, msg))...), nil
}
