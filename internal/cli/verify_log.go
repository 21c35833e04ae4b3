package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
	"github.com/forewarn-exchange/forewarn/verify"
)

// maxLogFile bounds a file of a log: a bundle of 256 entries of the largest kind.
const maxLogFile = 17 << 20

// fetcher reads the files of a log at an address, or in a folder.
func fetcher(where string) (verify.Fetch, error) {
	if !strings.Contains(where, "://") {
		if info, err := os.Stat(where); err != nil || !info.IsDir() {
			return nil, usage("%q is neither an address, such as https://exchange.example/log, nor a folder", where)
		}
		root := os.DirFS(where)
		return func(_ context.Context, path string) ([]byte, error) { return fs.ReadFile(root, path) }, nil
	}
	u, err := url.Parse(where)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, usage("the address of a log is http:// or https:// and a host, without a user")
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/log"
	}
	u.RawQuery, u.Fragment = "", ""
	hc := &http.Client{Timeout: time.Minute}
	return func(ctx context.Context, path string) ([]byte, error) {
		return fetchFile(ctx, hc, u.JoinPath(path).String())
	}, nil
}

func fetchFile(ctx context.Context, hc *http.Client, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "forewarn/"+Version)
	res, err := hc.Do(req)
	if err != nil {
		return nil, &client.Unreachable{Err: err}
	}
	defer func() { _ = res.Body.Close() }() // only read from
	switch {
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		return nil, fmt.Errorf("%s: %w", address, fs.ErrNotExist)
	case res.StatusCode != http.StatusOK:
		return nil, &client.Unreachable{Err: fmt.Errorf("%s answered %s", address, res.Status)}
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxLogFile+1))
	if err != nil {
		return nil, &client.Unreachable{Err: err}
	}
	if len(b) > maxLogFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", address, maxLogFile)
	}
	return b, nil
}

// watchLog is one look at a log.
type watchLog struct {
	app     *app
	trust   *trust
	address string
	state   string
	other   string
	full    bool
	newest  []byte // the checkpoint that was fetched
}

func (w *watchLog) run(ctx context.Context) error {
	fetch, err := fetcher(w.address)
	if err != nil {
		return err
	}
	if w.state == "" {
		w.state = w.app.statePath(w.trust.keys)
	}
	last, err := readState(w.state)
	if err != nil {
		return err
	}
	bar := w.app.progress("entries", 0)
	watch := verify.Watch{
		Fetch: func(ctx context.Context, path string) ([]byte, error) {
			b, err := fetch(ctx, path)
			if path == "checkpoint" {
				w.newest = b
			}
			return b, err
		},
		Keys: w.trust.keys, Witnesses: w.trust.witnesses, Quorum: w.trust.quorum, Full: w.full,
	}
	done := int64(0)
	watch.Progress = func(now, all int64) {
		if bar != nil {
			bar.total = all
		}
		bar.add(now - done)
		done = now
	}
	next, report, err := watch.Check(ctx, last)
	bar.end()
	if err == nil && w.other != "" {
		err = w.agree(ctx, fetch)
	}
	if err != nil {
		return w.failed(last, err)
	}
	if err := writeState(w.state, next); err != nil {
		return err
	}
	return w.show(report)
}

// agree compares the log with a checkpoint that came from elsewhere.
func (w *watchLog) agree(ctx context.Context, fetch verify.Fetch) error {
	signed, err := w.app.read(w.other)
	if err != nil {
		return err
	}
	if err := verify.Split(ctx, signed, w.newest, w.trust.keys, fetch); err != nil {
		return fmt.Errorf("%s and the log: %w", w.other, err)
	}
	return nil
}

// failed keeps what contradicts, and says what does not hold.
func (w *watchLog) failed(last *verify.State, err error) error {
	var f *verify.Failure
	if errors.As(err, &f) && last != nil && len(w.newest) > 0 {
		seen, now := w.state+".seen", w.state+".now"
		if keep := errors.Join(writeAtomic(seen, []byte(last.Checkpoint)), writeAtomic(now, w.newest)); keep != nil {
			return errors.Join(w.app.unverified(w.address, err), keep)
		}
		err = fmt.Errorf("%w (the checkpoint that was seen before is kept in %s, the newest in %s)", err, seen, now)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &about{err: fmt.Errorf("%s: %w", w.address, err), remedy: "Is this the address of a log? It ends in /log."}
	}
	return w.app.unverified(w.address, err)
}

