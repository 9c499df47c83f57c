package sandbox

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// api answers a request to /api/v1/: token, rights, limits, and then the records.
func (s *Sandbox) api(r *http.Request) *reply {
	a := parseAddress(r.URL.Path)
	d, barred := s.entered(a, wantsJSON(r))
	if refused := s.bearer(r); refused != nil {
		if barred == nil {
			s.failed(d, a, refused)
		}
		return refused
	}
	if barred != nil {
		return barred
	}
	return s.account(d, a, func() *reply { return s.serve(r, a, d) })
}

// anyDivision are the endpoints that do not look at the division in their address.
var anyDivision = []string{"/api/v1/{division}/system/divisions"}

// entered finds the division of an address.
func (s *Sandbox) entered(a address, asJSON bool) (*division, *reply) {
	if (a.division == 0 || slices.Contains(anyDivision, a.path)) && len(s.divisions) > 0 {
		return s.divisions[0], nil
	}
	d, err := s.division(a.division)
	if err != nil {
		return nil, failure(http.StatusForbidden, "NoDivisionAccess: Forbidden", "Forbidden", asJSON)
	}
	return d, nil
}

// serve answers a request that may be made.
func (s *Sandbox) serve(r *http.Request, a address, d *division) *reply {
	asJSON := wantsJSON(r)
	v := s.view(a.path)
	if v == nil || v.endpoint.Retired {
		return failure(http.StatusNotFound, "", fmt.Sprintf(resourceAbsent, a.path[strings.LastIndex(a.path, "/")+1:]), asJSON)
	}
	if r.Method != http.MethodGet || !slices.Contains(v.endpoint.Methods, http.MethodGet) {
		return failure(http.StatusMethodNotAllowed, "", "Method Not Allowed", asJSON)
	}
	if refused := s.barred(v, d, asJSON); refused != nil {
		return refused
	}
	found, err := s.look(v, d, a, r.URL.RawQuery)
	if err != nil {
		if errors.Is(err, errAbsent) {
			return failure(http.StatusNotFound, "", "Resource not found", asJSON)
		}
		return failure(http.StatusBadRequest, "", err.Error(), asJSON)
	}
	return found.reply(r, a)
}

// errAbsent is a record that is not there.
var errAbsent = errors.New("resource not found")

// look finds what a request asks for.
func (s *Sandbox) look(v *view, d *division, a address, rawQuery string) (*answer, error) {
	q, err := parseQuery(rawQuery)
	if err != nil {
		return nil, err
	}
	q.size = s.options.PageSize
	args, err := v.arguments(q)
	if err != nil {
		return nil, err
	}
	if s.links.lapsed(d.code, v.pattern, q.skiptoken, s.options.SkipTokenLife, s.now()) {
		return nil, badRequest(badSkipToken)
	}
	q.count = q.count && (s.options.CountEverywhere || v.endpoint.Kind != "sync" && v.endpoint.Kind != "bulk")
	if err := s.insists(v, a, q); err != nil {
		return nil, err
	}
	if v.endpoint.Keyless && len(v.props) == 0 {
		return d.worth(v, args), nil
	}
	records := s.visible(v, d, args)
	if s.options.Duplicates && v.endpoint.Kind == "sync" && !a.keyed {
		records = records.withFormer()
	}
	if a.keyed {
		found, err := v.single(records, a.key, q)
		if err == nil {
			found.expand, err = s.expansions(v, d, q)
		}
		return found, err
	}
	found, err := find(v, records, q)
	if err == nil {
		found.expand, err = s.expansions(v, d, q)
	}
	if err == nil && found.next != "" {
		s.links.give(d.code, v.pattern, found.last, s.options.SkipTokenLife, s.now())
	}
	if err == nil && a.count {
		match, _ := v.filter(q)
		found.counted, found.plain = countOf(records.made(), match), true
	}
	return found, err
}

// visible is the store that a login sees: an empty one where its rights are gone.
func (s *Sandbox) visible(v *view, d *division, args arguments) *store {
	for path := range d.revoked {
		if covers(path, v) {
			return newStore(v.set)
		}
	}
	switch {
	case v.endpoint.Name == "SyncTimestamp":
		return d.syncTimestamp(v, args)
	case len(v.endpoint.Parameters) > 0:
		return d.call(v, args)
	}
	return d.records(v.set)
}

func (v *view) single(s *store, key string, q *query) (*answer, error) {
	r := v.one(s, key)
	if r == nil {
		return nil, errAbsent
	}
	q.top = 1
	props, err := v.selection(q)
	return &answer{view: v, props: props, rows: []*record{r}, single: true, counted: -1}, err
}

// syncTimestamp finds the first record of an endpoint that was modified at or after a moment.
func (d *division) syncTimestamp(v *view, args arguments) *store {
	s := newStore(v.set)
	modified, name := args["modified"], args["endpoint"]
	var first *record
	var of *recordSet
	for _, other := range published().views {
		if wanted, _ := name.(string); other.endpoint.SyncTimestamp == "" || !strings.EqualFold(other.endpoint.SyncTimestamp, wanted) {
			continue
		}
		of = other.set
		for _, r := range d.records(of).made() {
			if m := of.get(r, "Modified"); m != nil && compare(m, modified) >= 0 && (first == nil || r.version < first.version) {
				first = r
			}
		}
	}
	if first != nil {
		s.put(v.set.build(fields{"Modified": of.get(first, "Modified"), "API": name, "TimeStampAsBigInt": first.version}))
	}
	return s
}

// reply encodes an answer.
func (a *answer) reply(r *http.Request, at address) *reply {
	path := r.URL.Path
	if at.keyed {
		path = path[:strings.LastIndex(path, "(")]
	}
	out := &reply{Status: http.StatusOK, Header: http.Header{"Cache-Control": {"no-cache"}, "DataServiceVersion": {"2.0;"}}}
	switch {
	case a.plain:
		out.Header.Set("Content-Type", "text/plain;charset=utf-8")
		out.Body = []byte(strconv.Itoa(a.counted))
	case wantsJSON(r):
		out.Header.Set("Content-Type", "application/json;charset=utf-8")
		out.Body = a.encode(rootOf(r), path)
	default:
		out.Header.Set("Content-Type", "application/atom+xml;charset=utf-8")
		out.Body = a.atom(rootOf(r), path)
	}
	return out
}

// rootOf is the scheme and host under which the client reached the sandbox.
func rootOf(r *http.Request) string {
	scheme, host := r.URL.Scheme, r.Host
	if host == "" {
		host = r.URL.Host
	}
	if scheme == "" {
		if scheme = "http"; r.TLS != nil {
			scheme = "https"
		}
	}
	return scheme + "://" + host
}

func escapeXML(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // writing to a buffer does not fail
	return b.String()
}
