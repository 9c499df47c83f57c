package runs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// logLimit is how large the log of one run may become. Then only warnings are written, so that one run
// at -v cannot fill a disk.
const logLimit = 64 << 20

// Journal writes what is logged during a run into the log of that run, beside where it goes anyway. It
// begins with [Journal.Handler]. The zero value is ready to use, and writes nothing until Begin.
type Journal struct {
	run atomic.Pointer[runLog]
}

type runLog struct {
	file    *os.File
	handler slog.Handler
	clock   func() time.Time
}

// Begin opens the log of a run in dir, which is made when it is missing. From now on records of the
// level and above go there, one a line, as JSON, until End.
func (j *Journal) Begin(dir, run string, level slog.Level, clock func() time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the folder of logs: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, run+logEnding), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("create the log of a run: %w", err)
	}
	limited := &limited{file: file, room: logLimit}
	limited.Handler = slog.NewJSONHandler(limited, &slog.HandlerOptions{Level: level})
	if before := j.run.Swap(&runLog{file, limited, clock}); before != nil {
		return before.file.Close()
	}
	return nil
}

// End closes the log, if there is one.
func (j *Journal) End() error {
	if was := j.run.Swap(nil); was != nil {
		return was.file.Close()
	}
	return nil
}

// Handler is one that does what next does, and keeps the journal.
func (j *Journal) Handler(next slog.Handler) slog.Handler {
	return &teed{journal: j, next: next, shape: func(h slog.Handler) slog.Handler { return h }}
}

// teed hands records to two handlers. The second comes and goes, so that what loggers were given on
// their way is put on each record.
type teed struct {
	journal *Journal
	next    slog.Handler
	shape   func(slog.Handler) slog.Handler
}

func (t *teed) Enabled(ctx context.Context, level slog.Level) bool {
	run := t.journal.run.Load()
	return run != nil && run.handler.Enabled(ctx, level) || t.next.Enabled(ctx, level)
}

func (t *teed) Handle(ctx context.Context, r slog.Record) (err error) {
	if t.next.Enabled(ctx, r.Level) {
		err = t.next.Handle(ctx, r.Clone())
	}
	if run := t.journal.run.Load(); run != nil && run.handler.Enabled(ctx, r.Level) {
		r.Time = run.clock().UTC()
		err = errors.Join(err, t.shape(run.handler).Handle(ctx, r))
	}
	return err
}

func (t *teed) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &teed{t.journal, t.next.WithAttrs(attrs), func(h slog.Handler) slog.Handler { return t.shape(h).WithAttrs(attrs) }}
}

func (t *teed) WithGroup(name string) slog.Handler {
	return &teed{t.journal, t.next.WithGroup(name), func(h slog.Handler) slog.Handler { return t.shape(h).WithGroup(name) }}
}

// limited is a log that takes only warnings once it is long.
type limited struct {
	slog.Handler
	file *os.File
	mu   sync.Mutex
	room int
}

func (l *limited) Enabled(ctx context.Context, level slog.Level) bool {
	l.mu.Lock()
	full := l.room <= 0
	l.mu.Unlock()
	return l.Handler.Enabled(ctx, level) && (!full || level >= slog.LevelWarn)
}

func (l *limited) Write(line []byte) (int, error) {
	l.mu.Lock()
	l.room -= len(line)
	l.mu.Unlock()
	return l.file.Write(line)
}

// logEnding and recordEnding are what the names of files end with.
const (
	logEnding    = ".log"
	recordEnding = ".ndjson"
)

// idPattern is what the ids of runs look like: no path can be made of one.
var idPattern = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}[0-9A-Za-z.-]*$`)

// OpenLog opens the log of a run. The error is [fs.ErrNotExist] where there is none, or none any more.
func OpenLog(dir, run string) (*os.File, error) {
	if !idPattern.MatchString(run) {
		return nil, fmt.Errorf("open the log of a run: %q: %w", run, fs.ErrNotExist)
	}
	file, err := os.Open(filepath.Join(dir, run+logEnding))
	if err != nil {
		return nil, fmt.Errorf("open the log of a run: %w", err)
	}
	return file, nil
}
