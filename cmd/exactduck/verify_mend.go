package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"exactduck/load"
)

// mend reads anew what differs, and looks again. What the second look does not find any more is mended.
func (v *verification) mend(ctx context.Context) error {
	reload, err := v.dedupe(ctx)
	if err != nil {
		return err
	}
	bad := map[streamScope]bool{}
	for i := range v.found {
		if f := &v.found[i]; f.bad() {
			bad[f.culprit()] = true
			if f.Kind != load.Doubled {
				reload[f.culprit()] = true
			}
		}
	}
	if len(bad) > 0 {
		if err := v.reload(ctx, reload); err != nil {
			return err
		}
		again, err := v.look(ctx, v.reread)
		if err != nil {
			return err
		}
		v.found = v.mended(again)
	}
	return v.letGo(ctx)
}

// letGo removes what was kept and has mended nothing.
func (v *verification) letGo(ctx context.Context) error {
	for _, t := range v.kept {
		if err := t.file.Remove(); err != nil {
			return err
		}
	}
	v.tidy(ctx)
	return nil
}

// dedupe leaves one row of each key, and tells where it is not certain that it is the right one.
func (v *verification) dedupe(ctx context.Context) (unlike map[streamScope]bool, err error) {
	unlike = map[streamScope]bool{}
	for i := range v.found {
		f := &v.found[i]
		t := v.readable(f.at())
		if f.Kind != load.Doubled || t == nil {
			continue
		}
		n, differed, err := v.warehouse.RemoveDoubles(ctx, t.table, f.Scope)
		if err != nil {
			return nil, err
		}
		v.log.InfoContext(ctx, "removed rows that were there more than once", "stream", f.Stream, "scope", f.Scope, "rows", n)
		if differed {
			unlike[f.at()] = true
		}
	}
	return unlike, nil
}

// readable is a read of a stream that can be made once more; nil: it is not for a verification to read.
func (v *verification) readable(at streamScope) *task { return cmp.Or(v.fresh[at], v.whole[at]) }

// reload reads streams from their beginning, in the place of what is stored.
func (v *verification) reload(ctx context.Context, which map[streamScope]bool) error {
	var firsts []*task
	before := map[streamScope]load.Cursor{}
	for at := range which {
		t := v.readable(at)
		if t == nil { // it is not among those that this verification may read
			continue
		}
		cursor, _, err := v.warehouse.Cursor(ctx, at.stream, at.scope)
		if err != nil {
			return err
		}
		before[at] = cursor
		if err := v.warehouse.ResetCursor(ctx, at.stream, at.scope); err != nil {
			return err
		}
		firsts = append(firsts, t)
	}
	cursors, err := v.warehouse.Cursors(ctx)
	if err != nil {
		return err
	}
	p := newPlanner(v.clock(), cursors, v.planner.vendor)
	var reads []*task
	for _, first := range firsts {
		t := p.read(first.choice, first.place)
		t.also, t.mends = first.also, true
		if kept := v.kept[placeOf(t)]; kept != nil && kept.fingerprint == t.fingerprint {
			t.variant, t.file = kept.variant, kept.file
			delete(v.kept, placeOf(t))
		}
		reads = append(reads, t)
	}
	slices.SortFunc(reads, inTurn)
	v.forecast.estimate(reads)
	calls := 0
	for _, t := range reads {
		calls += max(t.expected, t.least)
	}
	if len(reads) > 0 {
		v.hint("%s: reading %s takes about %s", v.pipeline.Name(), counting(int64(len(reads)), "stream", "again"), plural(calls, "call"))
	}
	if err := v.read(ctx, reads); err != nil {
		return err
	}
	for _, t := range reads {
		at := placeOf(t)
		switch {
		case t.done && t.err == nil:
			v.reread[at] = t
			delete(v.compared, at)
		case as[*unmended](t.err): // the rows stay, and so does what is known of them
			if err := v.warehouse.RestoreCursor(ctx, before[at]); err != nil {
				return err
			}
			v.unbelieved[at] = true
		}
	}
	return v.catchUp(ctx, slices.Collect(maps.Values(v.reread)))
}

// mended is what was found, with what the second look says of it.
func (v *verification) mended(again []finding) []finding {
	still := map[string]finding{}
	for _, f := range again {
		if f.bad() || f.Result == resultSource {
			still[kindOf(f)] = f
		}
	}
	var all []finding
	for _, f := range v.found {
		if !f.bad() {
			all = append(all, f)
			continue
		}
		t := v.reread[f.culprit()]
		now, found := still[kindOf(f)]
		switch {
		case found && t != nil:
			f = now
		case v.unbelieved[f.culprit()]:
			f.Detail += "; what was read again would take away more rows than can be believed, and was not applied"
			f.Advice = accepting(f.culprit())
		case found || t == nil && f.Kind != load.Doubled:
			f.Detail += "; it could not be read again"
		default:
			f.Result, f.Advice = resultMended, ""
			f.Detail += "; " + repairedInWords(f.Kind, t)
		}
		all = append(all, f)
	}
	return all
}

// unmended is a repair that would have taken away more rows than can be believed. The stream is as it was.
type unmended struct{ shrink *load.Shrink }

func (e *unmended) Error() string { return "the repair was not applied: " + e.shrink.Error() }
func (e *unmended) Unwrap() error { return e.shrink }

func unmendedHint(err error) string {
	s := find[*unmended](err).shrink
	return "check the rights of the user there; if it is true: " + accepting(streamScope{s.Stream, s.Scope})
}

// accepting is the command that repairs a stream however many rows go.
func accepting(at streamScope) string { return repairing(at) + " --accept-shrink " + at.stream }

// kindOf is what two findings share that are about the same rows in the same way.
func kindOf(f finding) string {
	kind := f.Kind
	if kind == checkKeys || kind == checkContent {
		kind = checkCount
	}
	return fmt.Sprintf("%q", []any{f.Stream, f.Scope, kind, f.about})
}

func repairedInWords(kind string, t *task) string {
	var said []string
	if kind == load.Doubled {
		said = append(said, "one of each was left")
	}
	if t == nil {
		return said[0]
	}
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{t.said.Inserted, "inserted"}, {t.said.Updated, "updated"}, {t.said.Deleted, "deleted"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(append(said, "read again: "+cmp.Or(strings.Join(parts, ", "), "nothing differed")), "; ")
}
