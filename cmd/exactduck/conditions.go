package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"exactduck/auth"
	"exactduck/cmd/exactduck/alert"
	"exactduck/cmd/exactduck/runs"
)

// newsFor is for how long a change of shape is told of: who was not running then is not told of what
// has long been seen.
const newsFor = 7 * 24 * time.Hour

// report is what a standing comes to for who is to be told.
func report(s *standing) alert.Report {
	r := &reporter{Report: alert.Report{At: s.At}, s: s}
	for _, name := range s.loginNames() {
		r.login(name, s.Logins[name])
	}
	for i := range s.Pipelines {
		r.pipeline(&s.Pipelines[i])
	}
	return r.Report
}

// reporter puts a report together.
type reporter struct {
	alert.Report
	s *standing
}

func (r *reporter) add(c alert.Condition) {
	c.Message, c.Hint = alert.Line(c.Message), alert.Line(c.Hint)
	r.Conditions = append(r.Conditions, c)
}

// settle says that no more is wrong with a pipeline, of some kinds, than was added; at is when that was
// so.
func (r *reporter) settle(pipeline string, at time.Time, kinds ...alert.Kind) {
	for _, kind := range kinds {
		r.Settled = append(r.Settled, alert.Area{Kind: kind, Pipeline: pipeline, At: at})
	}
}

func (r *reporter) login(name string, l auth.Status) {
	r.Settled = append(r.Settled, alert.Area{Kind: alert.Login, Subject: name}, alert.Area{Kind: alert.Expiring, Subject: name})
	for _, n := range loginNotices(name, l, len(r.s.Logins)) {
		kind := alert.Login
		if l.LoggedIn {
			kind = alert.Expiring
		}
		r.add(alert.Condition{Kind: kind, Subject: name, Message: n.Text, Hint: n.Do})
	}
}

func (r *reporter) pipeline(p *pipelineStanding) {
	if last := lastEnded(p.Runs); last != nil {
		r.run(p, last)
	}
	r.unbegun(p)
	r.now(p)
	r.news(p)
}

// lastEnded is the newest run of which it is known how it ended; nil: there is none. One that was
// interrupted says nothing: the next goes on from there.
func lastEnded(all []runStanding) *runs.Record {
	for i := range all {
		if status := all[i].Status; status != "running" && status != "interrupted" {
			return &all[i].Record
		}
	}
	return nil
}

// run tells how the last run ended. While another is on, what streams say is not the whole truth, and
// what is known of them stays as it is.
func (r *reporter) run(p *pipelineStanding, last *runs.Record) {
	at := cmp.Or(last.Ended, last.Started)
	r.settle(p.Pipeline, at, alert.Failure)
	switch last.Status {
	case "failed", "killed":
		if last.ExitCode != exitLogin || p.login.LoggedIn && !p.loggedInSince(last) { // else the login says so itself
			r.add(failed(p, last, at))
		}
		return
	case "done":
		r.Successes = append(r.Successes, alert.Success{Pipeline: p.Pipeline, Run: last.ID, At: at})
	}
	if newest := &p.Runs[0]; newest.ID == last.ID && p.settled() {
		explained := r.streams(p, last)
		if last.Status == "partial" && !explained {
			r.add(unexplained(p, last, at))
		}
		r.settle(p.Pipeline, at, alert.Partial, alert.Shrink, alert.Budget, alert.Drift)
	}
}

func (s *standing) loggedIn() bool {
	for _, l := range s.Logins {
		if !l.LoggedIn {
			return false
		}
	}
	return true
}

func failed(p *pipelineStanding, last *runs.Record, at time.Time) alert.Condition {
	c := alert.Condition{
		Kind: alert.Failure, Pipeline: p.Pipeline, Subject: exitWord(last.ExitCode), Since: at,
		Message: "the run failed: " + cmp.Or(firstLine(last.Message), "nobody knows why"), Hint: "exactduck runs show " + last.ID,
	}
	if last.Status == "killed" {
		c.Subject, c.Hint = "killed", "exactduck sync "+p.Pipeline
		c.Message = "the run was killed; the next one goes on from there"
	}
	return c
}