type logJSON struct {
	Valid     bool           `json:"valid"`
	Origin    string         `json:"origin"`
	Size      int64          `json:"size"`
	Root      string         `json:"root"`
	First     bool           `json:"first"`
	Last      int64          `json:"last_size,omitempty"`
	Entries   int64          `json:"entries_read,omitempty"`
	Cosigned  int64          `json:"cosigned_size,omitempty"`
	Witnesses []cosignerJSON `json:"witnesses"`
	Keys      []string       `json:"keys"`
	Closed    bool           `json:"closed,omitempty"`
	Successor string         `json:"successor,omitempty"`
	NextKey   string         `json:"successor_key,omitempty"`
	State     string         `json:"state"`
}

func (w *watchLog) show(r verify.WatchReport) error {
	a, c := w.app, r.Checkpoint
	out := logJSON{
		Valid: true, Origin: c.Origin, Size: c.Size, Root: c.Root.String(), First: r.Last < 0, Last: max(r.Last, 0),
		Entries: r.Entries, Witnesses: []cosignerJSON{}, Closed: r.Closed, State: w.state,
	}
	for _, k := range r.Keys {
		if k.Until < 0 {
			out.Keys = append(out.Keys, k.Key)
		}
	}
	if r.Cosigned != nil {
		out.Cosigned, out.Witnesses = r.Cosigned.Size, cosignersJSON(r.Cosigned.Witness)
	}
	if r.Successor != nil {
		out.Successor, out.NextKey = r.Successor.Origin, r.Successor.Key
	}
	if a.json {
		return a.printJSON(out)
	}
	if a.quiet {
		_, err := fmt.Fprintln(a.out, c.Size)
		return err
	}
	lines := []string{fmt.Sprintf("%s: %d entries, root %s", clean(c.Origin), c.Size, out.Root)}
	switch {
	case out.First:
		lines = append(lines, "this is the first look: there is nothing yet to compare with; the next one will compare with this")
	case r.Last == c.Size:
		lines = append(lines, "unchanged since the last look")
	default:
		lines = append(lines, fmt.Sprintf("goes on from the %d entries of the last look; nothing before them changed", r.Last))
	}
	if w.full {
		lines = append(lines, fmt.Sprintf("all %d entries were read; each is the one in the tree", r.Entries))
	}
	if r.Cosigned != nil {
		for _, x := range r.Cosigned.Witness {
			lines = append(lines, fmt.Sprintf("%s saw the %d entries, %s", clean(x.Name), r.Cosigned.Size, a.moment(x.At, a.onTerminal())))
		}
	}
	if w.other != "" {
		lines = append(lines, fmt.Sprintf("agrees with the checkpoint in %s", clean(w.other)))
	}
	if r.Closed {
		lines = append(lines, "the log is closed: nothing is added any more")
	}
	if r.Successor != nil {
		lines = append(lines, fmt.Sprintf("it goes on as %s; look at that from now on: forewarn verify log %s --key %s",
			clean(out.Successor), beside(w.address, c.Origin, out.Successor), clean(out.NextKey)))
	}
	_, err := fmt.Fprintln(a.out, strings.Join(append(lines, "VALID"), "\n"))
	return err
}

// beside is the address of the log that follows one at the address.
func beside(address, origin, successor string) string {
	site, ok := strings.CutSuffix(strings.TrimRight(address, "/"), "/"+verify.LogPath(origin))
	if !ok {
		return "ADDRESS"
	}
	return site + "/" + verify.LogPath(successor)
}

// statePath is where what was seen of a log is kept.
func (a *app) statePath(keys []string) string {
	dir := cmp.Or(a.env("XDG_STATE_HOME"), filepath.Join(a.env("HOME"), ".local", "state"))
	name := "log"
	if len(keys) > 0 {
		name, _, _ = strings.Cut(strings.TrimSpace(keys[0]), "+")
	}
	return filepath.Join(dir, "forewarn", "logs", url.PathEscape(name)+".json")
}

func readState(file string) (*verify.State, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was seen before: %w", err)
	}
	s := new(verify.State)
	if err := json.Unmarshal(b, s); err != nil || s.Origin == "" || s.Checkpoint == "" {
		return nil, fmt.Errorf("%s is not the file of what was seen of a log; nothing was compared", file)
	}
	return s, nil
}

func writeState(file string, s verify.State) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeAtomic(file, append(b, '\n'))
}

// writeAtomic writes a file that is there whole or not at all.
func writeAtomic(file string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("keeping what was seen: %w", err)
	}
	t, err := os.CreateTemp(filepath.Dir(file), ".seen-*")
	if err != nil {
		return fmt.Errorf("keeping what was seen: %w", err)
	}
	defer func() { _ = os.Remove(t.Name()) }() // gone when it was renamed
	_, err = t.Write(b)
	err = errors.Join(err, t.Sync(), t.Close())
	if err == nil {
		err = os.Rename(t.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("keeping what was seen: %w", err)
	}
	return nil
}
