package forewarn_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// opensBytes are the packages that open stored bytes, and why. Readers are given
// content by delivery alone, which opens it under a permit of the decision; the
// others take bytes in, compare them, or index them, and hand them to nobody.
var opensBytes = map[string]string{
	"internal/core":                  "passes the store of bytes to rooms",
	"internal/exchange/contribution": "compares what is written with earlier versions",
	"internal/exchange/delivery":     "gives content, under a permit",
	"internal/exchange/lookup":       "indexes values; delivery decides on what is found",
	"internal/exchange/recall":       "reads when an object was created, for its tombstone",
	"internal/exchange/submission":   "validates what is handed in, and compares versions",
}

// underPermit is the package whose functions open bytes only with a parameter of
// type policy.Permit, which nothing but a decision that allows can make.
const underPermit = "internal/exchange/delivery"

func TestContentNeedsAVerdict(t *testing.T) {
	found := map[string]bool{}
	for _, s := range goSources(t) {
		if strings.HasSuffix(s.name, "_test.go") {
			continue
		}
		findings, opens := checkOpens(s)
		report(t, findings)
		if opens {
			found[folder(s.name)] = true
		}
	}
	for pkg := range opensBytes {
		if !found[pkg] {
			t.Errorf("%s is listed in opensBytes and opens nothing", pkg)
		}
	}
}

func folder(name string) string { return name[:max(0, strings.LastIndex(name, "/"))] }

// checkOpens reports each place that opens stored bytes and may not.
func checkOpens(s source) (findings []string, opens bool) {
	for _, d := range s.file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !opensBlob(call) {
				return true
			}
			opens = true
			pkg := folder(s.name)
			switch {
			case opensBytes[pkg] == "":
				findings = append(findings, s.at(call)+": opens stored bytes; content is given by delivery alone, under a verdict")
			case pkg == underPermit && !takesPermit(fn):
				findings = append(findings, s.at(call)+": "+fn.Name.Name+" opens content without a policy.Permit")
			}
			return true
		})
	}
	return findings, opens
}

// opensBlob reports whether the call is Open of something named Blobs.
func opensBlob(call *ast.CallExpr) bool {
	open, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || open.Sel.Name != "Open" {
		return false
	}
	name := ""
	switch x := open.X.(type) {
	case *ast.SelectorExpr:
		name = x.Sel.Name
	case *ast.Ident:
		name = x.Name
	}
	return strings.EqualFold(name, "blobs")
}

func takesPermit(fn *ast.FuncDecl) bool {
	return slices.ContainsFunc(fn.Type.Params.List, func(f *ast.Field) bool {
		t, ok := f.Type.(*ast.SelectorExpr)
		return ok && t.Sel.Name == "Permit"
	})
}
