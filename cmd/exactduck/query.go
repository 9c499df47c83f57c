package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/urfave/cli/v2"

	"exactduck/load"
)

func queryCommand() command {
	return command{
		name: "query", usage: "ask the published file in SQL", args: `["SQL" | -]`,
		help: `
Reads the file that a pipeline publishes, and nothing else: whatever would write, attach, copy or
read another file is refused. Without SQL, or with -, the SQL is read from standard input; --file reads
it from a file. It waits for no run and no run waits for it.

   exactduck query "SELECT Code, Name FROM crm.Accounts ORDER BY Name"
   exactduck query --output csv "FROM financial.TransactionLines" > lines.csv
   exactduck query "SHOW ALL TABLES"
   exactduck query --file report.sql --output json
   exactduck query --duckdb copy.duckdb < report.sql

In all formats numbers have all their digits, dates and times are ISO 8601 (instants in UTC, what
Exact dates in its own local time as it is), and BLOBs are what hex() makes of them. A list, a
structure or a map is JSON.
   table  a NULL is the word NULL; control characters are escaped; on a terminal long values are cut
   csv    RFC 4180 with a header; a NULL is nothing at all, an empty text is ""
   json   data is {"columns": [{"name", "type"}], "rows": [{…}]}; a column whose name was there
          before gets a number behind it`,
		formats: []string{"csv"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "read the SQL from `FILE`", EnvVars: env("file")},
			&cli.StringFlag{Name: "duckdb", Usage: "ask this `FILE`; no configuration is needed then", EnvVars: env("duckdb")},
			&cli.StringFlag{Name: "pipeline", Usage: "ask the file of pipeline `NAME`; needed when there are several files", EnvVars: env("pipeline")},
		},
		do: doQuery,
	}
}

func doQuery(ctx context.Context, k *call) (*view, error) {
	query, err := k.sql()
	if err != nil {
		return nil, err
	}
	path, err := k.warehouse()
	if err != nil {
		return nil, err
	}
	reader, err := load.OpenReader(ctx, path)
	if err != nil {
		return nil, err
	}
	if k.String("output") == "csv" {
		return &view{raw: func(out io.Writer) error {
			return errors.Join(k.stream(ctx, reader, query, out), reader.Close())
		}}, nil
	}
	a, err := collect(ctx, reader, query)
	if err := errors.Join(err, reader.Close()); err != nil {
		return nil, err
	}
	if k.String("output") == "table" {
		k.remark(len(a.Rows))
	}
	return &view{data: a, text: func(out io.Writer) { a.print(out, terminal(k.out)) }}, nil
}

const sqlHint = `type: exactduck query "SELECT …", with the SQL in quotes`

// sql is the text to run.
func (k *call) sql() (string, error) {
	if k.NArg() > 1 {
		return "", &usageError{"query takes one text", sqlHint}
	}
	text := k.Args().First()
	if file := k.String("file"); file != "" {
		if k.Args().Present() {
			return "", &usageError{"the SQL is given twice", "leave out the text, or --file"}
		}
		all, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read the SQL: %w", err)
		}
		return someSQL(string(all))
	}
	if !k.Args().Present() && terminal(k.in) {
		return "", &usageError{"there is no SQL", sqlHint}
	}
	if !k.Args().Present() || text == "-" {
		all, err := io.ReadAll(k.in)
		if err != nil {
			return "", fmt.Errorf("read the SQL from standard input: %w", err)
		}
		text = string(all)
	}
	return someSQL(text)
}

func someSQL(text string) (string, error) {
	if strings.Trim(text, "; \t\r\n") == "" {
		return "", &usageError{"there is no SQL", sqlHint}
	}
	return text, nil
}

// warehouse is the published file to ask.
func (k *call) warehouse() (string, error) {
	path, missing := k.String("duckdb"), `--duckdb names a DuckDB file; without it the file of the pipeline is asked`
	if path == "" {
		var err error
		if path, err = k.target(); err != nil {
			return "", err
		}
		missing = `run "exactduck sync" first`
	}
	_, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && k.String("duckdb") == "":
		return "", &usageError{fmt.Sprintf("%s has not been published yet", path), missing}
	case errors.Is(err, fs.ErrNotExist):
		return "", &usageError{fmt.Sprintf("there is no file %s", path), missing}
	}
	return path, err
}

