// Package metrics shows how things are to machines: figures for Prometheus, and an answer to whoever
// asks whether the tables are fresh. It knows nothing but the [Facts] that it is given when it is asked,
// so that its figures outlast restarts. Begin with [Handler] and [Ready].
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Facts are what the figures are made of.
type Facts struct {
	At               time.Time
	Version, GoBuilt string
	Pipelines        []Pipeline
	Logins           []Login
	Quotas           []Quota
	// Alerts are what is wrong, by kind and pipeline.
	Alerts []Alert
}

// Pipeline is how one pipeline is.
type Pipeline struct {
	Name    string
	Place   string // what the source calls divisions
	Running bool
	Paused  bool
	Next    time.Time // start; zero: none
	// Last is the last run that ended, and Good the end of the last that was whole; zero: there is none.
	Last *Run
	Good time.Time
	// Day counts the runs that began in the last 24 hours, and what they did.
	Day     []Runs
	Streams []Stream
	// Unread are streams with a max_age of a pipeline that has read nothing yet.
	Unread []string
	// Failing counts the reads that did not come to their end, by the word for the cause.
	Failing map[string]int
	Checks  int // that found a difference
}

// Run is a run that ended.
type Run struct {
	Started, Ended time.Time
	Exit           int
	Calls, Rows    int64
}

// Runs are what runs with one outcome come to.
type Runs struct {
	Status      string
	Count       int
	Calls, Rows int64
}

// Stream is one stream in one division.
type Stream struct {
	Name, Division string
	Rows           int64
	ReadAt         time.Time // zero: never
	MaxAge         time.Duration
	Stale          bool
}

// Login is a login.
type Login struct {
	Connection string
	Valid      bool
	Expires    time.Time
}

// Quota are the calls of one division.
type Quota struct {
	Connection, Division string
	Ours, Others         int
	Left                 *int // nil: not known
	Limit                int  // 0: not known
}

// Alert is what is wrong of one kind.
type Alert struct {
	Kind, Pipeline string
	Count          int
}

// mostDivisions is how many series with the label division there are of one figure before there are
// none: the figures of streams and connections tell the worst of them.
const mostDivisions = 1000

// Handler answers with all figures. What facts cost is paid with each request.
func Handler(facts func(context.Context) (Facts, error), log *slog.Logger) http.Handler {
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := facts(r.Context())
		if err != nil {
			if r.Context().Err() == nil {
				log.ErrorContext(r.Context(), "figures cannot be had", "error", err)
			}
			http.Error(w, "the figures cannot be had; the log says why", http.StatusInternalServerError)
			return
		}
		all := prometheus.Gatherers{process, registry(&f)}
		promhttp.HandlerFor(all, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError)}).ServeHTTP(w, r)
	})
}

// figures registers gauges and sets them.
type figures struct {
	*prometheus.Registry
	known map[string]*prometheus.GaugeVec
}

// set sets one gauge; labels are names and values in turn.
func (f *figures) set(name, help string, value float64, labels ...string) {
	f.gauge(name, help, labels).Set(value)
}

// add adds to one gauge.
func (f *figures) add(name, help string, value float64, labels ...string) {
	f.gauge(name, help, labels).Add(value)
}

func (f *figures) gauge(name, help string, labels []string) prometheus.Gauge {
	names, values := make([]string, 0, len(labels)/2), make([]string, 0, len(labels)/2)
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	v := f.known[name]
	if v == nil {
		v = prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "exactduck", Name: name, Help: help}, names)
		f.MustRegister(v)
		f.known[name] = v
	}
	return v.WithLabelValues(values...)
}

// registry is what the facts come to.
func registry(facts *Facts) *prometheus.Registry {
	f := &figures{prometheus.NewRegistry(), map[string]*prometheus.GaugeVec{}}
	f.set("build_info", "Which exactduck this is; always 1.", 1, "version", facts.Version, "go_version", facts.GoBuilt)
	for _, l := range facts.Logins {
		f.set("login_valid", "Whether the login can be used, 0 or 1.", flag(l.Valid), "connection", l.Connection)
		if l.Valid && !l.Expires.IsZero() {
			f.set("login_life_seconds", "How long the login lives unless it is used.", seconds(l.Expires.Sub(facts.At)), "connection", l.Connection)
		}
	}
	f.quotas(facts.Quotas)
	for i := range facts.Pipelines {
		p := &facts.Pipelines[i]
		f.pipeline(p)
		f.streams(p, facts.At)
	}
	for _, a := range facts.Alerts {
		f.add("alerts_open", "What is wrong at the moment, by kind.", 1, "kind", a.Kind, "pipeline", a.Pipeline)
	}
	return f.Registry
}

