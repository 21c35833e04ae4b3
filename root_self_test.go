package forewarn_test

import (
	"fmt"
	"strings"
	"testing"
)

// ruleCase is an example for a rule: what it must report (each text in some
// finding, as many findings as texts), or nothing.
type ruleCase struct {
	name string
	got  []string
	want []string
}

func checkRuleCases(t *testing.T, cases []ruleCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if len(c.got) != len(c.want) {
				t.Fatalf("got %d findings, want %d: %q", len(c.got), len(c.want), c.got)
			}
			for i, want := range c.want {
				if !strings.Contains(c.got[i], want) {
					t.Errorf("finding %d is %q, want it to hold %q", i, c.got[i], want)
				}
			}
		})
	}
}

func mustParse(t *testing.T, name, text string) source {
	t.Helper()
	s, err := parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const sampleTable = `# A
## Who may import whom

| package | may import (inside) | refused (outside) | imported by |
|---|---|---|---|
| cmd/... | internal/cli | | |
| internal/a | - | os | |
| internal/a/* | internal/a, internal/leaf/... | | |
| internal/a/special | internal/... | | |
| internal/kit | internal/a | | tests |

## Other

| internal/ignored | - | | |
`

func TestImportRule(t *testing.T) {
	rows, err := parseRows(sampleTable)
	if err != nil {
		t.Fatal(err)
	}
	sound := []listed{
		{ImportPath: "cmd/x", Imports: []string{"internal/cli", "os"}},
		{ImportPath: "internal/a", Imports: []string{"fmt"}},
		{ImportPath: "internal/a/room", Imports: []string{"internal/a", "internal/leaf/one", "os"}},
		{ImportPath: "internal/a/special", Imports: []string{"internal/a/room"}},
		{ImportPath: "internal/kit", Imports: []string{"internal/a"}},
	}
	with := func(at int, p listed) []listed {
		pkgs := append([]listed{}, sound...)
		if at < 0 {
			return append(pkgs, p)
		}
		pkgs[at] = p
		return pkgs
	}
	checkRuleCases(t, []ruleCase{
		{"all in order", checkImports(rows, sound), nil},
		{
			"an import that the row does not allow",
			checkImports(rows, with(1, listed{ImportPath: "internal/a", Imports: []string{"internal/leaf"}})),
			[]string{"internal/a imports internal/leaf, which it may not"},
		},
		{
			"a room that imports a room",
			checkImports(rows, with(2, listed{ImportPath: "internal/a/room", Imports: []string{"internal/a", "internal/a/special", "internal/leaf/one"}})),
			[]string{"internal/a/room imports internal/a/special"},
		},
		{
			"a refused package",
			checkImports(rows, with(1, listed{ImportPath: "internal/a", Imports: []string{"os"}})),
			[]string{"imports os, which is refused"},
		},
		{
			"a package for tests in the program, although its row is wide",
			checkImports(rows, with(3, listed{ImportPath: "internal/a/special", Imports: []string{"internal/kit"}})),
			[]string{"which is for tests only"},
		},
		{
			"a package without a row",
			checkImports(rows, with(-1, listed{ImportPath: "internal/new", Imports: []string{"fmt", "internal/a"}})),
			[]string{"| internal/new | internal/a |  |  |"},
		},
		{
			"a row that is wider than it need be",
			checkImports(rows, with(2, listed{ImportPath: "internal/a/room", Imports: []string{"internal/a"}})),
			[]string{"internal/a/* imports internal/leaf/...; take it out"},
		},
		{
			"a row without a package",
			checkImports(rows, sound[1:]),
			[]string{"| cmd/... | internal/cli |  |  |"},
		},
	})
}

func TestTableRefusesWhatItCannotRead(t *testing.T) {
	for _, text := range []string{
		"no section",
		"## Who may import whom\n\nno table\n",
		"## Who may import whom\n\n| a | b | c |\n",
		"## Who may import whom\n\n| a | b | c | sometimes |\n",
	} {
		if rows, err := parseRows(text); err == nil {
			t.Errorf("parseRows(%q) gave %v, want an error", text, rows)
		}
	}
}

// long is a function of n lines with the given body repeated.
func long(head, line, tail string, n int) string {
	return "package p\n\n" + head + "\n" + strings.Repeat(line+"\n", n-2) + tail + "\n"
}

func TestFunctionRules(t *testing.T) {
	check := func(name, text string) []string { return checkFunctions(mustParse(t, name, text)) }
	tooLong := long("func f() {", "\tg()", "}", 81)
	checkRuleCases(t, []ruleCase{
		{"80 lines", check("a.go", long("func f() {", "\tg()", "}", 80)), nil},
		{"81 lines", check("a.go", tooLong), []string{"a.go:3: f has 81 lines"}},
		{"81 lines in a test", check("a_test.go", tooLong), nil},
		{"a table", check("a.go", long("func f() []int {\n\treturn []int{", "\t\t1,", "\t}\n}", 200)), nil},
		{"a literal in long code", check("a.go", long("func f() {\n\tx := []int{1}", "\tg(x)", "}", 100)), []string{"f has 101 lines"}},
		{"init", check("a.go", "package p\nfunc init() {}"), []string{"a.go:2: init"}},
		{"a method named init", check("a.go", "package p\nfunc (t T) init() {}"), nil},
		{"Get", check("a.go", "package p\nfunc (t T) GetName() {}\nfunc Getaway() {}"), []string{"GetName needs no Get"}},
		{"six after ctx", check("a.go", "package p\nfunc f(ctx context.Context, a, b, c, d, e, f int) {}"), nil},
		{"seven after ctx", check("a.go", "package p\nfunc f(ctx context.Context, a, b, c, d, e, f, g int) {}"), []string{"7 parameters"}},
		{"seven unnamed", check("a.go", "package p\nfunc f(int, int, int, int, int, int, int) {}"), []string{"7 parameters"}},
	})
}

func TestSizeRules(t *testing.T) {
	iface := func(methods int) string {
		var b strings.Builder
		for i := range methods {
			fmt.Fprintf(&b, "\tM%d()\n", i)
		}
		return "package p\ntype I interface {\n\tfmt.Stringer\n" + b.String() + "}\n"
	}
	files := func(n int, folder, name, text string) []source {
		var all []source
		for i := range n {
			all = append(all, mustParse(t, fmt.Sprintf("%s/%d%s.go", folder, i, name), text))
		}
		return all
	}
	said := "// Package p is an example.\npackage p\n"
	checkRuleCases(t, []ruleCase{
		{"600 lines", checkFileLength("a.go", strings.Repeat("\n", 600)), nil},
		{"601 lines", checkFileLength("a.go", strings.Repeat("\n", 601)), []string{"a.go has 601 lines"}},
		{"900 lines of test", checkFileLength("a_test.go", strings.Repeat("\n", 900)), nil},
		{"901 lines of test", checkFileLength("a_test.go", strings.Repeat("\n", 901)), []string{"901"}},
		{"generated", checkFileLength("a.go", "// Code generated by x. DO NOT EDIT.\n"+strings.Repeat("\n", 700)), nil},
		{"ten methods and an embedded one", checkInterfaces(mustParse(t, "a.go", iface(10))), nil},
		{"eleven methods", checkInterfaces(mustParse(t, "a.go", iface(11))), []string{"I declares 11 methods"}},
		{"twenty files", checkPackages(files(20, "internal/p", "f", said)), nil},
		{"twenty-one files", checkPackages(files(21, "internal/p", "f", said)), []string{"internal/p has 21 files"}},
		{"the vocabulary", checkPackages(files(25, "internal/exchange", "f", said)), nil},
		{"tests are not counted", checkPackages(append(files(15, "internal/p", "f", said), files(5, "internal/p", "_test", said)...)), nil},
		{"no package comment", checkPackages(files(2, "internal/p", "f", "package p\n")), []string{"no package comment"}},
		{"a name that says nothing", checkPackages(files(1, "internal/util", "f", strings.ReplaceAll(said, "package p", "package util"))), []string{"package util"}},
	})
}

func TestTimeRule(t *testing.T) {
	check := func(body string) []string {
		return checkTimeIsGiven(mustParse(t, "a.go", "package p\nfunc f() {\n"+body+"\n}"))
	}
	checkRuleCases(t, []ruleCase{
		{"Now", check("x := time.Now().UTC()"), []string{"a.go:3: calls time.Now"}},
		{"Since", check("x := time.Since(y)"), []string{"calls time.Since"}},
		{"a default that can be replaced", check("s.Now = time.Now"), nil},
		{"a service's own", check("x := s.Now()"), nil},
	})
}

func TestTextRules(t *testing.T) {
	page := func(text string) []string { return checkPage("a.html", text) }
	links := func(text string) []string {
		return checkLinks("docs/a.md", text, func(target string) bool { return target == "docs/b.md" || target == "README.md" })
	}
	checkRuleCases(t, []ruleCase{
		{"a machine's path", checkForbiddenTexts("a.md", "one\nsee "+forbiddenTexts[0]+"main\n"), []string{"a.md:2:"}},
		{"part of another path", checkForbiddenTexts("a.md", "net"+forbiddenTexts[0]+" taxii2"+forbiddenTexts[1]), nil},
		{"srcdoc", page("<iframe srcdoc=x>"), []string{"srcdoc"}},
		{"style", page("\n<p {{if gt .A 1}}a{{end}}\n style=\"x\">"), []string{"a.html:3: an inline style"}},
		{"handler", page(`<a href="x" onclick="y">`), []string{"an inline handler"}},
		{"script elsewhere", page(`<script defer src="https://cdn.example/x.js">`), []string{"another server"}},
		{"without a scheme", page(`<img src=//cdn.example/x>`), []string{"another server"}},
		{"style sheet elsewhere", page("a { background: url('http://x.example/y') }"), []string{"another server"}},
		{"a page in order", page(`<a class="style one" href="https://x.example/">style= on=</a><script src="/s.js"></script>`), nil},
		{"links in order", links("[a](b.md#x) [b](../README.md) [c](https://x.example/y.md) [d](#e)\n`[x](y.md)`\n```\n[x](y.md)\n```\n"), nil},
		{"links that lead nowhere", links("[a](c.md)\n\n[r]: d.md\n"), []string{"c.md leads nowhere", "d.md leads nowhere"}},
		{"links that lead out", links("[a](/b.md) [b](../../x.md)"), []string{"/b.md leads out", "../../x.md leads out"}},
		{
			"a glossary that names what is not there",
			checkGlossary("| term | meaning | in the code |\n| a | `x` | `T.F`, table `t` |\n| b | y | `T.G`, `u.T` |\n", map[string]bool{"T": true, "F": true, "t": true}),
			[]string{"no G", "no u"},
		},
		{
			"a dependency that nobody decided on",
			checkDependencies("require (\n\tgithub.com/a/b/v2 v2.1.0\n\texample.org/c v1.0.0\n\texample.org/d v1.0.0 // indirect\n)\nrequire example.org/e v0.1.0\n", "we take a/b because"),
			[]string{"example.org/c", "example.org/e"},
		},
	})
}

func TestLicenceRules(t *testing.T) {
	of := func(text string) []string { return checkLicence("m", map[string]string{"LICENSE": text}) }
	lock := func(fields string) []string {
		return checkPackageLock(`{"packages":{"":{},"node_modules/x":{` + fields + `}}}`)
	}
	checkRuleCases(t, []ruleCase{
		{"our own", of(read(t, "LICENSE")), nil},
		{"MIT", of("Permission is hereby granted,  free of charge, to any person\nobtaining a copy of this"), nil},
		{"GPL", of("GNU GENERAL PUBLIC LICENSE\nVersion 3"), []string{"not allowed"}},
		{"MPL, which names the GPL", of("Mozilla Public License Version 2.0 ... GNU General Public License"), nil},
		{"four clauses", of("Redistribution and use in source and binary forms ... All advertising materials mentioning features"), []string{"not allowed"}},
		{"unknown", of("All rights reserved."), []string{"unknown licence"}},
		{"none", checkLicence("m", nil), []string{"no licence file"}},
		{"a locked package", lock(`"license":"MPL-2.0","integrity":"sha512-x"`), nil},
		{"a registry in the lock file", lock(`"license":"MIT","integrity":"sha512-x","resolved":"https://r.example/x"`), []string{"names a registry"}},
		{"a licence that is not allowed, no hash", lock(`"license":"GPL-3.0"`), []string{"GPL-3.0", "no hash"}},
	})
	for name, want := range map[string]bool{
		"LICENSE": true, "LICENSE.txt": true, "COPYING": true, "MIT-LICENSE": true, "SQLITE-LICENSE": true,
		"UNLICENSE": true, "licence_test.txt": true, "README.md": false, "licensing.md": false,
	} {
		if licenceFile.MatchString(name) != want {
			t.Errorf("%s is taken as a licence file: %v, want %v", name, !want, want)
		}
	}
}

func TestOpensRule(t *testing.T) {
	check := func(name, text string) []string {
		found, _ := checkOpens(mustParse(t, name, "package x\n"+text))
		return found
	}
	const under = "func (s *S) open(p policy.Permit, sha string) { s.c.Blobs.Open(sha) }"
	const without = "func (s *S) peek(sha string) { s.c.Blobs.Open(sha) }"
	checkRuleCases(t, []ruleCase{
		{"delivery under a permit", check("internal/exchange/delivery/x.go", under), nil},
		{"delivery without one", check("internal/exchange/delivery/x.go", without), []string{"peek opens content without"}},
		{"a room that takes bytes in", check("internal/exchange/submission/x.go", without), nil},
		{"an interface", check("internal/transport/api/x.go", under), []string{"opens stored bytes"}},
		{"another Open", check("internal/transport/api/x.go", "func f() { os.Open(\"x\"); s.Files.Open(\"x\") }"), nil},
	})
}
