package witness_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/witness"
)

const childFolder = "WITNESS_TEST_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		fmt.Fprintln(os.Stderr, serveChild(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// serveChild is the witness that is killed.
func serveChild(dir string) error {
	w, err := witness.Open(dir, []string{os.Getenv("WITNESS_TEST_LOG")}, witness.Options{})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + ln.Addr().String())
	return http.Serve(ln, w.Handler())
}

// A witness that was killed at any moment remembers every checkpoint whose
// signature left it, and signs no other history afterwards.
func TestKilled(t *testing.T) {
	const rounds = 20
	log := newLog(t, "log.example/a").add(3000, "a")
	fork := log.fork(1).add(2999, "b")
	w, dir := newWitness(t, log)
	w.Close()
	random := rand.New(rand.NewPCG(1, 2))
	answered, at := int64(0), int64(0)
	lost := 0
	for range rounds {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childFolder+"="+dir, "WITNESS_TEST_LOG="+log.key)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		address, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		before := 1 + random.IntN(8)
		for i := 0; ; i++ {
			if i == before { // at some moment of the next requests
				time.AfterFunc(time.Duration(random.IntN(4000))*time.Microsecond, func() { _ = child.Process.Kill() })
			}
			next := at + 1 + random.Int64N(5)
			status, body, err := post(strings.TrimSpace(address), log.request(at, next))
			if err != nil {
				break
			}
			if status != http.StatusOK {
				t.Fatalf("from %d to %d: %d %s", at, next, status, body)
			}
			at, answered = next, next
		}
		_ = child.Wait()
		s := statusOf(t, dir)
		if len(s.Logs) != 1 || s.Logs[0].Size < answered || s.Logs[0].Root != log.root(s.Logs[0].Size) {
			t.Fatalf("answered %d, remembered %+v", answered, s.Logs)
		}
		if at = s.Logs[0].Size; at > answered {
			lost++
		}
		w := open(t, dir, log)
		for _, body := range [][]byte{fork.request(at, at), fork.request(at, at+10), fork.request(1, at+10), log.request(1, 2)} {
			if lines, err := w.AddCheckpoint(body); err == nil {
				t.Errorf("after a kill at %d it signed %s", at, lines)
			}
		}
		w.Close()
	}
	t.Logf("%d kills, %d of them after it was remembered and before it was answered; the last size is %d", rounds, lost, at)
}

func post(address string, body []byte) (int, []byte, error) {
	res, err := http.Post(address+"/add-checkpoint", "", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, b, err
}
