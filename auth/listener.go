package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"
)

// listener waits on this machine for the browser to come back with the code.
type listener struct {
	sockets []net.Listener
	server  *http.Server
	path    string
	state   string
	found   chan obtained // holds the first result
	serving sync.WaitGroup
}

// listen opens the port of a redirect URL, on both loopback addresses where there are two: a
// browser may take "localhost" for either.
func listen(redirect *url.URL, state string, now time.Time, log *slog.Logger) (*listener, error) {
	port := redirect.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[redirect.Scheme]
	}
	l := &listener{path: redirect.EscapedPath(), state: state, found: make(chan obtained, 1)}
	if l.path == "" {
		l.path = "/"
	}
	l.server = &http.Server{
		Handler: l, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	var err error
	if l.sockets, err = open(redirect.Hostname(), port); err != nil {
		return nil, fmt.Errorf("listen for the redirect: %w", err)
	}
	if redirect.Scheme != "https" {
		return l, nil
	}
	certificate, err := selfSigned(now)
	if err != nil {
		l.close()
		return nil, fmt.Errorf("make a certificate for the redirect: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	for n, socket := range l.sockets {
		l.sockets[n] = tls.NewListener(socket, config)
	}
	return l, nil
}

// open listens on what a browser may take host for. That another program has one of the two
// loopback addresses is an error, because the browser may take the code there; that this
// machine has only one of them is not.
func open(host, port string) ([]net.Listener, error) {
	hosts := []string{host}
	if host == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	var sockets []net.Listener
	var problems []error
	for _, host := range hosts {
		socket, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			problems = append(problems, err)
			continue
		}
		sockets = append(sockets, socket)
	}
	problem := errors.Join(problems...)
	if len(sockets) > 0 && !errors.Is(problem, syscall.EADDRINUSE) {
		return sockets, nil
	}
	for _, socket := range sockets {
		_ = socket.Close()
	}
	return nil, problem
}

// serve answers until close, and passes on the first result unless ctx is done before.
func (l *listener) serve(ctx context.Context, codes chan<- obtained) {
	for _, socket := range l.sockets {
		l.serving.Go(func() { _ = l.server.Serve(socket) })
	}
	l.serving.Go(func() {
		select {
		case got := <-l.found:
			codes <- got
		case <-ctx.Done():
		}
	})
}

// closing is how long the last page may take to reach the browser.
const closing = 2 * time.Second

// close ends what serve began; the context given to serve must be done.
func (l *listener) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if l.server.Shutdown(ctx) != nil {
		_ = l.server.Close()
	}
	for _, socket := range l.sockets {
		_ = socket.Close()
	}
	l.serving.Wait()
}

// ServeHTTP takes the redirect. Requests that do not belong to this login are turned away and
// change nothing: any page in the browser can send some.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.URL.EscapedPath() != l.path {
		http.NotFound(w, r)
		return
	}
	code, err := codeFromQuery(r.URL.RawQuery, l.state)
	var no *LoginError
	switch {
	case err == nil:
		l.reply(w, http.StatusOK, "Logged in. You can close this window.")
	case errors.As(err, &no) && no.Cause == Denied && l.mine(r):
		l.reply(w, http.StatusOK, "Access was not granted. You can close this window.")
	default:
		l.reply(w, http.StatusBadRequest, "This address does not belong to the login that is waiting.")
		return
	}
	select {
	case l.found <- obtained{code, err}:
	default: // the browser asked twice
	}
}

func (l *listener) mine(r *http.Request) bool {
	return subtle.ConstantTimeCompare([]byte(r.URL.Query().Get("state")), []byte(l.state)) == 1
}

func (l *listener) reply(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!doctype html><title>exactduck</title><p>"+text+"</p>\n")
}

// selfSigned makes a certificate for this machine's loopback names. Nobody vouches for it, so
// browsers warn; it never leaves this process.
func selfSigned(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "exactduck login on this machine"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
