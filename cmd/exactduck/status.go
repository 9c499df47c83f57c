package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/runs"
	"exactduck/load"
	"exactduck/schema"
)

// standing is how things are with one configuration.
type standing struct {
	Logins    map[string]auth.Status `json:"logins"`
	Quota     []quotaStanding        `json:"quota"`
	Pipelines []pipelineStanding     `json:"pipelines"`
}

type pipelineStanding struct {
	Pipeline string           `json:"pipeline"`
	LastRun  *runs.Record     `json:"last_run"`
	Streams  []streamStanding `json:"streams"`
}

// streamStanding is how fresh a stream is in one division.
type streamStanding struct {
	Stream      string    `json:"stream"`
	Scope       string    `json:"scope"`
	Rows        int64     `json:"rows"`
	HistoryFrom string    `json:"history_from,omitempty"`
	ReadAt      time.Time `json:"read_at,omitzero"` // the last read that was applied
	Status      string    `json:"status"`           // of the last run that had it
	Error       string    `json:"error,omitempty"`
	Stale       bool      `json:"stale"` // the last read is older than max_age allows
}

func statusCommand() command {
	return command{
		name: "status", usage: "freshness, last runs, calls left, login; also while a run is on", args: "[PIPELINE…]",
		help: `
Reads run records and the published file, never the working database: it disturbs no run and waits
for none. Ages are of the last read of a stream, whether it found changes or not; one that is older
than its max_age is called stale. Calls are those of all processes of the app, as Exact's own answers
correct them; what others used is the rest.

   exactduck status
   exactduck status --output json`,
		do: doStatus,
	}
}

func doStatus(ctx context.Context, k *call) (*view, error) {
	pipelines, err := k.pipelines()
	if err != nil {
		return nil, err
	}
	b, err := k.books()
	if err != nil {
		return nil, err
	}
	s := standing{Logins: map[string]auth.Status{}}
	for _, name := range k.cfg.ConnectionNames() {
		l, err := k.login(name)
		if err != nil {
			return nil, err
		}
		if s.Logins[name], err = auth.ReadStatus(ctx, l.store, k.clock()); err != nil {
			return nil, err
		}
		if warning := loginWarning(s.Logins[name]); warning != "" {
			k.warnings = append(k.warnings, warning)
		}
	}
	if s.Quota, err = k.quotas(); err != nil {
		return nil, err
	}
	records, err := lastRecords(b.records())
	if err != nil {
		return nil, err
	}
	for _, p := range pipelines {
		of, err := pipelineStatus(ctx, p, records, k.clock())
		if err != nil {
			return nil, err
		}
		s.Pipelines = append(s.Pipelines, of)
	}
	return &view{data: s, text: func(out io.Writer) { s.print(out, k.clock()) }}, nil
}

// recent is how many records of runs status looks through; older news is in the published file.
const recent = 200

