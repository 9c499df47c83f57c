package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/doctor"
	"exactduck/extract"
	"exactduck/load"
	"exactduck/schema"
)

// patient is a connection under examination, and what the checks find out one after another.
type patient struct {
	*call
	of        string
	pipelines []*config.Pipeline // that read through it
	inquiries []inquired
	cursors   []load.Cursor   // of the published files
	met       []load.Division // that were ever met
	most      int             // calls

	sent, received, date time.Time // of the server's first answer
	reached              bool
	client               *http.Client
	refreshed            error // what became of renewing the login
	connection           *connection
	places               []extract.Place
	over                 string // why no stream is asked for any more
	failures             int    // in a row, to reach the source
}

// inquired is a stream that is asked for once.
type inquired struct {
	choice   *config.Choice
	pipeline *config.Pipeline
	variant  *extract.Variant // which the next run begins with
}

// unanswered says that a host gives no answer.
type unanswered struct {
	host string
	err  error
}

func (e *unanswered) Error() string { return e.host + " does not answer: " + e.err.Error() }
func (e *unanswered) Unwrap() error { return e.err }

// patients are the connections of some pipelines.
func (k *call) patients(ctx context.Context, pipelines []*config.Pipeline) ([]*patient, error) {
	var all []*patient
	for _, name := range connectionsOf(k.cfg, pipelines) {
		p := &patient{call: k, of: name}
		for _, pipeline := range pipelines {
			if pipeline.From == name {
				if err := p.admit(ctx, pipeline); err != nil {
					return nil, err
				}
			}
		}
		p.most = p.mostCalls(ctx)
		all = append(all, p)
	}
	return all, nil
}

// admit takes note of what a pipeline reads, and of what was read.
func (p *patient) admit(ctx context.Context, pipeline *config.Pipeline) error {
	p.pipelines = append(p.pipelines, pipeline)
	if reader, err := load.OpenReader(ctx, pipeline.To.DuckDB); err == nil { // else a check says so
		cursors, err := reader.Cursors(ctx)
		if err == nil {
			p.cursors = append(p.cursors, cursors...)
		}
		if divisions, err := reader.Divisions(ctx); err == nil {
			p.met = append(p.met, fromSource(pipeline.Kind(), divisions)...)
		}
		if err := reader.Close(); err != nil {
			return err
		}
	}
	choices, err := pipeline.Choices(catalogue)
	if err != nil {
		return err
	}
	for _, c := range choices {
		variant, _ := ways(c, p.readBefore(c.Stream.Name))
		if !slices.ContainsFunc(p.inquiries, func(i inquired) bool { return i.variant.Name == variant.Name }) {
			p.inquiries = append(p.inquiries, inquired{c, pipeline, variant})
		}
	}
	return nil
}

// readBefore is the variant that a stream was read with; "" when it was not.
func (p *patient) readBefore(stream string) string {
	for _, c := range p.cursors {
		if c.Stream == stream {
			return c.Variant
		}
	}
	return ""
}

// mostCalls is how many calls the checks will spend, if all goes well. A list of more than 60
// divisions takes more.
func (p *patient) mostCalls(ctx context.Context) int {
	if p.Bool("no-calls") {
		return 0
	}
	status, err := p.loginStatus(ctx, p.of)
	if err != nil || !status.LoggedIn {
		return 0
	}
	c := p.cfg.Connections[p.of]
	most := len(p.inquiries)
	if list, _ := p.vendor().places(c); list != "" {
		most++
	}
	if _, stranger := p.vendor().asks(c, p.met, p.cursors); stranger {
		most++
	}
	return most
}

func (p *patient) vendor() vendor { return p.vendorOn(p.of) }

// made is how many calls there were.
func (p *patient) made() int {
	if p.connection == nil {
		return 0
	}
	return p.connection.calls()
}

func (p *patient) checks() []doctor.Check {
	places, site := p.vendor().words().place+"s", p.vendor().words().site
	checks := []doctor.Check{
		p.check("credentials", p.of, p.credentials),
		p.check("server", p.of, p.server),
		p.check("clock", p.of, p.clocks, "server"),
		p.check(site, p.of, p.region, "credentials", "server"),
		p.check("login", p.of, p.login, "credentials"),
		p.check(places, p.of, p.divisions, "server", site, "login"),
	}
	for _, pipeline := range p.pipelines {
		for _, wanted := range pipeline.Divisions {
			checks = append(checks, p.check(p.vendor().words().place, pipeline.Name()+" "+wanted, func(context.Context) doctor.Verdict {
				return seeDivision(p.vendor(), wanted, p.places)
			}, places))
		}
	}
	for _, i := range p.inquiries {
		checks = append(checks, p.check("stream", i.choice.Stream.Name, func(ctx context.Context) doctor.Verdict {
			return p.stream(ctx, i)
		}, places))
	}
	return append(checks, p.check("calls left", p.of, p.callsLeft, places))
}

