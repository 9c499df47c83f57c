package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

func (k *checker) target(at path, p *Pipeline) {
	if p.To.DuckDB == "" {
		k.report(at.to("duckdb"), "write to: {duckdb: warehouse.duckdb}", "is missing")
		return
	}
	stem, _, _ := strings.Cut(filepath.Base(p.To.DuckDB), ".")
	prefix := ""
	if c := k.config.Connections[p.From]; c != nil {
		prefix = c.SchemaPrefix
	}
	for _, schema := range k.schemas(prefix) {
		if k.ownSchema(at.to("duckdb"), p, schema) {
			return
		}
	}
	if stem == "" {
		k.report(at.to("duckdb"), "write a file name such as warehouse.duckdb", "has no name before the dot")
	}
	switch {
	case p.To.Partition != "" && p.To.Partition != "year":
		k.report(at.to("partition"), "write partition: year, or leave it out", "%q is not known", p.To.Partition)
	case p.To.Partition != "" && p.To.Parquet == "":
		k.report(at.to("partition"), "write parquet: lake/ too, or leave it out", "is of no use without parquet")
	}
	if p.To.Keep < 0 || p.To.Keep > mostKept {
		k.report(at.to("keep"), "write how many older nights are to stay", "%d is not between 0 and %d", p.To.Keep, mostKept)
	}
	if p.To.Parquet != "" && p.To.Parquet == p.To.DuckDB {
		k.report(at.to("parquet"), "write a directory such as lake/", "duckdb and parquet are the same path")
	}
}

// stemOf is the name by which DuckDB knows a file.
func stemOf(path string) string {
	stem, _, _ := strings.Cut(filepath.Base(path), ".")
	return strings.ToLower(stem)
}

// schemas are the names that the file of a warehouse must not have.
func (k *checker) schemas(prefix string) []string {
	names := map[string]bool{
		"_exactduck": true, "main": true, "memory": true, "temp": true, "system": true,
		"pg_catalog": true, "information_schema": true, prefix + "analytics": true, // the views
	}
	for _, s := range k.catalogue.Streams() {
		for _, v := range s.Variants {
			names[prefix+v.Table.Service] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// ownSchema refuses a file that has the name of a schema in it.
func (k *checker) ownSchema(at path, p *Pipeline, schema string) bool {
	stem, _, _ := strings.Cut(filepath.Base(p.To.DuckDB), ".")
	if !strings.EqualFold(stem, schema) {
		return false
	}
	k.report(at, "call it otherwise, such as warehouse.duckdb",
		"a file called %s cannot hold a schema called %s: DuckDB could not tell them apart", stem, schema)
	return true
}

// warehouses holds pipelines that write into one file against each other.
func (k *checker) warehouses() {
	owner := make(map[string]string)  // of a stream in a warehouse: the pipeline
	prefix := make(map[string]string) // of a warehouse: the connection of a prefix
	file := make(map[string]string)   // of a name: the path
	to := make(map[string]Target)     // of a warehouse: what its last pipeline says
	for _, name := range k.config.PipelineNames() {
		p := k.config.Pipelines[name]
		at := path{"pipelines", name}
		if other, taken := file[stemOf(p.To.DuckDB)]; taken && other != p.To.DuckDB {
			k.report(at.to("to", "duckdb"), "call one of the two otherwise", "%s and %s would share one working database, which is named after them",
				other, p.To.DuckDB)
		}
		file[stemOf(p.To.DuckDB)] = p.To.DuckDB
		if other, shared := to[p.To.DuckDB]; shared && other.Keep != p.To.Keep {
			k.report(at.to("to", "keep"), "write the same number in both", "another pipeline that writes %s keeps %d", filepath.Base(p.To.DuckDB), other.Keep)
		} else if shared && other.Parquet == p.To.Parquet && other.Partition != p.To.Partition {
			k.report(at.to("to", "partition"), "write the same in both", "another pipeline that writes %s says otherwise", filepath.Base(p.To.Parquet))
		}
		to[p.To.DuckDB] = p.To
		schemas := k.config.Connections[p.From].SchemaPrefix
		here := p.To.DuckDB + "\x00" + p.kind + "\x00" + strings.ToLower(schemas)
		if other, taken := prefix[here]; taken && other != p.From {
			k.report(at.to("from"), "give one of the two connections a schema_prefix:, or the pipelines two files",
				"connections %s and %s would write the same tables of %s", other, p.From, filepath.Base(p.To.DuckDB))
			continue
		}
		prefix[here] = p.From
		choices, err := p.Choices(k.kinds)
		if err != nil {
			k.report(at.to("streams"), "", "%v", err)
		}
		for _, c := range choices {
			k.ownSchema(at.to("to", "duckdb"), p, schemas+tableOf(c.Stream).Service)
			stream := here + "\x00" + strings.ToLower(c.Stream.Variants[0].Table.FullName())
			if other, taken := owner[stream]; taken {
				k.report(at.to("streams"), "leave it to one of them, or give them two files",
					"%s is in pipeline %s too, and both write %s", c.Stream.Name, other, filepath.Base(p.To.DuckDB))
				break
			}
			owner[stream] = name
		}
	}
}