func (f *figures) quotas(all []Quota) {
	least := map[string]int{}
	for _, q := range all {
		if q.Left == nil {
			continue
		}
		if left, known := least[q.Connection]; !known || *q.Left < left {
			least[q.Connection] = *q.Left
		}
	}
	for connection, left := range least {
		f.set("calls_left_least", "Calls of the day that the division with the fewest has left.", float64(left), "connection", connection)
	}
	if len(all) > mostDivisions {
		return
	}
	for _, q := range all {
		labels := []string{"connection", q.Connection, "division", q.Division}
		f.set("calls_today", "Calls of this UTC day by all processes of the app.", float64(q.Ours), labels...)
		f.set("calls_today_others", "Calls of this UTC day by other software, at least.", float64(q.Others), labels...)
		if q.Left != nil {
			f.set("calls_left", "Calls of the day that are left.", float64(*q.Left), labels...)
		}
		if q.Limit > 0 {
			f.set("calls_limit", "Calls that a day has.", float64(q.Limit), labels...)
		}
	}
}

func (f *figures) pipeline(p *Pipeline) {
	of := []string{"pipeline", p.Name}
	f.set("running", "Whether a run is on, 0 or 1.", flag(p.Running), of...)
	f.set("paused", "Whether the schedule is paused, 0 or 1.", flag(p.Paused), of...)
	f.set("failing_checks", "Checks of verifications that found a difference and are not mended.", float64(p.Checks), of...)
	if !p.Next.IsZero() {
		f.set("next_run_timestamp_seconds", "When the next run starts by itself.", stamp(p.Next), of...)
	}
	if !p.Good.IsZero() {
		f.set("last_success_timestamp_seconds", "When the last whole run ended.", stamp(p.Good), of...)
	}
	if r := p.Last; r != nil {
		f.set("last_run_timestamp_seconds", "When the last run ended.", stamp(r.Ended), of...)
		f.set("last_run_duration_seconds", "How long the last run took.", seconds(r.Ended.Sub(r.Started)), of...)
		f.set("last_run_exit_code", "The exit code of the last run; 0 is well, -1 killed.", float64(r.Exit), of...)
		f.set("last_run_calls", "Calls of the last run.", float64(r.Calls), of...)
		f.set("last_run_rows_read", "Rows that the last run read.", float64(r.Rows), of...)
	}
	for _, d := range p.Day {
		labels := append([]string{"status", d.Status}, of...)
		f.set("day_runs", "Runs that began within the last 24 hours, by outcome.", float64(d.Count), labels...)
		f.set("day_calls", "Calls of the runs that began within the last 24 hours, by outcome.", float64(d.Calls), labels...)
		f.set("day_rows_read", "Rows read by the runs that began within the last 24 hours, by outcome.", float64(d.Rows), labels...)
	}
	for cause, n := range p.Failing {
		f.set("failing_reads", "Streams of divisions whose last read failed, by cause.", float64(n), append([]string{"cause", cause}, of...)...)
	}
}

// streams shows of each stream what is worst in any division, and every division while there are few.
func (f *figures) streams(p *Pipeline, now time.Time) {
	oldest, maxAge := map[string]time.Duration{}, map[string]time.Duration{}
	for i := range p.Streams {
		s := &p.Streams[i]
		labels := []string{"pipeline", p.Name, "stream", s.Name}
		f.add("stream_rows", "Rows of the stream in all divisions.", float64(s.Rows), labels...)
		f.add("stream_stale", "Divisions in which the last read is older than max_age allows.", flag(s.Stale), labels...)
		f.add("stream_never_read", "Divisions in which the stream was never read to its end.", flag(s.ReadAt.IsZero()), labels...)
		if s.MaxAge > 0 {
			maxAge[s.Name] = s.MaxAge
		}
		if s.ReadAt.IsZero() {
			continue
		}
		age := now.Sub(s.ReadAt)
		oldest[s.Name] = max(oldest[s.Name], age)
		if len(p.Streams) <= mostDivisions {
			f.set("stream_division_age_seconds", "How long ago the last read of the stream in the division began; absent where there are many.",
				seconds(age), append([]string{"division", s.Division}, labels...)...)
		}
	}
	for name, age := range oldest {
		f.set("stream_age_seconds", "How long ago the last read of the stream began, in the division where that is longest.", seconds(age), "pipeline", p.Name, "stream", name)
	}
	for name, age := range maxAge {
		f.set("stream_max_age_seconds", "How old the last read may be.", seconds(age), "pipeline", p.Name, "stream", name)
	}
}

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func seconds(d time.Duration) float64 { return d.Seconds() }

func stamp(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
