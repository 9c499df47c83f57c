package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// versions are what the program is made of.
type versions struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	DuckDB  string `json:"duckdb_module"`
	Go      string `json:"go"`
	System  string `json:"system"`
}

func versionCommand() command {
	return command{
		name: "version", usage: "say which program this is",
		help: "   exactduck version --output json",
		do: func(context.Context, *call) (*view, error) {
			v := built()
			return &view{data: v, text: func(out io.Writer) {
				fmt.Fprintf(out, "exactduck %s\nDuckDB module %s, %s, %s\n", v.Version, v.DuckDB, v.Go, v.System)
			}}, nil
		},
	}
}

// version is the version in one word, as --version prints it.
func version() string { return built().Version }

func built() versions {
	v := versions{Version: "dev", Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
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
