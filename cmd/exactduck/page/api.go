package page

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// apiStatus is everything but the single streams of divisions.
func (h *server) apiStatus(w http.ResponseWriter, r *http.Request) error {
	all, err := h.Overview(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, all)
}

// apiPipeline is one pipeline with its streams in each division.
func (h *server) apiPipeline(w http.ResponseWriter, r *http.Request) error {
	p, lines, err := h.Lines(r.Context(), r.PathValue("pipeline"))
	if err != nil {
		return err
	}
	return writeJSON(w, struct {
		Pipeline
		Lines []Line `json:"lines"`
	}{p, lines})
}

// apiRuns are the newest runs: ?limit= of them, and of ?pipeline= only.
func (h *server) apiRuns(w http.ResponseWriter, r *http.Request) error {
	limit := mostRuns
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return &refusal{status: http.StatusBadRequest, why: "limit must be a number above 0"}
		}
		limit = n
	}
	all, err := h.Runs(r.Context(), r.FormValue("pipeline"))
	if err != nil {
		return err
	}
	return writeJSON(w, map[string][]Run{"runs": append([]Run{}, all[:min(limit, len(all))]...)})
}

func (h *server) apiRun(w http.ResponseWriter, r *http.Request) error {
	run, err := h.named(r)
	if err != nil {
		return err
	}
	return writeJSON(w, run)
}

func writeJSON(w http.ResponseWriter, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n')) // who has gone needs no answer
	return nil
}
