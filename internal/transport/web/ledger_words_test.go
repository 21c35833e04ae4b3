package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Every kind of event has words, and stands once among the choices of the filter.
func TestEveryKindIsFound(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../exchange/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := map[exchange.EventKind]int{}
	ast.Inspect(file, func(n ast.Node) bool {
		c, ok := n.(*ast.ValueSpec)
		if !ok || len(c.Values) != 1 {
			return true
		}
		if of, ok := c.Type.(*ast.Ident); ok && of.Name == "EventKind" {
			text, err := strconv.Unquote(c.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			want[exchange.EventKind(text)] = 1
		}
		return true
	})
	if len(want) < 60 {
		t.Fatalf("%d kinds were read", len(want))
	}
	got := map[exchange.EventKind]int{}
	for _, g := range kindGroups {
		for _, k := range g.kinds {
			got[k]++
			if strings.Contains(record.Words(k), ":") {
				t.Errorf("%s has no words", k)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What is read from an opening, whole and in parts.
func TestActOf(t *testing.T) {
	e := exchange.Event{
		At: time.Date(2027, 6, 1, 8, 0, 0, 0, time.UTC), Kind: exchange.EventReleaseApproved, Program: "early-warning", Release: "rel_a",
		Actor:   exchange.Actor{Person: "per_a", Org: "edr-a", Channel: exchange.ChannelWeb},
		Subject: []string{"art_a", "art_b"}, Detail: exchange.Detail{"approval": 1, "of": 2},
	}
	whole := verify.Opening{Event: e.Canonical(), Salt: [verify.SaltSize]byte{1}}
	a, err := actOf(whole)
	if err != nil || a.words() != "approved a release (1 of 2)" || a.person != "per_a" || a.of != "edr-a" || !a.at.Equal(e.At) || a.hidden != 0 {
		t.Errorf("%+v, %q, %v", a, a.words(), err)
	}
	part, err := whole.Show(func(name string) bool { return name == "at" || name == "subject[1]" })
	if err != nil {
		t.Fatal(err)
	}
	a, err = actOf(part)
	if err != nil || a.words() != "did something that is kept back" || a.person != "" || a.of != "" || a.hidden == 0 {
		t.Errorf("%+v, %q, %v", a, a.words(), err)
	}
	if diff := cmp.Diff([]told{{"at", "2027-06-01T08:00:00.000000Z"}, {"subject[1]", "art_b"}}, a.parts, cmp.AllowUnexported(told{})); diff != "" {
		t.Error(diff)
	}
}
