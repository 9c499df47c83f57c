package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"exactduck/auth"
	"exactduck/load"
	"exactduck/load/spool"
)

// versions are what the program is made of.
type versions struct {
	Version string  `json:"version"`
	Commit  string  `json:"commit,omitempty"`
	DuckDB  string  `json:"duckdb_module"`
	Go      string  `json:"go"`
	System  string  `json:"system"`
	Engine  string  `json:"duckdb,omitempty"` // the DuckDB in it
	Formats formats `json:"formats"`
}

// formats are the newest that the program reads, and those that it writes.
type formats struct {
	Warehouse int `json:"warehouse"` // of the working and the published database
	State     int `json:"state"`     // of the state directory
	Login     int `json:"login"`
	Spool     int `json:"spool"`
}

func versionCommand() command {
	return command{
		name: "version", usage: "say which program this is",
		help: `
Formats are those of files that it writes. It reads all before them, and brings them to these; it refuses
what a later version has written. Before a working database is brought to a new format it is copied; the
copy goes with the next publication.

   exactduck version
   exactduck version --output json`,
		do: func(ctx context.Context, _ *call) (*view, error) {
			v := built()
			var err error
			if v.Engine, err = load.EngineVersion(ctx); err != nil {
				return nil, err
			}
			return &view{data: v, text: func(out io.Writer) {
				f := v.Formats
				fmt.Fprintf(out, "exactduck %s\nDuckDB %s (module %s), %s, %s\n", v.Version, v.Engine, v.DuckDB, v.Go, v.System)
				fmt.Fprintf(out, "formats: warehouse %d, state %d, login %d, spool %d\n", f.Warehouse, f.State, f.Login, f.Spool)
			}}, nil
		},
	}
}

// version is the version in one word, as --version prints it.
func version() string { return built().Version }

func built() versions {
	v := versions{
		Version: "dev", Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Formats: formats{Warehouse: load.Format(), State: stateFormat, Login: auth.Format(), Spool: spool.Format()},
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if m := info.Main.Version; m != "" && m != "(devel)" {
		v.Version = m
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/duckdb/duckdb-go/v2" {
			v.DuckDB = m.Version
		}
	}
	return v
}
