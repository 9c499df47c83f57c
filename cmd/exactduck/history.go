package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"exactduck/cmd/exactduck/runs"
	"exactduck/load"
)

// recorded copies this run, as far as it has come, and the runs that died before they could be
// copied, from their records on disk into the warehouse, where analysts can query them.
func (r *run) recorded(ctx context.Context, outcome error) error {
	if err := r.missing(ctx); err != nil {
		return err
	}
	now := r.record.Record()
	now.ExitCode = exitCode(outcome)
	now.Status, now.Calls, now.Ended = statusOf(now.ExitCode), r.calls(), r.clock()
	if outcome != nil {
		now.Message = outcome.Error()
	}
	r.timed(&now)
	return r.store(ctx, now, r.spent())
}

// recordsKept is how many records of runs stay on disk even if no warehouse has them.
const recordsKept = 1000

// missing stores the records that the warehouse has not seen, and lets go of old ones that it has.
func (r *run) missing(ctx context.Context) error {
	last, _, err := r.warehouse.LastRun(ctx, "")
	if err != nil {
		return err
	}
	paths, err := runs.List(r.records, r.clock())
	if err != nil {
		return err
	}
	for _, path := range paths {
		id := idOf(path)
		if id == last.ID {
			if err := r.amend(ctx, path, last); err != nil {
				return err
			}
		}
		if id <= last.ID || id == r.id || runs.Ahead(id, r.clock()) {
			continue
		}
		record, err := runs.Read(path)
		if err == nil && record.ID == "" {
			continue // it was killed before it could write its first line
		}
		if err != nil || record.ID != id {
			r.log.WarnContext(ctx, "a run's record cannot be read", "path", path, "error", err)
			continue
		}
		if !r.related(record.Pipeline) {
			continue
		}
		if err := r.store(ctx, record, nil); err != nil {
			return err
		}
	}
	return runs.PruneRecords(r.records, r.clock(), runs.RecordBounds, func(path string, newer int) bool {
		return newer >= recordsKept || idOf(path) <= last.ID && r.recordedHere(path)
	})
}

// idOf is the run of which a record is.
func idOf(path string) string { return strings.TrimSuffix(filepath.Base(path), ".ndjson") }

// recordedHere tells that a record is of a pipeline into this warehouse.
func (r *run) recordedHere(path string) bool {
	record, err := runs.Glance(path)
	return err == nil && r.related(record.Pipeline)
}

// amend adds to the history what the last run could not say of itself yet when it was recorded: how it
// ended, and how long the publication took.
func (r *run) amend(ctx context.Context, path string, last load.Run) error {
	record, err := runs.Glance(path)
	if err != nil || record.ID != last.ID || record.Status == "running" {
		return nil //nolint:nilerr // history says what it can
	}
	now := historyOf(record, record.Sums)
	if now.Status == last.Status && now.Publish == last.Publish && now.Ended.Truncate(time.Microsecond).Equal(last.Ended) {
		return nil
	}
	return r.warehouse.Amend(ctx, now)
}

func (r *run) store(ctx context.Context, record runs.Record, spent []load.Calls) error {
	streams := make([]load.RunStream, len(record.Streams))
	for i, s := range record.Streams {
		streams[i] = load.RunStream{
			Stream: s.Stream, Scope: s.Scope, Variant: s.Variant, Mode: s.Mode, Status: s.Status, Pages: int64(s.Pages),
			Calls: int64(s.Calls), Read: s.Rows, Inserted: s.Inserted, Updated: s.Updated, Deleted: s.Deleted,
			Missed: s.Missed, Error: s.Error, Started: s.Started, Ended: s.Ended,
			Effort: effortOf(s.Effort), Idle: millis(s.Idle),
		}
	}
	return r.warehouse.Record(ctx, historyOf(record, record.Sum()), streams, spent, nil)
}

// historyOf is a run as history keeps it.
func historyOf(record runs.Record, sum runs.Sums) load.Run {
	return load.Run{
		ID: record.ID, Pipeline: record.Pipeline, Started: record.Started, Ended: record.Ended, Status: record.Status,
		ExitCode: record.ExitCode, Calls: int64(record.Calls), Read: sum.Rows, Inserted: sum.Inserted,
		Updated: sum.Updated, Deleted: sum.Deleted, Message: record.Message,
		Effort: effortOf(record.Effort), Publish: millis(record.Publish), Other: millis(record.Other),
	}
}

func effortOf(e runs.Effort) load.Effort {
	return load.Effort{
		Wait: millis(e.Wait), Read: millis(e.Read), Spool: millis(e.Spool), Apply: millis(e.Apply),
		Bytes: e.Bytes, Wire: e.Wire, Retries: int64(e.Retries),
	}
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