// target is the file that --pipeline publishes, or the only one that there is.
func (k *call) target() (string, error) {
	cfg, err := k.configuration()
	if err != nil {
		return "", err
	}
	names := cfg.PipelineNames()
	if name := k.String("pipeline"); name != "" {
		if p := cfg.Pipelines[name]; p != nil {
			return p.To.DuckDB, nil
		}
		return "", &usageError{fmt.Sprintf("there is no pipeline %q", name), "use one of " + strings.Join(names, ", ")}
	}
	var files, lines []string
	for _, name := range names {
		file := cfg.Pipelines[name].To.DuckDB
		lines = append(lines, fmt.Sprintf("--pipeline %s asks %s", name, file))
		if !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	if len(files) > 1 {
		return "", &usageError{"the pipelines publish several files", strings.Join(lines, "\n")}
	}
	return files[0], nil
}

// collect runs a query and keeps all of its rows.
func collect(ctx context.Context, r *load.Reader, query string) (*answer, error) {
	a := &answer{Rows: [][]any{}}
	err := ask(ctx, r, query, func(columns []load.AnswerColumn) error {
		a.Columns = columns
		return nil
	}, a.add)
	return a, err
}

// stream writes the rows as CSV while they come.
func (k *call) stream(ctx context.Context, r *load.Reader, query string, out io.Writer) error {
	w := newCSV(out)
	rows := 0
	err := ask(ctx, r, query, w.header, func(row []any) error {
		rows++
		return w.row(row)
	})
	if err = errors.Join(err, w.flush()); err == nil {
		k.remark(rows)
	}
	return err
}

// remark says on standard error what an empty table leaves open.
func (k *call) remark(rows int) {
	if rows == 0 && !k.Bool("q") {
		fmt.Fprintln(k.err, "no rows")
	}
}

// ask runs a query and hands over its columns and then each row.
func ask(ctx context.Context, r *load.Reader, query string, begin func([]load.AnswerColumn) error, each func([]any) error) (err error) {
	a, err := r.Query(ctx, query)
	if err != nil {
		return judged(ctx, err)
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := begin(a.Columns); err != nil {
		return err
	}
	for row, err := range a.Rows() {
		if err != nil {
			return judged(ctx, err)
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return nil
}

// queryError is SQL that DuckDB does not run.
type queryError struct {
	text string // what is wrong, in DuckDB's words
	more string // where, and what was perhaps meant
}

func (e *queryError) Error() string { return e.text }

// engineError is right SQL that this machine could not run to its end.
type engineError struct{ err error }

func (e *engineError) Error() string { return e.err.Error() }
func (e *engineError) Unwrap() error { return e.err }

// judged tells apart what is wrong with the query, what with the machine, and an interruption.
func judged(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := err.Error()
	if e, ok := errors.AsType[*duckdb.Error](err); ok {
		switch e.Type {
		case duckdb.ErrorTypeIO, duckdb.ErrorTypeOutOfMemory, duckdb.ErrorTypeFatal, duckdb.ErrorTypeInternal:
			return &engineError{err}
		}
		text = e.Msg
	}
	text, more, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return &queryError{text: text, more: strings.TrimSpace(more)}
}

// forbidden are DuckDB's words for what a reader of one file must not do.
var forbidden = []string{"in read-only mode", "disabled by configuration", "disabled through configuration", "configuration has been locked"}

// queryHint shows the line and the place that DuckDB points to.
func queryHint(err error) string {
	e := find[*queryError](err)
	var lines []string
	if slices.ContainsFunc(forbidden, func(words string) bool { return strings.Contains(e.text, words) }) {
		lines = append(lines, "query only reads, and only the published file")
	}
	if e.more != "" {
		lines = append(lines, strings.Split(e.more, "\n")...)
	}
	if strings.Contains(e.text, "Table with name") {
		lines = append(lines, `"SHOW ALL TABLES" lists the tables`)
	}
	return strings.Join(lines, "\n")
}
