package extract

import (
	"context"
	"iter"
	"time"

	"exactduck/schema"
)

// Source is one vendor's API behind one login. Nothing of it writes anywhere.
type Source interface {
	// Places lists the scopes that this login can read, in a stable order.
	Places(ctx context.Context) ([]Place, error)
	// Pages yields one read, page by page, in order. After an error it yields no more; every
	// page already yielded is complete and safe to keep. The last page has Done set and carries
	// the new cursor; a read without rows yields one empty page that is Done.
	Pages(ctx context.Context, r Read) iter.Seq2[*schema.Page, error]
	// Discover asks for one row with all its properties and returns the names of those that
	// the variant's table does not have. It costs one call.
	Discover(ctx context.Context, s schema.Scope, v *Variant) ([]string, error)
	// Count asks how many rows a read would bring, at the price of one call. Where the source
	// cannot tell it is [ErrUncounted], without a call.
	Count(ctx context.Context, r Read) (int64, error)
	// Know replaces what the source believes that a variant refuses, in all scopes, by what Known
	// gave in another process. Nothing and false let it be tried anew.
	Know(variant string, refused []string, filtered bool)
	// Known is what the source has learnt that a variant refuses: columns, and ways of asking, which
	// begin with $; and whether it insists on a filter.
	Known(variant string) (refused []string, filtered bool)
}

// Place is a scope that can be read.
type Place struct {
	Scope schema.Scope
	Code  string // as people type it: "123456"
	Name  string
	// Currency is that of its books, "EUR"; "": unknown.
	Currency string
	// Epoch changes when the source renumbered what cursors are made of; then every cursor of the
	// scope made before is void.
	Epoch string
	// Active is false for a place that the vendor has archived or blocked.
	Active bool
}

// Stream is one logical entity: the same identity key and the same grain, whichever of its
// variants is read.
type Stream struct {
	Name     string     // "crm/Accounts"
	Shared   bool       // belongs to the connection, not to a scope: read once, under scope "0"
	Quiet    bool       // left out by wildcards: read/, beta/, webhooks, per-user lists
	Personal bool       // payroll and hrm data: new scopes are announced before they are read
	Variants []*Variant // cheapest first
	// Header names the stream of the headers that these rows are lines of, and HeaderKey the
	// column in which a line has the key of its header; "": they are no lines, or have none.
	Header, HeaderKey string
	// PartOf are the records that a row is forgotten with, its header among them: those that it is a part
	// of, or is another account of.
	PartOf []Part
}

// Part names a stream, and the column in which the rows of another have the key of its records.
type Part struct{ Stream, Column string }

// Cursor says how a variant can be read from where the last read ended.
type Cursor uint8

// The kinds of cursor, by what they promise.
const (
	Whole     Cursor = iota // no cursor: every read is the whole
	Modified                // rows modified since; deletions are found by sweeps
	Versioned               // rows with a higher row version
)

// Variant is one endpoint that serves a stream.
type Variant struct {
	Name     string // "sync/CRM/Accounts": the documented path behind the division
	Kind     string // "sync", "bulk", "standard", "read", "beta"
	Table    *schema.Table
	Cursor   Cursor
	PageSize int
	// Dated names the column that says when a row was modified, so that a read can begin at a
	// date; "": none does.
	Dated string
	// Searchable says that Discover can look for properties that Table lacks.
	Searchable bool
	// Countable says that Count may know how many rows there are.
	Countable bool
	// Indexed says of a Versioned variant that the source tells from which row version on rows were
	// modified since a date, unless the versions of the scope were given anew.
	Indexed bool
	// Reconciled says that keys alone cannot be asked for: what a sweep would find only a read of
	// everything finds. It is made in the sweep's place, and brings what changed without a mark as well.
	Reconciled bool
	// Windowed says that a read can begin at a date although Dated names no column: the source asks for
	// spans of time, and the rows do not say in which they are.
	Windowed bool
	// Span is how much time a call of a Windowed variant asks for at most, and Earliest where a read of
	// everything begins; 0 and zero: there is no such bound.
	Span     time.Duration
	Earliest time.Time
	// Each names the stream of which every row of the scope costs a call; "": none does.
	Each string
	// Lookback is how far before its cursor a read begins unless [Read.Lookback] says otherwise; 0: a
	// read begins at its cursor, and has no use for another wish.
	Lookback time.Duration
	// Query is what every request carries beside what a read adds: the parameters of a function,
	// escaped. "": nothing.
	Query string
	// Origin is what the source itself knows of the variant; nobody else looks at it.
	Origin any
}

// Begins tells whether a read of everything can begin at a date.
func (v *Variant) Begins() bool { return v.Dated != "" || v.Windowed }

// Read is one pass over a variant in a scope.
type Read struct {
	Stream  string
	Variant *Variant
	Table   *schema.Table // what to ask for: Variant.Table, or fewer columns of it
	Scope   schema.Scope
	// From is the cursor to read from; "" reads everything.
	From schema.Position
	// Resume is where a broken-off read with the same From goes on; "" starts it.
	Resume schema.Position
	// Since limits the read to rows modified at or after this wall time; zero: no limit. It is
	// honoured by every variant that has a Modified property, and refused by the others.
	Since time.Time
	// Lookback is how far before the cursor the read begins, for variants whose rows change without
	// any mark: what is older changes unnoticed until everything is read again. It counts for variants
	// with a [Variant.Lookback], and is that where it is zero.
	Lookback time.Duration
	// Moved says that the scope's row versions were given anew at some time, so that none of them
	// tells where the rows modified since a date begin.
	Moved bool
	// Also names properties to ask for beside the table's columns; they land in Extra.
	Also []string
	// Filter keeps the rows of which it is true, in the source's own language; "" keeps all. What
	// the variant cannot be asked for the source leaves out itself. A read from a cursor brings such
	// rows nevertheless, marked in Page.Out: the warehouse may hold them as they were before.
	Filter string
}