// unbegun tells of a run that serve has started and that ended before it could write a record.
func (r *reporter) unbegun(p *pipelineStanding) {
	s := &p.Schedule
	if s.LastExit == nil || len(p.Runs) > 0 && !p.Runs[0].Started.Before(s.LastStarted) {
		return
	}
	word := exitWord(*s.LastExit)
	switch *s.LastExit {
	case 0, exitInterrupted:
		return
	case killed:
		word = "killed"
	}
	r.settle(p.Pipeline, s.LastEnded, alert.Failure)
	r.add(alert.Condition{
		Kind: alert.Failure, Pipeline: p.Pipeline, Subject: word, Since: s.LastEnded,
		Message: fmt.Sprintf("no run could begin: it ended with %d, and the log of serve says why", *s.LastExit), Hint: "exactduck sync " + p.Pipeline,
	})
}

// exitWords are what exit codes mean, in a word.
var exitWords = map[int]string{
	exitBug: "bug", exitUsage: "configuration", exitPartial: "partial", exitLogin: "login", exitSource: "source",
	exitDifferent: "difference", exitQuota: "calls", exitContract: "contract", exitBusy: "busy", exitMachine: "machine",
	exitInterrupted: "interrupted",
}

func exitWord(code int) string { return cmp.Or(exitWords[code], "other") }

// unexplained is a run that was not whole though no stream says why.
func unexplained(p *pipelineStanding, last *runs.Record, at time.Time) alert.Condition {
	kind := map[int]alert.Kind{exitQuota: alert.Budget, exitContract: alert.Drift}[last.ExitCode]
	return alert.Condition{
		Kind: cmp.Or(kind, alert.Partial), Pipeline: p.Pipeline, Subject: exitWord(last.ExitCode), Since: at,
		Message: cmp.Or(firstLine(last.Message), "the run was not whole"), Hint: "exactduck runs show " + last.ID,
	}
}

// settled reports that no stream is in the middle of something.
func (p *pipelineStanding) settled() bool {
	return !slices.ContainsFunc(p.Streams, func(s streamStanding) bool {
		return s.Status == "reading" || s.Status == "read" || s.Cause == causeInterrupted
	})
}

// cause is what many streams fail of.
type cause struct {
	kind alert.Kind
	word string
}

// streams tells of the streams that did not end well, one cause at a time, and reports whether any did
// not.
func (r *reporter) streams(p *pipelineStanding, last *runs.Record) bool {
	found := map[cause][]*streamStanding{}
	for i := range p.Streams {
		s := &p.Streams[i]
		if kind := alertOf(s); kind != "" {
			c := cause{kind, s.Cause}
			if kind == alert.Budget {
				c.word = "calls"
			}
			found[c] = append(found[c], s)
		}
	}
	for _, c := range slices.SortedFunc(maps.Keys(found), func(a, b cause) int { return strings.Compare(string(a.kind)+a.word, string(b.kind)+b.word) }) {
		r.add(ofStreams(p, last, c, found[c]))
	}
	return len(found) > 0
}

// alertOf is what a stream has to be told of as; "": it has not.
func alertOf(s *streamStanding) alert.Kind {
	switch s.Status {
	case "suspect_shrink":
		return alert.Shrink
	case "postponed":
		return alert.Budget
	case "contract_broken":
		return alert.Drift
	case "failed", "forbidden":
		if s.Cause != "" {
			return alert.Partial
		}
	}
	return ""
}

