package sandbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"exactduck/extract/sandbox/internal/chronicle"
	"exactduck/extract/sandbox/internal/wire"
)

// Options describe a sandbox. The zero value is the usual one: two divisions, Exact's own limits.
type Options struct {
	Seed      uint64
	Divisions int     // 0: 2. Codes count up from 123456
	Scale     float64 // multiplies the number of records; 0: 1, about 2,500 transaction lines in the first division
	// Records says of streams with how many records they begin in each division, whatever the scale:
	// "crm/Opportunities": 90_000. What the values of such records are is worked out whenever they are
	// looked at, so that they cost little memory; sorting and filtering them by anything but their
	// identity, their Timestamp and Modified takes long. Of what the books keep, only accounts,
	// contacts, addresses, items and TransactionLines can be filled up: by records that nobody trades
	// with, and by lines of nothing. A [Change] of TransactionLines leaves those alone.
	Records map[string]int
	// Archived and Blocked are how many of the divisions are so, counted from the last one back: the
	// archived ones behind, the blocked ones before them. An archived division can be read: whether
	// Exact's can is not known. A blocked one answers 403 with the Reason DivisionBlocked.
	Archived int
	Blocked  int
	// Clock is the time that tokens, limits and changes go by; nil: time.Now.
	Clock func() time.Time
	Zone  *time.Location // of the companies' wall clock; nil: Europe/Amsterdam
	// MinuteLimit and DayLimit are calls a division may cost; 0: 60 and 5000; below zero: no limit
	// and no headers that speak of one.
	MinuteLimit int `switch:"minute_limit"`
	DayLimit    int `switch:"day_limit"`
	// BareLimits leaves the headers out when a call is refused for a limit, as Exact once did.
	BareLimits bool          `switch:"bare_limits"`
	Window     time.Duration // the length of the "minute"; 0: a minute
	// PageSize makes answers smaller than Exact's, so that a few records are many pages; 0: as documented.
	PageSize int `switch:"page_size"`
	// Others is how many calls of each division's quota another client of the same app makes in a
	// minute, evenly over the minute. It is at work only in minutes in which the division is called.
	Others int `switch:"others"`
	// MandatoryFilter makes crm/Accounts and logistics/Items refuse requests without a $filter, see
	// also [Sandbox.Require].
	MandatoryFilter bool `switch:"mandatory_filter"`
	// CountEverywhere lets bulk and sync endpoints obey $inlinecount too. What Exact does there is not
	// known; they ignore it otherwise. Standard endpoints always obey.
	CountEverywhere bool `switch:"count_everywhere"`
	// SkipTokenLife is how long the link to the next page works; 0: for ever. That links lapse at all
	// is not known of Exact's, nor what it would answer: here it is 400.
	SkipTokenLife time.Duration `switch:"skip_token_life"`
	// Duplicates shows in sync feeds, beside each record, what its last update replaced, under the
	// Timestamp that it had then. Exact's can hold a record several times; when they do is not known.
	Duplicates bool `switch:"duplicates"`
	// Unreported names streams of lines that sync/Deleted does not report when they go because their
	// header does: "salesorder/SalesOrderLines"; of the feeds that mix headers and lines, only the
	// header is reported then. "*" is all of them. Of no stream is it known which way Exact does it.
	Unreported []string `switch:"unreported"`
	// Scenario is what happens by itself; nil: nothing. With a state file it goes on where it was.
	Scenario  *Scenario
	StateFile string // keeps changes and logins over restarts; "": nothing is kept
	Log       *slog.Logger
}

const (
	authPath  = "/api/oauth2/auth"
	tokenPath = "/api/oauth2/token"
)

// Sandbox is a simulated Exact Online. Its methods may be called at any time by anybody.
type Sandbox struct {
	script    sync.Mutex // held, before mu, while a scenario does something
	mu        sync.Mutex
	options   Options
	clock     func() time.Time
	zone      *time.Location
	log       *slog.Logger
	clientID  string
	secret    string
	divisions []*division // those that there are; removed ones are left out
	founded   int         // how many divisions there have ever been
	origin    origin
	sizes     map[string]int // by set
	limits    *limits
	links     *links
	logins    *logins
	faults    wire.Faults
	calls     map[string]int
	answers   wire.Recent[Answer]
	refusals  map[string]int
	drifted   map[string]*view
	forbidden map[string]string // the Reason, by path
	demands   map[string]demand // by pattern
	number    int               // of the last change
	scenario  *Scenario
	play      play
	chronicle *chronicle.File // of the state file
}

// historyEnds is where generated histories end, unless the clock stands before it.
var historyEnds = time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC)

// New makes a sandbox, or goes on with the one that the state file holds: then its seed, its
// divisions and their size are those of the file. Two sandboxes cannot share a state file.
func New(o Options) (*Sandbox, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Zone == nil {
		zone, err := time.LoadLocation("Europe/Amsterdam")
		if err != nil {
			return nil, fmt.Errorf("starting the sandbox: %w", err)
		}
		o.Zone = zone
	}
	s := &Sandbox{
		options: o, clock: o.Clock, zone: o.Zone, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), limits: newLimits(o), logins: newLogins(),
		links: newLinks(), calls: map[string]int{}, refusals: map[string]int{}, drifted: map[string]*view{}, forbidden: map[string]string{}, demands: map[string]demand{},
	}
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, s.chronicle.Close())
	}
	return s, nil
}

