package extract

import (
	"errors"
	"fmt"
	"time"

	"exactduck/schema"
)

// What a failed call can mean, for errors.Is. The types below carry the particulars.
var (
	// ErrUnauthorized: the vendor does not accept the login, and a fresh token did not cure it.
	ErrUnauthorized = errors.New("not authorized")
	// ErrBreaker: the endpoint refused so often that the vendor would soon block it.
	ErrBreaker = errors.New("stopped after repeated refusals")
	// ErrForeignHost: a link or a redirect leads to a host that must not see our token.
	ErrForeignHost = errors.New("leads to another host")
	// ErrResume: the place from which a broken-off read was to go on is no longer accepted. What
	// that read brought is void; it has to be read again from its beginning.
	ErrResume = errors.New("cannot resume")
	// ErrUncounted: the source cannot say how many rows a read would bring.
	ErrUncounted = errors.New("cannot be counted")
)

// in says in which scope, where it is not all that belongs to the connection.
func in(s schema.Scope) string {
	if s == "0" || s == "" {
		return ""
	}
	return " (" + string(s) + ")"
}

// Refused is an answer that no retry changes: a 4xx other than 408 and 429, or what [Manners.Final]
// claims. A 401 is also [ErrUnauthorized].
type Refused struct {
	Endpoint string
	Scope    schema.Scope
	Status   int
	Reason   string // the vendor's machine-readable cause; may be empty
	Message  string // the vendor's words, shortened, in the language of the user; may be empty
	// Remembered is when the vendor said so, if that was long enough ago that nobody asked again; zero:
	// this is its answer of now.
	Remembered time.Time
}

func (e *Refused) Error() string {
	text := fmt.Sprintf("GET %s%s: refused with %d", e.Endpoint, in(e.Scope), e.Status)
	if e.Reason != "" {
		text += " " + e.Reason
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if !e.Remembered.IsZero() {
		text += " (on " + e.Remembered.UTC().Format(time.RFC3339) + ", not asked again)"
	}
	return text
}

// Unwrap tells [ErrUnauthorized] from other refusals.
func (e *Refused) Unwrap() error {
	if e.Status == 401 {
		return ErrUnauthorized
	}
	return nil
}

// QuotaError says that the calls of the day are used up, but for those that are kept for others. No
// call was made, or the last one was refused for that reason.
type QuotaError struct {
	Scope schema.Scope
	Reset time.Time // when there are calls again, by this machine's clock
	Kept  int       // calls that are left and kept for other software
}

func (e *QuotaError) Error() string {
	text := fmt.Sprintf("calls of the day are used up%s until %s", in(e.Scope), e.Reset.UTC().Format(time.RFC3339))
	if e.Kept > 0 {
		text += fmt.Sprintf("; %d are kept for other software", e.Kept)
	}
	return text
}

// Spent says that a run has made as many requests as [Options.MaxCalls] allows. No call was made.
type Spent struct{ Max int }

func (e *Spent) Error() string {
	return fmt.Sprintf("the %d calls that this run may make are made", e.Max)
}

// Unreachable says that no usable answer came in any attempt: network errors, 5xx, cut answers,
// answers that are not JSON, or the vendor's "too many requests" again and again.
type Unreachable struct {
	Endpoint string
	Scope    schema.Scope
	Attempts int
	Err      error // of the last attempt
}

func (e *Unreachable) Error() string {
	return fmt.Sprintf("GET %s%s: no usable answer in %d attempts: %v", e.Endpoint, in(e.Scope), e.Attempts, e.Err)
}

// Unwrap is what went wrong in the last attempt.
func (e *Unreachable) Unwrap() error { return e.Err }

// Blocked says that a call was not made because the endpoint refused too often. It is [ErrBreaker].
type Blocked struct {
	Endpoint string
	Scope    schema.Scope
	Refusals int
	Until    time.Time // when it may be tried again
}

func (e *Blocked) Error() string {
	return fmt.Sprintf("GET %s%s: not sent after %d refusals within the hour; again from %s",
		e.Endpoint, in(e.Scope), e.Refusals, e.Until.UTC().Format(time.RFC3339))
}

// Unwrap is ErrBreaker.
func (e *Blocked) Unwrap() error { return ErrBreaker }

// Malformed says that an answer is complete JSON, yet not what the vendor's format allows.
type Malformed struct {
	Endpoint string
	Scope    schema.Scope
	Err      error
}

func (e *Malformed) Error() string {
	return fmt.Sprintf("GET %s%s: malformed answer: %v", e.Endpoint, in(e.Scope), e.Err)
}

// Unwrap is what is malformed.
func (e *Malformed) Unwrap() error { return e.Err }
