package crash

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// clockVariable makes the process a server of the folder, at this instant of the
// exchange's clock, in Unix microseconds.
const clockVariable = "FOREWARN_CRASH_CLOCK"

// serveUntilKilled answers on a port of its own, which it prints.
func serveUntilKilled(ctx context.Context, folder, clock string) error {
	at, err := strconv.ParseInt(clock, 10, 64)
	if err != nil {
		return err
	}
	began := time.Now()
	c := config.Default()
	c.RequestsPerSecond = -1
	s, err := server.Open(ctx, server.Options{Data: folder, Config: c, Now: func() time.Time { return time.UnixMicro(at).Add(time.Since(began)) }})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + ln.Addr().String())
	return s.Serve(ctx, ln)
}

// TestKillWhileMembersWrite kills a server to which members write, again and
// again. What was acknowledged is there once and byte for byte; what was not is
// there whole or not at all.
func TestKillWhileMembersWrite(t *testing.T) {
	kills := 25
	if n, err := strconv.Atoi(os.Getenv("FOREWARN_KILLS")); err == nil {
		kills = n
	} else if testing.Short() {
		kills = 4
	}
	folder := t.TempDir()
	w := servertest.NewIn(t, folder)
	c := testkit.Charter()
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early", "standard"}, To: []exchange.CohortID{"early", "standard"}}
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}
	l := &letters{t: t, sent: map[string][]string{}, reader: w.Token(servertest.EarlyA)}
	for _, org := range []exchange.OrgID{servertest.EarlyA, servertest.EarlyB, servertest.Standard} {
		l.pens = append(l.pens, w.Token(org, exchange.VerbSubmit))
	}
	clock := w.Clock.Now()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 0))
	for i := range kills {
		clock = clock.Add(time.Minute)
		l.live(folder, clock, i, time.Duration(20+r.IntN(400))*time.Millisecond)
	}
	clock = clock.Add(time.Minute)
	url, end := l.start(folder, clock)
	l.compare(url)
	end()
	t.Logf("%d kills; %d envelopes were acknowledged, of %d others %d were stored", kills, l.acknowledged, l.others, l.stored)
	if l.acknowledged < kills {
		t.Errorf("only %d envelopes were acknowledged: the moments are badly chosen", l.acknowledged)
	}
}

// letters is what was sent to the server, over all its lives.
type letters struct {
	t      *testing.T
	pens   []string // tokens of those who write
	reader string

	mu           sync.Mutex
	sent         map[string][]string // by envelope: its objects; those acknowledged begin with "+"
	acknowledged int
	others       int
	stored       int
}

func (l *letters) start(folder string, clock time.Time) (url string, end func()) {
	l.t.Helper()
	cmd := exec.CommandContext(l.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), folderVariable+"="+folder, clockVariable+"="+strconv.FormatInt(clock.UnixMicro(), 10))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	url, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		l.t.Fatalf("the server did not start: %v", err)
	}
	return strings.TrimSpace(url), func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// live has members write to the server for so long, and kills it.
func (l *letters) live(folder string, clock time.Time, life int, long time.Duration) {
	url, end := l.start(folder, clock)
	ctx, cancel := context.WithCancel(l.t.Context())
	var wg sync.WaitGroup
	for i, pen := range l.pens {
		wg.Go(func() {
			for n := 0; l.send(ctx, url, pen, life<<20|i<<16|n); n++ {
			}
		})
	}
	time.Sleep(long) // the moment is what is tried
	end()
	cancel()
	wg.Wait()
}

// send posts an envelope of 1 to 40 objects, and notes whether it was taken;
// false: the server is gone.
func (l *letters) send(ctx context.Context, url, pen string, envelope int) bool {
	var objects []string
	for i := range 1 + envelope%40 {
		objects = append(objects, fmt.Sprintf(`{"type":"tool","spec_version":"2.1","id":"tool--%08x-%04x-4000-8000-000000000000","created":"2027-05-02T00:00:00.000Z","modified":"2027-05-02T00:00:00.000Z","name":"%d.%d"}`, envelope, i, envelope, i))
	}
	key := strconv.Itoa(envelope)
	l.mu.Lock()
	l.sent[key] = objects
	l.mu.Unlock()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, url+"/taxii2/api/collections/early-warning/objects/", strings.NewReader(`{"objects":[`+strings.Join(objects, ", ")+`]}`))
	req.Header.Set("Authorization", "Bearer "+pen)
	req.Header.Set("Content-Type", "application/taxii+json;version=2.1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return false
	case res.StatusCode != http.StatusAccepted || !bytes.Contains(body, fmt.Appendf(nil, `"success_count":%d,`, len(objects))):
		l.t.Errorf("envelope %s: %s %.300s", key, res.Status, body)
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sent, key)
	l.sent["+"+key] = objects
	return true
}

// compare reads everything there is and holds it to what was sent.
func (l *letters) compare(url string) {
	there := map[string]int{}
	for next, more := "", true; more; {
		req, _ := http.NewRequestWithContext(l.t.Context(), http.MethodGet, url+"/taxii2/api/collections/early-warning/objects/?limit=500&next="+next, nil)
		req.Header.Set("Authorization", "Bearer "+l.reader)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			l.t.Fatal(err)
		}
		var page struct {
			More    bool
			Next    string
			Objects []json.RawMessage
		}
		err = json.NewDecoder(res.Body).Decode(&page)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			l.t.Fatalf("%s: %v", res.Status, err)
		}
		for _, o := range page.Objects {
			there[string(o)]++
		}
		next, more = page.Next, page.More
	}
	for key, objects := range l.sent {
		n := 0
		for _, o := range objects {
			n += there[o]
			delete(there, o)
		}
		switch taken := strings.HasPrefix(key, "+"); {
		case taken && n != len(objects):
			l.t.Errorf("%d of the %d objects of an envelope that was acknowledged are there", n, len(objects))
		case !taken && n != 0 && n != len(objects):
			l.t.Errorf("%d of the %d objects of an envelope that was not acknowledged are there", n, len(objects))
		case taken:
			l.acknowledged++
		default:
			if l.others++; n > 0 {
				l.stored++
			}
		}
	}
	if len(there) > 0 {
		l.t.Errorf("%d objects are there that nobody sent, or twice", len(there))
	}
}
