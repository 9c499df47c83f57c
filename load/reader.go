package load

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// Reader reads a published file. It is private: closing it leaves nothing of the file open, so
// that the next reader of this process sees what has been published since.
type Reader struct {
	db    *sql.DB
	path  string
	spill string // where large sorts go
}

// OpenReader opens the published file at path. It never waits for a run and no run waits for it.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	name, err := databaseName(path)
	if err != nil {
		return nil, err
	}
	spill := filepath.Join(os.TempDir(), fmt.Sprintf("exactduck-%d-%d", os.Getpid(), time.Now().UnixNano()))
	db, err := openReadOnly(ctx, path, name, spill)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &Reader{db: db, path: path, spill: spill}, nil
}

// openReadOnly attaches one file to a DuckDB that can read nothing else, write nothing but spilled
// rows below spill, load no extension and change no setting.
func openReadOnly(ctx context.Context, path, alias, spill string) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err // DuckDB's own message does not tell why
	}
	var once sync.Once
	connector, err := duckdb.NewConnector("?autoinstall_known_extensions=false&autoload_known_extensions=false",
		func(e driver.ExecerContext) (err error) {
			once.Do(func() {
				err = execAll(ctx, e,
					"SET GLOBAL TimeZone = 'UTC'",
					"SET GLOBAL temp_directory = "+literal(spill),
					"ATTACH "+literal(path)+" AS "+identifier(alias)+" (READ_ONLY)",
					"SET GLOBAL enable_external_access = false",
					"SET GLOBAL lock_configuration = true")
			})
			if err != nil {
				return err
			}
			return execAll(ctx, e, "USE "+identifier(alias))
		})
	if err != nil {
		return nil, fileError(path, err)
	}
	db := sql.OpenDB(connector)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fileError(path, err), db.Close())
	}
	return db, nil
}

// Close lets go of the file. It may be called twice.
func (r *Reader) Close() error {
	if r.db == nil {
		return nil
	}
	err := errors.Join(r.db.Close(), os.RemoveAll(r.spill))
	r.db = nil
	return err
}

// Answer is what a query brings, row by row. Close it after use.
type Answer struct {
	Columns []AnswerColumn
	conn    *sql.Conn
	rows    *sql.Rows
}

// AnswerColumn is a column of an [Answer]; Type is DuckDB's name for its type.
type AnswerColumn struct{ Name, Type string }

// Query runs one statement, or several of which the last one answers. Nothing can be written: the
// file is read-only and so is the transaction.
func (r *Reader) Query(ctx context.Context, query string) (*Answer, error) {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	a := &Answer{conn: conn}
	if err := a.begin(ctx, query); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *Answer) begin(ctx context.Context, query string) (err error) {
	if _, err := a.conn.ExecContext(ctx, "BEGIN TRANSACTION READ ONLY"); err != nil {
		return err
	}
	if exact, ok := a.exactly(ctx, query); ok {
		a.rows, err = a.conn.QueryContext(ctx, exact) //nolint:rowserrcheck // Rows checks it
		return err
	}
	if a.rows, err = a.conn.QueryContext(ctx, query); err != nil { //nolint:rowserrcheck // Rows checks it
		return err
	}
	types, err := a.rows.ColumnTypes()
	if err != nil {
		return err
	}
	for _, t := range types {
		a.Columns = append(a.Columns, AnswerColumn{Name: t.Name(), Type: t.DatabaseTypeName()})
	}
	return nil
}

// exactly rewrites a query with columns of JSON, which the driver would decode into floating point
// numbers, so that it answers their text. It leaves alone what is not one plain query.
func (a *Answer) exactly(ctx context.Context, query string) (exact string, ok bool) {
	query = strings.TrimRight(query, "; \t\r\n")
	columns, err := describe(ctx, a.conn, query)
	if err != nil {
		return "", false // whatever is wrong with it, running it will tell
	}
	terms := make([]string, len(columns))
	for i, c := range columns {
		terms[i] = "#" + strconv.Itoa(i+1)
		if c.Type == "JSON" {
			terms[i] += "::VARCHAR"
			ok = true
		}
	}
	if ok {
		a.Columns = columns
	}
	return "SELECT " + strings.Join(terms, ", ") + " FROM (" + query + "\n)", ok
}

