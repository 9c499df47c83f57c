package main

import (
	"context"
	"log/slog"

	"exactduck/cmd/exactduck/runs"
)

// beginLog opens the log of a run. A run without one is better than none.
func (b *books) beginLog(ctx context.Context, r runs.Record) {
	if b.journal != nil {
		level := slog.LevelInfo
		if b.verbose {
			level = slog.LevelDebug
		}
		if err := b.journal.Begin(b.logs(), r.ID, level, b.clock); err != nil {
			b.log.WarnContext(ctx, "this run has no log", "error", err)
		}
	}
	b.log.InfoContext(ctx, "run begins", "run_id", r.ID, "pipeline", r.Pipeline, "version", version())
}

// endLog writes how a run ended into its log, and lets go of old ones.
func (b *books) endLog(ctx context.Context, r runs.Record) {
	b.log.InfoContext(ctx, "run ended", "run_id", r.ID, "pipeline", r.Pipeline, "status", r.Status, "exit_code", r.ExitCode,
		"calls", r.Calls, "message", r.Message, "wait_ms", r.Wait, "read_ms", r.Read, "spool_ms", r.Spool, "apply_ms", r.Apply,
		"publish_ms", r.Publish, "other_ms", r.Other)
	if b.journal == nil {
		return
	}
	if err := b.journal.End(); err != nil {
		b.log.WarnContext(ctx, "the log of this run may not be whole", "error", err)
	}
	if err := runs.PruneLogs(b.logs(), b.clock(), runs.LogBounds); err != nil {
		b.log.WarnContext(ctx, "old logs stay", "error", err)
	}
}
