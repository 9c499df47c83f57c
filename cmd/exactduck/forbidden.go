package main

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"exactduck/cmd/exactduck/config"
	"exactduck/extract"
)

// unlicensed reports that the user, or the app, has no right to an endpoint.
func unlicensed(err error) bool {
	e := find[*extract.Refused](err)
	return e != nil && e.Status == http.StatusForbidden
}

// byName are the streams that the command line names, and not only with a pattern.
func byName(choices []*config.Choice, patterns []string) (map[string]bool, error) {
	exactly := slices.DeleteFunc(slices.Clone(patterns), func(name string) bool { return strings.ContainsAny(name, "*?[") })
	streams := map[string]bool{}
	return streams, named(choices, exactly, streams)
}

// askAgain forgets the refusals of the streams that the command line names: whoever names one
// expects an answer.
func (r *run) askAgain(ctx context.Context, tasks []*task) {
	for _, t := range tasks {
		if !r.asked[t.choice.Stream.Name] {
			continue
		}
		for _, v := range t.choice.Stream.Variants {
			r.forget(ctx, t.place.Scope, v.Name)
		}
	}
}

// tolerable reports a refusal that is no news: an earlier run was refused and told so, nobody asked
// for the stream by its name, and there are no rows of it that would grow old. A pattern like hrm/*
// takes in what this user was never meant to see, and a night that is otherwise whole is not partial
// for it.
func (r *run) tolerable(t *task) bool {
	e := find[*extract.Refused](t.err)
	if e == nil || !e.Remembered.Before(r.record.Record().Started) || e.Remembered.IsZero() || t.choice.Named() || t.choice.Stream == r.planner.feed || r.asked[t.choice.Stream.Name] {
		return false
	}
	_, held := r.planner.cursors[streamScope{t.choice.Stream.Name, t.place.Scope}]
	return !held
}
