package main

import (
	"regexp"
	"strings"
	"testing"
)

const sample = `{"Action":"start","Package":"x/a"}
{"Action":"output","Package":"x/a","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"x/a","Test":"TestGood","Output":"    a_test.go:3: chatter\n"}
{"Action":"pass","Package":"x/a","Test":"TestGood"}
{"Action":"output","Package":"x/a","Test":"TestStore","Output":"    a_test.go:9: PostgreSQL is not installed\n"}
{"Action":"output","Package":"x/a","Test":"TestStore","Output":"--- SKIP: TestStore (0.00s)\n"}
{"Action":"skip","Package":"x/a","Test":"TestStore"}
{"Action":"output","Package":"x/a","Output":"PASS\n"}
{"Action":"output","Package":"x/a","Output":"ok  \tx/a\t0.1s\n"}
{"Action":"pass","Package":"x/a"}
`

func run(t *testing.T, in, forbid string) (string, bool) {
	t.Helper()
	var out strings.Builder
	s := newSummary(&out)
	if err := s.read(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	var re *regexp.Regexp
	if forbid != "" {
		re = regexp.MustCompile("(?i)" + forbid)
	}
	ok := s.close(re)
	return out.String(), ok
}

func TestSummary(t *testing.T) {
	out, ok := run(t, sample, "")
	want := "ok  \tx/a\t0.1s\nskipped: PostgreSQL is not installed\n    x/a TestStore\ntests: 1 passed, 0 failed, 1 skipped\n"
	if out != want || !ok {
		t.Errorf("got ok=%v\n%s\nwant\n%s", ok, out, want)
	}
}

func TestForbiddenReasonFails(t *testing.T) {
	if out, ok := run(t, sample, "postgres"); ok {
		t.Errorf("passed although the engine is missing:\n%s", out)
	}
}

func TestFailureIsShown(t *testing.T) {
	in := `{"Action":"output","Package":"x/b","Test":"TestBad","Output":"    b_test.go:3: got 1, want 2\n"}
{"Action":"fail","Package":"x/b","Test":"TestBad"}
{"Action":"output","Package":"x/b","Output":"FAIL\tx/b\t0.1s\n"}
{"Action":"fail","Package":"x/b"}
`
	out, ok := run(t, in, "")
	if ok || !strings.Contains(out, "got 1, want 2") || !strings.Contains(out, "FAIL\tx/b") || !strings.Contains(out, "0 passed, 1 failed") {
		t.Errorf("ok=%v, output:\n%s", ok, out)
	}
}

func TestBuildFailureIsShown(t *testing.T) {
	in := `{"ImportPath":"x/c","Action":"build-output","Output":"c.go:3: undefined: y\n"}
{"Action":"fail","Package":"x/c","FailedBuild":"x/c"}
`
	out, ok := run(t, in, "")
	if ok || !strings.Contains(out, "undefined: y") || !strings.Contains(out, "0 passed, 1 failed") {
		t.Errorf("ok=%v, output:\n%s", ok, out)
	}
}

func TestNothingReportedFails(t *testing.T) {
	out, ok := run(t, "go: no such flag\n", "")
	if ok || !strings.Contains(out, "no such flag") {
		t.Errorf("ok=%v, output:\n%s", ok, out)
	}
}
