package main

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"exactduck/load/spool"
	"exactduck/schema"
)

// turn is how long a division is read while others with reads of the same urgency wait.
const turn = 5 * time.Minute

// urgency orders reads: what the configuration prefers, then what is fresh, then what is cheap.
func urgency(a, b *task) int {
	return cmp.Or(rank(a, b), cmp.Compare(costs(a), costs(b)), strings.Compare(a.choice.Stream.Name, b.choice.Stream.Name))
}

// rank is the part of the urgency for which one division gives way to another.
func rank(a, b *task) int {
	return cmp.Or(cmp.Compare(b.choice.Priority, a.choice.Priority), cmp.Compare(freshness(a), freshness(b)))
}

// freshness puts what has changed before what is read again, and that before what was never there.
func freshness(t *task) int {
	switch {
	case t.mode == spool.Sweep:
		return 3
	case t.firstLoad():
		return 2
	case t.mode == spool.Replace:
		return 1
	}
	return 0
}

// costs is the expected number of calls, where nobody knows more than any.
func costs(t *task) int {
	if t.expected < 0 {
		return math.MaxInt
	}
	return t.expected
}

// lane is what is still to be read of one division, the most urgent first.
type lane struct {
	scope schema.Scope
	mu    sync.Mutex
	tasks []*task
}

// lanesOf are the divisions with something to read, the most urgent first.
func lanesOf(tasks []*task) []*lane {
	of := map[schema.Scope]*lane{}
	var all []*lane
	for _, t := range slices.SortedStableFunc(slices.Values(tasks), urgency) {
		if of[t.place.Scope] == nil {
			of[t.place.Scope] = &lane{scope: t.place.Scope}
			all = append(all, of[t.place.Scope])
		}
		of[t.place.Scope].tasks = append(of[t.place.Scope].tasks, t)
	}
	return all
}

// next takes the next read out of the lane; nil: there is none.
func (l *lane) next() *task {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tasks) == 0 {
		return nil
	}
	t := l.tasks[0]
	l.tasks = l.tasks[1:]
	return t
}

// back puts a read that was broken off before all others.
func (l *lane) back(t *task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tasks = append([]*task{t}, l.tasks...)
}

// head is what next would take.
func (l *lane) head() *task {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tasks) == 0 {
		return nil
	}
	return l.tasks[0]
}

// givesWayTo reports whether what next would take is less urgent than a read.
func (l *lane) givesWayTo(t *task) bool {
	head := l.head()
	return head != nil && rank(t, head) < 0
}

// queue lets so many lanes read at once, and the others wait for their turn: the most urgent first,
// and of these the one that has waited longest.
type queue struct {
	mu      sync.Mutex
	changed *sync.Cond
	waiting []*lane
	open    int // lanes that are not empty yet
}

func newQueue(lanes []*lane) *queue {
	q := &queue{waiting: slices.Clone(lanes), open: len(lanes)}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// take waits for a lane; nil: all are done.
func (q *queue) take() *lane {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && q.open > 0 {
		q.changed.Wait()
	}
	if len(q.waiting) == 0 {
		return nil
	}
	first := 0
	for i, l := range q.waiting {
		if rank(l.head(), q.waiting[first].head()) < 0 {
			first = i
		}
	}
	l := q.waiting[first]
	q.waiting = slices.Delete(q.waiting, first, first+1)
	return l
}

// leave ends a turn.
func (q *queue) leave(l *lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.head() == nil {
		q.open--
	} else {
		q.waiting = append(q.waiting, l)
	}
	q.changed.Broadcast()
}

// press tells whether a lane waits whose next read is more urgent than t, and whether one waits
// whose next read is as urgent.
func (q *queue) press(t *task) (more, same bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.waiting {
		order := rank(l.head(), t)
		more, same = more || order < 0, same || order == 0
	}
	return more, same
}
