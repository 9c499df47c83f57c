package sandbox

import "time"

// step is one line of the state file: what was done to the sandbox, in order. Companies are
// generated anew from the seed and the steps done to them again; of logins the last state counts.
type step struct {
	Op       string  `json:"op"`
	At       int64   `json:"at,omitempty"` // nanoseconds since 1970
	Number   int     `json:"number,omitempty"`
	Change   *Change `json:"change,omitempty"`
	Division int     `json:"division,omitempty"`
	Path     string  `json:"path,omitempty"`
	Name     string  `json:"name,omitempty"`
	To       string  `json:"to,omitempty"`
	Edm      string  `json:"edm,omitempty"`
	Value    any     `json:"value,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	Yes      bool    `json:"yes,omitempty"`
	Logins   *logins `json:"logins,omitempty"`
	// Set are switches by name, with what they are set to.
	Set map[string]string `json:"set,omitempty"`
	// Scene is the step of a scenario that this is, counted from 1; 0: of none.
	Scene int `json:"scene,omitempty"`
	// Fault is of this process alone: it is not kept.
	Fault  *Fault  `json:"-"`
	Origin *origin `json:"origin,omitempty"`
}

// origin is what the companies are generated from.
type origin struct {
	Seed      uint64    `json:"seed"`
	Divisions int       `json:"divisions"`
	Scale     float64   `json:"scale"`
	Today     time.Time `json:"today"`

	Records  map[string]int `json:"records,omitempty"`
	Archived int            `json:"archived,omitempty"`
	Blocked  int            `json:"blocked,omitempty"`
}

// Begins implements [chronicle.Line].
func (x step) Begins() bool { return x.Origin != nil }

// Supersedes implements [chronicle.Line].
func (x step) Supersedes() bool { return x.Logins != nil }

func (s *Sandbox) saveLogins() error { return s.chronicle.Add(step{Op: "logins", Logins: s.logins}) }
