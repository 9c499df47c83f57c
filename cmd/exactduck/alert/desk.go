package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Options make a [Desk].
type Options struct {
	// Dir is where it is remembered what receivers were told. It is made when something is written.
	Dir       string
	Receivers []Receiver
	Clock     func() time.Time
	// Wait takes the place of a pause between tries of a delivery.
	Wait func(ctx context.Context, d time.Duration) error
	// Tries is how often one call of [Desk.Tell] tries to deliver a message; 0: once.
	Tries int
	Log   *slog.Logger
	// From says which installation it is; messages carry it.
	From string
	// Folder is where commands are run; "": where this process is.
	Folder string
	// Output gets what commands write; nil: nobody.
	Output io.Writer
	// AnswerWithin and CommandWithin are what a webhook and a command have; 0: 10 and 30 seconds.
	AnswerWithin, CommandWithin time.Duration
}

// Desk tells receivers. Safe for use by several goroutines, and by any number of processes on the same
// folder.
type Desk struct {
	o      Options
	client *http.Client

	mu        sync.Mutex
	unwritten map[string]*memory // what the disk did not take
}

// Open returns the desk of some receivers. It reads and writes nothing yet.
func Open(o Options) *Desk {
	o.AnswerWithin, o.CommandWithin = cmp.Or(o.AnswerWithin, answerWithin), cmp.Or(o.CommandWithin, commandWithin)
	return &Desk{o: o, client: client(o.AnswerWithin), unwritten: map[string]*memory{}}
}

// Undelivered says that a receiver has not taken what it is owed. It holds no secret.
type Undelivered struct {
	Receiver string
	Owed     int    // messages, at least
	Problem  string // "it answered 503"
	Next     time.Time
}

func (e *Undelivered) Error() string {
	text := fmt.Sprintf("%s could not be told: %s", e.Receiver, e.Problem)
	if !e.Next.IsZero() {
		text += "; it is tried again after " + e.Next.UTC().Format("15:04:05 MST")
	}
	return text
}

// Tell tells every receiver what it is owed: conditions that are new, those that are over, and those
// that last for longer than the receiver's Repeat. What a receiver does not take is kept for later
// calls, of whichever process, with pauses that grow to an hour. The error joins an [Undelivered] for
// each receiver that owes us an answer.
func (d *Desk) Tell(ctx context.Context, report Report) error {
	failures := make([]error, len(d.o.Receivers))
	var all sync.WaitGroup
	for i := range d.o.Receivers {
		all.Go(func() { failures[i] = d.tell(ctx, &d.o.Receivers[i], &report) })
	}
	all.Wait()
	return errors.Join(failures...)
}

// tell tells one receiver.
func (d *Desk) tell(ctx context.Context, r *Receiver, report *Report) error {
	unlock, err := d.lock(ctx, r)
	if err != nil {
		return &Undelivered{Receiver: r.Name, Problem: err.Error()}
	}
	defer unlock()
	m := d.recall(ctx, r)
	before, looked := m.gist(), maps.Clone(m.Looked)
	m.reconcile(r, report, d.o.Clock())
	if m.gist() != before || m.outdates(looked) || d.owesTheDisk(r) {
		d.keep(ctx, r, m)
	}
	if m.waiting(d.o.Clock()) {
		if owed := len(messages(m.owed())) + len(m.pings(r, report, d.o.Clock())); owed > 0 {
			return &Undelivered{Receiver: r.Name, Owed: owed, Problem: m.Problem, Next: m.Next}
		}
		return nil
	}
	if r.Ping != "" {
		return d.pingAll(ctx, r, m, report)
	}
	return d.handOver(ctx, r, m)
}

