// Command exactduck copies a company's books out of Exact Online into a DuckDB file and a Parquet
// dataset, keeps them equal to the source, and proves it.
//
// A newcomer starts in run.go: a run fetches pages, spools them, applies them and publishes. The
// rest of this package is one file a command, and what all commands share: app.go (flags and their
// defaults), output.go (how results look), fault.go (what an error means to the person who sees
// it), dial.go (from a configuration to a source with a login).
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // the image may have no zones of its own
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if impatient() {
		context.AfterFunc(ctx, stop) // a second Ctrl-C kills
	}
	os.Exit(execute(ctx, newApp(os.Stdin, os.Stdout, os.Stderr), os.Args))
}

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, a *app, args []string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			code = exitBug
			_, _ = io.WriteString(a.err, bug(r))
		}
	}()
	return a.run(ctx, args)
}

func bug(cause any) string {
	return fmt.Sprintf("error: a bug of ours: %v\nhint: please report this with what you typed and these lines\n%s", cause, debug.Stack())
}
