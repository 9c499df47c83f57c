package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

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

// recordsKept is how many records of runs stay on disk.
const recordsKept = 1000

// missing stores the records that the warehouse has not seen. A run that is said to be running is
// not: this one holds the lock.
func (r *run) missing(ctx context.Context) error {
	last, _, err := r.warehouse.LastRun(ctx, "")
	if err != nil {
		return err
	}
	paths, err := runs.List(r.records)
	if err != nil {
		return err
	}
	for i, path := range paths {
		if len(paths)-i > recordsKept { // the warehouse has it for good
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		id := strings.TrimSuffix(filepath.Base(path), ".ndjson")
		if id <= last.ID || id == r.id {
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
		if record.Status == "running" {
			record.Status = "killed"
		}
		if err := r.store(ctx, record, nil); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) store(ctx context.Context, record runs.Record, spent []load.Calls) error {
	sum := record.Totals()
	streams := make([]load.RunStream, len(record.Streams))
	for i, s := range record.Streams {
		streams[i] = load.RunStream{
			Stream: s.Stream, Scope: s.Scope, Variant: s.Variant, Mode: s.Mode, Status: s.Status, Pages: int64(s.Pages),
			Calls: int64(s.Calls), Read: s.Rows, Inserted: s.Inserted, Updated: s.Updated, Deleted: s.Deleted,
			Missed: s.Missed, Error: s.Error, Started: s.Started, Ended: s.Ended,
		}
	}
	return r.warehouse.Record(ctx, load.Run{
		ID: record.ID, Pipeline: record.Pipeline, Started: record.Started, Ended: record.Ended, Status: record.Status,
		ExitCode: record.ExitCode, Calls: int64(record.Calls), Read: sum.Rows, Inserted: sum.Inserted,
		Updated: sum.Updated, Deleted: sum.Deleted, Message: record.Message,
	}, streams, spent, nil)
}
