package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"golang.org/x/term"
)

// view is the result of a command: data for --output json, and how it looks otherwise.
type view struct {
	data  any
	text  func(io.Writer)
	runID string
	raw   func(io.Writer) error // takes the place of both, for the formats of one command
}

// envelope is what --output json prints. It only ever grows.
type envelope struct {
	Version  int      `json:"version"`
	Command  string   `json:"command"`
	Status   string   `json:"status"` // ok or error
	ExitCode int      `json:"exit_code"`
	RunID    string   `json:"run_id,omitempty"`
	Data     any      `json:"data"`
	Error    string   `json:"error,omitempty"`
	Hint     string   `json:"hint,omitempty"`
	Warnings []string `json:"warnings"`
}

// show prints a result, or what there is of it, and the error; it returns the exit code.
func (k *call) show(v *view, err error) int {
	code := exitCode(err)
	if v != nil && v.raw != nil && err == nil {
		if err = v.raw(k.out); err != nil {
			code = exitCode(err)
		}
		k.warn()
		if err != nil {
			k.complain(err, code)
		}
		return code
	}
	if k.String("output") == "json" {
		return k.showJSON(v, err, code)
	}
	if v != nil && v.text != nil {
		err = errors.Join(err, k.write(v.text))
		code = exitCode(err)
	}
	k.warn()
	if err != nil {
		k.complain(err, code)
	}
	return code
}

// write prints a text and notices when it does not arrive.
func (k *call) write(text func(io.Writer)) error {
	w := bufio.NewWriter(k.out)
	text(w)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

func (k *call) showJSON(v *view, err error, code int) int {
	e := envelope{Version: 1, Command: k.name, Status: "ok", ExitCode: code, Warnings: append([]string{}, k.warnings...)}
	if v != nil {
		e.Data, e.RunID = v.data, v.runID
	}
	if err != nil {
		e.Status, e.Error, e.Hint = "error", err.Error(), hint(err)
		k.complain(err, code)
	}
	enc := json.NewEncoder(k.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		k.complain(fmt.Errorf("write the result: %w", err), exitMachine)
		return exitMachine
	}
	return code
}

func (k *call) warn() {
	if k.Bool("q") || k.adopted != "" { // serve has said so, or the log does
		return
	}
	for _, w := range k.warnings {
		fmt.Fprintln(k.err, "warning:", w)
	}
}

// complain says what went wrong: a person is told what to type, and the log of serve gets a line like
// its others.
func (k *call) complain(err error, code int) {
	if k.adopted == "" {
		k.app.complain(err, code)
		return
	}
	k.log.Error("run failed", "exit_code", code, "error", err, "hint", hint(err))
}

// newTable is a table without frames, as all our tables are.
func newTable(out io.Writer, header ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(out)
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.Options{SeparateColumns: false, SeparateHeader: true}
	t.Style().Format.Header = 0 // as written
	t.AppendHeader(header)
	return t
}

// terminal reports whether somebody is looking.
func terminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
