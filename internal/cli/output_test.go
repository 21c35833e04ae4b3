package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestInstant(t *testing.T) {
	now := time.Date(2027, 6, 1, 8, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{
		"2027-12-08T18:00:00Z":      "2027-12-08T18:00:00Z",
		"2027-12-08T18:00:00+02:00": "2027-12-08T16:00:00Z",
		"2027-12-08T18:00":          "2027-12-08T18:00:00Z",
		"2027-12-08 18:00":          "2027-12-08T18:00:00Z",
		"2027-12-08":                "2027-12-08T00:00:00Z",
		"+90m":                      "2027-06-01T09:30:00Z",
		"-2h30m":                    "2027-06-01T05:30:00Z",
		"+3d":                       "2027-06-04T08:00:00Z",
		"-1d":                       "2027-05-31T08:00:00Z",
		"+2s":                       "2027-06-01T08:00:02Z",
		"tomorrow":                  "",
		"+":                         "",
		"+xd":                       "",
		"18:00":                     "",
		"2027-13-01":                "",
	} {
		got, err := instant(in, now)
		if want == "" {
			if err == nil {
				t.Errorf("instant(%q) = %v, want an error", in, got)
			}
			continue
		}
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("instant(%q) = %v, %v, want %s", in, got, err, want)
		}
	}
}

// TestText keeps what others wrote from steering the terminal or the columns.
func TestText(t *testing.T) {
	a := &app{zone: time.UTC}
	for name, c := range map[string]struct {
		in   any
		tty  bool
		want string
	}{
		"escape sequences":          {"a\x1b[2Jb\x07", true, "a[2Jb"},
		"a tab and a new line":      {"a\tb\nc", false, "a b c"},
		"right-to-left marks":       {"a\u202eb\u2066c", false, "abc"},
		"invalid UTF-8":             {"a\xffb", false, "a\uFFFDb"},
		"C1 controls":               {"a\u009bb", false, "ab"},
		"a time, in a pipe":         {"2027-06-01T08:00:00.5Z", false, "2027-06-01T08:00:00.5Z"},
		"a time, for people":        {"2027-06-01T08:00:00.5Z", true, "2027-06-01 08:00:00Z"},
		"a list":                    {[]any{"a", "b"}, false, "a, b"},
		"times by name":             {map[string]any{"b": "2027-06-01T08:00:00Z", "a\x1b": "x"}, false, "a=x b=2027-06-01T08:00:00Z"},
		"a map of other than texts": {map[string]any{"a": json.Number("1")}, false, `{"a":1}`},
		"a number":                  {json.Number("12"), false, "12"},
		"nothing":                   {nil, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := a.text(c.in, c.tty); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAligned(t *testing.T) {
	var b strings.Builder
	a := &app{out: &b, color: "always"}
	if err := a.aligned([][]string{{"a", "", "x"}, {"longer", "", "ü"}}, columns("id", "state", "title")); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[1mID      TITLE\x1b[0m\na       x\nlonger  ü\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
}

func TestFigures(t *testing.T) {
	got := map[string]string{}
	for name, in := range map[string]string{
		"no data": `{"no_data":true}`,
		"hidden":  `{"hidden":true,"no_data":false,"figure":{"share":1,"part":1,"whole":1}}`,
		"share":   `{"figure":{"share":0.625,"part":5,"whole":8}}`,
		"zero":    `{"figure":{"share":0,"part":0,"whole":8}}`,
		"span":    `{"figure":{"median_seconds":129600}}`,
		"late":    `{"figure":{"median_seconds":-90.4}}`,
		"at once": `{"figure":{"median_seconds":0}}`,
	} {
		m, err := decode([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = figureText(m)
	}
	want := map[string]string{
		"no data": "no data", "hidden": "hidden", "share": "62.5% (5 of 8)", "zero": "0.0% (0 of 8)",
		"span": "36h0m", "late": "-1m30s", "at once": "0s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func TestShortened(t *testing.T) {
	whole := strings.Repeat("ü", 120)
	if got := shortened(whole); got != whole {
		t.Errorf("a text that fits became %q", got)
	}
	if got, want := shortened(whole+"x"), strings.Repeat("ü", 119)+"…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
