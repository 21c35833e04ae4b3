package sequencer_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

// fillDisk has every further write into the open files of the log's journal fail
// as on a full disk: /dev/full takes their place.
func fillDisk(t *testing.T, folder string) {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, e := range all {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		n, _ := strconv.Atoi(e.Name())
		if err != nil || !strings.HasPrefix(to, filepath.Join(folder, "1", "journal")) {
			continue
		}
		if err := syscall.Dup3(int(full.Fd()), n, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		done++
	}
	if done == 0 {
		t.Fatal("no open journal was found")
	}
}

// When the ledger's disk is full, the acts that are under way are answered honestly,
// further ones are refused before they do anything, and reading goes on. After a
// restart with room all of it continues, and what was recorded is entered.
func TestFullDisk(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		n := newNode(t, e, e.URL(t))
		n.start()
		n.acts(20)
		fillDisk(t, n.folder)
		var all sync.WaitGroup
		var mu sync.Mutex
		recorded := 0
		for range 8 {
			all.Go(func() {
				_, err := n.act(1)
				if err == nil || exchange.KindOf(err) != exchange.Unavailable {
					t.Errorf("an act was answered %v", err)
				}
				var public *exchange.Error
				if errors.As(err, &public) && strings.HasPrefix(public.Public, "The act is recorded") {
					mu.Lock()
					recorded++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		events := len(n.entries()) // reading goes on
		if recorded == 0 || events != 20+recorded {
			t.Errorf("%d acts were answered as recorded, there are %d events", recorded, events-20)
		}
		if n.q.Current().Size() != 20 || n.q.Err() == nil {
			t.Errorf("the log has %d entries, %v", n.q.Current().Size(), n.q.Err())
		}
		ran := false
		err := n.db.Update(t.Context(), func(*sqlstore.Tx) error { ran = true; return nil })
		var public *exchange.Error
		if !errors.As(err, &public) || public.Kind != exchange.Unavailable || !strings.Contains(public.Public, "Nothing was done") || ran {
			t.Errorf("a further act was answered %v; it ran: %v", err, ran)
		}
		if err := n.q.Settle(t.Context()); err == nil {
			t.Error("what is not entered may leave")
		}
		if log, _, index, err := n.q.Find(5); err != nil || !has(log.Entry(index)) {
			t.Errorf("what is proved cannot be read: %v", err)
		}
		n.db.Attach(nil)
		_ = n.q.Close() // it says why it had stopped
		n.q = nil
		n.start()
		n.whole()
		n.acts(3)
		n.whole()
		if got := len(n.entries()); got != events+3 {
			t.Errorf("%d events, want %d", got, events+3)
		}
	})
}

func has(b []byte, err error) bool { return err == nil && !bytes.Equal(b, nil) }