func ofStreams(p *pipelineStanding, last *runs.Record, c cause, all []*streamStanding) alert.Condition {
	first := all[0]
	told := alert.Condition{Kind: c.kind, Pipeline: p.Pipeline, Subject: c.word, Count: len(all), Since: cmp.Or(last.Ended, last.Started)}
	where := fmt.Sprintf("%s (%s)", first.Stream, placed(first.Stream, first.Scope))
	if len(all) > 1 {
		where = fmt.Sprintf("%d reads, the first %s", len(all), where)
	}
	names := strings.Join(streamNames(all), ",")
	switch c.kind {
	case alert.Shrink:
		told.Message = "too many rows would go of " + where + ": " + first.Error
		told.Hint = "check the rights of the user at " + vendorNamed(first.Stream).words().name + "; if it is true: exactduck sync " + p.Pipeline + " --accept-shrink " + names
	case alert.Budget:
		told.Message = "no calls are left today for " + where
		told.Hint = "the next run goes on where it stopped: exactduck plan " + p.Pipeline
	case alert.Drift:
		told.Message = "the source has changed the shape of " + where + ", which is frozen: " + first.Error
		told.Hint = "exactduck schema diff --streams " + names
	default:
		told.Message = "not read: " + where + ": " + first.Error
		told.Hint = "the rest is published; exactduck runs show " + last.ID
	}
	return told
}

// streamNames are a few of the names of some streams, each once.
func streamNames(all []*streamStanding) []string {
	var names []string
	for _, s := range all {
		if !slices.Contains(names, s.Stream) {
			names = append(names, s.Stream)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), 5)]
}

// now tells what is wrong whatever the last run did.
func (r *reporter) now(p *pipelineStanding) {
	r.settle(p.Pipeline, r.At, alert.Stale, alert.Check, alert.Missed)
	if n, oldest := stale(p.Streams); n > 0 {
		r.add(alert.Condition{
			Kind: alert.Stale, Pipeline: p.Pipeline, Count: n, Hint: "exactduck status " + p.Pipeline,
			Message: fmt.Sprintf("%d of %s %s older than max_age allows, the oldest %s (%s), read %s",
				n, plural(len(p.Streams), "stream"), isOrAre(n), oldest.Stream, placed(oldest.Stream, oldest.Scope), ago(oldest.ReadAt, r.At)),
		})
	}
	for _, n := range p.checkNotices() {
		r.add(alert.Condition{Kind: alert.Check, Pipeline: p.Pipeline, Count: len(p.Checks), Since: n.Since, Message: n.Text, Hint: n.Do})
	}
	for _, n := range p.scheduleNotices(r.At) {
		if n.Level == levelAct && !r.s.running() { // else it may have to wait for its turn
			r.add(alert.Condition{Kind: alert.Missed, Pipeline: p.Pipeline, Since: n.Since, Message: n.Text, Hint: n.Do})
		}
	}
}

// running reports whether a run is on.
func (s *standing) running() bool {
	return slices.ContainsFunc(s.Pipelines, func(p pipelineStanding) bool { return p.LastRun != nil && p.LastRun.Status == "running" })
}

// stale counts the streams that were read and are too old since. Those that were never read to their
// end are told of by the runs that tried.
func stale(all []streamStanding) (n int, oldest *streamStanding) {
	for i := range all {
		s := &all[i]
		if !s.Stale || s.ReadAt.IsZero() {
			continue
		}
		n++
		if oldest == nil || s.ReadAt.Before(oldest.ReadAt) {
			oldest = s
		}
	}
	return n, oldest
}

// news tells what runs have met of changes of shape, one run at a time.
func (r *reporter) news(p *pipelineStanding) {
	of := map[string][]shapeChange{}
	var ids []string
	for _, c := range slices.Backward(p.Changes) {
		if c.Change == "table created" || r.At.Sub(c.At) > newsFor {
			continue
		}
		if of[c.Run] == nil {
			ids = append(ids, c.Run)
		}
		of[c.Run] = append(of[c.Run], c)
	}
	for _, id := range ids {
		changes := of[id]
		first := changes[0]
		text := strings.TrimSuffix(fmt.Sprintf("%s: %s: %s: %s", first.Table, first.Column, first.Change, first.Detail), ": ")
		if len(changes) > 1 {
			text = fmt.Sprintf("%d changes of shape, the first %s", len(changes), text)
		}
		r.add(alert.Condition{
			Kind: alert.Drift, Pipeline: p.Pipeline, Subject: id, Count: len(changes), Since: first.At, News: true,
			Message: text, Hint: "exactduck schema history " + p.Pipeline,
		})
	}
}
