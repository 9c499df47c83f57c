package sandbox

import (
	"net/http"

	"exactduck/extract/sandbox/internal/wire"
)

// reply is an answer, before it goes over a connection or into a client of this process.
type reply = wire.Reply

// Transport carries requests to the sandbox without sockets. What would be a broken connection is
// an error of the transport, or of reading the body.
func (s *Sandbox) Transport() http.RoundTripper {
	return wire.InProcess(func(r *http.Request) *reply { return s.answer(r, true) })
}
