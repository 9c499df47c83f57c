package main

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"time"

	"exactduck/cmd/exactduck/metrics"
)

// figures are what a standing comes to for machines.
func figures(s *standing) metrics.Facts {
	f := metrics.Facts{At: s.At, Version: version(), GoBuilt: runtime.Version()}
	for _, name := range s.loginNames() {
		l := s.Logins[name]
		f.Logins = append(f.Logins, metrics.Login{Connection: name, Valid: l.LoggedIn, Expires: l.ExpiresAt})
	}
	for i := range s.Quota {
		q := &s.Quota[i]
		f.Quotas = append(f.Quotas, metrics.Quota{
			Connection: q.Connection, Division: q.Division, Ours: q.Ours, Others: q.Others, Left: q.Left, Limit: q.Limit,
		})
	}
	for i := range s.Pipelines {
		f.Pipelines = append(f.Pipelines, s.Pipelines[i].figures(s.At))
	}
	for _, c := range report(s).Conditions {
		f.Alerts = append(f.Alerts, metrics.Alert{Kind: string(c.Kind), Pipeline: c.Pipeline, Count: c.Count})
	}
	return f
}

func (p *pipelineStanding) figures(now time.Time) metrics.Pipeline {
	f := metrics.Pipeline{
		Name: p.Pipeline, Place: p.vendor.words().place, Running: p.LastRun != nil && p.LastRun.Status == "running", Paused: p.Schedule.Paused, Next: p.Schedule.Next,
		Day: ofLastDay(p.Runs, now), Checks: len(p.Checks), Failing: map[string]int{},
	}
	for i := range p.Runs {
		r := &p.Runs[i]
		if r.Status == "running" {
			continue
		}
		if f.Last == nil {
			f.Last = &metrics.Run{Started: r.Started, Ended: cmp.Or(r.Ended, r.Started), Exit: r.ExitCode, Calls: int64(r.Calls), Rows: r.Sum.Rows}
			if r.Status == "killed" {
				f.Last.Exit = killed
			}
		}
		if r.Status == "done" {
			f.Good = r.Ended
			break
		}
	}
	f.Unread = p.unread
	for i := range p.Streams {
		s := &p.Streams[i]
		f.Streams = append(f.Streams, metrics.Stream{
			Name: s.Stream, Division: s.Scope, Rows: s.Rows, ReadAt: s.ReadAt, MaxAge: time.Duration(s.MaxAge) * time.Second, Stale: s.Stale || s.awaited(),
		})
		if alertOf(s) != "" {
			f.Failing[cmp.Or(s.Cause, s.Status)]++
		}
	}
	return f
}

// awaited reports whether a stream that has to be fresh was never read, and may yet be.
func (s *streamStanding) awaited() bool {
	return s.MaxAge > 0 && s.ReadAt.IsZero() && (s.Status != "forbidden" || s.Cause != "")
}

// ofLastDay adds up the runs that began within the last 24 hours, by how they ended.
func ofLastDay(all []runStanding, now time.Time) []metrics.Runs {
	var sums []metrics.Runs
	for i := range all {
		r := &all[i]
		if now.Sub(r.Started) > 24*time.Hour {
			continue
		}
		at := slices.IndexFunc(sums, func(s metrics.Runs) bool { return s.Status == r.Status })
		if at < 0 {
			at = len(sums)
			sums = append(sums, metrics.Runs{Status: r.Status})
		}
		sums[at].Count++
		sums[at].Calls += int64(r.Calls)
		sums[at].Rows += r.Sum.Rows
	}
	slices.SortFunc(sums, func(a, b metrics.Runs) int { return strings.Compare(a.Status, b.Status) })
	return sums
}
