package sandbox

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"syscall"
)

// reply is an answer, before it goes over a connection or into a client of this process.
type reply struct {
	status   int
	header   http.Header
	body     []byte
	cut      bool // the connection breaks after the body, or before the status when there is none
	declared int  // Content-Length of a body that is cut; otherwise that of the body
}

func (r *reply) length() string {
	if r.declared > 0 {
		return strconv.Itoa(r.declared)
	}
	return strconv.Itoa(len(r.body))
}

// write sends the reply over a connection.
func (r *reply) write(w http.ResponseWriter) {
	if r.cut && r.declared == 0 {
		hangUp(w)
		return
	}
	maps.Copy(w.Header(), r.header)
	w.Header().Set("Content-Length", r.length())
	w.WriteHeader(r.status)
	_, err := w.Write(r.body)
	if r.cut && err == nil {
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		hangUp(w)
	}
}

// hangUp breaks the connection without another byte.
func hangUp(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler) // the server's own way, where there is nothing to hijack
}

// Transport carries requests to the sandbox without sockets. What would be a broken connection is
// an error of the transport, or of reading the body.
func (s *Sandbox) Transport() http.RoundTripper { return inProcess{s} }

type inProcess struct{ sandbox *Sandbox }

// RoundTrip implements [http.RoundTripper].
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	r := t.sandbox.answer(req, true)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if r.cut && r.declared == 0 {
		return nil, syscall.ECONNRESET
	}
	header := http.Header{}
	for name, values := range r.header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	header.Set("Content-Length", r.length())
	size, _ := strconv.ParseInt(r.length(), 10, 64)
	return &http.Response{
		Status: strconv.Itoa(r.status) + " " + http.StatusText(r.status), StatusCode: r.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: r.reader(), ContentLength: size, Request: req,
	}, nil
}

func (r *reply) reader() io.ReadCloser {
	if !r.cut {
		return io.NopCloser(bytes.NewReader(r.body))
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(r.body), broken{}))
}

// broken is what is left of a connection.
type broken struct{}

func (broken) Read([]byte) (int, error) {
	return 0, errors.Join(io.ErrUnexpectedEOF, syscall.ECONNRESET)
}
