package wire

import (
	"io"
	"net"
	"net/http"
	"slices"
)

// IsLocal tells whether a request came over a connection from this machine.
func IsLocal(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// Body reads the body of a request, up to a megabyte.
func Body(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	return io.ReadAll(io.LimitReader(r.Body, 1<<20))
}

// many is how many things [Recent] remembers at least.
const many = 100_000

// Recent remembers what was added last: a hundred thousand things at least. The zero value is empty; a
// lock is the caller's.
type Recent[T any] struct{ all []T }

// Add remembers one more.
func (r *Recent[T]) Add(x T) {
	if len(r.all) >= 2*many {
		r.all = slices.Clone(r.all[many:])
	}
	r.all = append(r.all, x)
}

// All are those in the order in which they were added. They are the caller's.
func (r *Recent[T]) All() []T { return slices.Clone(r.all) }
