package forewarn_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The hard stops of ARCHITECTURE.md, "Norms".
const (
	maxFileLines        = 600
	maxTestFileLines    = 900
	maxFuncLines        = 80
	maxParams           = 6 // after ctx
	maxInterfaceMethods = 10
	maxPackageFiles     = 20 // tests aside
)

// packageFiles are the packages that may hold more files than maxPackageFiles.
// Where each noun or room has one file, the number grows with the product and
// not with neglect.
var packageFiles = map[string]int{
	"internal/exchange": 25, "internal/exchange/delivery": 30, "internal/store/sqlstore": 34, "internal/cli": 34,
	"internal/transport/api": 34, "internal/transport/web": 34,
}

// forbiddenPackages are names that say nothing about what is inside.
var forbiddenPackages = []string{"util", "utils", "common", "misc", "helper", "helpers", "types", "model", "models", "base", "shared"}

// timeless are the folders whose code is given the time and never asks for it.
var timeless = []string{"internal/exchange/", "internal/policy/", "internal/format/"}

// sized are the extensions of the files whose length counts.
var sized = []string{".go", ".sql", ".html", ".css", ".js"}

// source is one parsed Go file.
type source struct {
	name string
	set  *token.FileSet
	file *ast.File
}

func parse(name, text string) (source, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return source{name, set, file}, err
}

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.name, s.set.Position(n.Pos()).Line)
}

func (s source) lines(n ast.Node) int {
	return s.set.Position(n.End()).Line - s.set.Position(n.Pos()).Line + 1
}

func goSources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, name := range filesWith(t, ".go") {
		if inTestdata(name) {
			continue
		}
		s, err := parse(name, read(t, name))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		all = append(all, s)
	}
	return all
}

func TestFileLength(t *testing.T) {
	for _, name := range filesWith(t, sized...) {
		if !inTestdata(name) {
			report(t, checkFileLength(name, read(t, name)))
		}
	}
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

func checkFileLength(name, text string) []string {
	limit := maxFileLines
	if isTest(name) {
		limit = maxTestFileLines
	}
	lines := strings.Count(text, "\n")
	if lines <= limit || generated.MatchString(text) {
		return nil
	}
	return []string{fmt.Sprintf("%s has %d lines; at most %d: split it by what its parts are for", name, lines, limit)}
}

func TestFunctions(t *testing.T) {
	for _, s := range goSources(t) {
		report(t, checkFunctions(s))
	}
}

// checkFunctions holds functions to their norms: length (not in tests), number of
// parameters, no init, no name that begins with Get.
func checkFunctions(s source) []string {
	var findings []string
	for _, decl := range s.file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := fn.Name.Name
		say := func(format string, args ...any) {
			findings = append(findings, s.at(fn)+": "+name+" "+fmt.Sprintf(format, args...))
		}
		if name == "init" && fn.Recv == nil {
			say("hides work from the reader of main; list it where it is used")
		}
		if strings.HasPrefix(name, "Get") && len(name) > 3 && name[3] >= 'A' && name[3] <= 'Z' {
			say("needs no Get")
		}
		if n := params(fn.Type); n > maxParams {
			say("has %d parameters after ctx; at most %d: make them a struct", n, maxParams)
		}
		if n := s.lines(fn); n > maxFuncLines && !isTest(s.name) && !isTable(s, fn.Body) {
			say("has %d lines; at most %d", n, maxFuncLines)
		}
	}
	return findings
}

// params counts parameters by name, without a leading context.Context.
func params(fn *ast.FuncType) int {
	count := 0
	for i, field := range fn.Params.List {
		if sel, ok := field.Type.(*ast.SelectorExpr); ok && i == 0 && sel.Sel.Name == "Context" {
			continue
		}
		count += max(1, len(field.Names))
	}
	return count
}

// isTable reports whether a body is data: apart from one composite literal, in a
// return or an assignment, it is short.
func isTable(s source, body *ast.BlockStmt) bool {
	if body == nil {
		return false
	}
	for _, stmt := range body.List {
		var values []ast.Expr
		switch stmt := stmt.(type) {
		case *ast.ReturnStmt:
			values = stmt.Results
		case *ast.AssignStmt:
			values = stmt.Rhs
		}
		for _, value := range values {
			if addr, ok := value.(*ast.UnaryExpr); ok {
				value = addr.X
			}
			if lit, ok := value.(*ast.CompositeLit); ok && s.lines(body)-s.lines(lit) <= 10 {
				return true
			}
		}
	}
	return false
}

func TestInterfaces(t *testing.T) {
	for _, s := range goSources(t) {
		report(t, checkInterfaces(s))
	}
}

func checkInterfaces(s source) []string {
	var findings []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		face, ok := spec.Type.(*ast.InterfaceType)
		if !ok {
			return true
		}
		count := 0
		for _, field := range face.Methods.List {
			count += len(field.Names) // an embedded interface has none
		}
		if count > maxInterfaceMethods {
			findings = append(findings, fmt.Sprintf("%s: %s declares %d methods; at most %d", s.at(spec), spec.Name.Name, count, maxInterfaceMethods))
		}
		return true
	})
	return findings
}

func TestPackages(t *testing.T) {
	report(t, checkPackages(goSources(t)))
}

// checkPackages holds each folder to its number of files, a name that says
// something, and a package comment.
func checkPackages(sources []source) []string {
	folders := map[string][]source{}
	for _, s := range sources {
		folders[path.Dir(s.name)] = append(folders[path.Dir(s.name)], s)
	}
	var findings []string
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		code := slices.DeleteFunc(slices.Clone(folders[folder]), func(s source) bool { return isTest(s.name) })
		limit := max(maxPackageFiles, packageFiles[folder])
		if len(code) > limit {
			findings = append(findings, fmt.Sprintf("%s has %d files without tests; at most %d", folder, len(code), limit))
		}
		if len(code) == 0 {
			code = folders[folder] // a package of tests alone
		}
		name := code[0].file.Name.Name
		if slices.Contains(forbiddenPackages, name) || slices.Contains(forbiddenPackages, path.Base(folder)) {
			findings = append(findings, fmt.Sprintf("%s: package %s: name it after what it is or does", folder, name))
		}
		if !slices.ContainsFunc(code, func(s source) bool { return s.file.Doc.Text() != "" }) {
			findings = append(findings, fmt.Sprintf("%s: package %s has no package comment", folder, name))
		}
	}
	return findings
}

// TestTimeIsGiven refuses reading the clock in the vocabulary, the rooms, the
// policy and the formats: their functions take now, their services hold Now.
func TestTimeIsGiven(t *testing.T) {
	for _, s := range goSources(t) {
		in := func(folder string) bool { return strings.HasPrefix(s.name, folder) }
		if !isTest(s.name) && slices.ContainsFunc(timeless, in) {
			report(t, checkTimeIsGiven(s))
		}
	}
}

// checkTimeIsGiven reports calls. Naming time.Now as the default of a service's
// Now is allowed: a test can replace it.
func checkTimeIsGiven(s source) []string {
	var findings []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		if ok && pkg.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
			findings = append(findings, fmt.Sprintf("%s: calls time.%s; take the time as a parameter or from Now", s.at(call), sel.Sel.Name))
		}
		return true
	})
	return findings
}
