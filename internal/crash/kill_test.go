package crash

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// tally counts what the process was doing when it was killed.
type tally struct {
	mu      sync.Mutex
	kills   int
	acts    int
	during  map[string]int
	objects int64
	events  int
}

// TestKill kills the process 200 times, ten times on each of 20 folders.
func TestKill(t *testing.T) {
	folders, kills := 20, 10
	if testing.Short() {
		folders, kills = 2, 10
	}
	sum := &tally{during: map[string]int{}}
	t.Run("folders", func(t *testing.T) {
		for i := range folders {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				life(t, uint64(i+1), kills, sum)
			})
		}
	})
	t.Logf("%d kills of a process that had acknowledged %d acts; in the end %d events and %d objects", sum.kills, sum.acts, sum.events, sum.objects)
	for _, what := range []string{handing, opening, planning, arming, looking, joining, sweeping, starting, "nothing"} {
		t.Logf("%4d kills during %s", sum.during[what], what)
	}
	for _, what := range []string{handing, opening, planning} {
		if sum.during[what] < sum.kills/40 && !t.Failed() {
			t.Errorf("only %d of %d kills fell into %s: the moments are badly chosen", sum.during[what], sum.kills, what)
		}
	}
}

// life kills the process again and again on one folder, and looks at the folder
// each time.
func life(t *testing.T, seed uint64, kills int, sum *tally) {
	r := rand.New(rand.NewPCG(seed, 0))
	folder := furnish(t)
	l := newLedger()
	look(t, folder, l, r, true)
	for i := range kills {
		m := moments[(int(seed)*5+i)%len(moments)]
		during := kill(t, folder, l, m, seed<<32|uint64(i+1), r)
		f := look(t, folder, l, r, i == kills-1 || chance(r, 50))
		sum.mu.Lock()
		sum.kills++
		for _, what := range during {
			sum.during[what]++
		}
		if i == kills-1 {
			sum.acts += l.total
			sum.events += len(f.events)
			for _, a := range f.artifacts {
				sum.objects += a.Objects
			}
		}
		sum.mu.Unlock()
		if t.Failed() {
			t.Fatalf("after kill %d of folder %d, by %v, during %v", i+1, seed, m, during)
		}
	}
}

// moment is when the process is killed: up to within after the count-th time
// that an act of the kind begins.
type moment struct {
	what   string
	count  int
	within time.Duration
}

var moments = []moment{
	{starting, 1, 6 * time.Millisecond},
	{sweeping, 1, time.Millisecond},
	{handing, 4, 5 * time.Millisecond},
	{handing, 12, 40 * time.Millisecond},
	{opening, 3, time.Millisecond},
	{opening, 12, 4 * time.Millisecond},
	{opening, 20, 4 * time.Millisecond},
	{planning, 3, time.Millisecond},
	{planning, 12, time.Millisecond},
	{planning, 20, 2 * time.Millisecond},
	{arming, 20, 2 * time.Millisecond},
	{starting, 1, 180 * time.Millisecond},
}

// kill runs the process on the folder and kills it, and answers what it was doing.
func kill(t *testing.T, folder string, l *ledger, m moment, seed uint64, r *rand.Rand) (during []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), folderVariable+"="+folder, fmt.Sprintf("%s=%d", seedVariable, seed))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	count, delay := 1+r.IntN(m.count), time.Duration(r.Int64N(int64(m.within)))
	shot := sync.OnceFunc(func() { _ = cmd.Process.Kill() })
	late := time.AfterFunc(30*time.Second, shot)
	defer late.Stop()
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break // what is not a whole line was not said
		}
		s, err := l.line(line)
		if err != nil {
			t.Error(err)
		}
		if s.State == done && s.What == starting {
			late.Reset(2 * time.Second) // for the moment to come
		}
		if s.State == begun && s.What == m.what {
			if count--; count == 0 {
				time.AfterFunc(delay, shot)
			}
		}
	}
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("the process was not killed: %v\n%s", err, stderr.String())
	}
	for _, s := range l.open {
		if !slices.Contains(during, s.What) {
			during = append(during, s.What)
		}
	}
	if len(during) == 0 {
		during = []string{"nothing"}
	}
	return during
}

// look opens the folder and compares it with the ledger and with what must
// hold. Where it does not sweep, the next process has to.
func look(t *testing.T, folder string, l *ledger, r *rand.Rand, sweep bool) facts {
	t.Helper()
	s, err := open(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		// A process that is being started elsewhere in this one shares the lock on
		// the folder until it runs.
		syscall.ForkLock.Lock()
		defer syscall.ForkLock.Unlock()
	}()
	before := examine(t, s, false)
	if l.base == nil { // nothing has been killed yet
		l.begin(before)
	}
	for _, problem := range l.compare(before) {
		t.Error("after the kill: " + problem)
	}
	if sweep {
		c, err := sequencer.Check(t.Context(), s.DB.Beneath(), filepath.Join(folder, "ledger"), 0, func(f sequencer.Finding) {
			t.Errorf("after the kill: the log does not fit the store: %+v", f)
		})
		if err != nil || c.Entered != int64(len(before.events)) || c.Waiting != 0 {
			t.Errorf("after the kill: %d of %d events are in the log, %v", c.Entered, len(before.events), err)
		}
		if _, err := s.Exchange.Submissions.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, a := range before.inOrder() {
		if sum := sha256.Sum256(bytesOf(t, s, a)); hex.EncodeToString(sum[:]) != a.SHA256 {
			t.Errorf("artifact %s: its blob holds other bytes", a.ID)
		}
	}
	// What is due opens now, before the reading and during it.
	org := steady[r.IntN(len(steady))]
	got := reading{org, listing(t, s, org), pages(t, s, org)}
	if err := s.Exchange.Delivery.Flush(t.Context()); err != nil { // of the pages just read
		t.Error(err)
	}
	after := examine(t, s, sweep)
	got.whole(t, s, before, after)
	if _, err := s.Exchange.Delivery.Page(t.Context(), analyst(outsider), testkit.Program, delivery.Query{Limit: 1}); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("who is no member got %v", err)
	}
	l.begin(after)
	return after
}

