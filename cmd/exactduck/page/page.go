// Package page is the status page: how the pipelines are, for a browser and as JSON, and the buttons
// that pause, resume and start them. It knows nothing by itself: whoever has the facts passes functions
// in a [Site]. Pages are written on the server and need no script; nothing on them is fetched from
// anywhere else.
//
// Begin with [Site.Handler]. guard.go is who may see it and what is refused, facts.go what is shown,
// and html the templates.
package page

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Site is where the page gets its facts from. All functions but those said to be optional are
// required, and are called from several goroutines.
type Site struct {
	Version string
	Clock   func() time.Time
	Log     *slog.Logger

	// Password is what the page asks for, and of whom. Without a password it answers this machine only, and
	// under this machine's own names only.
	Password func() (user, password string)

	Overview func(ctx context.Context) (Overview, error)
	// Lines are a pipeline and its streams in its divisions, by stream and division; [ErrUnknown] when there
	// is no such pipeline.
	Lines func(ctx context.Context, pipeline string) (Pipeline, []Line, error)
	// Runs are the runs of a pipeline, or of all with "", the newest first, without their streams.
	Runs func(ctx context.Context, pipeline string) ([]Run, error)
	// Run is one run with its streams; [ErrUnknown] when nobody remembers it.
	Run func(ctx context.Context, id string) (Run, error)
	// RunLog opens what a run has logged so far; [ErrUnknown] when there is nothing.
	RunLog func(ctx context.Context, id string) (io.ReadSeekCloser, error)

	Pause, Resume, RunNow func(ctx context.Context, pipeline string) error

	// Also are more pages behind the same guard, and Open are those that anybody may read, by pattern
	// of [http.ServeMux]. Optional.
	Also, Open map[string]http.Handler
}

// ErrUnknown says that there is no such thing.
var ErrUnknown = errors.New("there is no such thing")

// server is a site with what it makes up when it starts.
type server struct {
	*Site
	token   string // proves that a form comes from a page of this server
	locks   locks
	refused refusals
	secret  string            // seals the names of browsers
	assets  map[string]string // address of each asset by name
}

// Handler serves the site, guard included.
func (s *Site) Handler() http.Handler {
	h := &server{Site: s, token: rand.Text(), secret: rand.Text(), assets: map[string]string{}}
	open, closed := http.NewServeMux(), http.NewServeMux()
	for pattern, handler := range s.Open {
		open.Handle(pattern, handler)
	}
	for pattern, handler := range s.Also {
		closed.Handle(pattern, handler)
	}
	h.routes(closed)
	open.Handle("/", h.guarded(closed))
	return limited(h.headed(open))
}

func (h *server) routes(mux *http.ServeMux) {
	for pattern, show := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":                            h.overview,
		"GET /pipelines/{pipeline}":           h.pipeline,
		"GET /pipelines/{pipeline}/streams":   h.lines,
		"GET /runs":                           h.runs,
		"GET /runs/{id}":                      h.run,
		"GET /runs/{id}/log":                  h.wholeLog,
		"POST /pipelines/{pipeline}/{action}": h.act,
		"GET /api/v1/status":                  h.apiStatus,
		"GET /api/v1/pipelines/{pipeline}":    h.apiPipeline,
		"GET /api/v1/runs":                    h.apiRuns,
		"GET /api/v1/runs/{id}":               h.apiRun,
		"/":                                   func(http.ResponseWriter, *http.Request) error { return ErrUnknown },
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { h.answer(w, r, show(w, r)) })
	}
	h.serveAssets(mux)
}

// answer tells what went wrong with a request, if something did and nothing was written yet.
func (h *server) answer(w http.ResponseWriter, r *http.Request, err error) {
	var no *refusal
	switch {
	case err == nil:
	case errors.As(err, &no):
		h.refuse(w, r, no)
	case errors.Is(err, ErrUnknown):
		h.fail(w, r, http.StatusNotFound, "There is no such page", "")
	case r.Context().Err() != nil: // nobody is there to be told
	default:
		h.Log.ErrorContext(r.Context(), "a page cannot be shown", "path", r.URL.Path, "error", err)
		h.fail(w, r, http.StatusInternalServerError, "This page cannot be shown", err.Error())
	}
}
