package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/google/renameio/v2"

	"exactduck/cmd/exactduck/alert"
	"exactduck/cmd/exactduck/config"
)

// settings are the configuration in force: the last one that was right. Its text lies in a file, so that
// children go by it whatever becomes of pipelines.yaml.
type settings struct {
	path string

	mu      sync.Mutex
	cfg     *config.Config
	looked  os.FileInfo // the file at the last look
	fresh   bool        // the last look found another file than the one before
	refused error       // why what the file says now is not in force; nil: it is
}

// accept puts a configuration into force.
func accept(cfg *config.Config, path string) (*settings, error) {
	s := &settings{path: path}
	s.looked, _ = os.Stat(cfg.Path()) // without it, it is read once more
	return s, s.put(cfg)
}

func (s *settings) put(cfg *config.Config) error {
	if err := renameio.WriteFile(s.path, []byte(cfg.Text()), 0o600); err != nil {
		return fmt.Errorf("keep the configuration in force: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg, s.refused = cfg, nil
	return nil
}

func (s *settings) now() *config.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg
}

// trouble is why what the file says now is not in force; nil: it is.
func (s *settings) trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func (s *settings) refuse(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = why
}

// changed reports whether the file is another than the one in force and has stayed as it is for two looks:
// who writes into it may not be at the end. One that is not there is not looked at: editors take it away
// for a moment.
func (s *settings) changed() bool {
	about, err := os.Stat(s.now().Path())
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, fresh := s.looked, s.fresh
	s.looked = about
	s.fresh = before == nil || !os.SameFile(before, about) || !before.ModTime().Equal(about.ModTime()) || before.Size() != about.Size()
	return fresh && !s.fresh
}

// report adds to what is told that the configuration is refused, or that no more is wrong with it.
func (s *settings) report(r *alert.Report) {
	const subject = "configuration"
	r.Settled = append(r.Settled, alert.Area{Kind: alert.Failure, Subject: subject})
	if trouble := s.trouble(); trouble != nil {
		r.Conditions = append(r.Conditions, alert.Condition{
			Kind: alert.Failure, Subject: subject, Hint: alert.Line(hint(trouble)),
			Message: alert.Line("the configuration has a mistake, and what it said before stays in force: " + trouble.Error()),
		})
	}
}

// hangups tells of SIGHUP until the context ends.
func hangups(ctx context.Context) <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	context.AfterFunc(ctx, func() { signal.Stop(signals) })
	return signals
}

// reload takes over the file when it has changed.
func (s *service) reload(ctx context.Context) {
	asked := false
	select {
	case <-s.hangups:
		asked = true
	default:
	}
	if !s.settings.changed() && !asked {
		return
	}
	if err := s.takeOverFile(); err != nil {
		s.settings.refuse(err)
		s.sayRefused(ctx, err)
		s.alerts(ctx)
		return
	}
	cfg := s.settings.now()
	s.log.InfoContext(ctx, "configuration reloaded", "configuration", cfg.Path(), "pipelines", len(cfg.Pipelines))
	if address := s.elsewhere(); address != "" {
		s.log.WarnContext(ctx, "the page stays where it is until serve is started anew", "listen", s.listens, "configured", address)
	}
	for _, w := range cfg.Warnings() {
		s.log.WarnContext(ctx, "configuration is odd", "warning", w)
	}
}

func (s *service) takeOverFile() error {
	before := s.settings.now()
	cfg, err := config.Load(before.Path(), catalogue)
	if err != nil {
		return err
	}
	if cfg.State() != before.State() {
		return &usageError{"state_dir has changed, which takes a restart", "start serve anew"}
	}
	if err := s.under(cfg).secrets(); err != nil {
		return err
	}
	return s.settings.put(cfg)
}

// secrets reports that something which the configuration refers to cannot be had: what needs it would
// fail, night after night.
func (k *call) secrets() error {
	if _, err := k.cfg.ServePassword(k.getenv); err != nil {
		return err
	}
	for _, name := range k.cfg.ConnectionNames() {
		if _, err := k.login(name); err != nil {
			return err
		}
	}
	b, err := k.books()
	if err != nil {
		return err
	}
	for _, p := range k.cfg.Pipelines {
		if _, err := b.maskKey(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) sayRefused(ctx context.Context, err error) {
	const message = "configuration refused; what was in force stays so"
	wrong, ok := errors.AsType[*config.Error](err)
	if !ok {
		s.log.ErrorContext(ctx, message, "error", err, "hint", hint(err))
		return
	}
	for _, p := range wrong.Problems {
		s.log.ErrorContext(ctx, message, "line", p.Line, "column", p.Column, "error", p.Message, "hint", p.Hint)
	}
}
