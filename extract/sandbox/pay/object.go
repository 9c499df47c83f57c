package pay

import (
	"maps"
	"strings"
	"time"
)

// object is a row as it is shown: values are nil, bool, string, int64, float64, time.Time, offset,
// object and []any.
type object map[string]any

// offset is a time that is shown with its offset instead of Z.
type offset time.Time

// row is what a list shows.
type row interface {
	ident() string
	born() time.Time
	// shown is what it looks like. It is new each time.
	shown() object
	// quick is a property that is often asked for, without the rest.
	quick(property string) (value any, known bool)
}

// property is the value of a row under a path with dots; nil: there is none.
func property(r row, path string) any {
	if v, known := r.quick(path); known {
		return v
	}
	var v any = r.shown()
	for name := range strings.SplitSeq(path, ".") {
		o, ok := v.(object)
		if !ok {
			return nil
		}
		v = o[name]
	}
	return v
}

// text is a time as the service writes it: with milliseconds where there are any.
func text(t time.Time) string {
	if t.Nanosecond() == 0 {
		return t.UTC().Format("2006-01-02T15:04:05Z")
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// onWire turns times into text.
func onWire(v any) any {
	switch v := v.(type) {
	case time.Time:
		return text(v)
	case offset:
		return time.Time(v).UTC().Format("2006-01-02T15:04:05.000+00:00")
	case object:
		return map[string]any(v.each(onWire))
	case []any:
		return eachOf(v, onWire)
	}
	return v
}

// truth is a value for tests: maps are plain, and times are times.
func truth(v any) any {
	switch v := v.(type) {
	case offset:
		return time.Time(v)
	case object:
		return map[string]any(v.each(truth))
	case []any:
		return eachOf(v, truth)
	}
	return v
}

func (o object) each(turn func(any) any) object {
	o = maps.Clone(o)
	for name, v := range o {
		o[name] = turn(v)
	}
	return o
}

func eachOf(list []any, turn func(any) any) []any {
	turned := make([]any, len(list))
	for i, v := range list {
		turned[i] = turn(v)
	}
	return turned
}

// list makes values of one type values of an object.
func list[T any](values []T) []any {
	l := make([]any, len(values))
	for i, v := range values {
		l[i] = v
	}
	return l
}
