package extract

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"exactduck/extract/ledger"
	"exactduck/schema"

	"github.com/sethvargo/go-retry"
)

// Options say how a [Caller] behaves. Only Base is required.
type Options struct {
	// Base is the vendor's address, "https://start.exactonline.nl". No other host is ever called.
	Base string
	// Client sends the requests, with the token on them; nil: http.DefaultClient's behaviour.
	// Its CheckRedirect is replaced.
	Client *http.Client
	// Header is sent with every request, beside Accept.
	Header http.Header
	// Clock is this machine's; nil: time.Now. Wait pauses and returns early with an error when its
	// context ends; nil: a timer.
	Clock func() time.Time
	Wait  func(context.Context, time.Duration) error
	Log   *slog.Logger // nil: nothing is logged
	// Ledger is where calls and refusals are accounted, together with other processes; nil: in memory.
	Ledger *ledger.Ledger
	// Reserve is how many calls of the day are left to others.
	Reserve Reserve
	// MaxCalls is how many requests the Caller makes in its life, repeated ones included; 0: no
	// limit, less: none.
	MaxCalls int
	// LoggedIn is when somebody logged in: what was forbidden before is asked again. AskAgain asks in
	// any case.
	LoggedIn time.Time
	AskAgain bool
	// Reach says how far a 403 goes; nil: every one is about its endpoint.
	Reach func(*Refused) Reach
	// Attempts is how often a call that finds the vendor down is sent; 0: 4. Backoff is the first
	// pause between two of them, doubled each time, ± 20 %; 0: 8 s, which makes about a minute.
	Attempts int
	Backoff  time.Duration
	// Timeout limits one attempt, the reading of the answer included; 0: 5 minutes.
	Timeout time.Duration
	// MaxBody is the largest answer that is read, in bytes; 0: 256 MiB.
	MaxBody int64
	// Manners are what is peculiar to the vendor; the zero value is for Exact Online.
	Manners Manners
	// Permanent reports errors of the Client that no retry cures, such as a login that is over.
	// They are returned as they are. nil: none.
	Permanent func(error) bool
	// Observe is told of every attempt, from the goroutine that made it; nil: nobody is.
	Observe func(Attempt)
}

// Reach is what a 403 is about, and so what it is remembered for.
type Reach uint8

// What a 403 may be about.
const (
	// ForEndpoint: the endpoint in its scope. It is remembered for a week, by all processes.
	ForEndpoint Reach = iota
	// ForScope: all of the scope. This Caller sends no further call to it; the next one asks again.
	ForScope
	// ForOnce: it is not remembered.
	ForOnce
)

// Attempt is one request that was sent, and what became of it.
type Attempt struct {
	Scope    schema.Scope
	Endpoint string
	Number   int // 1 is the first
	Status   int // 0: no answer
	Bytes    int
	Took     time.Duration
}

// Caller makes polite GETs to one vendor behind one login. Safe for use by several goroutines.
type Caller struct {
	options Options
	base    *url.URL
	client  *http.Client
	limiter *Limiter
	places  chan struct{} // one for each request under way; nil: any number

	mu    sync.Mutex
	calls map[address]int
	sum   int                       // of calls, and of those about to be made
	shut  map[schema.Scope]*Refused // scopes that refused as a whole
}

// NewCaller checks the options and fills in what they leave out.
func NewCaller(o Options) (*Caller, error) {
	base, err := url.Parse(o.Base)
	if err != nil || base.Host == "" || base.User != nil || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, fmt.Errorf("address of the vendor %q: not the https address of a host", o.Base)
	}
	if base.Scheme == "http" && !loopback(base.Hostname()) {
		return nil, fmt.Errorf("address of the vendor %q: http is for this machine only", o.Base)
	}
	o.fill()
	c := &Caller{
		options: o, base: base, limiter: newLimiter(o),
		calls: map[address]int{}, shut: map[schema.Scope]*Refused{},
	}
	if n := o.Manners.Concurrent; n > 0 {
		c.places = make(chan struct{}, n)
	}
	client := *o.Client
	client.CheckRedirect = c.checkRedirect
	c.client = &client
	return c, nil
}

func (o *Options) fill() {
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Ledger == nil {
		o.Ledger = ledger.New("", o.Log)
	}
	if o.Reach == nil {
		o.Reach = func(*Refused) Reach { return ForEndpoint }
	}
	if o.Attempts <= 0 {
		o.Attempts = 4
	}
	if o.Backoff <= 0 {
		o.Backoff = 8 * time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Minute
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 256 << 20
	}
	o.Manners.fill()
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Base is the vendor's address without a slash at its end.
func (c *Caller) Base() string { return strings.TrimSuffix(c.base.String(), "/") }

// Left says how many calls a scope has left.
func (c *Caller) Left(s schema.Scope) Left { return c.limiter.Left(s) }

// Forget forgets that an endpoint of a scope said no for good, so that it is asked again; "" forgets
// all of the scope.
func (c *Caller) Forget(ctx context.Context, s schema.Scope, endpoint string) {
	c.options.Ledger.Forget(ctx, s, endpoint)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.shut, s)
}

