package load

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/gofrs/flock"
)

// catalog is the name under which a connection sees the working database. It must not equal the
// name of any schema in it, or DuckDB could not tell crm.Accounts from a database named crm.
const catalog = "_work"

// Options say where a warehouse lives and what it may use.
type Options struct {
	// StateDir is the folder of the working database; it is made when it is missing.
	StateDir string
	// Target is the path of the published file; the working database is named after it. With
	// an empty Target it is named "warehouse".
	Target string
	// Prefix goes in front of the schema of every table: "" or "second_".
	Prefix string
	// Source is the kind of source that is read: several may fill one warehouse under one prefix, and
	// each has its own places.
	Source string
	// Zone is the clock of the source, from which the views work out UTC; "" is Europe/Amsterdam.
	Zone string
	// Convert puts stored values into a column that is new or has another type; nil: columns begin
	// empty, and another type is refused with *[TypeChange].
	Convert Convert
	Clock   func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
	Memory  string           // DuckDB's memory_limit; "" is "192MB"
	// Threads is how many threads DuckDB uses; 0 is one, which needs the least memory.
	Threads int
	// Wait says to wait for another run's lock as long as the context lives.
	Wait bool
	// Brief says that the warehouse is held for a moment only: others wait for it and are not turned
	// away.
	Brief bool
}

// Warehouse is an opened working database. It is made by [Open] and used by one goroutine at a
// time, apart from reads.
type Warehouse struct {
	db      *sql.DB
	clock   func() time.Time
	log     *slog.Logger
	path    string // of the working database
	target  string
	prefix  string
	source  string
	zone    string
	state   string // the state directory
	memory  string
	threads int
	lock    *flock.Flock
	writing sync.Mutex   // one transaction at a time
	pages   pageFunction // how DuckDB reads spools
	convert Convert
	clone   func(from, to string) error
}

