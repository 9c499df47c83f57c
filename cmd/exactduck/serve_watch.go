package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"exactduck/cmd/exactduck/alert"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/metrics"
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
	said string               // what was in the way of telling somebody
	owed map[string]time.Time // since when starts of pipelines are seen to be owed
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
	how, err := w.standing(ctx)
	if err != nil {
		return err
	}
	r := report(&how)
	s.vigil.patient(&r)
	s.settings.report(&r)
	err = w.herald.tell(ctx, r)
	s.log.DebugContext(ctx, "looked at what is wrong", "conditions", len(r.Conditions))
	return err
}

// missedFor is for how long a service sees that a start is owed before it says so: after a pause or a
// night without power it makes up for it itself.
const missedFor = 5 * time.Minute

// patient leaves out of a report what the service may be about to do. What was told already stays.
func (w *vigil) patient(r *alert.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	owed := map[string]time.Time{}
	r.Conditions = slices.DeleteFunc(r.Conditions, func(c alert.Condition) bool {
		if c.Kind != alert.Missed {
			return false
		}
		first, seen := w.owed[c.Pipeline]
		if !seen {
			first = r.At
		}
		owed[c.Pipeline] = first
		return r.At.Sub(first) < missedFor
	})
	w.owed = owed
	r.Settled = slices.DeleteFunc(r.Settled, func(a alert.Area) bool {
		first, early := owed[a.Pipeline]
		return a.Kind == alert.Missed && early && r.At.Sub(first) < missedFor
	})
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
