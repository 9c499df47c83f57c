package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"exactduck/extract/sandbox"
)

// coherent are streams of which every sale writes to each.
const coherent = `      - salesinvoice/SalesInvoices
      - salesinvoice/SalesInvoiceLines
      - financial/TransactionLines`

// wrong are queries about one publication that answer a number other than zero when something in
// it cannot be true of one moment of the books.
var wrong = []struct{ what, query string }{
	{"entries that do not balance", `SELECT count(*) FROM (SELECT EntryID FROM financial.TransactionLines GROUP BY ALL HAVING abs(sum(AmountDC)) > 0.01)`},
	{"invoice lines without an invoice", `SELECT count(*) FROM salesinvoice.SalesInvoiceLines l ANTI JOIN salesinvoice.SalesInvoices i ON i.InvoiceID = l.InvoiceID`},
	{"invoices without lines", `SELECT count(*) FROM salesinvoice.SalesInvoices i ANTI JOIN salesinvoice.SalesInvoiceLines l ON i.InvoiceID = l.InvoiceID`},
	{"tables of other runs than the newest", `SELECT count(*) FROM (SELECT max(_run_id) AS r FROM salesinvoice.SalesInvoices UNION ALL
		SELECT max(_run_id) FROM salesinvoice.SalesInvoiceLines UNION ALL SELECT max(_run_id) FROM financial.TransactionLines) WHERE r <> (` + newest + `)`},
}

const newest = `SELECT max(_run_id) FROM financial.TransactionLines`

// readAll reads both publications in the current folder, over and over, until its input ends. It
// prints a line after the first time, and at the end how often it has read and what it saw last.
func readAll() int {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, os.Stdin) // closing it is what tells us
	}()
	var seen [2]string
	for reads, last := 1, false; ; reads++ {
		for i, see := range []func() (string, error){seeFile, seeLake} {
			run, err := see()
			if err != nil || run < seen[i] {
				fmt.Fprintf(os.Stderr, "read %d: saw run %q after %q: %v\n", reads, run, seen[i], err)
				return 1
			}
			seen[i] = run
		}
		if reads == 1 {
			fmt.Fprintln(os.Stdout, "reading")
		}
		if last {
			fmt.Fprintln(os.Stdout, reads, seen[0], seen[1])
			return 0
		}
		select {
		case <-ended:
			last = true
		default:
		}
	}
}

// seeFile opens the published file as analysts do, and returns the newest run in it.
func seeFile() (string, error) {
	return look("books.duckdb?access_mode=READ_ONLY&threads=1", append(slices.Clip(wrong), struct{ what, query string }{
		"runs that history does not know", `SELECT count(*) WHERE (` + newest + `) <> (SELECT max(run_id) FROM _exactduck.runs)`,
	}))
}

// seeLake resolves the link once and reads what it leads to. A reader that is so slow that two
// nights pass meanwhile has to begin again: that is what a lake promises.
func seeLake() (string, error) {
	for {
		folder, err := filepath.EvalSymlinks("lake/current")
		if err != nil {
			return "", err
		}
		run, err := look("?threads=1", wrong, views(folder)...)
		if _, gone := os.Stat(folder); err != nil && errors.Is(gone, fs.ErrNotExist) {
			continue
		}
		return run, err
	}
}

func views(folder string) []string {
	var all []string
	for _, table := range []string{"salesinvoice.SalesInvoices", "salesinvoice.SalesInvoiceLines", "financial.TransactionLines"} {
		service, name, _ := strings.Cut(table, ".")
		all = append(all, "CREATE SCHEMA IF NOT EXISTS "+service, fmt.Sprintf("CREATE VIEW %s AS FROM read_parquet('%s', hive_partitioning = true)",
			table, filepath.Join(folder, service, name, "*", "*.parquet")))
	}
	return all
}

// look opens a database, asks what is wrong in it, and returns the newest run.
func look(source string, questions []struct{ what, query string }, first ...string) (run string, err error) {
	db, err := sql.Open("duckdb", source)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, statement := range first {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			return "", err
		}
	}
	for _, q := range questions {
		var n int
		if err := db.QueryRowContext(context.Background(), q.query).Scan(&n); err != nil {
			return "", fmt.Errorf("%s: %w", q.what, err)
		}
		if n > 0 {
			return "", fmt.Errorf("%d %s", n, q.what)
		}
	}
	err = db.QueryRowContext(context.Background(), newest).Scan(&run)
	return run, err
}

// While night after night is published, readers of the file and of the dataset never fail and
// never see two nights at once.
func TestReadersSeeOneNightAtATime(t *testing.T) {
	t.Parallel()
	o := newOffice(t, coherent, sandbox.Options{Divisions: 1, Scale: 0.1})
	o.synced()
	reader := o.process()
	reader.Env = append(os.Environ(), childDoes+"=reader")
	reader.Stderr = os.Stderr
	in, err := reader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	if !said.Scan() || said.Text() != "reading" {
		t.Fatalf("the reader says %q", said.Text())
	}
	nights := rounds(8, 100)
	for range nights {
		o.change(sandbox.Change{Entity: "salesinvoice/SalesInvoices", Insert: 2, Update: 1}, sandbox.Change{Entity: "financial/TransactionLines", Delete: 1})
		o.run(0, "sync", "-q")
		o.later(time.Minute)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	said.Scan()
	var reads int
	var file, lake string
	if _, err := fmt.Sscan(said.Text(), &reads, &file, &lake); err != nil || reads < nights || file != lake || file != o.ask(newest) {
		t.Errorf("the reader says %q: %v", said.Text(), err)
	}
	if err := reader.Wait(); err != nil {
		t.Errorf("the reader failed: %v", err)
	}
	o.equal("salesinvoice/SalesInvoices", "salesinvoice/SalesInvoiceLines")
}

// sameInLake fails the test when the snapshot that is current differs from the published file.
func (o *office) sameInLake() {
	o.t.Helper()
	folder, err := filepath.EvalSymlinks(o.file("lake/current"))
	if err != nil {
		o.t.Fatal(err)
	}
	if err := sameContent(o.t.Context(), o.file("books.duckdb"), folder, o.tables()); err != nil {
		o.t.Error(err)
	}
}

func sameContent(ctx context.Context, file, folder string, tables []string) (err error) {
	db, err := sql.Open("duckdb", "?threads=1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "ATTACH '"+file+"' AS books (READ_ONLY)"); err != nil {
		return err
	}
	for _, table := range tables {
		held := "books." + table
		files := filepath.Join(folder, strings.ReplaceAll(table, ".", "/"), "*", "*.parquet")
		var rows, differing int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+held).Scan(&rows); err != nil {
			return err
		}
		if matches, err := filepath.Glob(files); err == nil && len(matches) == 0 && rows == 0 {
			continue
		}
		exported := "read_parquet('" + files + "', hive_partitioning = false)"
		err := db.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM (
			(SELECT * EXCLUDE _division, _division::INTEGER FROM %[1]s EXCEPT ALL SELECT * EXCLUDE _division, _division::INTEGER FROM %[2]s) UNION ALL
			(SELECT * EXCLUDE _division, _division::INTEGER FROM %[2]s EXCEPT ALL SELECT * EXCLUDE _division, _division::INTEGER FROM %[1]s))`,
			held, exported)).Scan(&differing)
		if err != nil {
			return err
		}
		if differing > 0 {
			return fmt.Errorf("%d rows of %s differ between the file and the lake", differing, table)
		}
	}
	return nil
}
