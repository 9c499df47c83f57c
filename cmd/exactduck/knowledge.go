package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"exactduck/cmd/exactduck/config"
	"exactduck/load"
	"exactduck/load/spool"
)

// knowledge is what this machine knows of a pipeline before anybody is asked.
type knowledge struct {
	load.Known
	spools  []*spool.File // begun by earlier runs; closed
	warning string        // why it may be behind; "": it is as of now
}

// knowledge looks into the working database, for a moment. While a run holds it, the published file
// has to do: what the run has read since is missing.
func (b *books) knowledge(ctx context.Context, p *config.Pipeline, wait bool) (knowledge, error) {
	o := b.options(p)
	o.Wait, o.Brief = wait, true
	warehouse, err := load.Open(ctx, o)
	if busy := find[*load.Busy](err); busy != nil {
		k, err := b.published(ctx, p)
		k.warning = fmt.Sprintf("%s: %v; this is how things were when it was published last", p.Name(), busy)
		return k, err
	}
	if err != nil {
		return knowledge{}, err
	}
	defer warehouse.Close()
	k := knowledge{}
	if k.Known, err = warehouse.Known(ctx, p.Name()); err != nil {
		return k, err
	}
	k.spools, err = b.begun(p)
	return k, errors.Join(err, warehouse.Close())
}

// published is what the published file tells; nothing when there is none yet.
func (b *books) published(ctx context.Context, p *config.Pipeline) (k knowledge, err error) {
	reader, err := load.OpenReader(ctx, p.To.DuckDB)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, err
	}
	defer reader.Close()
	k.Known, err = reader.Known(ctx, b.config.Connections[p.From].SchemaPrefix, p.Name())
	k.Divisions = fromSource(p.Kind(), k.Divisions)
	return k, err
}

// fromSource are the divisions of one kind of source.
func fromSource(kind string, all []load.Division) []load.Division {
	return slices.DeleteFunc(slices.Clone(all), func(d load.Division) bool { return d.Source != kind })
}

// begun are the reads that earlier runs have left behind. The lock of the warehouse is held.
func (b *books) begun(p *config.Pipeline) ([]*spool.File, error) {
	paths, err := spool.List(b.spools(p))
	if err != nil {
		return nil, err
	}
	var files []*spool.File
	for _, path := range paths {
		file, err := spool.Open(path)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
		if err := file.Close(); err != nil { // what is known of it stays
			return nil, err
		}
	}
	return files, nil
}
