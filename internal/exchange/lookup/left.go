package lookup

import "github.com/forewarn-exchange/forewarn/internal/format/observable"

// left is the values that are left in redacted copies. A value that was in the
// original alone does not stand in the object, as far as the asker may know.
type left struct {
	extractor *observable.Extractor
	of        map[int64]map[string]struct{} // by object
}

// holds reports whether the copy that the asker has of an object holds the value.
func (l *left) holds(o Seen, text string) bool {
	values, known := l.of[o.Number]
	if !known {
		if l.of == nil {
			l.of, l.extractor = map[int64]map[string]struct{}{}, observable.NewExtractor()
		}
		values = map[string]struct{}{}
		if all, err := l.extractor.Extract(o.Copy); err == nil { // what cannot be read holds nothing
			for _, v := range all {
				values[v.Text] = struct{}{}
			}
		}
		l.of[o.Number] = values
	}
	_, ok := values[text]
	return ok
}