// Charge counts a call that was made for another scope against this one too; see [Limiter.Charge].
func (c *Caller) Charge(ctx context.Context, s schema.Scope) { c.limiter.Charge(ctx, s) }

// Now is the vendor's clock, as far as its answers told.
func (c *Caller) Now() time.Time { return c.limiter.Now() }

// Count is how many requests were sent to an endpoint of a scope, repeated ones included.
type Count struct {
	Scope    schema.Scope
	Endpoint string
	Calls    int
}

// Calls are the requests sent so far, sorted by scope and endpoint.
func (c *Caller) Calls() []Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := make([]Count, 0, len(c.calls))
	for a, n := range c.calls {
		counts = append(counts, Count{a.scope, a.endpoint, n})
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return strings.Compare(string(a.Scope)+"\x00"+a.Endpoint, string(b.Scope)+"\x00"+b.Endpoint)
	})
	return counts
}

// Get fetches one page of JSON. The scope is the one whose quota pays; the endpoint is a name for
// errors, counts and the breaker; the link is requested verbatim, and must be on the vendor's host.
//
// Whether to try again is decided here; when, by the limiter. Errors are the context's when it
// ended, *[QuotaError], *[Spent], *[Blocked], *[Refused], *[Unreachable], [ErrForeignHost], or what
// [Options.Permanent] claims. Nothing is sent that is known to fail: a 403 that the endpoint gave
// within the last week comes back as a *[Refused] with Remembered set.
func (c *Caller) Get(ctx context.Context, s schema.Scope, endpoint, link string) (*Answer, error) {
	u, err := c.parse(link)
	if err != nil {
		return nil, fmt.Errorf("GET %s (%s): %w", endpoint, s, err)
	}
	t := &try{caller: c, to: address{s, endpoint}, url: u}
	answer, err := retry.DoValue(ctx, t.backoff(), t.attempt)
	if err == nil {
		return answer, nil
	}
	if ended := context.Cause(ctx); ended != nil {
		return nil, fmt.Errorf("GET %s (%s): %w", endpoint, s, ended)
	}
	if t.curable {
		return nil, &Unreachable{Endpoint: endpoint, Scope: s, Attempts: t.number, Err: err}
	}
	return nil, err
}

// Allows reports why a link would not be followed; nil: it would.
func (c *Caller) Allows(link string) error {
	_, err := c.parse(link)
	return err
}

// parse makes a link fit to be sent without touching what the vendor wrote: the quotes and commas
// of a continuation must arrive as they came, but a space would end the request line.
func (c *Caller) parse(link string) (*url.URL, error) {
	u, err := url.Parse(escape(link))
	if err != nil {
		return nil, errors.New("link cannot be read")
	}
	u.Fragment = ""
	if !c.home(u) {
		return nil, fmt.Errorf("link to %q: %w", u.Host, ErrForeignHost)
	}
	return u, nil
}

func escape(link string) string {
	var b strings.Builder
	for i := range len(link) {
		if ch := link[i]; ch <= ' ' || ch >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", ch)
		} else {
			b.WriteByte(ch)
		}
	}
	return b.String()
}

// home reports whether an address is on the vendor's host: same scheme, host and port.
func (c *Caller) home(u *url.URL) bool {
	return u.User == nil && u.Scheme == c.base.Scheme && port(u) == port(c.base) &&
		strings.EqualFold(u.Hostname(), c.base.Hostname())
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"https": "443", "http": "80"}[u.Scheme]
}

func (c *Caller) checkRedirect(r *http.Request, via []*http.Request) error {
	if !c.home(r.URL) {
		return fmt.Errorf("redirect to %q: %w", r.URL.Host, ErrForeignHost)
	}
	if len(via) >= 5 {
		return errors.New("redirected in circles")
	}
	return nil
}

// spend takes a request from what the Caller may make in its life.
func (c *Caller) spend() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.options.MaxCalls; m != 0 && c.sum >= m {
		return &Spent{max(m, 0)}
	}
	c.sum++
	return nil
}

// unspend gives back what was not used.
func (c *Caller) unspend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum--
}

func (c *Caller) count(a address, requests int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[a] += requests
	c.sum += requests - 1
}

// shutter is what a scope refused as a whole; nil: nothing.
func (c *Caller) shutter(to address) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.shut[to.scope]
	if first == nil {
		return nil
	}
	again := *first
	again.Endpoint = to.endpoint
	return &again
}

// shutFor remembers what a scope refused as a whole.
func (c *Caller) shutFor(r *Refused) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut[r.Scope] = r
}