// describe names the columns of a query without running it.
func describe(ctx context.Context, conn *sql.Conn, query string) ([]AnswerColumn, error) {
	rows, err := conn.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE "+query+"\n)")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []AnswerColumn
	for rows.Next() {
		var c AnswerColumn
		if err := rows.Scan(&c.Name, &c.Type); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// Close ends the query. It may be called at any row, and twice.
func (a *Answer) Close() error {
	if a.conn == nil {
		return nil
	}
	var err error
	if a.rows != nil {
		err = a.rows.Close()
	}
	rollback(context.Background(), a.conn)
	if closed := a.conn.Close(); !errors.Is(closed, sql.ErrConnDone) && !errors.Is(closed, driver.ErrBadConn) {
		err = errors.Join(err, closed)
	}
	a.conn = nil
	return err
}

// Rows yields the rows, each with one value for each of Columns: nil, bool, string, json.Number
// (every exact or floating number), []byte for a BLOB, and []any or map[string]any of these for
// nested values. Dates and times are text: local ones without a zone, instants in UTC. JSON
// values are json.RawMessage. The slice is the caller's to keep.
func (a *Answer) Rows() iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for a.rows.Next() {
			row := make([]any, len(a.Columns))
			into := make([]any, len(row))
			for i := range row {
				into[i] = &row[i]
			}
			if err := a.rows.Scan(into...); err != nil {
				yield(nil, err)
				return
			}
			for i, v := range row {
				row[i] = plain(v, a.Columns[i].Type)
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := a.rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// plain is a value of the driver in the few types that [Answer.Rows] promises.
func plain(v any, typeName string) any {
	switch v := v.(type) {
	case nil, bool:
		return v
	case string:
		if typeName == "JSON" {
			return json.RawMessage(v)
		}
		return v
	case []byte:
		return plainBytes(v, typeName)
	case time.Time:
		return plainTime(v, typeName)
	case duckdb.Decimal:
		return json.Number(plainDecimal(v))
	case *big.Int:
		return json.Number(v.String())
	case float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64:
		return plainNumber(v)
	}
	return plainNested(v, typeName)
}

// plainNested handles what is made of other values; what is left after that is written as text.
func plainNested(v any, typeName string) any {
	switch v := v.(type) {
	case []any:
		all := make([]any, len(v))
		for i, e := range v {
			all[i] = plain(e, strings.TrimSuffix(typeName, "[]"))
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for k, e := range v {
			all[k] = plain(e, "")
		}
		return all
	case duckdb.Map:
		all := make(map[string]any, len(v))
		for k, e := range v {
			all[fmt.Sprint(plain(k, ""))] = plain(e, "")
		}
		return all
	case duckdb.UUID:
		return (&v).String()
	}
	return fmt.Sprint(v)
}

// plainDecimal writes a decimal with all the digits behind the point that its type has.
func plainDecimal(d duckdb.Decimal) string {
	scale := int(d.Scale)
	digits := fmt.Sprintf("%0*s", scale+1, new(big.Int).Abs(d.Value).String())
	if scale > 0 {
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if d.Value.Sign() < 0 {
		return "-" + digits
	}
	return digits
}

// plainNumber writes a number the way JSON does; what JSON has no word for stays text.
func plainNumber(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v) // NaN or infinite
	}
	return json.Number(text)
}

func plainBytes(v []byte, typeName string) any {
	if typeName == "UUID" && len(v) == 16 {
		id := duckdb.UUID(v)
		return (&id).String()
	}
	return v
}

func plainTime(t time.Time, typeName string) string {
	switch typeName {
	case "DATE":
		return t.Format(time.DateOnly)
	case "TIME":
		return t.Format("15:04:05.999999")
	case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		return t.UTC().Format(time.RFC3339Nano)
	}
	return t.Format("2006-01-02 15:04:05.999999")
}
