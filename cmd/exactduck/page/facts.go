package page

import "time"

// Overview is how everything is. Its JSON is that of /api/v1/status and only ever grows.
type Overview struct {
	At        time.Time  `json:"at"`
	Notices   []Notice   `json:"notices"` // the worst first
	Pipelines []Pipeline `json:"pipelines"`
	Logins    []Login    `json:"logins"`
	Quota     []Quota    `json:"quota"` // those with the fewest calls left first
	Warnings  []string   `json:"warnings,omitempty"`
}

// Notice is something that somebody should know.
type Notice struct {
	// Act is true when somebody must do something.
	Act      bool      `json:"act"`
	Pipeline string    `json:"pipeline,omitempty"`
	Text     string    `json:"text"`
	Do       string    `json:"do,omitempty"` // the command to type
	Since    time.Time `json:"since,omitzero"`
}

// Pipeline is how one pipeline is.
type Pipeline struct {
	Name      string         `json:"pipeline"`
	Zone      *time.Location `json:"-"`
	Timezone  string         `json:"timezone"`
	Schedule  string         `json:"schedule,omitempty"` // "": it never runs by itself
	Next      time.Time      `json:"next_run_at,omitzero"`
	Due       time.Time      `json:"due_at,omitzero"` // since when a start is owed
	Paused    bool           `json:"paused"`
	PausedAt  time.Time      `json:"paused_at,omitzero"`
	Requested time.Time      `json:"requested_at,omitzero"` // somebody asked for a run
	Last      *Run           `json:"last_run"`
	Place     string         `json:"place"` // what the source calls divisions
	Fresh     Fresh          `json:"freshness"`
	Divisions []Group        `json:"divisions"` // the worst first
	Streams   []Group        `json:"streams"`   // over all divisions, the worst first
	Checks    []Check        `json:"failing_checks"`
	Changes   []Change       `json:"schema_changes"` // the newest first
	Days      []Day          `json:"days"`           // the oldest first
}

// Fresh is what streams of divisions come to.
type Fresh struct {
	Lines  int       `json:"streams"`
	Stale  int       `json:"stale"`
	Failed int       `json:"failed"`
	Never  int       `json:"never_read"`
	Rows   int64     `json:"rows"`
	Oldest time.Time `json:"oldest_read_at,omitzero"`
}

// Good reports that nothing of it needs anybody.
func (f Fresh) Good() bool { return f.Stale == 0 && f.Failed == 0 }

// Group is what the streams of one division come to, or one stream in all divisions.
type Group struct {
	Name  string `json:"name"`            // the division "0" has what belongs to none
	Title string `json:"title,omitempty"` // of a division
	Fresh
}

// Line is one stream in one division.
type Line struct {
	Stream      string    `json:"stream"`
	Scope       string    `json:"scope"`
	Title       string    `json:"title,omitempty"` // of the division
	Rows        int64     `json:"rows"`
	Coming      bool      `json:"first_read"` // Rows are those read so far of a first read
	HistoryFrom string    `json:"history_from,omitempty"`
	Beginning   string    `json:"-"` // the same in words
	ReadAt      time.Time `json:"read_at,omitzero"`
	Status      string    `json:"status"`
	Error       string    `json:"error,omitempty"`
	Stale       bool      `json:"stale"`
	Bad         bool      `json:"failed"`
	MaxAge      int64     `json:"max_age_seconds,omitempty"`
}

// Check is a verification that found something.
type Check struct {
	At     time.Time `json:"checked_at"`
	Stream string    `json:"stream"`
	Scope  string    `json:"scope"`
	Kind   string    `json:"kind"`
	Detail string    `json:"detail,omitempty"`
	Do     string    `json:"do,omitempty"`
}

// Change is a change of the shape of a table.
type Change struct {
	At     time.Time `json:"changed_at"`
	Run    string    `json:"run_id,omitempty"`
	Table  string    `json:"table"`
	Column string    `json:"column,omitempty"`
	Kind   string    `json:"change"`
	Detail string    `json:"detail,omitempty"`
}

// Day is what one local day has brought.
type Day struct {
	Day    string `json:"day"` // 2026-01-31
	Runs   int    `json:"runs"`
	Failed int    `json:"failed"`
	Calls  int64  `json:"calls"`
	Rows   int64  `json:"rows"`
}

// Run is one run.
type Run struct {
	ID       string         `json:"run_id"`
	Pipeline string         `json:"pipeline"`
	Zone     *time.Location `json:"-"`
	Status   string         `json:"status"` // running, done, partial, failed, interrupted, killed
	ExitCode int            `json:"exit_code"`
	Started  time.Time      `json:"started_at"`
	Ended    time.Time      `json:"ended_at,omitzero"`
	Calls    int            `json:"calls"`
	Read     int64          `json:"rows_read"`
	Inserted int64          `json:"inserted"`
	Updated  int64          `json:"updated"`
	Deleted  int64          `json:"deleted"`
	Message  string         `json:"message,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`
	Streams  []RunStream    `json:"streams,omitempty"`
	Place    string         `json:"place,omitempty"` // what the source calls divisions
}

// Running reports that it is on.
func (r Run) Running() bool { return r.Status == "running" }

// Good reports that it ended well, or may yet.
func (r Run) Good() bool { return r.Status == "done" || r.Status == "running" }

// RunStream is what a run did with one stream in one division.
type RunStream struct {
	Stream   string    `json:"stream"`
	Scope    string    `json:"scope"`
	Mode     string    `json:"mode,omitempty"`
	Why      string    `json:"why,omitempty"`
	Status   string    `json:"status"`
	Pages    int       `json:"pages"`
	Read     int64     `json:"rows_read"`
	Inserted int64     `json:"inserted"`
	Updated  int64     `json:"updated"`
	Deleted  int64     `json:"deleted"`
	Error    string    `json:"error,omitempty"`
	Started  time.Time `json:"started_at,omitzero"`
	Ended    time.Time `json:"ended_at,omitzero"`
}

// Login is how the login of a connection is.
type Login struct {
	Connection string    `json:"connection"`
	Host       string    `json:"host"`
	LoggedIn   bool      `json:"logged_in"`
	Problem    string    `json:"problem,omitempty"`
	DaysLeft   int       `json:"days_left"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	Soon       bool      `json:"expires_soon"`
	CallsToday int       `json:"token_calls_today"`
}

// Quota is what is known of the calls in one division.
type Quota struct {
	Connection string    `json:"connection"`
	Division   string    `json:"division"` // "": the login's own calls
	Place      string    `json:"place"`    // what the source calls divisions
	Ours       int       `json:"ours"`
	Others     int       `json:"others"`
	Limit      int       `json:"limit,omitempty"` // 0: not known
	Left       *int      `json:"left,omitempty"`  // nil: not known
	Kept       int       `json:"kept,omitempty"`  // of those left, for other software
	Reset      time.Time `json:"reset"`
}
