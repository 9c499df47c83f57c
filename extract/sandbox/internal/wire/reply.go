// Package wire carries the answers of a simulated service to its clients, whole or broken: over a
// connection, or within the process. Begin with [Reply]; [Faults] are what can go wrong.
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"syscall"
)

// Reply is an answer before it is on its way. Without a Declared length a Cut one breaks before its
// first byte.
type Reply struct {
	Status   int
	Header   http.Header
	Body     []byte
	Cut      bool // the connection breaks after the body
	Declared int  // Content-Length of a body that is cut; 0: that of the body
}

func (r *Reply) length() int {
	if r.Declared > 0 {
		return r.Declared
	}
	return len(r.Body)
}

func (r *Reply) vanishes() bool { return r.Cut && r.Declared == 0 }

// Write sends the reply over a connection.
func (r *Reply) Write(w http.ResponseWriter) {
	if r.vanishes() {
		hangUp(w)
		return
	}
	maps.Copy(w.Header(), r.Header)
	if r.Status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(r.length()))
	}
	w.WriteHeader(r.Status)
	_, err := w.Write(r.Body)
	if r.Cut && err == nil {
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

// JSON is an answer of that form.
func JSON(status int, v any) *Reply {
	text, err := json.Marshal(v)
	if err != nil {
		return Text(http.StatusInternalServerError, "text/plain; charset=utf-8", http.StatusText(http.StatusInternalServerError))
	}
	return &Reply{Status: status, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: text}
}

// Text is an answer of that type.
func Text(status int, kind, text string) *Reply {
	return &Reply{Status: status, Header: http.Header{"Content-Type": {kind}}, Body: []byte(text)}
}

// InProcess carries requests to whoever answers them, without sockets. What would be a broken
// connection is an error of the transport, or of reading the body.
func InProcess(answer func(*http.Request) *Reply) http.RoundTripper { return inProcess(answer) }

type inProcess func(*http.Request) *Reply

// RoundTrip implements [http.RoundTripper].
func (answer inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	r := answer(req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if r.vanishes() {
		return nil, syscall.ECONNRESET
	}
	header := http.Header{}
	for name, values := range r.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	header.Set("Content-Length", strconv.Itoa(r.length()))
	return &http.Response{
		Status: strconv.Itoa(r.Status) + " " + http.StatusText(r.Status), StatusCode: r.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: r.reader(), ContentLength: int64(r.length()), Request: req,
	}, nil
}

func (r *Reply) reader() io.ReadCloser {
	if !r.Cut {
		return io.NopCloser(bytes.NewReader(r.Body))
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(r.Body), broken{}))
}

// broken is what is left of a connection.
type broken struct{}

func (broken) Read([]byte) (int, error) {
	return 0, errors.Join(io.ErrUnexpectedEOF, syscall.ECONNRESET)
}