// examine reports what does not hold.
func examine(t *testing.T, s *server.Server, swept bool) (f facts) {
	t.Helper()
	err := s.DB.View(t.Context(), func(tx *sqlstore.Tx) (err error) {
		var found []string
		f, found, err = inspect(tx, swept)
		for _, problem := range found {
			t.Error(problem)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// listing is what a member's list of releases shows.
func listing(t *testing.T, s *server.Server, org exchange.OrgID) map[exchange.ArtifactID]bool {
	t.Helper()
	seen, err := s.Exchange.Delivery.Releases(t.Context(), analyst(org), testkit.Program)
	if err != nil {
		t.Fatal(err)
	}
	out := map[exchange.ArtifactID]bool{}
	for _, m := range seen {
		for _, item := range m.Items {
			out[item.Artifact.ID] = true
		}
	}
	return out
}

// reading is what a member read.
type reading struct {
	org    exchange.OrgID
	listed map[exchange.ArtifactID]bool
	paged  map[int64]string // objects and their hash, by artifact
}

// whole compares it with what was open to the member before and after: it found
// everything of the former, and nothing beyond the latter.
func (g reading) whole(t *testing.T, s *server.Server, before, after facts) {
	t.Helper()
	org, listed, paged := g.org, g.listed, g.paged
	must, _ := before.visible(org)
	may, public := after.visible(org)
	for _, a := range after.inOrder() {
		if must[a.Number] && !listed[a.ID] {
			t.Errorf("%s does not see artifact %s", org, a.ID)
		}
		if !may[a.Number] && !public[a.Number] && listed[a.ID] {
			t.Errorf("%s sees artifact %s before its time", org, a.ID)
		}
		got := paged[a.Number]
		if !may[a.Number] && got != "" {
			t.Errorf("%s has pages of artifact %s before its time", org, a.ID)
		}
		if a.Objects > 0 && (must[a.Number] || got != "") {
			if want := content(t, s, after, a); got != want {
				t.Errorf("%s: the pages hold %q of artifact %s, want %q", org, got, a.ID, want)
			}
		}
		delete(paged, a.Number)
	}
	for number := range paged {
		t.Errorf("%s: pages hold objects of artifact %d, which does not exist", org, number)
	}
}

// pages answers, for each artifact, how many objects the member's pages hold and
// the hash of their bytes.
func pages(t *testing.T, s *server.Server, org exchange.OrgID) map[int64]string {
	t.Helper()
	sums := map[int64]*sum{}
	for after := int64(0); ; {
		p, err := s.Exchange.Delivery.Page(t.Context(), analyst(org), testkit.Program, delivery.Query{
			After: after, Limit: delivery.MaxLimit, Versions: delivery.Versions{All: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		if err := p.WriteObjects(&body); err != nil {
			t.Fatal(err)
		}
		rest := body.Bytes()
		for _, e := range p.Entries {
			rest = bytes.TrimLeft(rest, ", \n")
			if int64(len(rest)) < e.Length || e.Added <= after {
				t.Fatalf("%s: a page is shorter than its entries, or goes back", org)
			}
			number := e.Object >> 24
			if sums[number] == nil {
				sums[number] = newSum()
			}
			sums[number].add(rest[:e.Length])
			rest, after = rest[e.Length:], e.Added
		}
		if !p.More {
			break
		}
	}
	out := map[int64]string{}
	for number, h := range sums {
		out[number] = h.String()
	}
	return out
}

// bytesOf are the bytes of the artifact's blob.
func bytesOf(t *testing.T, s *server.Server, a artifact) []byte {
	t.Helper()
	b, err := s.Blobs.Open(a.SHA256)
	if err != nil {
		t.Fatalf("artifact %s: %v", a.ID, err)
	}
	defer b.Close()
	text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// content is what pages must answer of the artifact: from its blob, whose hash
// was compared with what was handed in.
func content(t *testing.T, s *server.Server, f facts, a artifact) string {
	t.Helper()
	text := bytesOf(t, s, a)
	h := newSum()
	for _, e := range f.blocks[a.Number] {
		object := text[e.Offset : e.Offset+e.Length]
		if !bytes.HasPrefix(object, []byte(`{"type":"`+e.Type+`"`)) || object[len(object)-1] != '}' {
			t.Errorf("artifact %s: object %d is not where it is said to be", a.ID, e.Position)
		}
		h.add(object)
	}
	return h.String()
}

type sum struct {
	n int
	h interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func newSum() *sum { return &sum{h: sha256.New()} }

func (s *sum) add(b []byte) { s.n++; _, _ = s.h.Write(b) }

func (s *sum) String() string { return fmt.Sprintf("%d %s", s.n, hex.EncodeToString(s.h.Sum(nil)[:8])) }
