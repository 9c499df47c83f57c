package exactonline

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"exactduck/extract"
	"exactduck/extract/ledger"
	"exactduck/schema"
)

// connection is the scope of what belongs to the login and not to a division.
const connection schema.Scope = "0"

// Config says how to reach an Exact Online. BaseURL or Caller is required.
type Config struct {
	BaseURL  string       // "https://start.exactonline.nl"
	Client   *http.Client // puts the token on requests
	Language string       // of description columns: "nl", "en-GB"; empty: the user's own
	// Zone is where the wall clock hangs that Exact dates its records with; nil: Europe/Amsterdam.
	Zone *time.Location
	// Division is used where an address needs one and any will do; empty: the one that the user
	// has open, which costs a call to find out.
	Division schema.Scope
	// Dropped is told once of every column that the service refuses to deliver; nil: nobody is.
	// It is called while a read is under way, perhaps by several at once.
	Dropped func(Dropped)
	// TextExact lets filters that are judged here compare texts to the letter. Without it case and
	// blanks at the end do not count, see [CheckFilter].
	TextExact bool

	// What the calls need beside, see [extract.Options].
	Clock     func() time.Time
	Wait      func(context.Context, time.Duration) error
	Log       *slog.Logger
	Ledger    *ledger.Ledger
	Reserve   extract.Reserve
	MaxCalls  int
	LoggedIn  time.Time
	AskAgain  bool
	Attempts  int
	Permanent func(error) bool
	Observe   func(extract.Attempt)
	// Caller replaces the one that New makes; then of the above only Zone, Division, Dropped,
	// TextExact and Log are looked at.
	Caller *extract.Caller
}

// Dropped is a column that the catalogue has and the service refuses to be asked for.
type Dropped struct {
	Stream, Variant, Column string
	Scope                   schema.Scope // where it was noticed; it is left out everywhere
}

// Source reads one Exact Online with one login. Safe for use by several goroutines.
type Source struct {
	config Config
	caller *extract.Caller
	zone   *time.Location
	log    *slog.Logger

	mu       sync.Mutex
	division schema.Scope
	ailments map[string]ailment // by variant
	scouts   scouts
}

var _ extract.Source = (*Source)(nil)

// New checks the configuration. It makes no call.
func New(c Config) (*Source, error) {
	s := &Source{config: c, caller: c.Caller, zone: c.Zone, log: c.Log, division: c.Division, ailments: map[string]ailment{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.zone == nil {
		zone, err := time.LoadLocation("Europe/Amsterdam")
		if err != nil {
			return nil, err
		}
		s.zone = zone
	}
	if s.caller != nil {
		return s, nil
	}
	header := http.Header{}
	if c.Language != "" {
		header.Set("CustomDescriptionLanguage", language(c.Language))
	}
	var err error
	s.caller, err = extract.NewCaller(extract.Options{
		Base: c.BaseURL, Client: c.Client, Header: header, Clock: c.Clock, Wait: c.Wait, Log: s.log,
		Ledger: c.Ledger, Reserve: c.Reserve, MaxCalls: c.MaxCalls, LoggedIn: c.LoggedIn, AskAgain: c.AskAgain, Reach: reach,
		Attempts: c.Attempts, Permanent: c.Permanent, Observe: c.Observe,
	})
	return s, err
}

// Caller is what makes the calls: it knows how many there were and how many are left.
func (s *Source) Caller() *extract.Caller { return s.caller }

// language writes a language as the header wants it: "nl" is "NL-NL".
func language(tag string) string {
	tag = strings.ToUpper(strings.ReplaceAll(tag, "_", "-"))
	switch {
	case tag == "EN":
		return "EN-US"
	case len(tag) == 2:
		return tag + "-" + tag
	}
	return tag
}

// payer is the scope whose quota pays for calls to an endpoint: the division in its address.
func (s *Source) payer(ctx context.Context, e *Endpoint, scope schema.Scope) (schema.Scope, error) {
	if e.PerDivision() && scope == connection {
		return s.anyDivision(ctx)
	}
	return scope, nil
}

// link is an address of the service, and who pays for calling it.
func (s *Source) link(ctx context.Context, e *Endpoint, scope schema.Scope, query string) (link string, pays schema.Scope, err error) {
	if pays, err = s.payer(ctx, e, scope); err != nil {
		return "", "", err
	}
	return s.caller.Base() + strings.Replace(e.Path, placeholder, string(pays), 1) + "?" + query, pays, nil
}
