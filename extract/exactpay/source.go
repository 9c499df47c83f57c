package exactpay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"sync"
	"time"

	"exactduck/extract"
	"exactduck/extract/ledger"
)

// The addresses of the service. There are older ones, which answer differently.
const (
	ProductionURL = "https://api-p2.exactpay.com"
	SandboxURL    = "https://api.exactpaysandbox.com"
)

// Config says how to reach Exact Payments. BaseURL or Caller is required.
type Config struct {
	BaseURL string       // [ProductionURL], [SandboxURL]
	Client  *http.Client // puts the token on requests
	// Organization is the organization whose accounts are read, 24 hexadecimal digits; "": none is
	// known, and lists of an organization cannot be read.
	Organization string
	// Accounts are the only ones that are read, each 24 hexadecimal digits; nil: all of the organization
	// or, without one, what the token itself stands for, under the scope "0".
	Accounts []string
	// Application is the application that the token belongs to; "": it is not named in requests.
	Application string

	// What the calls need beside, see [extract.Options].
	Clock      func() time.Time
	Wait       func(context.Context, time.Duration) error
	Log        *slog.Logger
	Ledger     *ledger.Ledger
	Reserve    extract.Reserve
	MaxCalls   int
	LoggedIn   time.Time
	AskAgain   bool
	Attempts   int
	Concurrent int // requests at a time; 0: 4
	PerMinute  int // requests a minute in each account; 0: 300. The vendor documents no limit
	Permanent  func(error) bool
	Observe    func(extract.Attempt)
	// Caller replaces the one that New makes; then of the above only Organization, Accounts and Log are
	// looked at. It has to have been made with what [Manners] gives.
	Caller *extract.Caller
}

// Source reads one Exact Payments with one token. Safe for use by several goroutines.
type Source struct {
	config Config
	caller *extract.Caller
	log    *slog.Logger

	mu    sync.Mutex
	habit map[string]habits // by variant
	told  map[string]bool   // warnings that were given
	// sorted are the ways of asking for an order that were seen to be heeded, by variant.
	sorted map[string]bool
	// caps are how many rows a page holds, of variants where that is less than was asked for.
	caps map[string]int
	// counted are the variants of which the totals are of the list.
	counted map[string]bool
	open    address // a list that answered; zero: none did
	// paused are reads that gave a position to go on from, by stream and scope.
	paused map[string]*pass
}

var _ extract.Source = (*Source)(nil)

var identity = regexp.MustCompile(`^[0-9a-f]{24}$`)

// BadIdentity says that an organization or an account cannot be one: it is not made of 24 hexadecimal
// digits. The service would fail over it instead of saying so.
type BadIdentity struct{ What, Text string }

func (e *BadIdentity) Error() string {
	return fmt.Sprintf("%s %q: not 24 hexadecimal digits in lower case", e.What, e.Text)
}

// CheckIdentity says what is wrong with the name of an organization or an account: an [*BadIdentity].
func CheckIdentity(what, text string) error {
	if !identity.MatchString(text) {
		return &BadIdentity{what, text}
	}
	return nil
}

// New checks the configuration. It makes no call.
func New(c Config) (*Source, error) {
	s := &Source{config: c, caller: c.Caller, log: c.Log, habit: map[string]habits{}, told: map[string]bool{}, paused: map[string]*pass{}, counted: map[string]bool{}, sorted: map[string]bool{}, caps: map[string]int{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var wrong []error
	if c.Organization != "" {
		wrong = append(wrong, CheckIdentity("organization", c.Organization))
	}
	for _, a := range c.Accounts {
		wrong = append(wrong, CheckIdentity("account", a))
	}
	if err := errors.Join(wrong...); err != nil || s.caller != nil {
		return s, err
	}
	header := http.Header{}
	if c.Application != "" {
		header.Set("X-Application-Id", c.Application)
	}
	var err error
	manners := Manners()
	manners.Concurrent, manners.PerMinute = cmp.Or(c.Concurrent, manners.Concurrent), cmp.Or(c.PerMinute, manners.PerMinute)
	s.caller, err = extract.NewCaller(extract.Options{
		Base: c.BaseURL, Client: c.Client, Header: header, Clock: c.Clock, Wait: c.Wait, Log: s.log,
		Ledger: c.Ledger, Reserve: c.Reserve, MaxCalls: c.MaxCalls, LoggedIn: c.LoggedIn, AskAgain: c.AskAgain,
		Attempts: c.Attempts, Permanent: c.Permanent, Observe: c.Observe, Reach: s.reach, Manners: manners,
	})
	return s, err
}

// Caller is what makes the calls: it knows how many there were.
func (s *Source) Caller() *extract.Caller { return s.caller }
