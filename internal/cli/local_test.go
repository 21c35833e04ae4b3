package cli_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/demo"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// TestDemoProcess runs the demonstration as a process of its own: what its
// ready file says works over HTTP, it is small when it is idle, and SIGTERM ends
// it with success and without a trace.
func TestDemoProcess(t *testing.T) {
	dir, temp := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "ready.json")
	cmd := exec.Command("forewarn", "demo", "--listen", "127.0.0.1:0", "--ready", file)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "HOME="+dir)
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // when the test ends early
	r := awaitReady(t, file, ended)
	t.Logf("ready after %v", time.Since(start).Round(time.Millisecond))
	checkReady(t, r)
	kib, known := resident(t, cmd.Process.Pid)
	for end := time.Now().Add(30 * time.Second); known && kib > 100_000; kib, _ = resident(t, cmd.Process.Pid) {
		if time.Now().After(end) { // memory goes back to the system a moment later
			t.Fatalf("%d KiB are resident when it is idle; at most 100,000", kib)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("resident when idle: %d KiB", kib)
	start = time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("SIGTERM ends it with %v", err)
		}
		t.Logf("ended after %v", time.Since(start).Round(time.Millisecond))
	case <-time.After(time.Minute):
		t.Fatal("SIGTERM does not end it")
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("its temporary folder holds %v (%v)", left, err)
	}
}

func awaitReady(t *testing.T, file string, ended chan error) (r demo.Ready) {
	t.Helper()
	for {
		select {
		case err := <-ended:
			t.Fatalf("it ended before it was ready: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatalf("the ready file is not whole when it appears: %v", err)
		}
		return r
	}
}

// checkReady asks TAXII and the API with every account, and without one.
func checkReady(t *testing.T, r demo.Ready) {
	t.Helper()
	ask := func(want int, url string, sign func(*http.Request)) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "application/taxii+json;version=2.1, application/json;q=0.5")
		sign(req)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want {
			t.Errorf("GET %s answers %s (%v); want %d", url, resp.Status, err, want)
		}
		return b
	}
	ask(http.StatusUnauthorized, r.TAXII, func(*http.Request) {})
	readable := map[string]bool{}
	for _, name := range r.Collections[0].Readable {
		readable[name] = true
	}
	for _, a := range r.Accounts {
		ask(http.StatusOK, r.TAXII, func(req *http.Request) { req.SetBasicAuth(a.User, a.Password) })
		want := http.StatusNotFound
		if readable[a.Name] {
			want = http.StatusOK
		}
		ask(want, r.TAXII+"collections/"+r.Collections[0].ID+"/objects/", func(req *http.Request) {
			req.Header.Set("Authorization", "Bearer "+a.Token)
		})
	}
}

// resident is the resident size of a process in KiB, where Linux tells it.
func resident(t *testing.T, pid int) (kib int, ok bool) {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, false
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		return 0, false
	}
	kib, err = strconv.Atoi(string(m[1]))
	return kib, err == nil
}

// TestRecover holds that the link of forewarn recover opens a session once, and
// not after its quarter of an hour.
func TestRecover(t *testing.T) {
	run := func(args ...string) []byte {
		t.Helper()
		out, err := exec.Command("forewarn", args...).Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out
	}
	data := filepath.Join(t.TempDir(), "exchange")
	run("init", "--data", data)
	link := regexp.MustCompile(`code=([a-z2-7]{52})`)
	first := link.FindSubmatch(run("recover", "--data", data, "--person", "admin@home"))
	late := link.FindSubmatch(run("recover", "--data", data, "--person", "admin@home"))
	if first == nil || late == nil {
		t.Fatal("no link")
	}
	var offset time.Duration
	s, err := server.Open(t.Context(), server.Options{
		Data: data, Config: config.Default(), Now: func() time.Time { return time.Now().Add(offset) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, _, a, err := s.Authn.SignIn(t.Context(), string(first[1])); err != nil || a.Name != "admin@home" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, _, _, err := s.Authn.SignIn(t.Context(), string(first[1])); err == nil {
		t.Error("the link works twice")
	}
	offset = 16 * time.Minute
	if _, _, _, err := s.Authn.SignIn(t.Context(), string(late[1])); err == nil {
		t.Error("the link works after a quarter of an hour")
	}
}
