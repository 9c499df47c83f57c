package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/extract/ledger"
	"exactduck/schema"
)

// ledger is where the calls of the login's app are accounted: beside the login, because they belong
// to the app and the division and not to a configuration.
func (l *login) ledger(k *call) *ledger.Ledger { return l.calls(k.log) }

func (l *login) calls(log *slog.Logger) *ledger.Ledger {
	return ledger.New(strings.TrimSuffix(l.store.Path(), ".json")+".calls", log)
}

// quotaStanding is what is known of the calls in one division, by all processes.
type quotaStanding struct {
	Connection string           `json:"connection"`
	Division   string           `json:"division"`
	Ours       int              `json:"ours"`              // calls of this UTC day
	Others     int              `json:"others"`            // of other software, at least
	Limit      int              `json:"limit,omitempty"`   // absent: not known
	Left       *int             `json:"left,omitempty"`    // absent: not known
	Kept       int              `json:"kept,omitempty"`    // of those left, for other software
	Reset      time.Time        `json:"reset"`             // when there are calls again
	HeardAt    time.Time        `json:"heard_at,omitzero"` // of the last answer
	UnderWay   int              `json:"under_way"`
	Parked     []parkedEndpoint `json:"parked"`
	Forbidden  []barred         `json:"forbidden"`
	vendor     vendor           // nil: not known
}

// parkedEndpoint is left alone because it refused too often within the hour.
type parkedEndpoint struct {
	Endpoint string    `json:"endpoint"`
	Refusals int       `json:"refusals"`
	Until    time.Time `json:"until"`
}

