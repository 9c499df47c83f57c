package exactonline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"exactduck/extract"
	"exactduck/schema"
)

// modifiedName is the property that says when a record was last changed. Deletions have another
// one, which may be a date only: a day more has to pass before it settles anything.
const (
	modifiedName = "Modified"
	deletedName  = "DeletedDate"
)

// Undated says that a read was to be limited to what was modified since some time, and that its
// records do not say when they were modified.
type Undated struct{ Stream, Variant string }

func (e *Undated) Error() string {
	return fmt.Sprintf("%s cannot be read since a date: its records do not say when they were modified", e.Stream)
}

// Pages makes one read. See [extract.Source] for what it promises; beside that:
//
//   - a resume position that the service does not accept any more, or that this program does not
//     understand, is an [extract.ErrResume]: the pages that led to it are void, and the read is to
//     be made again without. Reading on over them would keep rows that were deleted meanwhile, and
//     double those of tables without a key.
//   - a read since a date of records that have none is *[Undated].
//   - a filter that does not suit the variant is a *[BadFilter].
//   - a column that the service refuses is left out, and NULL; [Config.Dropped] is told. A column
//     that the read cannot do without is the refusal itself.
func (s *Source) Pages(ctx context.Context, r extract.Read) iter.Seq2[*schema.Page, error] {
	return s.pages(ctx, r, false)
}

