package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"exactduck/cmd/exactduck/runs"
	"exactduck/load"
)

func statusCommand() command {
	return command{
		name: "status", usage: "freshness, last runs, calls left, login; also while a run is on", args: "[PIPELINE…]",
		help: `
Reads run records and the published file, never the working database: it disturbs no run and waits
for none. Ages are of the last read of a stream, whether it found changes or not; one that is older
than its max_age is called stale. Calls are those of all processes of the app, as Exact's own answers
correct them; what others used is the rest. Where there are more than 60 streams of divisions, what
each division comes to is printed, the worst first; --output json has every line.

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
	s, err := b.standing(ctx, pipelines)
	if err != nil {
		return nil, err
	}
	k.warnings = append(k.warnings, s.warnings...)
	for _, name := range s.loginNames() {
		if warning := loginWarning(s.Logins[name]); warning != "" {
			k.warnings = append(k.warnings, warning)
		}
	}
	return &view{data: s, text: func(out io.Writer) { s.print(out) }}, nil
}

func (l *streamStanding) words() string {
	text := strings.ReplaceAll(l.Status, "_", " ")
	if l.Stale {
		text += ", stale"
	}
	return text
}

// mostLines is how many lines of a table are printed before only those that need somebody are.
const mostLines = 60

func (s *standing) print(out io.Writer) {
	for _, n := range s.Notices {
		fmt.Fprintln(out, n.words(s.At))
	}
	if len(s.Notices) > 0 {
		fmt.Fprintln(out)
	}
	for i := range s.Pipelines {
		s.Pipelines[i].print(out, s.At)
	}
	printQuotas(out, s.Quota, s.At)
	for _, name := range s.loginNames() {
		l := s.Logins[name]
		if !l.LoggedIn {
			fmt.Fprintf(out, "login %s: %s\n", name, cmp.Or(l.Problem, "none"))
			continue
		}
		if l.Lasting {
			fmt.Fprintf(out, "login %s: an application token, which does not expire\n", name)
			continue
		}
		fmt.Fprintf(out, "login %s: lives until %s unless it is used, %d token calls today\n", name, l.ExpiresAt.Format(time.DateOnly), l.CallsToday)
	}
}

func (n notice) words(now time.Time) string {
	text := n.Text
	if !n.Since.IsZero() {
		text += ", " + ago(n.Since, now)
	}
	if n.Do != "" {
		text += ": " + n.Do
	}
	return text
}

func (p *pipelineStanding) print(out io.Writer, now time.Time) {
	fmt.Fprintf(out, "%s: %s\n", p.Pipeline, runInWords(p.LastRun, now))
	if text := p.whenNext(now); text != "" {
		fmt.Fprintln(out, text)
	}
	p.printFreshness(out, now)
	if len(p.Checks) > 0 {
		t := newTable(out, "failing check", "stream", wordFor(p.Checks, func(c load.Check) string { return c.Stream }), "what", "next")
		for _, c := range p.Checks[:min(len(p.Checks), mostDivisions)] {
			t.AppendRow([]any{c.Kind, c.Stream, shownScope(c.Scope), printable(c.Detail), c.Advice})
		}
		t.Render()
		andMore(out, len(p.Checks)-mostDivisions, "checks")
	}
	if len(p.Streams) > 0 || len(p.Checks) > 0 {
		fmt.Fprintln(out)
	}
}

// whenNext says when a pipeline runs by itself; "": never.
func (p *pipelineStanding) whenNext(now time.Time) string {
	s := p.Schedule
	switch {
	case s.Paused:
		return "paused " + ago(s.PausedAt, now)
	case !s.Due.IsZero() && !s.Due.After(now):
		return "should have started " + ago(s.Due, now)
	case !s.Next.IsZero():
		return fmt.Sprintf("next run in %s, at %s", span(s.Next.Sub(now)), s.Next.In(p.zone).Format("2006-01-02 15:04 MST"))
	}
	return ""
}

// printFreshness lists every stream of every division, or where these are many what the divisions come
// to, and the streams that need somebody.
func (p *pipelineStanding) printFreshness(out io.Writer, now time.Time) {
	if len(p.Streams) == 0 {
		return
	}
	if len(p.Streams) <= mostLines {
		p.printLines(out, now, p.Streams)
		return
	}
	t := newTable(out, p.vendor.words().place, "name", "streams", "failed", "stale", "never read", "rows", "oldest read")
	for _, g := range p.ByPlace[:min(len(p.ByPlace), mostDivisions)] {
		t.AppendRow([]any{shownScope(g.Name), printable(g.Title), g.Lines, g.Failed, g.Stale, g.Never, g.Rows, ago(g.Oldest, now)})
	}
	t.Render()
	andMore(out, len(p.ByPlace)-mostDivisions, p.vendor.words().place+"s that are no worse")
	var wrong []streamStanding
	for i := range p.Streams {
		if s := &p.Streams[i]; s.bad() || s.Stale {
			wrong = append(wrong, *s)
		}
	}
	if len(wrong) > 0 {
		p.printLines(out, now, wrong[:min(len(wrong), mostDivisions)])
		andMore(out, len(wrong)-mostDivisions, "such streams")
	}
}

func andMore(out io.Writer, more int, what string) {
	if more > 0 {
		fmt.Fprintf(out, "and %d more %s; --output json has them all\n", more, what)
	}
}

func (p *pipelineStanding) printLines(out io.Writer, now time.Time, all []streamStanding) {
	t := newTable(out, "stream", wordFor(all, func(l streamStanding) string { return l.Stream }), "rows", "history from", "read", "status")
	for i := range all {
		l := &all[i]
		t.AppendRow([]any{l.Stream, shownScope(l.Scope), l.rows(), beginning(l.Stream, l.HistoryFrom), ago(l.ReadAt, now), l.words()})
	}
	t.Render()
}

// rows are those that readers see, or those that came so far of a first read.
func (l *streamStanding) rows() string {
	if !l.published && l.Rows > 0 {
		return fmt.Sprintf("%d read", l.Rows)
	}
	return fmt.Sprint(l.Rows)
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
		text += fmt.Sprintf(", then %d left for the day in %s %s", least, placeWord(scope), scope)
	}
	if r.Message != "" {
		text += ": " + firstLine(r.Message)
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
