// Package alert tells people and programs when something is wrong, and when it is well again: once
// for each cause, however many processes see it, until the receiver has taken it.
//
// Whoever knows how things are, a run at its end or the scheduler between runs, hands a [Report] to
// [Desk.Tell]. What each receiver was told and is owed lies in a file of its own, under a lock that
// is held while it is told, so that it survives kills and one receiver that is down holds no other.
// A message is noted as told after the receiver has taken it: a kill in between tells it once more,
// under the same id. Begin with [Condition] and [Desk.Tell].
package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of condition, as alerts: on: in the configuration names it.
type Kind string

// The kinds of conditions.
const (
	Failure  Kind = "failure"  // a run failed as a whole, or died
	Partial  Kind = "partial"  // some streams failed, the rest is published
	Login    Kind = "login"    // a person must log in
	Expiring Kind = "expiring" // the login lapses soon
	Stale    Kind = "stale"    // a stream is older than its max_age
	Budget   Kind = "budget"   // reads wait for calls of another day
	Drift    Kind = "drift"    // the source has changed its shape
	Shrink   Kind = "shrink"   // a table lost too many rows to be believed
	Check    Kind = "check"    // a verification found a difference
	Missed   Kind = "missed"   // a scheduled run did not begin
)

// Kinds are all there are, in the order in which they are explained.
func Kinds() []Kind {
	return []Kind{Failure, Partial, Login, Expiring, Stale, Budget, Drift, Shrink, Check, Missed}
}

// Condition is something that is wrong. Kind, Pipeline and Subject are its cause: as long as reports
// name the same cause it is the same condition, whatever its other fields say.
type Condition struct {
	Kind     Kind   `json:"kind"`
	Pipeline string `json:"pipeline,omitempty"` // "": it is about no pipeline in particular
	Subject  string `json:"subject,omitempty"`  // a connection, a kind of error, a run: never a secret
	// Message is one line that says what is wrong, and Hint what to type; both may change while the
	// condition lasts.
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Count is how many things the condition is about, where that can be said; 0 else.
	Count int `json:"count,omitempty"`
	// Since is when it began, as far as known.
	Since time.Time `json:"since,omitzero"`
	// News is something that happened: it is told once, and never over.
	News bool `json:"news,omitempty"`
}

// Area is where a reporter has looked: at one kind, of one pipeline, or of one subject of no pipeline.
type Area struct {
	Kind     Kind
	Pipeline string
	Subject  string // counts only without Pipeline
	// At is when it was so; zero: when the report was made. Of two reports the one that knows of a later
	// moment counts, whenever it arrives.
	At time.Time
}

func (c *Condition) area() Area {
	if c.Pipeline != "" {
		return Area{Kind: c.Kind, Pipeline: c.Pipeline}
	}
	return Area{Kind: c.Kind, Subject: c.Subject}
}

// place is the area whenever it was looked at.
func (a Area) place() Area {
	a.At = time.Time{}
	return a
}

func (a Area) key() string { return string(a.Kind) + " " + a.Pipeline + " " + a.Subject }

// cause tells conditions apart.
func (c *Condition) cause() string {
	return digest(string(c.Kind), c.Pipeline, c.Subject)
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// Report is how things are, as one reporter has found them.
type Report struct {
	// At is when the reporter began to look. What is known from later is not overruled by it.
	At time.Time
	// Conditions are what is wrong.
	Conditions []Condition
	// Settled are the areas in which nothing else is wrong than Conditions say: an open condition in
	// them that is not named is over. Outside of them it stays open.
	Settled []Area
	// Successes are the last good runs of pipelines, for dead-man pings.
	Successes []Success
}

// Success is a run that ended well.
type Success struct {
	Pipeline, Run string
	At            time.Time // its end
}

// Shape is how the body of a webhook is written.
type Shape string

// The shapes of webhooks.
const (
	Generic Shape = "generic"
	Slack   Shape = "slack" // an incoming webhook
	Teams   Shape = "teams" // an Adaptive Card, as a Power Automate workflow takes it
)

// Shapes are all there are.
func Shapes() []Shape { return []Shape{Generic, Slack, Teams} }

// Receiver is who is told. One of Webhook, Command and Ping is given.
type Receiver struct {
	// Name is what files and logs call it. It must be unique, without a secret, and stay the same.
	Name string
	// Webhook is the address that each message is posted to. It is a secret.
	Webhook string
	// As is the shape of what is posted; "" is [Generic].
	As Shape
	// Command is a program and its arguments; it gets the message as JSON on its standard input.
	Command []string
	// Ping is the address of a dead-man service that is called after each success. It is a secret.
	Ping string
	// On are the kinds that it is told of; empty: all.
	On []Kind
	// Pipelines are those that it is told of; empty: all, and what is about none.
	Pipelines []string
	// Repeat is after how long a condition that lasts is told again; 0: never.
	Repeat time.Duration
}

func (r *Receiver) wants(c *Condition) bool {
	return r.Ping == "" && (len(r.On) == 0 || slices.Contains(r.On, c.Kind)) &&
		(len(r.Pipelines) == 0 || c.Pipeline == "" || slices.Contains(r.Pipelines, c.Pipeline))
}
