package cli_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/forewarn-exchange/forewarn/internal/cli"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"forewarn": func() { os.Exit(cli.Main(os.Args[1:])) },
	})
}

// TestScripts runs the stories of testdata/script. Beyond what testscript has,
// they know:
//
//	world              an exchange on a clock that stands still, with the program
//	                   and the members of servertest
//	clock +24h         moves that clock on, and opens what is due
//	as NAME            sets the token: operator, approver-a, auditor, admin, or a member
//	exits N CMD...     runs a command and compares its exit code
//	keep NAME [RE]     keeps stdout, or what the first group of RE finds there
//	await FILE         waits until a file is there and not empty
//	envfile FROM TO    copies a file with the variables in it filled in
//	tokenfile FILE     writes the present token into a file
//	replaced FILE A B  replaces a text in a file, where it must stand
//	moment NAME +2h [FORMAT]   sets a variable to a moment from now, RFC 3339 or a Go form
//	eventually RE CMD...       repeats a command until its stdout matches, for 30 s
//	files N DIR        compares the number of files below a folder
//	flip FILE OFFSET   changes one bit
//	swap FILE A B      replaces the kind of an event in the bytes of a database
//	receiver NAME KEYS FILE    a machine that takes webhooks; round sends them
//
// and the condition [data] (real data is there) with its folder in $DATA. $VERIFIER is
// the second verifier of receipts and bundles.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Condition: func(cond string) (bool, error) {
			_, err := os.Stat(testkit.DataFolder())
			return cond == "data" && err == nil, nil
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("DATA", testkit.DataFolder())
			verifier, err := filepath.Abs("../../verify/testdata/verify.py")
			if err != nil {
				return err
			}
			e.Setenv("VERIFIER", verifier)
			e.Values[worldKey{}] = &stage{t: t}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"world": world, "clock": clock, "as": as, "exits": exits, "keep": keep, "await": await,
			"envfile": envfile, "tokenfile": tokenfile, "replaced": replaced,
			"moment": moment, "eventually": eventually, "files": files,
			"receiver": receiver, "round": round, "flip": flip, "swap": swap,
		},
	})
}

type worldKey struct{}

// stage is what one script plays on.
type stage struct {
	t *testing.T
	w *servertest.World
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(worldKey{}).(*stage) }

func world(ts *testscript.TestScript, _ bool, _ []string) {
	s := stageOf(ts)
	s.w = servertest.New(s.t, servertest.AllowLoopback)
	ts.Setenv("FOREWARN_URL", s.w.Serve())
	ts.Setenv("PROGRAM", string(testkit.Program))
}

func clock(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	s.w.Clock.Advance(d)
	ts.Check(s.w.X.Releases.OpenDue(s.t.Context()))
}

func as(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	org, name := exchange.OrgID(args[0]), "analyst"
	if org != servertest.Outsider && !isMember(org) {
		org, name = testkit.Owner, args[0]
	}
	verbs := []exchange.Verb{exchange.VerbOperate}
	if len(args) > 1 {
		verbs = []exchange.Verb{exchange.Verb(args[1])}
	}
	secret, _, err := s.w.X.Members.IssueToken(s.t.Context(), exchange.System(), membership.TokenRequest{
		Person: testkit.Person(org, name).ID, Name: "script", Verbs: verbs, TTL: 24 * time.Hour,
	})
	ts.Check(err)
	ts.Setenv("FOREWARN_TOKEN", secret)
}

func isMember(org exchange.OrgID) bool {
	for _, m := range servertest.Members {
		if m == org {
			return true
		}
	}
	return false
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("%s exited with %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args[1:], " "), code, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

func keep(ts *testscript.TestScript, _ bool, args []string) {
	text := strings.TrimSpace(ts.ReadFile("stdout"))
	if len(args) > 1 {
		m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(text)
		if len(m) < 2 {
			ts.Fatalf("stdout does not hold %s:\n%s", args[1], text)
		}
		text = m[1]
	}
	ts.Setenv(args[0], text)
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			return
		}
	}
	ts.Fatalf("%s did not appear", args[0])
}

func moment(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	form := time.RFC3339
	if len(args) > 2 {
		form = args[2]
	}
	ts.Setenv(args[0], time.Now().UTC().Add(d).Format(form))
}

func eventually(ts *testscript.TestScript, _ bool, args []string) {
	re := regexp.MustCompile("(?m)" + args[0])
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err := ts.Exec(args[1], args[2:]...); err == nil && re.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("%s does not come to say %s:\n%s%s", strings.Join(args[1:], " "), args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
}

func files(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	n := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	}))
	if n != want {
		ts.Fatalf("%s holds %d files, want %d", args[1], n, want)
	}
}

func write(ts *testscript.TestScript, file, text string) {
	ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
}

func envfile(ts *testscript.TestScript, _ bool, args []string) {
	write(ts, args[1], os.Expand(ts.ReadFile(args[0]), ts.Getenv))
}

func tokenfile(ts *testscript.TestScript, _ bool, args []string) {
	write(ts, args[0], ts.Getenv("FOREWARN_TOKEN")+"\n")
}

func replaced(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	write(ts, args[0], strings.ReplaceAll(text, args[1], args[2]))
}
