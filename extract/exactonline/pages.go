package exactonline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
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

// everModified is a filter that every record passes.
const everModified = modifiedName + " ge datetime'1900-01-01T00:00:00'"

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
//   - a column that the service refuses is left out, and NULL; [Config.Dropped] is told.
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
	lag      time.Duration // after which the modified property settles
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
	if r.Resume != "" {
		if err := p.goOn(); err != nil {
			return nil, err
		}
	}
	return p, p.decode()
}

func (p *pass) goOn() error {
	at, err := parseResume(p.read.Resume)
	if err != nil {
		return fmt.Errorf("read %s (%s): %w: %w", p.read.Stream, p.read.Scope, extract.ErrResume, err)
	}
	p.resumed, p.link, p.since, p.began, p.seen = true, at.Next, at.Since, at.Began, at.seen
	return nil
}

// decode makes the decoder.
func (p *pass) decode() error {
	p.decoder = newDecoder(p.table, p.read.Scope)
	p.decoder.pageSize = p.read.Variant.PageSize
	p.decoder.seen = p.see
	full := p.read.Variant.Table
	switch {
	case full.Index(modifiedName) >= 0:
		p.decoder.watch(modifiedName)
	case p.endpoint.Path == deletionsPath:
		p.decoder.watch(deletedName)
		p.lag += 24 * time.Hour
	}
	if p.since == "" {
		return nil
	}
	if full.Index(modifiedName) < 0 {
		return &Undated{p.read.Stream, p.read.Variant.Name}
	}
	since, err := time.Parse(wallFormat, p.since)
	p.decoder.since = since.UnixMicro()
	return err
}

// see takes note of a record.
func (p *pass) see(version int64, versioned bool, modified int64, dated bool) {
	if !versioned {
		return
	}
	p.seen.Highest = max(p.seen.Highest, version)
	if !dated {
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
	page, next, err := p.decoder.decode(answer.Body)
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
		page.Next = encode(resume{Version: positionVersion, Next: p.link, Since: p.since, Began: p.began, seen: p.seen})
		return
	}
	page.Next, page.Done = encode(p.from.advance(p.began, p.seen, p.since, p.source.zone)), true
}

// fetch makes the next request, and another one in its place as long as a refusal can be healed.
func (p *pass) fetch(ctx context.Context) (*extract.Answer, error) {
	for first := p.link == ""; ; {
		if err := p.aim(ctx, first); err != nil {
			return nil, err
		}
		answer, err := p.source.caller.Get(ctx, p.pays, p.read.Variant.Name, p.link)
		var refused *extract.Refused
		switch {
		case err == nil:
			p.resumed = false
			return answer, nil
		case !errors.As(err, &refused):
			return nil, err
		case p.resumed && slices.Contains([]int{400, 404, 410}, refused.Status):
			return nil, fmt.Errorf("%w: %w", extract.ErrResume, err)
		case !first || !p.heal(ctx, refused):
			return nil, err
		}
	}
}

// aim sets who pays for the next request and, of the first one, its link.
func (p *pass) aim(ctx context.Context, first bool) (err error) {
	if !first {
		p.pays, err = p.source.payer(ctx, p.endpoint, p.read.Scope)
		return err
	}
	if err := p.findFloor(ctx); err != nil {
		return err
	}
	p.link, p.pays, err = p.source.link(ctx, p.endpoint, p.read.Scope, p.query())
	return err
}

// query is the query of a first request.
func (p *pass) query() string {
	ill := p.source.ailment(p.read.Variant)
	names := slices.DeleteFunc(p.columns(), func(c string) bool { return ill.dropped[c] })
	for i := range names {
		names[i] = url.QueryEscape(names[i])
	}
	query := "$select=" + strings.Join(names, ",")
	if p.filter = p.condition(ill); p.filter != "" {
		query += "&$filter=" + strings.ReplaceAll(p.filter, " ", "%20")
	}
	return query
}

// columns are the properties that the read needs.
func (p *pass) columns() []string {
	var names []string
	for _, c := range p.table.Columns {
		names = append(names, c.Name)
	}
	for _, name := range append(slices.Clone(p.read.Also), p.decoder.modified) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// condition is the filter of a first request.
func (p *pass) condition(ill ailment) string {
	switch p.read.Variant.Cursor {
	case extract.Versioned:
		if p.floor > p.from.From {
			return fmt.Sprintf("Timestamp ge %dL", p.floor)
		}
		return fmt.Sprintf("Timestamp gt %dL", p.from.From)
	case extract.Modified:
		if from := max(p.from.Wall, p.since); from != "" {
			return "Modified ge datetime'" + from + "'"
		}
	}
	if ill.filtered {
		return everModified
	}
	return ""
}
