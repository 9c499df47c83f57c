package page

import (
	"net/http"
	"net/url"
	"slices"
)

// said are the words for what an action has done, by its name.
var said = map[string]string{
	"pause":  "%s is paused: its schedule starts nothing until it is resumed.",
	"resume": "%s is resumed.",
	"run":    "A run of %s was asked for; it starts as soon as it can.",
}

// act does what a button says, and shows the page again that it was on.
func (h *server) act(w http.ResponseWriter, r *http.Request) error {
	action, name := r.PathValue("action"), r.PathValue("pipeline")
	do := map[string]func() error{
		"pause":  func() error { return h.Pause(r.Context(), name) },
		"resume": func() error { return h.Resume(r.Context(), name) },
		"run":    func() error { return h.RunNow(r.Context(), name) },
	}[action]
	if do == nil {
		return ErrUnknown
	}
	if _, _, err := h.find(r, name); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	h.Log.InfoContext(r.Context(), "somebody used a button of the page", "action", action, "pipeline", name, "from", r.RemoteAddr)
	back := "/"
	if r.PostForm.Get("from") == "pipeline" {
		back = pipelineURL(name)
	}
	http.Redirect(w, r, back+"?"+url.Values{"said": {action}, "of": {name}}.Encode(), http.StatusSeeOther)
	return nil
}

// find is a pipeline by its name, and all that is known.
func (h *server) find(r *http.Request, name string) (*Pipeline, Overview, error) {
	all, err := h.Overview(r.Context())
	if err != nil {
		return nil, all, err
	}
	i := slices.IndexFunc(all.Pipelines, func(p Pipeline) bool { return p.Name == name })
	if i < 0 {
		return nil, all, ErrUnknown
	}
	return &all.Pipelines[i], all, nil
}

func pipelineURL(name string) string { return "/pipelines/" + url.PathEscape(name) }
