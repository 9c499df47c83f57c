package pay

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// query is what a request for a list wants.
type query struct {
	limit, skip int
	filters     []filter
	sort        []key
	selected    []string // properties; nil: all
	plain       map[string]string
}

// filter is one condition; unknown operators are no conditions.
type filter struct{ property, operator, value string }

// key is one property to sort by.
type key struct {
	property   string
	descending bool
}

// misfit says which parameter makes no sense, and why.
type misfit struct{ parameter, message string }

const pageSize = 100

var condition = regexp.MustCompile(`^([A-Za-z_][\w.]*)(?:\[\$(\w+)\])?$`)

// parse reads a query, in its order. Names of a path of its own, from and to, are no filters there.
func parse(raw string, own ...string) (*query, *misfit) {
	q := &query{limit: pageSize, plain: map[string]string{}}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err := cmp.Or(err1, err2); err != nil {
			return nil, &misfit{"query", "malformed"}
		}
		if name == "" {
			continue
		}
		if bad := q.take(name, value, own); bad != nil {
			return nil, bad
		}
	}
	return q, nil
}

func (q *query) take(name, value string, own []string) (bad *misfit) {
	switch {
	case slices.Contains(own, name):
		q.plain[name] = value
	case name == "$limit":
		q.limit, bad = count(name, value)
	case name == "$skip":
		q.skip, bad = count(name, value)
	case name == "$sort" && strings.Contains(value, ":"):
		q.sort = append(q.sort, colons(value)...)
		q.plain["sort"] = "colon"
	case name == "$sort":
		q.sort = append(q.sort, words(value)...)
		q.plain["sort"] = "plain"
	case strings.HasPrefix(name, "$sort["):
		q.sort = append(q.sort, key{strings.TrimSuffix(name[len("$sort["):], "]"), isDescending(value)})
		q.plain["sort"] = "object"
	case name == "$select":
		q.selected = strings.Split(value, ",")
	default:
		if m := condition.FindStringSubmatch(name); m != nil {
			q.filters = append(q.filters, filter{m[1], cmp.Or(m[2], "eq"), value})
		}
	}
	return bad
}

func count(name, value string) (int, *misfit) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, &misfit{name, "Expected number, received string"}
	}
	return n, nil
}

func colons(value string) []key {
	var keys []key
	for part := range strings.SplitSeq(value, ",") {
		property, direction, _ := strings.Cut(strings.TrimSpace(part), ":")
		keys = append(keys, key{property, isDescending(direction)})
	}
	return keys
}

func words(value string) []key {
	var keys []key
	for word := range strings.FieldsSeq(value) {
		property, descending := strings.CutPrefix(word, "-")
		keys = append(keys, key{property, descending})
	}
	return keys
}

func isDescending(direction string) bool {
	return slices.Contains([]string{"desc", "descending", "-1"}, strings.ToLower(direction))
}

// met says whether a row meets a condition. What it does not have is met by $ne alone.
func (f filter) met(r row) bool {
	v := property(r, f.property)
	if v == nil {
		return f.operator == "ne"
	}
	order, alike := compareText(v, f.value)
	switch f.operator {
	case "eq":
		return alike && order == 0
	case "ne":
		return !alike || order != 0
	case "gt":
		return alike && order > 0
	case "gte":
		return alike && order >= 0
	}
	return true
}

// compareText compares a value with a text that should be like it.
func compareText(v any, text string) (order int, alike bool) {
	switch v := v.(type) {
	case time.Time:
		t, err := parseTime(text)
		return v.Compare(t), err == nil
	case int64:
		n, err := strconv.ParseFloat(text, 64)
		return cmp.Compare(float64(v), n), err == nil
	case float64:
		n, err := strconv.ParseFloat(text, 64)
		return cmp.Compare(v, n), err == nil
	case bool:
		return strings.Compare(strconv.FormatBool(v), text), true
	case string:
		return strings.Compare(v, text), true
	}
	return 0, false
}

// parseTime reads ISO 8601: a moment with its zone, or a day.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date", text)
}

// compareValues orders what rows can be sorted by; what is not there comes first.
func compareValues(a, b any) int {
	switch x := a.(type) {
	case time.Time:
		if y, ok := b.(time.Time); ok {
			return x.Compare(y)
		}
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y)
		}
	}
	if (a == nil) != (b == nil) {
		return map[bool]int{true: -1, false: 1}[a == nil]
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}