// barred is an endpoint that is not asked because of a 403.
type barred struct {
	Endpoint string    `json:"endpoint"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Reason   string    `json:"reason,omitempty"`
	Message  string    `json:"message,omitempty"`
}

// quotas are the standings of every division that was ever called, the connection's own calls last.
// Nothing is locked for it, and nobody asked.
func (k *call) quotas() ([]quotaStanding, error) {
	var all []quotaStanding
	for _, name := range k.cfg.ConnectionNames() {
		l, err := k.login(name)
		if err != nil {
			return nil, err
		}
		found, warnings, err := accounts{}.quotas(k.vendorOn(name), name, l.calls(k.log), k.cfg.Connections[name].Reserve, k.clock())
		if err != nil {
			return nil, err
		}
		all, k.warnings = append(all, found...), append(k.warnings, warnings...)
	}
	return all, nil
}

// accounts remember what was read of ledgers, by connection and scope.
type accounts map[[2]string]knownAccount

type knownAccount struct {
	account       ledger.Account
	written, read time.Time
}

// settling is how much older than a look at it a file must be for the clock of the disk to tell whether
// it was written since.
const settling = 2 * time.Second

// quotas are the standings of one connection, of whose calls book keeps the accounts.
func (k accounts) quotas(v vendor, connection string, book *ledger.Ledger, r config.Reserve, now time.Time) (all []quotaStanding, warnings []string, err error) {
	scopes, err := book.Scopes()
	if err != nil {
		return nil, nil, err
	}
	for _, s := range scopes {
		a, found, err := k.account(connection, book, s)
		if err != nil {
			warnings = append(warnings, err.Error())
		}
		if found {
			q := quotaOf(connection, s, a, r, now)
			q.vendor = v
			all = append(all, q)
		}
	}
	slices.SortStableFunc(all, func(a, b quotaStanding) int { return cmp.Compare(own(a), own(b)) })
	return all, warnings, nil
}

// account is one account, which is the caller's to change.
func (k accounts) account(connection string, book *ledger.Ledger, s schema.Scope) (ledger.Account, bool, error) {
	at, key := book.Written(s), [2]string{connection, string(s)}
	if known, ok := k[key]; ok && known.written.Equal(at) && known.read.Sub(at) > settling {
		return known.account.Clone(), true, nil
	}
	read := time.Now() // the disk goes by no other clock
	a, found, err := book.Read(s)
	if err == nil && found {
		k[key] = knownAccount{a, at, read}
	}
	return a.Clone(), found, err
}

// placesIn is what the places are called.
func placesIn(all []quotaStanding) string {
	var own []vendor
	for _, q := range all {
		own = append(own, q.vendor)
	}
	return wordOf(own...)
}

func own(q quotaStanding) int {
	if q.Division == string(shared) {
		return 1
	}
	return 0
}

func quotaOf(connection string, s schema.Scope, a ledger.Account, r config.Reserve, now time.Time) quotaStanding {
	here := func(t time.Time) time.Time { return t.Add(-a.Ahead).UTC() }
	a.Roll(now.Add(a.Ahead).UTC(), false)
	q := quotaStanding{
		Connection: connection, Division: string(s), Ours: a.Day.Ours, Others: a.Day.Others, Limit: a.Day.Limit,
		Reset: here(a.Day.Reset), HeardAt: a.Seen.UTC(), UnderWay: len(a.UnderWay),
		Parked: []parkedEndpoint{}, Forbidden: []barred{},
	}
	if left := a.Day.Left(); left >= 0 {
		q.Left, q.Kept = &left, min(left, reserve(r).Of(a.Day.Limit))
	}
	for _, b := range extract.Parked(&a, s) {
		q.Parked = append(q.Parked, parkedEndpoint{b.Endpoint, b.Refusals, b.Until.UTC()})
	}
	for _, endpoint := range slices.Sorted(maps.Keys(a.Forbidden)) {
		f := a.Forbidden[endpoint]
		q.Forbidden = append(q.Forbidden, barred{endpoint, here(f.At), here(f.At.Add(ledger.Remembered)), f.Reason, f.Message})
	}
	return q
}

// reserve is what the configuration keeps for other software.
func reserve(r config.Reserve) extract.Reserve {
	return extract.Reserve{Percent: r.Percent, Calls: r.Calls}
}

// mostDivisions is how many divisions are printed before only those with the fewest calls left are.
const mostDivisions = 20

// listed is how many endpoints are printed by name.
const listed = 5

// scarce are the standings to print: all, or of very many those that have the fewest calls left.
func scarce(all []quotaStanding) (shown []quotaStanding, more int) {
	if len(all) <= mostDivisions {
		return all, 0
	}
	left := func(q quotaStanding) int {
		if q.Left == nil {
			return math.MaxInt
		}
		return *q.Left - q.Kept
	}
	shown = slices.Clone(all)
	slices.SortStableFunc(shown, func(a, b quotaStanding) int { return cmp.Compare(left(a), left(b)) })
	return shown[:mostDivisions], len(all) - mostDivisions
}

func printQuotas(out io.Writer, all []quotaStanding, now time.Time) {
	if len(all) == 0 {
		return
	}
	t := newTable(out, "connection", placesIn(all), "calls today", "by others", "left", "of", "new day")
	shown, more := scarce(all)
	for _, q := range shown {
		t.AppendRow([]any{q.Connection, q.name(), q.Ours, q.Others, q.left(), q.limit(), "in " + span(q.Reset.Sub(now))})
	}
	t.Render()
	if more > 0 {
		fmt.Fprintf(out, "and %d more %s with no fewer left; --output json has them all\n", more, manyOf(placesIn(all)))
	}
	var parked, refused []string
	for _, q := range all {
		for _, p := range q.Parked {
			parked = append(parked, fmt.Sprintf("%s in %s: left alone for %s after %d refusals", p.Endpoint, q.name(), span(p.Until.Sub(now)), p.Refusals))
		}
		for _, f := range q.Forbidden {
			refused = append(refused, fmt.Sprintf("%s in %s: forbidden, asked again in %s", f.Endpoint, q.name(), span(f.Until.Sub(now))))
		}
	}
	list(out, parked)
	list(out, refused)
	fmt.Fprintln(out)
}

func (q quotaStanding) name() string {
	if own(q) == 1 {
		return "(login)"
	}
	return q.Division
}

func (q quotaStanding) limit() string {
	if q.Limit == 0 {
		return "?"
	}
	return fmt.Sprint(q.Limit)
}

func (q quotaStanding) left() string {
	switch {
	case q.Left == nil:
		return "?"
	case q.Kept > 0:
		return fmt.Sprintf("%d (%d kept)", *q.Left, q.Kept)
	}
	return fmt.Sprint(*q.Left)
}

func list(out io.Writer, lines []string) {
	for _, line := range lines[:min(len(lines), listed)] {
		fmt.Fprintln(out, line)
	}
	if more := len(lines) - listed; more > 0 {
		fmt.Fprintf(out, "and %d more; --output json has them all\n", more)
	}
}

// span says how long something takes, roughly.
func span(d time.Duration) string {
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d min", max(0, (d+time.Minute-1)/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", (d+time.Hour-1)/time.Hour)
	}
	return fmt.Sprintf("%d days", (d+24*time.Hour-1)/(24*time.Hour))
}
