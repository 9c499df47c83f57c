package main

import (
	"context"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
	"exactduck/load"
	"exactduck/schema"
)

// The ledger, and what Exact itself says that it adds up to.
const (
	ledgerStream   = "financial/TransactionLines"
	reportedStream = "financial/ReportingBalance"
)

// ledger is what the sums are made of, in the scopes of which the lines are up to date; nothing when
// the pipeline does not read both.
func (v *verification) ledger() (lines, balances load.Inspected, swept map[schema.Scope]time.Time) {
	swept = map[schema.Scope]time.Time{}
	for _, s := range v.stored().inspected() {
		switch s.Stream {
		case ledgerStream:
			lines = s
		case reportedStream:
			balances = s
		}
	}
	for scope := range balances.Scopes {
		at := streamScope{ledgerStream, scope}
		if v.fresh[at] == nil || lines.Scopes[scope].IsZero() || balances.Scopes[scope].IsZero() {
			delete(balances.Scopes, scope)
			continue
		}
		swept[scope] = v.planner.cursors[at].SweptAt
	}
	return lines, balances, swept
}

// balances reads the balances of the divisions where the ledger may have changed since they were read.
func (v *verification) balances(ctx context.Context) ([]*task, error) {
	lines, balances, swept := v.ledger()
	if len(balances.Scopes) == 0 {
		return nil, nil
	}
	steady, err := v.warehouse.Balanced(ctx, lines, balances, swept)
	if err != nil {
		return nil, err
	}
	var reads, done []*task
	for _, place := range v.places {
		if at, wanted := balances.Scopes[place.Scope]; wanted && !at.IsZero() && !steady[place.Scope] {
			reads = append(reads, v.balance(place))
		}
	}
	if err := v.read(ctx, reads); err != nil {
		return nil, err
	}
	for _, t := range reads {
		if t.done && t.err == nil {
			done = append(done, t)
		}
	}
	return done, nil
}

func (v *verification) balance(place extract.Place) *task {
	var choice *config.Choice
	for _, c := range v.every {
		if c.Stream.Name == reportedStream {
			choice = c
		}
	}
	return v.planner.read(choice, place)
}

// addUp compares the sums of the ledger with the balances, where both are of one moment.
func (v *verification) addUp(ctx context.Context) ([]finding, error) {
	lines, balances, swept := v.ledger()
	v.even = map[schema.Scope]bool{}
	if len(balances.Scopes) == 0 {
		return nil, nil
	}
	steady, err := v.warehouse.Balanced(ctx, lines, balances, swept)
	if err != nil || steady == nil { // columns are not wanted
		return nil, err
	}
	var all []finding
	for scope := range balances.Scopes {
		if v.even[scope] = steady[scope]; steady[scope] {
			continue
		}
		delete(balances.Scopes, scope)
		all = append(all, finding{Check: v.stamp(ledgerStream, scope, load.Check{
			Kind: load.Unequal, Result: resultSkipped, Detail: "lines came or went while they were added up",
			Advice: "exactduck verify" + only(streamScope{ledgerStream, scope}),
		})})
	}
	flaws, err := v.warehouse.Balance(ctx, lines, balances)
	for _, f := range flaws {
		v.even[f.Scope] = false
	}
	all = append(all, v.judgeFlaws(flaws)...)
	for scope, even := range v.even {
		if even {
			all = append(all, finding{Check: v.stamp(ledgerStream, scope, load.Check{Kind: load.Unequal, Result: resultSame, Detail: "every account and period adds up to what Exact says"})})
		}
	}
	return all, err
}
