package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"exactduck/cmd/exactduck/config"
)

func healthCommand() command {
	return command{
		name: "health", usage: "ask a running serve whether it is alive, or the tables are fresh",
		help: `
For a container or a supervisor that cannot ask http itself. It asks the status page of "exactduck serve"
on this machine, at --listen or listen: of the configuration, and needs no password.

   exactduck health                        is it alive? (/healthz)
   exactduck health --ready                is every stream younger than its max_age? (/readyz)
   HEALTHCHECK CMD ["exactduck", "health"]

Exit codes: 0 it is, 3 some streams are too old, 10 nobody answers.`,
		flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` of the status page; default: listen: of the configuration", EnvVars: env("listen")},
			&cli.BoolFlag{Name: "ready", Usage: "ask whether the tables are fresh"},
		},
		do: doHealth,
	}
}

// healthWithin is how long an answer may take.
const healthWithin = 5 * time.Second

// notServing says that no serve answers on this machine.
type notServing struct {
	address string
	err     error
}

func (e *notServing) Error() string {
	return fmt.Sprintf("no serve answers at %s: %v", e.address, e.err)
}
func (e *notServing) Unwrap() error { return e.err }

// notFresh says which streams are older than they may be, in the words of the page.
type notFresh struct{ told string }

func (e *notFresh) Error() string { return "not fresh: " + e.told }

func doHealth(ctx context.Context, k *call) (*view, error) {
	address := k.String("listen")
	if address == "" {
		cfg, err := k.configuration()
		if err != nil {
			return nil, err
		}
		address = cfg.Serve.Listen
	}
	if address == config.NoPage {
		return nil, &usageError{"serve shows no page, and so nobody can be asked", "write serve: {listen: " + config.DefaultListen + "} into pipelines.yaml"}
	}
	path := "/healthz"
	if k.Bool("ready") {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	told, err := askHealth(ctx, nearby(address), path)
	if err != nil {
		return nil, err
	}
	return &view{data: map[string]string{"answer": told}, text: func(out io.Writer) { fmt.Fprintln(out, told) }}, nil
}

// nearby is how this machine reaches what listens on an address.
func nearby(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return address
}

// askHealth returns the first line of the answer.
func askHealth(ctx context.Context, address, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return "", &usageError{fmt.Sprintf("--listen %q is no address", address), "write it like " + config.DefaultListen}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return "", &notServing{address, reason(err)}
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	told, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	switch response.StatusCode {
	case http.StatusOK:
		return told, nil
	case http.StatusServiceUnavailable:
		return "", &notFresh{told}
	}
	return "", &notServing{address, fmt.Errorf("something else does, with status %d", response.StatusCode)}
}
