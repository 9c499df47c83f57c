package exactonline

import (
	"context"
	"errors"
	"fmt"

	"exactduck/extract"
	"exactduck/schema"
)

const syncTimestampPath = apiRoot + placeholder + "/read/sync/Sync/SyncTimestamp"

var syncTimestampTable = &schema.Table{Columns: []schema.Column{{Name: "TimeStampAsBigInt", Type: schema.BigInt}}}

// findFloor looks up where in a feed of row versions the records begin that were modified since
// the limit of the read, for feeds that the service can say it of. Of others, in a division whose
// versions were given anew, and when the service does not answer, everything is read and what is
// too old left out: an empty answer may mean that there is nothing so new, or that the user lacks a
// right.
func (p *pass) findFloor(ctx context.Context) error {
	if p.asked || p.since == "" || p.read.Moved || p.from.From > 0 || p.read.Variant.Cursor != extract.Versioned || p.endpoint.SyncTimestamp == "" {
		return nil
	}
	p.asked = true
	floor, err := p.source.syncTimestamp(ctx, p.read.Scope, p.endpoint.SyncTimestamp, p.since)
	var refused *extract.Refused
	if errors.As(err, &refused) && refused.Status != 401 || errors.Is(err, extract.ErrBreaker) {
		p.source.log.WarnContext(ctx, "where to begin cannot be looked up, reading everything", "stream", p.read.Stream, "scope", p.read.Scope, "error", err)
		return nil
	}
	p.floor = floor
	return err
}

// syncTimestamp is the row version of the first record modified at or after a wall time; 0 when
// the service does not say.
func (s *Source) syncTimestamp(ctx context.Context, scope schema.Scope, name, since string) (int64, error) {
	e, ok := EndpointFor(syncTimestampPath)
	if !ok {
		return 0, errors.New("catalogue.txt lacks SyncTimestamp")
	}
	link, pays, err := s.link(ctx, e, scope, fmt.Sprintf("modified=datetime'%s'&endPoint='%s'", since, name))
	if err != nil {
		return 0, err
	}
	answer, err := s.caller.Get(ctx, pays, variantName(e), link)
	if err != nil {
		return 0, err
	}
	page, _, err := newDecoder(syncTimestampTable, scope).decode(answer.Body)
	if err != nil {
		return 0, &extract.Malformed{Endpoint: variantName(e), Scope: scope, Err: err}
	}
	floor := int64(0)
	for row, n := range page.Columns[0].Ints {
		if page.Columns[0].Valid[row] && (floor == 0 || n < floor) {
			floor = n
		}
	}
	return max(floor, 0), nil
}