// begin sets the companies up, and does again what the state file says was done.
func (s *Sandbox) begin() (err error) {
	if err := s.options.Check(); err != nil {
		return fmt.Errorf("starting the sandbox: %w", err)
	}
	first := func() step { return step{Op: "origin", Origin: s.newOrigin()} }
	if s.chronicle, err = chronicle.Begin(s.options.StateFile, first, s.redo, s.log); err != nil {
		return err
	}
	return s.stage()
}

func (s *Sandbox) newOrigin() *origin {
	today := wall(s.now(), s.zone).time().Truncate(24*time.Hour).AddDate(0, 0, -1)
	if today.After(historyEnds) {
		today = historyEnds
	}
	return &origin{
		Seed: s.options.Seed, Divisions: cmp.Or(s.options.Divisions, 2), Scale: cmp.Or(s.options.Scale, 1), Today: today,
		Records: s.options.Records, Archived: s.options.Archived, Blocked: s.options.Blocked,
	}
}

// Check says what is wrong with options from which companies are to be made, apart from the files
// they name.
func (o Options) Check() error {
	n := cmp.Or(o.Divisions, 2)
	if n < 1 || o.Archived < 0 || o.Blocked < 0 || o.Archived+o.Blocked > n {
		return fmt.Errorf("of %d divisions %d cannot be archived and %d blocked", n, o.Archived, o.Blocked)
	}
	_, err := sizes(o.Records)
	return err
}

// found sets the companies up.
func (s *Sandbox) found(o origin) (err error) {
	s.origin, s.options.Seed, s.options.Scale, s.options.Zone = o, o.Seed, o.Scale, s.zone
	if s.sizes, err = sizes(o.Records); err != nil {
		return fmt.Errorf("starting the sandbox: %w", err)
	}
	keys := newDice(o.Seed, "app")
	s.clientID = string(keys.guid())
	s.secret = strings.ReplaceAll(string(keys.guid()), "-", "")[:16]
	for i := range o.Divisions {
		d := s.addDivision()
		d.archived = i >= o.Divisions-o.Archived
		if !d.archived && i >= o.Divisions-o.Archived-o.Blocked {
			d.refused[""] = "DivisionBlocked"
		}
	}
	return nil
}

// Close lets go of the state file. The sandbox must not be used after it.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.chronicle.Close()
	s.chronicle = nil
	return err
}

// Client is the app that is registered in the sandbox.
func (s *Sandbox) Client() (id, secret string) { return s.clientID, s.secret }

// Divisions are the codes of the companies, without those that were removed.
func (s *Sandbox) Divisions() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	codes := []int{}
	for _, d := range s.divisions {
		codes = append(codes, d.code)
	}
	return codes
}

// Calls counts the requests seen, by path; those to /_sandbox/ are left out.
func (s *Sandbox) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

func (s *Sandbox) now() time.Time { return s.clock() }

// division finds a company; 0 is the first.
func (s *Sandbox) division(code int) (*division, error) {
	for _, d := range s.divisions {
		if code == 0 || d.code == code {
			return d, nil
		}
	}
	return nil, fmt.Errorf("the sandbox has no division %d", code)
}

// ServeHTTP implements [http.Handler].
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.answer(r, wire.IsLocal(r)).Write(w)
}

// answer does what a request asks, and what goes wrong with it.
func (s *Sandbox) answer(r *http.Request, here bool) *reply {
	body, err := wire.Body(r)
	if err != nil {
		return &reply{Status: http.StatusBadRequest}
	}
	if strings.HasPrefix(r.URL.Path, panel.Path) {
		return panel.Answer(s, r, here)
	}
	s.playTime()
	s.mu.Lock()
	s.calls[r.URL.Path]++
	f := s.faults.Strike(r)
	s.mu.Unlock()
	s.log.DebugContext(r.Context(), "sandbox request", slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("fault", f.Kind))
	if f.Then != nil {
		f.Then()
	}
	f.Wait(r.Context())
	answer := s.instead(r.Context(), f.Kind)
	if answer == nil {
		answer = spoil(f.Kind, s.carryOut(r, body))
	} else {
		answer = s.charge(r, answer)
	}
	s.note(r, answer)
	s.playCalls(r.URL.Path)
	return answer
}

func (s *Sandbox) carryOut(r *http.Request, body []byte) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch path := strings.ToLower(r.URL.Path); {
	case path == authPath:
		return s.authorize(r)
	case path == tokenPath:
		return s.token(r, body)
	case strings.HasPrefix(path, "/api/v1/"):
		return s.api(r)
	}
	return page(http.StatusNotFound, "<p>Deze pagina bestaat niet.</p>")
}

// wantsJSON says whether the client asked for JSON; XML is what it gets otherwise.
func wantsJSON(r *http.Request) bool {
	return strings.Contains(strings.ToLower(r.Header.Get("Accept")), "application/json")
}

// failure is the answer to a request that is refused, as JSON or XML.
func failure(status int, reason, message string, asJSON bool) *reply {
	r := &reply{Status: status, Header: http.Header{"Cache-Control": {"no-cache, no-store"}, "DataServiceVersion": {"1.0;"}}}
	if reason != "" {
		r.Header.Set("Reason", reason)
	}
	quoted, _ := json.Marshal(message)
	if asJSON {
		r.Header.Set("Content-Type", "application/json;charset=utf-8")
		r.Body = []byte(`{"error":{"code":"","message":{"lang":"","value":` + string(quoted) + `}}}`)
		return r
	}
	r.Header.Set("Content-Type", "application/xml;charset=utf-8")
	r.Body = []byte(`<?xml version="1.0" encoding="utf-8" standalone="yes"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><code/><message xml:lang="">` +
		escapeXML(message) + `</message></error>`)
	return r
}
