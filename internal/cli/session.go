package cli

import (
	"bufio"
	"cmp"
	"context"
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

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/forewarn-exchange/forewarn/internal/cli/client"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// app is one run of the command.
type app struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string

	urlFlag, tokenFile, profile, color string
	json, quiet, local, yes            bool

	set   settings
	zone  *time.Location
	cache *client.Client

	receipt     string   // file for the receipt of the act
	acts, given []string // numbers of the entries that answers named
}

func newApp(in io.Reader, out, err io.Writer, env func(string) string) *app {
	return &app{in: in, out: out, err: err, env: env, zone: time.UTC}
}

func (a *app) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&a.urlFlag, "url", "", "address of the exchange (FOREWARN_URL)")
	f.StringVar(&a.tokenFile, "token-file", "", "file that holds the token (FOREWARN_TOKEN holds the token itself)")
	f.StringVar(&a.profile, "profile", "", "profile of the configuration file (FOREWARN_PROFILE)")
	f.BoolVar(&a.json, "json", false, "print what the API gave, as JSON")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print identifiers only")
	f.BoolVar(&a.local, "local", false, "show times in this machine's zone, not in UTC")
	f.StringVar(&a.color, "color", "auto", "auto, always or never (NO_COLOR)")
	f.BoolVarP(&a.yes, "yes", "y", false, "do not ask for confirmation")
	f.StringVar(&a.receipt, "receipt", "", "keep the receipt of the act in this file: it verifies without the exchange")
	root.MarkFlagsMutuallyExclusive("json", "quiet")
	_ = root.RegisterFlagCompletionFunc("color", cobra.FixedCompletions([]string{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp))
}

// settings are where the exchange is and who calls, with where each came from.
type settings struct {
	URL       string `toml:"url"`
	TokenFile string `toml:"token_file"`
	Program   string `toml:"program"`

	token  string
	file   string
	name   string
	origin map[string]string
}

type configFile struct {
	Default string              `toml:"default"`
	Profile map[string]settings `toml:"profile"`
}

const defaultURL = "http://127.0.0.1:8080"

// prepare reads the configuration: flag, then environment, then file.
func (a *app) prepare() error {
	switch a.color {
	case "auto", "always", "never":
	default:
		return usage("--color is auto, always or never")
	}
	if a.local {
		a.zone = time.Local
	}
	file := a.configPath()
	var c configFile
	b, err := os.ReadFile(file)
	switch {
	case err == nil:
		if err := decodeConfig(b, &c); err != nil {
			return fmt.Errorf("the configuration %s was not understood: %w", file, err)
		}
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("reading the configuration: %w", err)
	}
	name := cmp.Or(a.profile, a.env("FOREWARN_PROFILE"), c.Default)
	s, known := c.Profile[name]
	if name != "" && !known {
		return usage("the configuration %s has no profile %q", file, name)
	}
	s.file, s.name, s.origin = file, name, map[string]string{}
	from := func(key, value, origin string, to *string) {
		if value != "" {
			*to, s.origin[key] = value, origin
		}
	}
	inProfile := "profile " + name
	from("program", s.Program, inProfile, &s.Program)
	from("url", s.URL, inProfile, &s.URL)
	from("url", a.env("FOREWARN_URL"), "FOREWARN_URL", &s.URL)
	from("url", a.urlFlag, "--url", &s.URL)
	from("token_file", s.TokenFile, inProfile, &s.TokenFile)
	from("token", a.env("FOREWARN_TOKEN"), "FOREWARN_TOKEN", &s.token)
	if a.tokenFile != "" {
		s.token = ""
		delete(s.origin, "token")
		from("token_file", a.tokenFile, "--token-file", &s.TokenFile)
	}
	if s.URL == "" {
		s.URL, s.origin["url"] = defaultURL, "default"
	}
	s.URL = strings.TrimRight(s.URL, "/")
	a.set = s
	return nil
}

func (a *app) configPath() string {
	if dir := a.env("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "forewarn", "config.toml")
	}
	return filepath.Join(a.env("HOME"), ".config", "forewarn", "config.toml")
}

func decodeConfig(b []byte, c *configFile) error {
	err := toml.NewDecoder(strings.NewReader(string(b))).DisallowUnknownFields().Decode(c)
	var strict *toml.StrictMissingError
	if !errors.As(err, &strict) {
		return err
	}
	known := []string{"default", "profile", "url", "token_file", "program"}
	e := strict.Errors[0]
	last := e.Key()[len(e.Key())-1]
	for _, k := range known {
		if len(last) > 1 && strings.HasPrefix(k, last[:2]) {
			return fmt.Errorf("unknown key %s; did you mean %s?", strings.Join(e.Key(), "."), k)
		}
	}
	return fmt.Errorf("unknown key %s; known are %s", strings.Join(e.Key(), "."), strings.Join(known, ", "))
}

