package exactpay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"exactduck/extract"
	"exactduck/schema"
)

// NoOrganization says that a list is one of an organization, and none is known.
type NoOrganization struct{ Stream string }

func (e *NoOrganization) Error() string {
	return e.Stream + " is a list of an organization, and no organization is known"
}

// Pages makes one read. See [extract.Source] for what it promises; beside that:
//
//   - a read that cannot be shown to have brought every row says so on its last page, see
//     [schema.Page.Unproven]. One from a cursor leaves the cursor where it was then.
//   - a resume position can be gone on with by the Source that gave it, once. Another one can too while
//     the list is read in the order of a date, by spans, or row by row of another list; if not it is an
//     [extract.ErrResume].
//   - a list of an organization, where none is known, is a [*NoOrganization].
func (s *Source) Pages(ctx context.Context, r extract.Read) iter.Seq2[*schema.Page, error] {
	return func(yield func(*schema.Page, error) bool) {
		p, err := s.begin(r)
		if err != nil {
			yield(nil, err)
			return
		}
		for done := false; !done; {
			page, err := p.next(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			if done = page.Done; !yield(page, nil) {
				return
			}
		}
	}
}

// stage is a way of reading a list, as far as it has come.
type stage interface {
	// step makes one request, or a few, and adds what is new to the page at hand. It reports whether
	// the pass is over.
	step(ctx context.Context, p *pass) (over bool, err error)
	// kept puts into a position what another process needs to go on.
	kept(r *resume)
}

// tally tells sets of rows apart. Those that are dated after the read began are not of them: they come
// while it is made, and belong to the next one.
type tally struct {
	Rows int64  `json:"rows,omitempty"`
	Sum  uint64 `json:"sum,omitempty"`  // of the hashes of their keys
	Late int64  `json:"late,omitempty"` // rows beside them
	// Trail is of the hashes in the order in which they came.
	Trail uint64 `json:"trail,omitempty"`
}

func (t *tally) add(key uint64) {
	t.Rows++
	t.Sum += key
	t.Trail = t.Trail*1099511628211 + key
}

// are tells whether the service's number of rows is that of these. That there are none it has to show
// once more: an answer may be empty, and say so, where it should not.
func (t tally) are(total int64) bool { return total == t.Rows && total > 0 }

// agree tells whether two passes brought the same, in whatever order.
func (t tally) agree(other tally) bool { return t.Rows == other.Rows && t.Sum == other.Sum }

// pass is a read under way.
type pass struct {
	source   *Source
	read     extract.Read
	endpoint *Endpoint
	decoder  *decoder
	number   int64 // of this pass in this process
	steps    int
	stage    stage
	from     cursor
	partial  bool  // only what changed is wanted
	bound    int64 // rows dated before are not wanted
	bounded  bool

	began  time.Time // the service's clock
	high   int64     // the greatest instant in the cursor's column; 0: none
	doubt  bool      // rows may have been missed
	ragged bool      // pages may be short although others follow

	tally    tally
	seen     map[uint64]bool   // keys in this pass
	handed   map[uint64]uint64 // content of the rows that were handed on, by key
	proofs   int               // passes that were made to compare
	compared *tally            // what the pass before came to
}

var passes atomic.Int64

func (s *Source) begin(r extract.Read) (*pass, error) {
	p := &pass{source: s, read: r, endpoint: EndpointOf(r.Variant), number: passes.Add(1)}
	if p.endpoint == nil {
		return nil, fmt.Errorf("read %s: %q is not in the catalogue", r.Stream, r.Variant.Name)
	}
	if r.Filter != "" {
		return nil, fmt.Errorf("read %s: Exact Payments has no language for filters", r.Stream)
	}
	if r.Scope != connection {
		if err := CheckIdentity("account", string(r.Scope)); err != nil {
			return nil, fmt.Errorf("read %s: %w", r.Stream, err)
		}
	}
	if _, err := p.link("", ""); err != nil {
		return nil, err
	}
	if err := p.limit(); err != nil {
		return nil, err
	}
	p.again()
	p.handed = map[uint64]uint64{}
	order := p.order()
	p.decoder = newDecoder(p.endpoint, cmp.Or(r.Table, r.Variant.Table), r.Scope, order, r.Also)
	p.stage = p.firstStage(order)
	if r.Resume == "" {
		return p, nil
	}
	return p.goOn()
}

// again begins another pass over the list.
func (p *pass) again() { p.tally, p.seen = tally{}, map[uint64]bool{} }

// limit finds out what rows are wanted.
func (p *pass) limit() (err error) {
	if p.from, err = parseCursor(p.read.From, p.endpoint); err != nil {
		return err
	}
	p.partial = p.read.From != "" && p.endpoint.by() != ""
	if at, ok := p.from.at(); ok {
		back := p.endpoint.Lookback
		if p.read.Lookback > 0 && back > 0 {
			back = p.read.Lookback
		}
		p.bound, p.bounded = milli(at-back.Microseconds()), true
	}
	if s := p.read.Since; !s.IsZero() { // the wall clock at the source is UTC's
		since := time.Date(s.Year(), s.Month(), s.Day(), s.Hour(), s.Minute(), s.Second(), s.Nanosecond(), time.UTC).UnixMicro()
		if !p.bounded || since > p.bound {
			p.bound, p.bounded = milli(since), true
		}
	}
	return nil
}

// order is the column by which rows are asked for: what is asked from a date on is by that date.
func (p *pass) order() string {
	if p.bounded || p.partial {
		return p.endpoint.Cursor
	}
	return p.endpoint.Order
}

func (p *pass) firstStage(order string) stage {
	switch {
	case p.endpoint.Each != "":
		return &each{}
	case p.endpoint.Span > 0:
		return newSpans(p)
	case !p.endpoint.Paged:
		return &single{}
	case order == "" || p.endpoint.spelling(p.source.habits(p.read.Variant)) == "" || p.unfiltered(order):
		return &crawl{}
	}
	return &walk{By: order, Bound: p.bound, Asked: p.bounded, Total: untold}
}

func (p *pass) unfiltered(column string) bool {
	return p.source.habits(p.read.Variant)[filterHabit+column]
}

// goOn takes up a read that broke off.
func (p *pass) goOn() (*pass, error) {
	fail := func(err error) (*pass, error) {
		return nil, fmt.Errorf("read %s (%s): %w: %w", p.read.Stream, p.read.Scope, extract.ErrResume, err)
	}
	at, err := parseResume(p.read.Resume)
	if err != nil {
		return fail(err)
	}
	if mine := p.source.resumed(p.at(), at); mine != nil {
		return mine, nil
	}
	p.began, p.high, p.doubt, p.steps = at.Began, at.High, at.Doubt, at.Step
	switch {
	case at.Walk != nil:
		p.stage, p.tally = at.Walk, at.Walk.Tally
		for _, key := range at.Walk.Edge {
			p.seen[key] = true
		}
	case at.Spans != nil:
		p.stage = at.Spans
	case at.Each != "":
		p.stage = &each{Resume: at.Each}
	default:
		return fail(errors.New("the list is read by offset, which has moved since"))
	}
	return p, nil
}

func (p *pass) at() string { return p.read.Stream + " " + string(p.read.Scope) }

// resumed is the read that gave a position, if it was the last one it gave.
func (s *Source) resumed(at string, r resume) *pass {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.paused[at]
	if p == nil || p.number != r.Pass || p.steps != r.Step {
		return nil
	}
	delete(s.paused, at)
	return p
}

// next makes one page.
func (p *pass) next(ctx context.Context) (*schema.Page, error) {
	p.decoder.begin()
	over, err := p.stage.step(ctx, p)
	if err != nil {
		return nil, err
	}
	p.steps++
	page := p.decoder.finish()
	if page.Done = over; over {
		page.Unproven = p.doubt
		if p.doubt {
			p.warnUnproven(ctx)
		}
		page.Next = encode(p.after())
	} else {
		at := resume{Version: positionVersion, Pass: p.number, Step: p.steps, Began: p.began, High: p.high, Doubt: p.doubt}
		p.stage.kept(&at)
		page.Next = encode(at)
	}
	p.pause(over)
	p.source.log.DebugContext(ctx, "page decoded", "stream", p.read.Stream, "scope", p.read.Scope,
		"rows", page.Rows, "done", page.Done, "unknown", page.Unknown, "misfits", page.Misfits)
	return page, nil
}

// pause keeps the read for whoever goes on with it.
func (p *pass) pause(over bool) {
	p.source.mu.Lock()
	defer p.source.mu.Unlock()
	if over {
		delete(p.source.paused, p.at())
	} else {
		p.source.paused[p.at()] = p
	}
}

// after is the cursor that the read leaves behind. It never goes back, and not beyond what the service's
// clock can vouch for.
func (p *pass) after() cursor {
	c := p.from
	if p.doubt && p.partial || c.By == "" {
		return c
	}
	reached := p.began.UnixMicro()
	if c.By != bySpans {
		reached = min(p.high, reached)
		if p.high == 0 {
			return c
		}
	}
	if at, ok := c.at(); !ok || reached > at {
		c.At = time.UnixMicro(reached).UTC().Format(time.RFC3339Nano)
	}
	return c
}

// note counts a row, and tells whether it is new to this pass, and whether it is to be handed on.
func (p *pass) note(r *row) (fresh, wanted bool) {
	if fresh = !p.seen[r.key]; fresh {
		p.seen[r.key] = true
		if p.late(r) {
			p.tally.Late++
		} else {
			p.tally.add(r.key)
		}
	}
	if r.dated {
		p.high = max(p.high, r.changed)
	}
	if p.bounded && p.endpoint.Cursor != "" && r.dated && r.changed < p.bound {
		return fresh, false
	}
	content, known := p.handed[r.key]
	p.handed[r.key] = r.content
	return fresh, !known || content != r.content
}

// late tells whether a row is dated after the read began.
func (p *pass) late(r *row) bool { return r.ordered && r.order >= p.began.UnixMicro() }
