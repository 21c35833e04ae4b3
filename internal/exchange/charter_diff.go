package exchange

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Change is one difference between two charters. Old or New is empty where the
// entry is missing on that side.
type Change struct{ Path, Old, New string }

// Diff lists what differs between two charters, sorted by path. Entries of
// lists are told apart by their id (cohort[validate].max_members), rules by
// class and cohort, holidays by date; an unchanged set of cohorts in another
// order is a change of cohort.order, because the first match wins.
func Diff(old, new Charter) []Change {
	a, b := old.flat(), new.flat()
	var out []Change
	paths := maps.Clone(a)
	maps.Copy(paths, b)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if a[path] != b[path] {
			out = append(out, Change{path, a[path], b[path]})
		}
	}
	return out
}

func (c Charter) flat() map[string]string {
	var doc map[string]any
	if err := toml.Unmarshal(c.TOML(), &doc); err != nil {
		panic(fmt.Errorf("reading an exported charter: %w", err))
	}
	out := map[string]string{}
	flatten(out, "", doc)
	var order []string
	for _, co := range c.Cohorts {
		order = append(order, string(co.ID))
	}
	if len(order) > 0 {
		out["cohort.order"] = strings.Join(order, ", ")
	}
	return out
}

func flatten(out map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			flatten(out, strings.TrimPrefix(path+"."+k, "."), e)
		}
	case []any:
		var scalars []string
		for _, e := range v {
			if table, ok := e.(map[string]any); ok {
				at := fmt.Sprintf("%s[%s]", path, entryName(table))
				for n := 2; hasPrefix(out, at); n++ {
					at = fmt.Sprintf("%s[%s #%d]", path, entryName(table), n)
				}
				flatten(out, at, table)
			} else {
				scalars = append(scalars, fmt.Sprint(e))
			}
		}
		if len(scalars) == len(v) {
			out[path] = strings.Join(scalars, ", ")
		}
	default:
		out[path] = fmt.Sprint(v)
	}
}

func entryName(table map[string]any) string {
	if class, ok := table["class"]; ok {
		return fmt.Sprintf("%v to %v", class, table["cohort"])
	}
	for _, key := range []string{"id", "date", "name"} {
		if v, ok := table[key]; ok {
			return fmt.Sprint(v)
		}
	}
	return ""
}

func hasPrefix(m map[string]string, prefix string) bool {
	for k := range m {
		if strings.HasPrefix(k, prefix+".") {
			return true
		}
	}
	return false
}
