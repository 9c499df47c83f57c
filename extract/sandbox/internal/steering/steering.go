// Package steering answers whoever looks at a running sandbox and does something to it: processes of this
// machine alone. Begin with [Panel].
package steering

import (
	"net/http"
	"strings"

	"exactduck/extract/sandbox/internal/wire"
)

// Panel is what can be looked at and done under a path, of a sandbox that is an S.
type Panel[S any] struct {
	Path  string
	Shows map[string]func(S) any // to a GET, by name
	// Do does what a POST says by its name and parameters, those of several values as one text. known
	// false: there is no such thing.
	Do func(s S, name string, given map[string]string) (known bool, err error)
}

// Answer answers a request under the path. here says that it is from this machine.
func (p Panel[S]) Answer(s S, r *http.Request, here bool) *wire.Reply {
	if !here || strings.Contains(r.Header.Get("Origin"), "://") {
		return &wire.Reply{Status: http.StatusForbidden}
	}
	name := strings.TrimPrefix(r.URL.Path, p.Path)
	if show := p.Shows[name]; show != nil && r.Method == http.MethodGet {
		return line(http.StatusOK, show(s))
	}
	given := map[string]string{}
	for name, values := range r.URL.Query() {
		given[name] = strings.Join(values, " ")
	}
	known, err := false, error(nil)
	if r.Method == http.MethodPost {
		known, err = p.Do(s, name, given)
	}
	switch {
	case !known:
		return line(http.StatusNotFound, map[string]string{"error": "no such control"})
	case err != nil:
		return line(http.StatusBadRequest, map[string]string{"error": err.Error()})
	}
	return line(http.StatusOK, map[string]string{"done": name})
}

// line is an answer that a person may read in a terminal.
func line(status int, v any) *wire.Reply {
	r := wire.JSON(status, v)
	r.Body = append(r.Body, '\n')
	return r
}