// lastRecords reads the newest records, the newest first.
func lastRecords(dir string) ([]runs.Record, error) {
	paths, err := runs.List(dir)
	if err != nil {
		return nil, err
	}
	var records []runs.Record
	for _, path := range slices.Backward(paths[max(0, len(paths)-recent):]) {
		r, err := runs.Read(path)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

func pipelineStatus(ctx context.Context, p *config.Pipeline, records []runs.Record, now time.Time) (pipelineStanding, error) {
	of := pipelineStanding{Pipeline: p.Name()}
	known := map[streamScope]*streamStanding{}
	for i := range records {
		r := &records[i]
		if r.Pipeline != p.Name() {
			continue
		}
		if r.Status == "running" && !alive(r.PID) { // it cannot say so itself any more
			r.Status = "killed"
		}
		if of.LastRun == nil {
			of.LastRun = r
		}
		for _, l := range r.Streams {
			if !slices.Contains([]string{"sweep", "window", "keys", "rows", modeNarrow}, l.Mode) {
				known[key(l)] = older(known[key(l)], l)
			}
		}
	}
	if err := addPublished(ctx, p, known); err != nil {
		return of, err
	}
	if err := markStale(p, known, now); err != nil {
		return of, err
	}
	for _, s := range known {
		of.Streams = append(of.Streams, *s)
	}
	slices.SortFunc(of.Streams, func(a, b streamStanding) int {
		return cmp.Or(strings.Compare(a.Stream, b.Stream), strings.Compare(a.Scope, b.Scope))
	})
	return of, nil
}

func key(l runs.Stream) streamScope {
	return streamScope{stream: l.Stream, scope: schema.Scope(l.Scope)}
}

// older adds what an older run knows to what newer ones have told.
func older(s *streamStanding, l runs.Stream) *streamStanding {
	if s == nil {
		s = &streamStanding{Stream: l.Stream, Scope: l.Scope, Status: l.Status, Error: l.Error}
	}
	if s.ReadAt.IsZero() && l.Status == "done" {
		s.ReadAt = l.Started
	}
	return s
}

// addPublished adds the rows, and what the records do not reach back to.
func addPublished(ctx context.Context, p *config.Pipeline, known map[streamScope]*streamStanding) error {
	reader, err := load.OpenReader(ctx, p.To.DuckDB)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer reader.Close()
	cursors, err := reader.Cursors(ctx)
	if err != nil {
		return err
	}
	ours, err := streamsOf(p)
	if err != nil {
		return err
	}
	for _, c := range cursors {
		if !ours(c.Stream) {
			continue
		}
		at := streamScope{c.Stream, c.Scope}
		if known[at] == nil {
			known[at] = &streamStanding{Stream: c.Stream, Scope: string(c.Scope), Status: "done"}
		}
		s := known[at]
		s.Rows, s.HistoryFrom = c.Rows, c.HistoryFrom
		if c.ReadAt.After(s.ReadAt) {
			s.ReadAt = c.ReadAt
		}
	}
	return nil
}

// markStale marks what was read longer ago than its max_age.
func markStale(p *config.Pipeline, known map[streamScope]*streamStanding, now time.Time) error {
	choices, err := p.Choices(catalogue)
	if err != nil {
		return err
	}
	age := map[string]time.Duration{}
	for _, c := range choices {
		age[c.Stream.Name] = c.MaxAge
	}
	for at, s := range known {
		s.Stale = age[at.stream] > 0 && now.Sub(s.ReadAt) > age[at.stream]
	}
	return nil
}

func (l *streamStanding) words() string {
	text := strings.ReplaceAll(l.Status, "_", " ")
	if l.Stale {
		text += ", stale"
	}
	return text
}

func (s standing) print(out io.Writer, now time.Time) {
	for _, p := range s.Pipelines {
		fmt.Fprintf(out, "%s: %s\n", p.Pipeline, runInWords(p.LastRun, now))
		if len(p.Streams) == 0 {
			continue
		}
		t := newTable(out, "stream", "division", "rows", "history from", "read", "status")
		for _, l := range p.Streams {
			t.AppendRow([]any{l.Stream, l.Scope, l.Rows, cmp.Or(l.HistoryFrom, "the beginning"), ago(l.ReadAt, now), l.words()})
		}
		t.Render()
		fmt.Fprintln(out)
	}
	printQuotas(out, s.Quota, now)
	for name, l := range s.Logins {
		if !l.LoggedIn {
			fmt.Fprintf(out, "login %s: %s\n", name, cmp.Or(l.Problem, "none"))
			continue
		}
		fmt.Fprintf(out, "login %s: lives until %s unless it is used, %d token calls today\n", name, l.ExpiresAt.Format(time.DateOnly), l.CallsToday)
	}
}

func runInWords(r *runs.Record, now time.Time) string {
	switch {
	case r == nil:
		return "never run"
	case r.Status == "running":
		sum := r.Totals()
		return fmt.Sprintf("running since %s, %d pages and %d rows read", ago(r.Started, now), sum.Pages, sum.Rows)
	}
	text := fmt.Sprintf("last run %s, %s, %d calls", ago(r.Started, now), r.Status, r.Calls)
	if scope, least := fewest(r.Left); scope != "" {
		text += fmt.Sprintf(", then %d left for the day in division %s", least, scope)
	}
	if r.Message != "" {
		text += ": " + r.Message
	}
	return text
}

// ago says how long ago something was, as people do.
func ago(at, now time.Time) string {
	d := now.Sub(at)
	switch {
	case at.IsZero():
		return "never"
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}

// alive reports whether a process of this machine is there.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