// handOver delivers what a receiver is owed, until it does not take something.
func (d *Desk) handOver(ctx context.Context, r *Receiver, m *memory) error {
	due := messages(m.owed())
	for i := range due {
		msg := &due[i]
		d.o.Log.DebugContext(ctx, "telling a receiver", "receiver", r.Name, "id", msg.ID, "status", string(msg.Status), "kind", string(msg.Kind))
		if err := d.try(ctx, func() error { return d.deliver(ctx, r, msg) }); err != nil {
			return d.undelivered(ctx, r, m, err, len(due)-i)
		}
		d.o.Log.DebugContext(ctx, "a receiver was told", "receiver", r.Name, "id", msg.ID)
		m.told(msg, d.o.Clock())
		d.keep(ctx, r, m)
		d.o.Log.DebugContext(ctx, "noted that it was told", "receiver", r.Name, "id", msg.ID)
	}
	return nil
}

// pingFresh is how old a success may be to be worth a ping: a late one says that all is well when it
// is not known any more.
const pingFresh = 6 * time.Hour

// pings are the successes that a dead-man service has not heard of.
func (m *memory) pings(r *Receiver, report *Report, now time.Time) []Success {
	if r.Ping == "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(report.Successes), func(s Success) bool {
		return len(r.Pipelines) > 0 && !slices.Contains(r.Pipelines, s.Pipeline) ||
			s.Run <= m.Pinged[s.Pipeline] || now.Sub(s.At) > pingFresh
	})
}

func (d *Desk) pingAll(ctx context.Context, r *Receiver, m *memory, report *Report) error {
	due := m.pings(r, report, d.o.Clock())
	for i, s := range due {
		d.o.Log.DebugContext(ctx, "pinging", "receiver", r.Name, "run_id", s.Run)
		if err := d.try(ctx, func() error { return d.ping(ctx, r) }); err != nil {
			return d.undelivered(ctx, r, m, err, len(due)-i)
		}
		m.Pinged[s.Pipeline] = s.Run
		m.Failures, m.Next, m.Problem = 0, time.Time{}, ""
		d.keep(ctx, r, m)
		d.o.Log.DebugContext(ctx, "noted that it was pinged", "receiver", r.Name, "run_id", s.Run)
	}
	return nil
}

func (d *Desk) undelivered(ctx context.Context, r *Receiver, m *memory, err error, owed int) error {
	if ctx.Err() != nil { // we were stopped, and not the receiver
		return ctx.Err()
	}
	n := find(err)
	m.failed(n.problem, n.pause, d.o.Clock())
	d.keep(ctx, r, m)
	d.o.Log.InfoContext(ctx, "a receiver was not told", "receiver", r.Name, "problem", m.Problem, "next_try", m.Next)
	return &Undelivered{Receiver: r.Name, Owed: owed, Problem: m.Problem, Next: m.Next}
}

// try does it up to Tries times, 1, 2, 4, … seconds apart.
func (d *Desk) try(ctx context.Context, do func() error) error {
	pause := time.Second
	for n := 1; ; n++ {
		err := do()
		if err == nil || n >= d.o.Tries || find(err).lasting || ctx.Err() != nil {
			return err
		}
		if d.o.Wait(ctx, max(pause, min(find(err).pause, longestWait))) != nil {
			return err
		}
		pause *= 2
	}
}

// longestWait is how long a pause may be that a receiver asks for and that is waited for.
const longestWait = 10 * time.Second

// Tried is what became of a trial message.
type Tried struct {
	Receiver string `json:"receiver"`
	Problem  string `json:"problem,omitempty"` // "": it was taken
}

// Try sends every receiver a message that says that it is a trial, or pings it. Nothing is remembered
// of it, and pauses after failures are not kept.
func (d *Desk) Try(ctx context.Context) []Tried {
	tried := make([]Tried, len(d.o.Receivers))
	var all sync.WaitGroup
	for i := range d.o.Receivers {
		all.Go(func() {
			r := &d.o.Receivers[i]
			tried[i].Receiver = r.Name
			if err := d.trial(ctx, r); err != nil {
				tried[i].Problem = find(err).problem
			}
		})
	}
	all.Wait()
	return tried
}

func (d *Desk) trial(ctx context.Context, r *Receiver) error {
	if r.Ping != "" {
		return d.ping(ctx, r)
	}
	return d.deliver(ctx, r, trial(d.o.Clock()))
}
