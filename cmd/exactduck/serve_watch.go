package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"exactduck/cmd/exactduck/alert"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/metrics"
	"exactduck/load"
)

// lookout is what the service keeps of a configuration while it is in force, so that looking again costs
// little and nobody is told twice.
type lookout struct {
	*call
	books     *books
	pipelines []*config.Pipeline
	herald    *herald
}

// vigil has the one of the configuration that is in force.
type vigil struct {
	mu   sync.Mutex
	of   *lookout
	said string                   // what was in the way of telling somebody
	owed map[alert.Area]time.Time // since when it is seen what the service may be about to mend
}

// lookout is that of the configuration in force.
func (s *service) lookout() (*lookout, error) {
	s.vigil.mu.Lock()
	defer s.vigil.mu.Unlock()
	cfg := s.settings.now()
	if w := s.vigil.of; w != nil && w.cfg == cfg {
		return w, nil
	}
	w := &lookout{call: s.under(cfg)}
	var err error
	if w.books, err = w.call.books(); err != nil {
		return nil, err
	}
	if w.herald, err = w.call.herald(1, nil); err != nil {
		return nil, err
	}
	for _, name := range cfg.PipelineNames() {
		w.pipelines = append(w.pipelines, cfg.Pipelines[name])
	}
	s.vigil.of = w
	return w, nil
}

// standing is how all pipelines are.
func (w *lookout) standing(ctx context.Context) (standing, error) {
	return w.books.standing(ctx, w.pipelines)
}

// alerts tells receivers what is wrong between runs, and what they did not take before. What is in the
// way of that is said when it changes.
func (s *service) alerts(ctx context.Context) {
	err := s.tellAll(ctx)
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.vigil.mu.Lock()
	news := text != s.vigil.said
	s.vigil.said = text
	s.vigil.mu.Unlock()
	if !news || ctx.Err() != nil {
		return
	}
	for _, err := range apart(err) {
		s.log.WarnContext(ctx, "alert could not be sent", "error", err)
	}
}

func (s *service) tellAll(ctx context.Context) error {
	if len(s.settings.now().Alerts) == 0 {
		return nil
	}
	w, err := s.lookout()
	if err != nil {
		return err
	}
	how, blind := w.standing(ctx)
	r := alert.Report{At: s.clock()}
	if blind == nil {
		r = report(&how)
		s.vigil.patient(&r, &how)
	}
	s.settings.report(&r)
	reportBlind(&r, blind)
	err = w.herald.tell(ctx, r)
	s.log.DebugContext(ctx, "looked at what is wrong", "conditions", len(r.Conditions))
	return errors.Join(blind, err)
}

// reportBlind adds to what is told that nothing is known of how things are, and that schedules are not
// followed for the same reason; or that this is over.
func reportBlind(r *alert.Report, why error) {
	const subject = "serve"
	r.Settled = append(r.Settled, alert.Area{Kind: alert.Failure, Subject: subject})
	if why != nil {
		r.Conditions = append(r.Conditions, alert.Condition{
			Kind: alert.Failure, Subject: subject, Hint: alert.Line(cmp.Or(hint(why), "exactduck doctor")),
			Message: alert.Line("it cannot be looked at how things are: " + why.Error()),
		})
	}
}

// missedFor is for how long a service sees that a start is owed before it says so: after a pause or a
// night without power it makes up for it itself. staleFor is for how long it does not say what is stale
// while it is about to make up for that.
const (
	missedFor = 5 * time.Minute
	staleFor  = time.Hour
)

// patient leaves out of a report what the service may be about to mend. What was told already stays.
func (w *vigil) patient(r *alert.Report, s *standing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	owed, early := map[alert.Area]time.Time{}, map[alert.Area]bool{}
	for i := range r.Conditions {
		c := &r.Conditions[i]
		area := alert.Area{Kind: c.Kind, Pipeline: c.Pipeline}
		if most := s.patience(c); most > 0 {
			owed[area] = w.owed[area]
			if owed[area].IsZero() {
				owed[area] = r.At
			}
			early[area] = r.At.Sub(owed[area]) < most
		}
	}
	w.owed = owed
	r.Conditions = slices.DeleteFunc(r.Conditions, func(c alert.Condition) bool {
		return early[alert.Area{Kind: c.Kind, Pipeline: c.Pipeline}]
	})
	r.Settled = slices.DeleteFunc(r.Settled, func(a alert.Area) bool {
		return early[alert.Area{Kind: a.Kind, Pipeline: a.Pipeline}]
	})
}

// patience is for how long a condition may wait to be told.
func (s *standing) patience(c *alert.Condition) time.Duration {
	switch {
	case c.Kind == alert.Missed:
		return missedFor
	case c.Kind == alert.Stale && s.catchesUp(c.Pipeline):
		return staleFor
	}
	return 0
}

// catchesUp reports whether a run of a pipeline is on or owed.
func (s *standing) catchesUp(pipeline string) bool {
	return slices.ContainsFunc(s.Pipelines, func(p pipelineStanding) bool {
		of := &p.Schedule
		return p.Pipeline == pipeline && (of.Running || !of.Due.IsZero() && !of.Due.After(s.At))
	})
}

// removeStrays takes away what somebody has written beside a published file, so that readers do not see it
// until the next run.
func (s *service) removeStrays(ctx context.Context) {
	w, err := s.lookout()
	if err != nil {
		return // the page and the alerts say so
	}
	for _, p := range w.pipelines {
		if err := load.RemoveStray(ctx, w.books.options(p)); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "a stray write-ahead log could not be removed", "pipeline", p.Name(), "error", err)
		}
	}
}

// facts are what machines are shown.
func (s *service) facts(ctx context.Context) (metrics.Facts, error) {
	w, err := s.lookout()
	if err != nil {
		return metrics.Facts{}, err
	}
	how, err := w.standing(ctx)
	if err != nil {
		return metrics.Facts{}, err
	}
	return figures(&how), nil
}

// metrics answers Prometheus.
func (s *service) metrics() http.Handler { return metrics.Handler(s.facts, s.log) }

// ready answers whoever asks whether the tables are fresh.
func (s *service) ready() http.Handler { return metrics.Ready(s.facts, s.clock) }