func (p *patient) check(name, of string, look func(context.Context) doctor.Verdict, needs ...string) doctor.Check {
	return doctor.Check{Name: name, Of: of, About: p.of, Needs: needs, Look: look}
}

func (p *patient) credentials(context.Context) doctor.Verdict {
	l, err := p.call.login(p.of)
	if err != nil {
		return doctor.Wrong(err)
	}
	return doctor.Well(p.vendor().words().credentials + ", for " + l.app.Host)
}

// serverLimit is how long the server may take to say anything.
const serverLimit = 20 * time.Second

// server asks for the front page, which needs no login and costs no call.
func (p *patient) server(ctx context.Context) doctor.Verdict {
	if p.Bool("no-calls") {
		return doctor.Unseen("left out by --no-calls")
	}
	ctx, cancel := context.WithTimeout(ctx, serverLimit)
	defer cancel()
	host := p.cfg.Connections[p.of].BaseURL
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, host+"/", nil)
	if err != nil {
		return doctor.Wrong(&unanswered{host, err})
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	p.sent = p.clock()
	response, err := client.Do(request)
	p.received = p.clock()
	if err != nil {
		return doctor.Wrong(&unanswered{host, errors.Unwrap(err)})
	}
	_ = response.Body.Close() // a HEAD has none
	p.reached = true
	p.date, _ = http.ParseTime(response.Header.Get("Date"))
	return doctor.Well(host + " answers")
}

func (p *patient) clocks(context.Context) doctor.Verdict {
	return doctor.Clock(p.sent, p.received, p.date)
}

// region renews the login if that is due, which shows whether this host knows the app.
func (p *patient) region(ctx context.Context) doctor.Verdict {
	l, err := p.call.login(p.of)
	if err != nil {
		return doctor.Wrong(err)
	}
	p.client, p.refreshed = p.vendor().connect(ctx, p.call, l)
	switch {
	case errors.Is(p.refreshed, auth.ErrAppRefused):
		return doctor.Wrong(p.refreshed)
	case p.refreshed == nil:
		return doctor.Well(l.app.Host + " " + p.vendor().words().known)
	}
	return doctor.Well("nothing speaks against it; whether the app is registered there shows at the next login")
}

// login says how the login is, after it was renewed if it was to be.
func (p *patient) login(ctx context.Context) doctor.Verdict {
	status, err := p.loginStatus(ctx, p.of)
	warning := loginWarning(status.Status)
	if warning != "" {
		p.warnings = append(p.warnings, warning)
	}
	switch {
	case err != nil:
		return doctor.Wrong(err)
	case p.refreshed != nil && !errors.Is(p.refreshed, auth.ErrAppRefused):
		return doctor.Wrong(p.refreshed)
	case !status.LoggedIn:
		return doctor.Wrong(status.problem())
	}
	if status.Given {
		return doctor.Well("the token of the configuration, which the next checks try")
	}
	if status.Lasting {
		return doctor.Well("an application token, which does not expire")
	}
	finding := fmt.Sprintf("lives for %s unless it is used before, %s today", days(status.DaysLeft), count(status.CallsToday, "token call"))
	if warning != "" {
		return doctor.Doubtful(finding, `"exactduck auth refresh" uses it, and so does every sync`)
	}
	return doctor.Well(finding)
}

// divisions dials, with one attempt a call, and lists the divisions.
func (p *patient) divisions(ctx context.Context) doctor.Verdict {
	l, err := p.call.login(p.of)
	if err != nil {
		return doctor.Wrong(err)
	}
	at, _ := p.vendor().asks(p.cfg.Connections[p.of], p.met, p.cursors)
	source, err := p.vendor().open(p.call, p.of, l, opening{client: p.client, at: at, once: true})
	if err != nil {
		return doctor.Wrong(err)
	}
	p.connection = &connection{source: source}
	if p.places, err = source.Places(ctx); err != nil {
		return doctor.Wrong(err)
	}
	if len(p.places) == 0 {
		return doctor.Doubtful("this login can open none", p.vendor().words().closed)
	}
	return doctor.Well("this login can open " + strconv.Itoa(len(p.places)))
}

