package load

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"exactduck/schema"
)

// Contract is a shape of a stream that a person, or the first run, has agreed to.
type Contract struct {
	// Columns are those that any variant of the stream can have.
	Columns map[string]schema.Type `json:"columns"`
	// Unknown are the properties without a column, Misfits the columns with values that do not fit,
	// and Refused those that the source does not give any more.
	Unknown []string `json:"unknown,omitempty"`
	Misfits []string `json:"misfits,omitempty"`
	Refused []string `json:"refused,omitempty"`
}

// The kinds of a [Breach].
const (
	BreachNew     = "new property"
	BreachRemoved = "removed property"
	BreachRetyped = "retyped property"
	BreachMisfit  = "misfit"
)

// Breach is one way in which a shape goes beyond a contract.
type Breach struct {
	Column string `json:"column"`
	Kind   string `json:"kind"`
	Detail string `json:"detail,omitempty"`
}

// Broken says that a contract does not allow what was read; nothing of it was applied.
type Broken struct {
	Table    string
	Breaches []Breach // at least one
}

func (b *Broken) Error() string {
	var words []string
	for _, n := range b.Breaches {
		words = append(words, strings.TrimSuffix(n.Kind+" "+n.Column+" ("+n.Detail, " (")+strings.Repeat(")", min(len(n.Detail), 1)))
	}
	return b.Table + ": the contract is broken: " + strings.Join(words, ", ")
}

// holds holds the tables of parts against the contract.
func (c *Contract) holds(groups [][]*portion) error {
	if c == nil {
		return nil
	}
	var breaches []Breach
	for _, g := range groups {
		breaches = append(breaches, c.Against(g[0].header.Table)...)
	}
	return broken(groups[0][0].header.Table, breaches)
}

// Against are the columns of a table that the contract does not have, or has with another type.
func (c *Contract) Against(t *schema.Table) (breaches []Breach) {
	for _, column := range t.Columns {
		switch have, ok := c.Columns[column.Name]; {
		case !ok:
			breaches = append(breaches, Breach{column.Name, BreachNew, column.Type.String()})
		case have != column.Type:
			breaches = append(breaches, Breach{column.Name, BreachRetyped, have.String() + " to " + column.Type.String()})
		}
	}
	return breaches
}

// held holds what was met in the pages against the contract.
func (c *Contract) held(t *schema.Table, seen map[string]map[string]bool) error {
	if c == nil {
		return nil
	}
	var breaches []Breach
	for name := range seen["unknown property"] {
		if !slices.Contains(c.Unknown, name) {
			breaches = append(breaches, Breach{Column: name, Kind: BreachNew})
		}
	}
	for name := range seen["misfit"] {
		if !slices.Contains(c.Misfits, name) {
			breaches = append(breaches, Breach{name, BreachMisfit, "a value does not fit " + c.Columns[name].String()})
		}
	}
	return broken(t, breaches)
}

func broken(t *schema.Table, breaches []Breach) error {
	if len(breaches) == 0 {
		return nil
	}
	slices.SortFunc(breaches, func(a, b Breach) int { return strings.Compare(a.Column+a.Kind, b.Column+b.Kind) })
	return &Broken{t.FullName(), slices.Compact(breaches)}
}

// Accept is the contract with what broke it.
func (c *Contract) Accept(breaches []Breach, columns map[string]schema.Type) Contract {
	next := Contract{maps.Clone(columns), slices.Clone(c.Unknown), slices.Clone(c.Misfits), slices.Clone(c.Refused)}
	for _, b := range breaches {
		_, column := columns[b.Column]
		switch {
		case b.Kind == BreachNew && !column:
			next.Unknown = append(next.Unknown, b.Column)
		case b.Kind == BreachMisfit:
			next.Misfits = append(next.Misfits, b.Column)
		case b.Kind == BreachRemoved && column:
			next.Refused = append(next.Refused, b.Column)
		}
	}
	for _, list := range []*[]string{&next.Unknown, &next.Misfits, &next.Refused} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return next
}

// Agreement is the contract of a stream, and what has broken it since it was accepted.
type Agreement struct {
	Contract Contract  `json:"contract"`
	Accepted time.Time `json:"accepted_at"`
	Broken   []Breach  `json:"broken,omitempty"`
	BrokenAt time.Time `json:"broken_at,omitzero"` // zero: it holds
}

// Agreements returns the contracts that there are, by stream.
func (w *Warehouse) Agreements(ctx context.Context) (map[string]Agreement, error) {
	return agreements(ctx, w.db, w.prefix)
}

func agreements(ctx context.Context, q querier, prefix string) (map[string]Agreement, error) {
	rows, err := q.QueryContext(ctx, "SELECT stream, shape, accepted_at, broken, broken_at FROM _exactduck.contracts WHERE prefix = ?", prefix)
	if err != nil {
		return nil, fmt.Errorf("read contracts: %w", err)
	}
	defer rows.Close()
	all := map[string]Agreement{}
	for rows.Next() {
		var stream, shape string
		var breaches sql.NullString
		var at sql.NullTime
		var n Agreement
		err := rows.Scan(&stream, &shape, &n.Accepted, &breaches, &at)
		if err == nil {
			err = json.Unmarshal([]byte(shape), &n.Contract)
		}
		if err == nil && breaches.Valid {
			err = json.Unmarshal([]byte(breaches.String), &n.Broken)
		}
		if err != nil {
			return nil, fmt.Errorf("read contracts: %w", err)
		}
		n.Accepted, n.BrokenAt = n.Accepted.UTC(), at.Time.UTC()
		all[stream] = n
	}
	return all, rows.Err()
}

// Agree makes a contract the one of a stream; what broke the one before is forgotten.
func (w *Warehouse) Agree(ctx context.Context, stream string, c Contract) error {
	return w.putAgreement(ctx, stream, Agreement{Contract: c, Accepted: w.clock().UTC()})
}

// Break notes what has broken the contract of a stream, beside what had before.
func (w *Warehouse) Break(ctx context.Context, stream string, breaches []Breach) error {
	known, err := w.Agreements(ctx)
	if err != nil {
		return err
	}
	n := known[stream]
	before := len(n.Broken)
	for _, b := range breaches {
		if !slices.Contains(n.Broken, b) {
			n.Broken = append(n.Broken, b)
		}
	}
	if len(n.Broken) == before {
		return nil
	}
	n.BrokenAt = w.clock().UTC()
	return w.putAgreement(ctx, stream, n)
}

func (w *Warehouse) putAgreement(ctx context.Context, stream string, n Agreement) error {
	err := w.inTx(ctx, func(ctx context.Context, c *sql.Conn) error {
		if len(n.Broken) > 0 { // readers are to see that, and the run
			if _, err := nextGeneration(ctx, c); err != nil {
				return err
			}
		}
		return w.putAgreementIn(ctx, c, stream, n)
	})
	return wrap("note the contract of "+stream, err)
}

// putAgreementIn writes a contract in the transaction of c.
func (w *Warehouse) putAgreementIn(ctx context.Context, c *sql.Conn, stream string, n Agreement) error {
	shape, err := json.Marshal(n.Contract)
	if err != nil {
		return err
	}
	var breaches any
	if len(n.Broken) > 0 {
		text, err := json.Marshal(n.Broken)
		if err != nil {
			return err
		}
		breaches = string(text)
	}
	row := []any{w.prefix, stream, string(shape), n.Accepted, breaches, orNull(n.BrokenAt)}
	return replaceRows(ctx, c, "_exactduck.contracts", "prefix, stream, shape, accepted_at, broken, broken_at", 2, [][]any{row})
}
