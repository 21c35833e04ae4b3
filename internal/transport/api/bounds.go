package api

import (
	"reflect"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// unstorable lists what of an input no store and no answer can hold: an instant
// whose year in UTC is not 1 to 9999, which JSON cannot write (RFC 3339 §1), and
// the character U+0000, which PostgreSQL does not take. Either would break every
// later answer in which it stands. It looks at the input alone, so it says
// nothing about what exists.
func unstorable(in any) error {
	var ps []exchange.Problem
	walk(reflect.ValueOf(in), "", &ps)
	if len(ps) == 0 {
		return nil
	}
	return exchange.InvalidWith("the request does not fit this operation; nothing was done", ps)
}

var timeType = reflect.TypeFor[time.Time]()

func walk(v reflect.Value, path string, ps *[]exchange.Problem) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), path, ps)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // bytes, which their reader checks
		}
		for i := range v.Len() {
			walk(v.Index(i), path, ps)
		}
	case reflect.String:
		if strings.ContainsRune(v.String(), 0) {
			*ps = append(*ps, exchange.Problem{Path: path, Message: "holds the character U+0000"})
		}
	case reflect.Struct:
		if v.Type() == timeType {
			if t := v.Interface().(time.Time); !t.IsZero() && (t.UTC().Year() < 1 || t.UTC().Year() > 9999) {
				*ps = append(*ps, exchange.Problem{Path: path, Message: "not between the years 1 and 9999, in UTC"})
			}
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				walk(v.Field(i), below(path, f), ps)
			}
		}
	}
}

// below is the place of a field, written as newProblem writes places.
func below(path string, f reflect.StructField) string {
	for _, in := range []string{"path", "query", "header"} {
		if name, ok := f.Tag.Lookup(in); ok {
			return in + "." + name
		}
	}
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	switch {
	case path == "" && f.Name == "Body":
		return "$"
	case name == "":
		return path // an embedded type adds no level
	}
	return path + "." + name
}
