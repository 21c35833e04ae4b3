package taxii_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// tool is an object that can be written.
func tool(writer, n int) string {
	return fmt.Sprintf(`{"type":"tool","spec_version":"2.1","id":"tool--7b20%04x-3b5e-4c39-9d7e-%012x","created":"2027-06-01T00:00:00.000Z","modified":"2027-06-01T00:00:00.000Z","name":"%d of %d"}`,
		writer, n, n, writer)
}

// Members write while others poll, by next and by added_after: everybody is
// given every object once, in the order of its date, and none is left out (§3.4,
// §3.5).
func TestWritersAndPollers(t *testing.T) {
	w := newWorld(t)
	if !w.takesObjects() {
		t.Skip("objects cannot be added yet")
	}
	const envelopes, each = 12, 5
	accounts := []string{"writer", "peer"}
	objects := w.vars["w"] + "/objects/"
	var wrote, polled sync.WaitGroup
	var done atomic.Bool
	for i, account := range accounts {
		wrote.Go(func() {
			for e := range envelopes {
				var all []string
				for n := range each {
					all = append(all, tool(i, e*each+n))
				}
				resp := w.ask("POST", objects, account, "Content-Type: application/taxii+json;version=2.1", `< {"objects": [`+strings.Join(all, ",")+`]}`)
				if resp.StatusCode != 202 {
					t.Errorf("%s: %s", account, resp.Status)
				}
			}
		})
	}
	for poller := range 3 {
		polled.Go(func() {
			seen, cursor, last := map[string]int{}, "", ""
			for {
				end := done.Load()
				resp := w.ask("GET", objects+"?match[version]=all&limit=7"+cursor, "watcher")
				var page struct {
					More    bool
					Next    string
					Objects []struct{ ID string }
				}
				if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || resp.StatusCode != 200 {
					t.Errorf("poller %d: %s, %v", poller, resp.Status, err)
					return
				}
				for _, o := range page.Objects {
					seen[o.ID]++
				}
				if len(page.Objects) > 0 {
					first := header(resp.Header, "X-TAXII-Date-Added-First")
					if first <= last {
						t.Errorf("poller %d: a page that begins at %s follows one that ended at %s", poller, first, last)
					}
					last = header(resp.Header, "X-TAXII-Date-Added-Last")
				}
				switch {
				case page.More && poller > 0:
					cursor = "&next=" + page.Next
				case last != "":
					cursor = "&added_after=" + last
				}
				if end && !page.More {
					break
				}
			}
			if len(seen) != len(accounts)*envelopes*each {
				t.Errorf("poller %d has %d of %d objects", poller, len(seen), len(accounts)*envelopes*each)
			}
			for id, n := range seen {
				if n != 1 {
					t.Errorf("poller %d was given %s %d times", poller, id, n)
				}
			}
		})
	}
	wrote.Wait()
	done.Store(true)
	polled.Wait()
}

func header(h map[string][]string, name string) string {
	for key, values := range h {
		if strings.EqualFold(key, name) {
			return values[0]
		}
	}
	return ""
}
