package load

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"exactduck/load/spool"
	"exactduck/schema"
)

// pageFunction is the SQL function exactduck_pages(n): the rows of spools, as columns. It is
// registered once, outside any transaction, because a rollback would take it away again.
type pageFunction struct {
	mutex  sync.Mutex
	known  bool
	last   int64
	source map[int64]*pageSource
}

func (f *pageFunction) register(ctx context.Context, db *sql.DB) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.known {
		return nil
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	number, err := duckdb.NewTypeInfo(duckdb.TYPE_BIGINT)
	if err != nil {
		return err
	}
	err = duckdb.RegisterTableUDF(c, "exactduck_pages", duckdb.ChunkTableFunction{
		Config:        duckdb.TableFunctionConfig{Arguments: []duckdb.TypeInfo{number}},
		BindArguments: f.bind,
	})
	f.known = err == nil
	return err
}

func (f *pageFunction) bind(_ map[string]any, args ...any) (duckdb.ChunkTableSource, error) {
	n, _ := args[0].(int64)
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if s := f.source[n]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("no pages are offered as %d", n)
}

// offer makes s readable as exactduck_pages(n) until withdrawn.
func (f *pageFunction) offer(s *pageSource) (n int64, withdraw func()) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.source == nil {
		f.source = map[int64]*pageSource{}
	}
	f.last++
	n = f.last
	f.source[n] = s
	return n, func() {
		f.mutex.Lock()
		defer f.mutex.Unlock()
		delete(f.source, n)
	}
}

// pageSource delivers rows of spools to DuckDB. It may be called on a thread that is none of
// Go's, and a panic there could not be survived: so it reads files, waits for nothing, catches
// its panics, and keeps its error beside DuckDB's text of it.
type pageSource struct {
	files  []*spool.File
	places []int // of the columns that are delivered; len(Columns) is Extra
	infos  []duckdb.ColumnInfo
	scope  schema.Type
	wanted bitmap // nil: all rows
	err    error
	seen   map[string]map[string]bool // names of Page.Unknown and Page.Misfits

	// unmarked says to leave out the rows that are marked as [schema.Page.Out] does.
	unmarked bool

	file    int // the one that is read, or, before begun, is to be
	begun   bool
	reader  *spool.Reader
	page    schema.Page
	next    int   // row of page
	ordinal int64 // of that row
	rows    []int // of page, that go into the chunk
}

// The places of the columns that are not in a page.
const (
	partPlace = -1 - iota
	ordinalPlace
	scopePlace
	outPlace
)

// newPageSource offers the named columns of files, which all have the same table. DuckDB should
// select each of them: filling one that it does not ask for costs more than filling it.
func newPageSource(files []*spool.File, columns []string) (*pageSource, error) {
	t := files[0].Header().Table
	s := &pageSource{files: files, scope: t.Scope.Type, seen: map[string]map[string]bool{}}
	s.reader = spool.NewReader(func(place int) bool { return slices.Contains(s.places, place) })
	for _, name := range columns {
		place, kind := t.Index(name), schema.JSON
		switch {
		case place >= 0:
			kind = t.Columns[place].Type
		case name == partColumn:
			place, kind = partPlace, schema.Integer
		case name == ordinalColumn:
			place, kind = ordinalPlace, schema.BigInt
		case name == outColumn:
			place, kind = outPlace, schema.Boolean
		case name == t.Scope.Name:
			place, kind = scopePlace, t.Scope.Type
		case name == extra:
			place = len(t.Columns)
		default:
			return nil, fmt.Errorf("%s has no column %s", t.FullName(), name)
		}
		info, err := typeInfo(kind)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
		s.places, s.infos = append(s.places, place), append(s.infos, duckdb.ColumnInfo{Name: name, T: info})
	}
	return s, nil
}

var duckTypes = map[schema.Type]duckdb.Type{
	schema.Boolean: duckdb.TYPE_BOOLEAN, schema.UTinyInt: duckdb.TYPE_UTINYINT, schema.SmallInt: duckdb.TYPE_SMALLINT,
	schema.Integer: duckdb.TYPE_INTEGER, schema.BigInt: duckdb.TYPE_BIGINT, schema.Double: duckdb.TYPE_DOUBLE,
	schema.Timestamp: duckdb.TYPE_TIMESTAMP, schema.TimestampTZ: duckdb.TYPE_TIMESTAMP_TZ,
	schema.UUID: duckdb.TYPE_UUID, schema.Varchar: duckdb.TYPE_VARCHAR,
	schema.Blob: duckdb.TYPE_BLOB,
	schema.JSON: duckdb.TYPE_VARCHAR, // a JSON vector would take text for a value and quote it
}

func typeInfo(t schema.Type) (duckdb.TypeInfo, error) {
	if t == schema.Decimal {
		return duckdb.NewDecimalInfo(18, schema.DecimalScale)
	}
	return duckdb.NewTypeInfo(duckTypes[t])
}

// ColumnInfos is called by DuckDB when a statement is bound.
func (s *pageSource) ColumnInfos() []duckdb.ColumnInfo { return s.infos }

// Cardinality tells DuckDB which side of a join is the smaller one.
func (s *pageSource) Cardinality() *duckdb.CardinalityInfo {
	rows := int64(0)
	for _, f := range s.files {
		rows += f.Rows()
	}
	return &duckdb.CardinalityInfo{Cardinality: uint(rows), Exact: s.wanted == nil}
}

