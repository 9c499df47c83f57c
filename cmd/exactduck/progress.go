package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"exactduck/schema"
)

// progress is one step of a run, for a terminal to show.
type progress struct {
	stream string
	scope  schema.Scope
	pages  int
	rows   int64
}

// meter shows a run on a terminal: one line with what has been read and what is left of the quota.
// It is drawn on standard error and wiped when the run is over.
type meter struct {
	mu    sync.Mutex
	steps map[streamScope]progress
	last  string
	lines *mpb.Progress
	line  *mpb.Bar
	left  func() string // calls left, in words
}

func newMeter(out io.Writer, left func() string) *meter {
	m := &meter{steps: map[streamScope]progress{}, left: left, lines: mpb.New(mpb.WithOutput(out), mpb.WithAutoRefresh())}
	m.line = m.lines.New(0, mpb.SpinnerStyle(), mpb.BarRemoveOnComplete(), mpb.AppendDecorators(
		decor.Any(func(decor.Statistics) string { return m.text() }),
	))
	return m
}

// step takes the place of run.tell.
func (m *meter) step(p progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.steps[streamScope{p.stream, p.scope}] = p
	m.last = fmt.Sprintf("%s (%s)", p.stream, p.scope)
}

func (m *meter) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	pages, rows := 0, int64(0)
	for _, p := range m.steps {
		pages += p.pages
		rows += p.rows
	}
	return fmt.Sprintf(" %d pages, %d rows, %s, %s", pages, rows, m.left(), m.last)
}

// close wipes the line.
func (m *meter) close() {
	m.line.Abort(true)
	m.lines.Wait()
}
