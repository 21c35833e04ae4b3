package ledger

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

// With this in its environment the test binary is the process to be killed.
const folderVariable = "FOREWARN_LEDGER_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(folderVariable); dir != "" {
		fmt.Fprintln(os.Stderr, appendUntilKilled(dir))
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// appendUntilKilled appends from many goroutines, and says on standard output what
// was acknowledged: a checkpoint in a line, quoted.
func appendUntilKilled(dir string) error {
	signer, _ := key(&testing.T{}, 1)
	l, err := Open(dir, Options{Origin: testOrigin, Signers: []note.Signer{signer}, SegmentSize: 256 << 10})
	if err != nil {
		return err
	}
	fmt.Println("open")
	var mu sync.Mutex
	next := l.Size()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	failed := make(chan error, 1)
	for range 64 {
		go func() {
			for {
				mu.Lock()
				n := 1 + rand.Int64N(40)
				first := next
				next += n
				err := l.Put(first, entries(first, n))
				mu.Unlock()
				if err == nil {
					err = l.Wait(ctx, first+n)
				}
				if err != nil {
					failed <- err
					return
				}
				fmt.Printf("%d %q\n", first+n, l.Checkpoint())
			}
		}()
	}
	return <-failed
}

// TestKill kills a process that appends, again and again. Whatever it
// acknowledged is in the log, and the log goes on from every checkpoint that it
// showed.
func TestKill(t *testing.T) {
	rounds := 40
	if n, err := strconv.Atoi(os.Getenv(roundsVariable)); err == nil {
		rounds = n
	}
	dir := filepath.Join(t.TempDir(), "log")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	ref := &reference{}
	var longest time.Duration
	for round := range rounds {
		acked, shown := killed(t, dir, time.Duration(r.IntN(40))*time.Millisecond)
		start := time.Now()
		l, err := Open(dir, options(t))
		if err != nil {
			if acked == 0 && round == 0 {
				continue
			}
			t.Fatal(err)
		}
		longest = max(longest, time.Since(start))
		size := l.Size()
		if size < acked {
			t.Fatalf("round %d: %d entries, and %d were acknowledged", round, size, acked)
		}
		ref.grow(t, size)
		same(t, l, ref, r)
		for _, b := range shown {
			c, err := verify.OpenCheckpoint([]byte(b), []string{publicKey(t)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if want, _ := tlog.TreeHash(c.Size, ref); c.Size > 0 && c.Root != want {
				t.Fatalf("round %d: a checkpoint of size %d was shown that is not of this log", round, c.Size)
			}
		}
		if round%10 == 9 {
			if found := checked(t, l); len(found) > 0 {
				t.Fatalf("round %d: the check found %q", round, found)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("killed %d times, %d entries; opened again in at most %v", rounds, ref.size, longest)
}

// killed runs the process until some time after it has opened the log. It answers
// up to which size was acknowledged, and the checkpoints that were shown.
func killed(t *testing.T, dir string, after time.Duration) (acked int64, shown []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), folderVariable+"="+dir)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	if line, err := in.ReadString('\n'); err != nil || line != "open\n" {
		_ = cmd.Wait()
		t.Fatalf("%q, %v: %s", line, err, &errs)
	}
	time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			break // a line that is not whole was not said
		}
		var size int64
		var checkpoint string
		if _, err := fmt.Sscanf(line, "%d %q", &size, &checkpoint); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		acked = max(acked, size)
		shown = append(shown, checkpoint)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	if errs.Len() > 0 {
		t.Fatal(errs.String())
	}
	return acked, shown
}