// Init begins at the first row.
func (s *pageSource) Init() {
	s.file, s.begun, s.next, s.ordinal = 0, false, 0, 0
	s.page = schema.Page{}
}

// close lets go of the spool that was being read when the statement ended.
func (s *pageSource) close() { s.reader.Close() }

// FillChunk fills a chunk with the next wanted rows; an empty one ends the function.
func (s *pageSource) FillChunk(chunk duckdb.DataChunk) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read pages: panic: %v", p)
		}
		if err != nil {
			s.err = err
		}
	}()
	size := 0
	for capacity := duckdb.GetDataChunkCapacity(); size < capacity; {
		if s.next == s.page.Rows {
			if err := s.turn(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
		}
		s.pick(capacity - size)
		if err := s.copy(chunk, size); err != nil {
			return err
		}
		size += len(s.rows)
	}
	return chunk.SetSize(size)
}

// turn goes on to the next page, of the next file if need be.
func (s *pageSource) turn() error {
	for {
		if !s.begun {
			if s.file == len(s.files) {
				return io.EOF
			}
			s.reader.Turn(s.files[s.file])
			s.begun = true
		}
		s.next = 0
		err := s.reader.Next(&s.page)
		if !errors.Is(err, io.EOF) {
			s.note("unknown property", s.page.Unknown)
			s.note("misfit", s.page.Misfits)
			return err
		}
		s.page.Rows, s.begun = 0, false
		s.file++
	}
}

func (s *pageSource) note(kind string, names []string) {
	for _, n := range names {
		if s.seen[kind] == nil {
			s.seen[kind] = map[string]bool{}
		}
		s.seen[kind][n] = true
	}
}

// pick chooses up to room rows of the page.
func (s *pageSource) pick(room int) {
	s.rows = s.rows[:0]
	for ; s.next < s.page.Rows && len(s.rows) < room; s.next++ {
		if (s.wanted == nil || s.wanted.has(s.ordinal)) && (!s.unmarked || !s.marked(s.next)) {
			s.rows = append(s.rows, s.next)
		}
		s.ordinal++
	}
}

func (s *pageSource) marked(row int) bool { return len(s.page.Out) > 0 && s.page.Out[row] }

// copy puts the picked rows into the chunk, column by column, from row begin on.
func (s *pageSource) copy(chunk duckdb.DataChunk, begin int) error {
	for column, place := range s.places {
		var err error
		switch {
		case place < 0:
			err = s.copyFixed(chunk, column, begin, place)
		case place < len(s.page.Columns):
			err = copyColumn(chunk, column, begin, &s.page.Columns[place], s.rows)
		default:
			err = copyColumn(chunk, column, begin, &s.page.Extra, s.rows)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *pageSource) copyFixed(chunk duckdb.DataChunk, column, begin, place int) error {
	first := s.ordinal - int64(s.next) // of the page
	scope, err := scopeValue(s.scope, s.page.Scope)
	for i, row := range s.rows {
		if err != nil {
			break
		}
		switch place {
		case partPlace:
			err = duckdb.SetChunkValue(chunk, column, begin+i, int64(s.file))
		case ordinalPlace:
			err = duckdb.SetChunkValue(chunk, column, begin+i, first+int64(row))
		case outPlace:
			err = duckdb.SetChunkValue(chunk, column, begin+i, s.marked(row))
		default:
			err = chunk.SetValue(column, begin+i, scope)
		}
	}
	return err
}

// scopeValue is a scope as the scope column of a table holds it.
func scopeValue(t schema.Type, s schema.Scope) (any, error) {
	if t == schema.Varchar {
		return string(s), nil
	}
	n, err := strconv.ParseInt(string(s), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("scope %q is no number: %w", s, err)
	}
	return int32(n), nil
}

// copyColumn relies on the ranges that [schema.Vector] has checked: DuckDB's setters wrap what is
// too large, and take a number given to a DECIMAL for the amount without its point.
func copyColumn(chunk duckdb.DataChunk, column, begin int, v *schema.Vector, rows []int) error {
	for i, row := range rows {
		var err error
		switch {
		case !v.Valid[row]:
			err = chunk.SetValue(column, begin+i, nil)
		case v.Type == schema.Boolean:
			err = duckdb.SetChunkValue(chunk, column, begin+i, v.Ints[row] != 0)
		case v.Type.Dates():
			err = duckdb.SetChunkValue(chunk, column, begin+i, time.UnixMicro(v.Ints[row]).UTC())
		case v.Type == schema.Double:
			err = duckdb.SetChunkValue(chunk, column, begin+i, v.Floats[row])
		case v.Type == schema.UUID:
			err = duckdb.SetChunkValue(chunk, column, begin+i, duckdb.UUID(v.UUIDs[row]))
		case v.Type == schema.Varchar, v.Type == schema.Blob, v.Type == schema.JSON:
			err = duckdb.SetChunkValue(chunk, column, begin+i, v.At(row))
		default:
			err = duckdb.SetChunkValue(chunk, column, begin+i, v.Ints[row])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bitmap is a set of small numbers.
type bitmap []uint64

func newBitmap(size int64) bitmap { return make(bitmap, (size+63)/64) }

func (b bitmap) add(n int64)      { b[n/64] |= 1 << (n % 64) }
func (b bitmap) has(n int64) bool { return b[n/64]>>(n%64)&1 == 1 }
