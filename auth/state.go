package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// State is all that is known about one login: what a [Store] keeps. The zero value is no login.
type State struct {
	Host     string // "https://start.exactonline.nl"
	ClientID string
	// Now is the pair in use; nil when nobody has logged in.
	Now *Token
	// Previous is the pair before Now. It stays until Now has worked once.
	Previous *Token
	// Attempt is a refresh that was sent, or about to be, and has no answer yet.
	Attempt *Attempt
	// Broken says why the token server will never renew this login; nil while it may.
	Broken *Broken
	// NotBefore is when a refresh that was refused as too early may be tried again.
	NotBefore  time.Time
	LoggedInAt time.Time
	Calls      Calls
	// Sealed says that the login was exported: it is not used here any more. Its tokens stay, so
	// that it can be exported again.
	Sealed *Move
	// Imported is the bundle that the login came in; nil when somebody logged in here.
	Imported *Move
	// Application is the token of a login at Exact Payments, which has no pair of tokens.
	Application *ApplicationToken
	// Leftovers are application tokens to be removed at the vendor.
	Leftovers []Leftover
}

// Token is what the token server hands out: an access token and the refresh token that
// renews it, once.
type Token struct {
	// Access is empty when an answer was damaged and only the refresh token could be saved.
	Access  Secret
	Refresh Secret
	// AskedAt and ObtainedAt bracket the moment at which the server made the pair.
	AskedAt    time.Time
	ObtainedAt time.Time
	Life       time.Duration // of the access token, as the server gave it
	By         Process       // who asked for it
}

// String identifies the pair without giving it away.
func (t Token) String() string { return "token " + t.Refresh.Fingerprint() }

// GoString is String.
func (t Token) GoString() string { return t.String() }

// Format prints String for every verb, wrong ones included.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// Process names the process that did something.
type Process struct {
	PID     int    `json:"pid"`
	Command string `json:"command,omitempty"` // "exactduck sync"
	Machine string `json:"machine,omitempty"`
}

// Attempt is the journal's record of a refresh whose outcome is not known.
type Attempt struct {
	Pair    string    `json:"pair"` // fingerprint of the refresh token that was sent
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Tries   int       `json:"tries"`
	Outcome string    `json:"outcome,omitempty"` // what came instead of an answer; "": nothing yet
	By      Process   `json:"by"`
}