// seeDivision judges one entry of a pipeline's divisions.
func seeDivision(v vendor, wanted string, places []extract.Place) doctor.Verdict {
	chosen, err := config.Divisions{wanted}.Select(places)
	if err != nil {
		return doctor.Wrong(inWordsOf(v, err))
	}
	var codes, asleep []string
	for _, place := range chosen {
		codes = append(codes, shownScope(place.Code))
		if !place.Active {
			asleep = append(asleep, place.Code)
		}
	}
	if len(asleep) > 0 {
		return doctor.Doubtful(strings.Join(asleep, ", ")+" is "+v.words().asleep+" at "+v.words().name, "expect nothing new from it, or leave it out in pipelines.yaml")
	}
	if len(codes) > 5 {
		codes = append(codes[:5], fmt.Sprintf("and %d more", len(codes)-5))
	}
	return doctor.Well("reads " + strings.Join(codes, ", "))
}

// callsLeft says what is left of the quota of each division that was asked.
func (p *patient) callsLeft(context.Context) doctor.Verdict {
	caller := p.connection.source.Caller()
	scope, _ := fewest(p.connection.callsLeft())
	if scope == "" {
		return doctor.Well(p.vendor().words().name + " did not say")
	}
	left := caller.Left(schema.Scope(scope))
	finding := fmt.Sprintf("%s %s: %d of %d today, %d of %d this minute", placeWord(scope), scope, left.Day, left.DayLimit, max(left.Minute, 0), left.MinuteLimit)
	if left.DayLimit > 0 && left.Day*10 < left.DayLimit {
		return doctor.Doubtful(finding, "calls come back at midnight UTC; a run that uses them up goes on then")
	}
	return doctor.Well(finding)
}

// stream asks for the key of one record.
func (p *patient) stream(ctx context.Context, i inquired) doctor.Verdict {
	if p.over != "" {
		return doctor.Unseen(p.over)
	}
	scope, rows, ok := p.where(i)
	if !ok {
		return doctor.Unseen("its pipeline reads no " + p.vendor().words().place + " that this login can open")
	}
	found, err := p.connection.source.Probe(ctx, scope, i.variant)
	if err != nil {
		p.giveUp(err)
		return doctor.Wrong(err)
	}
	p.failures = 0
	in := "in " + p.vendor().words().place + " " + string(scope)
	if scope == shared {
		in = "for this login"
	}
	switch {
	case found > 0:
		return doctor.Well("readable " + in)
	case rows > 0 && !i.variant.Windowed: // else there may be none of late
		return doctor.Doubtful(fmt.Sprintf("doubtful: empty or not permitted %s, and the warehouse has %s of it", in, count(int(rows), "row")),
			"check the rights of the user at "+p.vendor().words().name+". A sync does not believe it: it says what to type if it is true")
	}
	return doctor.Well("nothing to read " + in + ": there is nothing, or the user may not see it, which " + p.vendor().words().name + " does not tell apart")
}

// where is the scope in which to ask for a stream: of those that its pipeline reads, the one of
// which the warehouse has most rows.
func (p *patient) where(i inquired) (best schema.Scope, rows int64, ok bool) {
	scopes := []schema.Scope{shared}
	if !i.choice.Stream.Shared {
		scopes = nil
		for _, wanted := range i.pipeline.Divisions {
			chosen, err := config.Divisions{wanted}.Select(p.places)
			if err != nil {
				continue // a check of its own says so
			}
			for _, place := range chosen {
				scopes = append(scopes, place.Scope)
			}
		}
	}
	for _, s := range scopes {
		if n := p.rowsOf(i.choice.Stream.Name, s); !ok || n > rows {
			best, rows, ok = s, n, true
		}
	}
	return best, rows, ok
}

func (p *patient) rowsOf(stream string, s schema.Scope) (rows int64) {
	for _, c := range p.cursors {
		if c.Stream == stream && c.Scope == s {
			rows = max(rows, c.Rows)
		}
	}
	return rows
}

// giveUp decides whether asking for further streams makes sense after an error.
func (p *patient) giveUp(err error) {
	if as[*extract.Unreachable](err) {
		p.failures++
	}
	switch {
	case as[*extract.QuotaError](err):
		p.over = "the calls of the day are used up"
	case isLogin(err), errors.Is(err, extract.ErrUnauthorized):
		p.over = "the login does not work"
	case p.failures >= 3:
		p.over = "the source cannot be reached"
	}
}
