package main

import (
	"time"

	"exactduck/cmd/exactduck/runs"
	"exactduck/extract"
)

// phase is what a read or a run is at.
type phase uint8

const (
	idle     phase = iota // others have their turn; of a run: it is at something else
	waiting               // until a call may be made
	reading               // until it is answered, and made a page of
	spooling              // until the page is on disk
	applying              // until the rows are in the warehouse
	publishing
	phases
)

// stopwatch divides the time of a read or a run among its phases: each moment belongs to one. It is
// used by one goroutine at a time.
type stopwatch struct {
	meter  extract.Meter // of its calls
	at     time.Time     // up to which time is divided
	spent  [phases]time.Duration
	waited time.Duration // of what the meter has counted, that is among spent
}

// start begins to measure, or goes on after a break.
func (s *stopwatch) start(now time.Time) {
	if s.at.IsZero() {
		s.at = now
	}
	s.lap(now, idle)
}

// lap says that the time since the last lap belongs to a phase.
func (s *stopwatch) lap(now time.Time, p phase) {
	s.spent[p] += max(now.Sub(s.at), 0)
	s.at = now
}

// answered says that the time since the last lap went into calls. What of it was waiting the meter knows.
func (s *stopwatch) answered(now time.Time) {
	s.lap(now, reading)
	waited := s.meter.Sum().Waited
	s.move(reading, waiting, waited-s.waited)
	s.waited = waited
}

// move gives time of one phase to another, as far as there is any.
func (s *stopwatch) move(from, to phase, d time.Duration) {
	d = min(d, s.spent[from])
	s.spent[from] -= d
	s.spent[to] += d
}

// effort is what the watch shows, in the words of a run's record.
func (s *stopwatch) effort() runs.Effort {
	m := s.meter.Sum()
	return runs.Effort{
		Wait: s.spent[waiting].Milliseconds(), Read: s.spent[reading].Milliseconds(), Spool: s.spent[spooling].Milliseconds(),
		Apply: s.spent[applying].Milliseconds(), Bytes: m.Bytes, Wire: m.Wire, Retries: m.Retries,
	}
}

// shareOut divides the time of an apply among the reads that it was of, by their rows.
func shareOut(d time.Duration, tasks []*task) []time.Duration {
	rows := int64(len(tasks)) // what has no rows costs something too
	for _, t := range tasks {
		rows += t.file.Rows()
	}
	shares := make([]time.Duration, len(tasks))
	for i, t := range tasks {
		shares[i] = time.Duration(float64(d) * float64(t.file.Rows()+1) / float64(rows))
	}
	return shares
}

// lap says what the run was at since the last lap.
func (r *run) lap(p phase) { r.watch.lap(r.clock(), p) }

// timed notes in the record of a run where its time went. While it waited for pages many reads were
// under way: what they did meanwhile says how that time is shared out.
func (r *run) timed(record *runs.Record) {
	r.lap(idle)
	var of runs.Effort
	for _, s := range record.Streams {
		of.Wait, of.Read, of.Spool = of.Wait+s.Wait, of.Read+s.Read, of.Spool+s.Spool
	}
	w := r.watch.spent
	if sum := of.Wait + of.Read + of.Spool; sum > 0 {
		share := func(n int64) time.Duration { return time.Duration(float64(w[reading]) * float64(n) / float64(sum)) }
		r.watch.move(reading, waiting, share(of.Wait))
		r.watch.move(reading, spooling, share(of.Spool))
	}
	record.Effort = r.watch.effort()
	record.Other, record.Publish = r.watch.spent[idle].Milliseconds(), r.watch.spent[publishing].Milliseconds()
	r.watch.spent = w // it may be asked again
}