func (s *Source) pages(ctx context.Context, r extract.Read, rigid bool) iter.Seq2[*schema.Page, error] {
	return func(yield func(*schema.Page, error) bool) {
		p, err := s.begin(r)
		if err != nil {
			yield(nil, err)
			return
		}
		p.rigid = rigid
		for done := false; !done; {
			page, err := p.page(ctx)
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

// pass is a read under way.
type pass struct {
	source   *Source
	read     extract.Read
	endpoint *Endpoint
	table    *schema.Table
	decoder  *decoder
	from     cursor
	since    string        // wall time; empty: no limit
	where    *filter       // nil: all records are wanted
	here     bool          // it is this package that leaves out what the filter does not want
	lag      time.Duration // after which the modified property settles
	once     bool          // that property tells when a record was made, not when it was changed
	rigid    bool          // refused columns are an error

	resumed bool // the next request is the first of a read that goes on
	began   time.Time
	seen    seen
	link    string       // to request next; empty: not known yet
	pays    schema.Scope // for the calls
	filter  string       // of the first request
	floor   int64        // Timestamp of the first record to read; 0: not asked for
	asked   bool         // floor was looked up
	heals   int
	lost    int // refusals that were about a column
}

func (s *Source) begin(r extract.Read) (*pass, error) {
	p := &pass{source: s, read: r, endpoint: EndpointOf(r.Variant), table: r.Table, lag: settling}
	if p.endpoint == nil {
		return nil, fmt.Errorf("read %s: %q is not in the catalogue", r.Stream, r.Variant.Name)
	}
	if p.table == nil {
		p.table = r.Variant.Table
	}
	var err error
	if p.from, err = parseCursor(r.From, r.Variant); err != nil {
		return nil, err
	}
	p.since = p.from.Since
	if !r.Since.IsZero() {
		p.since = reading(r.Since).Format(wallFormat)
	}
	if p.where, err = s.filterOf(r); err != nil {
		return nil, err
	}
	p.here = p.where != nil && (p.partial() || !p.where.askable(r.Variant) || s.ailment(r.Variant).unfiltered)
	if r.Resume != "" {
		if err := p.goOn(); err != nil {
			return nil, err
		}
	}
	return p, p.decode()
}

func (s *Source) filterOf(r extract.Read) (*filter, error) {
	if r.Filter == "" {
		return nil, nil
	}
	f, err := parseFilter(r.Filter, r.Variant)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.Stream, err)
	}
	f.exact = s.config.TextExact
	return f, nil
}

// partial reports whether the read brings only what changed, to rows that are stored already.
// What the filter does not want then has to come too: it may have been wanted before.
func (p *pass) partial() bool {
	return p.read.From != "" && p.read.Variant.Cursor != extract.Whole
}

func (p *pass) goOn() error {
	at, err := parseResume(p.read.Resume)
	if err != nil {
		return fmt.Errorf("read %s (%s): %w: %w", p.read.Stream, p.read.Scope, extract.ErrResume, err)
	}
	p.resumed, p.link, p.since, p.began, p.seen = true, at.Next, at.Since, at.Began, at.seen
	p.here = p.where != nil && at.Here
	return nil
}

// decode makes the decoder.
func (p *pass) decode() error {
	p.decoder = newDecoder(p.table, p.read.Scope)
	p.decoder.pageSize = p.read.Variant.PageSize
	p.decoder.seen = p.see
	p.decoder.also = p.read.Also
	switch dated := p.read.Variant.Dated; {
	case dated != "":
		p.decoder.watch(dated)
		_, p.once = datedBy(p.read.Stream, p.endpoint)
	case p.endpoint.Path == deletionsPath:
		p.decoder.watch(deletedName)
		p.lag += 24 * time.Hour
	}
	if p.here {
		p.filterHere()
	}
	return p.limit()
}

// limit makes the decoder leave out what is too old.
func (p *pass) limit() error {
	if p.since == "" {
		return nil
	}
	if p.read.Variant.Dated == "" {
		return &Undated{p.read.Stream, p.read.Variant.Name}
	}
	since, err := time.Parse(wallFormat, p.since)
	p.decoder.since = since.UnixMicro()
	return err
}

// filterHere makes the decoder leave out, or mark, what the filter does not want.
func (p *pass) filterHere() {
	p.here = true
	for _, used := range p.where.uses {
		full := p.read.Variant.Table
		p.decoder.need(full.Columns[full.Index(used.name)])
	}
	p.where.bind(p.decoder.wide)
	p.decoder.where, p.decoder.marks = p.where, p.partial()
}

// see takes note of a record.
func (p *pass) see(version int64, versioned bool, modified int64, dated bool) {
	if !versioned {
		return
	}
	p.seen.Highest = max(p.seen.Highest, version)
	if !dated || p.once {
		return
	}
	p.seen.Dated = true
	if version > p.seen.Settled && settled(modified, p.began.Add(-p.lag), p.source.zone) {
		p.seen.Settled = version
	}
}

// page fetches one page.
func (p *pass) page(ctx context.Context) (*schema.Page, error) {
	answer, err := p.fetch(ctx)
	if err != nil {
		return nil, err
	}
	if p.began.IsZero() {
		p.began = answer.Asked
	}
	page, next, err := p.decoder.decode(plain(p.endpoint, answer.Body))
	if err == nil && next == p.link {
		err = errors.New("its continuation leads to itself")
	}
	if err != nil {
		return nil, &extract.Malformed{Endpoint: p.read.Variant.Name, Scope: p.read.Scope, Err: err}
	}
	if next != "" {
		err = p.source.caller.Allows(next)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s (%s): continuation: %w", p.read.Stream, p.read.Scope, err)
	}
	p.link = next
	p.position(page)
	p.source.log.DebugContext(ctx, "page decoded", "stream", p.read.Stream, "scope", p.read.Scope,
		"rows", page.Rows, "done", page.Done, "unknown", page.Unknown, "misfits", page.Misfits)
	return page, nil
}

func (p *pass) position(page *schema.Page) {
	if p.link != "" {
		page.Next = encode(resume{Version: positionVersion, Next: p.link, Since: p.since, Here: p.here, Began: p.began, seen: p.seen})
		return
	}
	after := p.from
	switch {
	case !p.silent():
		after = after.advance(p.began, p.seen, p.since, p.source.zone)
	case after.Wall == "":
		after.Wall = cmp.Or(p.since, longAgoWall)
	}
	page.Next, page.Done = encode(after), true
}

// silent reports that a read by dates brought nothing. It leaves the cursor where it is, at no cost:
// to ask again from there brings no more, unless rights had been taken away, which looks the same.
// Then all that was modified meanwhile comes once they are back.
func (p *pass) silent() bool {
	return p.read.Variant.Cursor == extract.Modified && p.read.Resume == "" && p.decoder.record == 0
}

// fetch makes the next request. A first one is made again, in another way, as long as a refusal
// can be healed.
func (p *pass) fetch(ctx context.Context) (*extract.Answer, error) {
	if p.link == "" {
		return p.first(ctx)
	}
	var err error
	if p.pays, err = p.source.payer(ctx, p.endpoint, p.read.Scope); err != nil {
		return nil, err
	}
	answer, err := p.get(ctx)
	if refused, ok := errors.AsType[*extract.Refused](err); ok && p.resumed && slices.Contains([]int{400, 404, 410}, refused.Status) {
		return nil, fmt.Errorf("%w: %w", extract.ErrResume, err)
	}
	p.resumed = p.resumed && err != nil
	return answer, err
}

func (p *pass) get(ctx context.Context) (*extract.Answer, error) {
	return p.source.caller.Get(ctx, p.pays, p.read.Variant.Name, p.link)
}

// first makes the first request. What one read of an endpoint finds out about it, others that are
// about to ask the same wait for.
func (p *pass) first(ctx context.Context) (*extract.Answer, error) {
	if err := p.findFloor(ctx); err != nil {
		return nil, err
	}
	waited := p.source.caller.Waiting(ctx)
	report, err := p.source.scouts.enter(ctx, p.shape())
	waited()
	if err != nil {
		return nil, err
	}
	answer, err := p.tryFirst(ctx)
	report(err == nil)
	return answer, err
}

func (p *pass) tryFirst(ctx context.Context) (*extract.Answer, error) {
	for {
		query, err := p.query()
		if err != nil {
			return nil, err
		}
		if p.link, p.pays, err = p.source.link(ctx, p.endpoint, p.read.Scope, query); err != nil {
			return nil, err
		}
		answer, err := p.get(ctx)
		refused, ok := errors.AsType[*extract.Refused](err)
		if !ok {
			return answer, err
		}
		if err := p.heal(ctx, refused); err != nil {
			return nil, err
		}
	}
}
