package delivery_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func holders(t *testing.T, w *servertest.World, a exchange.Actor, program exchange.ProgramID, item string) (record.Holders, error) {
	t.Helper()
	return w.X.Record.Holders(t.Context(), a, program, item, record.Place{}, 0)
}

// said is what holders says, in short.
func said(h record.Holders) (out []string) {
	for _, c := range h.Copies {
		line := string(c.Org) + " " + c.ClientName
		for _, k := range []struct {
			name string
			at   time.Time
		}{{"offered", c.Offered}, {"delivered", c.Delivered}, {"downloaded", c.Downloaded}, {"opened", c.Opened}, {"acknowledged", c.Acknowledged}} {
			if !k.at.IsZero() {
				line += " " + k.name
			}
		}
		out = append(out, line)
	}
	return out
}

// Who wrote an object sees who has it, and of the others members what the charter
// lets them see.
func TestWhoHasAnObject(t *testing.T) {
	for see, want := range map[string]struct {
		count string
		orgs  []exchange.OrgID
	}{
		exchange.SeeNothing: {"", nil},
		exchange.SeeCounts:  {"fewer than 5", nil},
		exchange.SeeNames:   {"1", []exchange.OrgID{servertest.Standard}},
	} {
		t.Run(see, func(t *testing.T) {
			w := writers(t, func(c *exchange.Charter) { c.Visibility.MembersSee = see })
			write(t, w, servertest.EarlyA, writtenDomain)
			poll(t, w, servertest.EarlyB)
			w.Clock.Advance(time.Minute)
			poll(t, w, servertest.Standard)
			for name, a := range map[string]exchange.Actor{"originator": w.Reader(servertest.EarlyA), "operator": w.Operator, "auditor": w.Auditor} {
				h, err := holders(t, w, a, testkit.Program, writtenDomain)
				if err != nil {
					t.Fatal(name, err)
				}
				if d := cmp.Diff([]string{"av-a  delivered", "edr-b  delivered"}, said(h)); d != "" || !h.Named || len(h.Versions) != 1 || !h.Versions[0].Journal || h.Versions[0].SHA256 != "" {
					t.Errorf("%s: %s %+v", name, d, h)
				}
			}
			h, err := holders(t, w, w.Reader(servertest.EarlyB), testkit.Program, writtenDomain)
			if err != nil || h.Named || len(h.Copies) != 0 || len(h.Versions) != 0 || h.Count != want.count || cmp.Diff(want.orgs, h.Orgs) != "" {
				t.Errorf("a member: %+v %v", h, err)
			}
			for name, a := range map[string]exchange.Actor{
				"who may not see it": w.Reader(servertest.Late), "somebody else": w.Reader(servertest.Outsider), "everyone": exchange.Public(),
				"without an agreement": w.Reader(servertest.Unsigned),
			} {
				if h, err := holders(t, w, a, testkit.Program, writtenDomain); exchange.KindOf(err) != exchange.NotFound {
					t.Errorf("%s: %+v %v", name, h, err)
				}
			}
			if _, err := holders(t, w, w.Operator, testkit.Program, strings.Replace(writtenDomain, "0a01", "0a02", 1)); exchange.KindOf(err) != exchange.NotFound {
				t.Error(err)
			}
		})
	}
}

// The holders of an artifact: every version, every client, every step, and no
// trace of having asked.
func TestWhoHasAnArtifact(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Case", t0)
	old, _, _ := w.Package(r.ID, 3)
	corrected := w.Submit(r.ID, exchange.DetectionGuidance, "guidance-2.json", servertest.Bundle(3, 9), servertest.Supersedes(old.ID))
	w.Arm(r.ID)
	w.Clock.Set(time.Date(2027, time.July, 12, 17, 0, 0, 0, time.UTC))
	poll(t, w, servertest.EarlyB)
	w.Clock.Advance(time.Minute)
	if _, err := w.X.Delivery.Artifact(t.Context(), w.Reader(servertest.EarlyA), corrected.ID); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Minute)
	c, err := w.X.Delivery.Content(t.Context(), w.Reader(servertest.EarlyA), corrected.ID)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	dump := w.Dump()
	h, err := holders(t, w, w.Operator, "", string(corrected.ID))
	if err != nil {
		t.Fatal(err)
	}
	login := testkit.Person(servertest.EarlyA, "analyst").Login
	want := []string{
		"edr-a " + login + " offered downloaded opened", // the rest at one moment: by version, then by name
		"edr-a  offered", "edr-b  offered delivered", "val-one  offered", "edr-b  offered delivered", "val-one  offered",
	}
	if d := cmp.Diff(want, said(h)); d != "" {
		t.Error(d)
	}
	var versions []string
	for _, v := range h.Versions {
		versions = append(versions, fmt.Sprint(v.Artifact, " ", v.SHA256, " ", v.Supersedes))
	}
	if d := cmp.Diff([]string{fmt.Sprint(old.ID, " ", old.SHA256, " "), fmt.Sprint(corrected.ID, " ", corrected.SHA256, " ", old.ID)}, versions); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(dump, w.Dump()); d != "" {
		t.Errorf("asking left a trace:\n%s", d)
	}
	owned(t, w, corrected.ID, `["av-a"]`) // derived from what another member gave
	h, err = holders(t, w, w.Reader(servertest.Standard), "", string(corrected.ID))
	if err != nil || !h.Named || len(h.Versions) != 1 || len(h.Copies) != 3 {
		t.Errorf("the originator of one version: %+v %v", h, err)
	}
	for name, a := range map[string]exchange.Actor{"a member to come": w.Reader(servertest.Late), "somebody else": w.Reader(servertest.Outsider), "a capped operator": capped(w.Operator)} {
		if h, err := holders(t, w, a, "", string(corrected.ID)); exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("%s: %+v %v", name, h, err)
		}
	}
}

func capped(a exchange.Actor) exchange.Actor {
	a.Ceiling = exchange.TLPClear
	return a
}
