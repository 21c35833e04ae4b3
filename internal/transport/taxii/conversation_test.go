package taxii_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestConversations holds the conversations of testdata/*.txt with a real
// exchange. A file is blocks that begin with "=== "; what a block captures is
// known to the rest of it. A block is a list of
//
//	GET $c/objects/?limit=2 as reader     a request; the account may be nobody,
//	Accept: application/json              a stranger, or reader by Basic;
//	< {"objects": []}                     Accept: - leaves a header out; what
//	+ gzip                                the body is, and how it is sent: see
//	-> 200                                request
//	X-TAXII-Date-Added-First: *           a header: *: any; -: none; ~ regular expression
//	more = true                           a JSON path: a literal, *, -, ~, or
//	next = $next                          a capture, which a later line compares
//	objects.# = 2                         # is a length
//	objects.0.id = "indicator--1"
//	body = {}                             the whole body, without space around it
//	body has …                            or not: text somewhere in it
//	body not …
//
// Beyond what a block says, every answer is held to §3.1 (media type) and every
// error to §3.6.1 and §1.6.9.
//
// The files *.room.txt write. Their blocks share one collection and run in the
// order in which they stand.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	w := newWorld(t)
	count := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".room.txt") && !w.takesObjects() {
			t.Logf("%s: objects cannot be added yet", file)
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split("\n"+string(text), "\n=== ")
		for _, block := range blocks[1:] {
			title, body, _ := strings.Cut(block, "\n")
			count++
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+title, func(t *testing.T) {
				(&talk{T: t, world: w, vars: map[string]string{}}).hold(body)
			})
		}
	}
	t.Logf("%d conversations", count)
}

// talk is one block as it runs.
type talk struct {
	*testing.T
	world   *world
	vars    map[string]string
	request []string // lines of the request that has not been sent
	answer  *http.Response
	body    string
	json    any
}

var begins = regexp.MustCompile(`^[A-Z]+ \S+ as .+$`)

func (t *talk) hold(block string) {
	for number, line := range strings.Split(block, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		at := fmt.Sprintf("line %d, %s", number+2, line)
		switch {
		case begins.MatchString(line):
			t.request = []string{line}
		case strings.HasPrefix(line, "-> "):
			t.send(at, strings.TrimPrefix(line, "-> "))
		case len(t.request) > 0:
			t.request = append(t.request, line)
		case strings.HasPrefix(line, "body "):
			t.checkBody(at, strings.TrimPrefix(line, "body "))
		case strings.Contains(line, " = "):
			t.checkJSON(at, line)
		default:
			t.checkHeader(at, line)
		}
	}
	if len(t.request) > 0 || t.answer == nil {
		t.Error("the block ends in a request, or has none")
	}
}

var variable = regexp.MustCompile(`\$[a-z]+`)

func (t *talk) expand(s string) string {
	return variable.ReplaceAllStringFunc(s, func(name string) string {
		if v, ok := t.vars[name[1:]]; ok {
			return v
		}
		if v, ok := t.world.vars[name[1:]]; ok {
			return v
		}
		return name
	})
}

func (t *talk) send(at, status string) {
	if len(t.request) == 0 {
		t.Fatalf("%s: no request", at)
	}
	first, account, _ := strings.Cut(t.request[0], " as ")
	method, target, _ := strings.Cut(t.expand(first), " ")
	var headers []string
	for _, line := range t.request[1:] {
		headers = append(headers, t.expand(line))
	}
	t.answer = t.world.ask(method, target, account, headers...)
	t.request = nil
	raw, _ := io.ReadAll(t.answer.Body)
	t.body, t.json = strings.TrimSpace(string(raw)), nil
	if got := strconv.Itoa(t.answer.StatusCode); got != status {
		t.Fatalf("%s: answered %s: %s", at, got, t.body)
	}
	if got := t.answer.Header.Get("Content-Type"); got != "application/taxii+json;version=2.1" {
		t.Errorf("%s: Content-Type %q (§3.1)", at, got)
	}
	if method == "HEAD" {
		return
	}
	if err := json.Unmarshal(raw, &t.json); err != nil {
		t.Fatalf("%s: %v: %s", at, err, t.body)
	}
	if t.answer.StatusCode >= 400 {
		t.checkError(at, status)
	}
}

// checkError is §3.6.1 and, for 401, §1.6.9.
func (t *talk) checkError(at, status string) {
	id := t.answer.Header.Get("X-Request-Id")
	if title, _ := t.at("title"); title == "" || title == nil {
		t.Errorf("%s: an error without a title (§3.6.1)", at)
	}
	for path, want := range map[string]any{"http_status": status, "error_id": id} {
		if got, _ := t.at(path); got != want || want == "" {
			t.Errorf("%s: %s is %v, want %v (§3.6.1)", at, path, got, want)
		}
	}
	if challenges := t.answer.Header["Www-Authenticate"]; (len(challenges) > 0) != (status == "401") {
		t.Errorf("%s: WWW-Authenticate %q (§1.6.9)", at, challenges)
	}
	for _, header := range []string{"X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"} {
		if t.header(header) != "" {
			t.Errorf("%s: %s on an error", at, header)
		}
	}
}

// header finds a header in any spelling.
func (t *talk) header(name string) string {
	for key, values := range t.answer.Header {
		if strings.EqualFold(key, name) {
			return strings.Join(values, ", ")
		}
	}
	return ""
}

func (t *talk) checkHeader(at, line string) {
	name, want, ok := strings.Cut(line, ": ")
	if !ok || t.answer == nil {
		t.Fatalf("%s: cannot be read", at)
	}
	t.compare(at, want, t.header(name), t.header(name) != "")
}

func (t *talk) checkBody(at, rest string) {
	what, want, _ := strings.Cut(rest, " ")
	want = t.expand(want)
	switch what {
	case "=":
		if t.body != want {
			t.Errorf("%s: the body is %s", at, t.body)
		}
	case "has", "not":
		if strings.Contains(t.body, want) != (what == "has") {
			t.Errorf("%s: the body is %s", at, t.body)
		}
	default:
		t.Fatalf("%s: cannot be read", at)
	}
}

func (t *talk) checkJSON(at, line string) {
	path, want, _ := strings.Cut(line, " = ")
	got, found := t.at(path)
	if len(want) > 0 && strings.ContainsRune(`{["`, rune(want[0])) || want == "true" || want == "false" || strings.Trim(want, "0123456789") == "" {
		var literal any
		if err := json.Unmarshal([]byte(t.expand(want)), &literal); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if diff := cmp.Diff(literal, got); diff != "" {
			t.Errorf("%s: %s", at, diff)
		}
		return
	}
	text, _ := got.(string)
	t.compare(at, want, text, found)
}

// compare holds a header or a JSON value to *, -, ~ expression, a capture or a text.
func (t *talk) compare(at, want, got string, found bool) {
	expression, matches := strings.CutPrefix(want, "~ ")
	known := t.expand(want)
	switch {
	case want == "-":
		if found {
			t.Errorf("%s: it is %q", at, got)
		}
	case !found:
		t.Errorf("%s: it is absent", at)
	case want == "*":
	case matches:
		if !regexp.MustCompile(expression).MatchString(got) {
			t.Errorf("%s: it is %q", at, got)
		}
	case strings.HasPrefix(known, "$"):
		t.vars[known[1:]] = got
	case known != got:
		t.Errorf("%s: it is %q", at, got)
	}
}

// at follows a path into the body.
func (t *talk) at(path string) (value any, found bool) {
	value = t.json
	for name := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			if value, found = v[name]; !found {
				return nil, false
			}
		case []any:
			if name == "#" {
				return float64(len(v)), true
			}
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				return nil, false
			}
			value, found = v[i], true
		default:
			return nil, false
		}
	}
	return value, found
}
