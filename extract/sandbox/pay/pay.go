package pay

import (
	"cmp"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"exactduck/extract/sandbox/internal/chronicle"
	"exactduck/extract/sandbox/internal/switches"
	"exactduck/extract/sandbox/internal/wire"
)

// Options describe a sandbox. The zero value is the usual one: two accounts, filters and sort orders
// obeyed, counts right, no limit of calls.
type Options struct {
	Seed     uint64
	Accounts int     // 0: 2
	Scale    float64 // multiplies the number of records; 0: 1, about 450 payments in the first account
	// Clock is the time that tokens and changes go by, and at which the history ends that a new
	// sandbox begins with; nil: time.Now.
	Clock func() time.Time
	// Invoices are what customers of the first account have paid, or tried to: payments name them in
	// reference.customerRef. It is called once in the life of a sandbox; nil: there are none.
	Invoices  func() []Invoice
	StateFile string // keeps changes and tokens over restarts; "": nothing is kept
	Log       *slog.Logger
	Switches
}

// Invoice is one that somebody sent, and that payments refer to.
type Invoice struct {
	Number   string    `json:"number"`
	Amount   int64     `json:"amount"` // in cents
	Currency string    `json:"currency"`
	Date     time.Time `json:"date"`
	Customer string    `json:"customer"`
}

// Sandbox is a simulated Exact Payments. Its methods may be called at any time by anybody.
type Sandbox struct {
	mu        sync.Mutex
	options   Options
	switches  Switches
	clock     func() time.Time
	log       *slog.Logger
	chronicle *chronicle.File
	world     *world
	tokens    []*token
	issued    int             // tokens that there have ever been
	failed    map[string]int  // logins in a row, by e-mail
	locked    map[string]bool // users
	denied    map[string]bool // permissions that no token has any more
	number    int             // of the last change
	asked     int             // requests seen
	listed    int             // lists answered
	used      map[string]*minute
	faults    wire.Faults
	calls     map[string]int
	answers   wire.Recent[Answer]
}

// New makes a sandbox, or goes on with the one that the state file holds: then its seed, its accounts
// and their size are those of the file. Two sandboxes cannot share a state file.
func New(o Options) (*Sandbox, error) {
	s := &Sandbox{
		options: o, switches: o.Switches, clock: o.Clock, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		failed: map[string]int{}, locked: map[string]bool{}, denied: map[string]bool{}, used: map[string]*minute{}, calls: map[string]int{},
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s, nil
}

// Close lets go of the state file. The sandbox must not be used after it.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.chronicle.Close()
	s.chronicle = nil
	return err
}

func (s *Sandbox) now() time.Time { return s.clock().UTC().Truncate(time.Millisecond) }

// Credentials are what somebody logs in with, and what they may read then.
type Credentials struct {
	Email        string   `json:"email"`
	Password     string   `json:"password"` // of no worth outside this sandbox
	Application  string   `json:"application"`
	Organization string   `json:"organization"`
	Accounts     []string `json:"accounts"`
}

// Credentials are those of somebody of the organization, who may do everything in all accounts.
func (s *Sandbox) Credentials() Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.world.credentials(s.world.user)
	for _, a := range s.world.accounts {
		c.Accounts = append(c.Accounts, a.id)
	}
	return c
}

// Merchant are those of somebody of one account; "" is the first.
func (s *Sandbox) Merchant(account string) (Credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.world.account(account)
	if err != nil {
		return Credentials{}, err
	}
	c := s.world.credentials(a.user)
	c.Accounts = []string{a.id}
	return c, nil
}

// Accounts are the ids of the merchants' accounts, disabled ones too.
func (s *Sandbox) Accounts() []string { return s.Credentials().Accounts }

// Calls counts the requests seen, by path; those to /_sandbox/ are left out.
func (s *Sandbox) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Serves says whether a path is one of Exact Payments, or steers this sandbox.
func Serves(path string) bool {
	if strings.HasPrefix(path, panel.Path) {
		return true
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return roots()[first]
}

// ServeHTTP implements [http.Handler].
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().Format(http.TimeFormat))
	s.answer(r, wire.IsLocal(r)).Write(w)
}

// Transport carries requests to the sandbox without sockets. What would be a broken connection is an
// error of the transport, or of reading the body.
func (s *Sandbox) Transport() http.RoundTripper {
	return wire.InProcess(func(r *http.Request) *wire.Reply { return s.answer(r, true) })
}

// Check says what is wrong with options from which accounts are to be made.
func (o *Options) Check() error {
	if o.Accounts < 0 || o.Scale < 0 {
		return errors.New("a sandbox of payments has no negative number of accounts or records")
	}
	return o.check()
}

// Set sets a switch by its name, as [Manual] has it: "page_cap" to "10".
func (o *Options) Set(name, text string) error {
	next := o.Switches
	if err := switches.Set(&next, name, text); err != nil {
		return err
	}
	if err := next.check(); err != nil {
		return err
	}
	o.Switches = next
	return nil
}
