// Package laketest reads the Parquet files of a lake for tests, by a library that has nothing to do with
// DuckDB, which wrote them. Begin with [Read].
package laketest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Column is a column of a file; Type is what the file says of it, in the words of DuckDB:
// DECIMAL(18,4), TIMESTAMP (a wall clock) or TIMESTAMPTZ (an instant).
type Column struct{ Name, Type string }

// Read reads a file whole. The values are as load.Answer has them: numbers with their digits as
// json.Number, times as text, JSON as json.RawMessage, NULL as nil.
func Read(path string) (columns []Column, rows []map[string]any, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	opened, err := parquet.OpenFile(file, info.Size())
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", path, err)
	}
	for _, field := range opened.Schema().Fields() {
		if !field.Leaf() || field.Repeated() {
			return nil, nil, fmt.Errorf("%s: column %s holds more than one value", path, field.Name())
		}
		kind, err := typeOf(field.Type())
		if err != nil {
			return nil, nil, fmt.Errorf("%s: column %s: %w", path, field.Name(), err)
		}
		columns = append(columns, Column{field.Name(), kind})
	}
	for _, group := range opened.RowGroups() {
		if rows, err = readGroup(group, columns, rows); err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	return columns, rows, nil
}

func readGroup(group parquet.RowGroup, columns []Column, rows []map[string]any) ([]map[string]any, error) {
	reader := group.Rows()
	defer reader.Close()
	for buffer := make([]parquet.Row, 64); ; {
		n, err := reader.ReadRows(buffer)
		for _, values := range buffer[:n] {
			row := make(map[string]any, len(columns))
			for _, v := range values {
				c := columns[v.Column()]
				row[c.Name] = plain(v, c.Type)
			}
			rows = append(rows, row)
		}
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// typeOf tells the type of a column from what the file says, not from what its values look like.
func typeOf(t parquet.Type) (string, error) {
	logical := t.LogicalType()
	if logical == nil {
		return physical(t)
	}
	switch l := logical.Value.(type) {
	case *format.DecimalType:
		return fmt.Sprintf("DECIMAL(%d,%d)", l.Precision, l.Scale), nil
	case *format.TimestampType:
		if _, micros := l.Unit.Value.(*format.MicroSeconds); micros && l.IsAdjustedToUTC {
			return "TIMESTAMPTZ", nil
		} else if micros {
			return "TIMESTAMP", nil
		}
	case *format.JsonType:
		return "JSON", nil
	case *format.StringType:
		return "VARCHAR", nil
	case *format.IntType:
		return integer(*l)
	}
	return "", fmt.Errorf("nobody expects %s", t)
}

func integer(t format.IntType) (string, error) {
	switch kind := (format.IntType{BitWidth: t.BitWidth, IsSigned: t.IsSigned}); kind {
	case format.IntType{BitWidth: 8}:
		return "UTINYINT", nil
	case format.IntType{BitWidth: 16, IsSigned: true}:
		return "SMALLINT", nil
	case format.IntType{BitWidth: 32, IsSigned: true}:
		return "INTEGER", nil
	case format.IntType{BitWidth: 64, IsSigned: true}:
		return "BIGINT", nil
	}
	return "", fmt.Errorf("nobody expects integers of %d bits", t.BitWidth)
}

func physical(t parquet.Type) (string, error) {
	switch t.Kind() {
	case parquet.Boolean:
		return "BOOLEAN", nil
	case parquet.Int32:
		return "INTEGER", nil
	case parquet.Int64:
		return "BIGINT", nil
	case parquet.Double:
		return "DOUBLE", nil
	case parquet.ByteArray:
		return "BLOB", nil
	}
	return "", fmt.Errorf("nobody expects %s", t)
}

func plain(v parquet.Value, kind string) any {
	switch {
	case v.IsNull():
		return nil
	case strings.HasPrefix(kind, "DECIMAL"):
		return decimal(v.Int64())
	}
	switch kind {
	case "BOOLEAN":
		return v.Boolean()
	case "UTINYINT", "SMALLINT", "INTEGER":
		return json.Number(fmt.Sprint(v.Int32()))
	case "BIGINT":
		return json.Number(fmt.Sprint(v.Int64()))
	case "DOUBLE":
		text, _ := json.Marshal(v.Double()) // never NaN
		return json.Number(text)
	case "TIMESTAMP":
		return time.UnixMicro(v.Int64()).UTC().Format("2006-01-02 15:04:05.999999")
	case "TIMESTAMPTZ":
		return time.UnixMicro(v.Int64()).UTC().Format(time.RFC3339Nano)
	case "JSON":
		return json.RawMessage(append([]byte{}, v.ByteArray()...))
	case "BLOB":
		return append([]byte{}, v.ByteArray()...)
	}
	return string(v.ByteArray())
}

// decimal writes a number of ten-thousandths with all its digits.
func decimal(n int64) json.Number {
	digits := fmt.Sprintf("%05s", new(big.Int).Abs(big.NewInt(n)).String())
	text := digits[:len(digits)-4] + "." + digits[len(digits)-4:]
	if n < 0 {
		text = "-" + text
	}
	return json.Number(text)
}
