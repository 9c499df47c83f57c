package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/page"
)

// shownPage is the status page while it is served; without a listener there is none.
type shownPage struct {
	listener net.Listener
	handler  http.Handler
	log      *slog.Logger
}

// The limits of a request: who is slower, or sends more, is cut off.
const (
	headerWithin  = 5 * time.Second
	requestWithin = 15 * time.Second
	answerWithin  = time.Minute
	idleFor       = 2 * time.Minute
	largestHeader = 16 << 10
	pageGrace     = 2 * time.Second // for requests under way once the service stops
)

// openPage listens where --listen or the configuration says.
func (s *service) openPage(ctx context.Context) (*shownPage, error) {
	p := &shownPage{log: s.log}
	address := s.settings.now().Serve.Listen
	s.listens = address
	if s.IsSet("listen") {
		address = s.String("listen")
	}
	if address == config.NoPage {
		return p, nil
	}
	if err := s.mayListen(address); err != nil {
		return nil, err
	}
	var err error
	p.listener, err = (&net.ListenConfig{}).Listen(ctx, network(address), address)
	if as[*net.AddrError](err) || as[*net.DNSError](err) {
		return nil, &usageError{fmt.Sprintf("--listen %q is no address that there is", address), "write it like " + config.DefaultListen + ", or off"}
	}
	if err != nil {
		return nil, &listenError{address, reason(err)}
	}
	p.handler = s.routes()
	return p, nil
}

// network is the one of an address: 0.0.0.0 is all of IPv4, and not of IPv6 too.
func network(address string) string {
	host, _, _ := net.SplitHostPort(address) // what is no address is refused before, and by Listen
	if ip := net.ParseIP(host); ip != nil && ip.To4() != nil {
		return "tcp4"
	}
	return "tcp"
}

// mayListen refuses addresses that others can reach while there is no password.
func (s *service) mayListen(address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return &usageError{fmt.Sprintf("--listen %q is no address with a port", address), "write it like " + config.DefaultListen + ", or off"}
	}
	password, err := s.settings.now().ServePassword(s.getenv)
	if err != nil {
		return err
	}
	if password == "" && !config.Private(address) {
		return &usageError{
			fmt.Sprintf("--listen %s can be reached by others, and there is no password", address),
			"write serve: {password: ${EXACTDUCK_PASSWORD}} into pipelines.yaml and set that variable, or listen on " + config.DefaultListen,
		}
	}
	return nil
}

// routes are all that the service answers: the page, and behind the same guard the figures; whether it is
// alive and the tables are fresh it tells everybody.
func (s *service) routes() http.Handler {
	pages := site(s.inForce, s.getenv, s.clock, s.log)
	overview := pages.Overview
	pages.Overview = func(ctx context.Context) (page.Overview, error) {
		o, err := overview(ctx)
		o.Notices = slices.Concat(s.refusal(), s.moved(), o.Notices)
		return o, err
	}
	pages.Also = map[string]http.Handler{"GET /metrics": s.metrics()}
	pages.Open = map[string]http.Handler{
		"GET /healthz": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "alive\n") // who has gone needs no answer
		}),
		"GET /readyz": s.ready(),
	}
	return pages.Handler()
}

// refusal says on the page that what the configuration says now is not in force.
func (s *service) refusal() []page.Notice {
	trouble := s.settings.trouble()
	if trouble == nil {
		return nil
	}
	return []page.Notice{{
		Act: true, Text: "The configuration has a mistake, and what it said before stays in force: " + trouble.Error(), Do: "exactduck schedule list",
	}}
}

// elsewhere is where the configuration wants the page by now; "": where it is.
func (s *service) elsewhere() string {
	if address := s.settings.now().Serve.Listen; address != s.listens && !s.IsSet("listen") {
		return address
	}
	return ""
}

// moved says on the page that it is not where the configuration wants it.
func (s *service) moved() []page.Notice {
	address := s.elsewhere()
	if address == "" {
		return nil
	}
	return []page.Notice{{
		Act: true, Text: "The configuration says serve: {listen: " + address + "}, and this page stays at " + s.listens + " until serve is started anew", Do: "exactduck serve",
	}}
}

// inForce are the books of the configuration in force.
func (s *service) inForce() (*books, error) {
	w, err := s.lookout()
	if err != nil {
		return nil, err
	}
	return w.books, nil
}

// address is where the page is; "off" for none.
func (p *shownPage) address() string {
	if p.listener == nil {
		return config.NoPage
	}
	return p.listener.Addr().String()
}

// serve answers requests until the context ends.
func (p *shownPage) serve(ctx context.Context) error {
	if p.listener == nil {
		return nil
	}
	server := &http.Server{
		Handler: p.handler, ReadHeaderTimeout: headerWithin, ReadTimeout: requestWithin, WriteTimeout: answerWithin,
		IdleTimeout: idleFor, MaxHeaderBytes: largestHeader,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		ErrorLog:    slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), pageGrace)
		defer cancel()
		err := server.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		stopped <- err
	})
	if err := server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) && stop() {
		return fmt.Errorf("serve the page: %w", err)
	}
	return <-stopped
}
