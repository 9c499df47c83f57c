package main

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

func readAll() int { return 0 }

// sameInLake fails the test when the snapshot that is current differs from the published file.
func (o *office) sameInLake() {
	o.t.Helper()
	folder, err := filepath.EvalSymlinks(o.file("lake/current"))
	if err != nil {
		o.t.Fatal(err)
	}
	if err := sameContent(o.file("books.duckdb"), folder, o.tables()); err != nil {
		o.t.Error(err)
	}
}

func sameContent(file, folder string, tables []string) (err error) {
	db, err := sql.Open("duckdb", "?threads=1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.Exec("ATTACH '" + file + "' AS books (READ_ONLY)"); err != nil {
		return err
	}
	for _, table := range tables {
		held := "books." + table
		files := filepath.Join(folder, strings.ReplaceAll(table, ".", "/"), "*", "*.parquet")
		var rows, differing int
		if err := db.QueryRow("SELECT count(*) FROM " + held).Scan(&rows); err != nil {
			return err
		}
		if matches, err := filepath.Glob(files); err == nil && len(matches) == 0 && rows == 0 {
			continue
		}
		exported := "read_parquet('" + files + "', hive_partitioning = true)"
		err := db.QueryRow(fmt.Sprintf(`SELECT count(*) FROM (
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