// Broken is the token server's last word on a login.
type Broken struct {
	Cause  Cause     `json:"cause"`
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`
	// Sent is when the refresh whose answer was lost was sent; zero for other causes.
	Sent time.Time `json:"sent,omitzero"`
}

// Calls counts the calls to the token server on one day.
type Calls struct {
	Day   string `json:"day,omitempty"` // UTC, "2026-11-21"
	Count int    `json:"count,omitempty"`
}

// On returns the number of calls on the UTC day of now.
func (c Calls) On(now time.Time) int {
	if c.Day != now.UTC().Format(time.DateOnly) {
		return 0
	}
	return c.Count
}

// add counts n calls on the UTC day of now.
func (c *Calls) add(now time.Time, n int) {
	*c = Calls{Day: now.UTC().Format(time.DateOnly), Count: max(0, c.On(now)+n)}
}

// stored is the form of a State outside of this process: the only place where secrets are
// written out.
type stored struct {
	Version    int          `json:"version"`
	Host       string       `json:"host,omitempty"`
	ClientID   string       `json:"client_id,omitempty"`
	LoggedInAt time.Time    `json:"logged_in_at,omitzero"`
	Now        *storedToken `json:"now,omitempty"`
	Previous   *storedToken `json:"previous,omitempty"`
	Attempt    *Attempt     `json:"attempt,omitempty"`
	Broken     *Broken      `json:"broken,omitempty"`
	NotBefore  time.Time    `json:"not_before,omitzero"`
	Calls      Calls        `json:"token_calls,omitzero"`
	Sealed     *Move        `json:"sealed,omitempty"`   // since version 2
	Imported   *Move        `json:"imported,omitempty"` // since version 2

	Application *storedApplication `json:"application_token,omitempty"`           // since version 3
	Leftovers   []Leftover         `json:"leftover_application_tokens,omitempty"` // since version 3
}

type storedApplication struct {
	ID          string    `json:"id"`
	Label       string    `json:"label"`
	Token       string    `json:"token"`
	Permissions []string  `json:"permissions"`
	MadeAt      time.Time `json:"made_at"`
	By          Process   `json:"by"`
}

type storedToken struct {
	Access     string    `json:"access_token,omitempty"`
	Refresh    string    `json:"refresh_token"`
	AskedAt    time.Time `json:"asked_at"`
	ObtainedAt time.Time `json:"obtained_at"`
	Seconds    int64     `json:"expires_in"`
	By         Process   `json:"by"`
}

// storedVersion is the newest version. Version 1 knew no moves, and version 2 no application tokens: it
// is still what is written of a login without, so that a version of this program before them can use it.
const (
	storedVersion = 3
	pairVersion   = 2
)

// Format is the format of logins that this program writes; it reads those before too.
func Format() int { return storedVersion }

// Marshal writes a state in the form that stores keep, secrets in clear: for implementers of
// [Store] only.
func Marshal(s State) ([]byte, error) {
	version := pairVersion
	if s.Application != nil || s.Leftovers != nil {
		version = storedVersion
	}
	out, err := json.MarshalIndent(stored{
		Version: version, Host: s.Host, ClientID: s.ClientID, LoggedInAt: s.LoggedInAt,
		Now: s.Now.store(), Previous: s.Previous.store(), Attempt: s.Attempt, Broken: s.Broken,
		NotBefore: s.NotBefore, Calls: s.Calls, Sealed: s.Sealed, Imported: s.Imported,
		Application: s.Application.store(), Leftovers: s.Leftovers,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode login: %w", err)
	}
	return append(out, '\n'), nil
}

// errNewer is a state that a later version of this program has written.
var errNewer = errors.New("written by a newer version of this program")

// Unmarshal reads what [Marshal] wrote. It refuses what it does not know wholly, because saving
// it again would lose the rest; its errors never quote the data.
func Unmarshal(raw []byte) (State, error) {
	var version struct {
		Version int `json:"version"`
	}
	if json.Unmarshal(raw, &version) == nil && version.Version > storedVersion {
		return State{}, errNewer
	}
	var s stored
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return State{}, errors.New("not the JSON of a login")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return State{}, errors.New("something follows the JSON of the login")
	}
	if s.Version < 1 || s.Version > storedVersion {
		return State{}, errors.New("no version in the JSON of the login")
	}
	if (s.Now != nil && s.Now.Refresh == "") || (s.Previous != nil && s.Previous.Refresh == "") {
		return State{}, errors.New("a login without a refresh token")
	}
	if s.Application != nil && s.Application.Token == "" {
		return State{}, errors.New("an application token without the token")
	}
	return State{
		Host: s.Host, ClientID: s.ClientID, LoggedInAt: s.LoggedInAt,
		Now: s.Now.token(), Previous: s.Previous.token(), Attempt: s.Attempt, Broken: s.Broken,
		NotBefore: s.NotBefore, Calls: s.Calls, Sealed: s.Sealed, Imported: s.Imported,
		Application: s.Application.token(), Leftovers: s.Leftovers,
	}, nil
}

func (t *ApplicationToken) store() *storedApplication {
	if t == nil {
		return nil
	}
	return &storedApplication{t.ID, t.Label, string(t.Token), t.Permissions, t.MadeAt, t.By}
}

func (t *storedApplication) token() *ApplicationToken {
	if t == nil {
		return nil
	}
	return &ApplicationToken{t.ID, t.Label, Secret(t.Token), t.Permissions, t.MadeAt, t.By}
}

func (t *Token) store() *storedToken {
	if t == nil {
		return nil
	}
	return &storedToken{
		Access: string(t.Access), Refresh: string(t.Refresh), AskedAt: t.AskedAt,
		ObtainedAt: t.ObtainedAt, Seconds: int64(t.Life / time.Second), By: t.By,
	}
}

func (t *storedToken) token() *Token {
	if t == nil {
		return nil
	}
	return &Token{
		Access: Secret(t.Access), Refresh: Secret(t.Refresh), AskedAt: t.AskedAt,
		ObtainedAt: t.ObtainedAt, Life: time.Duration(t.Seconds) * time.Second, By: t.By,
	}
}
