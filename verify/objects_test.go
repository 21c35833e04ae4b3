package verify_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

func versions(n int) []verify.ObjectVersion {
	all := make([]verify.ObjectVersion, n)
	for i := range all {
		all[i] = verify.ObjectVersion{
			ID:      fmt.Sprintf("indicator--00000000-0000-4000-8000-%012d", i),
			Version: verify.VersionAt(1_767_225_600_000_000 + int64(i)*1_000_001),
		}
	}
	return all
}

// The root is what x/mod's tlog makes of the leaves as they are written down, and
// each object is proved by it, and by no other root.
func TestObjects(t *testing.T) {
	salt := [verify.SaltSize]byte{1, 2, 3}
	for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100, 129} {
		all := versions(n)
		var hashes []tlog.Hash
		for i, v := range all {
			s := sha256.Sum256(binary.BigEndian.AppendUint64(salt[:], uint64(i)))
			leaf := slices.Concat(s[:16], []byte(v.ID), []byte{0}, []byte(v.Version))
			more, err := tlog.StoredHashes(int64(i), leaf, reader(hashes))
			if err != nil {
				t.Fatal(err)
			}
			hashes = append(hashes, more...)
		}
		want, err := tlog.TreeHash(int64(n), reader(hashes))
		if err != nil {
			t.Fatal(err)
		}
		root := verify.ObjectsRoot(salt, all)
		if root != want {
			t.Fatalf("%d objects: root %v, want %v", n, root, want)
		}
		other := verify.ObjectsRoot([verify.SaltSize]byte{9}, all)
		for i := range all {
			p, err := verify.ProveObject(salt, all, i)
			if err != nil {
				t.Fatal(err)
			}
			path, err := tlog.ProveRecord(int64(n), int64(i), reader(hashes))
			if err != nil || !slices.Equal(path, p.Proof) {
				t.Fatalf("object %d of %d: %v, %v, want %v", i, n, p.Proof, err, path)
			}
			if err := p.Verify(root); err != nil {
				t.Errorf("object %d of %d: %v", i, n, err)
			}
			for what, change := range map[string]func(p *verify.ObjectProof){
				"id": func(p *verify.ObjectProof) { p.ID += "0" }, "version": func(p *verify.ObjectProof) { p.Version = "" },
				"salt": func(p *verify.ObjectProof) { p.Salt[3]++ }, "index": func(p *verify.ObjectProof) { p.Index++ },
				"split": func(p *verify.ObjectProof) { p.ID, p.Version = p.ID+"\x00"+p.Version, "" },
				"none":  func(p *verify.ObjectProof) { p.ID = "" }, "before": func(p *verify.ObjectProof) { p.Index = -1 },
				"count": func(p *verify.ObjectProof) { p.Count = 0 }, "long": func(p *verify.ObjectProof) { p.Proof = append(p.Proof, root) },
			} {
				bad := p
				bad.Proof = slices.Clone(p.Proof)
				change(&bad)
				var f *verify.Failure
				if err := bad.Verify(root); !errors.As(err, &f) {
					t.Errorf("object %d of %d with another %s: %v, want a failure", i, n, what, err)
				}
			}
			if p.Verify(other) == nil {
				t.Errorf("object %d of %d stands under another root", i, n)
			}
		}
	}
	if got := verify.ObjectsRoot(salt, nil); got != sha256.Sum256(nil) {
		t.Errorf("no objects: %v", got)
	}
	if _, err := verify.ProveObject(salt, versions(2), 2); err == nil {
		t.Error("an object that is not there was proved")
	}
}

type reader []tlog.Hash

func (r reader) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range at {
		out = append(out, r[i])
	}
	return out, nil
}

