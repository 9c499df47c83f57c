package load

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"exactduck/schema"
)

func init() {
	children["publish"] = publishInChild
	children["open"] = openInChild
	children["read"] = readInChild
	children["hold"] = holdInChild
}

// publishInChild opens the warehouse of EXACTDUCK_DIR and publishes it.
func publishInChild() error {
	dir := os.Getenv("EXACTDUCK_DIR")
	w, err := openToDie(dir)
	if err != nil {
		return err
	}
	to := target(dir, os.Getenv("EXACTDUCK_RUN"))
	to.Keep = 1
	_, err = w.Publish(context.Background(), to)
	return errors.Join(err, w.Close())
}

// openInChild only opens it.
func openInChild() error {
	w, err := openToDie(os.Getenv("EXACTDUCK_DIR"))
	if err != nil {
		return err
	}
	return w.Close()
}

func openToDie(dir string) (*Warehouse, error) {
	log, err := killerFromEnv()
	if err != nil {
		return nil, err
	}
	o := options(dir)
	o.Log = log
	return Open(context.Background(), o)
}

// consistent is the same number for every row of both tables, or a query to find out why not.
const consistent = `SELECT CASE WHEN min(N) = max(N) AND count(DISTINCT t) = 2 AND count(*) = 2 THEN min(N) ELSE error('mixed: ' ||
	list(t || _division || ':' || N)::VARCHAR) END FROM (SELECT 'a' AS t, N, _division FROM %s UNION ALL SELECT 'c', N, _division FROM %s)`

// seeFile is the number that all rows of the published file carry.
func seeFile(ctx context.Context, dir string) (int, error) {
	text, err := ask(ctx, filepath.Join(dir, "warehouse.duckdb"), fmt.Sprintf(consistent, "crm.Accounts", "crm.Contacts"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(text))
}

// seeLake is the number that all rows of the lake carry, read as a reader should: the link is
// resolved once.
func seeLake(ctx context.Context, dir string) (n int, err error) {
	folder, err := filepath.EvalSymlinks(filepath.Join(dir, "lake", "current"))
	if err != nil {
		return 0, err
	}
	db, err := sql.Open("duckdb", "?threads=1")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	of := func(table string) string {
		return "read_parquet(" + literal(filepath.Join(folder, "crm", table, "*", "*.parquet")) + ", hive_partitioning = true)"
	}
	err = db.QueryRowContext(ctx, fmt.Sprintf(consistent, of("Accounts"), of("Contacts"))).Scan(&n)
	return n, err
}

// number makes the rows of both tables carry n.
func number(t *testing.T, w *Warehouse, n int) {
	t.Helper()
	fill(t, w, n, 1, "1")
}

// TestKillDuringPublish kills a publication at each of its steps. Whatever it leaves behind, readers
// see the old state or the new one, and the next publication ends in the new one, without leftovers.
func TestKillDuringPublish(t *testing.T) {
	template := t.TempDir()
	for n, run := range []string{"r1", "r2"} {
		w := open(t, template)
		number(t, w, n)
		publish(t, w, template, run)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w := open(t, template)
	number(t, w, 2)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	killAtEachStep(t, "publish", template, 20, func(t *testing.T, dir string) { sees(t, dir, 1, 2) })
}

// TestKillWhileGoingOnFromThePublishedFile does the same when the state directory was lost.
func TestKillWhileGoingOnFromThePublishedFile(t *testing.T) {
	template := t.TempDir()
	w := open(t, template)
	number(t, w, 2)
	publish(t, w, template, "r1")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(template, "state")); err != nil {
		t.Fatal(err)
	}
	killAtEachStep(t, "open", template, 8, func(t *testing.T, dir string) { sees(t, dir, 2, 2) })
}

// sees fails the test unless both targets of dir carry one of two numbers.
func sees(t *testing.T, dir string, old, recent int) {
	t.Helper()
	for _, see := range []func(context.Context, string) (int, error){seeFile, seeLake} {
		if n, err := see(t.Context(), dir); err != nil || n != old && n != recent {
			t.Errorf("a reader sees %d, %v; want %d or %d", n, err, old, recent)
		}
	}
}

// oneIn is the first record to kill at and how far it is to the next: one in so many, others each time,
// and every one with EXACTDUCK_LONG.
func oneIn(n int) (first, stride int) {
	if os.Getenv("EXACTDUCK_LONG") != "" {
		n = 1
	}
	return 1 + rand.IntN(n), n
}

// killAtEachStep lets a child work on a copy of template and die at its first record, another die at
// the second, and so on until one ends by itself, see [oneIn].
func killAtEachStep(t *testing.T, child, template string, least int, check func(t *testing.T, dir string)) {
	t.Helper()
	first, stride := oneIn(3)
	for at := first; ; at += stride {
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "copy"), os.DirFS(template)); err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(dir, "copy")
		err := spawn(t, child, "EXACTDUCK_DIR="+dir, "EXACTDUCK_RUN=k1", "EXACTDUCK_KILL_AT="+strconv.Itoa(at)).Run()
		if err != nil && !killed(err) {
			t.Fatalf("killed at %d: %v", at, err)
		}
		check(t, dir)
		w := open(t, dir)
		publish(t, w, dir, "k2")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		sees(t, dir, 2, 2)
		tidy(t, dir)
		if t.Failed() {
			t.Fatalf("after a kill at record %d", at)
		}
		if err == nil {
			if at <= least {
				t.Fatalf("only %d records: the steps are not all told", at-1)
			}
			return
		}
	}
}

