package auth

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrLoginRequired says that only a person can repair the login, by logging in.
	ErrLoginRequired = errors.New("login required")
	// ErrAppRefused says that the server knows the client id, the secret or the redirect URL
	// differently: a matter of configuration.
	ErrAppRefused = errors.New("app registration refused")
)

// Cause is why a login does not work. The texts are stable: they are stored and printed as JSON.
type Cause string

// The causes.
const (
	NoLogin       Cause = "no_login"       // nobody has logged in
	OtherLogin    Cause = "other_login"    // the store holds the login of another app or host
	Reused        Cause = "reused"         // the refresh token had been used before
	AnswerLost    Cause = "answer_lost"    // Reused, and by ourselves: the answer never came
	Expired       Cause = "expired"        // not used for 30 days
	BrokenChain   Cause = "broken_chain"   // another login of this app and user ended this one
	Mangled       Cause = "mangled"        // the server could not read the code or token
	Unclear       Cause = "unclear"        // refused for a reason that we do not know
	AccessRefused Cause = "access_refused" // the API refuses an access token that is not old
	Denied        Cause = "denied"         // the person, or the server, said no at the login page
	Sealed        Cause = "sealed"         // exported to another machine
	WrongState    Cause = "wrong_state"    // the redirect does not belong to this login
	WrongClient   Cause = "wrong_client"   // client id or secret
	WrongRedirect Cause = "wrong_redirect" // redirect URL

	// At Exact Payments.
	WrongPassword     Cause = "wrong_password"      // or e-mail
	PasswordExpired   Cause = "password_expired"    // the person must choose another
	LockedOut         Cause = "locked_out"          // after too many wrong passwords
	NoSuchApplication Cause = "no_such_application" // or the user does not belong to it
	NotAllowed        Cause = "not_allowed"         // to make, list or delete application tokens
	BadToken          Cause = "bad_token"           // what was given as a token cannot be one
)

var explanations = map[Cause]string{
	NoLogin:       "nobody has logged in yet",
	OtherLogin:    "the stored login belongs to another app or host",
	Reused:        "the refresh token had already been used, by another installation of the same app or from a copy of the login",
	AnswerLost:    "a refresh was sent but its answer never arrived, and the server does not accept the same refresh token twice",
	Expired:       "the login was not used for 30 days, so the server let it lapse",
	BrokenChain:   "the server ended this login, most likely because the same user logged in to the same app elsewhere",
	Mangled:       "the server could not read what it was sent: a code or token was damaged, or was older than it may be",
	Unclear:       "the token server refused without saying why",
	AccessRefused: "the API refuses an access token that should be valid",
	Denied:        "access was not granted at the login page",
	Sealed:        "it was exported to be used on another machine, and is not used here any more",
	WrongState:    "the address does not belong to this login (its state differs): use the one that this login ended at",
	WrongClient:   "the server does not accept the client id or the client secret",
	WrongRedirect: "the redirect URL is not the one of the app registration",

	WrongPassword:     "the server does not accept the e-mail address or the password",
	PasswordExpired:   "the password has expired",
	LockedOut:         "the user is locked, most likely after too many wrong passwords",
	NoSuchApplication: "the server does not know the application, or not this user in it",
	NotAllowed:        "the user or the token may not do that with application tokens",
	BadToken:          "what was given as a token cannot be one",
}

// Explain says in plain words what happened.
func (c Cause) Explain() string { return explanations[c] }

// LoginError says why a login cannot be had or renewed. It wraps [ErrLoginRequired], or
// [ErrAppRefused] where logging in would not help. It holds no secret.
type LoginError struct {
	Host   string
	Cause  Cause
	Detail string    // the server's own words, when it had any
	Sent   time.Time // with AnswerLost: when the refresh was sent
	Moved  *Move     // with Sealed: where to
}

func (e *LoginError) Error() string {
	text := "login at " + e.Host + ": " + e.Cause.Explain()
	if !e.Sent.IsZero() {
		text += " (it was sent at " + e.Sent.UTC().Format(time.RFC3339) + ")"
	}
	if e.Moved != nil {
		text += " (to " + e.Moved.File + ", at " + e.Moved.At.UTC().Format(time.RFC3339) + ")"
	}
	if e.Detail != "" {
		text += "; the server says: " + e.Detail
	}
	return text
}

// Unwrap says whose move it is.
func (e *LoginError) Unwrap() error {
	switch e.Cause {
	case WrongClient, WrongRedirect, NoSuchApplication, BadToken:
		return ErrAppRefused
	}
	return ErrLoginRequired
}

// UnavailableError says that the token server gave no usable answer. The login is kept; a later
// run tries again.
type UnavailableError struct {
	Host    string
	Problem string    // "answered HTTP 503"
	Retry   time.Time // not before; zero: any time
	Err     error     // may be nil
}

func (e *UnavailableError) Error() string {
	text := "token server " + e.Host + " " + e.Problem
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if !e.Retry.IsZero() {
		text += "; try again after " + e.Retry.UTC().Format(time.RFC3339)
	}
	return text
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// BudgetError says that no token call is left today. The login is kept.
type BudgetError struct {
	Host  string
	Calls int
	Reset time.Time
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("token server %s: all %d token calls of today are used; the next is possible at %s",
		e.Host, e.Calls, e.Reset.UTC().Format(time.RFC3339))
}