// Open locks and opens the working database of o.Target, and makes it when there is none: from the
// published file, if that is one of ours, or else empty. It fails with *[Busy] when another run
// holds the lock, with *[Damaged] when the file cannot be read as a database, and with *[Newer]
// when a later version of this program has written it.
func Open(ctx context.Context, o Options) (*Warehouse, error) {
	w, err := newWarehouse(o)
	if err != nil {
		return nil, err
	}
	if err := MakeStateDir(w.state); err != nil {
		return nil, err
	}
	if w.lock, err = acquire(ctx, w.beside(".lock"), o); err != nil {
		return nil, err
	}
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func newWarehouse(o Options) (*Warehouse, error) {
	name, err := workingName(o.Target)
	if err != nil {
		return nil, err
	}
	w := &Warehouse{
		clock: o.Clock, log: o.Log, target: o.Target, prefix: o.Prefix, source: o.Source, zone: o.Zone, state: o.StateDir, convert: o.Convert,
		path: filepath.Join(o.StateDir, name+".work.duckdb"), memory: o.Memory, threads: max(o.Threads, 1), clone: cloneFile,
	}
	if _, err := databaseName(w.path); err != nil {
		return nil, err
	}
	if w.clock == nil {
		w.clock = time.Now
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.memory == "" {
		w.memory = "192MB"
	}
	return w, nil
}

// open brings the working database into being and up to date; the lock is held.
func (w *Warehouse) open(ctx context.Context) error {
	if err := w.adopt(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(w.spill()); err != nil { // what a killed run left
		return fmt.Errorf("clear %s: %w", w.spill(), err)
	}
	if err := w.clearCompacting(); err != nil {
		return fmt.Errorf("clear %s: %w", w.compacting(), err)
	}
	w.log.DebugContext(ctx, "opening working database", "path", w.path)
	db, err := w.connect(ctx)
	if err != nil {
		return fmt.Errorf("open working database: %w", fileError(w.path, err))
	}
	w.db = db
	if err := w.migrate(ctx); err != nil {
		return err
	}
	w.log.DebugContext(ctx, "opened working database", "path", w.path)
	return nil
}

// spill is the folder into which DuckDB writes what its memory does not hold.
func (w *Warehouse) spill() string { return w.beside(".tmp") }

// beside is the path of a file that belongs to the working database.
func (w *Warehouse) beside(ending string) string {
	return strings.TrimSuffix(w.path, ".work.duckdb") + ending
}

// Path is where the working database lies.
func (w *Warehouse) Path() string { return w.path }

// Close closes the database, if it is open, and lets go of the lock. It may be called twice.
func (w *Warehouse) Close() error {
	err := w.closeDatabase()
	if w.lock != nil {
		err = errors.Join(err, w.lock.Close())
		w.lock = nil
	}
	return err
}

func (w *Warehouse) closeDatabase() error {
	if w.db == nil {
		return nil
	}
	err := w.db.Close()
	w.db = nil
	return err
}

// connect opens a private DuckDB with the working database attached. It is attached, not opened
// directly, because a path may then hold any character, and because DuckDB shares what it opens
// directly with the rest of the process.
func (w *Warehouse) connect(ctx context.Context) (*sql.DB, error) {
	return w.connectWith(ctx, "ATTACH "+literal(w.path)+" AS "+catalog)
}

// connectWith opens a private DuckDB and makes the statements attach the database, and what else is needed.
func (w *Warehouse) connectWith(ctx context.Context, attach ...string) (*sql.DB, error) {
	options := fmt.Sprintf("?threads=%d&memory_limit=%s&autoinstall_known_extensions=false&autoload_known_extensions=false",
		w.threads, strings.ReplaceAll(w.memory, " ", "%20"))
	var once sync.Once
	connector, err := duckdb.NewConnector(options, func(e driver.ExecerContext) (err error) {
		once.Do(func() {
			err = execAll(ctx, e, slices.Concat(
				[]string{"SET GLOBAL TimeZone = 'UTC'", "SET GLOBAL temp_directory = " + literal(w.spill())},
				attach,
				w.gathering(),
				[]string{"SET GLOBAL lock_configuration = true"})...)
		})
		if err != nil {
			return err
		}
		return execAll(ctx, e, "USE "+catalog)
	})
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func execAll(ctx context.Context, e driver.ExecerContext, statements ...string) error {
	for _, s := range statements {
		if _, err := e.ExecContext(ctx, s, nil); err != nil {
			return err
		}
	}
	return nil
}

// inTx runs f in a transaction of its own on one connection. It commits when f returns nil and
// rolls back otherwise, and it never believes a COMMIT: after a failed statement DuckDB answers it
// with success though it has rolled back, so a counter written last is read again afterwards.
func (w *Warehouse) inTx(ctx context.Context, f func(ctx context.Context, c *sql.Conn) error) (err error) {
	w.writing.Lock()
	defer w.writing.Unlock()
	c, err := w.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", fileError(w.path, err))
	}
	defer c.Close()
	w.log.DebugContext(ctx, "transaction begins")
	if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
		return fmt.Errorf("begin: %w", fileError(w.path, err))
	}
	committed := false
	defer func() {
		if !committed {
			rollback(ctx, c)
		}
	}()
	if err := f(ctx, c); err != nil {
		return fileError(w.path, err)
	}
	if err := w.commit(ctx, c); err != nil {
		return fmt.Errorf("commit: %w", fileError(w.path, err))
	}
	committed = true
	w.log.DebugContext(ctx, "transaction committed")
	return nil
}

// commit ends the transaction of c and makes sure that it is stored.
func (w *Warehouse) commit(ctx context.Context, c *sql.Conn) error {
	var want, have int64
	err := c.QueryRowContext(ctx, `UPDATE _exactduck.meta SET value = (value::BIGINT + 1)::VARCHAR
		WHERE key = 'commits' RETURNING value::BIGINT`).Scan(&want)
	if err != nil {
		return err
	}
	w.log.DebugContext(ctx, "transaction commits")
	ctx = context.WithoutCancel(ctx) // a COMMIT that is interrupted may have happened or not
	if _, err := c.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	err = c.QueryRowContext(ctx, "SELECT value::BIGINT FROM _exactduck.meta WHERE key = 'commits'").Scan(&have)
	if err != nil {
		return err
	}
	if have != want {
		return errors.New("the transaction was rolled back")
	}
	return nil
}

// rollback leaves no transaction behind on c: when that cannot be said, c is not used again.
func rollback(ctx context.Context, c *sql.Conn) {
	if _, err := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		// The connection is broken or has no transaction any more; either way it is given up.
		_ = c.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// MakeStateDir makes the state directory, closed to others and invisible to git.
func MakeStateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	ignore := filepath.Join(dir, ".gitignore")
	if _, err := os.Stat(ignore); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(ignore, []byte("*\n"), 0o600); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	return nil
}

// identifier quotes the name of a schema, table or column.
func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal quotes a text.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
