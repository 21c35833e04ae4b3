package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Pull brings what a program holds for the caller into a folder:
//
//	objects/<type>/<id>/<version>.json   the exact bytes of each object version
//	artifacts/<id>/<file name>           each artifact, compared with its SHA-256
//	.forewarn-pull.json                  where the pull stands
//
// Files appear whole or not at all. Run again, it fetches what is new. What was
// withdrawn since is not removed.
type Pull struct {
	Client   *Client
	Program  string
	Dir      string
	Progress func(bytes int64) // may be nil
}

// Pulled says what a pull brought.
type Pulled struct {
	Program   string `json:"program"`
	Objects   int    `json:"objects"`   // new
	Artifacts int    `json:"artifacts"` // new
	Bytes     int64  `json:"bytes"`
	Cursor    string `json:"cursor,omitempty"`
}

// Unverified is an error of the content: what came is not what was described.
type Unverified struct{ Text string }

func (u *Unverified) Error() string { return u.Text }

const stateName = ".forewarn-pull.json"

type pullState struct {
	URL       string            `json:"url"`
	Program   string            `json:"program"`
	Cursor    string            `json:"cursor,omitempty"`
	Artifacts map[string]string `json:"artifacts"` // id -> SHA-256 of what was verified
}

// Run pulls. What was brought before an error stays and is not fetched again.
func (p *Pull) Run(ctx context.Context) (Pulled, error) {
	out := Pulled{Program: p.Program}
	st, err := p.load()
	if err != nil {
		return out, err
	}
	if err := p.tidy(); err != nil {
		return out, err
	}
	if err := p.objects(ctx, &st, &out); err != nil {
		return out, err
	}
	out.Cursor = st.Cursor
	return out, p.artifacts(ctx, &st, &out)
}

func (p *Pull) load() (pullState, error) {
	st := pullState{URL: p.Client.URL, Program: p.Program, Artifacts: map[string]string{}}
	b, err := os.ReadFile(filepath.Join(p.Dir, stateName))
	if errors.Is(err, os.ErrNotExist) {
		return st, os.MkdirAll(p.Dir, 0o700)
	}
	if err != nil {
		return st, fmt.Errorf("reading where the pull stands: %w", err)
	}
	var old pullState
	if err := json.Unmarshal(b, &old); err != nil {
		return st, fmt.Errorf("reading where the pull stands: %s is damaged: %w", stateName, err)
	}
	if old.Program != p.Program {
		return st, fmt.Errorf("the folder holds the program %s; give %s a folder of its own", old.Program, p.Program)
	}
	if old.URL != p.Client.URL {
		return st, fmt.Errorf("the folder was pulled from %s; give this exchange a folder of its own", old.URL)
	}
	if old.Artifacts == nil {
		old.Artifacts = map[string]string{}
	}
	return old, nil
}

// unfinished is the name of a file that writeWhole did not come to rename.
var unfinished = regexp.MustCompile(`^\.new-[0-9]+$`)

// tidy removes the files that an interrupted pull left half written.
func (p *Pull) tidy() error {
	return filepath.WalkDir(p.Dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return fmt.Errorf("looking for unfinished files: %w", err)
		case e.IsDir() && path == filepath.Join(p.Dir, "artifacts"):
			return fs.SkipDir // their parts are taken up again, and their names are others' choice
		case e.Type().IsRegular() && unfinished.MatchString(e.Name()):
			return os.Remove(path)
		}
		return nil
	})
}

func (p *Pull) save(st pullState) error {
	b, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return fmt.Errorf("writing where the pull stands: %w", err)
	}
	return writeWhole(filepath.Join(p.Dir, stateName), append(b, '\n'), true)
}

type objectsPage struct {
	More    bool   `json:"more"`
	Next    string `json:"next"`
	Entries []struct {
		Type    string `json:"type"`
		Version string `json:"version"`
	} `json:"entries"`
	Objects []json.RawMessage `json:"objects"`
}

func (p *Pull) objects(ctx context.Context, st *pullState, out *Pulled) error {
	for {
		q := url.Values{"limit": {"1000"}, "versions": {"all"}}
		if st.Cursor != "" {
			q.Set("cursor", st.Cursor)
		}
		res, err := p.Client.Do(ctx, Request{Method: http.MethodGet, Path: "/programs/" + url.PathEscape(p.Program) + "/objects", Query: q})
		if err != nil {
			return err
		}
		var page objectsPage
		if err := json.Unmarshal(res.Body, &page); err != nil {
			return &Unverified{"a page of objects is not whole: " + err.Error()}
		}
		if len(page.Entries) != len(page.Objects) {
			return &Unverified{"a page of objects does not have one entry for each object"}
		}
		for i, raw := range page.Objects {
			name, err := objectFile(raw, page.Entries[i].Version)
			if err != nil {
				return err
			}
			if err := writeWhole(filepath.Join(p.Dir, "objects", name), raw, false); err != nil {
				return err
			}
			p.count(out, int64(len(raw)))
			out.Objects++
		}
		if page.Next != "" && page.Next != st.Cursor {
			st.Cursor = page.Next
			if err := p.save(*st); err != nil {
				return err
			}
		}
		if !page.More || len(page.Objects) == 0 {
			return nil
		}
	}
}

func (p *Pull) count(out *Pulled, n int64) {
	out.Bytes += n
	if p.Progress != nil {
		p.Progress(n)
	}
}

