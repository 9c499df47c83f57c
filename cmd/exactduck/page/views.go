package page

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How often a browser loads a page again, in seconds: more often while a run is on.
const (
	refreshRunning = 5
	refreshIdle    = 60
)

// How many of a kind are on a page.
const (
	mostGroups  = 30
	mostFew     = 8
	mostLines   = 200
	mostRuns    = 50
	mostDivided = 12 // divisions of the quota
)

// overviewView is the first page.
type overviewView struct {
	frame
	Overview
	Head   headline
	Recent []Run
	Quota  []Quota
	More   int            // divisions with no fewer calls left
	Zone   *time.Location // of what belongs to no pipeline
}

func (h *server) overview(w http.ResponseWriter, r *http.Request) error {
	all, err := h.Overview(r.Context())
	if err != nil {
		return err
	}
	recent, err := h.Runs(r.Context(), "")
	if err != nil {
		return err
	}
	v := overviewView{frame: h.frame("Overview", "overview"), Overview: all, Head: sum(all), Recent: recent[:min(len(recent), mostFew)]}
	v.Now, v.Said, v.JSON = all.At, h.said(r), "/api/v1/status"
	v.Refresh = refresh(slices.ContainsFunc(all.Pipelines, Pipeline.Running))
	v.Quota = all.Quota[:min(len(all.Quota), mostDivided)]
	v.More = len(all.Quota) - len(v.Quota)
	if len(all.Pipelines) > 0 {
		v.Zone = all.Pipelines[0].Zone
	}
	return h.show(w, http.StatusOK, "overview.html", v)
}

func refresh(running bool) int {
	if running {
		return refreshRunning
	}
	return refreshIdle
}

