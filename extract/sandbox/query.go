package sandbox

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// query is what a request asks of a collection.
type query struct {
	selected  []string // nil: no $select; "*" stays as it came
	filter    string
	orderby   []ordering
	top, skip int // -1: not given
	size      int // of a page, if smaller than documented; 0: it is not
	skiptoken string
	count     bool // $inlinecount=allpages
	narrow    bool // the endpoint insists on a $select
	expand    []string
	// raw keeps the options as they came, decoded once, for __next.
	raw    map[string]string
	params map[string]string // what does not begin with $, by lower-case name
}

type ordering struct {
	name string
	desc bool
}

// badRequest is a 400 with Exact's text.
type badRequest string

func (b badRequest) Error() string { return string(b) }

func parseQuery(raw string) (*query, error) {
	q := &query{top: -1, skip: -1, raw: map[string]string{}, params: map[string]string{}}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, badRequest("Bad Request - Error in query syntax.")
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, badRequest("Bad Request - Error in query syntax.")
		}
		if err := q.set(name, value); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func (q *query) set(name, value string) (err error) {
	if !strings.HasPrefix(name, "$") {
		q.params[strings.ToLower(name)] = value
		return nil
	}
	if _, twice := q.raw[name]; twice {
		return badRequest("Query parameter '" + name + "' is specified, but it should be specified exactly once.")
	}
	q.raw[name] = value
	switch name {
	case "$select":
		q.selected = names(value)
	case "$expand":
		q.expand = names(value)
	case "$filter":
		q.filter = value
	case "$skiptoken":
		q.skiptoken = value
	case "$top":
		q.top, err = count(name, value)
	case "$skip":
		q.skip, err = count(name, value)
	case "$orderby":
		q.orderby, err = orderings(value)
	case "$inlinecount":
		q.count = value == "allpages"
	case "$format":
	default:
		err = badRequest("The query parameter '" + name + "' begins with a system-reserved '$' character but is not recognized.")
	}
	return err
}

func names(value string) []string {
	list := []string{}
	for name := range strings.SplitSeq(value, ",") {
		if name = strings.TrimSpace(name); name != "" {
			list = append(list, name)
		}
	}
	return list
}

func count(name, value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, badRequest(fmt.Sprintf("Incorrect format for %s argument '%s'.", name, value))
	}
	return n, nil
}

func orderings(value string) ([]ordering, error) {
	var list []ordering
	for _, item := range names(value) {
		words := strings.Fields(item)
		o := ordering{name: words[0]}
		switch {
		case len(words) == 1:
		case len(words) == 2 && words[1] == "desc":
			o.desc = true
		case len(words) == 2 && words[1] == "asc":
		default:
			return nil, badRequest("Syntax error at position 0.")
		}
		list = append(list, o)
	}
	return list, nil
}

// escapeQuery escapes what must be escaped in a query, and leaves alone what Exact leaves alone
// in __next: quotes, commas, parentheses and the dollar sign.
func escapeQuery(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c > ' ' && c < 0x7f && !strings.ContainsRune(`:%&+#"<>;?=/\^`+"`{|}", rune(c)) {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// splitLiterals cuts the list of a $skiptoken or a composite key at its commas.
func splitLiterals(s string) []string {
	var list []string
	quoted, begin := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			list = append(list, strings.TrimSpace(s[begin:i]))
			begin = i + 1
		}
	}
	return append(list, strings.TrimSpace(s[begin:]))
}
