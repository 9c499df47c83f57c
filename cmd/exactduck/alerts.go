package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"exactduck/cmd/exactduck/alert"
	"exactduck/cmd/exactduck/config"
)

// herald tells the receivers of a configuration how things are. The zero value has none to tell.
type herald struct {
	desk *alert.Desk
	// none is why receivers cannot be told at all, and mute are their names.
	none []error
	mute []string
}

// herald is the one of this configuration. tries is how often a delivery is tried in one go: more than
// once by a command that ends, once by one that will call again within a minute.
func (k *call) herald(tries int, output io.Writer) (*herald, error) {
	cfg, err := k.configuration()
	if err != nil || len(cfg.Alerts) == 0 {
		return &herald{}, err
	}
	h := &herald{}
	o := alert.Options{
		Dir: alertsDir(cfg), Clock: k.clock, Wait: pauseFor, Tries: tries, Log: k.log, From: place(cfg),
		Folder: filepath.Dir(cfg.Path()), Output: output,
	}
	for i := range cfg.Alerts {
		a := &cfg.Alerts[i]
		address, err := cfg.AlertAddress(i, k.getenv)
		if err != nil {
			h.none, h.mute = append(h.none, fmt.Errorf("%s cannot be told: %w", a.Label(), err)), append(h.mute, a.Label())
			continue
		}
		o.Receivers = append(o.Receivers, receiver(a, address))
	}
	h.desk = alert.Open(o)
	return h, nil
}

func receiver(a *config.Alert, address string) alert.Receiver {
	r := alert.Receiver{Name: a.Label(), As: alert.Shape(a.As), Command: a.Command, Pipelines: a.Pipelines, Repeat: a.Every()}
	if a.Ping != "" {
		r.Ping = address
	} else {
		r.Webhook = address
	}
	for _, kind := range a.On {
		r.On = append(r.On, alert.Kind(kind))
	}
	return r
}

// alertsDir is where it is remembered what receivers were told.
func alertsDir(cfg *config.Config) string { return filepath.Join(cfg.State(), "alerts") }

// place says which installation it is.
func place(cfg *config.Config) string {
	host, err := os.Hostname()
	if err != nil {
		return cfg.Path()
	}
	return host + ":" + cfg.Path()
}

// tellWithin is how long all receivers together may take.
const tellWithin = 90 * time.Second

// tell hands on what is wrong and what is well again. It never asks the source. What it returns is for a
// warning: that somebody could not be told says nothing about the books.
func (h *herald) tell(ctx context.Context, r alert.Report) error {
	if h.desk == nil || ctx.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	return errors.Join(append(h.none, h.desk.Tell(ctx, r))...)
}

// triesAtTheEnd is how often a command that ends tries to deliver a message.
const triesAtTheEnd = 3

// teller tells receivers, when a command ends, how things are since it began.
type teller struct {
	*call
	began time.Time
}

func (k *call) teller() *teller { return &teller{k, k.clock()} }

// tell tells of the pipelines that the command has worked on, which ended with outcome. Failures to do
// so are warnings.
func (t *teller) tell(ctx context.Context, b *books, pipelines []*config.Pipeline, outcome error) {
	if len(t.cfg.Alerts) == 0 || ctx.Err() != nil {
		return
	}
	h, err := t.herald(triesAtTheEnd, nil)
	if err == nil {
		var r alert.Report
		if r, err = t.report(ctx, b, pipelines, outcome); err == nil {
			err = h.tell(ctx, r)
		}
	}
	for _, err := range apart(err) {
		t.warnings = append(t.warnings, "alerts: "+err.Error())
	}
}

// report is how things are. Of a pipeline that no run could begin of, it says why.
func (t *teller) report(ctx context.Context, b *books, pipelines []*config.Pipeline, outcome error) (alert.Report, error) {
	s, err := b.standing(ctx, pipelines)
	if err != nil && outcome == nil {
		return alert.Report{}, err
	}
	r := alert.Report{At: t.clock()}
	if err == nil {
		r = report(&s)
	}
	if !s.explains(outcome) {
		for _, p := range pipelines {
			if !t.recorded(&s, p.Name()) {
				r.Conditions = append(r.Conditions, unrecorded(p.Name(), outcome, r.At))
				r.Settled = append(r.Settled, alert.Area{Kind: alert.Failure, Pipeline: p.Name(), At: r.At})
			}
		}
	}
	return r, nil
}

// explains reports whether nobody need be told of an outcome of which there is no record.
func (s *standing) explains(outcome error) bool {
	switch exitCode(outcome) {
	case 0, exitBusy, exitInterrupted, exitDifferent: // the other run tells, or the next, or the checks
		return true
	case exitLogin:
		return !s.loggedIn()
	}
	return false
}

// recorded reports whether there is a run of a pipeline since the command began.
func (t *teller) recorded(s *standing, pipeline string) bool {
	for i := range s.Pipelines {
		if p := &s.Pipelines[i]; p.Pipeline == pipeline && len(p.Runs) > 0 {
			return !p.Runs[0].Started.Before(t.began)
		}
	}
	return false
}

func unrecorded(pipeline string, outcome error, at time.Time) alert.Condition {
	return alert.Condition{
		Kind: alert.Failure, Pipeline: pipeline, Subject: exitWord(exitCode(outcome)), Since: at,
		Message: alert.Line("no run could begin: " + outcome.Error()), Hint: alert.Line(cmp.Or(hint(outcome), "exactduck doctor")),
	}
}

// apart are the errors of a joined one.
func apart(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, apart(e)...)
		}
		return all
	}
	return []error{err}
}
