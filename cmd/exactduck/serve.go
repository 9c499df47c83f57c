package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/schedule"
	"exactduck/load"
)

func serveCommand() command {
	return command{
		name: "serve", usage: "run pipelines by their schedules, with a status page, until it is stopped",
		help: `
Starts "exactduck sync" for each pipeline when its schedule: says so. What runs once a day runs once
on the two nights of the year too in which the clocks change; a start that was missed, because this
was not running or the schedule was paused, is made up for once. Pipelines into one warehouse take
turns, also with a sync that somebody has started by hand.

A run that cannot reach the source, or that something on this machine is in the way of, is tried again
after 10, 20, 40 … minutes, six times, and then once a day; one without calls left after midnight UTC; one that
needs a login when somebody has logged in; any other with its next start. A login that no run uses is
kept from lapsing.

A change of pipelines.yaml is taken over when it is right, and at once; a file with a mistake, or with
a secret that cannot be had, is refused, and what was right before stays in force. Stopping ends what runs within ten seconds, and the
next start goes on with it.

   exactduck serve
   exactduck serve --listen 127.0.0.1:8586 --log-format json
   exactduck serve --listen off            without the status page
   exactduck schedule list                 what comes next; from any other terminal
   exactduck schedule run nightly          now, in that process
   kill -HUP PID                           look at pipelines.yaml now

It is not the only way: cron may as well run "exactduck sync" at any hour.

Exit codes: 0 stopped, 2 the configuration or the command line is wrong, 9 another serve runs by this
configuration, 10 something on this machine is in the way.`,
		flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` of the status page, or off; default: listen: of the configuration", EnvVars: env("listen")},
			&cli.IntFlag{Name: "at-once", Value: 4, Usage: "at most `N` warehouses are synced side by side", EnvVars: env("at-once")},
		},
		do: doServe,
	}
}

// service is the program while it serves.
type service struct {
	*call
	settings *settings
	book     *schedule.Book
	records  string
	hangups  <-chan os.Signal
	vigil    vigil
	listens  string // where the configuration said that the page is, when it was opened
	// child runs a pipeline while its lock is held. An error says more about why there is no exit code
	// of its own.
	child func(ctx context.Context, pipeline string, lock *os.File) (exit int, err error)
}

// The rhythms of a service.
const (
	lookEvery = time.Second // at the book and the configuration
	keepEvery = time.Hour   // logins alive
	tellEvery = time.Minute // who is to be told
)

func doServe(ctx context.Context, k *call) (*view, error) {
	s, end, err := k.service(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	k.warn()
	return &view{}, s.serve(ctx)
}

// service is made ready to serve, and is the only one of its configuration until end is called.
func (k *call) service(ctx context.Context) (s *service, end func(), err error) {
	if k.Int("at-once") < 1 {
		return nil, nil, &usageError{"--at-once must be at least 1", "leave it out for 4"}
	}
	if !k.Bool("q") && !k.Bool("v") {
		k.log = k.logAt(k.String("log-format"), slog.LevelInfo)
	}
	cfg, err := k.configuration()
	if err != nil {
		return nil, nil, err
	}
	if err := k.secrets(); err != nil {
		return nil, nil, err
	}
	if err := load.MakeStateDir(cfg.State()); err != nil {
		return nil, nil, err
	}
	lock, err := lockService(ctx, scheduleDir(cfg))
	if err != nil {
		return nil, nil, err
	}
	end = func() { _ = lock.Close() } // the process that ends gives it back too
	s = &service{call: k, book: openBook(cfg, k), records: filepath.Join(cfg.State(), "runs"), hangups: hangups(ctx)}
	s.child = s.process
	if s.settings, err = accept(cfg, filepath.Join(scheduleDir(cfg), "accepted.yaml")); err != nil {
		end()
		return nil, nil, err
	}
	return s, end, nil
}

// serve serves until the context ends, and ends well then.
func (s *service) serve(ctx context.Context) error {
	page, err := s.openPage(ctx)
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "serving", "configuration", s.settings.now().Path(), "version", version(), "listen", page.address())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() {
		err := page.serve(ctx)
		if err != nil {
			stop()
		}
		served <- err
	}()
	s.roster().run(ctx)
	err = <-served
	s.log.InfoContext(context.WithoutCancel(ctx), "stopped serving")
	return err
}

// roster is what the service does besides showing its page.
func (s *service) roster() *roster {
	return &roster{
		book: s.book, wanted: s.wanted, start: s.start, found: s.found, every: lookEvery,
		most: s.Int("at-once"), clock: s.clock, log: s.log,
		chores: []chore{
			{name: "reload", every: lookEvery, do: s.reload},
			{name: "keep logins", every: keepEvery, do: s.keepLogins},
			{name: "alerts", every: tellEvery, do: s.alerts},
			{name: "stray logs", every: tellEvery, do: s.removeStrays},
		},
	}
}

// wanted is what the configuration in force says about schedules.
func (s *service) wanted() []schedule.Wanted {
	return s.under(s.settings.now()).scheduled(s.settings.now())
}

// under is the call as if it had been made with another configuration.
func (s *service) under(cfg *config.Config) *call {
	return &call{app: s.app, Context: s.Context, name: s.name, log: s.log, cfg: cfg}
}

// scheduled is what a configuration says about schedules.
func (k *call) scheduled(cfg *config.Config) []schedule.Wanted {
	var all []schedule.Wanted
	for _, name := range cfg.PipelineNames() {
		p := cfg.Pipelines[name]
		w := schedule.Wanted{
			Pipeline: name, Jitter: p.Jitter.Duration, Warehouse: p.To.DuckDB,
			LoggedIn: func() time.Time { return k.loggedIn(p.From) },
		}
		if p.Schedule != "" {
			w.Spec, _ = schedule.Parse(p.Schedule, p.Timezone.Location) // the configuration is checked
		}
		all = append(all, w)
	}
	return all
}

// scheduleDir is where what serve must remember lies.
func scheduleDir(cfg *config.Config) string { return filepath.Join(cfg.State(), "schedule") }

func openBook(cfg *config.Config, k *call) *schedule.Book {
	book := schedule.Open(scheduleDir(cfg), k.clock)
	book.Log = k.log
	return book
}

// serving says that another process serves by the same configuration.
type serving struct {
	path string
	pid  int
}

func (e *serving) Error() string {
	if e.pid == 0 {
		return fmt.Sprintf("another serve runs by this configuration: it holds %s", e.path)
	}
	return fmt.Sprintf("another serve runs by this configuration: process %d", e.pid)
}

// isServing reports whether a process serves by a configuration.
func isServing(ctx context.Context, cfg *config.Config) bool {
	lock, err := lookAtService(ctx, scheduleDir(cfg))
	if err == nil {
		err = lock.Close()
	}
	return errors.As(err, new(*serving))
}
