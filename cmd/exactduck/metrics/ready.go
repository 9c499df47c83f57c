package metrics

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// answerFor is for how long an answer is good: anybody who can reach the port may ask.
const answerFor = 5 * time.Second

// mostNamed is how many stale streams are named.
const mostNamed = 100

// Ready answers 200 while every stream is younger than its max_age, and 503 with the names of those that
// are not, one a line, else. It tells nothing of divisions.
func Ready(facts func(context.Context) (Facts, error), clock func() time.Time) http.Handler {
	return &readiness{facts: facts, clock: clock}
}

type readiness struct {
	facts func(context.Context) (Facts, error)
	clock func() time.Time

	mu   sync.Mutex
	at   time.Time
	code int
	text string
}

func (r *readiness) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	code, text := r.answer(request.Context())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text) // who has gone needs no answer
}

// answer looks once for all who ask at the same time.
func (r *readiness) answer(ctx context.Context) (int, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	if age := now.Sub(r.at); r.code != 0 && age >= 0 && age < answerFor {
		return r.code, r.text
	}
	f, err := r.facts(ctx)
	if err != nil {
		return http.StatusServiceUnavailable, "it cannot be found out how things are; the log says why\n"
	}
	r.at, r.code, r.text = now, http.StatusOK, "ready\n"
	if lines := staleStreams(&f); len(lines) > 0 {
		more := len(lines) - mostNamed
		lines = lines[:min(len(lines), mostNamed)]
		if more > 0 {
			lines = append(lines, fmt.Sprintf("and %d more", more))
		}
		r.code, r.text = http.StatusServiceUnavailable, strings.Join(lines, "\n")+"\n"
	}
	return r.code, r.text
}

// staleStreams says of each stream that is stale anywhere how old it is where it is oldest.
func staleStreams(f *Facts) (lines []string) {
	type named struct{ pipeline, stream string }
	oldest, places, words := map[named]*Stream{}, map[named]int{}, map[string]string{}
	var all []named
	for i := range f.Pipelines {
		p := &f.Pipelines[i]
		words[p.Name] = p.Place
		for _, name := range p.Unread {
			lines = append(lines, fmt.Sprintf("stale: %s %s, never read", p.Name, name))
		}
		for j := range p.Streams {
			s := &p.Streams[j]
			if !s.Stale {
				continue
			}
			name := named{p.Name, s.Name}
			if oldest[name] == nil {
				all = append(all, name)
				oldest[name] = s
			}
			places[name]++
			if s.ReadAt.Before(oldest[name].ReadAt) {
				oldest[name] = s
			}
		}
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.pipeline+" "+a.stream, b.pipeline+" "+b.stream) })
	for _, name := range all {
		s := oldest[name]
		age := "never read"
		if !s.ReadAt.IsZero() {
			age = fmt.Sprintf("read %v ago", f.At.Sub(s.ReadAt).Round(time.Minute))
		}
		lines = append(lines, fmt.Sprintf("stale: %s %s in %s, %s, max_age %v", name.pipeline, name.stream, counted(places[name], words[name.pipeline]), age, s.MaxAge))
	}
	return lines
}

func counted(n int, place string) string {
	if n == 1 {
		return "1 " + place
	}
	return fmt.Sprintf("%d %ss", n, place)
}
