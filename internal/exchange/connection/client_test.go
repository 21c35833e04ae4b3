package connection

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func example(c Client) setup {
	root := "https://exchange.example/taxii2/api/"
	in := setup{
		Client: c, Connection: "con_aaaaaaaaaaaaaaaa", Name: "siem-prod", Exchange: "https://exchange.example",
		Discovery: "https://exchange.example/taxii2/", APIRoot: root,
		User: "fw_abcdefghijkl", Secret: "fw_abcdefghijkl_" + strings.Repeat("a", 52), Expires: "2027-08-30",
	}
	for _, p := range [][3]string{
		{"early-warning", "3f1d2c4b-5a69-4788-8f96-a5b4c3d2e1f0", "Early warning"},
		{"vuln-desk", "0a1b2c3d-4e5f-4a6b-8c7d-9e8f7a6b5c4d", "Desk: \"vulnerabilities\" & O'Hara $HOME #1"},
	} {
		in.Collections = append(in.Collections, setupCollection{p[0], p[1], p[2], root + "collections/" + p[1] + "/"})
	}
	return in
}

// TestGolden keeps each client's settings as they are in testdata, and sound in
// the form that its product reads.
func TestGolden(t *testing.T) {
	for _, c := range Clients {
		t.Run(c.ID, func(t *testing.T) {
			b, err := render(example(c))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", c.ID+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(b.Text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.Text); diff != "" {
				t.Errorf("run go test -run TestGolden -update and look at the difference:\n%s", diff)
			}
			sound(t, b)
		})
	}
}

// TestHostileTitles puts texts into the settings that would break out of them.
func TestHostileTitles(t *testing.T) {
	for _, c := range Clients {
		in := example(c)
		in.Collections = in.Collections[:1]
		in.Collections[0].Title = "a\nb\u2028c\" ' $(touch pwned) `touch pwned` \\ */ \"\"\" # \u202e\x00\xff: -"
		b, err := render(in)
		if err != nil {
			t.Fatal(err)
		}
		sound(t, b)
		plain, err := render(example(c))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.Text, "\u202e") || strings.ContainsAny(b.Text, "\x00\u2028") || strings.Contains(plain.Text, "<no value>") {
			t.Errorf("%s: control characters or gaps", c.ID)
		}
	}
}

// sound checks a block by a reader of its form.
func sound(t *testing.T, b Block) {
	t.Helper()
	switch b.Client.Format {
	case "yaml":
		fields(t, b.Text)
	case "sh":
		command(t, b.Text, "sh", "-n")
	case "python":
		command(t, b.Text, "python3", "-c", "import ast,sys; ast.parse(sys.stdin.read())")
	default:
		t.Errorf("unknown form %q", b.Client.Format)
	}
}

func command(t *testing.T, in, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Errorf("%s is not here", name)
		}
		t.Logf("%s is not here: not checked", name)
		return
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// pair is a line of a block mapping: a plain key, and a scalar that is JSON as
// well, or single-quoted (YAML 1.2 §7.3), with a comment or none.
var pair = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _]*: ("(?:[^"\\]|\\.)*"|'[^']*'|true|[0-9]+)(?: # .*)?$`)

// fields checks that the text is YAML of the simplest kind: documents of one
// flat mapping, each with the credential.
func fields(t *testing.T, text string) {
	t.Helper()
	documents := strings.Split(text, "\n---\n")
	if len(documents) < 2 {
		t.Fatalf("no document:\n%s", text)
	}
	for i, d := range documents {
		for line := range strings.Lines(d) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, "# ") || i == 0 && line == "" {
				continue
			}
			m := pair.FindStringSubmatch(line)
			if i == 0 || m == nil || m[1][0] == '"' && !json.Valid([]byte(m[1])) {
				t.Errorf("not a field of a mapping: %q", line)
			}
		}
		if i > 0 && !strings.Contains(d, "fw_abcdefghijkl") {
			t.Errorf("a document without the credential: %s", d)
		}
	}
}
