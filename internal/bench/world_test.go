package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// folderVariable makes the test binary a server of the folder that it names.
const folderVariable = "FOREWARN_BENCH_FOLDER"

// unlimited is a configuration that refuses no client for being fast.
func unlimited() config.Config {
	c := config.Default()
	c.RequestsPerSecond = -1
	return c
}

// reopened closes the world and serves its folder without a limit of requests,
// until the benchmark ends.
func reopened(b *testing.B, w *servertest.World, folder string) (*server.Server, string) {
	b.Helper()
	clock := w.Clock
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	s, err := server.Open(b.Context(), server.Options{Data: folder, Config: unlimited(), Now: clock.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	web := httptest.NewUnstartedServer(nil)
	s.SetURL("http://" + web.Listener.Addr().String())
	web.Config.Handler = s.Handler()
	web.Start()
	b.Cleanup(web.Close)
	return s, web.URL
}

// serveUntilStdinEnds is what the process does that is measured alone.
func serveUntilStdinEnds(folder string) error {
	start := time.Now()
	s, err := server.Open(context.Background(), server.Options{
		Data: folder, Config: unlimited(), Now: func() time.Time { return testkit.Start.Add(time.Since(start)) },
	})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.SetURL("http://" + ln.Addr().String())
	fmt.Println(s.Exchange.URL)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := s.Serve(ctx, ln); err != nil {
		return err
	}
	return s.Close()
}

// process is a server in a process of its own.
type process struct {
	url string
	cmd *exec.Cmd
	in  io.Closer
}

func spawn(b *testing.B, folder string) *process {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), folderVariable+"="+folder)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	p := &process{cmd: cmd, in: in}
	b.Cleanup(func() { p.end(b) })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("the server did not start: %v", err)
	}
	p.url = strings.TrimSpace(line)
	return p
}

func (p *process) end(b *testing.B) {
	if p.in == nil {
		return
	}
	_ = p.in.Close()
	p.in = nil
	if err := p.cmd.Wait(); err != nil {
		b.Errorf("the server ended: %v", err)
	}
}

// memory reads a line such as VmHWM of the process's status, in bytes; 0 where
// the system has none.
func (p *process) memory(name string) (bytes float64) {
	return statusOf(fmt.Sprint(p.cmd.Process.Pid), name)
}

func statusOf(pid, name string) (bytes float64) {
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			var kb float64
			if _, err := fmt.Sscan(rest, &kb); err != nil {
				return 0
			}
			return kb * 1024
		}
	}
	return 0
}