var (
	stixID   = regexp.MustCompile(`^([a-z0-9][a-z0-9-]{0,248}[a-z0-9])--[0-9a-fA-F-]{36}$`)
	timeName = strings.NewReplacer("-", "", ":", "")
	versions = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}(\.[0-9]{1,9})?Z$`)
)

// objectFile names the file of an object version. Names come from the content,
// so nothing but their strict form is let through.
func objectFile(raw json.RawMessage, version string) (string, error) {
	var o struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return "", &Unverified{"an object cannot be read: " + err.Error()}
	}
	m := stixID.FindStringSubmatch(o.ID)
	name := timeName.Replace(version)
	if m == nil || m[1] != o.Type || !versions.MatchString(name) {
		return "", &Unverified{"an object has an identifier, a type or a version that is none"}
	}
	return filepath.Join(o.Type, o.ID, name+".json"), nil
}

type pulledArtifact struct {
	ID       string `json:"id"`
	Filename string `json:"filename"`
	SHA256   string `json:"sha256"`
	Size     int64  `json:"size"`
	Removed  string `json:"removed_at"`
	Partial  bool   `json:"partial"` // it comes as objects; there are no bytes
}

func (p *Pull) artifacts(ctx context.Context, st *pullState, out *Pulled) error {
	var releases []struct {
		ID string `json:"id"`
	}
	err := p.Client.Pages(ctx, "/programs/"+url.PathEscape(p.Program)+"/releases", nil, func(item json.RawMessage) error {
		releases = append(releases, struct {
			ID string `json:"id"`
		}{})
		return json.Unmarshal(item, &releases[len(releases)-1])
	})
	if err != nil {
		return err
	}
	for _, r := range releases {
		err := p.Client.Pages(ctx, "/releases/"+url.PathEscape(r.ID)+"/artifacts", nil, func(item json.RawMessage) error {
			var a pulledArtifact
			if err := json.Unmarshal(item, &a); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			return p.artifact(ctx, a, st, out)
		})
		if gone(err) {
			continue // withdrawn between the list and its parts
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func gone(err error) bool {
	var problem *Problem
	return errors.As(err, &problem) && (problem.Status == http.StatusNotFound || problem.Status == http.StatusGone)
}

var artifactID = regexp.MustCompile(`^[a-z]+_[a-z2-7]{16}$`)

func (p *Pull) artifact(ctx context.Context, a pulledArtifact, st *pullState, out *Pulled) error {
	if !artifactID.MatchString(a.ID) {
		return &Unverified{"an artifact has an identifier that is none"}
	}
	path := filepath.Join(p.Dir, "artifacts", a.ID, FileName(a.Filename))
	if info, err := os.Stat(path); a.Removed != "" || a.Partial || err == nil && st.Artifacts[a.ID] == a.SHA256 && info.Size() == a.Size {
		return nil
	}
	err := p.Client.Download(ctx, "/artifacts/"+a.ID+"/content", path, a.SHA256, func(n int64) { p.count(out, n) })
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	out.Artifacts++
	st.Artifacts[a.ID] = a.SHA256
	return p.save(*st)
}

// FileName makes a submitted name safe on this machine: one path element that
// is neither hidden nor special.
func FileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/\:`, r) {
			return '_'
		}
		return r
	}, s)
	if s = strings.TrimLeft(s, "."); s == "" || len(s) > 255 {
		return "content"
	}
	return s
}

// Download brings the bytes at path into a file, taking up an interrupted
// download where it ended, and compares them with sum, their SHA-256 in hex.
// The file appears only when they agree; otherwise the error is Unverified.
func (c *Client) Download(ctx context.Context, path, file, sum string, progress func(int64)) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	part := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+".part")
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening a file: %w", err)
	}
	defer func() { _ = f.Close() }() // a second Close after the one that counts
	hash := sha256.New()
	have, err := io.Copy(hash, f)
	if err != nil {
		return fmt.Errorf("reading a part: %w", err)
	}
	r := Request{Method: http.MethodGet, Path: path, Header: http.Header{}}
	if have > 0 {
		r.Header.Set("Range", "bytes="+strconv.FormatInt(have, 10)+"-")
		r.Header.Set("If-Range", `"`+sum+`"`)
	}
	res, err := c.Stream(ctx, r)
	var p *Problem
	if errors.As(err, &p) && p.Status == http.StatusRequestedRangeNotSatisfiable {
		return c.afresh(ctx, f, path, file, sum, progress)
	}
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if have > 0 && res.StatusCode != http.StatusPartialContent {
		hash.Reset()
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("writing a file: %w", err)
		}
		if err := f.Truncate(0); err != nil {
			return fmt.Errorf("writing a file: %w", err)
		}
	}
	if _, err := io.Copy(io.MultiWriter(f, hash), &counted{res.Body, progress}); err != nil {
		return &Unreachable{fmt.Errorf("reading the content: %w", err)}
	}
	if hex.EncodeToString(hash.Sum(nil)) != sum {
		_ = os.Remove(part) // the next try begins afresh either way
		return &Unverified{"what was received for " + filepath.Base(file) + " does not have the SHA-256 that its description gives; it was not kept"}
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("writing a file: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("writing a file: %w", err)
	}
	return os.Rename(part, file)
}

// afresh begins a download again whose part does not fit the content.
func (c *Client) afresh(ctx context.Context, f *os.File, path, file, sum string, progress func(int64)) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("writing a file: %w", err)
	}
	return c.Download(ctx, path, file, sum, progress)
}

type counted struct {
	io.Reader
	progress func(int64)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if n > 0 && c.progress != nil {
		c.progress(int64(n))
	}
	return n, err
}

// writeWhole writes a file so that it appears whole or not at all.
func writeWhole(path string, data []byte, durable bool) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("making a file: %w", err)
	}
	_, err = f.Write(data)
	if err == nil && durable {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what is left of a failed write
		return fmt.Errorf("writing a file: %w", err)
	}
	return nil
}
