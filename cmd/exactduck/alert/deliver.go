package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// The limits of a delivery.
const (
	answerWithin  = 10 * time.Second
	commandWithin = 30 * time.Second
	answerMost    = 64 << 10
	redirectsMost = 3
)

// notTaken says why a message was not taken, in words without a secret: errors of the library quote
// addresses, so none of them goes further.
type notTaken struct {
	problem string
	lasting bool          // trying again at once is of no use
	pause   time.Duration // that the receiver asks for
}

func (e *notTaken) Error() string { return e.problem }

func find(err error) notTaken {
	if e, ok := errors.AsType[*notTaken](err); ok {
		return *e
	}
	return notTaken{problem: "it could not be told"}
}

func (d *Desk) deliver(ctx context.Context, r *Receiver, m *message) error {
	if len(r.Command) > 0 {
		body, err := m.body(Generic, d.o.From)
		if err != nil {
			return err
		}
		return d.run(ctx, r.Command, body)
	}
	body, err := m.body(r.As, d.o.From)
	if err != nil {
		return err
	}
	return d.call(ctx, http.MethodPost, r.Webhook, body, m.ID)
}

func (d *Desk) ping(ctx context.Context, r *Receiver) error {
	return d.call(ctx, http.MethodGet, r.Ping, nil, "")
}

// client follows nobody to another host. Connections are not kept: messages are rare.
func client(within time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	return &http.Client{Transport: transport, Timeout: within, CheckRedirect: stay}
}

var (
	errElsewhere = &notTaken{problem: "it leads on to another address", lasting: true}
	errCircles   = &notTaken{problem: "it leads on in circles", lasting: true}
)

// stay allows what leads on within the host and keeps the message.
func stay(next *http.Request, before []*http.Request) error {
	first, code := before[0], next.Response.StatusCode
	same := next.URL.Scheme == first.URL.Scheme && next.URL.Host == first.URL.Host
	switch {
	case !same, first.Method == http.MethodPost && code != http.StatusTemporaryRedirect && code != http.StatusPermanentRedirect:
		return errElsewhere
	case len(before) > redirectsMost:
		return errCircles
	}
	return nil
}

func (d *Desk) call(ctx context.Context, method, address string, body []byte, id string) error {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return &notTaken{problem: "its address is none", lasting: true}
	}
	request.Header.Set("User-Agent", "exactduck")
	if id != "" {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", id)
	}
	answer, err := d.client.Do(request)
	if err != nil {
		return d.unanswered(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, answerMost)) // the status says it all
	if answer.StatusCode/100 == 2 {
		return nil
	}
	refused := &notTaken{problem: fmt.Sprintf("it answered %d", answer.StatusCode)}
	refused.lasting = answer.StatusCode/100 == 4 && answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode != http.StatusRequestTimeout
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		refused.pause = min(longestPause, time.Duration(min(seconds, 1<<20))*time.Second)
	}
	return refused
}

// unanswered says what is known of an error of the library without quoting it.
func (d *Desk) unanswered(err error) error {
	if known, ok := errors.AsType[*notTaken](err); ok {
		return known
	}
	timeout, isTimeout := errors.AsType[net.Error](err)
	switch {
	case isTimeout && timeout.Timeout():
		return &notTaken{problem: fmt.Sprintf("it did not answer within %v", d.o.AnswerWithin)}
	case has[*net.DNSError](err):
		return &notTaken{problem: "its name is not known"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &notTaken{problem: "it refuses connections"}
	case has[*tls.CertificateVerificationError](err), has[x509.UnknownAuthorityError](err), has[x509.HostnameError](err):
		return &notTaken{problem: "its certificate is not to be trusted", lasting: true}
	case errors.Is(err, http.ErrSchemeMismatch), has[tls.RecordHeaderError](err):
		return &notTaken{problem: "it does not speak TLS", lasting: true}
	}
	return &notTaken{problem: "it could not be reached, or hung up"}
}

func has[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// run gives a message to a program. Its group of processes is ended with it, or at its time limit.
func (d *Desk) run(ctx context.Context, command []string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, d.o.CommandWithin)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Stdin, c.Stdout, c.Stderr, c.Dir = bytes.NewReader(body), d.o.Output, d.o.Output, d.o.Folder
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second // for what went out of the group and holds our pipes
	err := c.Start()
	if err != nil {
		return &notTaken{problem: "its command cannot be started", lasting: true}
	}
	err = c.Wait()
	_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // none is left in most cases
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &notTaken{problem: fmt.Sprintf("its command took longer than %v", d.o.CommandWithin), lasting: true}
	case ended && exit.ExitCode() >= 0:
		return &notTaken{problem: fmt.Sprintf("its command ended with %d", exit.ExitCode())}
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // the program itself ended well
	}
	return &notTaken{problem: "its command was ended by a signal"}
}
