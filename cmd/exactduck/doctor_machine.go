package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"exactduck/auth"
	"exactduck/cmd/exactduck/config"
	"exactduck/cmd/exactduck/doctor"
	"exactduck/load"
)

// machineChecks are about the folders and files of some pipelines.
func (k *call) machineChecks(ctx context.Context, pipelines []*config.Pipeline) []doctor.Check {
	var warehouses []*warehouseFiles
	folders := []doctor.Folder{{Path: k.cfg.State(), Locked: true}}
	add := func(path string, locked bool) {
		if path != "" && !slices.ContainsFunc(folders, func(f doctor.Folder) bool { return f.Path == path }) {
			folders = append(folders, doctor.Folder{Path: path, Locked: locked})
		}
	}
	if dir, err := k.loginDir(); err == nil {
		add(dir, true)
	}
	for _, p := range pipelines {
		if !slices.ContainsFunc(warehouses, func(w *warehouseFiles) bool { return w.target == p.To.DuckDB }) {
			warehouses = append(warehouses, k.warehouseFiles(ctx, p))
		}
		add(filepath.Dir(p.To.DuckDB), false)
		add(p.To.Parquet, false)
	}
	var checks []doctor.Check
	for _, f := range folders {
		checks = append(checks,
			doctor.Check{Name: "folder", Of: f.Path, Look: func(context.Context) doctor.Verdict { return f.Writable() }},
			doctor.Check{Name: "file system", Of: f.Path, Look: func(context.Context) doctor.Verdict { return f.Sane() }},
			doctor.Check{Name: "disk space", Of: f.Path, Look: func(context.Context) doctor.Verdict { return room(f, warehouses) }},
		)
	}
	for _, w := range warehouses {
		checks = append(checks, w.checks()...)
	}
	return checks
}

// loginDir is where the logins are.
func (k *call) loginDir() (string, error) {
	if dir := k.cfg.Logins(); dir != "" {
		return dir, nil
	}
	return auth.DefaultDir()
}

// warehouseFiles are the files of one warehouse, examined once.
type warehouseFiles struct {
	target  string
	examine func() (load.Condition, error)
}

func (k *call) warehouseFiles(ctx context.Context, p *config.Pipeline) *warehouseFiles {
	return &warehouseFiles{p.To.DuckDB, sync.OnceValues(func() (load.Condition, error) {
		return load.Examine(ctx, load.Options{StateDir: k.cfg.State(), Target: p.To.DuckDB, Clock: k.clock, Log: k.log})
	})}
}

// room judges the room in a folder for all the warehouses, the largest of which may be there twice.
func room(f doctor.Folder, warehouses []*warehouseFiles) doctor.Verdict {
	free, err := f.Free()
	if err != nil {
		return doctor.Wrong(err)
	}
	r := doctor.Room{Free: free}
	for _, w := range warehouses {
		c, err := w.examine()
		if err != nil {
			continue // a check of its own says so
		}
		r.Held += uint64(c.Working.Size + c.Published.Size)
		r.Size += uint64(max(c.Working.Size, c.Published.Size))
	}
	return r.Enough()
}

func (w *warehouseFiles) checks() []doctor.Check {
	of := filepath.Base(w.target)
	look := func(see func(load.Condition) doctor.Verdict) func(context.Context) doctor.Verdict {
		return func(context.Context) doctor.Verdict {
			c, err := w.examine()
			if err != nil {
				return doctor.Wrong(err)
			}
			return see(c)
		}
	}
	return []doctor.Check{
		{Name: "lock", Of: of, Look: look(seeLock)},
		{Name: "working database", Of: of, Look: look(seeWorking)},
		{Name: "published file", Of: of, Look: look(seePublished)},
	}
}

func seeLock(c load.Condition) doctor.Verdict {
	switch {
	case c.Busy == nil:
		return doctor.Well("free")
	case c.Busy.Holder == 0:
		return doctor.Doubtful("a run holds it", `"exactduck status" shows what it does`)
	}
	return doctor.Doubtful(fmt.Sprintf("process %d holds it", c.Busy.Holder), `"exactduck status" shows what it does; should it hang, end it: the next run goes on from there`)
}

func seeWorking(c load.Condition) doctor.Verdict {
	switch {
	case c.Busy != nil:
		return doctor.Unseen("a run holds it")
	case !c.Working.There && c.Published.There && c.Published.Err == nil:
		return doctor.Doubtful("missing", "nothing need be done: the next run goes on from the published file")
	}
	return seeDatabase(c.Working, "not made yet")
}

func seePublished(c load.Condition) doctor.Verdict {
	if wal := load.StrayLog(c.Published.Path); wal != "" && c.Published.There {
		return doctor.Doubtful("somebody has written to it, and readers see what "+wal+" says", "end the process that has the file open to write; the next run removes that log")
	}
	return seeDatabase(c.Published, "not published yet")
}

func seeDatabase(f load.FileCondition, absent string) doctor.Verdict {
	switch {
	case !f.There:
		return doctor.Well(absent)
	case f.Err != nil:
		return doctor.Wrong(f.Err)
	}
	return doctor.Well(fmt.Sprintf("readable, format %d, %.1f MiB", f.Format, float64(f.Size)/(1<<20)))
}
