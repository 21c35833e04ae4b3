package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
)

func opener(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// handed are the flags of a submission.
type handed struct {
	release, class, tlp, pap, title, kind, statement, supersedes, expires, relation string
	persons, only, notOrgs, notIn, derived                                          []string
	finer                                                                           finer
}

func (a *app) submitCommand() *cobra.Command {
	var h handed
	cmd := &cobra.Command{
		Use: "submit FILE... --release RELEASE --class CLASS", Short: "Hand in artifacts: STIX bundles, CSAF advisories, Markdown, any file",
		Long: `Hand in artifacts, each with a content class and a handling policy. What the
policy leaves open the program's default fills in. A STIX 2.1 bundle of any size
is streamed; when it breaks a rule every problem is listed with its JSON path and
nothing is stored. The same submission twice is one.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if h.title != "" && len(args) > 1 {
				return usage("--title is for one file")
			}
			if err := moments(time.Now(), &h.expires, &h.finer.from); err != nil {
				return err
			}
			if err := h.finer.join(&h.tlp, time.Now()); err != nil {
				return err
			}
			return a.submitAll(cmd.Context(), args, h)
		},
	}
	f := cmd.Flags()
	f.StringVar(&h.release, "release", "", "release that it becomes part of")
	f.StringVar(&h.class, "class", "", "content class, such as summary, detection-guidance, poc")
	f.StringVar(&h.title, "title", "", "title; from the content or the file name when absent")
	f.StringVar(&h.kind, "kind", "", "stix, csaf, markdown or file; recognised when absent")
	f.StringVar(&h.supersedes, "supersedes", "", "the artifact that it corrects")
	f.StringSliceVar(&h.derived, "derived-from", nil, "artifact or STIX object that it was made from: its handling and its originators govern this one, too")
	f.StringVar(&h.relation, "relation", "", "how it was made: summary, tear-line or report")
	h.policy(cmd)
	_, _ = cmd.MarkFlagRequired("release"), cmd.MarkFlagRequired("class")
	return cmd
}

// policy adds the flags of a handling.
func (h *handed) policy(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&h.tlp, "tlp", "", "TLP label")
	f.StringVar(&h.pap, "pap", "", "PAP level")
	f.StringVar(&h.statement, "statement", "", "further conditions, shown with the item")
	f.StringSliceVar(&h.persons, "person", nil, "login or identifier of a named person of TLP:RED")
	f.StringSliceVar(&h.only, "only", nil, "these organisations alone")
	f.StringSliceVar(&h.notOrgs, "not-org", nil, "never to these organisations")
	f.StringSliceVar(&h.notIn, "not-in", nil, "never in these jurisdictions (country codes)")
	f.StringVar(&h.expires, "expires", "", "from this moment on nobody receives it; never when absent")
	h.finer.flags(f)
}

var receipt = []column{
	{"ID", "artifact.id"},
	{"CLASS", "artifact.class"},
	{"KIND", "artifact.kind"},
	{"FILE", "artifact.filename"},
	{"TLP", "artifact.tlp"},
	{"OBJECTS", "artifact.objects"},
	{"SIZE", "artifact.size"},
	{"DUPLICATE", "duplicate"},
	{"HELD", "held"},
}

// submitAll hands in one file after the other, up to the first that is refused.
// The receipts of those before it are printed in any case: in a pipe each as it
// comes, else together, as one table or one JSON array.
func (a *app) submitAll(ctx context.Context, files []string, h handed) error {
	together := a.json || a.onTerminal() && !a.quiet
	stored := []map[string]any{}
	for n, file := range files {
		m, err := a.submit(ctx, file, h)
		if err != nil {
			if len(files) == 1 {
				return err
			}
			if together && n > 0 {
				err = errors.Join(a.table(stored, receipt), err)
			}
			note := fmt.Sprintf("Of %d files %d were stored before it; %d were not handed in.", len(files), n, len(files)-n-1)
			return &about{err: err, file: file, remedy: note}
		}
		stored = append(stored, m)
		if !together {
			if err := a.table([]map[string]any{m}, receipt); err != nil {
				return err
			}
		}
	}
	if together {
		return a.table(stored, receipt)
	}
	return nil
}

func (h handed) query(filename string) url.Values {
	return h.finer.query(given("class", h.class, "filename", filename, "tlp", h.tlp, "pap", h.pap, "title", h.title, "kind", h.kind,
		"statement", h.statement, "supersedes", h.supersedes, "derived_from", strings.Join(h.derived, ","), "relation", h.relation, "expires", h.expires, "person", strings.Join(h.persons, ","),
		"organisation", strings.Join(h.only, ","), "not_organisation", strings.Join(h.notOrgs, ","), "not_in", strings.Join(h.notIn, ",")))
}

func (a *app) submit(ctx context.Context, file string, h handed) (map[string]any, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	sum, size, err := digest(file)
	if err != nil {
		return nil, err
	}
	bar := a.progress(filepath.Base(file), size)
	defer bar.end()
	res, err := c.Do(ctx, client.Request{
		Method: http.MethodPost, Path: "/releases/" + seg(h.release) + "/artifacts", Query: h.query(filepath.Base(file)),
		Header: http.Header{"Content-Digest": {"sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"}},
		Size:   size, Type: "application/octet-stream",
		Open: func() (io.ReadCloser, error) {
			f, err := os.Open(file)
			if err != nil {
				return nil, fmt.Errorf("opening the file: %w", err)
			}
			return &watched{f, bar}, nil
		},
	})
	if err != nil {
		return nil, err
	}
	m, err := decode(res.Body)
	if err != nil {
		return nil, err
	}
	if m["duplicate"] == true {
		a.done("%s: the same submission is there already; nothing was stored", file)
	}
	for _, w := range itemsOf(m["warnings"]) {
		a.done("%s: %s: %s", file, a.text(w["path"], false), a.text(w["message"], false))
	}
	a.warnBasis(file, m)
	return m, nil
}

type watched struct {
	*os.File
	bar *progress
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.File.Read(b)
	w.bar.add(int64(n))
	return n, err
}

// digest reads a file once, so that the server can tell that it received the
// same bytes.
func digest(file string) (sum []byte, size int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, fmt.Errorf("opening the file: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return nil, 0, fmt.Errorf("reading the file: %w", err)
	}
	return h.Sum(nil), size, nil
}

func (a *app) artifactCommands() *cobra.Command {
	var file string
	fetch := &cobra.Command{
		Use: "get ARTIFACT", Short: "Fetch the bytes of an artifact and verify them", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.fetch(cmd.Context(), args[0], file) },
	}
	fetch.Flags().StringVarP(&file, "output", "o", "", "file to write; the artifact's own name when absent")
	return noun("artifact", "The parts of a release", fetch, a.artifactSimulate(),
		&cobra.Command{
			Use: "show ARTIFACT", Short: "Describe an artifact", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				res, err := a.get(cmd.Context(), "/artifacts/"+seg(args[0]), nil)
				if err != nil {
					return err
				}
				return a.show(res.Body, view{fields: []string{
					"id", "release", "class", "kind", "title", "filename", "tlp", "pap", "statement", "expires_at", "size", "sha256", "objects",
					"originator", "source", "opened_at", "obligations", "superseded",
				}})
			},
		},
		&cobra.Command{
			Use: "remove ARTIFACT", Short: "Take an artifact out of a release before anybody holds it", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				res, err := a.call(cmd.Context(), http.MethodDelete, "/artifacts/"+seg(args[0]), nil, nil)
				if err != nil {
					return err
				}
				a.done("%s is out of the release", args[0])
				return a.show(res.Body, view{fields: []string{"id", "title", "state", "revision"}})
			},
		})
}

func (a *app) fetch(ctx context.Context, id, file string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	res, err := a.get(ctx, "/artifacts/"+seg(id), nil)
	if err != nil {
		return err
	}
	var d struct {
		Filename string `json:"filename"`
		SHA256   string `json:"sha256"`
		Size     int64  `json:"size"`
	}
	if err := json.Unmarshal(res.Body, &d); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if sum, err := hex.DecodeString(d.SHA256); err != nil || len(sum) != sha256.Size {
		return &client.Unverified{Text: "the description of the artifact has no SHA-256; nothing was fetched"}
	}
	if file == "" {
		file = client.FileName(d.Filename)
	}
	bar := a.progress(filepath.Base(file), d.Size)
	defer bar.end()
	if err := c.Download(ctx, "/artifacts/"+seg(id)+"/content", file, d.SHA256, bar.add); err != nil {
		return err
	}
	a.done("verified: SHA-256 %s", d.SHA256)
	_, err = fmt.Fprintln(a.out, file)
	return err
}

func (a *app) pullCommand() *cobra.Command {
	var program, dir string
	cmd := &cobra.Command{
		Use: "pull --program PROGRAM --out DIR", Short: "Bring what a program holds for you into a folder", Args: cobra.NoArgs,
		Long: `Bring what a program holds for you into a folder:

  objects/<type>/<id>/<version>.json   each version of each STIX object, byte for byte
  artifacts/<id>/<file name>           each artifact, compared with its SHA-256

Run again, it fetches what is new; interrupted, it goes on where it ended. What
does not have the SHA-256 of its description is not kept: exit code 7. Files of
what was withdrawn since are not removed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			p, err := a.program(cmd.Context(), program)
			if err != nil {
				return err
			}
			bar := a.progress("pull", -1)
			got, err := (&client.Pull{Client: c, Program: p, Dir: dir, Progress: bar.add}).Run(cmd.Context())
			bar.end()
			if err != nil {
				return a.withoutCollection(cmd.Context(), p, err)
			}
			if a.json {
				return a.printJSON(got)
			}
			_, err = fmt.Fprintf(a.out, "objects\t%d\nartifacts\t%d\nbytes\t%d\n", got.Objects, got.Artifacts, got.Bytes)
			return err
		},
	}
	programFlag(cmd, &program)
	cmd.Flags().StringVar(&dir, "out", "", "the folder; one for each program")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

// withoutCollection adds to "not found" why those who run a program have
// nothing to pull of it.
func (a *app) withoutCollection(ctx context.Context, program string, err error) error {
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != http.StatusNotFound {
		return err
	}
	res, meErr := a.get(ctx, "/me", nil)
	if meErr != nil {
		return err // the first error is the one to tell
	}
	m, meErr := decode(res.Body)
	if meErr != nil {
		return err
	}
	for _, c := range itemsOf(m["collections"]) {
		if c["program"] == program {
			return err
		}
	}
	return &about{err: err, remedy: "You have no collection of " + program + " (see forewarn me): only members have a collection."}
}
