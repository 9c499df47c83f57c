package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/runs"
)

// notice is something that somebody should know.
type notice struct {
	// Level is act when somebody must do something, and note when it need only be known.
	Level    string    `json:"level"`
	Pipeline string    `json:"pipeline,omitempty"`
	Text     string    `json:"text"`
	Do       string    `json:"do,omitempty"` // the command to type
	Since    time.Time `json:"since,omitzero"`
}

// The levels of notices.
const (
	levelAct  = "act"
	levelNote = "note"
)

// notices are what a standing comes to, the worst first.
func (b *books) notices(s *standing) []notice {
	all := []notice{}
	for _, name := range s.loginNames() {
		all = append(all, loginNotices(name, s.Logins[name], len(s.Logins))...)
	}
	for i := range s.Pipelines {
		p := &s.Pipelines[i]
		all = append(all, p.runNotices()...)
		all = append(all, p.scheduleNotices(s.At)...)
		all = append(all, p.fileNotices()...)
		all = append(all, p.streamNotices()...)
		all = append(all, p.checkNotices()...)
	}
	slices.SortStableFunc(all, func(a, b notice) int { return strings.Compare(a.Level, b.Level) })
	return all
}

func loginNotices(name string, l auth.Status, of int) []notice {
	command := func(do string) string {
		if of > 1 {
			do += " --connection " + name
		}
		return do
	}
	if !l.LoggedIn {
		return []notice{{Level: levelAct, Text: fmt.Sprintf("Somebody must log in as %s: %s", name, cmp.Or(l.Problem, auth.NoLogin.Explain())), Do: command("exactduck auth login")}}
	}
	if loginWarning(l) == "" {
		return nil
	}
	return []notice{{
		Level: levelAct, Text: fmt.Sprintf("The login of %s lapses in %s unless it is used", name, days(l.DaysLeft)),
		Do: command("exactduck auth refresh"),
	}}
}

// runNotices tell of the last run of a pipeline, if it did not end well.
func (p *pipelineStanding) runNotices() []notice {
	r := p.LastRun
	if r == nil {
		return []notice{{Level: levelNote, Pipeline: p.Pipeline, Text: p.Pipeline + " has never run", Do: "exactduck sync " + p.Pipeline}}
	}
	n := notice{Level: levelAct, Pipeline: p.Pipeline, Since: r.Ended, Do: "exactduck runs show " + r.ID}
	switch {
	case r.Status == "done" || r.Status == "running":
		return nil
	case r.Status == "killed", r.Status == "interrupted":
		n.Level, n.Text, n.Do = levelNote, "The last run of "+p.Pipeline+" was "+r.Status+"; the next one goes on from there", "exactduck sync "+p.Pipeline
	case r.ExitCode == exitQuota:
		n.Level, n.Text, n.Do = levelNote, p.Pipeline+" has used up its calls of the day; the next run goes on from there", "exactduck plan "+p.Pipeline
	case r.ExitCode == exitLogin && !p.login.LoggedIn:
		return nil // the login says so itself
	case r.ExitCode == exitLogin && p.loggedInSince(r):
		n.Level, n.Text, n.Do = levelNote, "The last run of "+p.Pipeline+" had no login; somebody has logged in since", "exactduck sync "+p.Pipeline
	case r.ExitCode == exitLogin:
		n.Text, n.Do = "The source did not take the login of "+p.Pipeline+": "+cmp.Or(firstLine(r.Message), "nobody knows why"), "exactduck auth login"
	case r.ExitCode == exitContract:
		n.Text, n.Do = "The source has changed the shape of a stream of "+p.Pipeline+" that is frozen", "exactduck schema diff "+p.Pipeline
	case r.Status == "partial" && failedOf(p) > 0:
		n.Text = fmt.Sprintf("%s of %s failed; the rest is published", plural(failedOf(p), "stream"), p.Pipeline)
	default:
		n.Text = "The last run of " + p.Pipeline + " failed: " + cmp.Or(firstLine(r.Message), "nobody knows why")
	}
	return []notice{n}
}

// loggedInSince reports whether somebody has logged in since a run ended.
func (p *pipelineStanding) loggedInSince(r *runs.Record) bool {
	return !p.login.Given && loggedInAt(p.login, time.Time{}).After(cmp.Or(r.Ended, r.Started))
}

// fileNotices tell of what somebody else does with the published file.
func (p *pipelineStanding) fileNotices() []notice {
	if p.stray == "" {
		return nil
	}
	return []notice{{
		Level: levelAct, Pipeline: p.Pipeline, Do: "exactduck sync " + p.Pipeline,
		Text: fmt.Sprintf("Somebody has written to the published file of %s, and readers see that until the next run: end who has it open, and %s goes", p.Pipeline, p.stray),
	}}
}

func failedOf(p *pipelineStanding) int {
	n := 0
	for _, s := range p.LastRun.Streams {
		if s.Status == "failed" || s.Status == "forbidden" || s.Status == "suspect_shrink" {
			n++
		}
	}
	return n
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return printable(line)
}

// overdue is for how long a start may be due before it is said that nobody starts it.
const overdue = 10 * time.Minute

func (p *pipelineStanding) scheduleNotices(now time.Time) []notice {
	s := p.Schedule
	running := p.LastRun != nil && p.LastRun.Status == "running"
	switch {
	case s.Paused:
		return []notice{{
			Level: levelNote, Pipeline: p.Pipeline, Text: p.Pipeline + " is paused", Since: s.PausedAt,
			Do: "exactduck schedule resume " + p.Pipeline,
		}}
	case !s.Due.IsZero() && now.Sub(s.Due) > overdue && !running && !s.NeedsLogin:
		return []notice{{
			Level: levelAct, Pipeline: p.Pipeline, Text: p.Pipeline + " should have started and has not: is the scheduler running?",
			Since: s.Due, Do: "exactduck serve",
		}}
	}
	return nil
}

// streamNotices tell of streams that are old, or have shrunk beyond belief.
func (p *pipelineStanding) streamNotices() (all []notice) {
	if n := p.Fresh.Stale; n > 0 {
		all = append(all, notice{
			Level: levelAct, Pipeline: p.Pipeline, Do: "exactduck sync " + p.Pipeline,
			Text: fmt.Sprintf("%d of %s of %s %s older than max_age allows", n, plural(p.Fresh.Lines, "stream"), p.Pipeline, isOrAre(n)),
		})
	}
	shrunk := map[string]int{}
	for i := range p.Streams {
		if p.Streams[i].Status == "suspect_shrink" {
			shrunk[p.Streams[i].Stream]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(shrunk)) {
		all = append(all, notice{
			Level: levelAct, Pipeline: p.Pipeline, Do: fmt.Sprintf("exactduck sync %s --accept-shrink %s", p.Pipeline, name),
			Text: fmt.Sprintf("%s of %s would lose more rows than can be believed in %s; if it is true, accept it", name, p.Pipeline, plural(shrunk[name], p.vendor.words().place)),
		})
	}
	return all
}

func (p *pipelineStanding) checkNotices() []notice {
	n := len(p.Checks)
	if n == 0 {
		return nil
	}
	first := p.Checks[0]
	return []notice{{
		Level: levelAct, Pipeline: p.Pipeline, Since: first.At, Do: cmp.Or(first.Advice, "exactduck verify "+p.Pipeline+" --repair"),
		Text: fmt.Sprintf("%s of %s found rows that differ from the source", plural(n, "check"), p.Pipeline),
	}}
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