func TestObjectProofJSON(t *testing.T) {
	p, err := verify.ProveObject([verify.SaltSize]byte{7}, versions(5), 3)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back verify.ObjectProof
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, back); diff != "" {
		t.Errorf("read back: %s", diff)
	}
	for _, bad := range []string{
		`{}`, `[]`, `{"id":"a","salt":"","index":0,"count":1,"proof":[]}`,
		strings.Replace(string(text), `"index"`, `"place"`, 1), strings.Replace(string(text), `"proof":["`, `"proof":["=`, 1),
	} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestVersionOf(t *testing.T) {
	const id = `"id":"indicator--0","type":"indicator"`
	scalar := `{"type":"ipv4-addr","id":"ipv4-addr--1","value":"198.51.100.1"}`
	for in, want := range map[string]string{
		`{` + id + `,"created":"2026-01-02T03:04:05Z","modified":"2026-01-02T03:04:06.5Z"}`:           "2026-01-02T03:04:06.500000Z",
		` {` + id + `,"modified":"2026-01-02T03:04:06.123456789123Z","created":"x"} `:                 "2026-01-02T03:04:06.123456Z",
		`{` + id + `,"created":"2026-01-02T03:04:05Z"}`:                                               "2026-01-02T03:04:05.000000Z",
		`{` + id + `,"modified":"2016-12-31T23:59:60.25Z"}`:                                           "2017-01-01T00:00:00.250000Z",
		`{` + id + `,"\u006dodified":"2026-01-02T03:04:05Z"}`:                                         "2026-01-02T03:04:05.000000Z",
		`{` + id + `,"created":"2026-01-02T03:04:05Z","x":{"modified":"2027-01-02T03:04:05.000Z"}}`:   "2026-01-02T03:04:05.000000Z",
		`{` + id + `,"created":"2026-01-02T03:04:05Z","Modified":"2027-01-02T03:04:05.000Z"}`:         "2026-01-02T03:04:05.000000Z",
		`{` + id + `,"created":"2026-01-02T03:04:05Z","modified":"2026-01-02T03:04:06.1234567+1Z"}`:   "2026-01-02T03:04:05.000000Z",
		`{` + id + `,"created":"2026-01-02T03:04:05Z","modified":"2026-01-02T03:04:06+01:00"}`:        "2026-01-02T03:04:05.000000Z",
		`{` + id + `,"created":"2026-01-02T03:04:05Z","modified":"2026-01-02T03:04:06,5Z"}`:           "2026-01-02T03:04:05.000000Z",
		`{` + id + `,"created":"2026-01-02T03:04:05Z","modified":12}`:                                 "2026-01-02T03:04:05.000000Z",
		`{` + id + `,"created":"2026-01-02T03:04:05Z","modified":"2026-02-30T03:04:06.000Z"}`:         "2026-01-02T03:04:05.000000Z",
		`{` + id + `,"created":"2026-01-02T03:04:05Z","modified":"2026-01-02T03:4:06.000000000000Z"}`: "2026-01-02T03:04:05.000000Z",
		"\n" + scalar + "\n": verify.ContentVersion([]byte(scalar)),
	} {
		v, err := verify.VersionOf([]byte(in))
		if err != nil || v.Version != want || v.ID == "" {
			t.Errorf("%s: %q, %v, want %q", in, v, err, want)
		}
	}
	for _, in := range []string{``, `[]`, `{}`, `{"id":5}`, `{"id":"a","id":"b"}`, `{"id":"a"`, `{"id":"a\u0000b"}`, `{"id":"a"}{}`} {
		if v, err := verify.VersionOf([]byte(in)); err == nil {
			t.Errorf("%s was read as %v", in, v)
		}
	}
}

func FuzzObjectProof(f *testing.F) {
	salt := [verify.SaltSize]byte{1}
	all := versions(6)
	root := verify.ObjectsRoot(salt, all)
	for i := range all {
		p, _ := verify.ProveObject(salt, all, i)
		b, _ := json.Marshal(p)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p verify.ObjectProof
		if json.Unmarshal(b, &p) != nil || p.Verify(root) != nil {
			return
		}
		if p.Index >= int64(len(all)) || p.ObjectVersion != all[p.Index] || p.Count != int64(len(all)) {
			// A subtree's leaf stands at more than one index for trees of other sizes.
			if !slices.Contains(all, p.ObjectVersion) {
				t.Errorf("%s proves %v", b, p.ObjectVersion)
			}
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var back verify.ObjectProof
		if err := json.Unmarshal(again, &back); err != nil || back.Verify(root) != nil {
			t.Errorf("%s does not hold when it is written again: %v", b, err)
		}
	})
}

func FuzzVersionOf(f *testing.F) {
	f.Add([]byte(`{"id":"a--0","modified":"2026-01-02T03:04:06.123456Z"}`))
	f.Add([]byte(`{"id":"a--0","created":"2016-12-31T23:59:60Z"}`))
	f.Add([]byte(`{"id":"a--0"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := verify.VersionOf(b)
		if err != nil {
			return
		}
		spaced, err := verify.VersionOf(slices.Concat([]byte(" "), b, []byte("\n")))
		if err != nil || spaced != v || v.ID == "" || v.Version == "" {
			t.Errorf("%q: %v, then %v, %v", b, v, spaced, err)
		}
	})
}

func BenchmarkObjectsRoot(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			all := versions(n)
			salt := [verify.SaltSize]byte{byte(rand.IntN(256))}
			b.ReportAllocs()
			for b.Loop() {
				verify.ObjectsRoot(salt, all)
			}
		})
	}
}