// client returns the connection to the exchange.
func (a *app) client() (*client.Client, error) {
	if a.cache != nil {
		return a.cache, nil
	}
	u, err := url.Parse(a.set.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, usage("the address of the exchange is http:// or https:// and a host, without a user; see --url")
	}
	token := a.set.token
	if token == "" && a.set.TokenFile != "" {
		b, err := os.ReadFile(a.set.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("reading the token: %w", err)
		}
		token = strings.TrimSpace(string(b))
	}
	a.cache = &client.Client{
		URL: a.set.URL, Token: token, Agent: "forewarn/" + Version, Entered: a.entered,
		HTTP: &http.Client{
			// A redirect would carry the token elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	return a.cache, nil
}

// call sends a request and returns the answer.
func (a *app) call(ctx context.Context, method, path string, query url.Values, body any, header ...string) (*client.Response, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return c.Do(ctx, client.Request{Method: method, Path: path, Query: query, JSON: body, Header: h})
}

func (a *app) get(ctx context.Context, path string, query url.Values) (*client.Response, error) {
	return a.call(ctx, http.MethodGet, path, query, nil)
}

func (a *app) post(ctx context.Context, path string, body any, header ...string) (*client.Response, error) {
	return a.call(ctx, http.MethodPost, path, nil, body, header...)
}

// seg is one element of a path.
func seg(s string) string { return url.PathEscape(s) }

// given is the query of the pairs whose value is not empty.
func given(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// program is the program that a command is about: named, or of the profile, or
// the only one that the caller has.
func (a *app) program(ctx context.Context, named string) (string, error) {
	if named = cmp.Or(named, a.set.Program); named != "" {
		return named, nil
	}
	res, err := a.get(ctx, "/programs", nil)
	if err != nil {
		return "", err
	}
	var page struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	if err := json.Unmarshal(res.Body, &page); err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	switch len(page.Items) {
	case 0:
		return "", exchange.Fail(exchange.Denied, "you take part in no program")
	case 1:
		return page.Items[0].ID, nil
	}
	ids := make([]string, 0, len(page.Items))
	for _, p := range page.Items {
		ids = append(ids, p.ID)
	}
	return "", usage("say which program with --program: %s", strings.Join(ids, ", "))
}

// programFlag adds --program.
func programFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "program", "", "the program (needed when you have more than one)")
}

// instant reads a moment: RFC 3339, the same without seconds or zone (UTC), a
// date, or a span from now such as +90m, -2h or +3d.
func instant(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
		text := s
		if days, ok := strings.CutSuffix(s, "d"); ok {
			d, err := time.ParseDuration(days + "h")
			if err == nil {
				return now.Add(24 * d).UTC(), nil
			}
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			return time.Time{}, usage("%q is no span of time; write +90m, +2h30m or +3d", s)
		}
		return now.Add(d).UTC(), nil
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usage("%q is no moment; write 2026-12-08T18:00:00Z, 2026-12-08 18:00 (UTC) or +90m", s)
}

// moments reads flags that hold moments; empty ones stay empty texts.
func moments(now time.Time, flags ...*string) error {
	for _, f := range flags {
		if *f == "" {
			continue
		}
		t, err := instant(*f, now)
		if err != nil {
			return err
		}
		*f = t.Format(time.RFC3339Nano)
	}
	return nil
}

// confirm asks the person at the terminal to type the name of what a dangerous
// act concerns. A script has decided already.
func (a *app) confirm(act, name string) error {
	if !a.asks() {
		return nil
	}
	fmt.Fprintf(a.err, "%s. Type %s to go on: ", act, name)
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != name {
		return errors.New("not confirmed; nothing was done")
	}
	return nil
}

// asks reports whether somebody is there to confirm.
func (a *app) asks() bool {
	f, ok := a.in.(*os.File)
	return !a.yes && ok && term.IsTerminal(int(f.Fd()))
}

func (a *app) configCommands() *cobra.Command {
	return noun("config", "Where the exchange and the credential come from", &cobra.Command{
		Use: "show", Short: "Show each setting and where it comes from", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s := a.set
			token := ""
			if s.token != "" {
				token = "(set)" // never the token itself
			}
			var rows []map[string]any
			for _, r := range [][2]string{{"url", s.URL}, {"token", token}, {"token_file", s.TokenFile}, {"program", s.Program}} {
				if r[1] != "" {
					rows = append(rows, map[string]any{"key": r[0], "value": r[1], "origin": s.origin[r[0]]})
				}
			}
			rows = append(rows, map[string]any{"key": "file", "value": s.file, "origin": ""})
			return a.table(rows, columns("key", "value", "origin"))
		},
	})
}

func (a *app) meCommand() *cobra.Command {
	return &cobra.Command{
		Use: "me", Short: "Who is calling, and what they take part in", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			res, err := a.get(cmd.Context(), "/me", nil)
			if err != nil {
				return err
			}
			return a.show(res.Body, view{
				id: "name", fields: []string{"name", "organisation", "roles", "verbs", "program", "tlp_ceiling", "time_zone"},
				parts: []part{
					{"memberships", "memberships", columns("program", "state", "cohort", "accepted_version", "since")},
					{"collections", "collections", columns("id", "program", "title", "can_read", "can_write")},
				},
			})
		},
	}
}