// said is what a button has done, of which the address tells.
func (h *server) said(r *http.Request) string {
	format := said[r.FormValue("said")]
	name := r.FormValue("of")
	if format == "" || !plainName.MatchString(name) {
		return ""
	}
	return fmt.Sprintf(format, name)
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// headline is how everything is, at one glance.
type headline struct {
	Level string // good, warn or bad
	Text  string
	Next  *Pipeline // whose run is the next
	Acts  []Notice
	Notes []Notice
}

func sum(all Overview) headline {
	v := headline{Level: "good", Text: "All is well."}
	running := []string{}
	for i := range all.Pipelines {
		p := &all.Pipelines[i]
		if p.Running() {
			running = append(running, p.Name)
		}
		if !p.Next.IsZero() && !p.Paused && (v.Next == nil || p.Next.Before(v.Next.Next)) {
			v.Next = p
		}
	}
	if len(running) > 0 {
		v.Text = "All is well; " + strings.Join(running, " and ") + " is running."
		if len(running) > 1 {
			v.Text = "All is well; " + strings.Join(running, " and ") + " are running."
		}
	}
	for _, n := range all.Notices {
		if n.Act {
			v.Acts = append(v.Acts, n)
		} else {
			v.Notes = append(v.Notes, n)
		}
	}
	switch n := len(v.Acts); {
	case n == 1:
		v.Level, v.Text = "bad", "One thing needs you."
	case n > 1:
		v.Level, v.Text = "bad", fmt.Sprintf("%d things need you.", n)
	case len(v.Notes) > 0 && len(running) == 0:
		v.Text = "Nothing needs you."
	}
	return v
}

// Running reports that a run of it is on.
func (p Pipeline) Running() bool { return p.Last != nil && p.Last.Running() }

// State is how it is, in a word.
func (p Pipeline) State() string {
	switch {
	case p.Last == nil:
		return "never run"
	case p.Running():
		return "running"
	}
	return p.Last.Status
}

// Places is how many divisions are read.
func (p Pipeline) Places() int {
	n := 0
	for _, g := range p.Divisions {
		if g.Name != "0" {
			n++
		}
	}
	return n
}

// Wrong are the worst divisions, as far as something is wrong in them.
func (p Pipeline) Wrong() []Group {
	n := slices.IndexFunc(p.Divisions, func(g Group) bool { return g.Good() })
	if n < 0 {
		n = len(p.Divisions)
	}
	return p.Divisions[:min(n, mostFew)]
}

// pipelineView is the page of one pipeline.
type pipelineView struct {
	frame
	*Pipeline
	Notices            []Notice
	Worst, WorstStream []Group
	More, MoreStreams  int
	Recent             []Run
}

func (h *server) pipeline(w http.ResponseWriter, r *http.Request) error {
	p, all, err := h.find(r, r.PathValue("pipeline"))
	if err != nil {
		return err
	}
	recent, err := h.Runs(r.Context(), p.Name)
	if err != nil {
		return err
	}
	v := pipelineView{frame: h.frame(p.Name, "overview"), Pipeline: p, Recent: recent[:min(len(recent), mostFew)]}
	v.Now, v.Said, v.JSON = all.At, h.said(r), "/api/v1/pipelines/"+url.PathEscape(p.Name)
	v.Refresh = refresh(p.Running())
	v.Notices = slices.DeleteFunc(slices.Clone(all.Notices), func(n Notice) bool { return n.Pipeline != p.Name })
	v.Worst = p.Divisions[:min(len(p.Divisions), mostGroups)]
	v.WorstStream = p.Streams[:min(len(p.Streams), mostGroups)]
	v.More, v.MoreStreams = len(p.Divisions)-len(v.Worst), len(p.Streams)-len(v.WorstStream)
	return h.show(w, http.StatusOK, "pipeline.html", v)
}

// linesView lists streams of divisions.
type linesView struct {
	frame
	*Pipeline
	Division, Stream string
	Only             bool // those that need somebody
	Lines            []*Line
	pager
}

func (h *server) lines(w http.ResponseWriter, r *http.Request) error {
	p, lines, err := h.Lines(r.Context(), r.PathValue("pipeline"))
	if err != nil {
		return err
	}
	v := linesView{frame: h.frame("Streams of "+p.Name, "overview"), Pipeline: &p}
	v.JSON = "/api/v1/pipelines/" + url.PathEscape(p.Name)
	v.Division, v.Stream, v.Only = strings.TrimSpace(r.FormValue("division")), strings.TrimSpace(r.FormValue("stream")), r.FormValue("only") != ""
	all := make([]*Line, 0, len(lines))
	for i := range lines {
		if v.shows(&lines[i]) {
			all = append(all, &lines[i])
		}
	}
	slices.SortStableFunc(all, worse)
	if v.pager, err = page(r, len(all)); err != nil {
		return err
	}
	v.Lines = all[v.From:v.To]
	return h.show(w, http.StatusOK, "lines.html", v)
}

// shows tells whether a line is what was asked for.
func (v *linesView) shows(l *Line) bool {
	if v.Only && !l.Bad && !l.Stale {
		return false
	}
	if v.Division != "" && l.Scope != v.Division && !contains(l.Title, v.Division) {
		return false
	}
	return v.Stream == "" || contains(l.Stream, v.Stream)
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// worse orders what needs somebody before what does not, and what was read long ago before the rest.
func worse(a, b *Line) int {
	rank := func(l *Line) int {
		switch {
		case l.Bad:
			return 0
		case l.Stale:
			return 1
		}
		return 2
	}
	return cmp.Or(rank(a)-rank(b), a.ReadAt.Compare(b.ReadAt))
}

// pager is which part of a list is on a page.
type pager struct {
	From, To, Total int
	Before, After   string // addresses of the parts around it; "": there is none
}

// First is what people call the first of the part.
func (p pager) First() int { return min(p.From+1, p.To) }

func page(r *http.Request, total int) (p pager, err error) {
	p.Total = total
	if text := r.FormValue("from"); text != "" {
		if p.From, err = strconv.Atoi(text); err != nil || p.From < 0 {
			return p, &refusal{status: http.StatusBadRequest, why: "from must be a number"}
		}
	}
	p.From = min(p.From, max(0, total-1))
	p.To = min(p.From+mostLines, total)
	at := func(from int) string {
		q := r.URL.Query()
		q.Set("from", strconv.Itoa(from))
		return "?" + q.Encode()
	}
	if p.From > 0 {
		p.Before = at(max(0, p.From-mostLines))
	}
	if p.To < total {
		p.After = at(p.To)
	}
	return p, nil
}

// runsView lists runs.
type runsView struct {
	frame
	Runs     []Run
	Pipeline string
	Failed   bool
	pager
}

func (h *server) runs(w http.ResponseWriter, r *http.Request) error {
	v := runsView{frame: h.frame("Runs", "runs"), Pipeline: r.FormValue("pipeline"), Failed: r.FormValue("failed") != ""}
	all, err := h.Runs(r.Context(), v.Pipeline)
	if err != nil {
		return err
	}
	if v.Failed {
		all = slices.DeleteFunc(slices.Clone(all), Run.Good)
	}
	if v.pager, err = page(r, len(all)); err != nil {
		return err
	}
	v.Runs, v.JSON = all[v.From:v.To], "/api/v1/runs"
	v.Refresh = refresh(slices.ContainsFunc(v.Runs, Run.Running))
	return h.show(w, http.StatusOK, "runs.html", v)
}

// runView is the page of one run.
type runView struct {
	frame
	Run
	Streams []RunStream
	Log     tail
	pager
}

var runID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$`)

// named is the run that the address names.
func (h *server) named(r *http.Request) (Run, error) {
	id := r.PathValue("id")
	if !runID.MatchString(id) || strings.Contains(id, "..") {
		return Run{}, ErrUnknown
	}
	return h.Run(r.Context(), id)
}

func (h *server) run(w http.ResponseWriter, r *http.Request) error {
	run, err := h.named(r)
	if err != nil {
		return err
	}
	v := runView{frame: h.frame("Run of "+run.Pipeline, "runs"), Run: run}
	streams := slices.Clone(run.Streams)
	slices.SortStableFunc(streams, func(a, b RunStream) int { return urgency(a.Status) - urgency(b.Status) })
	if v.pager, err = page(r, len(streams)); err != nil {
		return err
	}
	v.Streams, v.JSON = streams[v.From:v.To], "/api/v1/runs/"+run.ID
	if run.Running() {
		v.Refresh = refreshRunning
	}
	if v.Log, err = h.tail(r, run.ID); err != nil {
		return err
	}
	return h.show(w, http.StatusOK, "run.html", v)
}

// urgency puts what failed first, then what is under way, then what was done.
func urgency(status string) int {
	switch status {
	case "failed", "forbidden", "suspect_shrink":
		return 0
	case "reading", "read":
		return 1
	case "done":
		return 3
	}
	return 2
}

// Took is how long reading and applying took; 0: not over.
func (s RunStream) Took() string {
	if s.Ended.IsZero() {
		return ""
	}
	return s.Ended.Sub(s.Started).Round(100 * time.Millisecond).String()
}