// tidy fails the test when a publication that keeps nothing left anything behind.
func tidy(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && (strings.HasPrefix(e.Name(), ".") && e.Name() != ".gitignore" || strings.HasSuffix(e.Name(), ".wal") ||
			strings.HasSuffix(e.Name(), ".adopting") || strings.Contains(e.Name(), ".compacting") || strings.HasPrefix(e.Name(), "warehouse_")) {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if runs, err := os.ReadDir(filepath.Join(dir, "lake", "runs")); err != nil || len(runs) > 2 {
		t.Errorf("%d snapshots are kept, %v; want 2", len(runs), err)
	}
}

// readInChild reads both targets until its input ends, and fails when a read does or when time runs
// backwards. It prints a line after the first read and the number of reads at the end.
func readInChild() error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, os.Stdin) // it ends by being closed, which is all we wait for
	}()
	last := [2]int{}
	for reads, final := 1, false; ; reads++ {
		for i, see := range []func(context.Context, string) (int, error){seeFile, seeLake} {
			n, err := see(context.Background(), os.Getenv("EXACTDUCK_DIR"))
			if err != nil || n < last[i] {
				return fmt.Errorf("read %d of target %d: saw %d after %d: %w", reads, i, n, last[i], err)
			}
			last[i] = n
		}
		if reads == 1 {
			fmt.Fprintln(os.Stdout, "reading")
		}
		if final {
			fmt.Fprintln(os.Stdout, reads, last[0], last[1])
			return nil
		}
		select {
		case <-ended:
			final = true
		default:
		}
	}
}

// TestReadersAreNeverDisturbed publishes again and again while another process reads.
func TestReadersAreNeverDisturbed(t *testing.T) {
	nights := 12
	if os.Getenv("EXACTDUCK_LONG") != "" {
		nights = 100
	}
	dir := t.TempDir()
	numbered := func(n int) {
		w := open(t, dir)
		number(t, w, n)
		to := target(dir, "r"+strconv.Itoa(n))
		to.Keep = 3
		if _, err := w.Publish(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	numbered(0)
	reader := spawn(t, "read", "EXACTDUCK_DIR="+dir)
	lines, end := talk(t, reader)
	if line := <-lines; line != "reading" {
		t.Fatalf("the reader says %q", line)
	}
	for n := 1; n <= nights; n++ {
		numbered(n)
	}
	end()
	var reads, file, lake int
	if _, err := fmt.Sscan(<-lines, &reads, &file, &lake); err != nil || file != nights || lake != nights {
		t.Errorf("%d reads, at last of %d and %d: %v", reads, file, lake, err)
	}
	if err := reader.Wait(); err != nil {
		t.Errorf("the reader failed: %v", err)
	}
}

// talk starts a child and returns what it says, line by line, and what tells it to end.
func talk(t *testing.T, c *exec.Cmd) (lines <-chan string, end func()) {
	t.Helper()
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 8)
	go func() {
		defer close(said)
		for s := bufio.NewScanner(out); s.Scan(); {
			said <- s.Text()
		}
	}()
	return said, func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
}

// holdInChild holds the lock of a warehouse until its input ends.
func holdInChild() error {
	dir := os.Getenv("EXACTDUCK_DIR")
	w, err := Open(context.Background(), options(dir))
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, os.Getpid())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return w.Close()
}

func TestOnlyOneProcessHoldsAWarehouse(t *testing.T) {
	dir := t.TempDir()
	holder := spawn(t, "hold", "EXACTDUCK_DIR="+dir)
	lines, end := talk(t, holder)
	pid, err := strconv.Atoi(<-lines)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), options(dir))
	var busy *Busy
	if !errors.As(err, &busy) || busy.Holder != pid {
		t.Errorf("Open = %v, want *Busy with holder %d", err, pid)
	}
	waiting := options(dir)
	waiting.Wait = true
	opened := make(chan error, 1)
	go func() {
		w, err := Open(t.Context(), waiting)
		if err == nil {
			err = w.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Errorf("Open did not wait: %v", err)
	default:
	}
	end()
	if err := holder.Wait(); err != nil {
		t.Error(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("Open after the wait: %v", err)
	}
}

func TestWaitingForALockHonoursTheContext(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	waiting := options(dir)
	waiting.Wait = true
	_, err := Open(ctx, waiting)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want context.Canceled", err)
	}
}

func TestALockDiesWithItsProcess(t *testing.T) {
	dir := t.TempDir()
	holder := spawn(t, "hold", "EXACTDUCK_DIR="+dir)
	lines, _ := talk(t, holder)
	<-lines
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Wait(); !killed(err) {
		t.Errorf("the holder ended with %v", err)
	}
	w := open(t, dir)
	fill(t, w, 0, 1, schema.Scope("1"))
}
