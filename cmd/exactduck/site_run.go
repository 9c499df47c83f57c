package main

import (
	"errors"
	"sync"
	"time"

	"exactduck/cmd/exactduck/page"
	"exactduck/cmd/exactduck/runs"
)

// openedFor is for how long a record stays in memory that nobody looks at any more.
const openedFor = 2 * time.Minute

// opened is the record that somebody looks at. A run of all streams of all divisions has a hundred thousand
// lines, and its page is loaded every few seconds: each line is read once. The zero value has none.
type opened struct {
	mu   sync.Mutex
	of   *runs.Follower
	size int64    // of what was made a page of
	run  page.Run // that; its slices are not changed
	end  *time.Timer
}

// read is a run as its record tells by now.
func (o *opened) read(path string, zoneOf func(pipeline string) *time.Location) (page.Run, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil || o.of.Path != path {
		o.of, o.run = &runs.Follower{Path: path}, page.Run{}
	}
	err := o.of.More(func(runs.Stream) {})
	if errors.Is(err, runs.ErrRewritten) { // something was erased: it must not be remembered here
		o.of, o.run = &runs.Follower{Path: path}, page.Run{}
		err = o.of.More(func(runs.Stream) {})
	}
	if err != nil {
		o.of = nil
		return page.Run{}, err
	}
	o.closeLater()
	if r := o.of.Record(); r.ID != o.run.ID || r.Status != o.run.Status || o.of.Size() != o.size {
		o.run, o.size = wholeRun(&r, zoneOf(r.Pipeline)), o.of.Size()
	}
	return o.run, nil
}

func (o *opened) closeLater() {
	if o.end != nil {
		o.end.Stop()
	}
	o.end = time.AfterFunc(openedFor, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.of, o.run = nil, page.Run{}
	})
}
